package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
	"github.com/rollcall-scim/rollcall/scim/scimtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	scimtest.Run(t, scimtest.Harness{Short: testing.Short(), Open: func(t *testing.T) (a, b scim.Backend) {
		db := open(t, filepath.Join(t.TempDir(), "rollcall.db"), sqlite.Options{})
		return db.Tenant("a"), db.Tenant("b")
	}})
}

// open opens a database as the program does, and closes it when the test ends.
func open(t testing.TB, path string, o sqlite.Options) *sqlite.DB {
	t.Helper()
	o.Load, o.Encode = schema.Load, schema.Encode
	db, err := sqlite.Open(context.Background(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return db
}
