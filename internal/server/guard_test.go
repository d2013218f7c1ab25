package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/guard"
	"github.com/rollcall-scim/rollcall/internal/replay"
	"github.com/rollcall-scim/rollcall/internal/server"
)

// TestBreaker holds a mass change until an operator lets it pass (T27), from the
// settings to the command line.
func TestBreaker(t *testing.T) {
	everywhere(t, func(t *testing.T, s *served) {
		s.must("tenant", "add", "acme", "breaker.mode=hold", "breaker.people=2", "protected=[\"User:root\"]", "promotion.roles.never=[\"admin\"]")
		token := s.must("token", "add", "idp", "--tenant", "acme")
		s.waitForToken(token)
		var ids []string
		for i := range 5 {
			ids = append(ids, s.made(token, "/scim/v2/Users", fmt.Sprintf(`{"userName":"p%d"}`, i)))
		}
		off := fmt.Sprintf(patchOp, `{"op":"replace","value":{"active":false}}`)
		deactivate := func(id string) answer { return s.with(token, "PATCH", "/scim/v2/Users/"+id, off) }
		for _, id := range ids[:2] {
			if a := deactivate(id); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
		}
		a := deactivate(ids[2])
		after, err := strconv.Atoi(a.header.Get("Retry-After"))
		if a.status != 429 || err != nil || after < 1 || after > 300 || !strings.Contains(a.body, `"status":"429"`) ||
			!strings.Contains(a.body, "rollcall breaker approve --tenant acme") || !strings.HasPrefix(a.header.Get("Content-Type"), "application/scim+json") {
			t.Errorf("the third: %d %q %s", a.status, a.header, a.body)
		}
		if a := s.with(token, "GET", "/scim/v2/Users/"+ids[2], ""); !strings.Contains(a.body, `"active":true`) && strings.Contains(a.body, `"active"`) {
			t.Errorf("it is as it was: %s", a.body)
		}
		code, out, errs := s.run("breaker", "show", "--tenant", "acme")
		if code != 1 || !strings.Contains(out, "limit:    2 people within 1 hour, of 5") || !strings.Contains(out, "counted:  2 people") ||
			!strings.Contains(out, "HELD:     1 requests") || !strings.Contains(out, "PATCH User/"+ids[2]) || !strings.Contains(errs, "held") {
			t.Errorf("show: exit %d\n%s%s", code, out, errs)
		}
		s.must("breaker", "approve", "--tenant", "acme", "--people", "1", "--for", "10m")
		if a := deactivate(ids[2]); a.status != 200 {
			t.Errorf("approved: %d %s", a.status, a.body)
		}
		if a := deactivate(ids[3]); a.status != 429 {
			t.Errorf("more than is approved: %d", a.status)
		}
		waitFor(t, "what is held is written down", func() bool { return s.showJSON("acme").Held.Requests == 1 })
		if out := s.showJSON("acme"); out.Approved.People != 1 || out.People != 3 || !strings.Contains(out.Approved.By, "rollcall breaker approve") {
			t.Errorf("show: %+v", out)
		}
		s.must("breaker", "reset", "--tenant", "acme")
		if a := deactivate(ids[3]); a.status != 200 {
			t.Errorf("reset: %d %s", a.status, a.body)
		}
		if out := s.showJSON("acme"); out.People != 1 || out.Held.Requests != 0 || out.Approved.By != "" {
			t.Errorf("show: %+v", out)
		}
		// Settings hold without a restart, and one tenant's are not another's.
		s.must("tenant", "set", "acme", "breaker.mode=off")
		if a := deactivate(ids[0]); a.status != 200 {
			t.Errorf("who counts already: %d %s", a.status, a.body)
		}
		waitFor(t, "nothing is held any more", func() bool { return deactivate(ids[4]).status == 200 })
		for want, a := range map[string]answer{
			"protected": s.with(token, "POST", "/scim/v2/Users", `{"userName":"ROOT"}`),
			"promotion": s.with(token, "PATCH", "/scim/v2/Users/"+ids[0], fmt.Sprintf(patchOp, `{"op":"add","path":"roles","value":[{"value":"Admin"}]}`)),
		} {
			if a.status != 403 || !strings.Contains(a.body, "rollcall tenant set acme "+want) {
				t.Errorf("%s: %d %s", want, a.status, a.body)
			}
		}
		if a := s.do("POST", "/scim/v2/Users", `{"userName":"root","roles":[{"value":"admin"}]}`); a.status != 201 {
			t.Errorf("the default tenant: %d %s", a.status, a.body)
		}
		for _, args := range [][]string{{"breaker", "show", "--tenant", "nobody"}, {"breaker", "approve", "--for", "9d"}, {"breaker", "approve", "--people=-1"},
			{"breaker", "approve", "--people", "0"}} {
			if code, _, errs := s.run(args...); code == 0 || errs == "" {
				t.Errorf("%q: exit %d %s", args, code, errs)
			}
		}
		if out := s.showJSON("default"); out.Approved.By != "" {
			t.Errorf("wrong orders have approved %+v", out.Approved)
		}
	})
}

// waitForToken waits until the server has heard of a token that was made beside it.
func (s *served) waitForToken(token string) {
	s.t.Helper()
	waitFor(s.t, "the token is known", func() bool { return s.with(token, "GET", "/scim/v2/ServiceProviderConfig", "").status == 200 })
}

// shown is what breaker show says.
type shown struct {
	People   int
	Held     struct{ Requests int }
	Approved struct {
		People int
		By     string
	}
}

func (s *served) showJSON(tenant string) (out shown) {
	s.t.Helper()
	_, text, errs := s.run("breaker", "show", "--json", "--tenant", tenant)
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		s.t.Fatalf("%v\n%s%s", err, text, errs)
	}
	return out
}

// TestBreakerInstances sends a mass change through two instances by turns.
func TestBreakerInstances(t *testing.T) {
	t.Parallel()
	both, db := instances(t, 2)
	s := &served{both[0], []string{"ROLLCALL_DATABASE_URL=" + db}}
	var ids []string
	for i := range 12 {
		ids = append(ids, s.create(fmt.Sprintf("p%02d", i)))
	}
	s.must("tenant", "set", "default", "breaker.mode=hold", "breaker.people=5")
	// The other instance knows the setting once it has polled twice: it protects.
	s.must("tenant", "set", "default", `protected=["User:canary"]`)
	waitFor(t, "the other instance knows the settings", func() bool {
		return both[1].do("POST", "/scim/v2/Users", `{"userName":"canary"}`).status == 403
	})
	let := 0
	for i, id := range ids {
		a := both[i%2].do("PATCH", "/scim/v2/Users/"+id, fmt.Sprintf(patchOp, `{"op":"replace","value":{"active":false}}`))
		switch a.status {
		case 200:
			let++
		case 429:
		default:
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if let != 5 {
		t.Errorf("%d were let through two instances, of a limit of 5", let)
	}
}

// TestBreakerClients plays the conversations of identity providers while every
// change that takes something from somebody is held at first, and then approved.
// What each client makes of the answer, by its vendor's words or its source:
//
//   - Entra ID quarantines a job if most of its calls fail, slows it down then,
//     and disables it after four weeks: a window is a week at most, and all else
//     that the client sends is answered as ever;
//   - authentik tries again after 429 and 503, and gives up after any other 4xx;
//   - keycloak-scim-outbound tries three times after 429, whatever Retry-After says;
//   - SailPoint waits as x-rate-limit headers and Retry-After say;
//   - Okta loses what is answered with 400, and shows an operator the task that
//     failed otherwise; what it does after 429 is not documented, nor is it of the
//     others.
func TestBreakerClients(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "idp", "traces", "*.json"))
	if err != nil || len(files) < 12 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			t.Parallel()
			r := start(t)
			s := &served{r, []string{"ROLLCALL_DATA_DIR=" + r.data}}
			s.must("tenant", "set", "default", "breaker.mode=hold", "breaker.people=1")
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			steps, err := replay.Read(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			through := &heldClient{t: t, s: s}
			through.fill()
			p := replay.Player{Base: r.url + "/scim/v2", Token: testToken, Client: &http.Client{Transport: through}}
			results, err := p.Play(t.Context(), steps)
			if err != nil {
				t.Fatal(err)
			}
			for _, res := range results {
				for _, f := range res.Faults {
					t.Errorf("%s: %s", res.Step.Name, f)
				}
			}
			if through.held*2 >= through.sent {
				t.Errorf("%d of %d requests were held: a client would take the server to be broken", through.held, through.sent)
			}
			takes := strings.Contains(string(text), `"active": false`) || strings.Contains(string(text), `"False"`) || strings.Contains(string(text), `"DELETE"`)
			if takes && through.held == 0 {
				t.Error("nothing was held")
			}
		})
	}
}

// heldClient sends requests. What is held it sends again once an operator has
// approved it.
type heldClient struct {
	t          *testing.T
	s          *served
	sent, held int
	filler     int
}

// fill takes something from one person, so that the next is one too many.
func (c *heldClient) fill() {
	c.t.Helper()
	c.s.must("breaker", "reset")
	c.filler++
	id := c.s.create(fmt.Sprintf("filler%d", c.filler))
	if a := c.s.do("DELETE", "/scim/v2/Users/"+id, ""); a.status != 204 {
		c.t.Fatalf("%d %s", a.status, a.body)
	}
}

func (c *heldClient) RoundTrip(r *http.Request) (*http.Response, error) {
	c.sent++
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusTooManyRequests {
		return resp, err
	}
	c.held++
	text, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	var e struct {
		Schemas        []string
		Status, Detail string
	}
	after, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if json.Unmarshal(text, &e) != nil || e.Status != "429" || !strings.Contains(e.Detail, "rollcall breaker approve") ||
		err != nil || after < 1 || after > 300 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/") {
		c.t.Errorf("%s %s: %q %s", r.Method, r.URL, resp.Header, text)
	}
	if r.Method == http.MethodGet || r.Method == http.MethodPost && !strings.HasSuffix(r.URL.Opaque, "/Bulk") {
		c.t.Errorf("%s %s was held", r.Method, r.URL)
	}
	c.s.must("breaker", "approve", "--for", "1h")
	again := r.Clone(r.Context())
	again.Body = io.NopCloser(bytes.NewReader(body))
	resp, err = http.DefaultTransport.RoundTrip(again)
	c.fill()
	return resp, err
}

// atMost is how many requests a bound lets through of so many at once and one a
// second, from a time on until now.
func atMost(burst int, began time.Time) int { return burst + int(time.Since(began).Seconds()) + 1 }

// TestRate covers HTTP-028: it bounds the requests of managed tokens, and of configured ones only if
// that is set.
func TestRate(t *testing.T) {
	everywhere(t, func(t *testing.T, s *served) {
		s.must("tenant", "add", "acme", "rate.perSecond=1", "rate.burst=5")
		one, two := s.must("token", "add", "one", "--tenant", "acme"), s.must("token", "add", "two", "--tenant", "acme")
		s.waitForToken(two)
		const path = "/scim/v2/Users?count=0"
		let, began := 0, time.Now()
		var sent time.Time
		var last answer
		for n := 0; n < 100 && (n < 12 || last.status == 200); n++ {
			sent = time.Now()
			if last = s.with(one, "GET", path, ""); last.status == 200 {
				let++
			}
		}
		if let < 5 || let > atMost(5, began) || last.status != 429 {
			t.Errorf("%d were let through, the last: %d", let, last.status)
		}
		for _, name := range []string{"Retry-After", "X-Rate-Limit-Limit", "X-Rate-Limit-Remaining", "X-Rate-Limit-Reset", "X-Rate-Limit-Retry-After-Seconds"} {
			if _, err := strconv.Atoi(last.header.Get(name)); err != nil {
				t.Errorf("%s: %q", name, last.header.Get(name))
			}
		}
		if reset, _ := strconv.ParseInt(last.header.Get("X-Rate-Limit-Reset"), 10, 64); reset < sent.Unix() || reset > time.Now().Unix()+10 {
			t.Errorf("reset at %d, it was %d", reset, sent.Unix())
		}
		if !strings.Contains(last.body, `"status":"429"`) || !strings.Contains(last.body, "1 a second, and 5 at once") {
			t.Error(last.body)
		}
		if a := s.with(two, "GET", path, ""); a.status != 200 || a.header.Get("X-Rate-Limit-Limit") != "5" {
			t.Errorf("another token of the tenant: %d %q", a.status, a.header)
		}
		for range 20 {
			if a := s.do("GET", path, ""); a.status != 200 || a.header.Get("X-Rate-Limit-Limit") != "" {
				t.Fatalf("the configured token: %d %q", a.status, a.header)
			}
		}
		three := s.must("token", "add", "three", "--tenant", "acme")
		s.waitForToken(three)
		elsewhere := map[int]int{} // at the path of another tenant the token has no more of them
		began = time.Now()
		for range 12 {
			elsewhere[s.with(three, "GET", "/t/default"+path, "").status]++
		}
		if elsewhere[403] == 0 || elsewhere[403] > atMost(5, began) || elsewhere[403]+elsewhere[429] != 12 {
			t.Errorf("at another tenant's path: %v", elsewhere)
		}
		s.must("tenant", "set", "acme", "rate.off=true")
		waitFor(t, "there is no bound", func() bool { return s.with(two, "GET", path, "").header.Get("X-Rate-Limit-Limit") == "" })
		for range 10 {
			if a := s.with(one, "GET", path, ""); a.status != 200 {
				t.Fatalf("off: %d %s", a.status, a.body)
			}
		}
	})
}

// TestRateInstances counts what a token sends to two instances once.
func TestRateInstances(t *testing.T) {
	t.Parallel()
	both, db := instances(t, 2)
	s := &served{both[0], []string{"ROLLCALL_DATABASE_URL=" + db}}
	s.must("tenant", "add", "acme", "rate.perSecond=1", "rate.burst=40")
	token := s.must("token", "add", "one", "--tenant", "acme")
	for _, r := range both {
		(&served{r, nil}).waitForToken(token)
	}
	began, let := time.Now(), 0
	for i := range 100 {
		if (&served{both[i%2], nil}).with(token, "GET", "/scim/v2/Users?count=0", "").status == 200 {
			let++
		}
	}
	if let > atMost(40, began) || let < 25 {
		t.Errorf("%d of 100 were let through two instances, of a burst of 40", let)
	}
}

// TestRateConfigured bounds the tokens of the configuration.
func TestRateConfigured(t *testing.T) {
	t.Parallel()
	r := start(t, "ROLLCALL_RATE_LIMIT=1:3", "ROLLCALL_TOKEN="+testToken+",another-token-that-is-long")
	for _, token := range []string{testToken, "another-token-that-is-long"} {
		let, began := 0, time.Now()
		for range 6 {
			if r.do("GET", "/scim/v2/Users", "", "Authorization: Bearer "+token).status == 200 {
				let++
			}
		}
		if let < 3 || let > atMost(3, began) {
			t.Errorf("%d of 6 were let through", let)
		}
	}
	for _, bad := range []string{"0", "x", "5:", "5:0", "-1", "5:x", "1:2:3"} {
		if _, err := tryStart(t, "ROLLCALL_RATE_LIMIT="+bad); err == nil || !strings.Contains(err.Error(), "ROLLCALL_RATE_LIMIT") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestGuessing bounds refused credentials by address (SEC-019), and nothing else
// that comes from there.
func TestGuessing(t *testing.T) {
	t.Parallel()
	r, err := tryStartAs(t, func(s *server.Settings) { s.SetRefusals(0) }, "ROLLCALL_TRUSTED_PROXIES=127.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	guess := func(from string) answer {
		return r.do("GET", "/scim/v2/Users", "", "Authorization: Bearer a-token-that-opens-nothing", "X-Forwarded-For: "+from)
	}
	for i := range guard.FailuresAtOnce {
		if a := guess("192.0.2.1"); a.status != 401 || a.header.Get("WWW-Authenticate") == "" {
			t.Fatalf("the %d. guess: %d", i+1, a.status)
		}
	}
	a := guess("198.51.100.3, 192.0.2.1") // what a client says of itself counts for nothing
	if a.status != 429 || a.header.Get("Retry-After") == "" || !strings.Contains(a.body, `"status":"429"`) {
		t.Errorf("one too many: %d %s", a.status, a.body)
	}
	if a := guess("192.0.2.2"); a.status != 401 {
		t.Errorf("another address: %d", a.status)
	}
	if a := r.do("GET", "/scim/v2/Users", "", "X-Forwarded-For: 192.0.2.1"); a.status != 200 {
		t.Errorf("a good token from there: %d", a.status)
	}
	if a := r.do("GET", "/scim/v2/ServiceProviderConfig", "", "Authorization:", "X-Forwarded-For: 192.0.2.1"); a.status != 200 {
		t.Errorf("what is public, from there: %d", a.status)
	}
}
