package facade_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/facade"
	"github.com/rollcall-scim/rollcall/scim"
)

// TestFailureSCIM covers what TestTries has no case for: types, texts and times.
func TestFailureSCIM(t *testing.T) {
	t.Parallel()
	cause := errors.New("dial tcp 10.1.2.3:443: no route")
	for _, c := range []struct {
		f      facade.Failure
		status int
		typ    scim.ErrorType
		wait   time.Duration
		detail string
	}{
		{facade.Failure{Status: 400}, 400, scim.TypeInvalidValue, 0, "App refuses a value"},
		{facade.Failure{Status: 400, Text: "email is invalid", RequestID: "r1"}, 400, scim.TypeInvalidValue, 0, "App refuses a value: email is invalid (App's request id r1)"},
		{facade.Failure{Status: 400, Problem: "already-exists"}, 409, scim.TypeUniqueness, 0, "App has a resource with this value already"},
		{facade.Failure{Status: 422, Problem: "already-exists"}, 409, scim.TypeUniqueness, 0, "App has a resource with this value already"},
		{facade.Failure{Status: 400, Text: "name: A user already exists"}, 409, scim.TypeUniqueness, 0, "App has a resource with this value already: name: A user already exists"},
		{facade.Failure{Status: 422, Text: "has Already been taken"}, 409, scim.TypeUniqueness, 0, "App has a resource with this value already: has Already been taken"},
		{facade.Failure{Status: 400, Text: "is already in use"}, 409, scim.TypeUniqueness, 0, "App has a resource with this value already: is already in use"},
		{facade.Failure{Status: 403, Text: "already exists"}, 403, "", 0, "App does not let this token do that: already exists"},
		{facade.Failure{Status: 400, Text: "Invalid JSON in the body"}, 400, scim.TypeInvalidSyntax, 0, "App can't read what it was sent: Invalid JSON in the body"},
		{facade.Failure{Status: 409}, 409, scim.TypeUniqueness, 0, "App has a resource with this value already"},
		{facade.Failure{Status: 409, Call: "DELETE /a"}, 409, "", 0, "App refuses to delete it"},
		{facade.Failure{Status: 422, Call: "DELETE /a", Text: "default team"}, 409, "", 0, "App refuses to delete it: default team"},
		{facade.Failure{Status: 401}, 401, scim.TypeInvalidValue, 0, "App does not accept the token"},
		{facade.Failure{Status: 401, Text: "no", RequestID: "r1"}, 401, scim.TypeInvalidValue, 0, "App does not accept the token; it says: no (App's request id r1)"},
		{facade.Failure{Status: 410}, 404, "", 0, "App has no such resource"},
		{facade.Failure{Status: 418}, 502, "", 0, "App failed with status 418"},
		{facade.Failure{Status: 500, Sent: true, Text: "(reference x)"}, 502, "", 0, "App failed with status 500; the outcome is unknown: it may have been carried out: (reference x)"},
		{facade.Failure{Status: 429}, 429, "", 30 * time.Second, "App has had too many requests; try again later"},
		{facade.Failure{Status: 429, RetryAfter: time.Minute}, 429, "", time.Minute, "App has had too many requests; try again later"},
		{facade.Failure{Status: 503, Call: "GET /a", Sent: true, RetryAfter: time.Minute}, 503, "", time.Minute, "App is not available at the moment; try again"},
		{facade.Failure{Reason: facade.Unreached, Err: cause}, 502, "", 0, "App can't be reached"},
		{facade.Failure{Reason: facade.TimedOut, Sent: true}, 504, "", 0, "App did not answer in time; the outcome is unknown: it may have been carried out"},
		{facade.Failure{Reason: facade.TimedOut}, 504, "", 0, "App did not answer in time"},
		{facade.Failure{Reason: facade.Nonsense, Text: "a redirect", Status: 302}, 502, "", 0, "App gave an answer that can't be used: a redirect"},
	} {
		if c.f.Reason == "" {
			c.f.Reason = facade.Refused
		}
		if c.f.Call == "" {
			c.f.Call = "PUT /a"
		}
		c.f.Name = "App"
		e := c.f.SCIM()
		if e.Status != c.status || e.Type != c.typ || e.RetryAfter != c.wait || e.Detail != c.detail {
			t.Errorf("%+v:\ngot  %d %q %v %s\nwant %d %q %v %s", c.f, e.Status, e.Type, e.RetryAfter, e.Detail, c.status, c.typ, c.wait, c.detail)
		}
		if !errors.Is(e, error(&c.f)) {
			t.Errorf("%+v is not the cause", c.f)
		}
	}
	f := facade.Failure{Name: "App", Call: "PUT /a", Reason: facade.Refused, Status: 500, Problem: "p", Text: "t", RequestID: "r",
		Err: errors.New("proxy http://joe:s3cret@proxy\x1b[31m:3128")}
	if got, want := f.Error(), "App: PUT /a: refused, status 500, p: t (request id r): proxy http://***@proxy [31m:3128"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestReadComplaint: what applications say, in the ways in which they say it.
func TestReadComplaint(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]facade.Complaint{
		`{"title":"Invalid","type":"https://x.example/problems/validation-error","status":400,"detail":"no name","errors":[{"detail":"must be there","pointer":"/name"},{"detail":"odd","parameter":"page"}]}`: {Problem: "validation-error", Text: "Invalid; no name; /name: must be there; page: odd"},
		`{"type":"about:blank","title":"Conflict"}`:               {Text: "Conflict"},
		`{"type":"urn:x:already-exists/"}`:                        {Problem: "already-exists"},
		`{"errors":["a","b","a"]}`:                                {Text: "a; b"},
		`{"errors":{"name":["is taken","is short"],"age":"bad"}}`: {Text: "age: bad; name: is taken; name: is short"},
		`{"error":"no"}`:                                          {Text: "no"},
		`{"error":{"message":"boom","reference":"abc"}}`:          {Text: "boom; (reference abc)"},
		`{"message":"m","reference":"top"}`:                       {Text: "m; (reference top)"},
		`{"errors":[{"message":"m"}],"error":7}`:                  {Text: "m"},
		`{"error":{"password":"is too short"}}`:                   {Text: "password: is too short"},
		`[]`:                                                      {},
		`"no"`:                                                    {},
		`{"errors":`:                                              {},
		`<html>no</html>`:                                         {},
		``:                                                        {},
		`{"errors":null}`:                                         {},
		`{"type":7,"title":8}`:                                    {},
	} {
		if got := facade.ReadComplaint(nil, []byte(body)); got != want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", body, got, want)
		}
	}
}

// TestText: of an application's words a client sees one line, no secret, and no
// more than 512 characters.
func TestText(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 600)
	for says, want := range map[string]string{
		"a\r\nb\x00\x1b[31mc\u202e d\u2028e":       "a b [31mc d e",
		"token " + token + " has expired":          "token *** has expired",
		"got Authorization: Bearer abc.def-ghi":    "got Authorization: *** ***",
		"see https://joe:pw@host/":                 "see https://***@host/",
		"api_key=abc123&password=hunter2 is wrong": "api_key=***&password=*** is wrong",
		long: strings.Repeat("é", 511) + "…",
	} {
		s := newHostile(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Request-Id", "id "+token+"\tx")
			w.WriteHeader(400)
			_, _ = w.Write([]byte(`{"error":` + string(scim.AppendString(nil, says)) + `}`))
		})
		_, err := upstream(t, s.URL, nil).Do(facade.WithCaller(t.Context(), token), facade.Call{Method: "GET", Path: "/a"}, nil)
		if f := failure(t, err); f.Text != want || f.RequestID != "id *** x" {
			t.Errorf("%q:\ngot  %q (%q)\nwant %q", says, f.Text, f.RequestID, want)
		}
	}
	s := newHostile(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(400); flood(1)(w, r) })
	_, _ = upstream(t, s.URL, func(o *facade.Options) {
		o.Complaint = func(_ http.Header, body []byte) facade.Complaint {
			if len(body) != 64<<10 {
				t.Errorf("%d bytes of a refusal are read", len(body))
			}
			return facade.Complaint{}
		}
	}).Do(t.Context(), facade.Call{Method: "GET", Path: "/a"}, nil)
	s = newHostile(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400); _, _ = w.Write([]byte(`42`)) })
	u := upstream(t, s.URL, func(o *facade.Options) {
		o.Complaint = func(_ http.Header, body []byte) facade.Complaint {
			return facade.Complaint{Problem: "p" + string(body), Text: "of " + token}
		}
	})
	_, err := u.Do(facade.WithCaller(t.Context(), token), facade.Call{Method: "GET", Path: "/a"}, nil)
	if f := failure(t, err); f.Problem != "p42" || f.Text != "of ***" {
		t.Errorf("an application's own shape: %+v", f)
	}
}
