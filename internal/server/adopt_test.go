package server_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/server"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim/compat"
)

const userURN = "urn:ietf:params:scim:schemas:core:2.0:User"

// TestNobodyIsAdopted is T2: in no profile does a create, however much it has in
// common with a person who is there, change or return that person.
func TestNobodyIsAdopted(t *testing.T) {
	t.Parallel()
	s := &served{running: start(t)}
	s.environ = []string{"ROLLCALL_DATA_DIR=" + s.data}
	for _, profile := range compat.Names() {
		s.must("tenant", "add", profile, "profile="+profile, "rate.off=true")
		token := s.must("token", "add", "okta", "--tenant", profile)
		const ada = `{"schemas":["` + userURN + `"],"userName":"Ada@example.com","externalId":"7","displayName":"Ada","active":false,"title":"Boss",` +
			`"emails":[{"value":"ada@example.com","type":"work","primary":true}],"roles":[{"value":"admin"}],"password":"a-long-one-1"%s}`
		id := s.made(token, "/scim/v2/Users", fmt.Sprintf(ada, ""))
		at := "/scim/v2/Users/" + id
		before := s.with(token, "GET", at, "")
		log := s.must("audit", "export", "--tenant", profile)
		other := strings.NewReplacer("Ada@example.com", "mallory-%d", `"active":false`, `"active":true`, "a-long-one-1", "another-long-1").Replace
		n := 0
		for what, body := range map[string]string{
			"all the same":          fmt.Sprintf(ada, ""),
			"with its id":           fmt.Sprintf(ada, `,"id":"`+id+`"`),
			"active":                strings.Replace(fmt.Sprintf(ada, ""), `"active":false`, `"active":true`, 1),
			"the name alone":        `{"schemas":["` + userURN + `"],"userName":"Ada@example.com","emails":[{"value":"mallory@example.org"}]}`,
			"the name in capitals":  `{"schemas":["` + userURN + `"],"userName":"ADA@EXAMPLE.COM","password":"another-long-1"}`,
			"all but the name":      other(fmt.Sprintf(ada, "")),
			"that, with its id":     other(fmt.Sprintf(ada, `,"id":"`+id+`","meta":{"location":"https://id.example.com`+at+`"}`)),
			"the address as a name": `{"schemas":["` + userURN + `"],"userName":"ada@example.com","externalId":"7","active":true}`,
		} {
			for _, inBulk := range []bool{false, true} {
				n++
				text, path := strings.ReplaceAll(body, "mallory-%d", fmt.Sprint("mallory-", n)), "/scim/v2/Users"
				if inBulk {
					path, text = "/scim/v2/Bulk", fmt.Sprintf(bulkMessage, `{"method":"POST","path":"/Users","bulkId":"q","data":`+text+`}`)
				}
				a := s.with(token, "POST", path, text)
				taken := strings.Contains(strings.ToLower(body), `"username":"ada@`)
				if free := wasMade.MatchString(a.body) && !strings.Contains(a.body, id); a.status >= 500 || free == taken {
					t.Errorf("%s: a create with %s (in Bulk: %v): %d %s", profile, what, inBulk, a.status, a.body)
				}
			}
		}
		if after := s.with(token, "GET", at, ""); after.body != before.body || after.header.Get("ETag") != before.header.Get("ETag") {
			t.Errorf("%s: the person was\n%s\nand is\n%s", profile, before.body, after.body)
		}
		if rest := strings.TrimPrefix(s.must("audit", "export", "--tenant", profile), log); !strings.Contains(rest, "mallory") || strings.Contains(rest, `"id":"`+id) {
			t.Errorf("%s: the change log: %s", profile, rest)
		}
	}
}

// wasMade is a resource that was created, in the answer to a POST or a Bulk message.
var wasMade = regexp.MustCompile(`"userName":"mallory|"status":"201"`)

// TestBulkTwice is T28: a Bulk message that comes once more makes nobody twice, and
// the first time stays as it was.
func TestBulkTwice(t *testing.T) {
	everywhere(t, func(t *testing.T, s *served) {
		var ops []string
		for i := range 5 {
			ops = append(ops, fmt.Sprintf(`{"method":"POST","path":"/Users","bulkId":"u%d","data":{"schemas":["%s"],"userName":"person-%[1]d","externalId":"%[1]d"}}`, i, userURN))
		}
		ops = append(ops, `{"method":"POST","path":"/Groups","bulkId":"g","data":{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Crew",`+
			`"members":[{"value":"bulkId:u0"},{"value":"bulkId:u4"}]}}`)
		message := fmt.Sprintf(bulkMessage, strings.Join(ops, ","))
		people := func() (all string, total int) {
			a := s.do("GET", "/scim/v2/Users?sortBy=userName", "")
			var list struct{ TotalResults int }
			if err := json.Unmarshal([]byte(a.body), &list); err != nil {
				t.Fatalf("%d %s", a.status, a.body)
			}
			return a.body, list.TotalResults
		}
		if a := s.do("POST", "/scim/v2/Bulk", message); strings.Count(a.body, `"status":"201"`) != 6 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		before, _ := people()
		for range 2 {
			if a := s.do("POST", "/scim/v2/Bulk", message); a.status != 200 || strings.Count(a.body, `"status":"409"`) < 5 || strings.Contains(a.body, `"status":"201"`) {
				t.Errorf("once more: %d %s", a.status, a.body)
			}
		}
		if after, total := people(); total != 5 || after != before {
			t.Errorf("there are %d people:\n%s\nand were\n%s", total, after, before)
		}
	})
}

// TestNoDomainRules is T5 as long as there is no setting about domains: then rules
// by the ends of names can't be wrong. A test of such rules takes its place.
func TestNoDomainRules(t *testing.T) {
	t.Parallel()
	ruled := regexp.MustCompile(`(?i)domain|suffix`)
	for name := range fieldsOf(reflect.TypeFor[server.Config]()) {
		if ruled.MatchString(name) {
			t.Errorf("the configuration has %s", name)
		}
	}
	n := 0
	for name := range fieldsOf(reflect.TypeFor[tenant.Settings]()) {
		if n++; ruled.MatchString(name) {
			t.Errorf("the settings of tenants have %s", name)
		}
	}
	if n < 30 {
		t.Errorf("only %d settings were looked at", n)
	}
}

// fieldsOf are the names of a struct's fields, with those of structs in it.
func fieldsOf(t reflect.Type) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, f := range reflect.VisibleFields(t) {
			in := f.Type
			for in.Kind() == reflect.Pointer || in.Kind() == reflect.Slice {
				in = in.Elem()
			}
			if !yield(f.Name) {
				return
			}
			if in.Kind() == reflect.Struct && in != t {
				for name := range fieldsOf(in) {
					if !yield(name) {
						return
					}
				}
			}
		}
	}
}
