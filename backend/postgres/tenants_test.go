package postgres_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/internal/pgtest"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/internal/tenant/tenanttest"
	"github.com/rollcall-scim/rollcall/scim"
)

func TestTenants(t *testing.T) {
	t.Parallel()
	tenanttest.Run(t, func(t *testing.T) tenanttest.Rig {
		url := pgtest.Database(t)
		db := open(t, url, postgres.Options{UndeleteDays: 30, SliceRows: 7, MaxConns: 8})
		seen := spy(db)
		t.Cleanup(func() { seen.look(t, db) })
		return tenanttest.Rig{Store: db,
			Backend: func(t tenant.Tenant) scim.Backend { return db.For(t) },
			Rows:    func(t *testing.T, id int64) map[string]int64 { return rowsOf(t, url, id) },
		}
	})
}

// tenantTables returns the tables that say whose their rows are, but that of the
// tenants.
func tenantTables(t testing.TB, c *pgx.Conn) []string {
	t.Helper()
	rows, err := c.Query(t.Context(), `SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attname = 'tenant' AND c.relname <> 'tenants' ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(list) < 12 {
		t.Fatalf("tables with a tenant: %q, %v", list, err)
	}
	return list
}

func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func rowsOf(t testing.TB, url string, id int64) map[string]int64 {
	t.Helper()
	c := connect(t, url)
	defer c.Close(t.Context())
	rows := map[string]int64{}
	for _, table := range tenantTables(t, c) {
		var n int64
		if err := c.QueryRow(t.Context(), `SELECT count(*) FROM `+table+` WHERE tenant = $1`, id).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			rows[table] = n
		}
	}
	return rows
}

// Every table that has rows of tenants is one from which a removal removes them.
func TestRemovalKnowsAllTables(t *testing.T) {
	t.Parallel()
	c := connect(t, migrated(t, pgtest.Database(t)))
	defer c.Close(t.Context())
	all := strings.Join(postgres.Removals(), "\n")
	for _, table := range tenantTables(t, c) {
		if !strings.Contains(all, "DELETE FROM "+table+" WHERE tenant") {
			t.Errorf("a removed tenant's rows stay in %s: add it to removals", table)
		}
	}
}

// A removal that one instance leaves between two slices is gone on with by
// another one. The tenant is not there for either meanwhile, and a write that
// was under way when it began leaves nothing behind.
func TestRemovalSurvivesRestart(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	url := pgtest.Database(t)
	o := postgres.Options{UndeleteDays: 30, MaxConns: 6}
	one, two := open(t, url, o), open(t, url, o)
	acme, err1 := one.AddTenant(ctx, "acme", tenant.Settings{})
	other, err2 := one.AddTenant(ctx, "other", tenant.Settings{})
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	for _, home := range []tenant.Tenant{acme, other} {
		var ids []string
		for i := range 40 {
			ids = append(ids, create(t, one.For(home), user(t, fmt.Sprint("user", i))).ID)
		}
		inner := create(t, one.For(home), group(t, "inner", ids...)).ID
		create(t, one.For(home), group(t, "outer", append(ids[:20:20], inner)...))
		for _, id := range ids[:10] {
			if err := one.For(home).Delete(ctx, scim.Ref{Type: types[0], ID: id}, ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	// The other instance knows the tenant by name and by number.
	byName, byNumber := two.Tenant("acme"), two.For(acme)
	create(t, byName, user(t, "by name"))
	create(t, byNumber, user(t, "by number"))
	theirs := rowsOf(t, url, other.ID)

	// A write that was admitted before the removal, and is not yet committed.
	late := connect(t, url)
	defer late.Close(ctx)
	tx, err := late.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, `INSERT INTO counts (tenant, type, slot, n) VALUES ($1, 'Late', 99, 1)`, acme.ID); err != nil {
		t.Fatal(err)
	}
	if err := one.BuryTenant(ctx, "acme"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if n, err := one.RemoveSlice(ctx, 25); err != nil || n != 25 {
			t.Fatalf("a slice: %d, %v", n, err)
		}
	}
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	if left := rowsOf(t, url, acme.ID); len(left) < 5 {
		t.Fatalf("left after three slices: %v", left)
	}
	for name, s := range map[string]*postgres.Store{"by name": byName, "by number": byNumber, "made anew": two.Tenant("acme")} {
		var e *scim.Error
		if _, err := s.Create(ctx, user(t, "late")); !errors.As(err, &e) || e.Status != 404 {
			t.Errorf("a write %s on another instance: %v, want a 404", name, err)
		}
	}
	if _, err := two.AddTenant(ctx, "acme", tenant.Settings{}); !errors.Is(err, tenant.ErrRemoving) {
		t.Errorf("AddTenant meanwhile: %v", err)
	}

	three := open(t, url, o)
	// All is removed but the tenant itself, as long as the write may still come.
	eventually(t, "all rows are gone", func() bool { return len(rowsOf(t, url, acme.ID)) == 0 })
	if n, err := three.RemoveSlice(ctx, 100); err != nil || n > 0 {
		t.Errorf("a slice while a write is under way: %d, %v", n, err)
	}
	if _, err := two.AddTenant(ctx, "acme", tenant.Settings{}); !errors.Is(err, tenant.ErrRemoving) {
		t.Errorf("AddTenant while a write is under way: %v", err)
	}
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	var again tenant.Tenant
	eventually(t, "the name is free", func() bool {
		again, err = two.AddTenant(ctx, "acme", tenant.Settings{})
		return err == nil
	})
	if rows := rowsOf(t, url, acme.ID); len(rows) > 0 {
		t.Errorf("left are %v", rows)
	}
	if rows := rowsOf(t, url, other.ID); !maps.Equal(rows, theirs) {
		t.Errorf("another tenant has %v, had %v", rows, theirs)
	}
	if _, err := byNumber.Create(ctx, user(t, "late")); err == nil {
		t.Error("the handle of the removed tenant takes a write")
	}
	create(t, three.For(again), user(t, "late"))
	if p, err := byNumber.List(ctx, scim.Query{Type: types[0], Count: 10}); err != nil || p.Total != 0 {
		t.Errorf("the handle of the removed tenant sees %+v, %v", p, err)
	}
	if p, err := two.For(again).List(ctx, scim.Query{Type: types[0], Count: 10}); err != nil || p.Total != 1 {
		t.Errorf("the new tenant has %+v, %v", p, err)
	}
}

func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain: " + what)
		}
	}
}
