package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/compat"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

const (
	base       = "https://h/scim/v2"
	enterprise = scim.EnterpriseUserURN
)

// client talks to an engine.
type client struct {
	tb testing.TB
	e  *engine.Engine
}

// answer is a Response with its body parsed.
type answer struct {
	engine.Response
	text string
	json map[string]any
}

// open returns a client of an engine over b, or over an empty memory.Store.
func open(tb testing.TB, b scim.Backend, c engine.Config) client {
	tb.Helper()
	if b == nil {
		b = new(memory.Store)
	}
	e, err := engine.New(b, c)
	if err != nil {
		tb.Fatal(err)
	}
	return client{tb, e}
}

// strict is the configuration that holds clients to the letter.
func strict() engine.Config { return engine.Config{Profile: compat.Strict()} }

// widgets returns the core types and the Widget of the conformance rows.
func widgets(tb testing.TB) []*scim.ResourceType {
	tb.Helper()
	types, err := schema.Read(schema.Core(), os.DirFS("../../testdata/schemas"))
	if err != nil {
		tb.Fatal(err)
	}
	return types
}

// request reads "PATCH /Users/1?attributes=id" and headers "If-Match: …".
func request(line, body string, headers ...string) engine.Request {
	method, target, _ := strings.Cut(line, " ")
	path, query, _ := strings.Cut(target, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		panic(err)
	}
	r := engine.Request{Method: method, Base: base, Path: path, Query: values, Body: []byte(body)}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		switch name {
		case "If-Match":
			r.IfMatch = value
		case "If-None-Match":
			r.IfNoneMatch = value
		case "If-Modified-Since":
			r.IfModifiedSince = value
		case "If-Unmodified-Since":
			r.IfUnmodifiedSince = value
		case "Prefer":
			r.Prefer = value
		default:
			panic(h)
		}
	}
	return r
}

// do carries out a request and checks what holds for every answer.
func (c client) do(line, body string, headers ...string) answer {
	c.tb.Helper()
	return c.send(request(line, body, headers...))
}

func (c client) send(r engine.Request) answer {
	c.tb.Helper()
	a := answer{Response: c.e.Do(context.Background(), r)}
	if a.Body != nil {
		var b bytes.Buffer
		n, err := a.Body.WriteTo(&b)
		if err != nil || n != int64(b.Len()) {
			c.tb.Errorf("%s %s: the body wrote %d bytes, said %d, error %v", r.Method, r.Path, b.Len(), n, err)
		}
		if a.Size >= 0 && a.Size != n {
			c.tb.Errorf("%s %s: Size is %d, the body has %d bytes", r.Method, r.Path, a.Size, n)
		}
		a.text = b.String()
		if err := json.Unmarshal(b.Bytes(), &a.json); err != nil {
			c.tb.Errorf("%s %s: the body is no JSON object: %v\n%s", r.Method, r.Path, err, a.text)
		}
	}
	return a
}

// must is do for a request whose status is known.
func (c client) must(status int, line, body string, headers ...string) answer {
	c.tb.Helper()
	a := c.do(line, body, headers...)
	if a.Status != status {
		c.tb.Fatalf("%s %s: status %d, want %d\n%s (%v)", line, body, a.Status, status, a.text, a.Err)
	}
	return a
}

// refused is must for an error with a scimType.
func (c client) refused(status int, scimType, line, body string, headers ...string) answer {
	c.tb.Helper()
	a := c.must(status, line, body, headers...)
	if got, _ := a.json["scimType"].(string); got != scimType {
		c.tb.Errorf("%s %s: scimType %q, want %q (%s)", line, body, got, scimType, a.text)
	}
	return a
}

func (c client) user(name string) (id string) {
	c.tb.Helper()
	return c.must(201, "POST /Users", `{"schemas":["`+scim.UserURN+`"],"userName":"`+name+`"}`).ID
}

func (c client) group(name string, members ...string) (id string) {
	c.tb.Helper()
	var list []string
	for _, m := range members {
		list = append(list, `{"value":"`+m+`"}`)
	}
	return c.must(201, "POST /Groups", `{"schemas":["`+scim.GroupURN+`"],"displayName":"`+name+`","members":[`+strings.Join(list, ",")+`]}`).ID
}

// members returns the ids of a group's members.
func (c client) members(id string) []string {
	c.tb.Helper()
	var ids []string
	list, _ := c.must(200, "GET /Groups/"+id, "").json["members"].([]any)
	for _, m := range list {
		ids = append(ids, m.(map[string]any)["value"].(string))
	}
	return ids
}

// values returns an attribute of the listed resources.
func (a answer) values(name string) []string {
	var out []string
	list, _ := a.json["Resources"].([]any)
	for _, r := range list {
		s, _ := r.(map[string]any)[name].(string)
		out = append(out, s)
	}
	return out
}

func (a answer) total() int {
	n, ok := a.json["totalResults"].(float64)
	if !ok {
		return -1
	}
	return int(n)
}

func (a answer) next() string { s, _ := a.json["nextCursor"].(string); return s }

func patchOp(ops ...string) string {
	return `{"schemas":["` + scim.PatchOpURN + `"],"Operations":[` + strings.Join(ops, ",") + `]}`
}

func TestNewRefusesTypesThatDisagree(t *testing.T) {
	t.Parallel()
	named := func(name, endpoint string) *scim.ResourceType {
		return &scim.ResourceType{Name: name, Endpoint: endpoint, Schema: &scim.Schema{ID: "urn:x:" + name}}
	}
	for name, types := range map[string][]*scim.ResourceType{
		"two names":     {named("A", "/As"), named("a", "/Bs")},
		"two endpoints": {named("A", "/As"), named("B", "/as")},
		"reserved":      {named("A", "/Bulk")},
		"reserved too":  {named("A", "/schemas/as")},
		"no endpoint":   {named("A", "/")},
		"no name":       {named("", "/As")},
		"no schema":     {{Name: "A", Endpoint: "/As"}},
	} {
		if _, err := engine.New(new(memory.Store), engine.Config{Types: types}); err == nil {
			t.Errorf("%s: New accepted them", name)
		}
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	c := open(t, nil, engine.Config{})
	id := c.user("a")
	for _, tt := range []struct {
		line   string
		status int
	}{
		{"GET /Users", 200},
		{"GET //users//", 200},
		{"GET /USERS/" + id + "/", 200},
		{"HEAD /Users/" + id, 200},
		{"GET /Users/" + strings.ToUpper(id), 404},
		{"GET /Users/" + id + ".scim", 404},
		{"GET /Users/..%2FGroups", 404},
		{"GET /Users/%2e%2e/Groups", 404},
		{"GET /Users%2F" + id, 404},
		{"GET /Users/%00", 404},
		{"GET /Users/%ff", 404},
		{"GET /Users/%zz", 404},
		{"GET /Users/" + id + "/x", 404},
		{"POST /Users/" + id + "/.search", 404},
		{"GET /Nope", 404},
		{"POST /Nope/.search", 404},
		{"GET /", 200},
		{"GET ", 200},
		{"POST /", 405},
		{"DELETE /Users", 405},
		{"PUT /Users", 405},
		{"POST /Users/" + id, 405},
		{"GET /Users/.search", 405},
		{"GET /.search", 405},
		{"GET /Bulk", 405},
		{"PUT /ServiceProviderConfig", 405},
		{"DELETE /Schemas/x", 405},
		{"BREW /Users", 405},
		{"POST /Schemas/.search", 403},
		{"POST /ResourceTypes/.search", 403},
		{"GET /ResourceTypes?filter=name+eq+%22User%22", 403},
		{"GET /ServiceProviderConfigs", 200},
		{"GET /serviceproviderconfig/x", 404},
		{"GET /schemas", 200},
		{"GET /Schemas/urn%3Aietf%3Aparams%3Ascim%3Aschemas%3Acore%3A2.0%3Auser", 200},
		{"GET /Schemas/" + scim.ListResponseURN, 404},
		{"GET /resourceTypes/user", 200},
		{"GET /ResourceTypes/Nope", 404},
		{"GET /Me", 501},
		{"GET /Me/x", 404},
		{"OPTIONS /Users", 204},
	} {
		a := c.do(tt.line, "")
		if a.Status != tt.status {
			t.Errorf("%s: status %d, want %d (%s)", tt.line, a.Status, tt.status, a.text)
		}
		if (a.Status == 405 || strings.HasPrefix(tt.line, "OPTIONS")) && len(a.Allow) == 0 {
			t.Errorf("%s: no Allow", tt.line)
		}
	}
	if got := strings.Join(c.do("OPTIONS /Users/"+id, "").Allow, " "); got != "GET HEAD PUT PATCH DELETE OPTIONS" {
		t.Errorf("OPTIONS of a resource: Allow %q", got)
	}
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	c := open(t, nil, engine.Config{Limits: engine.Limits{Body: 10, LargeBody: 100}})
	for path, want := range map[string]int64{"/Users": 10, "/users/1": 10, "/Groups": 100, "/groups/1": 100, "/bulk": 100, "/Bulk/": 100, "/%zz": 10} {
		if got := c.e.BodyLimit("POST", path); got != want {
			t.Errorf("BodyLimit(%s) = %d, want %d", path, got, want)
		}
	}
	a := c.refused(413, "", "POST /Users", `{"userName":"abcdef"}`)
	if !strings.Contains(a.text, "maxPayloadSize") || !strings.Contains(a.text, "10 bytes") {
		t.Errorf("the error does not name limit and value: %s", a.text)
	}
}

func TestGroupNames(t *testing.T) {
	t.Parallel()
	auto := open(t, nil, engine.Config{})
	auto.group("Ops")
	if a := auto.refused(409, "uniqueness", "POST /Groups", `{"displayName":"OPS"}`); !strings.Contains(strings.Join(a.Rules, " "), "GRP-09") {
		t.Errorf("Rules %v do not name GRP-09", a.Rules)
	}
	if a := auto.must(200, "GET /Schemas/"+scim.GroupURN, ""); !strings.Contains(a.text, `"uniqueness":"server"`) {
		t.Error("/Schemas does not say that displayName is unique")
	}
	plain := open(t, nil, strict())
	plain.group("Ops")
	plain.group("ops")
	if a := plain.must(200, "GET /Schemas/"+scim.GroupURN, ""); strings.Contains(a.text, `"uniqueness":"server"`) {
		t.Error("strict: /Schemas says that displayName is unique")
	}
}
