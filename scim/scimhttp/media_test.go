package scimhttp_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/scim/compat"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// HTTP-02 is told of where Accept would have been refused, or where there is a
// body or the header of one in another type than strict's.
func TestMediaTypeIsTold(t *testing.T) {
	t.Parallel()
	auto, strict := compat.Auto(), compat.Strict()
	onelogin, _ := compat.Lookup("onelogin")
	const person = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"u"}`
	for _, tt := range []struct {
		profile                    compat.Profile
		method, path, body, accept string
		status                     int
		want                       bool
	}{
		{auto, "GET", "/Users", "", "application/json", 200, true},
		{auto, "HEAD", "/Users", "", "application/json", 200, true},
		{auto, "POST", "/Users", person, "application/json", 201, true},
		{auto, "GET", "/Users/none", "", "application/json", 404, true},
		{auto, "POST", "/Users", "{", "application/json", 400, true},
		{auto, "GET", "/Users?filter=%zz", "", "application/json", 400, true},
		{auto, "GET", "/Users", "", "application/json, application/scim+json", 200, false},
		{auto, "GET", "/Users", "", "*/*", 200, false},
		{auto, "GET", "/Users", "", "text/xml", 200, true},
		{auto, "DELETE", "/Users/{id}", "", "application/json", 204, false},
		{auto, "DELETE", "/Users/{id}", "", "text/xml", 204, true},
		{auto, "OPTIONS", "/Users", "", "application/json", 204, false},
		{onelogin, "GET", "/Users", "", "application/scim+json", 200, true},
		{onelogin, "DELETE", "/Users/{id}", "", "*/*", 204, false},
		{strict, "GET", "/Users", "", "application/json", 200, false},
		{strict, "GET", "/Users", "", "text/xml", 406, false},
	} {
		seen := make(chan scimhttp.Exchange, 2)
		url := serve(t, nil, engine.Config{Profile: tt.profile}, scimhttp.Options{Observe: func(x scimhttp.Exchange) { seen <- x }})
		path := tt.path
		if strings.Contains(path, "{id}") {
			path = strings.ReplaceAll(path, "{id}", create(t, url, "ada"))
			<-seen
		}
		a := do(t, tt.method, url+"/v2"+path, tt.body, "Accept: "+tt.accept)
		if rules := (<-seen).Response.Rules; a.status != tt.status || slices.Contains(rules, "HTTP-02") != tt.want {
			t.Errorf("%s %s %s, Accept %s: %d by %v, want %d, HTTP-02: %v",
				tt.profile.Name, tt.method, tt.path, tt.accept, a.status, rules, tt.status, tt.want)
		}
	}
}
