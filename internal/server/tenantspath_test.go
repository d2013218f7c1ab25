package server_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzTenantPath is T9 for tenants: whatever a path looks like, a token opens the
// people of its own tenant alone, and no token opens nothing of a tenant.
func FuzzTenantPath(f *testing.F) {
	r := start(f)
	s := &served{r, []string{"ROLLCALL_DATA_DIR=" + r.data}}
	s.must("tenant", "add", "acme")
	s.must("tenant", "add", "globex")
	tokens := map[string]string{"acme": s.must("token", "add", "a", "--tenant", "acme"), "globex": s.must("token", "add", "g", "--tenant", "globex"), "default": testToken}
	for name, token := range tokens {
		s.made(token, "/scim/v2/Users", `{"userName":"marker-of-`+name+`"}`)
	}
	for _, seed := range []string{"/t/acme/scim/v2/Users", "/t/globex/scim/v2/Users", "/t/acme/../globex/scim/v2/Users", "/t/acme%2F..%2Fglobex/scim/v2/Users",
		"/t//globex/scim/v2/Users", "//t/globex/scim//v2/Users/", "/T/globex/scim/v2/Users", "/%74/globex/scim/v2/Users", "/t/globe%78/scim/v2/Users", "/t/globex;acme/scim/v2/Users",
		"/t/globex./scim/v2/Users", "/t/acme/t/globex/scim/v2/Users", "/scim/v2/t/globex/scim/v2/Users", "/scim/v2/../../t/globex/scim/v2/Users", "/t/globex/scim/v2/%2e%2e/Users",
		"/t/Globex/scim/v2/Users", "/t/globex%00/scim/v2/Users", "/t/globex/SCIM/v2/Users", "/t/default/scim/v2/Users", "/t/", "/t", "/t/acme", "/t/acme/looking-glass", "/scim/v2/Users", "/t/%67lobex/scim/v2/.search",
		"/t/globex/scim/Users", "/t/globex/scim/v2", "/./t/globex/scim/v2/Users", "/t/globex\\/scim/v2/Users", "/t/globex/scim/v2/ServiceProviderConfig"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "\r\n\x00 ") {
			return
		}
		for _, who := range []string{"acme", "globex", "default", ""} {
			req, err := http.NewRequestWithContext(t.Context(), "GET", "http://id.example.com"+path, nil)
			if err != nil {
				return
			}
			if who != "" {
				req.Header.Set("Authorization", "Bearer "+tokens[who])
			}
			req.RequestURI = path
			w := httptest.NewRecorder()
			r.srv.ServeHTTP(w, req)
			for other := range tokens {
				if other != who && strings.Contains(w.Body.String(), "marker-of-"+other) {
					t.Errorf("GET %s as %q shows the people of %s: %d", path, who, other, w.Code)
				}
			}
			if who == "" && w.Code < 300 && strings.HasPrefix(path, "/t") {
				t.Errorf("GET %s without a token: %d %s", path, w.Code, w.Body)
			}
		}
	})
}
