package engine_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/compat"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

const kept = `"userName":"u","name":{"givenName":"G"},"active":true,"emails":[{"value":"a@x","primary":true}]`

// profiles are those under which what is unstored is tried: it is no tolerance.
func profiles(t *testing.T, run func(*testing.T, client)) {
	t.Helper()
	for _, p := range []compat.Profile{compat.Auto(), compat.Strict()} {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			f := &front{Store: new(memory.Store), traits: scim.Traits{Unstored: unstored}}
			c := open(t, f, engine.Config{Types: few(t), Profile: p, Password: func(string) (string, error) {
				t.Error("a password that is not kept was hashed")
				return "", nil
			}})
			run(t, c)
		})
	}
}

// What is unstored is taken and dropped, whatever its JSON type.
func TestUnstoredBodies(t *testing.T) {
	t.Parallel()
	profiles(t, func(t *testing.T, c client) {
		id := c.must(201, "POST /Users", user(kept)).ID
		for _, body := range []string{
			`{"schemas":["` + scim.UserURN + `"],` + kept + `,"title":5,"password":{"a":1},"addresses":"x","timezone":[]}`,
			`{"schemas":["` + scim.UserURN + `","` + enterprise + `"],` + kept + `,"` + enterprise + `":{"department":[1],"manager":{"value":"nobody"},"x":1}}`,
			`{"schemas":["` + scim.UserURN + `","` + enterprise + `"],` + kept + `,"` + enterprise + `":7}`,
			`{"schemas":["` + scim.UserURN + `"],"userName":"u","NAME":{"givenName":"G","MIDDLENAME":3},"active":true,` +
				`"emails":[{"type":{},"value":"a@x","primary":true,"display":false}]}`,
		} {
			a := c.must(200, "PUT /Users/"+id, body)
			if a.shown() != kept || strings.Contains(a.text, enterprise) || len(a.Rules) != 0 {
				t.Errorf("%s: %s %v", body, a.text, a.Rules)
			}
			other := c.must(201, "POST /Users", strings.Replace(body, `"userName":"u"`, `"userName":"w"`, 1))
			if other.shown() != strings.Replace(kept, `"u"`, `"w"`, 1) {
				t.Errorf("%s: %s", body, other.text)
			}
			c.must(204, "DELETE /Users/"+other.ID, "")
		}
	})
}

// A PATCH of what is unstored changes nothing and succeeds.
func TestUnstoredPatches(t *testing.T) {
	t.Parallel()
	profiles(t, func(t *testing.T, c client) {
		id := c.must(201, "POST /Users", user(kept)).ID
		for _, op := range []string{
			`{"op":"add","path":"title","value":"T"}`,
			`{"op":"replace","path":"title","value":{"x":1}}`,
			`{"op":"replace","path":"title"}`,
			`{"op":"remove","path":"title"}`,
			`{"op":"add","path":"password","value":"secret"}`,
			`{"op":"replace","path":"addresses[type eq \"work\"].locality","value":"V"}`,
			`{"op":"replace","path":"addresses[type eq \"work\"]","value":{"locality":"V"}}`,
			`{"op":"add","path":"addresses","value":[{"locality":"V"}]}`,
			`{"op":"remove","path":"addresses","value":"x"}`,
			`{"op":"replace","path":"name.middleName","value":"M"}`,
			`{"op":"replace","path":"name","value":{"middleName":"M"}}`,
			`{"op":"replace","path":"emails[value eq \"a@x\"].type","value":"home"}`,
			`{"op":"add","path":"emails.type","value":"home"}`,
			`{"op":"replace","path":"emails[type eq \"work\"].type","value":"home"}`,
			`{"op":"add","path":"emails","value":[{"type":"home"}]}`,
			`{"op":"replace","path":"emails","value":[{"type":"home","display":"x"}]}`,
			`{"op":"remove","path":"emails[type eq \"work\"]"}`,
			`{"op":"add","path":"` + enterprise + `:department","value":"D"}`,
			`{"op":"add","path":"` + enterprise + `:manager.displayName","value":"D"}`,
			`{"op":"replace","path":"` + enterprise + `:manager","value":"nobody"}`,
			`{"op":"add","path":"` + enterprise + `","value":{"department":"D"}}`,
			`{"op":"remove","path":"` + enterprise + `"}`,
			`{"op":"add","value":{"title":"T","name":{"middleName":"M"},"` + enterprise + `":{"department":"D","x":1}}}`,
			`{"op":"replace","value":{"password":"x","emails":[{"type":"work"}]}}`,
		} {
			a := c.do("PATCH /Users/"+id, patchOp(op))
			if a.Status != 200 || a.shown() != kept || len(a.Rules) != 0 {
				t.Errorf("%s: %d %s %v", op, a.Status, a.text, a.Rules)
			}
		}
		for _, op := range []string{
			`{"op":"replace","path":"nothing","value":"T"}`,
			`{"op":"replace","path":"groups.value","value":"T"}`,
			`{"op":"replace","path":"title[","value":"T"}`,
		} {
			if a := c.do("PATCH /Users/"+id, patchOp(op)); a.Status == 200 && len(a.Rules) == 0 {
				t.Errorf("%s: %s", op, a.text)
			}
		}
	})
}

// A filter of what is unstored finds no value: where values are created for
// filters, the value is, without it; elsewhere there is no target.
func TestUnstoredValuePaths(t *testing.T) {
	t.Parallel()
	profiles(t, func(t *testing.T, c client) {
		for _, tt := range []struct{ op, want string }{
			{`{"op":"replace","path":"emails[type eq \"work\"].value","value":"b@x"}`, `{"value":"b@x"}`},
			{`{"op":"add","path":"emails[type eq \"work\"]","value":{"value":"b@x","type":"work"}}`, `{"value":"b@x"}`},
			{`{"op":"add","path":"emails[type eq \"work\" and primary eq true].value","value":"b@x"}`, `{"value":"b@x","primary":true}`},
			{`{"op":"add","path":"emails[type eq \"work\" and type eq \"home\"].value","value":"b@x"}`, ""},
		} {
			id := c.must(201, "POST /Users", user(kept)).ID
			if tt.want == "" || c.e.Profile().Name == compat.Strict().Name {
				c.refused(400, "noTarget", "PATCH /Users/"+id, patchOp(tt.op))
			} else if a := c.must(200, "PATCH /Users/"+id, patchOp(tt.op)); !strings.HasSuffix(a.shown(), tt.want+"]") {
				t.Errorf("%s: %s", tt.op, a.text)
			}
			c.must(204, "DELETE /Users/"+id, "")
		}
	})
}

func TestUnstoredQueries(t *testing.T) {
	t.Parallel()
	profiles(t, func(t *testing.T, c client) {
		c.must(201, "POST /Users", user(kept))
		c.must(201, "POST /Users", user(`"userName":"v"`))
		for filter, want := range map[string]int{
			`title pr`:                                      0,
			`title eq "T"`:                                  0,
			`title ne "T"`:                                  2,
			`not (title co "T")`:                            2,
			`title eq null`:                                 2,
			`addresses pr`:                                  0,
			`addresses.locality pr`:                         0,
			`emails.type eq "work"`:                         0,
			`emails[type eq "work"].value eq "a@x"`:         0,
			`emails[type ne "work"]`:                        1,
			`emails[type eq "work" or value eq "a@x"]`:      1,
			`name.middleName pr or userName eq "v"`:         1,
			enterprise + `:department eq "D"`:               0,
			enterprise + `:manager.displayName eq "D"`:      0,
			`department ne "D"`:                             2,
			`addresses[type eq "work" and locality pr]`:     0,
			`not (addresses[type eq "work"])`:               2,
			`manager eq "x" or urn:x:y eq "z" and id pr`:    -1,
			`nothing pr`:                                    -1,
			`password pr`:                                   -1,
			`emails.nothing pr`:                             -1,
			`title eq 5`:                                    -1,
			`addresses[type eq "work"].locality eq "V"`:     0,
			`emails[display pr] or emails[primary eq true]`: 1,
		} {
			a := c.do("GET /Users?filter="+url.QueryEscape(filter), "")
			if want < 0 && (a.Status != 400 || a.json["scimType"] != "invalidFilter") || want >= 0 && a.total() != want {
				t.Errorf("%s: %d %s, want %d", filter, a.Status, a.text, want)
			}
		}
		for _, q := range []string{"sortBy=title", "sortBy=name.middleName", "sortBy=emails.type&sortOrder=descending", "sortBy=" + enterprise + ":department"} {
			if a := c.must(200, "GET /Users?"+q, ""); a.total() != 2 {
				t.Errorf("%s: %s", q, a.text)
			}
		}
		for q, want := range map[string]string{
			"attributes=title,userName":                        `"userName":"u"`,
			"attributes=name.middleName":                       ``,
			"attributes=emails.type,emails.value":              `"emails":[{"value":"a@x"}]`,
			"attributes=" + enterprise:                         ``,
			"excludedAttributes=title,emails.type,name,active": `"userName":"u","emails":[{"value":"a@x","primary":true}]`,
		} {
			list, _ := c.must(200, `GET /Users?filter=userName+eq+%22u%22&`+q, "").json["Resources"].([]any)
			if len(list) != 1 {
				t.Fatalf("%s: %v", q, list)
			}
			id, _ := list[0].(map[string]any)["id"].(string)
			a := c.must(200, "GET /Users/"+id+"?"+q, "")
			if !strings.HasSuffix(a.text, want+"}") || strings.Contains(a.text, "type") || len(a.json) > 5 {
				t.Errorf("%s: %s", q, a.text)
			}
		}
	})
}

func TestUnstoredIsNotPublished(t *testing.T) {
	t.Parallel()
	profiles(t, func(t *testing.T, c client) {
		for _, path := range []string{"/Schemas", "/Schemas/" + scim.UserURN, "/ResourceTypes", "/ResourceTypes/User"} {
			text := c.must(200, "GET "+path, "").text
			for _, name := range []string{`"title"`, `"middleName"`, `"addresses"`, `"password"`, enterprise} {
				if strings.Contains(text, name) {
					t.Errorf("%s tells of %s", path, name)
				}
			}
		}
		c.must(404, "GET /Schemas/"+enterprise, "")
		if u := c.e.Types()[0]; u.Schema.Attribute("title") != nil || len(u.Extensions) != 0 {
			t.Error("Types tells of what is kept nowhere")
		}
	})
}

// The definitions are marked in copies: types are shared.
func TestUnstoredLeavesTypesAlone(t *testing.T) {
	t.Parallel()
	types := few(t)
	open(t, &front{Store: new(memory.Store), traits: scim.Traits{Unstored: append([]string{"userName", "no such", "urn:x:y", "name.x"}, unstored...)}}, engine.Config{Types: types})
	if u := types[0]; u.Schema.Attribute("title") != nil || u.Schema.Attribute("emails").Sub("type") != nil || len(u.Extensions) != 0 ||
		u.Schema.Attribute("userName").Unstored {
		t.Error("the caller's types were changed")
	}
}
