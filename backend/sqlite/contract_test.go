package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/scimtest"
)

func TestContract(t *testing.T) {
	scimtest.Run(t, scimtest.Harness{Short: testing.Short(), Open: func(t *testing.T) (a, b scim.Backend) {
		db := open(t, filepath.Join(t.TempDir(), "rollcall.db"), sqlite.Options{UndeleteDays: 30})
		return db.Tenant("a"), db.Tenant("b")
	}})
}
