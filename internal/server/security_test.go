package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// raw sends a request line as it is, which a client library would tidy up, and
// returns the status and the body.
func (r *running) raw(method, target string, headers ...string) answer {
	r.t.Helper()
	host := strings.TrimPrefix(r.url, "http://")
	c, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(r.t.Context(), "tcp", host)
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(c, "%s %s HTTP/1.1\r\nConnection: close\r\n", method, target)
	if !slices.ContainsFunc(headers, func(h string) bool { return strings.HasPrefix(h, "Host:") }) {
		headers = append(headers, "Host: "+host)
	}
	for _, h := range headers {
		fmt.Fprintf(c, "%s\r\n", h)
	}
	fmt.Fprint(c, "\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, target, err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(body)}
}

// TestPathConfusion is T9: whatever the spelling of a path, without a token it
// is answered with 401, or 404 or 400, and never with data.
func TestPathConfusion(t *testing.T) {
	t.Parallel()
	r := start(t)
	id := r.create("canary-user-name")
	targets := []string{
		"/scim/v2/Users", "/scim/v2/Users/", "//scim//v2//Users", "/scim/v2/users", "/SCIM/V2/USERS", "/scim/v2/./Users",
		"/scim/v2/%55sers", "/%73cim/v2/Users", "/scim%2Fv2%2FUsers", "/scim/v2%2FUsers", "/scim/v2/Users%2F" + id,
		"/scim/v2/Users;x", "/scim/v2/Users.", "/scim/v2/Users%00", "/scim/v2/Users%20", "/scim/v2/Users%3Fx",
		"/scim/v2/ServiceProviderConfig/../Users", "/scim/v2/ServiceProviderConfig/%2e%2e/Users", "/health/../scim/v2/Users",
		"/health/%2e%2e/scim/v2/Users", "/health%2F..%2Fscim/v2/Users", "/api/protocols/../../scim/v2/Users", "/../scim/v2/Users",
		"/scim/v2/ServiceProviderConfig%2F..%2FUsers", "/scim/v2/ServiceProviderConfig;/Users", "/scim/v2/ServiceProviderConfig/Users",
		"/scim/v2/Users?x=/health", "/scim/Users", "/scim/v9/Users", "/v2/Users", "/Users", "/scim/v2/.search", "/scim/v2/", "/scim",
		"http://evil.example/scim/v2/Users", "/scim/v2/Users/" + id, "/scim/v2/Users/" + id + "#", "/scim/v2/Users\\..",
		"/scim/v2/Schemas", "/scim/v2/ResourceTypes", "/scim/v2/Me", "/scim/v2/Groups", "/metrics", "/looking-glass", "/debug/pprof/",
		"/control", "/status", "/data/rollcall.db",
	}
	for _, target := range targets {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} {
			a := r.raw(method, target, "X-HTTP-Method-Override: GET", "X-Original-URL: /health", "X-Rewrite-URL: /health")
			open := strings.HasPrefix(target, "/health/") && a.status == 404 || a.status == 405 && strings.HasPrefix(target, "/health/") || a.status == 204 && strings.HasPrefix(target, "/health/")
			if a.status != 401 && a.status != 400 && !open {
				t.Errorf("%s %s without a token: %d", method, target, a.status)
			}
			if strings.Contains(a.body, "canary-user-name") || strings.Contains(a.body, "totalResults") {
				t.Errorf("%s %s without a token: %s", method, target, a.body)
			}
		}
	}
	if a := r.do("GET", "/scim/v2/Users/"+id, ""); a.status != 200 {
		t.Errorf("with the token: %d", a.status)
	}
}

// TestWithoutToken is T10, SPC-005 and ERR-006: every endpoint but those listed
// wants a token, on every method, and every answer is a SCIM error.
func TestWithoutToken(t *testing.T) {
	t.Parallel()
	r := start(t)
	id := r.create("ada")
	endpoints := []string{"Users", "Users/" + id, "Users/.search", "Groups", "Groups/x", "Groups/.search", "Me", "Bulk", ".search",
		"Schemas", "Schemas/urn:ietf:params:scim:schemas:core:2.0:User", "ResourceTypes", "ResourceTypes/User", "Nope",
		"ServiceProviderConfig"}
	for _, mount := range []string{"/scim/v2/", "/scim/"} {
		for _, e := range endpoints {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
				for _, auth := range []string{"Authorization:", "Authorization: Bearer wrong", "Authorization: Basic " + testToken} {
					a := r.do(method, mount+e, "", auth)
					read := method == "GET" || method == "HEAD" || method == "OPTIONS"
					if e == "ServiceProviderConfig" && read && auth == "Authorization:" {
						if a.status >= 300 {
							t.Errorf("%s %s%s without a token: %d, want it open (SPC-005)", method, mount, e, a.status)
						}
						continue
					}
					if a.status != 401 || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), `Bearer realm=`) {
						t.Errorf("%s %s%s with %q: %d %q, want 401 and a challenge", method, mount, e, auth, a.status, a.header.Get("WWW-Authenticate"))
					}
					if a.header.Get("X-Request-Id") == "" {
						t.Errorf("%s %s%s: no X-Request-Id", method, mount, e)
					}
					if method != "HEAD" {
						scimError(t, method+" "+e, a)
						if !strings.Contains(a.body, `"scimType":"invalidValue"`) {
							t.Errorf("%s %s: %s, want scimType invalidValue", method, e, a.body)
						}
					}
				}
			}
		}
	}
	for _, path := range []string{"/", "/health", "/health/live", "/health/ready", "/api/protocols"} {
		if a := r.do("GET", path, "", "Authorization:"); a.status != 200 {
			t.Errorf("GET %s without a token: %d, want 200", path, a.status)
		}
		if a := r.do("POST", path, "{}", "Authorization:"); a.status != 405 && a.status != 401 {
			t.Errorf("POST %s without a token: %d, want 401 or 405", path, a.status)
		}
	}
	if a := r.do("GET", "/nothing/here", ""); a.status != 404 {
		t.Errorf("GET /nothing/here with the token: %d, want 404", a.status)
	} else {
		scimError(t, "an unknown path", a)
	}
}

// TestOpenMode: empty never equals empty, it is said loudly, and a page in a
// browser can't use it.
func TestOpenMode(t *testing.T) {
	t.Parallel()
	r := start(t, "ROLLCALL_TOKEN=", "SCIM_API_TOKEN=")
	for _, auth := range []string{"Authorization:", "Authorization: Bearer", "Authorization: Bearer anything"} {
		if a := r.do("GET", "/scim/v2/Users", "", auth); a.status != 200 {
			t.Errorf("open mode with %q: %d", auth, a.status)
		}
	}
	if !strings.Contains(r.log.String(), "NO TOKEN IS SET") || !strings.Contains(r.log.String(), `"level":"WARN"`) {
		t.Errorf("open mode is not warned of: %s", r.log)
	}
	if a := r.do("POST", "/scim/v2/Users", `{"userName":"evil"}`, "Origin: https://evil.example", "Content-Type: text/plain"); a.status != 403 {
		t.Errorf("a page of another origin writes to an open directory: %d", a.status)
	}
	if a := r.do("GET", "/scim/v2/Users", "", "Origin: "+r.url); a.status != 200 {
		t.Errorf("a page of the server itself: %d", a.status)
	}
	closed := start(t)
	if a := closed.do("GET", "/scim/v2/Users", "", "Authorization: Bearer "); a.status != 401 {
		t.Errorf("an empty token: %d, want 401", a.status)
	}
	short := start(t, "ROLLCALL_TOKEN=short,"+testToken)
	if log := short.log.String(); !strings.Contains(log, "shorter than 16") || strings.Contains(log, `"short"`) {
		t.Errorf("a short token: %s", log)
	}
}

func TestSeveralTokens(t *testing.T) {
	t.Parallel()
	r := start(t, "ROLLCALL_TOKEN=old-token-0123456789, new-token-0123456789")
	for token, want := range map[string]int{"old-token-0123456789": 200, "new-token-0123456789": 200, "old-token-0123456789, new-token-0123456789": 401, testToken: 401} {
		if a := r.do("GET", "/scim/v2/Users", "", "Authorization: Bearer "+token); a.status != want {
			t.Errorf("token %q: %d, want %d", token, a.status, want)
		}
	}
}

func TestTokenFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data", "token")
	r := start(t, "ROLLCALL_TOKEN=", "ROLLCALL_TOKEN_FILE="+path)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	token := strings.TrimSpace(string(text))
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || len(token) < 32 {
		t.Errorf("the token file: %v, %d characters, %v", info.Mode(), len(token), err)
	}
	if a := r.do("GET", "/scim/v2/Users", "", "Authorization: Bearer "+token); a.status != 200 {
		t.Errorf("the token of the file: %d", a.status)
	}
	if a := r.do("GET", "/scim/v2/Users", ""); a.status != 401 {
		t.Errorf("another token: %d", a.status)
	}
	if strings.Contains(r.log.String(), token) {
		t.Error("the log has the token")
	}
	again := start(t, "ROLLCALL_TOKEN=", "ROLLCALL_TOKEN_FILE="+path)
	if a := again.do("GET", "/scim/v2/Users", "", "Authorization: Bearer "+token); a.status != 200 {
		t.Errorf("the token after a restart: %d", a.status)
	}
	if err := os.WriteFile(path, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := tryStart(t, "ROLLCALL_TOKEN=", "ROLLCALL_TOKEN_FILE="+path); err == nil || !strings.Contains(err.Error(), "holds no token") {
		t.Errorf("an empty token file: %v, want no open server", err)
	}
}

// TestCORS covers SEC-025.
func TestCORS(t *testing.T) {
	t.Parallel()
	r := start(t, "ROLLCALL_CORS_ORIGINS=https://console.example")
	a := r.do("OPTIONS", "/scim/v2/Users", "", "Authorization:", "Origin: https://console.example", "Access-Control-Request-Method: PATCH")
	if a.status != 204 || a.header.Get("Access-Control-Allow-Origin") != "https://console.example" ||
		!strings.Contains(a.header.Get("Access-Control-Allow-Methods"), "PATCH") ||
		!strings.Contains(a.header.Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("preflight of a listed origin: %d %v", a.status, a.header)
	}
	if a := r.do("GET", "/scim/v2/Users", "", "Origin: https://console.example"); a.header.Get("Access-Control-Allow-Origin") != "https://console.example" ||
		!strings.Contains(a.header.Get("Access-Control-Expose-Headers"), "ETag") || !slices.Contains(a.header.Values("Vary"), "Origin") {
		t.Errorf("a listed origin: %v", a.header)
	}
	for _, origin := range []string{"https://evil.example", "https://console.example.evil.example", "https://evilconsole.example", "https://evil.console.example", "http://console.example", "null", "https://console.example:8443"} {
		for _, method := range []string{"GET", "OPTIONS"} {
			a := r.do(method, "/scim/v2/Users", "", "Origin: "+origin, "Access-Control-Request-Method: PATCH")
			for name := range a.header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s from %s: header %s", method, origin, name)
				}
			}
		}
	}
	if a := r.do("GET", "/scim/v2/Users", "", "Origin: https://console.example"); a.header.Get("Access-Control-Allow-Credentials") != "" {
		t.Error("credentials are allowed")
	}
}

// TestHostHeader is T26 and HTTP-026.
func TestHostHeader(t *testing.T) {
	t.Parallel()
	r := start(t, "ROLLCALL_BASE_URL=https://id.example", "ROLLCALL_TRUSTED_PROXIES=127.0.0.1")
	id := r.create("ada")
	for _, headers := range [][]string{
		{"Host: evil.example"}, {"X-Forwarded-Host: evil.example", "X-Forwarded-Proto: http"}, {"Forwarded: host=evil.example;proto=http"},
	} {
		if a := r.do("GET", "/scim/v2/Users/"+id, "", headers...); a.header.Get("Location") != "https://id.example/scim/v2/Users/"+id ||
			strings.Contains(a.body, "evil.example") {
			t.Errorf("with %v: Location %q", headers, a.header.Get("Location"))
		}
	}
	a := r.do("GET", "/scim/v2/Users/"+id, "", "X-Forwarded-Prefix: /gateway")
	if want := "https://id.example/gateway/scim/v2/Users/" + id; a.header.Get("Location") != want || !strings.Contains(a.body, want) {
		t.Errorf("with the prefix of a trusted proxy: %q, want %q", a.header.Get("Location"), want)
	}
	untrusting := start(t, "ROLLCALL_BASE_URL=https://id.example")
	if a := untrusting.do("GET", "/scim/v2/Users", "", "X-Forwarded-Prefix: /gateway"); strings.Contains(a.body, "gateway") {
		t.Errorf("the prefix of anybody counts: %s", a.body)
	}
}
