package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/compat"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// front is a store that has traits, and notes what reads and writes it gets.
type front struct {
	*memory.Store
	traits  scim.Traits
	calls   []string
	changes []scim.Change
}

func (f *front) Traits() scim.Traits { return f.traits }

func (f *front) Get(ctx context.Context, ref scim.Ref, sel scim.Selection) (*scim.Resource, error) {
	f.calls = append(f.calls, "Get")
	return f.Store.Get(ctx, ref, sel)
}

func (f *front) Update(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	f.calls, f.changes = append(f.calls, "Update"), append(f.changes, c)
	return f.Store.Update(ctx, c)
}

func (f *front) UpdateMembers(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	f.calls, f.changes = append(f.calls, "UpdateMembers"), append(f.changes, c)
	return f.Store.UpdateMembers(ctx, c)
}

// shaping is a front that shapes.
type shaping struct {
	*front
	shape  func(*scim.Change) error
	shaped []scim.Change
}

func (s *shaping) Shape(_ context.Context, c *scim.Change) error {
	s.shaped = append(s.shaped, *c)
	return s.shape(c)
}

// few are types that lack most of RFC 7643 §4.
func few(tb testing.TB) []*scim.ResourceType {
	tb.Helper()
	types, err := schema.Read(nil, fstest.MapFS{"few.json": {Data: []byte(`[
		{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"` + scim.UserURN + `","attributes":[
			{"name":"userName","required":true,"uniqueness":"server"},
			{"name":"name","type":"complex","subAttributes":[{"name":"formatted"},{"name":"givenName"},{"name":"familyName"}]},
			{"name":"displayName"},
			{"name":"active","type":"boolean"},
			{"name":"emails","type":"complex","multiValued":true,"subAttributes":[{"name":"value"},{"name":"primary","type":"boolean"}]},
			{"name":"groups","type":"complex","multiValued":true,"mutability":"readOnly","subAttributes":[
				{"name":"value","mutability":"readOnly"},{"name":"display","mutability":"readOnly"},{"name":"type","mutability":"readOnly"},
				{"name":"$ref","type":"reference","referenceTypes":["Group"],"mutability":"readOnly"}]},
			{"name":"roles","type":"complex","multiValued":true,"subAttributes":[{"name":"value"},{"name":"type","mutability":"readOnly"}]}]},
		{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"` + scim.GroupURN + `","attributes":[
			{"name":"displayName","required":true},
			{"name":"members","type":"complex","multiValued":true,"subAttributes":[
				{"name":"value","mutability":"immutable"},{"name":"display","mutability":"readOnly"},{"name":"type","mutability":"readOnly"},
				{"name":"$ref","type":"reference","referenceTypes":["User"],"mutability":"immutable"}]}]},
		{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"name":"User","schema":"` + scim.UserURN + `"},
		{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"name":"Group","schema":"` + scim.GroupURN + `"}]`)}})
	if err != nil {
		tb.Fatal(err)
	}
	return types
}

// unstored is what the types of few lack.
var unstored = []string{"title", "password", "addresses", "timezone", "name.middleName", "emails.type", "emails.display", enterprise}

func user(members string) string {
	return `{"schemas":["` + scim.UserURN + `"],` + members + `}`
}

// shown returns an answer without its schemas, id and meta.
func (a answer) shown() string {
	text := a.text
	if i := strings.Index(text, `"meta":{`); i >= 0 {
		text = text[i:]
		text = strings.TrimPrefix(text[strings.Index(text, "}")+1:], ",")
	}
	return strings.TrimSuffix(text, "}")
}

func TestPutMerges(t *testing.T) {
	t.Parallel()
	const old = `"externalId":"x","userName":"u","name":{"formatted":"F","givenName":"G"},"displayName":"D","active":false,` +
		`"emails":[{"value":"a@x","primary":true}],"roles":[{"value":"r"}]`
	all := strings.TrimPrefix(old, `"externalId":"x",`)
	for _, tt := range []struct {
		name, body, want string
	}{
		{"all", old, all},
		{"nothing", `"userName":"u"`, all},
		{"one", `"userName":"u","displayName":"E"`, strings.Replace(all, `"D"`, `"E"`, 1)},
		{"sub-attribute", `"userName":"u","name":{"familyName":"H"}`, strings.Replace(all, `"G"`, `"G","familyName":"H"`, 1)},
		{"sub-attribute cleared", `"userName":"u","name":{"formatted":""}`, strings.Replace(all, `"formatted":"F",`, ``, 1)},
		{"sub-attribute null", `"userName":"u","name":{"GIVENNAME":null}`, strings.Replace(all, `,"givenName":"G"`, ``, 1)},
		{"sub-attributes, none", `"userName":"u","name":{}`, all},
		{"complex null", `"userName":"u","name":null`, strings.Replace(all, `"name":{"formatted":"F","givenName":"G"},`, ``, 1)},
		{"null", `"userName":"u","displayName":null`, strings.Replace(all, `"displayName":"D",`, ``, 1)},
		{"empty", `"userName":"u","displayName":""`, strings.Replace(all, `"displayName":"D",`, ``, 1)},
		{"values", `"userName":"u","emails":[{"value":"b@x"}]`, strings.Replace(all, `{"value":"a@x","primary":true}`, `{"value":"b@x"}`, 1)},
		{"no values", `"userName":"u","roles":[]`, strings.Replace(all, `,"roles":[{"value":"r"}]`, ``, 1)},
		{"unstored alone", `"userName":"u","emails":[{"type":"work"}],"name":{"middleName":"M"},"title":"T"`, all},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &front{Store: new(memory.Store), traits: scim.Traits{PutMerges: true, Unstored: unstored}}
			c := open(t, f, engine.Config{Types: few(t)})
			id := c.must(201, "POST /Users", user(old)).ID
			a := c.must(200, "PUT /Users/"+id, user(tt.body))
			if a.shown() != tt.want {
				t.Errorf("got %s\nwant %s", a.shown(), tt.want)
			}
			if a.json["externalId"] != "x" {
				t.Errorf("externalId is %v", a.json["externalId"])
			}
			if (len(f.changes) == 0) != (tt.want == all) {
				t.Errorf("%d changes", len(f.changes))
			}
		})
	}
	t.Run("members", func(t *testing.T) {
		f := &front{Store: new(memory.Store), traits: scim.Traits{PutMerges: true}}
		c := open(t, f, engine.Config{Types: few(t)})
		u := c.user("u")
		g := c.group("g", u)
		put := func(more string) []string {
			c.must(200, "PUT /Groups/"+g, `{"schemas":["`+scim.GroupURN+`"],"displayName":"h"`+more+`}`)
			return c.members(g)
		}
		if got := put(""); !slices.Equal(got, []string{u}) {
			t.Errorf("members not named: %v", got)
		}
		if got := put(`,"members":[]`); len(got) != 0 {
			t.Errorf("no members: %v", got)
		}
	})
}

func TestOwnRequired(t *testing.T) {
	t.Parallel()
	for _, own := range []bool{false, true} {
		for _, p := range []compat.Profile{compat.Auto(), compat.Strict()} {
			c := open(t, &front{Store: new(memory.Store), traits: scim.Traits{OwnRequired: own}}, engine.Config{Types: few(t), Profile: p})
			want := map[bool]int{false: 400, true: 200}[own]
			created := map[bool]int{false: 400, true: 201}[own]
			c.must(created, "POST /Users", user(`"displayName":"D"`))
			id := c.user("u")
			c.must(want, "PATCH /Users/"+id, patchOp(`{"op":"remove","path":"userName"}`))
			c.must(want, "PUT /Users/"+id, user(`"displayName":"D"`))
		}
	}
	// "" unassigns what only the backend requires.
	c := open(t, &front{Store: new(memory.Store), traits: scim.Traits{OwnRequired: true}}, engine.Config{Types: few(t)})
	if a := c.must(201, "POST /Users", user(`"userName":"","displayName":"D"`)); a.shown() != `"displayName":"D","active":true` {
		t.Error(a.text)
	}
}

func TestNoVersions(t *testing.T) {
	t.Parallel()
	f := &front{Store: new(memory.Store), traits: scim.Traits{NoVersions: true}}
	c := open(t, f, engine.Config{})
	id := c.user("u")
	for _, a := range []answer{
		c.must(200, "GET /Users/"+id, "", `If-None-Match: W/"1"`),
		c.must(200, "GET /Users/"+id, "", `If-Match: W/"9"`),
		c.must(200, "PUT /Users/"+id, user(`"userName":"v"`), `If-Match: W/"9"`),
		c.must(200, "GET /ServiceProviderConfig", ""),
		c.must(200, "GET /Schemas/"+scim.UserURN, "", `If-None-Match: *`),
	} {
		if a.ETag != "" || strings.Contains(a.text, `"version"`) {
			t.Errorf("a version: %q %s", a.ETag, a.text)
		}
	}
	if a := c.must(200, "GET /ServiceProviderConfig", ""); !strings.Contains(a.text, `"etag":{"supported":false}`) {
		t.Error(a.text)
	}
	f.calls = nil
	c.must(204, "DELETE /Users/"+id, "", `If-Match: W/"9"`)
	if len(f.calls) != 0 {
		t.Errorf("a condition that is ignored costs %v", f.calls)
	}
}

func TestNoBulk(t *testing.T) {
	t.Parallel()
	c := open(t, &front{Store: new(memory.Store), traits: scim.Traits{NoBulk: true}}, engine.Config{})
	c.must(501, "POST /Bulk", bulkRequest("", postUser("a", "a")))
	if a := c.must(200, "GET /ServiceProviderConfig", ""); !strings.Contains(a.text, `"bulk":{"supported":false,"maxOperations":0,"maxPayloadSize":0}`) ||
		!strings.Contains(a.text, `"pagination":{"cursor":true`) {
		t.Error(a.text)
	}
}

// TestForObeys: a tenant may be another application than the first.
func TestForObeys(t *testing.T) {
	t.Parallel()
	directory, err := engine.New(new(memory.Store), engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	facade := directory.For(&front{Store: new(memory.Store), traits: scim.Traits{NoBulk: true, Unstored: unstored}}, "f")
	for _, tt := range []struct {
		e    *engine.Engine
		want int
	}{{directory, 200}, {facade, 501}, {facade.For(new(memory.Store), "d"), 200}} {
		c := client{t, tt.e}
		c.must(tt.want, "POST /Bulk", bulkRequest("", postUser("a", "a")))
		if a := c.must(200, "GET /ServiceProviderConfig", ""); strings.Contains(a.text, `"bulk":{"supported":true`) != (tt.want == 200) {
			t.Error(a.text)
		}
	}
}

func TestWholeSeconds(t *testing.T) {
	t.Parallel()
	c := open(t, &front{Store: new(memory.Store), traits: scim.Traits{WholeSeconds: true}}, engine.Config{})
	id := c.user("u")
	meta, _ := c.must(200, "GET /Users/"+id, "").json["meta"].(map[string]any)
	for _, name := range []string{"created", "lastModified"} {
		if s, _ := meta[name].(string); len(s) != len("2022-12-06T03:49:22Z") || !strings.HasSuffix(s, "Z") {
			t.Errorf("meta.%s is %q", name, s)
		}
	}
}

// References are relative, locations are not; the values of members and groups
// are in the order of these types.
func TestRelativeRefs(t *testing.T) {
	t.Parallel()
	c := open(t, &front{Store: new(memory.Store), traits: scim.Traits{RelativeRefs: true}}, engine.Config{Types: few(t)})
	u := c.must(201, "POST /Users", user(`"userName":"u","displayName":"D"`))
	g := c.group("g", u.ID)
	if a := c.must(200, "GET /Groups/"+g, ""); a.shown() != `"displayName":"g","members":[{"value":"`+u.ID+`","display":"D","type":"User","$ref":"Users/`+u.ID+`"}]` ||
		!strings.Contains(a.text, `"resourceType":"Group","location":"`+base+`/Groups/`+g+`"`) {
		t.Error(a.text)
	}
	const groups = `"groups":[{"value":"%[1]s","display":"g","type":"direct","$ref":"Groups/%[1]s"}]`
	if a := c.must(200, "GET /Users/"+u.ID, ""); !strings.HasSuffix(a.shown(), fmt.Sprintf(groups, g)) || a.Location != base+"/Users/"+u.ID {
		t.Error(a.text)
	}
	if a := c.must(200, "GET /Groups?filter=members.$ref+eq+%22Users/"+u.ID+"%22", ""); a.total() != 1 {
		t.Error(a.text)
	}
}

func TestShortLists(t *testing.T) {
	t.Parallel()
	const head = `{"schemas":["` + scim.ListResponseURN + `"],"totalResults":`
	for _, short := range []bool{false, true} {
		c := open(t, &front{Store: new(memory.Store), traits: scim.Traits{ShortLists: short}}, engine.Config{Limits: engine.Limits{DefaultPage: 2}})
		c.user("a")
		c.user("b")
		c.group("g")
		for _, tt := range []struct{ line, body, normal, short string }{
			{"GET /Users", "", `2,"itemsPerPage":2,"startIndex":1`, `2`},
			{"GET /Users?filter=userName+eq+%22x%22", "", `0,"itemsPerPage":0,"startIndex":1`, `0`},
			{"GET /Users?startIndex=2", "", `2,"itemsPerPage":1,"startIndex":2`, `2,"startIndex":2,"itemsPerPage":1`},
			{"GET /Users?count=9", "", `2,"itemsPerPage":2,"startIndex":1`, `2,"startIndex":1,"itemsPerPage":2`},
			{"GET /Users?count=0", "", `2,"itemsPerPage":0,"startIndex":1`, `2,"startIndex":1,"itemsPerPage":0`},
			{"GET /Users?cursor", "", `2,"itemsPerPage":2`, `2,"itemsPerPage":2`},
			{"GET /", "", `3,"itemsPerPage":2,"startIndex":1`, `3,"startIndex":1,"itemsPerPage":2`},
			{"POST /Users/.search", `{"schemas":["` + scim.SearchRequestURN + `"]}`, `2,"itemsPerPage":2,"startIndex":1`, `2`},
			{"POST /.search", `{"schemas":["` + scim.SearchRequestURN + `"],"count":3}`, `3,"itemsPerPage":3,"startIndex":1`, `3,"startIndex":1,"itemsPerPage":3`},
			{"GET /ResourceTypes", "", `2,"itemsPerPage":2,"startIndex":1`, `2`},
		} {
			want := map[bool]string{false: tt.normal, true: tt.short}[short]
			if a := c.must(200, tt.line, tt.body); !strings.HasPrefix(a.text, head+want+`,"Resources":[`) {
				t.Errorf("%s: %s\nwant %s", tt.line, a.text, want)
			}
		}
	}
}

// TestRefusedUnread: what a façade can't read costs its application no call.
func TestRefusedUnread(t *testing.T) {
	t.Parallel()
	f := &front{Store: new(memory.Store)}
	c := open(t, f, engine.Config{Types: few(t)})
	id := c.user("u")
	f.calls = nil
	for _, tt := range []struct{ line, body string }{
		{"PUT", `{"userName":7}`},
		{"PUT", `{"userName":"u","emails":[7]}`},
		{"PUT", `[]`},
		{"PATCH", `{"Operations":[{"op":"move","path":"active","value":true}]}`},
		{"PATCH", `{"Operations":[{"op":"replace","path":"emails[","value":true}]}`},
		{"PATCH", `{"Operations":[{"op":"remove"}]}`},
	} {
		if a := c.do(tt.line+" /Users/"+id, tt.body); a.Status != 400 {
			t.Errorf("%s %s: status %d", tt.line, tt.body, a.Status)
		}
	}
	if len(f.calls) > 0 {
		t.Errorf("calls: %v", f.calls)
	}
}
