package sqlite_test

import (
	"context"
	"fmt"
	"path/filepath"
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
