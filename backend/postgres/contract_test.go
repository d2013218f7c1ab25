package postgres_test

import (
	"testing"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/internal/pgtest"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/scimtest"
)

// TestContract holds all stores in one database, each test in two tenants of its
// own. Every statement that it runs is looked at, see statements.
func TestContract(t *testing.T) {
	db := open(t, pgtest.Quick(t), postgres.Options{UndeleteDays: 30, MaxConns: 40})
	seen := spy(db)
	t.Cleanup(func() { seen.check(t, db) })
	scimtest.Run(t, scimtest.Harness{Short: testing.Short(), Open: func(t *testing.T) (a, b scim.Backend) {
		return db.Tenant(t.Name() + " a"), db.Tenant(t.Name() + " b")
	}})
}
