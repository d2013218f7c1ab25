package engine_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// SPC-001 to SPC-010
func TestServiceProviderConfig(t *testing.T) {
	t.Parallel()
	c := open(t, nil, engine.Config{
		Limits:           engine.Limits{MaxPage: 50, DefaultPage: 80, BulkOperations: 7, LargeBody: 9},
		Schemes:          []scim.AuthenticationScheme{{Type: "oauthbearertoken", Name: "n", Description: "d", SpecURI: "s", Primary: true}},
		DocumentationURI: "https://docs.example",
		NoPatch:          true, NoSort: true, NoBulk: true,
		CursorTimeout: 90e9,
	})
	a := c.must(200, "GET /ServiceProviderConfig", "")
	want := `{"schemas":["` + scim.ServiceProviderConfigURN + `"],"meta":{"resourceType":"ServiceProviderConfig","location":"` + base +
		`/ServiceProviderConfig","version":` + string(scim.AppendString(nil, a.ETag)) + `},"documentationUri":"https://docs.example",` +
		`"patch":{"supported":false},"bulk":{"supported":false,"maxOperations":0,"maxPayloadSize":0},` +
		`"filter":{"supported":true,"maxResults":50},"changePassword":{"supported":false},"sort":{"supported":false},"etag":{"supported":true},` +
		`"pagination":{"cursor":true,"index":true,"defaultPaginationMethod":"index","defaultPageSize":50,"maxPageSize":50,"cursorTimeout":90},` +
		`"authenticationSchemes":[{"type":"oauthbearertoken","name":"n","description":"d","specUri":"s","primary":true}]}`
	if a.text != want || a.Location != base+"/ServiceProviderConfig" {
		t.Errorf("got  %s\nwant %s", a.text, want)
	}
	c.must(501, "PATCH /Users/"+c.user("u"), patchOp())
	if got := strings.Join(c.do("OPTIONS /Users/1", "").Allow, " "); got != "GET HEAD PUT DELETE OPTIONS" {
		t.Errorf("Allow: %s", got)
	}
	if a := c.must(405, "GET /Bulk", ""); strings.Join(a.Allow, " ") != "OPTIONS" {
		t.Errorf("Allow of /Bulk: %s", a.Allow)
	}
}

// RST-001 to RST-007, SCM-001 to SCM-013
func TestDiscoveryAgrees(t *testing.T) {
	t.Parallel()
	c := open(t, nil, engine.Config{Types: widgets(t)})
	types := c.must(200, "GET /ResourceTypes?startIndex=2&sortBy=x&attributes=name", "")
	schemas := c.must(200, "GET /Schemas", "")
	if types.total() != len(types.values("id")) || !slices.Equal(types.values("id"), types.values("name")) || !slices.Contains(types.values("id"), "Widget") {
		t.Errorf("resource types: %s", types.text)
	}
	urns := schemas.values("id")
	for _, urn := range []string{scim.UserURN, scim.GroupURN, scim.EnterpriseUserURN, scim.ServiceProviderConfigURN, scim.ResourceTypeURN, scim.SchemaURN} {
		if !slices.Contains(urns, urn) {
			t.Errorf("/Schemas lacks %s", urn)
		}
	}
	if sorted := slices.Sorted(slices.Values(urns)); len(slices.Compact(sorted)) != len(urns) {
		t.Errorf("/Schemas lists one twice: %v", urns)
	}
	single := func(path string, list answer, i int) answer {
		a := c.must(200, "GET "+path, "")
		meta := a.json["meta"].(map[string]any)
		if meta["location"] != base+path || meta["version"] != a.ETag || a.Location != base+path {
			t.Errorf("%s: meta %v, Location %s, ETag %s", path, meta, a.Location, a.ETag)
		}
		if !strings.Contains(list.text, a.text) {
			t.Errorf("%s differs from what the list shows: %s", path, a.text)
		}
		return a
	}
	for i, urn := range urns {
		single("/Schemas/"+urn, schemas, i)
	}
	for i, v := range types.json["Resources"].([]any) {
		r := v.(map[string]any)
		single("/ResourceTypes/"+r["id"].(string), types, i)
		if !slices.Contains(urns, r["schema"].(string)) {
			t.Errorf("%v: no such schema", r["schema"])
		}
		for _, x := range r["schemaExtensions"].([]any) {
			if urn := x.(map[string]any)["schema"]; !slices.Contains(urns, urn.(string)) {
				t.Errorf("%v: no such schema", urn)
			}
		}
		c.must(200, "GET "+r["endpoint"].(string), "")
	}
	if strings.Contains(schemas.text, "null") {
		t.Error("/Schemas holds a null")
	}
	// SCM-013
	core := open(t, nil, engine.Config{Types: schema.Core()})
	if got := core.must(200, "GET /Schemas", "").ETag; got == schemas.ETag {
		t.Error("other schemas have the same ETag")
	}
}

// Locations follow the base of the request, whatever it holds.
func TestDiscoveryBase(t *testing.T) {
	t.Parallel()
	c := open(t, nil, engine.Config{})
	r := request("GET /Schemas/"+scim.UserURN, "")
	r.Base = `https://other/"x\`
	a := c.send(r)
	if meta := a.json["meta"].(map[string]any); meta["location"] != r.Base+"/Schemas/"+scim.UserURN {
		t.Errorf("location %v", meta["location"])
	}
}
