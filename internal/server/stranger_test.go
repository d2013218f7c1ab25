package server_test

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
	"github.com/rollcall-scim/rollcall/internal/guard"
	"github.com/rollcall-scim/rollcall/internal/server"
)

// few starts a server that bears as many refused credentials as the program does.
func few(t *testing.T, environ ...string) *running {
	t.Helper()
	r, err := tryStartAs(t, func(s *server.Settings) { s.SetRefusals(0) }, append(environ, "ROLLCALL_TRUSTED_PROXIES=127.0.0.0/8")...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// fewBehind is few in front of PactFlow.
func fewBehind(t *testing.T, environ ...string) (*running, *pactflowtest.Emulator) {
	t.Helper()
	e, err := pactflowtest.New(pactflowtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	address := serveHTTP(t, e)
	t.Cleanup(e.Close)
	return few(t, append([]string{"PACTFLOW_URL=" + address, "ROLLCALL_TOKEN=", "ROLLCALL_DATA_DIR=" + noFolder}, environ...)...), e
}

func from(address string) string { return "X-Forwarded-For: " + address }

func (r *running) login(token, address string) answer {
	return r.do("POST", "/looking-glass/login", "token="+url.QueryEscape(token), "Authorization:", "Content-Type: application/x-www-form-urlencoded", from(address))
}

// Wrong tokens at the console and at the metrics are counted with those elsewhere.
func TestGuessingAnywhere(t *testing.T) {
	t.Parallel()
	const secret = "a-token-for-metrics-alone"
	r := few(t, "ROLLCALL_METRICS_TOKEN="+secret)
	guesses := []func(address string) answer{
		func(address string) answer { return r.login("a-wrong-token", address) },
		func(address string) answer { return r.do("GET", "/metrics", "", as("a-wrong-token"), from(address)) },
		func(address string) answer {
			return r.do("GET", "/scim/v2/Users", "", as("a-wrong-token"), from(address))
		},
	}
	for i := range guard.FailuresAtOnce {
		if a := guesses[i%3]("192.0.2.1"); a.status != 401 {
			t.Fatalf("the %d. guess: %d", i+1, a.status)
		}
	}
	for i, guess := range guesses {
		if a := guess("192.0.2.1"); a.status != 429 || a.header.Get("Retry-After") == "" {
			t.Errorf("one too many at %d: %d", i, a.status)
		}
		if a := guess("192.0.2.2"); a.status != 401 {
			t.Errorf("another address at %d: %d", i, a.status)
		}
	}
	if a := r.login(testToken, "192.0.2.1"); a.status != 303 {
		t.Errorf("a good token at the console: %d", a.status)
	}
	if a := r.do("GET", "/metrics", "", as(secret), from("192.0.2.1")); a.status != 200 {
		t.Errorf("a good token at the metrics: %d", a.status)
	}
}

// What PactFlow refuses counts as well, and it is not asked without end.
func TestGuessingBehind(t *testing.T) {
	t.Parallel()
	r, e := fewBehind(t)
	ask := func(token, address string) int {
		return r.do("GET", "/scim/Users", "", as(token), from(address)).status
	}
	if status := ask(pactflowtest.AdminToken, "192.0.2.1"); status != 200 {
		t.Fatalf("a good token: %d", status)
	}
	last := 0
	for i := range 2 * guard.FailuresAtOnce {
		last = ask(fmt.Sprint("guess-", i), "192.0.2.1")
	}
	if last != 429 {
		t.Errorf("after many guesses: %d", last)
	}
	before := e.Calls()
	if status := ask("another-guess", "192.0.2.1"); status != 429 || e.Calls() != before {
		t.Errorf("a guess too many: %d, %d calls of PactFlow", status, e.Calls()-before)
	}
	if status := ask(pactflowtest.AdminToken, "192.0.2.1"); status != 200 {
		t.Errorf("a token that PactFlow took before, from there: %d", status)
	}
	if status := ask(pactflowtest.SCIMToken, "192.0.2.2"); status != 200 {
		t.Errorf("a good token from elsewhere: %d", status)
	}
}

// The console of a façade passes only so many tokens on.
func TestGuessingConsoleBehind(t *testing.T) {
	t.Parallel()
	const viewer = "a-token-to-look-with"
	r, e := fewBehind(t, "ROLLCALL_CONSOLE_TOKEN="+viewer)
	for i := range guard.FailuresAtOnce {
		if a := r.login(fmt.Sprint("guess-", i), "192.0.2.1"); a.status != 401 {
			t.Fatalf("the %d. guess: %d", i+1, a.status)
		}
	}
	before := e.Calls()
	if a := r.login("another-guess", "192.0.2.1"); a.status != 429 || e.Calls() != before {
		t.Errorf("a guess too many: %d, %d calls of PactFlow", a.status, e.Calls()-before)
	}
	if a := r.login(viewer, "192.0.2.1"); a.status != 303 {
		t.Errorf("who may look: %d", a.status)
	}
	if a := r.login(pactflowtest.AdminToken, "192.0.2.2"); a.status != 303 {
		t.Errorf("a good token from elsewhere: %d", a.status)
	}
}

// Junk does not use up the rate of others.
func TestRateBehind(t *testing.T) {
	t.Parallel()
	r, _ := fewBehind(t, "ROLLCALL_RATE_LIMIT=1:4")
	ask := func(token, address string) answer {
		return r.do("GET", "/scim/Users?count=0", "", as(token), from(address))
	}
	let, began := 0, time.Now()
	for i := range 12 {
		if ask(fmt.Sprint("junk-", i), "192.0.2.1").status != 429 {
			let++
		}
	}
	if let < 4 || let > atMost(4, began) {
		t.Errorf("%d of 12 junk tokens of one address were let through", let)
	}
	if a := ask(pactflowtest.AdminToken, "192.0.2.2"); a.status != 200 || a.header.Get("X-Rate-Limit-Limit") != "4" {
		t.Errorf("an honest one: %d", a.status)
	}
	let, began = 0, time.Now()
	for i := range 12 {
		if ask(pactflowtest.SCIMToken, fmt.Sprint("198.51.100.", i)).status != 429 {
			let++
		}
	}
	if let < 4 || let > atMost(4, began) {
		t.Errorf("%d of 12 requests of one token were let through", let)
	}
}
