package postgres_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/internal/audit"
	"github.com/rollcall-scim/rollcall/internal/audit/audittest"
	"github.com/rollcall-scim/rollcall/internal/pgtest"
)

func TestAudit(t *testing.T) {
	t.Parallel()
	audittest.Run(t, func(t *testing.T) *audittest.Rig {
		clock := audittest.NewClock()
		url := pgtest.Quick(t)
		db := open(t, url, postgres.Options{HistoryDays: audittest.HistoryDays, UndeleteDays: 30, Now: clock.Now, MaxConns: 4})
		seen := spy(db)
		t.Cleanup(func() { seen.look(t, db) })
		return &audittest.Rig{
			Store: func(tenant string) audittest.Store { return db.Tenant(tenant) },
			Log:   func(tenant string) audit.Log { return db.Tenant(tenant).Audit() },
			Exec: func(statement string) error {
				pgtest.Exec(t, url, statement)
				return nil
			},
			Number: func(tenant string) string {
				return fmt.Sprintf("(SELECT tenant FROM tenants WHERE name = '%s')", tenant)
			},
			Blob:  func(b []byte) string { return fmt.Sprintf(`'\x%x'::bytea`, b) },
			Prune: func(ctx context.Context) error { return db.Prune(ctx) },
			Clock: clock,
		}
	})
}

// TestSealer: what is committed is sealed by one of several instances, what was
// there before with it; when that one ends, another one goes on.
func TestSealer(t *testing.T) {
	t.Parallel()
	url := pgtest.Quick(t)
	o := postgres.Options{Seal: true, MaxConns: 3}
	none := open(t, url, postgres.Options{MaxConns: 3})
	create(t, none.Tenant("a"), user(t, "before"))
	one, two := open(t, url, o), open(t, url, o)
	want := int64(1)
	for round := range 4 {
		for i := range 20 {
			create(t, none.Tenant("a"), user(t, fmt.Sprintf("u%d-%d", round, i)))
		}
		create(t, none.Tenant("b"), user(t, fmt.Sprint("u", round)))
		want += 20
		eventually(t, "what is committed is sealed", func() bool {
			a, err := none.Tenant("a").Audit().Head(t.Context())
			b, err2 := none.Tenant("b").Audit().Head(t.Context())
			return err == nil && err2 == nil && a.N == want && b.N == int64(round+1)
		})
		if round == 1 {
			for _, db := range []*postgres.DB{one, two} {
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
				open(t, url, o)
			}
		}
	}
	v, err := audit.Verify(t.Context(), "a", none.Tenant("a").Audit(), nil)
	if err != nil || !v.Good || v.Changes != want {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestSealLate: a row that is committed after later ones were sealed gets its
// entry behind them.
func TestSealLate(t *testing.T) {
	t.Parallel()
	url := pgtest.Quick(t)
	db := open(t, url, postgres.Options{Seal: true, MaxConns: 4})
	s := db.Tenant("a")
	create(t, s, user(t, "first"))
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	tx, err := c.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var late int64
	err = tx.QueryRow(t.Context(), `INSERT INTO changes (tenant, time, type, res, id, op, version, actor, request, deltas)
		SELECT tenant, 0, 'User', 0, 'late', 'create', '1', '', '', '{"deltas":[]}' FROM tenants WHERE name = 'a' RETURNING seq`).Scan(&late)
	if err != nil {
		t.Fatal(err)
	}
	sealed := func(n int64) func() bool {
		return func() bool {
			h, err := s.Audit().Head(t.Context())
			return err == nil && h.N == n
		}
	}
	for i := range int64(3) { // passes in which it is under way
		create(t, s, user(t, fmt.Sprint("u", i)))
		eventually(t, "what came later is sealed", sealed(2+i))
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what came late is sealed", sealed(5))
	list, err := s.Audit().Entries(t.Context(), 4, 1)
	if err != nil || len(list) != 1 || list[0].Seq != late {
		t.Errorf("%+v, %v; want row %d", list, err, late)
	}
	if v, err := audit.Verify(t.Context(), "a", s.Audit(), nil); err != nil || !v.Good {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestEraseTables: of somebody who was erased no table has anything left.
func TestEraseTables(t *testing.T) {
	t.Parallel()
	url := pgtest.Quick(t)
	db := open(t, url, postgres.Options{UndeleteDays: 30, MaxConns: 4})
	s := db.Tenant("a")
	u := create(t, s, user(t, "Wilhelmina.Canary"))
	create(t, s, group(t, "g", u.ID))
	if err := s.Delete(t.Context(), u.Ref(), ""); err != nil {
		t.Fatal(err)
	}
	if left := holding(t, url, "canary"); len(left) == 0 {
		t.Error("nothing of the values is left even before they are erased: the test shows nothing")
	}
	if _, err := s.Audit().Erase(t.Context(), audit.Erasure{ID: u.ID}); err != nil {
		t.Fatal(err)
	}
	if left := holding(t, url, "canary"); len(left) > 0 {
		t.Errorf("left in %v", left)
	}
}

// holding returns the tables that have a row with a text, in any case.
func holding(t *testing.T, url, text string) (list []string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	rows, err := c.Query(t.Context(), `SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(tables) < 20 {
		t.Fatal(tables, err)
	}
	for _, table := range tables {
		n := 0
		if err := c.QueryRow(t.Context(), `SELECT count(*) FROM `+table+` x WHERE x::text ILIKE '%' || $1 || '%'`, text).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			list = append(list, table)
		}
	}
	return list
}
