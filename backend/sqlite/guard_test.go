package sqlite_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/internal/guard"
	"github.com/rollcall-scim/rollcall/internal/guard/guardtest"
)

func TestGuard(t *testing.T) {
	t.Parallel()
	guardtest.Run(t, func(t *testing.T, now func() time.Time) (one, two guard.Directory) {
		db := open(t, filepath.Join(t.TempDir(), "rollcall.db"), sqlite.Options{Now: now, UndeleteDays: 30, UnsafeSynchronousForTests: "OFF"})
		return db.Tenant("acme"), db.Tenant("acme")
	})
}
