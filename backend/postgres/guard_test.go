package postgres_test

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/internal/guard"
	"github.com/rollcall-scim/rollcall/internal/guard/guardtest"
	"github.com/rollcall-scim/rollcall/internal/pgtest"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

func TestGuard(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	url := migrated(t, pgtest.Quick(t))
	guardtest.Run(t, func(t *testing.T, now func() time.Time) (one, two guard.Directory) {
		o := postgres.Options{Now: now, DatabaseNow: now, UndeleteDays: 30, MaxConns: 8}
		a, b := open(t, url, o), open(t, url, o)
		for _, db := range []*postgres.DB{a, b} {
			seen := spy(db)
			t.Cleanup(func() { seen.look(t, db) })
		}
		name := fmt.Sprintf("t%d", n.Add(1))
		return a.Tenant(name), b.Tenant(name)
	})
}

// TestExpire: people who do not count any more are not passed over by each count.
func TestExpire(t *testing.T) {
	t.Parallel()
	at := time.Now()
	now := func() time.Time { return at }
	db := open(t, pgtest.Quick(t), postgres.Options{Now: now, DatabaseNow: now})
	owner := &tenant.Tenant{Name: "acme", Settings: tenant.Settings{Breaker: tenant.Breaker{Mode: "hold", People: 100}}}
	s := guard.New(guard.Options{}).Wrap(owner, db.Tenant("acme"), schema.Core())
	for i := range 11 {
		if i == 10 {
			at = at.Add(2 * time.Hour)
		}
		if err := s.Delete(t.Context(), create(t, s, user(t, fmt.Sprintf("p%d", i))).Ref(), ""); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := db.Int(t.Context(), `SELECT count(*) FROM guard_people`); err != nil || n != 1 {
		t.Errorf("%d people are kept, %v; want 1", n, err)
	}
}

// TestGuardClocks lets two instances count whose clocks differ by more than the
// window: it goes by the database's.
func TestGuardClocks(t *testing.T) {
	t.Parallel()
	url := migrated(t, pgtest.Quick(t))
	late := open(t, url, postgres.Options{Now: func() time.Time { return time.Now().Add(-10 * time.Minute) }})
	early := open(t, url, postgres.Options{Now: func() time.Time { return time.Now().Add(10 * time.Minute) }})
	acme := &tenant.Tenant{Name: "acme", Settings: tenant.Settings{Breaker: tenant.Breaker{Mode: "hold", People: 2, Percent: 100, Window: 5 * time.Minute}}}
	g := guard.New(guard.Options{Logger: slog.New(slog.DiscardHandler)})
	do := func(db *postgres.DB, method, path, body string) engine.Response {
		t.Helper()
		e, err := engine.New(g.Wrap(acme, db.Tenant("acme"), schema.Core()), engine.Config{Types: schema.Core()})
		if err != nil {
			t.Fatal(err)
		}
		return e.Do(t.Context(), engine.Request{Method: method, Base: "https://id.example.com", Path: path, Body: []byte(body)})
	}
	var ids []string
	for i := range 6 {
		r := do(late, "POST", "/Users", fmt.Sprintf(`{"schemas":[%q],"userName":"p%d","active":true}`, scim.UserURN, i))
		if r.Status != 201 {
			t.Fatal(r.Err)
		}
		ids = append(ids, r.ID)
	}
	for i, x := range []struct {
		db   *postgres.DB
		want int
	}{{late, 204}, {early, 204}, {early, 429}, {late, 429}} {
		if r := do(x.db, "DELETE", "/Users/"+ids[i], ""); r.Status != x.want || x.want == 429 && (r.RetryAfter < 4*time.Minute || r.RetryAfter > 5*time.Minute) {
			t.Errorf("the %d. delete: %d, not %d, retry after %s: %v", i+1, r.Status, x.want, r.RetryAfter, r.Err)
		}
	}
	// What an operator decides holds at once, whichever clock the instance has.
	store := late.Tenant("acme")
	if until, err := store.ApproveBreaker(t.Context(), time.Minute, guard.Approval{People: 1}); err != nil || time.Until(until).Abs() > 2*time.Minute {
		t.Errorf("approved until %s: %v", until, err)
	}
	if r := do(early, "DELETE", "/Users/"+ids[2], ""); r.Status != 204 {
		t.Errorf("approved: %d %v", r.Status, r.Err)
	}
	if err := store.ResetBreaker(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s, err := early.Tenant("acme").BreakerState(t.Context(), 5*time.Minute, 10); err != nil || s.People != 0 || time.Since(s.Now).Abs() > time.Minute {
		t.Errorf("reset: %+v, %v", s, err)
	}
}
