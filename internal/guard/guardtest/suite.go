// Package guardtest holds the stores that guards rely on to one set of tests: what
// clients try to get round them, through the engine as it serves them, from two
// instances of one directory.
package guardtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/guard"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/compat"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// Open returns two handles on one tenant of an empty store, as two programs would
// have them, both with that clock.
type Open func(t *testing.T, now func() time.Time) (one, two guard.Directory)

// Run tests the stores that open makes.
func Run(t *testing.T, open Open) {
	for name, f := range map[string]func(*testing.T, Open){
		"protected":        testProtected,
		"protected free":   testUnprotected,
		"protected types":  testProtectedTypes,
		"promotion":        testPromotion,
		"promotion groups": testPromotionGroups,
		"evasions":         testEvasions,
		"race":             testRace,
		"race alone":       testRaceAlone,
		"undone":           testUndone,
		"window":           testWindow,
		"decisions":        testDecisions,
		"approved number":  testApprovedNumber,
		"stored":           testStored,
		"omitted":          testOmitted,
		"circle":           testCircle,
		"warn":             testWarn,
		"percent":          testPercent,
		"prune":            testPrune,
		"lease":            testLease,
		"restored":         testRestored,
		"crowd":            testCrowd,
		"tried out":        testTriedOut,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open)
		})
	}
}

// clock is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// world is a tenant that two instances serve.
type world struct {
	t       *testing.T
	clock   *clock
	stores  [2]guard.Directory
	engines [2]*engine.Engine // for clients
	free    *engine.Engine    // for operators, past the guard
	mu      sync.Mutex
	events  []guard.Event
	log     bytes.Buffer // what the guard logs; under mu
}

// Write implements io.Writer for the log.
func (w *world) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

// begin serves a tenant with these settings.
func begin(t *testing.T, open Open, profile string, s tenant.Settings) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{now: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)}}
	w.stores[0], w.stores[1] = open(t, w.clock.Now)
	p, err := compat.Parse(profile)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	types, err := s.Types(schema.Core())
	if err != nil {
		t.Fatal(err)
	}
	make := func(b scim.Backend) *engine.Engine {
		e, err := engine.New(b, engine.Config{Types: types, Profile: p})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	g := guard.New(guard.Options{Logger: slog.New(slog.NewTextHandler(w, nil)), Now: w.clock.Now, Observe: func(e guard.Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events = append(w.events, e)
	}})
	for i := range w.stores {
		w.engines[i] = make(g.Wrap(&tenant.Tenant{Name: "acme", Settings: s}, w.stores[i], types))
	}
	w.free = make(w.stores[0])
	return w
}

// answer is what a request was answered with.
type answer struct {
	Status int
	ID     string
	Body   string
	Retry  time.Duration
	Err    error
}

func do(e *engine.Engine, method, path, body string) answer {
	ctx := scim.WithOrigin(context.Background(), scim.Origin{Actor: "idp", RequestID: "r1"})
	resp := e.Do(ctx, engine.Request{Method: method, Base: "https://id.example.com/scim/v2", Path: path, Body: []byte(body)})
	var b bytes.Buffer
	if resp.Body != nil {
		if _, err := resp.Body.WriteTo(&b); err != nil {
			return answer{Status: 500, Err: err}
		}
	}
	return answer{resp.Status, resp.ID, b.String(), resp.RetryAfter, resp.Err}
}

// do sends what a client sends to an instance.
func (w *world) do(i int, method, path, body string) answer {
	return do(w.engines[i%2], method, path, body)
}

// must sends what an operator does.
func (w *world) must(method, path, body string) answer {
	w.t.Helper()
	a := do(w.free, method, path, body)
	if a.Status >= 300 {
		w.t.Fatalf("%s %s: %d %s", method, path, a.Status, a.Body)
	}
	return a
}

// user makes a person, as an operator does.
func (w *world) user(name string) (id string) {
	w.t.Helper()
	return w.must("POST", "/Users", fmt.Sprintf(`{"schemas":[%q],"userName":%q,"active":true}`, scim.UserURN, name)).ID
}

// users makes n people.
func (w *world) users(n int) (ids []string) {
	w.t.Helper()
	for i := range n {
		ids = append(ids, w.user(fmt.Sprintf("p%03d", i)))
	}
	return ids
}

// group makes a group, as an operator does.
func (w *world) group(name string, members ...string) (id string) {
	w.t.Helper()
	return w.must("POST", "/Groups", fmt.Sprintf(`{"schemas":[%q],"displayName":%q,"members":[%s]}`, scim.GroupURN, name, refs(members...))).ID
}

func refs(ids ...string) string {
	var b bytes.Buffer
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"value":%q}`, id)
	}
	return b.String()
}

// patch is a PATCH message.
func patch(ops string) string {
	return fmt.Sprintf(`{"schemas":[%q],"Operations":[%s]}`, scim.PatchOpURN, ops)
}

// bulk is a Bulk message.
func bulk(ops string) string {
	return fmt.Sprintf(`{"schemas":[%q],"Operations":[%s]}`, scim.BulkRequestURN, ops)
}

const inactive = `{"op":"replace","value":{"active":false}}`

func (w *world) deactivate(i int, id string) answer {
	return w.do(i, "PATCH", "/Users/"+id, patch(inactive))
}

// active counts the people that are there and active.
func (w *world) active(ids []string) (n int) {
	w.t.Helper()
	for _, id := range ids {
		a := do(w.free, "GET", "/Users/"+id, "")
		var u struct{ Active *bool }
		if a.Status == 200 && json.Unmarshal([]byte(a.Body), &u) == nil && u.Active != nil && *u.Active {
			n++
		}
	}
	return n
}

// members counts those of a group.
func (w *world) members(id string) int {
	w.t.Helper()
	a := do(w.free, "GET", "/Groups/"+id, "")
	var g struct{ Members []any }
	if a.Status != 200 {
		return 0
	}
	if err := json.Unmarshal([]byte(a.Body), &g); err != nil {
		w.t.Fatal(err)
	}
	return len(g.Members)
}

// dump is all that the directory holds, but for when it came about.
func (w *world) dump() string {
	w.t.Helper()
	out := ""
	for _, path := range []string{"/Users", "/Groups"} {
		out += w.must("GET", path, "").Body
	}
	return out
}

// told counts the events of a kind.
func (w *world) told(k guard.Kind) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.Kind == k {
			n++
		}
	}
	return n
}

func (w *world) state() guard.State {
	w.t.Helper()
	s, err := w.stores[1].BreakerState(context.Background(), time.Hour, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func hold(people int) tenant.Settings {
	return tenant.Settings{Breaker: tenant.Breaker{Mode: "hold", People: people, Percent: 100}}
}

// doDry tries a write out.
func doDry(e *engine.Engine, method, path, body string) answer {
	resp := e.Do(context.Background(), engine.Request{Method: method, Base: "https://id.example.com/scim/v2", Path: path,
		Query: url.Values{"dryRun": {"true"}}, Body: []byte(body)})
	var b bytes.Buffer
	if resp.Body != nil {
		_, _ = resp.Body.WriteTo(&b) // into memory
	}
	return answer{Status: resp.Status, Body: b.String(), Err: resp.Err}
}
