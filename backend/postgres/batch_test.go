package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/internal/pgtest"
	"github.com/rollcall-scim/rollcall/scim"
)

func TestBatch(t *testing.T) {
	t.Parallel()
	db := fresh(t, postgres.Options{})
	s := db.Tenant("a")
	var kept scim.Backend
	commits := commitsOf(db, func() {
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
		if err != nil {
			t.Errorf("Batch: %v", err)
		}
	})
	if commits != 1 {
		t.Errorf("%d commits", commits)
	}
	if _, err := kept.Create(t.Context(), user(t, "late")); err == nil {
		t.Error("a batch's Backend works after the batch")
	}
	boom := errors.New("boom")
	err := s.Batch(t.Context(), func(b scim.Backend) error {
		create(t, b, user(t, "v"))
		return boom
	})
	if !errors.Is(err, boom) {
		t.Errorf("Batch: %v", err)
	}
	if p, err := s.List(t.Context(), scim.Query{Type: types[0]}); err != nil || p.Total != 1 {
		t.Errorf("%d users, %v; a failed batch leaves nothing", p.Total, err)
	}
	noTraces(t, db)
}

// TestBatchCutOff ends the connection of a batch in its middle: it fails,
// whatever f makes of that, and leaves nothing.
func TestBatchCutOff(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	db, other := open(t, url, postgres.Options{}), open(t, url, postgres.Options{})
	s := db.Tenant("a")
	err := s.Batch(t.Context(), func(b scim.Backend) error {
		create(t, b, user(t, "u"))
		cutOff(t, other)
		if _, err := b.Create(t.Context(), user(t, "v")); err == nil {
			t.Error("a create on a lost connection succeeds")
		}
		return nil
	})
	var e *scim.Error
	if !errors.As(err, &e) || e.Status != 503 || e.RetryAfter <= 0 {
		t.Errorf("Batch: %v", err)
	}
	if p, err := s.List(t.Context(), scim.Query{Type: types[0]}); err != nil || p.Total != 0 {
		t.Errorf("%d users, %v", p.Total, err)
	}
	create(t, s, user(t, "u"))
	noTraces(t, db)
}

// cutOff ends all connections to the database but those of db.
func cutOff(t testing.TB, db *postgres.DB) {
	t.Helper()
	own, err := db.Int(t.Context(), `SELECT pg_backend_pid()`)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Int(t.Context(), `SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
		WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> $1 AND pid <> pg_backend_pid()`, own)
	if err != nil {
		t.Fatal(err)
	}
}

// TestTogether holds up a create until others wait behind it: those go together,
// and one among them that is refused fails alone.
func TestTogether(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	db := open(t, url, postgres.Options{})
	s := db.Tenant("a")
	create(t, s, user(t, "taken"))
	depart := db.HoldCreates("a", "User")
	var wg sync.WaitGroup
	results := map[string]error{}
	var mu sync.Mutex
	add := func(ctx context.Context, key, name string) {
		r := user(t, name)
		wg.Go(func() {
			_, err := s.Create(ctx, r)
			mu.Lock()
			defer mu.Unlock()
			results[key] = err
		})
	}
	add(t.Context(), "first", "same")
	add(t.Context(), "second", "SAME")
	ctx, cancel := context.WithCancel(t.Context())
	for i := range 20 {
		add(t.Context(), fmt.Sprint(i), fmt.Sprintf("u%d", i))
	}
	add(t.Context(), "taken", "Taken")
	add(t.Context(), "twin", "u7")
	add(ctx, "left", "left")
	until(t, func() bool { return db.Waiting("a", "User") == 25 })
	cancel()
	until(t, func() bool { return db.Waiting("a", "User") == 24 })
	depart()
	wg.Wait()
	for key, err := range results {
		switch key {
		case "taken":
			if !errors.Is(err, scim.ErrUniqueness) {
				t.Errorf("%s: %v", key, err)
			}
		case "left":
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", key, err)
			}
		case "first", "second", "7", "twin":
		default:
			if err != nil {
				t.Errorf("%s: %v", key, err)
			}
		}
	}
	for _, pair := range [][2]string{{"first", "second"}, {"7", "twin"}} {
		a, b := results[pair[0]], results[pair[1]]
		if (a == nil) == (b == nil) || !errors.Is(errors.Join(a, b), scim.ErrUniqueness) {
			t.Errorf("two of one name: %v, %v", a, b)
		}
	}
	if p, err := s.List(t.Context(), scim.Query{Type: types[0]}); err != nil || p.Total != 22 {
		t.Errorf("%d users, %v; want 22", p.Total, err)
	}
	noTraces(t, db)
}

// TestTogetherBad has one create fail for a reason of the database's own,
// which is not to be that of the others.
func TestTogetherBad(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	db := open(t, url, postgres.Options{})
	s := db.Tenant("a")
	depart := db.HoldCreates("a", "User")
	errs := make([]error, 10)
	var wg sync.WaitGroup
	for i := range errs {
		r := user(t, fmt.Sprintf("u%d", i))
		if i == 5 {
			r.Text = append(r.Text, 0) // which no text of PostgreSQL may have
		}
		wg.Go(func() { _, errs[i] = s.Create(t.Context(), r) })
		until(t, func() bool { return db.Waiting("a", "User") == i+1 })
	}
	depart()
	wg.Wait()
	for i, err := range errs {
		if (err != nil) != (i == 5) {
			t.Errorf("create %d: %v", i, err)
		}
	}
}

// until waits for what is to become true soon.
func until(t testing.TB, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not become true: " + strings.TrimSpace(t.Name()))
		}
	}
}
