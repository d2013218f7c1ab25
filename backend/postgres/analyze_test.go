package postgres_test

import (
	"testing"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/internal/pgtest"
)

// TestMeasured looks whether tables that have grown are measured, also when they
// have more pages of 8 KB than 2 GB have bytes in 32 KB.
func TestMeasured(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	db := open(t, url, postgres.Options{})
	measured := func() int64 {
		n, err := db.Int(t.Context(), `SELECT relpages FROM pg_class WHERE oid = 'resources'::regclass`)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	pgtest.Exec(t, url, `INSERT INTO resources (tenant, pk, type, id, seq, version, created, modified, text)
		SELECT 1, n, 'User', n::text, n, '1', 0, 0, repeat('x', 200) FROM generate_series(1, 1000) n`,
		`UPDATE pg_class SET relpages = 0 WHERE oid = 'resources'::regclass`)
	if err := db.Analyze(t.Context()); err != nil || measured() == 0 {
		t.Errorf("of a table that has grown %d pages are known, %v", measured(), err)
	}
	pgtest.Exec(t, url, `UPDATE pg_class SET relpages = 1310720 WHERE oid = 'resources'::regclass`)
	if err := db.Analyze(t.Context()); err != nil || measured() != 1310720 {
		t.Errorf("of a table of 10 GB %d pages are known, %v", measured(), err)
	}
}
