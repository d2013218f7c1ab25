package postgres_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/internal/guard"
	"github.com/rollcall-scim/rollcall/internal/guard/guardtest"
	"github.com/rollcall-scim/rollcall/internal/pgtest"
)

func TestGuard(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	url := migrated(t, pgtest.Quick(t))
	guardtest.Run(t, func(t *testing.T, now func() time.Time) (one, two guard.Directory) {
		o := postgres.Options{Now: now, UndeleteDays: 30, MaxConns: 8}
		a, b := open(t, url, o), open(t, url, o)
		for _, db := range []*postgres.DB{a, b} {
			seen := spy(db)
			t.Cleanup(func() { seen.look(t, db) })
		}
		name := fmt.Sprintf("t%d", n.Add(1))
		return a.Tenant(name), b.Tenant(name)
	})
}
