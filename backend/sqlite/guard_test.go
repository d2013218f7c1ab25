package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/internal/guard"
	"github.com/rollcall-scim/rollcall/internal/guard/guardtest"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

func TestGuard(t *testing.T) {
	t.Parallel()
	guardtest.Run(t, func(t *testing.T, now func() time.Time) (one, two guard.Directory) {
		db := open(t, filepath.Join(t.TempDir(), "rollcall.db"), sqlite.Options{Now: now, UndeleteDays: 30, UnsafeSynchronousForTests: "OFF"})
		return db.Tenant("acme"), db.Tenant("acme")
	})
}

// TestSettled looks at what the breaker reads for a change: who was there before the window
// is not counted each time while that can't have become too few, and the limit is
// what it would be.
func TestSettled(t *testing.T) {
	t.Parallel()
	at := time.Now().Add(-2 * time.Hour)
	db := open(t, filepath.Join(t.TempDir(), "rollcall.db"), sqlite.Options{Now: func() time.Time { return at }, UnsafeSynchronousForTests: "OFF"})
	owner := &tenant.Tenant{Name: "acme", Settings: tenant.Settings{Breaker: tenant.Breaker{Mode: "hold", People: 30, Percent: 20}}}
	s := guard.New(guard.Options{}).Wrap(owner, db.Tenant("acme"), schema.Core())
	var people []*scim.Resource
	for i := range 440 {
		if i == 320 {
			at = at.Add(2 * time.Hour)
		}
		people = append(people, create(t, s, user(t, fmt.Sprintf("p%d", i))))
	}
	counted, asked := 0, map[string]bool{}
	db.Spy(func(q string) {
		if strings.Contains(q, "created <=") {
			counted++
		}
		if strings.Contains(q, "FROM guard_people") {
			asked[q] = true
		}
	})
	gone := 0
	for _, r := range people {
		err := s.Delete(t.Context(), r.Ref(), "")
		var held *scim.Error
		if errors.As(err, &held) && held.Status == 429 {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		gone++
		if gone == 20 && counted != 1 {
			t.Errorf("who was there before was counted %d times for 20 people", counted)
		}
		if gone%29 == 0 { // the next hour
			at = at.Add(2 * time.Hour)
		}
	}
	db.Spy(nil)
	if len(asked) < 3 {
		t.Errorf("%d statements read guard_people", len(asked))
	}
	for q := range asked { // none goes through all who count, or who did
		steps, err := db.Plan(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		plan, by := strings.Join(steps, "\n"), "(tenant=? AND time>?)"
		if strings.Contains(q, "person = ?") {
			by = "(tenant=? AND person=?"
		}
		if !strings.Contains(plan, by) {
			t.Errorf("%s\n%s", q, plan)
		}
	}
	// All have been there for long by then.
	left, now := len(people)-gone, gone%29+1
	if limit := math.Ceil(float64(left) * 0.2); float64(now) <= limit || float64(now-1) > math.Ceil(float64(left+1)*0.2) || counted < 2 {
		t.Errorf("of %d people left, %d would have gone within the hour; the limit is %v; they were counted %d times", left, now, limit, counted)
	}
}

// BenchmarkGuard deactivates and activates people, with no breaker, one that warns
// and one that holds; commits don't wait for the disk, so that what is measured is
// work.
func BenchmarkGuard(b *testing.B) {
	for _, mode := range []string{"off", "warn", "hold"} {
		b.Run(mode, func(b *testing.B) {
			var ago atomic.Int64 // the limit is a share of those who were there before the window
			ago.Store(int64(2 * time.Hour))
			now := func() time.Time { return time.Now().Add(-time.Duration(ago.Load())) }
			db := open(b, filepath.Join(b.TempDir(), "rollcall.db"), sqlite.Options{Now: now, UnsafeSynchronousForTests: "OFF"})
			t := &tenant.Tenant{Name: "acme", Settings: tenant.Settings{Breaker: tenant.Breaker{Mode: mode, Percent: 100}}}
			e, err := engine.New(guard.New(guard.Options{}).Wrap(t, db.Tenant("acme"), schema.Core()), engine.Config{Types: schema.Core()})
			if err != nil {
				b.Fatal(err)
			}
			do := func(method, path, body string) engine.Response {
				r := e.Do(context.Background(), engine.Request{Method: method, Base: "https://id.example.com", Path: path, Body: []byte(body)})
				if r.Status >= 300 {
					b.Fatal(r.Err)
				}
				return r
			}
			var ids []string
			for i := range 400 {
				ids = append(ids, do("POST", "/Users", fmt.Sprintf(`{"schemas":[%q],"userName":"p%d","active":true}`, scim.UserURN, i)).ID)
			}
			ago.Store(0)
			i := 0
			for b.Loop() {
				active := i/len(ids)%2 == 1
				do("PATCH", "/Users/"+ids[i%len(ids)], fmt.Sprintf(`{"schemas":[%q],"Operations":[{"op":"replace","path":"active","value":%t}]}`, scim.PatchOpURN, active))
				i++
			}
		})
	}
}
