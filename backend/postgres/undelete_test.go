package postgres_test

import (
	"fmt"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

func asItWas(r *scim.Resource) error {
	if err := schema.Load(r); err != nil {
		return err
	}
	schema.Encode(r)
	return nil
}

// TestRestore restores a user whose delete took one transaction, and one whose
// delete took many; neither leaves a row behind or out.
func TestRestore(t *testing.T) {
	t.Parallel()
	for _, rows := range []int{0, 3} {
		t.Run(fmt.Sprint(rows), func(t *testing.T) {
			t.Parallel()
			db := fresh(t, postgres.Options{SliceRows: rows, UndeleteDays: 30})
			s := db.Tenant("a")
			bob := create(t, s, user(t, "bob"))
			for i := range 7 {
				create(t, s, group(t, fmt.Sprintf("g%d", i), bob.ID))
			}
			before := get(t, s, bob)
			if err := s.Delete(t.Context(), bob.Ref(), ""); err != nil {
				t.Fatal(err)
			}
			got, err := s.Restore(t.Context(), bob.Ref(), asItWas)
			if err != nil {
				t.Fatal(err)
			}
			if string(got.Text) != string(before.Text) || got.Meta.Version != "2" || len(got.Groups) != 7 {
				t.Errorf("restored: %s, version %s, %d groups\nwas: %s", got.Text, got.Meta.Version, len(got.Groups), before.Text)
			}
			noTraces(t, db)
			for table := range map[string]bool{"deleted": true, "deleted_groups": true} {
				if n, err := db.Int(t.Context(), `SELECT count(*) FROM `+table+``); err != nil || n != 0 {
					t.Errorf("%s: %d rows left, %v", table, n, err)
				}
			}
			log, err := s.Changes(t.Context(), scim.ChangeQuery{Person: bob.ID})
			if want := 1 + 7 + 1 + 7 + 1 + 7; err != nil || len(log) != want {
				t.Errorf("%d records name the user, %v; want %d: before and after are one history", len(log), err, want)
			}
		})
	}
}

// TestRestoreUnfinished: a resource whose delete still goes on can't come back.
func TestRestoreUnfinished(t *testing.T) {
	t.Parallel()
	db := fresh(t, postgres.Options{SliceRows: 1, UndeleteDays: 30})
	s := db.Tenant("a")
	bob := create(t, s, user(t, "bob"))
	for i := range 3 {
		create(t, s, group(t, fmt.Sprintf("g%d", i), bob.ID))
	}
	if err := db.Bury(t.Context(), "a", bob.Ref()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Restore(t.Context(), bob.Ref(), asItWas); err == nil {
		t.Error("restored in the middle of its delete")
	}
}

// TestPurge: after the days what was deleted is gone physically, and a day before it is not.
func TestPurge(t *testing.T) {
	t.Parallel()
	now := newClock()
	db := fresh(t, postgres.Options{UndeleteDays: 30, Now: now.time})
	s := db.Tenant("a")
	bob := create(t, s, user(t, "bob"))
	create(t, s, group(t, "g", bob.ID))
	if err := s.Delete(t.Context(), bob.Ref(), ""); err != nil {
		t.Fatal(err)
	}
	count := func(want int64) {
		t.Helper()
		if err := db.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"deleted", "deleted_groups"} {
			if n, err := db.Int(t.Context(), `SELECT count(*) FROM `+table+``); err != nil || n != want {
				t.Errorf("%s: %d rows at %v, %v; want %d", table, n, now.time(), err, want)
			}
		}
	}
	now.add(29)
	count(1)
	now.add(1)
	// Even before it is purged nothing leads to it any more.
	if list, err := s.Deleted(t.Context(), scim.DeletedQuery{Type: types[0]}); err != nil || len(list) != 0 {
		t.Errorf("after 30 days: %+v, %v", list, err)
	}
	if _, err := s.Restore(t.Context(), bob.Ref(), asItWas); err == nil {
		t.Error("restored after 30 days")
	}
	count(0)
}

// TestPurgeSteps purges more than one transaction takes.
func TestPurgeSteps(t *testing.T) {
	t.Parallel()
	now := newClock()
	db := fresh(t, postgres.Options{UndeleteDays: 1, Now: now.time})
	s := db.Tenant("a")
	bob := create(t, s, user(t, "bob"))
	if err := s.Delete(t.Context(), bob.Ref(), ""); err != nil {
		t.Fatal(err)
	}
	if err := db.Exec(t.Context(), `INSERT INTO deleted_groups (tenant, res, grp) SELECT d.tenant, d.pk, 1000 + i FROM deleted d, generate_series(1, 5000) i`); err != nil {
		t.Fatal(err)
	}
	now.add(2)
	commits := commitsOf(db, func() {
		if err := db.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	if n, err := db.Int(t.Context(), `SELECT (SELECT count(*) FROM deleted_groups) + (SELECT count(*) FROM deleted)`); err != nil || n != 0 {
		t.Errorf("%d rows left, %v", n, err)
	}
	if commits < 3 {
		t.Errorf("5,001 rows were purged in %d transactions", commits)
	}
}

// TestUndeleteOff: with 0 days nothing is kept.
func TestUndeleteOff(t *testing.T) {
	t.Parallel()
	db := fresh(t, postgres.Options{})
	s := db.Tenant("a")
	bob := create(t, s, user(t, "bob"))
	if err := s.Delete(t.Context(), bob.Ref(), ""); err != nil {
		t.Fatal(err)
	}
	if n, err := db.Int(t.Context(), `SELECT count(*) FROM deleted`); err != nil || n != 0 {
		t.Errorf("%d rows kept, %v", n, err)
	}
}
