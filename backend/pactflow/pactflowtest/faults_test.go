package pactflowtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
)

// outcome is what a client got over TCP.
type outcome struct {
	reply
	err  error // no answer
	read error // an answer that broke off
}

// over makes a request over TCP, on its own connection, following no redirect.
func over(t testing.TB, base, method, url, body string, header ...string) outcome {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, base+url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+scim)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	tr := &http.Transport{DisableKeepAlives: true, DisableCompression: len(header) > 0}
	defer tr.CloseIdleConnections()
	resp, err := tr.RoundTrip(r)
	if err != nil {
		return outcome{err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return outcome{reply: reply{resp.StatusCode, resp.Header, string(b)}, read: err}
}

func faulty(t testing.TB, o pactflowtest.Options, rules ...pactflowtest.Rule) (*pactflowtest.Emulator, string) {
	t.Helper()
	e := start(t, o)
	srv := httptest.NewServer(e)
	t.Cleanup(srv.Close)
	if err := e.Inject(rules...); err != nil {
		t.Fatal(err)
	}
	return e, srv.URL
}

// TestFaults injects each fault into the creation of a team, and asks whether
// the client got an answer and whether there is a team.
func TestFaults(t *testing.T) {
	t.Parallel()
	type f = pactflowtest.Fault
	type s = pactflowtest.Status
	for _, tt := range []struct {
		name  string
		fault f
		code  int // 0: no answer
		body  string
		made  bool
	}{
		{"latency", f{Latency: &pactflowtest.Latency{Ms: 1, JitterMs: 1}}, 201, "", true},
		{"500", f{Status: &s{Code: 500}}, 500, `{"error":{"message":"Injected: Internal Server Error","reference":"0000000001"}}`, false},
		{"429", f{Status: &s{Code: 429, Header: map[string]string{"Retry-After": "3"}}}, 429, `{"error":"Injected: Too Many Requests"}`, false},
		{"422", f{Status: &s{Code: 422, Body: "{}"}}, 422, `{}`, false},
		{"lost answer", f{StatusAfterCommit: &s{Code: 502}}, 502, "", true},
		{"drop accept", f{Drop: &pactflowtest.Drop{When: "accept"}}, 0, "", false},
		{"drop headers", f{Drop: &pactflowtest.Drop{When: "headers"}}, 0, "", false},
		{"drop midBody", f{Drop: &pactflowtest.Drop{When: "midBody"}}, 201, "", true},
		{"drop afterCommit", f{Drop: &pactflowtest.Drop{When: "afterCommit"}}, 0, "", true},
		{"hang", f{Hang: &pactflowtest.Hang{Ms: 1}}, 0, "", false},
		{"hang after commit", f{Hang: &pactflowtest.Hang{Ms: 1, AfterCommit: true}}, 0, "", true},
		{"html", f{BadBody: &pactflowtest.BadBody{Kind: "html"}}, 200, "", false},
		{"truncated", f{BadBody: &pactflowtest.BadBody{Kind: "truncated"}}, 200, "", false},
		{"emptyJSON", f{BadBody: &pactflowtest.BadBody{Kind: "emptyJSON"}}, 200, "{}", false},
		{"wrongTypes", f{BadBody: &pactflowtest.BadBody{Kind: "wrongTypes"}}, 200, "", false},
		{"redirect", f{Redirect: &pactflowtest.Redirect{To: "http://elsewhere.example/"}}, 302, "", false},
		{"foreignLinks", f{ForeignLinks: &pactflowtest.ForeignLinks{Base: "http://elsewhere.example/"}}, 201, "", true},
		{"slowStream", f{SlowStream: &pactflowtest.SlowStream{BytesPerSec: 100_000}}, 201, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e, base := faulty(t, pactflowtest.Options{}, pactflowtest.Rule{Match: pactflowtest.Match{Method: "POST", Path: "/admin/*"}, Fault: tt.fault})
			got := over(t, base, "POST", "/admin/teams", `{"name":"T"}`)
			if (got.err != nil) != (tt.code == 0) || got.code != tt.code || tt.body != "" && got.body != tt.body {
				t.Fatalf("%v %d %s", got.err, got.code, got.body)
			}
			if made := len(e.State().Teams) == 2; made != tt.made {
				t.Errorf("made: %t", made)
			}
			if broken := got.read != nil; broken != (tt.name == "drop midBody") {
				t.Errorf("reading: %v", got.read)
			}
			switch tt.name {
			case "drop accept":
				if !errors.Is(got.err, syscall.ECONNRESET) {
					t.Errorf("%v, want a reset", got.err)
				}
			case "429":
				if got.header.Get("Retry-After") != "3" {
					t.Error(got.header)
				}
			case "html":
				if !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
					t.Error(got.header)
				}
			case "truncated", "foreignLinks":
				var v any
				if json.Unmarshal([]byte(got.body), &v) == nil && tt.name == "truncated" || tt.name != "truncated" && !strings.Contains(got.body, `"http://elsewhere.example/admin/teams/`) {
					t.Error(got.body)
				}
			case "redirect":
				if got.header.Get("Location") != "http://elsewhere.example/" {
					t.Error(got.header)
				}
			}
			// The log tells, and the rule is used up.
			if log := e.Log(); len(log) != 1 || len(log[0].Faults) != 1 || log[0].Status != tt.code {
				t.Errorf("log: %+v", log)
			}
			if len(e.Faults()) != 0 {
				t.Error("the rule is still there")
			}
			if got := over(t, base, "POST", "/admin/teams", `{"name":"U"}`); got.code != 201 {
				t.Errorf("afterwards: %v %d", got.err, got.code)
			}
		})
	}
}

// TestInjectedProblem: who asks for problem details gets the type of the rule.
func TestInjectedProblem(t *testing.T) {
	t.Parallel()
	_, base := faulty(t, pactflowtest.Options{},
		pactflowtest.Rule{Fault: pactflowtest.Fault{Status: &pactflowtest.Status{Code: 503, ProblemType: "license-expired"}}})
	got := over(t, base, "GET", "/user", "", "Accept", problem)
	want := `{"title":"Service Unavailable","type":"https://problems-registry.smartbear.com/license-expired","status":503,` +
		`"detail":"Injected: Service Unavailable","reference":"0000000001"}`
	if got.body != want {
		t.Error(got.body)
	}
}

// TestGzip: for who accepts it, if it is worth it; and what only says it is.
func TestGzip(t *testing.T) {
	t.Parallel()
	e, base := faulty(t, pactflowtest.Options{}, pactflowtest.Rule{Skip: 4, Fault: pactflowtest.Fault{BadBody: &pactflowtest.BadBody{Kind: "notGzip"}}})
	plain := over(t, base, "GET", "/admin/users", "", "Accept-Encoding", "identity")
	zipped := over(t, base, "GET", "/admin/users", "", "Accept-Encoding", "br, GZIP;q=0.5")
	refused := over(t, base, "GET", "/admin/users", "", "Accept-Encoding", "gzip;q=0")
	clear := over(t, base, "GET", "/admin/users", "") // by net/http
	if zipped.header.Get("Content-Encoding") != "gzip" || len(zipped.body) >= len(plain.body) || refused.body != plain.body ||
		clear.body != plain.body || plain.header.Get("Content-Encoding") != "" {
		t.Errorf("%v %d %d", zipped.header, len(zipped.body), len(plain.body))
	}
	if got := over(t, base, "GET", "/user", ""); got.read == nil {
		t.Error("nonsense was unzipped")
	}
	if got := over(t, base, "GET", "/diagnostic/status/heartbeat", "", "Accept-Encoding", "gzip"); got.header.Get("Content-Encoding") != "" {
		t.Error("a small answer is zipped")
	}
	if n := e.Calls(); n != 6 {
		t.Errorf("%d calls", n)
	}
}

// TestHugeArray: 64 MiB of valid JSON.
func TestHugeArray(t *testing.T) {
	t.Parallel()
	_, base := faulty(t, pactflowtest.Options{}, pactflowtest.Rule{Fault: pactflowtest.Fault{BadBody: &pactflowtest.BadBody{Kind: "hugeArray"}}})
	got := over(t, base, "GET", "/admin/users", "")
	if len(got.body) < 64<<20 || len(got.body) > 65<<20 || got.read != nil {
		t.Errorf("%d bytes, %v", len(got.body), got.read)
	}
	head, tail := []byte(got.body[:10_000]), []byte(got.body[len(got.body)-10_000:])
	if !bytes.HasPrefix(head, []byte(`{"users":[{"uuid":"`)) || !bytes.HasSuffix(tail, []byte(`"}],"_links":{}}`)) {
		t.Errorf("%s … %s", head[:100], tail[len(tail)-100:])
	}
	if testing.Short() {
		return
	}
	if !json.Valid([]byte(got.body)) {
		t.Error("not JSON")
	}
}

// TestDelaysEnd: a client that goes away, and closing the emulator, end what waits.
func TestDelaysEnd(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]pactflowtest.Fault{
		"latency":    {Latency: &pactflowtest.Latency{Ms: 3_600_000}},
		"hang":       {Hang: &pactflowtest.Hang{Ms: 3_600_000}},
		"slowStream": {SlowStream: &pactflowtest.SlowStream{BytesPerSec: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, pactflowtest.Options{})
			handled := make(chan struct{}, 2)
			reached := make(chan struct{}, 2)
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer func() { handled <- struct{}{} }()
				e.ServeHTTP(w, r)
			}))
			defer srv.Close()
			e.BeforeHandle(func(*http.Request) { reached <- struct{}{} })
			if err := e.Inject(pactflowtest.Rule{Times: -1, Fault: fault}); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			for _, end := range []func(){cancel, e.Close} {
				go func() {
					r, _ := http.NewRequestWithContext(ctx, "GET", srv.URL+"/admin/teams", nil)
					if resp, err := http.DefaultTransport.RoundTrip(r); err == nil {
						_, _ = io.Copy(io.Discard, resp.Body)
						_ = resp.Body.Close()
					}
				}()
				<-reached
				end()
				select {
				case <-handled:
				case <-time.After(10 * time.Second):
					srv.CloseClientConnections()
					t.Fatal("still waiting")
				}
				ctx = t.Context()
			}
		})
	}
}

// TestPartial: the first of the list, then an error.
func TestPartial(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ method, body, want string }{
		{"PUT", `{"users":["$u1","$u2","$u0"]}`, "[u1 u2] 2"},
		{"POST", `{"users":["$u1","$u2","$u3"]}`, "[u0 u1 u2] 3"},
		{"PATCH", `[{"op":"remove","path":"/users","value":{"uuid":"$u0"}},{"op":"add","path":"/users","value":{"uuid":"$u1"}},
			{"op":"add","path":"/users","value":{"uuid":"$u2"}}]`, "[u1] 1"},
	} {
		e := start(t, pactflowtest.Options{NoDefaults: true})
		v := crew(t, e, 4)
		do(t, e, scim, "PUT", v.in("/admin/teams/$t/users"), v.in(`{"users":["$u0"]}`))
		if err := e.Inject(pactflowtest.Rule{Match: pactflowtest.Match{Method: tt.method}, Fault: pactflowtest.Fault{Partial: &pactflowtest.Partial{First: 2}}}); err != nil {
			t.Fatal(err)
		}
		got := do(t, e, scim, tt.method, v.in("/admin/teams/$t/users"), v.in(tt.body))
		if now := members(t, e, scim, v["t"]); got.code != 500 || now != tt.want {
			t.Errorf("%s: %d, members %s, want %s", tt.method, got.code, now, tt.want)
		}
	}
}

// TestStale: reads show the state before the last write, and then the state.
func TestStale(t *testing.T) {
	t.Parallel()
	e := start(t, pactflowtest.Options{NoDefaults: true})
	v := crew(t, e, 2)
	do(t, e, scim, "PUT", v.in("/admin/teams/$t/users"), v.in(`{"users":["$u0"]}`))
	for _, write := range []struct{ method, url, body string }{
		{"PUT", "/admin/teams/$t/users", `{"users":["$u1"]}`},
		{"DELETE", "/admin/users/$u1", ""},
		{"PUT", "/admin/teams/$t", `{"name":"A"}`},
		{"POST", "/admin/users", `{"name":"new","email":"new@example.com"}`},
		{"DELETE", "/admin/teams/$t", ""},
	} {
		read := func() string {
			return do(t, e, scim, "GET", v.in("/admin/teams/$t"), "").body + do(t, e, scim, "GET", "/admin/users", "").body
		}
		before := read()
		if err := e.Inject(pactflowtest.Rule{Fault: pactflowtest.Fault{Stale: &pactflowtest.Stale{Reads: 2}}}); err != nil {
			t.Fatal(err)
		}
		if got := do(t, e, scim, write.method, v.in(write.url), v.in(write.body)); got.code >= 300 {
			t.Fatalf("%s %s: %d %s", write.method, write.url, got.code, got.body)
		}
		do(t, e, scim, "POST", "/admin/teams", `{}`) // what is refused is no write
		if got := read(); got != before {
			t.Errorf("%s %s: %s\nbefore: %s", write.method, write.url, got, before)
		}
		if got := read(); got == before {
			t.Errorf("%s %s: still stale", write.method, write.url)
		}
	}
}

// TestConflict: somebody else was faster.
func TestConflict(t *testing.T) {
	t.Parallel()
	e := start(t, pactflowtest.Options{NoDefaults: true})
	v := crew(t, e, 3)
	do(t, e, scim, "PUT", v.in("/admin/teams/$t/users"), v.in(`{"users":["$u0"]}`))
	type c = pactflowtest.Conflict
	for _, tt := range []struct {
		url  string
		by   c
		code int
		want string // in the answer
	}{
		{"/admin/users/$u0", c{}, 200, `"active":false`},
		{"/admin/users/$u0", c{Action: "rename", Value: "Neo"}, 200, `"name":"Neo"`},
		{"/admin/users/$u0", c{Action: "rename"}, 200, `"name":"Neo (changed)"`},
		{"/admin/teams/$t", c{}, 200, `"name":"T (changed)"`},
		{"/admin/teams/$t/users", c{Action: "addMember", Value: "$u2"}, 200, `"name":"u2"`},
		{"/admin/teams/$t/users", c{}, 200, `"users":[`},
		{"/admin/teams/$t", c{Action: "removeMember"}, 200, `"numberOfMembers":2`},
		{"/admin/users/$u0", c{Action: "delete"}, 410, ``},
		{"/admin/teams/$t", c{Action: "delete"}, 404, ``},
		{"/admin/teams/$t", c{Action: "rename"}, 404, ``},
		{"/user", c{}, 200, ``},
	} {
		tt.by.Value = v.in(tt.by.Value)
		if err := e.Inject(pactflowtest.Rule{Fault: pactflowtest.Fault{Conflict: &tt.by}}); err != nil {
			t.Fatal(err)
		}
		if got := do(t, e, scim, "GET", v.in(tt.url), ""); got.code != tt.code || !strings.Contains(got.body, tt.want) {
			t.Errorf("%s %+v: %d %s", tt.url, tt.by, got.code, got.body)
		}
	}
}

// TestRules: which request a rule takes, how often, and which rule goes first.
func TestRules(t *testing.T) {
	t.Parallel()
	status := func(code int, m pactflowtest.Match, skip, times int) pactflowtest.Rule {
		return pactflowtest.Rule{Match: m, Skip: skip, Times: times, Fault: pactflowtest.Fault{Status: &pactflowtest.Status{Code: code}}}
	}
	type m = pactflowtest.Match
	e := start(t, pactflowtest.Options{})
	if err := e.Inject(
		status(501, m{Method: "GET", Path: "/admin/users"}, 1, 2),
		status(502, m{Path: "/admin/users/*/roles", Token: "scim"}, 0, -1),
		status(503, m{Path: "/admin/teams/**", BodyContains: `"x"`}, 0, -1),
		status(504, m{Query: "page=2"}, 0, -1),
		status(505, m{Token: pactflowtest.ViewerToken}, 0, 0),
	); err != nil {
		t.Fatal(err)
	}
	for i, tt := range []struct {
		token, method, url, body string
		code                     int
	}{
		{scim, "GET", "/admin/users", "", 200}, // skipped
		{scim, "GET", "/admin/users", "", 501},
		{scim, "GET", "/admin/users?page=2", "", 501}, // the first rule that matches
		{scim, "GET", "/admin/users?page=2", "", 504}, // is used up
		{scim, "PUT", "/admin/users/u/roles", "{}", 502},
		{pactflowtest.AdminToken, "PUT", "/admin/users/u/roles", "{}", 404},
		{scim, "PUT", "/admin/users/u/roles/r", "{}", 404},
		{scim, "PUT", "/admin/teams/t/users", `{"users":["x"]}`, 503},
		{scim, "PUT", "/admin/teams/t/users", `{"users":["y"]}`, 404},
		{scim, "PATCH", "/admin/teams", `"x"`, 503}, // ** is any number, none too
		{pactflowtest.ViewerToken, "GET", "/user", "", 505},
		{pactflowtest.ViewerToken, "GET", "/user", "", 200},
	} {
		if got := do(t, e, tt.token, tt.method, tt.url, tt.body); got.code != tt.code {
			t.Errorf("%d: %s %s: %d, want %d", i, tt.method, tt.url, got.code, tt.code)
		}
	}
	if n := len(e.Faults()); n != 3 {
		t.Errorf("%d rules are left", n)
	}
	e.ClearFaults()
	// The same dice in every run.
	run := func() (s string) {
		e.ClearFaults()
		if err := e.Inject(pactflowtest.Rule{Times: -1, Probability: 0.5, Fault: pactflowtest.Fault{Status: &pactflowtest.Status{Code: 500}}}); err != nil {
			t.Fatal(err)
		}
		for range 40 {
			s += strconv.Itoa(do(t, e, scim, "GET", "/user", "").code / 100)
		}
		return s
	}
	if a, b := run(), run(); a != b || !strings.Contains(a, "5") || !strings.Contains(a, "2") {
		t.Errorf("%s %s", a, b)
	}
}

// TestBadRules: what could never happen is refused, and nothing is added.
func TestBadRules(t *testing.T) {
	t.Parallel()
	e := start(t, pactflowtest.Options{})
	good := pactflowtest.Fault{Status: &pactflowtest.Status{Code: 500}}
	for name, bad := range map[string]pactflowtest.Rule{
		"no fault":    {},
		"path":        {Match: pactflowtest.Match{Path: "["}, Fault: good},
		"times":       {Times: -2, Fault: good},
		"skip":        {Skip: -1, Fault: good},
		"probability": {Probability: 2, Fault: good},
		"status":      {Fault: pactflowtest.Fault{StatusAfterCommit: &pactflowtest.Status{Code: 20}}},
		"drop":        {Fault: pactflowtest.Fault{Drop: &pactflowtest.Drop{When: "soon"}}},
		"badBody":     {Fault: pactflowtest.Fault{BadBody: &pactflowtest.BadBody{Kind: "nice"}}},
		"conflict":    {Fault: pactflowtest.Fault{Conflict: &pactflowtest.Conflict{Action: "war"}}},
		"slowStream":  {Fault: pactflowtest.Fault{SlowStream: &pactflowtest.SlowStream{}}},
	} {
		if err := e.Inject(pactflowtest.Rule{Fault: good}, bad); err == nil || !strings.Contains(err.Error(), "rule 1") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(e.Faults()) != 0 {
		t.Error("a rule was added")
	}
}

// TestDropWithoutConnection: a recorder has no connection to close.
func TestDropWithoutConnection(t *testing.T) {
	t.Parallel()
	e := start(t, pactflowtest.Options{})
	if err := e.Inject(pactflowtest.Rule{Fault: pactflowtest.Fault{Drop: &pactflowtest.Drop{When: "headers"}}}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if v := recover(); v != http.ErrAbortHandler {
			t.Errorf("%v", v)
		}
	}()
	do(t, e, scim, "GET", "/user", "")
}
