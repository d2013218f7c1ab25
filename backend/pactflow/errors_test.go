package pactflow_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/pactflow"
	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
)

// failing is a request whose calls all fail in one way, and what it is told.
type failing struct {
	name   string
	line   string
	fault  pactflowtest.Fault
	status int
	typ    string
	retry  string // Retry-After
	says   string
}

// try makes the request, of which a call may take timeout.
func (tt failing) try(t testing.TB, timeout time.Duration) {
	r := newRig(t, pactflowtest.Options{Seed: "okta"}, pactflow.Options{CallTimeout: timeout})
	method, _, _ := strings.Cut(tt.line, " ")
	body := map[string]string{"PUT": adaBody(`"active":false`), "POST": group("New")}[method]
	if err := r.emu.Inject(pactflowtest.Rule{Match: pactflowtest.Match{Method: method}, Times: -1, Fault: tt.fault}); err != nil {
		t.Fatal(err)
	}
	a := r.refused(tt.status, tt.typ, tt.line, body)
	if got := a.header.Get("Retry-After"); got != tt.retry {
		t.Errorf("Retry-After is %q, want %q", got, tt.retry)
	}
	if !strings.Contains(a.detail(), tt.says) {
		t.Errorf("no %q in %s", tt.says, a.detail())
	}
	if got := a.header.Get("Content-Type"); !strings.HasPrefix(got, "application/scim+json") {
		t.Errorf("Content-Type %s", got)
	}
	for _, secret := range []string{r.token, "<html", r.up.URL, "127.0.0.1"} {
		if strings.Contains(a.text, secret) {
			t.Errorf("%s in %s", secret, a.text)
		}
	}
	if wrong := tt.typ == "invalidSyntax"; strings.Contains(r.log.String(), "level=ERROR") != wrong {
		t.Errorf("an ERROR in the log: %v, want %v: %s", !wrong, wrong, r.log.String())
	}
	if strings.Contains(r.log.String(), r.token) {
		t.Error("the log has the token")
	}
}

// TestErrors is the table of mapping 6.
func TestErrors(t *testing.T) {
	t.Parallel()
	code := func(n int) pactflowtest.Fault {
		return pactflowtest.Fault{Status: &pactflowtest.Status{Code: n}}
	}
	with := func(n int, body string, header map[string]string) pactflowtest.Fault {
		return pactflowtest.Fault{Status: &pactflowtest.Status{Code: n, Body: body, Header: header}}
	}
	bad := func(kind string) pactflowtest.Fault {
		return pactflowtest.Fault{BadBody: &pactflowtest.BadBody{Kind: kind}}
	}
	problem := func(n int, kind string) pactflowtest.Fault {
		return pactflowtest.Fault{Status: &pactflowtest.Status{Code: n, ProblemType: kind}}
	}
	const put = "PUT /Users/" + adaID
	const get = "GET /Users/" + adaID
	for _, tt := range []failing{
		{"401", get, code(401), 401, "invalidValue", "", "token"},
		{"401 of a write", put, code(401), 401, "invalidValue", "", "token"},
		{"403 of a read", get, code(403), 403, "", "", "SCIM role"},
		{"403 of a write", put, code(403), 403, "", "", "can write"},
		{"404", get, code(404), 404, "", "", ""},
		{"410", get, code(410), 404, "", "", ""},
		{"404 of a write", put, code(404), 404, "", "", ""},
		{"410 of a write", put, code(410), 404, "", "", ""},
		{"409", put, code(409), 409, "uniqueness", "", ""},
		{"400 that means 409, by its type", put, problem(400, "already-exists"), 409, "uniqueness", "", ""},
		{"400 that means 409, by its words", put, with(400, `{"errors":{"email":["x has already been taken"]}}`, nil), 409, "uniqueness", "", "already been taken"},
		{"422 that means 409", put, with(422, `{"errors":["is already in use"]}`, nil), 409, "uniqueness", "", ""},
		{"400", put, with(400, `{"errors":{"email":["is not an address"]}}`, nil), 400, "invalidValue", "", "email: is not an address"},
		{"400 of bad JSON", put, with(400, `{"error":"invalid JSON"}`, nil), 400, "invalidSyntax", "", ""},
		{"422", put, code(422), 400, "invalidValue", "", ""},
		{"422 of a DELETE", "DELETE /Groups/" + pactflowtest.SampleTeam, code(422), 409, "", "", ""},
		{"405", put, code(405), 502, "", "", "405"},
		{"406", get, code(406), 502, "", "", ""},
		{"415", put, code(415), 502, "", "", ""},
		{"302", get, pactflowtest.Fault{Redirect: &pactflowtest.Redirect{To: "http://127.0.0.1:1/"}}, 502, "", "", "redirect"},
		{"HTML", get, bad("html"), 502, "", "", ""},
		{"half", get, bad("truncated"), 502, "", "", ""},
		{"empty", get, bad("emptyJSON"), 502, "", "", "uuid"},
		{"empty list", "GET /Users", bad("emptyJSON"), 502, "", "", ""},
		{"wrong types", get, bad("wrongTypes"), 502, "", "", ""},
		{"wrong types in a list", "GET /Groups", bad("wrongTypes"), 502, "", "", ""},
		{"64 MiB", "GET /Users", bad("hugeArray"), 502, "", "", "bytes"},
		{"no gzip", get, bad("notGzip"), 502, "", "", ""},
		{"429", put, code(429), 429, "", "30", ""},
		{"429 with a time", put, with(429, "", map[string]string{"Retry-After": "77"}), 429, "", "77", ""},
		{"500", put, with(500, `{"error":{"message":"boom","reference":"abcdef1234"}}`, nil), 502, "", "", "abcdef1234"},
		{"503 of a write that can't be repeated", "POST /Groups", code(503), 503, "", "5", ""},
		{"503 with a time", "POST /Groups", with(503, "", map[string]string{"Retry-After": "9"}), 503, "", "9", ""},
		{"502", "POST /Groups", code(502), 503, "", "5", ""},
		{"504", "POST /Groups", code(504), 503, "", "5", ""},
		{"too slow", get, pactflowtest.Fault{Hang: &pactflowtest.Hang{Ms: 20_000}}, 504, "", "", "in time"},
		{"too slow, of a write", put, pactflowtest.Fault{Hang: &pactflowtest.Hang{Ms: 20_000}}, 504, "", "", "outcome is unknown"},
		{"dripping", get, pactflowtest.Fault{SlowStream: &pactflowtest.SlowStream{BytesPerSec: 20}}, 504, "", "", "in time"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.fault.Hang == nil && tt.fault.SlowStream == nil {
				tt.try(t, time.Minute)
				return
			}
			patiently(t, tt.try)
		})
	}
}

// TestUnreachable: nobody listens, or the name is nobody's.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"http://127.0.0.1:1", "http://nobody.invalid"} {
		u, err := pactflow.ParseURL(at)
		if err != nil {
			t.Fatal(err)
		}
		r := newRig(t, pactflowtest.Options{}, pactflow.Options{URL: u})
		for _, line := range []string{"GET /Users", "GET /Users/" + adaID, "DELETE /Users/" + adaID} {
			a := r.refused(502, "", line, "")
			if strings.Contains(a.detail(), "127.0.0.1") || !strings.Contains(a.detail(), "can't be reached") {
				t.Errorf("%s", a.detail())
			}
		}
	}
}

// TestTokens: what PactFlow says of a token is passed on.
func TestTokens(t *testing.T) {
	t.Parallel()
	r := okta(t, pactflow.Options{})
	for _, tt := range []struct {
		token, line, body string
		status            int
		says              string
	}{
		{"unknown-to-anybody", "GET /Users", "", 401, "token"},
		{pactflowtest.ExpiredToken, "GET /Users", "", 401, "token"},
		{pactflowtest.NoAccessToken, "GET /Users", "", 403, "SCIM role"},
		{pactflowtest.ViewerToken, "GET /Users", "", 200, ""},
		{pactflowtest.ReadOnlyToken, "GET /Users", "", 200, ""},
		{pactflowtest.ReadOnlyToken, "PUT /Users/" + adaID, adaBody(`"active":false`), 403, "can write"},
		{pactflowtest.ReadOnlyToken, "POST /Groups", group("X"), 403, "can write"},
		{pactflowtest.InviteToken, "POST /Users", person("x"), 403, ""},
		{pactflowtest.AdminToken, "POST /Users", person("x"), 403, "SCIM role"}, // externalIdp… is the SCIM role's alone
	} {
		a := r.as(tt.token).want(tt.status, tt.line, tt.body)
		if !strings.Contains(a.detail(), tt.says) {
			t.Errorf("%s of %s: %s", tt.line, tt.token, a.detail())
		}
		if tt.status == http.StatusUnauthorized && a.header.Get("WWW-Authenticate") == "" {
			t.Error("a 401 without a challenge")
		}
	}
	// Nobody changes their own roles.
	sample := newRig(t, pactflowtest.Options{}, pactflow.Options{}).as(pactflowtest.AdminToken)
	a := sample.refused(403, "", "PATCH /Users/"+pactflowtest.SampleUser, patchOf(`{"op":"add","path":"roles","value":[{"value":"`+ciRole+`"}]}`))
	if !strings.Contains(a.detail(), "own roles") {
		t.Errorf("%s", a.detail())
	}
}

// TestNoCollection: that PactFlow has no users at all is no "no such user": it is
// not PactFlow that answers at this address.
func TestNoCollection(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		line, body string
		match      pactflowtest.Match
	}{
		{"POST /Users", person("x"), pactflowtest.Match{Method: "POST"}},
		{"POST /Users", person("x"), pactflowtest.Match{Method: "GET"}},
		{"POST /Users", `{"displayName":"X","userType":"System Account"}`, pactflowtest.Match{Method: "POST"}},
		{"POST /Groups", group("x"), pactflowtest.Match{Method: "POST"}},
		{"POST /Groups", group("x"), pactflowtest.Match{Method: "GET"}},
		{"GET /Users", "", pactflowtest.Match{Method: "GET"}},
		{"GET /Groups", "", pactflowtest.Match{Method: "GET"}},
		{`GET /Users?filter=userName eq "x"`, "", pactflowtest.Match{Method: "GET"}},
	} {
		for _, code := range []int{404, 410} {
			for _, index := range []time.Duration{0, time.Minute} {
				r := okta(t, pactflow.Options{IndexTime: index})
				if err := r.emu.Inject(pactflowtest.Rule{Match: tt.match, Times: -1, Fault: pactflowtest.Fault{Status: &pactflowtest.Status{Code: code}}}); err != nil {
					t.Fatal(err)
				}
				a := r.refused(502, "", tt.line, tt.body)
				if !strings.Contains(a.detail(), "PACTFLOW_URL") || strings.Contains(a.text, "127.0.0.1") {
					t.Errorf("%s: %s", tt.line, a.detail())
				}
			}
		}
	}
}
