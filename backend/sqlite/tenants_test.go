package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/internal/tenant/tenanttest"
	"github.com/rollcall-scim/rollcall/scim"
)

func TestTenants(t *testing.T) {
	t.Parallel()
	tenanttest.Run(t, func(t *testing.T) tenanttest.Rig {
		db := open(t, t.TempDir()+"/db", sqlite.Options{UndeleteDays: 30, SliceRows: 7, UnsafeSynchronousForTests: "OFF"})
		return tenanttest.Rig{Store: db,
			Backend: func(t tenant.Tenant) scim.Backend { return db.For(t) },
			Rows:    func(t *testing.T, id int64) map[string]int64 { return rowsOf(t, db, id) },
		}
	})
}

// tables returns those of a database that say whose their rows are.
func tables(t testing.TB, db *sqlite.DB) []string {
	t.Helper()
	list, err := db.Texts(context.Background(), `SELECT m.name FROM sqlite_schema m, pragma_table_info(m.name) c
		WHERE m.type = 'table' AND c.name = 'tenant' ORDER BY m.name`)
	if err != nil || len(list) < 10 {
		t.Fatalf("tables with a tenant: %q, %v", list, err)
	}
	return list
}

func rowsOf(t testing.TB, db *sqlite.DB, id int64) map[string]int64 {
	t.Helper()
	rows := map[string]int64{}
	for _, table := range tables(t, db) {
		n, err := db.Int(context.Background(), `SELECT count(*) FROM `+table+` WHERE tenant = ?`, id)
		if err != nil {
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
	db := open(t, t.TempDir()+"/db", sqlite.Options{})
	all := strings.Join(sqlite.Removals(), "\n")
	for _, table := range append(tables(t, db), "grams", "deleted_groups") {
		if !strings.Contains(all, "DELETE FROM "+table+" WHERE") {
			t.Errorf("a removed tenant's rows stay in %s: add it to removals", table)
		}
	}
}

// crowd makes people in two groups, one within the other, some of them deleted.
func crowd(t testing.TB, s scim.Backend, n int) (ids []string) {
	t.Helper()
	for i := range n {
		ids = append(ids, create(t, s, user(t, fmt.Sprint("user", i))).ID)
	}
	inner := create(t, s, group(t, "inner", ids...)).ID
	create(t, s, group(t, "outer", append(ids[:n/2:n/2], inner)...))
	for _, id := range ids[:n/4] {
		if err := s.Delete(context.Background(), scim.Ref{Type: types[0], ID: id}, ""); err != nil {
			t.Fatal(err)
		}
	}
	return ids
}

// A removal that is interrupted between two slices goes on after a restart, and
// until then nothing of the tenant is there.
func TestRemovalSurvivesRestart(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "db")
	o := sqlite.Options{UndeleteDays: 30, UnsafeSynchronousForTests: "OFF"}
	db := reopen(t, path, o)
	acme, err1 := db.AddTenant(ctx, "acme", tenant.Settings{})
	other, err2 := db.AddTenant(ctx, "other", tenant.Settings{})
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	ids := crowd(t, db.For(acme), 40)
	crowd(t, db.For(other), 40)
	// A delete that is not finished either.
	if err := db.BuryDelete(ctx, acme, scim.Ref{Type: types[0], ID: ids[39]}); err != nil {
		t.Fatal(err)
	}
	theirs := rowsOf(t, db, other.ID)
	if err := db.BuryTenant(ctx, "acme"); err != nil {
		t.Fatal(err)
	}
	full, last := rowsOf(t, db, acme.ID), int64(-1)
	for range 3 {
		if more, err := db.RemoveSlice(ctx, 25); err != nil || !more {
			t.Fatalf("a slice: %v, %v", more, err)
		}
		left := int64(0)
		for _, n := range rowsOf(t, db, acme.ID) {
			left += n
		}
		if left == last || left == 0 {
			t.Fatalf("%d rows are left, %d before the slice, of %v", left, last, full)
		}
		last = left
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	db = open(t, path, o)
	if _, err := db.FindTenant(ctx, "acme"); !errors.Is(err, tenant.ErrNoTenant) {
		t.Errorf("FindTenant: %v", err)
	}
	var e *scim.Error
	if _, err := db.Tenant("acme").Create(ctx, user(t, "late")); err != nil && (!errors.As(err, &e) || e.Status != 404) {
		t.Errorf("a write by name: %v", err)
	} else if err == nil && len(rowsOf(t, db, acme.ID)) > 0 {
		t.Error("a write by name makes a tenant whose name is not free yet")
	}
	eventually(t, "all rows are gone", func() bool {
		n, err := db.Int(ctx, `SELECT count(*) FROM tenants WHERE removed > 0`)
		return err == nil && n == 0
	})
	if rows := rowsOf(t, db, acme.ID); len(rows) > 0 {
		t.Errorf("left are %v", rows)
	}
	if rows := rowsOf(t, db, other.ID); fmt.Sprint(rows) != fmt.Sprint(theirs) {
		t.Errorf("another tenant has %v, had %v", rows, theirs)
	}
	left, err := db.Int(ctx, `SELECT count(*) FROM grams`)
	there, err2 := db.Int(ctx, `SELECT count(*) FROM resources WHERE type > 0`)
	if err := errors.Join(err, err2); err != nil || left != there {
		t.Errorf("the substring index has %d rows of %d resources (%v)", left, there, err)
	}
	if n, err := db.Int(ctx, `SELECT count(*) FROM deleted_groups WHERE res NOT IN (SELECT pk FROM deleted)`); err != nil || n != 0 {
		t.Errorf("%d memberships of restorable people are left (%v)", n, err)
	}
	if problems, err := db.Texts(ctx, `PRAGMA foreign_key_check`); err != nil || len(problems) > 0 {
		t.Errorf("rows refer to what is gone: %q, %v", problems, err)
	}
}

// reopen is open without the Close.
func reopen(t testing.TB, path string, o sqlite.Options) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(context.Background(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain: " + what)
		}
	}
}

// A database from before there were tenants keeps those that its resources have,
// and they have no settings.
func TestTenantsOfOldDatabase(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "db")
	old, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, old, os.DirFS("migrations"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(ctx, 2); err != nil {
		t.Fatal(err)
	}
	if _, err := old.Exec(`INSERT INTO tenants (name) VALUES ('acme')`); err != nil {
		t.Fatal(err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	db := open(t, path, sqlite.Options{})
	list, err := db.ListTenants(ctx)
	if err != nil || len(list) != 2 || list[0].Name != "acme" || list[1].Name != "default" {
		t.Fatalf("ListTenants: %+v, %v", list, err)
	}
	if s, err := list[0].Encode(); err != nil || string(s) != `{"version":1}` || list[0].Fault != nil {
		t.Errorf("its settings are %s, %v, %v", s, list[0].Fault, err)
	}
	create(t, db.For(list[0]), user(t, "ada"))
}

// Settings that this program does not understand make their tenant one that is
// listed and not served, and disturb no other.
func TestSettingsOfNewerProgram(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := open(t, t.TempDir()+"/db", sqlite.Options{})
	r := tenant.NewRegistry(db, tenant.Options{})
	if _, err := r.AddTenant(ctx, "acme", tenant.Settings{}); err != nil {
		t.Fatal(err)
	}
	made, err := r.AddToken(ctx, "acme", tenant.Spec{Name: "okta"})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Exec(ctx, `UPDATE tenants SET settings = '{"version":2,"walls":"high"}' WHERE name = 'acme'`); err != nil {
		t.Fatal(err)
	}
	if err := db.Exec(ctx, `UPDATE revisions SET n = n + 1`); err != nil {
		t.Fatal(err)
	}
	r = tenant.NewRegistry(db, tenant.Options{})
	if g, err := r.Authenticate(ctx, made.Secret); err == nil || g.Tenant != nil {
		t.Errorf("a tenant whose settings are not understood is served: %+v", g)
	}
	if _, err := r.ChangeTenant(ctx, "acme", func(s tenant.Settings) (tenant.Settings, error) { return tenant.Settings{}, nil }); err == nil {
		t.Error("settings that are not understood are replaced")
	}
	list, err := r.Tenants(ctx)
	if err != nil || len(list) != 2 || list[0].Fault == nil || list[1].Fault != nil {
		t.Errorf("Tenants: %+v, %v", list, err)
	}
}

// A thousand tenants of which nobody wants anything cost less than 50 KB each.
func TestIdleTenantsAreCheap(t *testing.T) {
	const tenants = 1000
	ctx := context.Background()
	db := open(t, t.TempDir()+"/db", sqlite.Options{UnsafeSynchronousForTests: "OFF"})
	r := tenant.NewRegistry(db, tenant.Options{Poll: time.Hour})
	memory := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	if _, err := r.Tenant(ctx, tenant.Default); err != nil {
		t.Fatal(err)
	}
	before := memory()
	secrets := make([]string, 0, 2*tenants)
	for i := range tenants {
		name := fmt.Sprintf("tenant-%d", i)
		if _, err := r.AddTenant(ctx, name, tenant.Settings{Profile: "strict", Protected: []string{"User:root"}}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			made, err := r.AddToken(ctx, name, tenant.Spec{Name: fmt.Sprint("token", len(secrets))})
			if err != nil {
				t.Fatal(err)
			}
			secrets = append(secrets, made.Secret)
		}
	}
	for _, s := range secrets { // each was once in memory
		g, err := r.Authenticate(ctx, s)
		if err != nil {
			t.Fatal(err)
		}
		r.Used(g.Token, "Okta")
		if i, err := db.For(*g.Tenant).List(ctx, scim.Query{Type: types[0], Count: 1}); err != nil || i.Total != 0 {
			t.Fatal(err)
		}
	}
	each := (memory() - before) / tenants
	t.Logf("%d bytes a tenant", each)
	if each > 50<<10 {
		t.Errorf("an idle tenant costs %d bytes, more than 50 KB", each)
	}
	runtime.KeepAlive(r)
	if names, _ := db.ListTenants(ctx); len(names) != tenants+1 || !slices.ContainsFunc(names, func(t tenant.Tenant) bool { return t.Name == "tenant-999" }) {
		t.Errorf("there are %d tenants", len(names))
	}
}
