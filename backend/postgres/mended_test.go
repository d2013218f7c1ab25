package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/shared"
	"github.com/rollcall-scim/rollcall/internal/pgtest"
	"github.com/rollcall-scim/rollcall/internal/transfer"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/patch"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

func exec(t *testing.T, c *pgx.Conn, query string, args ...any) {
	t.Helper()
	if _, err := c.Exec(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}

// blocked waits until n connections wait for locks.
func blocked(t *testing.T, db *postgres.DB, n int64) {
	t.Helper()
	until(t, func() bool {
		have, err := db.Int(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)
		return err == nil && have == n
	})
}

// TestBatchOnUselessConnection: a connection whose server became read-only in
// the middle of a batch is not used again, whatever the batch made of the error.
func TestBatchOnUselessConnection(t *testing.T) {
	t.Parallel()
	db := open(t, pgtest.Quick(t), postgres.Options{MaxConns: 1})
	s := db.Tenant("a")
	create(t, s, user(t, "u"))
	err := s.Batch(t.Context(), func(b scim.Backend) error {
		for _, name := range []string{"default_transaction_read_only", "transaction_read_only"} {
			if err := postgres.ExecIn(t.Context(), b, "SET "+name+" = on"); err != nil {
				t.Error(err)
			}
		}
		if _, err := b.Create(t.Context(), user(t, "v")); !errors.Is(err, unavailable) {
			t.Errorf("a create: %v", err)
		}
		return nil
	})
	if err != nil && !errors.Is(err, unavailable) {
		t.Errorf("the batch: %v", err)
	}
	if n, err := db.Int(t.Context(), `SELECT count(*) WHERE current_setting('transaction_read_only')::boolean`); err != nil || n != 0 {
		t.Errorf("the connection is used again, and read-only: %d, %v", n, err)
	}
}

// TestOneTenantsFault: what can't be finished or pruned in one tenant does not
// keep it from the next.
func TestOneTenantsFault(t *testing.T) {
	t.Parallel()
	now := newClock()
	url := pgtest.Quick(t)
	var said bytes.Buffer
	o := postgres.Options{SliceRows: 1, HistoryDays: 1, Now: now.time, Logger: slog.New(slog.NewTextHandler(&said, nil))}
	patient := open(t, url, o)
	o.StatementTimeout = 3 * time.Second
	db := open(t, url, o)
	for _, name := range []string{"a", "b"} {
		s := patient.Tenant(name)
		u := create(t, s, user(t, "u"))
		for i := range 3 {
			create(t, s, group(t, fmt.Sprint("g", i), u.ID))
		}
		if err := patient.Bury(t.Context(), name, u.Ref()); err != nil {
			t.Fatal(err)
		}
	}
	c := connect(t, url)
	defer c.Close(context.Background())
	exec(t, c, `BEGIN`)
	exec(t, c, `SELECT 1 FROM resources WHERE tenant = (SELECT tenant FROM tenants WHERE name = 'a') FOR UPDATE`)
	exec(t, c, `SELECT 1 FROM changes WHERE tenant = (SELECT tenant FROM tenants WHERE name = 'a') FOR UPDATE`)
	db.FinishDeletes()
	left := func(table, tenant string) int64 {
		n, err := patient.Int(t.Context(), `SELECT count(*) FROM `+table+` WHERE tenant = (SELECT tenant FROM tenants WHERE name = $1)`, tenant)
		if err != nil {
			t.Error(err)
		}
		return n
	}
	if a, b := left("doomed", "a"), left("doomed", "b"); a != 1 || b != 0 {
		t.Errorf("%d and %d deletes are left; want 1 and 0", a, b)
	}
	if !strings.Contains(said.String(), "a delete is not finished") {
		t.Errorf("the log has %q", said.String())
	}
	now.add(10)
	if err := db.Prune(t.Context()); err == nil {
		t.Error("what can't be pruned is no error")
	}
	if a, b := left("changes", "a"), left("changes", "b"); a == 0 || b != 0 {
		t.Errorf("%d and %d records are left; want some and 0", a, b)
	}
}

// TestReferenceGoneBefore: a reference that somebody else takes away while a
// delete waits for its document is not taken away again.
func TestReferenceGoneBefore(t *testing.T) {
	t.Parallel()
	db := open(t, pgtest.Quick(t), postgres.Options{})
	s := db.Tenant("a")
	boss := create(t, s, user(t, "boss"))
	u := create(t, s, resource(t, types[0], report, "u", boss.ID))
	before := get(t, s, u)
	if err := schema.Load(before); err != nil {
		t.Fatal(err)
	}
	after := *resource(t, types[0], `{"userName":"u"}`)
	after.ID, after.Meta = u.ID, u.Meta
	deleted := make(chan error, 1)
	err := s.Batch(t.Context(), func(b scim.Backend) error {
		if _, err := b.Update(t.Context(), scim.Change{Before: before, After: &after, Deltas: patch.Diff(before, &after), Method: "PUT"}); err != nil {
			return err
		}
		go func() { deleted <- s.Delete(t.Context(), boss.Ref(), "") }()
		blocked(t, db, 1)
		return nil
	})
	if err := errors.Join(err, <-deleted); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, u); got.Meta.Version != "2" {
		t.Errorf("version %s; want 2", got.Meta.Version)
	}
	if log, err := s.Changes(t.Context(), scim.ChangeQuery{ID: u.ID}); err != nil || len(log) != 2 {
		t.Errorf("%d records, %v; want 2: %+v", len(log), err, log)
	}
	noTraces(t, db)
}

// TestGroupGrowsWhileRead: in a batch a group that becomes too large to be read
// with its row, after that was read, is read with its members all the same.
func TestGroupGrowsWhileRead(t *testing.T) {
	t.Parallel()
	url := pgtest.Quick(t)
	s, other := open(t, url, postgres.Options{MaxConns: 1}).Tenant("a"), open(t, url, postgres.Options{})
	ids := people(t, s, 1_001)
	g := create(t, s, group(t, "g", ids[:1_000]...))
	get(t, s, g) // so that nothing need be prepared
	c := connect(t, url)
	defer c.Close(context.Background())
	exec(t, c, `BEGIN`)
	exec(t, c, `LOCK TABLE members`)
	n := 0
	err := s.Batch(t.Context(), func(b scim.Backend) error {
		got := make(chan *scim.Resource, 1)
		go func() {
			r, err := b.Get(t.Context(), g.Ref(), scim.Selection{})
			if err != nil {
				t.Error(err)
			}
			got <- r
		}()
		blocked(t, other, 1)
		exec(t, c, `INSERT INTO members SELECT g.tenant, g.pk, u.pk FROM resources g JOIN resources u ON u.tenant = g.tenant WHERE g.id = $1 AND u.id = $2`, g.ID, ids[1_000])
		exec(t, c, `UPDATE resources SET members = 1001 WHERE id = $1`, g.ID)
		exec(t, c, `COMMIT`)
		if r := <-got; r != nil {
			n = len(memberIDs(t, r))
		}
		return nil
	})
	if err != nil || n != 1_001 {
		t.Errorf("%d members, %v", n, err)
	}
}

// TestResetBesideTombstone sets the members of a group one of whom is being
// deleted: the change log tells of everybody by the id that he had, once.
func TestResetBesideTombstone(t *testing.T) {
	t.Parallel()
	db := open(t, pgtest.Quick(t), postgres.Options{SliceRows: 1})
	s := db.Tenant("a")
	u, v := create(t, s, user(t, "u")), create(t, s, user(t, "v"))
	g := create(t, s, group(t, "g", u.ID))
	create(t, s, group(t, "h", u.ID))
	create(t, s, group(t, "i", u.ID))
	if err := db.Bury(t.Context(), "a", u.Ref()); err != nil {
		t.Fatal(err)
	}
	c := change(g, []string{v.ID}, nil)
	c.Deltas[0].Reset = true
	if _, err := s.UpdateMembers(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	db.FinishDeletes()
	noTraces(t, db)
	log, err := s.Changes(t.Context(), scim.ChangeQuery{ID: g.ID})
	removed := 0
	for _, r := range log {
		text := fmt.Sprint(r.Changes)
		removed += strings.Count(text, u.ID)
		if strings.Contains(text, "deleted") {
			t.Errorf("the log has %s", text)
		}
	}
	if err != nil || removed != 2 {
		t.Errorf("%s is named %d times, %v; want when it came and when it went", u.ID, removed, err)
	}
}

// TestSecretInSettings: a setting that can't be read is refused without a part of
// a password.
func TestSecretInSettings(t *testing.T) {
	t.Parallel()
	_, err := postgres.Open(t.Context(), `host=127.0.0.1 password='ses\'ame opens' dbname=d pool_max_conns=x`, postgres.Options{})
	if err == nil || strings.Contains(err.Error(), "opens") {
		t.Errorf("%v", err)
	}
}

// TestPingBesideCopy: an instance that was there before a copy began, and that
// the copy could not see, is not ready any more.
func TestPingBesideCopy(t *testing.T) {
	t.Parallel()
	url := pgtest.Quick(t)
	db := open(t, url, postgres.Options{})
	if err := db.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	to, err := postgres.OpenTarget(t.Context(), url, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	if _, err := to.Begin(t.Context(), transfer.Header{ID: "x"}); err != nil {
		t.Fatal(err)
	}
	if err := db.Ping(t.Context()); !errors.Is(err, transfer.ErrUnfinished) || !errors.Is(err, unavailable) {
		t.Errorf("while something is copied into it: %v", err)
	}
}

// TestSinceUnderWay counts changes that were under way at the moment of a source
// and came before others that were not.
func TestSinceUnderWay(t *testing.T) {
	t.Parallel()
	now := newClock()
	url := pgtest.Quick(t)
	db := open(t, url, postgres.Options{HistoryDays: 1, Now: now.time})
	s := db.Tenant("a")
	create(t, s, user(t, "old"))
	now.add(10)
	var src *postgres.Source
	err := s.Batch(t.Context(), func(b scim.Backend) error {
		create(t, b, user(t, "first"))
		create(t, s, user(t, "second"))
		var err error
		src, err = postgres.OpenSource(t.Context(), url, postgres.SourceOptions{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if n, err := src.Since(t.Context()); err != nil || n != 1 {
		t.Errorf("%d changes, %v; want that of the batch", n, err)
	}
	if err := db.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := src.Since(t.Context()); err != nil || n != 1 {
		t.Errorf("%d changes after old ones were pruned, %v; want 1", n, err)
	}
}

// TestExchangesOfAnother: an instance does not take what another one has written
// under its numbers for its own.
func TestExchangesOfAnother(t *testing.T) {
	t.Parallel()
	db := open(t, pgtest.Quick(t), postgres.Options{})
	one, two := shares(t, db, "a", "one"), shares(t, db, "a", "two")
	block := func(first int64) shared.Block {
		return shared.Block{First: first, Last: first + 5, Oldest: 1, Newest: 2, Count: 3, Body: []byte("x")}
	}
	for range 2 {
		if err := one.Write(t.Context(), []shared.Block{block(10)}, nil); err != nil {
			t.Errorf("written by itself: %v", err)
		}
	}
	if err := two.Write(t.Context(), []shared.Block{block(30), block(10)}, nil); err == nil {
		t.Error("another one's exchanges are taken for its own")
	}
	if n, _, err := one.Measure(t.Context()); err != nil || n != 3 {
		t.Errorf("%d exchanges, %v; want 3: all or nothing", n, err)
	}
}

// TestTraceOfSecondAttempt: who came and went is told once, though the
// transaction had to begin again.
func TestTraceOfSecondAttempt(t *testing.T) {
	t.Parallel()
	url := pgtest.Quick(t)
	db, other := open(t, url, postgres.Options{}), open(t, url, postgres.Options{})
	s := db.Tenant("a")
	u, g := create(t, s, user(t, "u")), create(t, s, group(t, "g"))
	times := 0
	db.Spy(func(query string) {
		if strings.HasPrefix(query, "INSERT INTO changes ") {
			if times++; times == 1 {
				cutOff(t, other)
			}
		}
	}, nil)
	trace := &scim.Trace{}
	if _, err := s.UpdateMembers(scim.WithTrace(t.Context(), trace), change(g, []string{u.ID}, nil)); err != nil {
		t.Fatal(err)
	}
	if n := trace.Notes(); times != 2 || len(n.Members.Added) != 1 {
		t.Errorf("after %d attempts came: %q", times, n.Members.Added)
	}
}
