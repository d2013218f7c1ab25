package server_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/server"
	"github.com/rollcall-scim/rollcall/internal/tenant"
)

const oneUser = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ada"}`

// TestAccessTokens is T7 and T11: tokens of the configured issuer, for whom they
// are and with what scopes, beside the token of the configuration; all that is
// wrong with one is the same 401, and the log says what it was.
func TestAccessTokens(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	r := start(t, i.environ("ROLLCALL_OIDC_SCOPE_PREFIX=scim.")...)
	as := func(token string) string { return "Authorization: Bearer " + token }
	all, look := i.access("scim.read scim.write openid", nil), i.access("scim.read", nil)
	if a := r.do("POST", "/scim/v2/Users", oneUser, as(all)); a.status != http.StatusCreated {
		t.Fatalf("create: %d %s", a.status, a.body)
	}
	if a := r.do("GET", "/scim/v2/Users", "", as(look)); a.status != http.StatusOK || !strings.Contains(a.body, `"ada"`) {
		t.Errorf("list: %d %s", a.status, a.body)
	}
	if a := r.do("GET", "/scim/v2/Users", ""); a.status != http.StatusOK {
		t.Errorf("the token of the configuration: %d", a.status)
	}
	a := r.do("POST", "/scim/v2/Users", oneUser, as(look))
	if c := a.header.Get("WWW-Authenticate"); a.status != http.StatusForbidden || !strings.Contains(c, "insufficient_scope") {
		t.Errorf("a write with the scope read: %d %s", a.status, c)
	}
	if a = r.do("GET", "/scim/v2/ServiceProviderConfig", "", as(look)); !strings.Contains(a.body, `"oauth2"`) || !strings.Contains(a.body, `"oauthbearertoken"`) {
		t.Errorf("ServiceProviderConfig: %s", a.body)
	}
	want := r.do("GET", "/scim/v2/Users", "", as("no-token-that-is-known"))
	for reason, token := range map[string]string{
		"it is for":          i.access("scim.read", map[string]any{"aud": "other"}),
		"it expired":         i.access("scim.read", map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}),
		"not an access":      i.sign("id+jwt", map[string]any{"aud": "rollcall"}),
		"its issuer":         i.access("scim.read", map[string]any{"iss": "https://evil.example"}),
		"its signature":      all[:len(all)-8] + "AAAAAAAA",
		"its algorithm":      "eyJhbGciOiJub25lIn0.e30.AA",
		"its claims can't":   "eyJhbGciOiJSUzI1NiJ9.e.AA",
		"its header can't":   "eyJ.e30.AA",
		"nothing shows that": i.sign("JWT", map[string]any{"aud": "rollcall", "sub": "x"}),
	} {
		a := r.do("GET", "/scim/v2/Users", "", as(token))
		if a.status != http.StatusUnauthorized || a.body != want.body || a.header.Get("WWW-Authenticate") != want.header.Get("WWW-Authenticate") {
			t.Errorf("%s: %d %s %s", reason, a.status, a.body, a.header.Get("WWW-Authenticate"))
		}
		if !strings.Contains(r.log.String(), reason) {
			t.Errorf("the log does not say %q", reason)
		}
	}
	log := r.log.String()
	if !strings.Contains(log, "svc by entra-app of 127.0.0.1") {
		t.Error("the log does not say who called")
	}
	for _, token := range []string{all, look} {
		if strings.Contains(log, token) || strings.Contains(log, token[strings.LastIndex(token, "."):]) {
			t.Error("the log has a token in it")
		}
	}
}

// TestAccessTokensAlone: with an issuer and no token the directory is not open.
func TestAccessTokensAlone(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	r := start(t, i.environ("ROLLCALL_TOKEN=", "SCIM_API_TOKEN=")...)
	for _, header := range []string{"Authorization:", "Authorization: Bearer x", "Authorization: Bearer"} {
		if a := r.do("GET", "/scim/v2/Users", "", header); a.status != http.StatusUnauthorized {
			t.Errorf("%s: %d", header, a.status)
		}
	}
	if a := r.do("GET", "/scim/v2/Users", "", "Authorization: Bearer "+i.access("read", nil)); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
	if strings.Contains(r.log.String(), "NO TOKEN IS SET") {
		t.Error("it says that it is open")
	}
	if a := r.do("GET", "/scim/v2/ServiceProviderConfig", "", "Authorization:"); !strings.Contains(a.body, `"oauth2"`) {
		t.Errorf("ServiceProviderConfig: %s", a.body)
	}
}

// TestAccessTokensDown: an issuer that can't be asked is a 503 that says when to
// try again, and no refusal.
func TestAccessTokensDown(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	i.down = true
	r := start(t, i.environ()...)
	a := r.do("GET", "/scim/v2/Users", "", "Authorization: Bearer "+i.access("read", nil))
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || strings.Contains(a.body, i.url) {
		t.Errorf("%d %s %s", a.status, a.header.Get("Retry-After"), a.body)
	}
	if a = r.do("GET", "/scim/v2/Users", ""); a.status != http.StatusOK {
		t.Errorf("the token of the configuration meanwhile: %d", a.status)
	}
}

// TestAccessTokensDownCounts: an address may not make any number of requests wait
// for keys, whatever tokens it makes up.
func TestAccessTokensDownCounts(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	i.down = true
	r, err := tryStartAs(t, func(s *server.Settings) { s.SetRefusals(3) }, i.environ()...)
	if err != nil {
		t.Fatal(err)
	}
	statuses := map[int]int{}
	for range 8 {
		statuses[r.do("GET", "/scim/v2/Users", "", "Authorization: Bearer "+i.access("read", nil)).status]++
	}
	if statuses[503] < 3 || statuses[429] < 3 || statuses[503]+statuses[429] != 8 {
		t.Errorf("%v", statuses)
	}
}

// TestAccessTokensPrepared: the keys of an issuer are there before its first token
// is, also of one that a tenant names while the server runs.
func TestAccessTokensPrepared(t *testing.T) {
	t.Parallel()
	i, own := newIssuer(t), newIssuer(t)
	i.trust(own)
	r := start(t, i.environ()...)
	waitFor(t, "the server's issuer is asked", func() bool { return i.asked.Load() > 0 })
	if _, err := r.srv.Registry().AddTenant(t.Context(), "acme", tenant.Settings{Issuers: []tenant.Issuer{{URL: own.url, Audience: "rollcall"}}}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the tenant's issuer is asked", func() bool { return own.asked.Load() > 0 })
}

// TestAccessTokensOfTenants: a tenant's own issuer opens the tenant alone; a claim
// of the server's issuer names the tenant, and the path must agree.
func TestAccessTokensOfTenants(t *testing.T) {
	t.Parallel()
	i, own := newIssuer(t), newIssuer(t)
	both := i.environ("ROLLCALL_OIDC_TENANT_CLAIM=org")
	i.trust(own)
	r := start(t, both...)
	for name, s := range map[string]tenant.Settings{
		"acme":   {Issuers: []tenant.Issuer{{URL: own.url, Audience: "rollcall"}}},
		"globex": {Issuers: []tenant.Issuer{{URL: own.url, Audience: "globex", TenantClaim: "org", TenantValue: "g-1"}}},
	} {
		if _, err := r.srv.Registry().AddTenant(t.Context(), name, s); err != nil {
			t.Fatal(err)
		}
	}
	org := func(name string) map[string]any { return map[string]any{"org": name} }
	for _, tt := range []struct {
		name, path, token string
		want              int
	}{
		{"server's, by its claim", "/scim/v2", i.access("read", org("acme")), 200},
		{"server's, at its path", "/t/acme/scim/v2", i.access("read", org("acme")), 200},
		{"server's, at another path", "/t/globex/scim/v2", i.access("read", org("acme")), 403},
		{"server's, at no tenant's path", "/t/nobody/scim/v2", i.access("read", org("acme")), 403},
		{"server's, for the default", "/scim/v2", i.access("read", org("default")), 200},
		{"server's, for nobody", "/scim/v2", i.access("read", org("nobody")), 401},
		{"server's, for nobody at their path", "/t/nobody/scim/v2", i.access("read", org("nobody")), 401},
		{"server's, without the claim", "/t/acme/scim/v2", i.access("read", nil), 401},
		{"its own, at its path", "/t/acme/scim/v2", own.access("read", nil), 200},
		{"its own, whatever it says", "/t/acme/scim/v2", own.access("read", org("globex")), 200},
		{"its own, without a path", "/scim/v2", own.access("read", org("acme")), 401},
		{"its own, at another path", "/t/globex/scim/v2", own.access("read", org("g-1")), 401},
		{"its own, at no tenant's path", "/t/nobody/scim/v2", own.access("read", nil), 401},
		{"the other's own", "/t/globex/scim/v2", own.access("read", map[string]any{"aud": "globex", "org": "g-1"}), 200},
		{"the other's own, another claim", "/t/globex/scim/v2", own.access("read", map[string]any{"aud": "globex", "org": "globex"}), 401},
		{"the other's own, at the first's path", "/t/acme/scim/v2", own.access("read", map[string]any{"aud": "globex", "org": "g-1"}), 401},
	} {
		if a := r.do("GET", tt.path+"/Users", "", "Authorization: Bearer "+tt.token); a.status != tt.want {
			t.Errorf("%s: %d %s, want %d", tt.name, a.status, a.body, tt.want)
		}
	}
	if a := r.do("GET", "/t/acme/scim/v2/ServiceProviderConfig", "", "Authorization: Bearer "+own.access("", nil)); !strings.Contains(a.body, `"oauth2"`) {
		t.Errorf("ServiceProviderConfig: %d %s", a.status, a.body)
	}
	if err := r.srv.Registry().RemoveTenant(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	if a := r.do("GET", "/t/acme/scim/v2/Users", "", "Authorization: Bearer "+own.access("read", nil)); a.status != 401 {
		t.Errorf("after the tenant is gone: %d", a.status)
	}
}

// TestConsoleSignIn: people come to the console by way of the issuer.
func TestConsoleSignIn(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("canary-client-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, "ROLLCALL_OUTBOUND_ALLOW=127.0.0.1", "ROLLCALL_OUTBOUND_CA="+i.ca, "ROLLCALL_CONSOLE_OIDC_ISSUER="+i.url, "ROLLCALL_CONSOLE_OIDC_CLIENT_ID=console",
		"ROLLCALL_CONSOLE_OIDC_CLIENT_SECRET_FILE="+secret, "ROLLCALL_CONSOLE_OIDC_OPERATORS=ops", "ROLLCALL_CONSOLE_OIDC_VIEWERS=staff", "ROLLCALL_CONSOLE_OIDC_NAME=Example", "ROLLCALL_TOKEN=")
	for _, tt := range []struct {
		roles  any
		want   int
		change int
	}{
		{"ops", http.StatusOK, http.StatusOK}, {[]string{"staff", "x"}, http.StatusOK, http.StatusForbidden}, {[]string{"x"}, http.StatusForbidden, 0}, {nil, http.StatusForbidden, 0},
	} {
		i.mu.Lock()
		i.roles = tt.roles
		i.mu.Unlock()
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		transport := i.server.Client().Transport
		b := &http.Client{Jar: jar, Transport: transport}
		base := strings.Replace(r.srv.Base(), "/scim/v2", "/looking-glass", 1) // as the issuer sends people back to it
		page, status := browse(t, b, base+"/login")
		if status != http.StatusOK || !strings.Contains(page, "Sign in with Example") {
			t.Fatalf("the login page: %d %s", status, page)
		}
		page, status = browse(t, b, base+"/login/leave?to=/looking-glass/directory")
		if status != tt.want {
			t.Fatalf("%v: %d %s", tt.roles, status, page)
		}
		if tt.want != http.StatusOK {
			if _, status := browse(t, b, base+"/directory"); status != http.StatusUnauthorized && !strings.Contains(page, "no role") {
				t.Errorf("%v: %d", tt.roles, status)
			}
			continue
		}
		if !strings.Contains(page, "url=/looking-glass/directory") {
			t.Errorf("%v: %s", tt.roles, page)
		}
		if page, status = browse(t, b, base+"/directory"); status != http.StatusOK || !strings.Contains(page, "ada@example.com") {
			t.Errorf("%v: %d", tt.roles, status)
		}
	}
	if log := r.log.String(); strings.Contains(log, "canary-client-secret") || strings.Contains(log, "code=") {
		t.Error("the log has a secret in it")
	}
}

func browse(t *testing.T, b *http.Client, address string) (string, int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	resp, err := b.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), resp.StatusCode
}

// TestOIDCSettings: what can't be is refused at the start, by name, and no secret
// is repeated.
func TestOIDCSettings(t *testing.T) {
	t.Parallel()
	const issuer, console = "ROLLCALL_OIDC_ISSUER=https://idp.example.com", "ROLLCALL_CONSOLE_OIDC_ISSUER=https://idp.example.com"
	for _, tt := range []struct {
		environ []string
		want    string
	}{
		{[]string{issuer, "ROLLCALL_OIDC_AUDIENCE=a"}, ""},
		{[]string{issuer}, "ROLLCALL_OIDC_AUDIENCE"},
		{[]string{"ROLLCALL_OIDC_AUDIENCE=a"}, "ROLLCALL_OIDC_AUDIENCE needs ROLLCALL_OIDC_ISSUER"},
		{[]string{"ROLLCALL_OIDC_ISSUER=http://idp.example.com", "ROLLCALL_OIDC_AUDIENCE=a"}, "https://"},
		{[]string{"ROLLCALL_OIDC_ISSUER=https://10.0.0.1", "ROLLCALL_OIDC_AUDIENCE=a"}, "private"},
		{[]string{"ROLLCALL_OIDC_ISSUER=https://10.0.0.1", "ROLLCALL_OIDC_AUDIENCE=a", "ROLLCALL_OUTBOUND_ALLOW=10.0.0.0/8"}, ""},
		{[]string{"ROLLCALL_OIDC_ISSUER=http://localhost:9000", "ROLLCALL_OIDC_AUDIENCE=a", "ROLLCALL_OUTBOUND_ALLOW=http://localhost:9000"}, ""},
		{[]string{"ROLLCALL_OIDC_ISSUER=https://idp.example.com/.well-known/openid-configuration", "ROLLCALL_OIDC_AUDIENCE=a"}, "well-known"},
		{[]string{"ROLLCALL_OIDC_ISSUER=https://u:hunter2@idp.example.com", "ROLLCALL_OIDC_AUDIENCE=a"}, "password"},
		{[]string{issuer, "ROLLCALL_OIDC_AUDIENCE=a", "ROLLCALL_OIDC_SCOPES=admin"}, `ROLLCALL_OIDC_SCOPES="admin"`},
		{[]string{issuer, "ROLLCALL_OIDC_AUDIENCE=a", "ROLLCALL_OIDC_LEEWAY=1h"}, "ROLLCALL_OIDC_LEEWAY"},
		{[]string{"ROLLCALL_OUTBOUND_ALLOW=0.0.0.0/0"}, "too wide"},
		{[]string{"ROLLCALL_OUTBOUND_ALLOW=http://idp.example.com:80"}, "this machine"},
		{[]string{console, "ROLLCALL_CONSOLE_OIDC_CLIENT_ID=c", "ROLLCALL_CONSOLE_OIDC_VIEWERS=*"}, ""},
		{[]string{console, "ROLLCALL_CONSOLE_OIDC_VIEWERS=*"}, "CLIENT_ID"},
		{[]string{console, "ROLLCALL_CONSOLE_OIDC_CLIENT_ID=c"}, "OPERATORS"},
		{[]string{console, "ROLLCALL_CONSOLE_OIDC_CLIENT_ID=c", "ROLLCALL_CONSOLE_OIDC_OPERATORS=*"}, "everybody"},
		{[]string{console, "ROLLCALL_CONSOLE_OIDC_CLIENT_ID=c", "ROLLCALL_CONSOLE_OIDC_VIEWERS=*", "ROLLCALL_CONSOLE_OIDC_CLIENT_SECRET=hunter2", "ROLLCALL_CONSOLE_OIDC_CLIENT_SECRET_FILE=/x"}, "one of both"},
		{[]string{"ROLLCALL_CONSOLE_OIDC_CLIENT_SECRET=hunter2"}, "needs ROLLCALL_CONSOLE_OIDC_ISSUER"},
	} {
		_, _, err := settings(t, append([]string{"ROLLCALL_TOKEN=" + testToken}, tt.environ...)...)
		switch {
		case tt.want == "" && err != nil, tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%v: %v, want %q", tt.environ, err, tt.want)
		case err != nil && strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%v: the error repeats a secret: %v", tt.environ, err)
		}
	}
}
