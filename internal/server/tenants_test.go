package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/pgtest"
	"github.com/rollcall-scim/rollcall/internal/server"
)

// served is a server with its command line.
type served struct {
	*running
	environ []string // of commands
}

// everywhere runs a test on SQLite and on PostgreSQL.
func everywhere(t *testing.T, f func(t *testing.T, s *served)) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		r := start(t, "ROLLCALL_BASE_URL=https://id.example.com")
		f(t, &served{r, []string{"ROLLCALL_DATA_DIR=" + r.data}})
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		db := pgtest.Database(t)
		f(t, &served{instance(t, db), []string{"ROLLCALL_DATABASE_URL=" + db}})
	})
}

// run runs the program beside the server.
func (s *served) run(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = server.Main(context.Background(), args, s.environ, &out, &errs)
	return code, out.String(), errs.String()
}

// must is run for what has to succeed; it returns what stdout gets.
func (s *served) must(args ...string) string {
	s.t.Helper()
	code, out, errs := s.run(args...)
	if code != 0 {
		s.t.Fatalf("rollcall %s: exit %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return strings.TrimSuffix(out, "\n")
}

// with sends a request with another token than the configured one.
func (s *served) with(token, method, path, body string, headers ...string) answer {
	s.t.Helper()
	return s.do(method, path, body, append([]string{"Authorization: Bearer " + token}, headers...)...)
}

// made creates something and returns its id.
func (s *served) made(token, path, body string) (id string) {
	s.t.Helper()
	a := s.with(token, "POST", path, body)
	var r struct{ ID string }
	if err := json.Unmarshal([]byte(a.body), &r); err != nil || a.status != 201 {
		s.t.Fatalf("POST %s: %d %s", path, a.status, a.body)
	}
	return r.ID
}

// TestTenants covers TEN-001, TEN-002, TEN-003, TEN-004, TEN-005, TEN-006,
// TEN-007, TEN-008, COM-006, SEC-018 and T8: two tenants in one server never see
// each other, whichever way they are named.
func TestTenants(t *testing.T) {
	everywhere(t, func(t *testing.T, s *served) {
		s.must("tenant", "add", "acme")
		s.must("tenant", "add", "globex", "profile=strict", "limits.maxPage=7", "baseURL=https://scim.globex.example/x")
		acme, globex := s.must("token", "add", "okta", "--tenant", "acme"), s.must("token", "add", "entra", "--tenant", "globex")
		own := s.create("ada")
		a := s.made(acme, "/scim/v2/Users", `{"userName":"ada","externalId":"7"}`)
		user := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ada","externalId":"7"}`
		b := s.made(globex, "/t/globex/scim/v2/Users", user)

		for _, path := range []string{"/scim/v2/Users/" + a, "/t/acme/scim/v2/Users/" + a} {
			if got := s.with(acme, "GET", path, ""); got.status != 200 || !strings.Contains(got.body, `"location":"https://id.example.com`+path+`"`) {
				t.Errorf("GET %s: %d %s", path, got.status, got.body)
			}
		}
		for _, path := range []string{"/scim/v2/Users/" + b, "/t/globex/scim/v2/Users/" + b} {
			if got := s.with(globex, "GET", path, ""); got.status != 200 || !strings.Contains(got.body, `"location":"https://scim.globex.example/x`+path+`"`) {
				t.Errorf("GET %s: %d %s", path, got.status, got.body)
			}
		}
		group := s.made(acme, "/t/acme/scim/v2/Groups", `{"displayName":"Crew","members":[{"value":"`+a+`"}]}`)
		if got := s.with(acme, "GET", "/t/acme/scim/v2/Groups/"+group, ""); !strings.Contains(got.body, `"$ref":"https://id.example.com/t/acme/scim/v2/Users/`+a) {
			t.Errorf("$ref in the form of the path: %s", got.body)
		}
		for _, id := range []string{b, own, group} {
			if got := s.with(acme, "GET", "/scim/v2/Users/"+id, ""); got.status != 404 {
				t.Errorf("what is not a user of the tenant: %d %s", got.status, got.body)
			}
		}
		for token, want := range map[string]string{acme: a, globex: b, testToken: own} {
			if got := s.with(token, "GET", "/scim/v2/Users?filter=userName+eq+%22ada%22", ""); !strings.Contains(got.body, `"totalResults":1,`) || !strings.Contains(got.body, want) {
				t.Errorf("a list: %s", got.body)
			}
		}
		if got := s.with(acme, "POST", "/scim/v2/Groups", `{"displayName":"Others","members":[{"value":"`+b+`"}]}`); got.status != 400 {
			t.Errorf("a member of another tenant: %d %s", got.status, got.body)
		}
		if got := s.with(globex, "GET", "/scim/v2/ServiceProviderConfig", ""); !strings.Contains(got.body, `"maxResults":7`) {
			t.Errorf("the limits of a tenant: %s", got.body)
		}

		// Who has no business there learns nothing, not even whether there is a tenant.
		for _, token := range []string{acme, testToken} {
			there := s.with(token, "GET", "/t/globex/scim/v2/Users/"+b, "")
			for _, path := range []string{"/t/nobody/scim/v2/Users/" + b, "/t/GLOBEX/scim/v2/Users", "/t/glob%65x/scim/v2/Users", "/t/globex./scim/v2/Users", "/t/globex;x/scim/v2/Users"} {
				if got := s.with(token, "GET", path, ""); got.status != 403 || got.body != there.body || there.status != 403 {
					t.Errorf("GET %s: %d %s, want %d %s", path, got.status, got.body, there.status, there.body)
				}
			}
		}
		for _, path := range []string{"/t/globex/scim/v2/ServiceProviderConfig", "/t/nobody/scim/v2/ServiceProviderConfig", "/t/default/scim/v2/Users"} {
			if got := s.do("GET", path, "", "Authorization:"); got.status != 401 || got.header.Get("WWW-Authenticate") != `Bearer realm="rollcall"` {
				t.Errorf("GET %s without a token: %d %q", path, got.status, got.header.Get("WWW-Authenticate"))
			}
		}
		if got := s.do("GET", "/t/default/scim/v2/Users/"+own, ""); got.status != 200 {
			t.Errorf("the default tenant by its name: %d", got.status)
		}
		mistyped := acme[:len(acme)-1] + string(acme[len(acme)-1]^1) // another character
		for _, token := range []string{mistyped, acme + "x", "rc_" + strings.Repeat("0", 49), "rc_"} {
			if got := s.with(token, "GET", "/scim/v2/Users", ""); got.status != 401 || got.header.Get("WWW-Authenticate") != `Bearer realm="rollcall", error="invalid_token"` {
				t.Errorf("a wrong token: %d %q", got.status, got.header.Get("WWW-Authenticate"))
			}
		}

		// Settings hold at once.
		s.must("tenant", "set", "acme", "limits.maxPage=3", `schemas=[{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"urn:example:Gadget","name":"Gadget","attributes":[{"name":"label","type":"string"}]},`+
			`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"name":"Gadget","schema":"urn:example:Gadget"}]`)
		s.made(acme, "/scim/v2/Gadgets", `{"schemas":["urn:example:Gadget"],"label":"lamp"}`)
		if got := s.with(globex, "GET", "/scim/v2/Gadgets", ""); got.status != 404 {
			t.Errorf("a type of another tenant: %d", got.status)
		}
		s.must("tenant", "set", "acme", "limits.maxPage=")
		if got := s.with(acme, "GET", "/scim/v2/ServiceProviderConfig", ""); !strings.Contains(got.body, `"maxResults":1000`) {
			t.Errorf("a setting that was given back: %s", got.body)
		}
		if code, _, errs := s.run("tenant", "set", "acme", "limits.maxPage=-1"); code != 1 || !strings.Contains(errs, "limits.maxPage") {
			t.Errorf("a setting that can't be: exit %d, %s", code, errs)
		}

		// Who is revoked or removed is refused at once, and nothing of them is left.
		s.must("token", "revoke", "entra", "--tenant", "globex")
		if got := s.with(globex, "GET", "/scim/v2/Users", ""); !refused(got) {
			t.Errorf("a revoked token: %d", got.status)
		}
		if code, _, errs := s.run("tenant", "remove", "acme"); code != 2 || !strings.Contains(errs, "--yes") {
			t.Errorf("a removal without --yes: exit %d, %s", code, errs)
		}
		s.must("tenant", "remove", "acme", "--yes")
		if got := s.with(acme, "GET", "/scim/v2/Users", ""); !refused(got) {
			t.Errorf("the token of a removed tenant: %d", got.status)
		}
		waitFor(t, "the name to be free", func() bool { code, _, _ := s.run("tenant", "add", "acme"); return code == 0 })
		again := s.must("token", "add", "okta", "--tenant", "acme")
		if got := s.with(again, "GET", "/t/acme/scim/v2/Users", ""); got.status != 200 || !strings.Contains(got.body, `"totalResults":0,`) {
			t.Errorf("a new tenant with a name of old: %d %s", got.status, got.body)
		}
		if got := s.do("GET", "/scim/v2/Users/"+own, ""); got.status != 200 {
			t.Errorf("the default tenant afterwards: %d", got.status)
		}
	})
}

// TestCursorGrantsNothing covers CUR-018: each page asks anew whether its reader
// may have it, whoever got the cursor.
func TestCursorGrantsNothing(t *testing.T) {
	t.Parallel()
	r := start(t)
	s := &served{r, []string{"ROLLCALL_DATA_DIR=" + r.data}}
	s.must("tenant", "add", "acme")
	reader := s.must("token", "add", "reader", "--tenant", "acme", "--scopes", "read:User write:User")
	writer := s.must("token", "add", "writer", "--tenant", "acme", "--scopes", "read:Group write:User")
	for _, name := range []string{"ada", "bob", "eve"} {
		s.made(reader, "/scim/v2/Users", `{"userName":"`+name+`"}`)
	}
	var page struct{ NextCursor string }
	first := s.with(reader, "GET", "/scim/v2/Users?cursor&count=1", "")
	if err := json.Unmarshal([]byte(first.body), &page); err != nil || page.NextCursor == "" {
		t.Fatalf("the first page: %d %s", first.status, first.body)
	}
	next := "/scim/v2/Users?count=1&cursor=" + page.NextCursor
	if a := s.with(reader, "GET", next, ""); a.status != 200 || !strings.Contains(a.body, "bob") {
		t.Errorf("the second page: %d %s", a.status, a.body)
	}
	if a := s.with(writer, "GET", next, ""); a.status != 403 || strings.Contains(a.body, "bob") {
		t.Errorf("to a token that may not read users: %d %s", a.status, a.body)
	}
	if a := s.do("GET", next, ""); a.status != 400 || strings.Contains(a.body, "bob") {
		t.Errorf("to a token of another tenant: %d %s", a.status, a.body)
	}
	if a := s.do("GET", next, "", "Authorization:"); a.status != 401 {
		t.Errorf("without a token: %d %s", a.status, a.body)
	}
	s.must("token", "revoke", "reader", "--tenant", "acme")
	if a := s.with(reader, "GET", next, ""); a.status != 401 {
		t.Errorf("after its token was revoked: %d %s", a.status, a.body)
	}
}

// TestScopes covers SEC-004 and SEC-010: what a token may not do is refused by the resource
// type and what is done with it, of Bulk each operation by itself.
func TestScopes(t *testing.T) {
	t.Parallel()
	r := start(t)
	s := &served{r, []string{"ROLLCALL_DATA_DIR=" + r.data}}
	s.must("tenant", "add", "acme")
	full := s.must("token", "add", "full", "--tenant", "acme")
	id := s.made(full, "/scim/v2/Users", `{"userName":"ada"}`)
	for scopes, allowed := range map[string]string{
		"none":                             "config options",
		"read":                             "config options users groups get root search searchUsers",
		"read:User":                        "config options users get searchUsers",
		"write":                            "config options create group patch",
		"write:Group":                      "config options group",
		"read:user bulk write:user":        "config options users get searchUsers create patch bulk",
		"read:Group,write:User,write:Nope": "config options groups create patch",
	} {
		token := s.must("token", "add", "t"+strings.NewReplacer(":", "", " ", "", ",", "").Replace(scopes), "--tenant", "acme", "--scopes", scopes)
		for what, q := range map[string][4]string{
			"config":      {"GET", "/ServiceProviderConfig", "", ""},
			"options":     {"OPTIONS", "/Users", "", ""},
			"users":       {"GET", "/Users", "", "read:User"},
			"groups":      {"GET", "/Groups", "", "read:Group"},
			"get":         {"HEAD", "/users/" + id, "", "read:User"},
			"root":        {"GET", "", "", "read"},
			"search":      {"POST", "/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]}`, "read"},
			"searchUsers": {"POST", "/Users/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]}`, "read:User"},
			"create":      {"POST", "/Users", `{"userName":"` + token[:14] + `"}`, "write:User"},
			"group":       {"POST", "/Groups", `{"displayName":"` + token[:14] + `"}`, "write:Group"},
			"patch":       {"PATCH", "/Users/" + id, fmt.Sprintf(patchOp, `{"op":"replace","path":"title","value":"x"}`), "write:User"},
			"bulk":        {"POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[{"method":"POST","path":"/Groups","bulkId":"g","data":{"displayName":"B"}},{"method":"PUT","path":"/Users/` + id + `","data":{"userName":"ada"}}]}`, "bulk"},
		} {
			a := s.with(token, q[0], "/scim/v2"+q[1], q[2])
			if strings.Contains(" "+allowed+" ", " "+what+" ") {
				if a.status >= 300 {
					t.Errorf("with %q, %s: %d %s", scopes, what, a.status, a.body)
				}
				if what == "bulk" && (!strings.Contains(a.body, `"status":"403"`) || !strings.Contains(a.body, "write:Group") || !strings.Contains(a.body, `"status":"200"`)) {
					t.Errorf("with %q, the operations of Bulk: %s", scopes, a.body)
				}
				continue
			}
			if want := `Bearer realm="rollcall", error="insufficient_scope", scope="` + q[3] + `"`; a.status != 403 || a.header.Get("WWW-Authenticate") != want {
				t.Errorf("with %q, %s: %d %s, want 403 %s", scopes, what, a.status, a.header.Get("WWW-Authenticate"), want)
			}
		}
	}
	if a := s.with(full, "GET", "/scim/v2/Groups?filter=displayName+eq+%22B%22", ""); !strings.Contains(a.body, `"totalResults":0`) {
		t.Errorf("a refused operation of Bulk was done: %s", a.body)
	}
}

// TestOpenWithTenants: without a configured token everybody has the default
// tenant, as before, and nobody another one.
func TestOpenWithTenants(t *testing.T) {
	t.Parallel()
	r := start(t, "ROLLCALL_TOKEN=")
	s := &served{r, []string{"ROLLCALL_DATA_DIR=" + r.data}}
	s.must("tenant", "add", "acme")
	token := s.must("token", "add", "okta", "--tenant", "acme")
	s.made(token, "/scim/v2/Users", `{"userName":"ada"}`)
	if a := s.do("GET", "/scim/v2/Users", "", "Authorization:"); a.status != 200 || !strings.Contains(a.body, `"totalResults":0,`) {
		t.Errorf("the default tenant: %d %s", a.status, a.body)
	}
	for _, path := range []string{"/t/acme/scim/v2/Users", "/t/default/scim/v2/Users"} {
		if a := s.do("GET", path, "", "Authorization:"); a.status != 401 || a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("GET %s without a token: %d", path, a.status)
		}
	}
	s.must("token", "revoke", "okta", "--tenant", "acme")
	if a := s.with(token, "GET", "/scim/v2/Users", ""); a.status != 401 {
		t.Errorf("a revoked token opens the default tenant: %d %s", a.status, a.body)
	}
}

// refused reports whether an answer is that of a token which is not good; who
// comes with such often is told to wait.
func refused(a answer) bool { return a.status == 401 || a.status == 429 }

// TestRevokedElsewhere: what one instance revokes holds at itself at once, and at
// the others within two seconds.
func TestRevokedElsewhere(t *testing.T) {
	t.Parallel()
	both, db := instances(t, 2)
	one, two := &served{both[0], []string{"ROLLCALL_DATABASE_URL=" + db}}, &served{both[1], nil}
	one.must("tenant", "add", "acme", "rate.off=true")
	for range 3 {
		token := one.must("token", "add", "okta", "--tenant", "acme")
		for i, s := range []*served{one, two} {
			if a := s.with(token, "GET", "/scim/v2/Users", ""); a.status != 200 {
				t.Fatalf("a new token at instance %d: %d %s", i, a.status, a.body)
			}
		}
		if _, err := one.srv.Registry().RevokeToken(t.Context(), "acme", "okta"); err != nil {
			t.Fatal(err)
		}
		revoked := time.Now()
		if a := one.with(token, "GET", "/scim/v2/Users", ""); !refused(a) {
			t.Fatalf("a revoked token at the instance that revoked it: %d", a.status)
		}
		for {
			sent := time.Since(revoked) // the answer may be late, and say what held when it was made
			a := two.with(token, "GET", "/scim/v2/Users", "")
			if refused(a) {
				break
			}
			if sent > 2*time.Second+500*time.Millisecond {
				t.Fatalf("a revoked token is good for %v at another instance: %d %s", sent, a.status, a.body)
			}
		}
	}
}

// TestRotateUnderLoad: nobody is refused while a token is rotated.
func TestRotateUnderLoad(t *testing.T) {
	everywhere(t, func(t *testing.T, s *served) {
		s.must("tenant", "add", "acme", "rate.off=true")
		var token atomic.Value
		token.Store(s.must("token", "add", "okta", "--tenant", "acme"))
		s.made(token.Load().(string), "/scim/v2/Users", `{"userName":"ada"}`)
		ctx, stop := context.WithCancel(t.Context())
		var load sync.WaitGroup
		var sent atomic.Int64
		for range 4 {
			load.Go(func() {
				for ctx.Err() == nil {
					req, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"/scim/v2/Users", nil)
					if err != nil {
						t.Error(err)
						return
					}
					req.Header.Set("Authorization", "Bearer "+token.Load().(string))
					resp, err := noRedirect.Do(req)
					if err != nil {
						t.Error(err)
						return
					}
					_ = resp.Body.Close()
					if sent.Add(1); resp.StatusCode != 200 {
						t.Errorf("a request was refused: %s", resp.Status)
						return
					}
				}
			})
		}
		for range 3 {
			before := sent.Load()
			next := s.must("token", "rotate", "okta", "--tenant", "acme")
			waitFor(t, "requests with the old token", func() bool { return sent.Load() > before+20 })
			waitFor(t, "the instance to know the new token", func() bool { return s.with(next, "GET", "/scim/v2/Users", "").status == 200 })
			token.Store(next)
			waitFor(t, "requests with the new token", func() bool { return sent.Load() > before+60 })
			// Two are live at a time: the third rotation needs the first to be gone.
			var list []struct{ ID, State string }
			if err := json.Unmarshal([]byte(s.must("token", "list", "--tenant", "acme", "--json")), &list); err != nil {
				t.Fatal(err)
			}
			if last := len(list) - 2; list[last].State == "live" {
				waitFor(t, "the old token to be used no more", func() bool { return sent.Load() > before+100 })
				s.must("token", "revoke", list[last].ID, "--tenant", "acme")
			}
		}
		stop()
		load.Wait()
	})
}
