package server_test

import (
	"strings"
	"testing"
)

// TestOpenWarns: who gives credentials to an open directory is told that they
// close nothing, and so is the log.
func TestOpenWarns(t *testing.T) {
	t.Parallel()
	r := start(t, "ROLLCALL_TOKEN=", "SCIM_API_TOKEN=")
	s := &served{r, []string{"ROLLCALL_DATA_DIR=" + r.data}}
	const still, noticed = "stays open to everybody", "although there are other tenants"
	if _, _, errs := s.run("tenant", "add", "acme"); strings.Contains(errs, still) {
		t.Errorf("another tenant: %s", errs)
	}
	waitFor(t, "the log warns", func() bool { return strings.Contains(r.log.String(), noticed) })
	_, out, errs := s.run("token", "add", "okta")
	if !strings.Contains(errs, still) || len(strings.TrimSpace(out)) != 52 {
		t.Errorf("a token: %s%s", out, errs)
	}
	if a := s.with(strings.TrimSpace(out), "GET", "/scim/v2/Users", ""); a.status != 200 {
		t.Errorf("with the token: %d", a.status)
	}
	if a := s.with(strings.TrimSpace(out)[1:], "POST", "/scim/v2/Users", `{"userName":"lost"}`); a.status != 401 {
		t.Errorf("with all of it but the first letter: %d", a.status)
	}
	if _, _, errs = s.run("tenant", "set", "default", `issuers=[{"url":"https://127.0.0.1:9","audience":"rollcall"}]`); !strings.Contains(errs, still) {
		t.Errorf("an issuer: %s", errs)
	}
	if n := strings.Count(r.log.String(), noticed); n != 1 {
		t.Errorf("the log warns %d times", n)
	}
}

// TestSharedIssuers: two tenants that accept the same access tokens are a warning,
// unless something tells them apart.
func TestSharedIssuers(t *testing.T) {
	t.Parallel()
	r := start(t, "ROLLCALL_OIDC_ISSUER=https://127.0.0.1:9", "ROLLCALL_OIDC_AUDIENCE=own", "ROLLCALL_OIDC_TENANT_CLAIM=org", "ROLLCALL_OUTBOUND_ALLOW=127.0.0.1")
	s := &served{r, []string{"ROLLCALL_DATA_DIR=" + r.data}}
	s.must("tenant", "add", "acme", `issuers=[{"url":"https://127.0.0.1:9","audience":"rollcall"},{"url":"https://127.0.0.1:9","audience":"claim","tenantClaim":"org"},{"url":"https://127.0.0.1:9","audience":"app","clients":["a"]}]`)
	s.must("tenant", "add", "globex")
	for issuer, want := range map[string]string{
		`"audience":"rollcall"`:                                        "globex and acme",
		`"audience":"rollcall","tenantClaim":"org"`:                    "globex and acme",
		`"audience":"other"`:                                           "",
		`"audience":"claim","tenantClaim":"org"`:                       "",
		`"audience":"claim","tenantClaim":"org","tenantValue":"acme"`:  "acme",
		`"audience":"claim","tenantClaim":"dept"`:                      "acme",
		`"audience":"app","clients":["b"]`:                             "",
		`"audience":"app","clients":["b","a"]`:                         "acme",
		`"audience":"app"`:                                             "acme",
		`"audience":"own"`:                                             "server's own issuer",
		`"audience":"own","tenantClaim":"org"`:                         "",
		`"audience":"own","tenantClaim":"org","tenantValue":"initech"`: "server's own issuer",
	} {
		code, _, errs := s.run("tenant", "set", "globex", `issuers=[{"url":"https://127.0.0.1:9",`+issuer+`}]`)
		if warned := strings.Contains(errs, "warning: "); code != 0 || warned != (want != "") || !strings.Contains(errs, want) {
			t.Errorf("%s: exit %d, %s\nwant %q", issuer, code, errs, want)
		}
	}
	if _, _, errs := s.run("tenant", "set", "globex", "profile=strict"); strings.Contains(errs, "warning") {
		t.Errorf("another setting: %s", errs)
	}
}
