//go:build ha && linux

package failover_test

import (
	"context"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/failover"
)

// TestRestore is the drill of docs/operations.md: somebody empties a table by
// mistake, and the directory is restored as it was just before. All that was
// acknowledged by then is there; nothing of what came after it is.
func TestRestore(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	a, err := failover.NewArchived(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	r := &rig{}
	serve := func() *failover.Instance { return r.serve(ctx, t, a.URL("postgres")) }
	load := func(i *failover.Instance, name string, writes int) *failover.Load {
		l := &failover.Load{Name: name, Token: testToken, Instances: []string{i.URL}}
		if err := l.Start(ctx); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(l.Stop)
		r.write(ctx, t, l, writes)
		l.Stop()
		return l
	}
	query := func(sql string) string {
		s, err := a.Query(ctx, "postgres", sql)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	audit := func(i *failover.Instance, l *failover.Load) []string {
		found, err := l.Ledger.Audit(ctx, i.URL, testToken, l.Name+"-")
		if err != nil {
			t.Fatal(err)
		}
		return found
	}

	i := serve()
	before := load(i, "before", 300)
	began := time.Now()
	if err := a.Backup(ctx); err != nil {
		t.Fatal(err)
	}
	backup := time.Since(began)
	since := load(i, "since", 600)
	moment, err := time.Parse("2006-01-02 15:04:05.999999-07", query("SELECT clock_timestamp()"))
	if err != nil {
		t.Fatal(err)
	}
	after := load(i, "after", 100)
	query("TRUNCATE resources CASCADE")
	if found := audit(i, before); len(found) < 50 {
		t.Fatalf("the table was emptied, and all that is missed is %q", found)
	}
	i.Stop()

	began = time.Now()
	if err := a.Restore(ctx, moment); err != nil {
		t.Fatal(err)
	}
	i = serve()
	restore := time.Since(began)
	for _, l := range []*failover.Load{before, since} {
		for _, f := range audit(i, l) {
			t.Error(f)
		}
	}
	if n := query("SELECT count(*) FROM uniq WHERE path = 'userName' AND text LIKE 'after-%'"); n != "0" {
		t.Errorf("%s people are there who were made after the moment", n)
	}
	if found := audit(i, after); len(found) == 0 {
		t.Error("what came after the moment is there")
	}
	load(i, "again", 100)
	t.Logf("%d people before the moment, %s; base backup %v, restore until the directory answered %v", before.Ledger.Len()+since.Ledger.Len(),
		query("SELECT pg_size_pretty(pg_database_size('postgres'))"), backup.Round(time.Millisecond), restore.Round(time.Millisecond))
}
