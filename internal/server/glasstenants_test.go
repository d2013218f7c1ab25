package server_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// TestGlassTenants: the console shows each tenant by itself, to the operator all of
// them, and to the bearer of a tenant's token that one.
func TestGlassTenants(t *testing.T) {
	everywhere(t, func(t *testing.T, s *served) {
		const acme = "/looking-glass/t/acme"
		s.create("only.default")
		operator := &glassBrowser{r: s.running}
		operator.login(testToken)
		if a := operator.do("GET", acme, ""); a.status != http.StatusNotFound {
			t.Errorf("before there is such a tenant: %d", a.status)
		}
		s.must("tenant", "add", "acme", "breaker.mode=hold", "breaker.people=1")
		operator.until(acme, "Nothing yet")
		a := operator.do("POST", acme+"/credentials", "name=okta&scopes=read+write")
		token := regexp.MustCompile(`rc_[0-9A-Za-z]{49}`).FindString(a.body)
		if a.status != http.StatusOK || token == "" {
			t.Fatalf("no token: %d %s", a.status, a.body)
		}
		as := "Authorization: Bearer " + token
		ids := make([]string, 2)
		for i, name := range []string{"only.acme", "second.acme"} {
			ids[i] = s.made(token, "/t/acme/scim/v2/Users", `{"userName":"`+name+`"}`)
		}
		for i, want := range []int{http.StatusNoContent, http.StatusTooManyRequests} {
			if a := s.do("DELETE", "/t/acme/scim/v2/Users/"+ids[i], "", as, "User-Agent: Okta SCIM Client 1.0.0"); a.status != want {
				t.Fatalf("delete %d: %d %s", i, a.status, a.body)
			}
		}
		guest := &glassBrowser{r: s.running}
		if a := guest.login(token); a.status != http.StatusSeeOther || guest.cookie == "" {
			t.Fatalf("login: %d %s", a.status, a.body)
		}
		guest.until(acme, "only.acme")
		guest.until(acme+"/connections", "Okta last seen")
		guest.until(acme+"/audit?what=delete", "only.acme")
		guest.until(acme+"/breaker", "Something is held")
		for _, page := range []string{"", "/directory", "/exchanges.json", "/people?q=only.acme"} {
			if a := guest.do("GET", acme+page, ""); a.status != http.StatusOK || strings.Contains(a.body, "only.default") {
				t.Errorf("%s: %d %s", page, a.status, a.body)
			}
		}
		for _, page := range []string{"/looking-glass/directory", "/looking-glass/t/default/exchanges.json", "/looking-glass/t/nobody"} {
			if a := guest.do("GET", page, ""); a.status != http.StatusNotFound || strings.Contains(a.body, "only.") {
				t.Errorf("%s: %d %s", page, a.status, a.body)
			}
		}
		if a := operator.do("POST", acme+"/breaker/approve", ""); a.status != http.StatusSeeOther || a.header.Get("Location") != acme+"/breaker" {
			t.Errorf("approve: %d %s", a.status, a.body)
		}
		if a := s.do("DELETE", "/t/acme/scim/v2/Users/"+ids[1], "", as); a.status != http.StatusNoContent {
			t.Errorf("what was approved: %d %s", a.status, a.body)
		}
		if a := operator.do("GET", acme+"/audit/export", ""); a.status != http.StatusOK || strings.Count(a.body, "\n") != 4 || strings.Contains(a.body, "only.default") {
			t.Errorf("the export: %d %s", a.status, a.body)
		}
		if a := operator.do("POST", acme+"/audit/verify", ""); a.status != http.StatusOK || !strings.Contains(a.body, "It holds: 4 entries") {
			t.Errorf("verify: %d %s", a.status, a.body)
		}
		s.must("tenant", "remove", "acme", "--yes")
		waitFor(t, "the guest's session ends with the tenant", func() bool { return guest.do("GET", acme, "").status == http.StatusSeeOther })
		waitFor(t, "there is no such tenant", func() bool { return operator.do("GET", acme, "").status == http.StatusNotFound })
	})
}
