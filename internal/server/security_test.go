package server_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
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
	for _, origin := range []string{"https://evil.example", "https://console.example.evil.example", "http://console.example", "null", "https://console.example:8443"} {
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

// TestCanary is T22, USR-014, SEC-014 and SRC-009: a secret that is sent as a
// password or a token is nowhere. What is no secret by where it is sent, a value
// in a filter of another attribute and the name of a client, is in the records
// of the Looking Glass, and in no log.
func TestCanary(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"discard", "hash"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			const secret, told = "Canary-5d1f-Secret!", "Told-5d1f-Value"
			r := start(t, "ROLLCALL_PASSWORDS="+mode, "ROLLCALL_LOG_LEVEL=TRACE")
			var seen []string
			do := func(method, path, body string, headers ...string) answer {
				a := r.do(method, path, body, headers...)
				seen = append(seen, fmt.Sprint(method, " ", path, ": ", a.status, a.header, a.body))
				return a
			}
			user := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ada","password":"` + secret + `"}`
			a := do("POST", "/scim/v2/Users?attributes=password,userName", user)
			if a.status != 201 {
				t.Fatalf("create: %d %s", a.status, a.body)
			}
			var u struct{ ID string }
			if err := json.Unmarshal([]byte(a.body), &u); err != nil {
				t.Fatal(err)
			}
			one := "/scim/v2/Users/" + u.ID
			patch := func(op string) string {
				return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + op + `]}`
			}
			do("POST", "/scim/v2/Users", user) // 409
			do("PUT", one, user)
			do("PATCH", one, patch(`{"op":"replace","path":"password","value":"`+secret+`"}`))
			do("PATCH", one, patch(`{"op":"add","value":{"password":"`+secret+`"}}`))
			do("PATCH", one, patch(`{"op":"replace","path":"`+secret+`","value":1}`)) // a path that is none
			do("PATCH", one+"?attributes=password", patch(`{"op":"replace","path":"title","value":"x"}`))
			do("GET", one+"?attributes=password", "")
			do("GET", "/scim/v2/Users?attributes=password", "")
			do("GET", "/scim/v2/Users?filter="+url.QueryEscape(`password eq "`+secret+`"`), "")
			do("GET", "/scim/v2/Users?filter="+url.QueryEscape(`userName eq "`+told+`"`), "")
			do("GET", "/scim/v2/Users?sortBy=password", "")
			do("POST", "/scim/v2/Users/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"password pr"}`)
			do("POST", "/scim/v2/Users/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"title eq \"`+told+`\""}`)
			do("POST", "/scim/v2/Users", `{"userName":{"password":"`+secret+`"}}`)
			do("POST", "/scim/v2/Users", `{"userName":"b","password":["`+secret+`"]}`)
			do("POST", "/scim/v2/Users", `{"userName":"b","password":{"x":"`+secret+`"}}`)
			do("POST", "/scim/v2/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[
				{"method":"POST","path":"/Users","bulkId":"1","data":{"userName":"bulk","password":"`+secret+`"}},
				{"method":"PATCH","path":"/Users/`+u.ID+`","data":`+patch(`{"op":"replace","path":"password","value":"`+secret+`"}`)+`}]}`)
			do("GET", "/scim/v2/Users?access_token="+secret, "", "Authorization:")
			do("GET", "/scim/v2/Users", "", "Authorization: Bearer "+strings.TrimSuffix(secret, "!"))
			do("GET", one, "", "Cookie: "+secret, "X-Api-Key: "+secret, "User-Agent: "+told, "X-Request-Id: "+secret+" ")
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
			// What quotes the client's own path or filter value back to it is
			// allowed in the answer to it, not in a log.
			bare := strings.TrimSuffix(secret, "!")
			for _, text := range seen {
				quoted := strings.Contains(text, "access_token") || strings.HasPrefix(text, "PATCH "+one+": 400") ||
					strings.HasPrefix(text, "GET /scim/v2/Users?filter")
				if strings.Contains(text[strings.Index(text, ": "):], bare) && !quoted {
					t.Errorf("an answer has the secret: %s", text)
				}
			}
			for line := range strings.Lines(r.log.String()) {
				if strings.Contains(line, bare) || strings.Contains(line, told) {
					t.Errorf("the log has the secret: %s", line)
				}
				if strings.Contains(line, testToken) {
					t.Errorf("the log has the token: %s", line)
				}
			}
			entries, err := os.ReadDir(r.data)
			if err != nil {
				t.Fatal(err)
			}
			hashed := false
			for _, e := range entries {
				data, err := os.ReadFile(filepath.Join(r.data, e.Name()))
				if err != nil {
					t.Fatal(err)
				}
				if bytes.Contains(data, []byte(bare)) || bytes.Contains(data, []byte(testToken)) ||
					bytes.Contains(data, []byte(told)) && !strings.HasPrefix(e.Name(), "looking-glass.db") {
					t.Errorf("the file %s has a secret", e.Name())
				}
				hashed = hashed || bytes.Contains(data, []byte("$argon2id$"))
			}
			if hashed != (mode == "hash") {
				t.Errorf("mode %s, and a hash is stored: %v", mode, hashed)
			}
		})
	}
}
