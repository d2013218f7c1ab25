package pactflow_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/pactflow"
	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://PactFlow.Example.com":           "https://pactflow.example.com",
		"HTTPS://pactflow.example.com:443/":      "https://pactflow.example.com",
		"http://pactflow:80//":                   "http://pactflow",
		"http://pactflow:9292/":                  "http://pactflow:9292",
		" http://pactflow:443 ":                  "http://pactflow:443",
		"https://example.com/Pact/Flow/":         "https://example.com/Pact/Flow",
		"http://[::1]:9292":                      "http://[::1]:9292",
		"http://[::1]:80/":                       "http://[::1]",
		"":                                       "",
		"pactflow.example.com":                   "",
		"ftp://pactflow.example.com":             "",
		"http://":                                "",
		"http:///x":                              "",
		"http://:9292":                           "",
		"http://user:secret@pactflow.example":    "",
		"http://pactflow.example?x=1":            "",
		"http://pactflow.example?":               "",
		"http://pactflow.example#x":              "",
		"http://user:secret@pactflow.example:x/": "",
		"http://pactflow.example:65535":          "http://pactflow.example:65535",
		"http://pactflow.example:65536":          "",
		"http://pactflow.example:0":              "",
		"http://pactflow.example:999999999999":   "",
		"http://[::1]:70000":                     "",
	} {
		u, err := pactflow.ParseURL(in)
		switch {
		case want == "" && err == nil:
			t.Errorf("%q is taken as %s", in, u)
		case want == "" && strings.Contains(err.Error(), "secret"):
			t.Errorf("%q: the error tells a password: %v", in, err)
		case want != "" && (err != nil || u.String() != want):
			t.Errorf("%q is %v, want %s (%v)", in, u, want, err)
		}
	}
}

// foreign is another server that must never see a request.
func foreign(t *testing.T) (url string, seen *atomic.Int64) {
	t.Helper()
	seen = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { seen.Add(1) }))
	t.Cleanup(s.Close)
	return s.URL, seen
}

// TestForeignLinks is mapping 7: links that lead elsewhere are not followed,
// single resources work, and the log says once what to do.
func TestForeignLinks(t *testing.T) {
	t.Parallel()
	other, seen := foreign(t)
	r := newRig(t, pactflowtest.Options{Seed: "large:250", LinkBase: other}, pactflow.Options{})
	text := "PactFlow returned links for " + other + " but PACTFLOW_URL is " + r.up.URL + ". Set PACTFLOW_URL to one of the URLs in PactFlow's PACTFLOW_BASE_URL, or add " + r.up.URL + " to that list."
	for range 3 {
		a := r.refused(502, "", "GET /Users", "")
		if a.detail() != text {
			t.Errorf("got  %s\nwant %s", a.detail(), text)
		}
		r.refused(502, "", "POST /Users", person("x"))
	}
	r.want(200, "GET /Users/"+r.emu.State().Users[0].UUID, "")
	if n := strings.Count(r.log.String(), "level=ERROR"); n != 1 {
		t.Errorf("logged %d times", n)
	}
	if n := seen.Load(); n != 0 {
		t.Errorf("the other server had %d requests", n)
	}
	ready := r.backend.Ready(context.Background())
	if !ready.Up || len(ready.Warnings) != 1 || !strings.Contains(ready.Warnings[0], other) {
		t.Errorf("ready: %+v", ready)
	}
	if err := r.backend.Ping(context.Background()); err != nil {
		t.Errorf("ping: %v", err)
	}
}

// TestForeignSelf: a list of one page has no link to follow; it only warns.
func TestForeignSelf(t *testing.T) {
	t.Parallel()
	r := newRig(t, pactflowtest.Options{Seed: "okta", BaseURL: "http://pactflow.example.com"}, pactflow.Options{})
	for range 3 {
		r.want(200, "GET /Users", "")
		r.want(200, "GET /Users/"+adaID, "")
	}
	if n := strings.Count(r.log.String(), "level=WARN"); n != 1 || strings.Contains(r.log.String(), "level=ERROR") {
		t.Errorf("logged %d times: %s", n, r.log)
	}
}

// TestOwnLinks: what differs only in writing is the same address.
func TestOwnLinks(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"", "/pact"} {
		emu, err := pactflowtest.New(pactflowtest.Options{Seed: "large:250"})
		if err != nil {
			t.Fatal(err)
		}
		up := httptest.NewServer(emu)
		t.Cleanup(up.Close)
		host := strings.TrimPrefix(up.URL, "http://")
		// PactFlow knows itself by two addresses, of which the request's counts.
		if emu, err = pactflowtest.New(pactflowtest.Options{Seed: "large:250", BaseURL: "http://localhost http://" + host + prefix}); err != nil {
			t.Fatal(err)
		}
		up.Config.Handler = emu
		u, err := pactflow.ParseURL("HTTP://" + host + prefix + "/")
		if err != nil {
			t.Fatal(err)
		}
		r := newRig(t, pactflowtest.Options{}, pactflow.Options{URL: u})
		r.want(200, "GET /Users", "")
		if w := r.backend.Ready(context.Background()); !w.Up || w.Warnings != nil {
			t.Errorf("%s: %+v", prefix, w)
		}
		if emu.Calls() != 4 {
			t.Errorf("%s: %d calls", prefix, emu.Calls())
		}
	}
}

// TestReady: the heartbeat needs no token, and one answer counts for 10 s.
func TestReady(t *testing.T) {
	t.Parallel()
	now := time.Now()
	r := newRig(t, pactflowtest.Options{}, pactflow.Options{Now: func() time.Time { return now }})
	asked := 1
	for !r.backend.Ready(context.Background()).Up && asked < 10 { // a busy machine may take too long
		now = now.Add(11 * time.Second)
		asked++
	}
	for range 3 {
		if ready := r.backend.Ready(context.Background()); !ready.Up || ready.Detail != "" || ready.Warnings != nil {
			t.Errorf("%+v", ready)
		}
	}
	for _, e := range r.emu.Log() {
		if e.Header.Get("Authorization") != "" || e.Token != "" {
			t.Error("the heartbeat got a token")
		}
	}
	r.called(slices.Repeat([]string{"GET /diagnostic/status/heartbeat"}, asked)...)
	if err := r.emu.Inject(pactflowtest.Rule{Match: pactflowtest.Match{Path: "/diagnostic/**"}, Times: -1, Fault: pactflowtest.Fault{Hang: &pactflowtest.Hang{Ms: 60_000}}}); err != nil {
		t.Fatal(err)
	}
	if ready := r.backend.Ready(context.Background()); !ready.Up {
		t.Error("the answer did not count for 10 s")
	}
	now = now.Add(11 * time.Second)
	began := time.Now()
	ready := r.backend.Ready(context.Background())
	if took := time.Since(began); ready.Up || ready.Detail == "" || took > 30*time.Second {
		t.Errorf("%+v after %v", ready, took)
	}
	if r.backend.Ping(context.Background()) == nil {
		t.Error("Ping says that all is well")
	}
}
