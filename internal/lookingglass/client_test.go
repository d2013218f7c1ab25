package lookingglass_test

import (
	"testing"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
)

func TestClients(t *testing.T) {
	t.Parallel()
	ops := func(list string) string { return `{"schemas":["` + patchURN + `"],"Operations":[` + list + `]}` }
	for name, tt := range map[string]struct {
		method, path, body string
		headers            []string
		kind               string
	}{
		"okta":               {"GET", "/Users", "", []string{"User-Agent: Okta SCIM Client 1.0.0"}, "okta"},
		"okta's headers":     {"GET", "/Users", "", []string{"Accept-Charset: utf-8", "Accept: application/scim+json"}, "okta"},
		"okta's group push":  {"PATCH", "/Groups/x", ops(`{"op":"replace","value":{"id":"x","displayName":"g"}}`), nil, "okta"},
		"entra's flag":       {"GET", "/Users?aadOptscim062020&filter=userName+eq+%22x%22", "", nil, "entra"},
		"entra's older flag": {"GET", "/Users?AzureAdScimPatch062020", "", nil, "entra"},
		"entra's operations": {"PATCH", "/Users/x", ops(`{"op":"Replace","path":"active","value":"False"}`), nil, "entra"},
		"entra's members":    {"PATCH", "/Groups/x", ops(`{"op":"add","path":"members","value":[{"$ref":null,"value":"u"}]}`), nil, "entra"},
		"entra's schema":     {"POST", "/Groups", `{"schemas":["http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],"displayName":"g"}`, nil, "entra"},
		"sailpoint":          {"PATCH", "/Users/x", ops(`{"op":"replace","value":{"name":{"givenName":"a"}}},{"op":"replace","value":{"name":{"familyName":"b"}}}`), []string{"User-Agent: Apache-HttpClient/4.5"}, "sailpoint"},
		"onelogin":           {"GET", "/Groups/x?", "", nil, "onelogin"},
		"authentik":          {"GET", "/Users?filter=userName+eq+norbu.rai", "", []string{"Content-Type: application/scim+json"}, "authentik"},
		"ping":               {"GET", "/Users?filter=username+Eq+%22x%22", "", []string{"User-Agent: Apache-HttpClient/4.5"}, "ping"},
		"google":             {"GET", "/Users", "", []string{"User-Agent: Google-Auto-Provisioning"}, "google"},
		"keycloak":           {"GET", "/Users", "", []string{"User-Agent: keycloak-scim-outbound/1.0"}, "keycloak"},
		"jumpcloud":          {"GET", "/Users", "", []string{"User-Agent: JumpCloud"}, "jumpcloud"},
		"curl":               {"GET", "/Users", "", []string{"User-Agent: curl/8.5.0"}, "curl"},
		"a library":          {"GET", "/Users", "", []string{"User-Agent: Apache-HttpClient/4.5"}, "java"},
		"something new":      {"GET", "/Users", "", []string{"User-Agent: Frob/1"}, "unknown"},
		"nothing to tell":    {"GET", "/Users", "", nil, "unknown"},
		"RFC's own PATCH":    {"PATCH", "/Users/x", ops(`{"op":"replace","path":"active","value":false}`), nil, "unknown"},
	} {
		s := watch(t, lookingglass.Options{})
		s.do(tt.method, tt.path, tt.body, tt.headers...)
		if c := s.last().Client; c.Kind != tt.kind || c.How == "" {
			t.Errorf("%s: %+v, want %s", name, c, tt.kind)
		}
	}
	if got := lookingglass.Label("entra"); got != "Entra ID" {
		t.Error(got)
	}
}

// What gave a connection away once counts for what it sends later.
func TestClientRemembered(t *testing.T) {
	t.Parallel()
	s := watch(t, lookingglass.Options{})
	s.do("GET", "/Users?aadOptscim062020", "")
	s.do("GET", "/Users", "")
	if c := s.last().Client; c.Kind != "entra" || c.How != "an earlier request with this token: the query flag aadOptscim062020" {
		t.Errorf("%+v", c)
	}
	s.do("GET", "/Users", "", "User-Agent: curl/8.5.0")
	if c := s.last().Client; c.Kind != "curl" {
		t.Errorf("%+v", c)
	}
}
