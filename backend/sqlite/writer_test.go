package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/scim"
)

func fresh(t testing.TB, o sqlite.Options) *sqlite.DB {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "rollcall.db"), o)
}

// TestGroupCommit holds the writer until 32 creates wait: they share commits,
// and a failing one among them fails alone.
func TestGroupCommit(t *testing.T) {
	t.Parallel()
	db := fresh(t, sqlite.Options{})
	s := db.Tenant("a")
	create(t, s, user(t, "taken"))
	before := db.Commits()
	held, release := db.HoldWriter()
	<-held
	const clients = 32
	errs := make([]error, clients)
	var wg sync.WaitGroup
	for i := range clients {
		r := user(t, fmt.Sprintf("u%d", i))
		if i == 7 {
			r = user(t, "TAKEN")
		}
		wg.Go(func() { _, errs[i] = s.Create(context.Background(), r) })
	}
	for db.Waiting() < clients {
		time.Sleep(time.Millisecond)
	}
	release()
	wg.Wait()
	for i, err := range errs {
		if (i == 7) != errors.Is(err, scim.ErrUniqueness) || (i != 7 && err != nil) {
			t.Errorf("create %d: %v", i, err)
		}
	}
	if n := db.Commits() - before; n > clients/2 {
		t.Errorf("%d commits for %d concurrent creates", n, clients)
	}
	if p, err := s.List(t.Context(), scim.Query{Type: types[0]}); err != nil || p.Total != clients {
		t.Errorf("%d users, %v; want %d", p.Total, err, clients)
	}
}

// TestCancelledWrite leaves a write in the queue of a busy writer.
func TestCancelledWrite(t *testing.T) {
	t.Parallel()
	db := fresh(t, sqlite.Options{})
	s := db.Tenant("a")
	held, release := db.HoldWriter()
	<-held
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	r := user(t, "u")
	go func() {
		_, err := s.Create(ctx, r)
		done <- err
	}()
	for db.Waiting() == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Create: %v", err)
	}
	release()
	create(t, s, user(t, "v"))
	if n, err := db.Int(t.Context(), `SELECT count(*) FROM resources`); err != nil || n != 1 {
		t.Errorf("%d resources, %v: a write whose caller left must not happen", n, err)
	}
}

// TestDiskFull fills the disk: whoever is told 503 has changed nothing, and
// the store works again once there is room.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	db := fresh(t, sqlite.Options{MaxPagesForTests: 200})
	s := db.Tenant("a")
	var stored int64
	var err error
	for i := 0; err == nil && i < 10_000; i++ {
		r := resource(t, types[0], `{"userName":"u%d","title":%q}`, i, strings.Repeat("x", 3000))
		if _, err = s.Create(context.Background(), r); err == nil {
			stored++
		}
	}
	var e *scim.Error
	if !errors.As(err, &e) || e.Status != 503 || e.RetryAfter <= 0 {
		t.Fatalf("a full disk: %v", err)
	}
	for table, want := range map[string]int64{"resources": stored, "changes": stored, "uniq": stored} {
		if n, err := db.Int(t.Context(), `SELECT count(*) FROM `+table); err != nil || n != want {
			t.Errorf("%d rows in %s, %v; %d creates succeeded", n, table, err, want)
		}
	}
	if n, err := db.Int(t.Context(), `SELECT n FROM counts`); err != nil || n != stored {
		t.Errorf("counter %d, %v; want %d", n, err, stored)
	}
	if err := db.Exec(t.Context(), `PRAGMA max_page_count = 100000`); err != nil {
		t.Fatal(err)
	}
	r := create(t, s, user(t, "later"))
	if got := get(t, s, r); got.ID != r.ID {
		t.Errorf("got %s", got.ID)
	}
}

func TestPanic(t *testing.T) {
	t.Parallel()
	db := fresh(t, sqlite.Options{})
	if err := db.Panic(t.Context()); err == nil || !strings.Contains(err.Error(), "panic: bug") {
		t.Errorf("a panic in the writer: %v", err)
	}
	err := db.Tenant("a").Batch(t.Context(), func(b scim.Backend) error {
		create(t, b, user(t, "u"))
		panic("bug")
	})
	if err == nil {
		t.Error("a batch that panics succeeds")
	}
	create(t, db.Tenant("a"), user(t, "u"))
}

func TestBatch(t *testing.T) {
	t.Parallel()
	db := fresh(t, sqlite.Options{})
	s := db.Tenant("a")
	before := db.Commits()
	var kept scim.Backend
	err := s.Batch(t.Context(), func(b scim.Backend) error {
		kept = b
		u := create(t, b, user(t, "u"))
		if _, err := b.Create(t.Context(), user(t, "u")); !errors.Is(err, scim.ErrUniqueness) {
			t.Errorf("second create: %v", err)
		}
		g := create(t, b, group(t, "g", u.ID))
		if got := get(t, b, u); len(got.Groups) != 1 || got.Groups[0].ID != g.ID {
			t.Errorf("groups in the batch: %v", got.Groups)
		}
		return nil
	})
	if err != nil || db.Commits() != before+1 {
		t.Errorf("Batch: %v, %d commits", err, db.Commits()-before)
	}
	if _, err := kept.Create(t.Context(), user(t, "late")); err == nil {
		t.Error("a batch's Backend works after the batch")
	}
	boom := errors.New("boom")
	err = s.Batch(t.Context(), func(b scim.Backend) error {
		create(t, b, user(t, "v"))
		return boom
	})
	if !errors.Is(err, boom) {
		t.Errorf("Batch: %v", err)
	}
	if p, err := s.List(t.Context(), scim.Query{Type: types[0]}); err != nil || p.Total != 1 {
		t.Errorf("%d users, %v; a failed batch leaves nothing", p.Total, err)
	}
}
