package sqlite_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/internal/audit"
	"github.com/rollcall-scim/rollcall/internal/audit/audittest"
	"github.com/rollcall-scim/rollcall/scim"
)

func TestAudit(t *testing.T) {
	t.Parallel()
	audittest.Run(t, func(t *testing.T) *audittest.Rig {
		clock := audittest.NewClock()
		path := filepath.Join(t.TempDir(), "rollcall.db")
		o := sqlite.Options{HistoryDays: audittest.HistoryDays, UndeleteDays: 30, Now: clock.Now, UnsafeSynchronousForTests: "OFF"}
		db := open(t, path, o)
		return &audittest.Rig{
			Store:  func(tenant string) audittest.Store { return db.Tenant(tenant) },
			Log:    func(tenant string) audit.Log { return db.Tenant(tenant).Audit() },
			Exec:   func(statement string) error { return db.Exec(context.Background(), statement) },
			Number: func(tenant string) string { return fmt.Sprintf("(SELECT pk FROM tenants WHERE name = '%s')", tenant) },
			Blob:   func(b []byte) string { return fmt.Sprintf("X'%x'", b) },
			Prune:  func(ctx context.Context) error { return db.Prune(ctx) },
			Reopen: func() {
				if err := db.Close(); err != nil {
					t.Error(err)
				}
				db = open(t, path, o)
			},
			Clock: clock,
		}
	})
}

// TestSealer: what is committed is sealed by itself, what was there before with
// it, and the next program goes on.
func TestSealer(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rollcall.db")
	db := open(t, path, sqlite.Options{})
	create(t, db.Tenant("a"), user(t, "before"))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for round := range int64(2) {
		db = open(t, path, sqlite.Options{Seal: true})
		create(t, db.Tenant("a"), user(t, fmt.Sprint("u", round)))
		create(t, db.Tenant("b"), user(t, fmt.Sprint("u", round)))
		eventually(t, "what is committed is sealed", func() bool {
			a, err := db.Tenant("a").Audit().Head(t.Context())
			b, err2 := db.Tenant("b").Audit().Head(t.Context())
			return err == nil && err2 == nil && a.N == round+2 && b.N == round+1
		})
		v, err := audit.Verify(t.Context(), "a", db.Tenant("a").Audit(), nil)
		if err != nil || !v.Good || v.Changes != round+2 {
			t.Errorf("%+v, %v", v, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSealSlices: rows that were there before are sealed in several transactions.
func TestSealSlices(t *testing.T) {
	t.Parallel()
	db := fresh(t, sqlite.Options{})
	s := db.Tenant("a")
	err := s.Batch(t.Context(), func(b scim.Backend) error {
		for i := range 2_100 {
			create(t, b, resource(t, types[0], `{"userName":"u%d"}`, i))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	before := db.Commits()
	head, err := s.Audit().Seal(t.Context())
	if n := db.Commits() - before; err != nil || head.N != 2_100 || n < 3 {
		t.Errorf("%d entries in %d transactions, %v", head.N, n, err)
	}
	if v, err := audit.Verify(t.Context(), "a", s.Audit(), &head); err != nil || !v.Good {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestScrub: of somebody who was erased no file has anything left.
func TestScrub(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := open(t, filepath.Join(dir, "rollcall.db"), sqlite.Options{UndeleteDays: 30})
	s := db.Tenant("a")
	names := []string{"Wilhelmina.Canary", "Wilhelmina.Canary.Two"}
	for i := range 200 {
		create(t, s, user(t, fmt.Sprint("other", i)))
	}
	for _, name := range names {
		u := create(t, s, user(t, name))
		for i := range 200 {
			create(t, s, user(t, fmt.Sprint(name[:3], i, name)))
			if i == 100 {
				if err := s.Delete(t.Context(), u.Ref(), ""); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := s.Audit().Erase(t.Context(), audit.Erasure{ID: u.ID}); err != nil {
			t.Fatal(err)
		}
	}
	// All whose name has the canary in it.
	left := 0
	log, err := s.Changes(t.Context(), scim.ChangeQuery{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range log {
		if len(r.Changes) > 1 && r.Op == "create" && strings.Contains(fmt.Sprint(r.Changes), "Canary") {
			if err := s.Delete(t.Context(), scim.Ref{Type: types[0], ID: r.ID}, ""); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Audit().Erase(t.Context(), audit.Erasure{ID: r.ID}); err != nil {
				t.Fatal(err)
			}
			left++
		}
	}
	if left != 400 {
		t.Fatalf("%d erased, want 400", left)
	}
	if found(t, dir, "canary") == "" {
		t.Error("nothing of the values is left even before the file is written anew: the test shows nothing")
	}
	done := make(chan error)
	go func() { // somebody writes meanwhile
		_, err := s.Create(t.Context(), user(t, "meanwhile"))
		done <- err
	}()
	if err := db.Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if where := found(t, dir, "canary"); where != "" {
		t.Errorf("left in %s", where)
	}
	create(t, s, user(t, "afterwards"))
	if v, err := audit.Verify(t.Context(), "a", s.Audit(), nil); err != nil || !v.Good {
		t.Errorf("%+v, %v", v, err)
	}
}

// found looks for a text in all files of a folder, in any case.
func found(t *testing.T, dir, text string) (where string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(bytes.ToLower(data), []byte(text)); n > 0 {
			where += fmt.Sprintf("%s (%d times) ", f.Name(), n)
		}
	}
	return where
}
