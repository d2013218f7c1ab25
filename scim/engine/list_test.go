package engine_test

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/compat"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

func search(members string) string {
	return `{"schemas":["` + scim.SearchRequestURN + `"]` + members + `}`
}

// PAG-001 to PAG-009, FLT-002, QRY-06
func TestIndexPages(t *testing.T) {
	t.Parallel()
	c := open(t, nil, engine.Config{Limits: engine.Limits{DefaultPage: 4, MaxPage: 6}})
	for i := range 7 {
		c.user(fmt.Sprint("u", i))
	}
	for _, tt := range []struct {
		query             string
		status            int
		start, from, many int
	}{
		{"", 200, 1, 0, 4},
		{"count=", 200, 1, 0, 4},
		{"startIndex=0&count=2", 200, 1, 0, 2},
		{"startIndex=-5&count=2", 200, 1, 0, 2},
		{"startindex=3&COUNT=2", 200, 3, 2, 2},
		{"startIndex=6&count=5", 200, 6, 5, 2},
		{"startIndex=1000000", 200, 1000000, 7, 0},
		{"startIndex=9223372036854775807", 200, math.MaxInt64, 7, 0},
		{"startIndex=9223372036854775807&sortBy=userName", 200, math.MaxInt64, 7, 0},
		{"count=0", 200, 1, 0, 0},
		{"count=-1", 200, 1, 0, 0},
		{"count=1000000000", 200, 1, 0, 6},
		{"foo=1&aadOptscim062020&count=1", 200, 1, 0, 1},
		{"count=abc", 400, 0, 0, 0},
		{"count=1e3", 400, 0, 0, 0},
		{"count=1.0", 400, 0, 0, 0},
		{"count=%2B1", 400, 0, 0, 0},
		{"count=9223372036854775808", 400, 0, 0, 0},
		{"startIndex=9223372036854775808", 400, 0, 0, 0},
		{"startIndex=x", 400, 0, 0, 0},
		{"count=1&count=2", 400, 0, 0, 0},
		{"sortOrder=up", 400, 0, 0, 0},
		{"attributes=id&excludedAttributes=name", 400, 0, 0, 0},
	} {
		a := c.must(tt.status, "GET /Users?"+tt.query, "")
		if tt.status != 200 {
			if a.json["scimType"] != "invalidValue" {
				t.Errorf("%s: %s", tt.query, a.text)
			}
			continue
		}
		var want []string
		for i := range tt.many {
			want = append(want, fmt.Sprint("u", tt.from+i))
		}
		prefix := fmt.Sprintf(`{"schemas":[%q],"totalResults":7,"itemsPerPage":%d,"startIndex":%d,"Resources":[`, scim.ListResponseURN, tt.many, tt.start)
		if !strings.HasPrefix(a.text, prefix) || !slices.Equal(a.values("userName"), want) {
			t.Errorf("%s: %s", tt.query, a.text)
		}
	}
}

// A name that is repeated costs nothing: each resource of a list is compared
// with all that are asked for.
func TestRepeatedNames(t *testing.T) {
	t.Parallel()
	var asked []scim.AttrPath
	store := hooked{Backend: new(memory.Store), list: func(_ context.Context, q scim.Query) error {
		asked = append(q.Selection.Attributes, q.Selection.Excluded...)
		return nil
	}}
	c := open(t, store, engine.Config{})
	names := `["title"` + strings.Repeat(`,"ID","title","urn:ietf:params:scim:schemas:core:2.0:User:Title"`, 1000) + `]`
	for _, parameter := range []string{"attributes", "excludedAttributes"} {
		c.must(200, "POST /Users/.search", search(`,"`+parameter+`":`+names))
		if len(asked) != 2 {
			t.Errorf("%s: %d names are compared", parameter, len(asked))
		}
	}
}

// QRY-12
func TestAllGroups(t *testing.T) {
	t.Parallel()
	limits := engine.Limits{DefaultPage: 2, MaxPage: 4}
	for _, tt := range []struct {
		profile compat.Profile
		line    string
		want    int
		rule    bool
	}{
		{compat.Auto(), "GET /Groups", 4, true},
		{compat.Auto(), "GET /Groups?filter=displayName+sw+%22g%22", 4, true},
		{compat.Auto(), "GET /Groups?filter=displayName+eq+%22g1%22", 1, false},
		{compat.Auto(), "GET /Groups?count=3", 3, false},
		{compat.Auto(), "GET /Groups?startIndex=1", 2, false},
		{compat.Auto(), "GET /Groups?cursor", 2, false},
		{compat.Auto(), "POST /Groups/.search", 2, false},
		{compat.Auto(), "GET /Users", 2, false},
		{compat.Strict(), "GET /Groups", 2, false},
	} {
		c := open(t, nil, engine.Config{Profile: tt.profile, Limits: limits})
		for i := range 5 {
			c.user(fmt.Sprint("u", i))
			c.group(fmt.Sprint("g", i))
		}
		a := c.must(200, tt.line, search(""))
		if n := len(a.values("id")); n != tt.want || slices.Contains(a.Rules, "QRY-12") != tt.rule {
			t.Errorf("%s %s: %d resources, rules %v; want %d, QRY-12 %v", tt.profile.Name, tt.line, n, a.Rules, tt.want, tt.rule)
		}
	}
}

// SRC-003: .search answers as GET does.
func TestSearchEqualsGet(t *testing.T) {
	t.Parallel()
	c := open(t, nil, engine.Config{})
	for i := range 9 {
		c.must(201, "POST /Users", fmt.Sprintf(`{"userName":"u%d","displayName":"d%d","emails":[{"value":"%d@x.example"}]}`, i, (i*4)%9, i))
		c.group(fmt.Sprint("d", i))
	}
	for _, tt := range []struct{ query, body string }{
		{"", ""},
		{`filter=displayName gt "d3"`, `,"filter":"displayName gt \"d3\""`},
		{"sortBy=displayName&sortOrder=descending", `,"SORTBY":"displayName","sortOrder":"Descending"`},
		{"startIndex=3&count=2", `,"startIndex":3,"count":2`},
		{"count=-1", `,"count":-1`},
		{"attributes=displayName, id", `,"attributes":["displayName","id"]`},
		{"excludedAttributes=displayName,meta", `,"excludedAttributes":["displayName","meta"]`},
		{"sortBy=displayName&count=4&startIndex=2&attributes=displayName", `,"sortBy":"displayName","count":4,"startIndex":2,"attributes":["displayName"]`},
	} {
		for _, path := range []string{"/Users", "/Groups?count=100&", "/"} {
			path, limit, _ := strings.Cut(path, "?")
			query := tt.query
			if path == "/Groups" && !strings.Contains(query, "count") { // without: QRY-12
				query = limit + query
			}
			query = strings.NewReplacer(" ", "%20", `"`, "%22").Replace(query)
			get := c.must(200, "GET "+path+"?"+query, "")
			post := c.must(200, "POST "+strings.TrimSuffix(path, "/")+"/.search?count=1&filter=rubbish", search(tt.body))
			if get.text != post.text {
				t.Errorf("%s %s:\nGET     %s\n.search %s", path, tt.query, get.text, post.text)
			}
		}
	}
}

// SRC-002, SRC-004
func TestSearchRefuses(t *testing.T) {
	t.Parallel()
	c := open(t, nil, engine.Config{})
	for _, tt := range []struct{ body, scimType string }{
		{``, "invalidSyntax"},
		{`[]`, "invalidSyntax"},
		{`{}`, "invalidSyntax"},
		{`{"schemas":"` + scim.SearchRequestURN + `"}`, "invalidSyntax"},
		{`{"schemas":["` + scim.UserURN + `"]}`, "invalidSyntax"},
		{search(`,"attributes":"id"`), "invalidSyntax"},
		{search(`,"attributes":[1]`), "invalidSyntax"},
		{search(`,"count":"10"`), "invalidValue"},
		{search(`,"count":1.5`), "invalidValue"},
		{search(`,"count":1e2`), "invalidValue"},
		{search(`,"count":true`), "invalidValue"},
		{search(`,"startIndex":{}`), "invalidValue"},
		{search(`,"filter":5`), "invalidValue"},
		{search(`,"filter":""`), "invalidFilter"},
		{search(`,"sortOrder":"up"`), "invalidValue"},
		{search(`,"sortBy":"nope"`), "invalidPath"},
		{search(`,"attributes":["id"],"excludedAttributes":["name"]`), "invalidValue"},
		{search(`,"cursor":"","startIndex":1`), "invalidValue"},
		{search(`,"cursor":"","count":"1"`), "invalidCount"},
		{search(`,"cursor":5`), "invalidValue"},
	} {
		for _, path := range []string{"/Users/.search", "/.search"} {
			c.refused(400, tt.scimType, "POST "+path, tt.body)
		}
	}
	c.must(200, "POST /Users/.search", search(`,"filter":null,"count":null,"attributes":null,"cursor":null`))
}

// PRJ-003 to PRJ-014
func TestProjection(t *testing.T) {
	t.Parallel()
	c := open(t, nil, engine.Config{})
	id := c.must(201, "POST /Users", `{"userName":"u","nickName":"n","`+enterprise+`":{"department":"d"}}`).ID
	keys := func(a answer) string {
		if list, ok := a.json["Resources"].([]any); ok {
			a.json = list[0].(map[string]any)
		}
		var names []string
		for k := range a.json {
			names = append(names, k)
		}
		slices.Sort(names)
		return strings.Join(names, " ")
	}
	for query, want := range map[string]string{
		"":                                      "active id meta nickName schemas " + enterprise + " userName",
		"attributes=":                           "active id meta nickName schemas " + enterprise + " userName",
		"attributes=,":                          "active id meta nickName schemas " + enterprise + " userName",
		"attributes=NICKNAME":                   "id nickName schemas",
		"attributes=nope":                       "id schemas",
		"attributes=!!":                         "id schemas",
		"attributes=nickName,nope":              "id nickName schemas",
		"attributes=" + enterprise:              "id schemas " + enterprise,
		"attributes=department":                 "id schemas " + enterprise,
		"excludedAttributes=id,meta":            "active id nickName schemas " + enterprise + " userName",
		"excludedAttributes=nope":               "active id meta nickName schemas " + enterprise + " userName",
		"attributes=nickName&attributes=active": "active id nickName schemas",
	} {
		for _, line := range []string{"GET /Users/" + id + "?", "GET /Users?", "GET /?"} {
			if got := keys(c.must(200, line+query, "")); got != want {
				t.Errorf("%s%s: %s, want %s", line, query, got, want)
			}
		}
	}
	if got := keys(c.must(201, "POST /Users?attributes=userName", `{"userName":"v"}`)); got != "id schemas userName" {
		t.Errorf("POST: %s", got)
	}
	if got := keys(c.must(200, "PUT /Users/"+id+"?attributes=userName", `{"userName":"u"}`)); got != "id schemas userName" {
		t.Errorf("PUT: %s", got)
	}
}

// HTTP-05
func TestFilterDecodedTwice(t *testing.T) {
	t.Parallel()
	once := url.QueryEscape(`userName eq "a b"`)
	c := open(t, nil, engine.Config{})
	c.must(201, "POST /Users", `{"userName":"a b"}`)
	a := c.must(200, "GET /Users?filter="+url.QueryEscape(strings.ReplaceAll(once, "+", "%20")), "")
	if a.total() != 1 || !slices.Contains(a.Rules, "HTTP-05") {
		t.Errorf("%d found, rules %v", a.total(), a.Rules)
	}
	if a := c.must(200, "GET /Users?filter="+once, ""); a.total() != 1 || len(a.Rules) != 0 {
		t.Errorf("encoded once: %d found, rules %v", a.total(), a.Rules)
	}
	c.refused(400, "invalidFilter", "GET /Users?filter=userName%2520eq", "")
	c.refused(400, "invalidFilter", "GET /Users?filter=", "")
	open(t, nil, strict()).refused(400, "invalidFilter", "GET /Users?filter="+url.QueryEscape(once), "")
}

// SRT-012
func TestNoSort(t *testing.T) {
	t.Parallel()
	c := open(t, nil, engine.Config{NoSort: true})
	c.user("b")
	c.user("a")
	if got := c.must(200, "GET /Users?sortBy=nope&sortOrder=up", "").values("userName"); !slices.Equal(got, []string{"b", "a"}) {
		t.Errorf("listed: %v", got)
	}
}
