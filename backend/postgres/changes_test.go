package postgres_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/patch"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// clock is a clock that a test sets: the store reads it beside the test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)} }

func (c *clock) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(days int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.AddDate(0, 0, days)
}

func TestChangeLog(t *testing.T) {
	t.Parallel()
	db := fresh(t, postgres.Options{})
	s := db.Tenant("a")
	ctx := scim.WithOrigin(t.Context(), scim.Origin{Actor: "okta", RequestID: "req-1"})
	before := resource(t, types[0], `{"userName":"u","title":"Clerk","password":"correct horse","externalId":"e"}`)
	before, err := s.Create(ctx, before)
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Load(before); err != nil {
		t.Fatal(err)
	}
	after := *before
	after.Attrs = scim.Clone(before.Attrs)
	after.Attrs.Set("title", "Tour guide")
	after.Attrs.Set("password", "battery staple")
	schema.Encode(&after)
	if _, err := s.Update(ctx, scim.Change{Before: before, After: &after, Deltas: patch.Diff(before, &after), Method: "PUT"}); err != nil {
		t.Fatal(err)
	}
	g := create(t, s, group(t, "g"))
	if _, err := s.UpdateMembers(ctx, change(g, []string{before.ID}, nil)); err != nil {
		t.Fatal(err)
	}
	log, err := s.Changes(t.Context(), scim.ChangeQuery{Person: before.ID})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range log {
		got = append(got, fmt.Sprintf("%s %s %s v%s by %s %s: %v", r.Op, r.Type, r.ID, r.Version, r.Actor, r.RequestID, r.Changes))
	}
	want := []string{
		"create User " + before.ID + " v1 by okta req-1: [{externalId [e] []} {userName [u] []} {title [Clerk] []} {password [] []}]",
		"update User " + before.ID + " v2 by okta req-1: [{title [Tour guide] [Clerk]} {password [] []}]",
		"update Group " + g.ID + " v2 by okta req-1: [{members [" + before.ID + "] []}]",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the log (-want +got):\n%s", d)
	}
}

// TestChangesOfType combines what a ChangeQuery can ask for.
func TestChangesOfType(t *testing.T) {
	t.Parallel()
	db := fresh(t, postgres.Options{})
	s := db.Tenant("a")
	u := create(t, s, user(t, "u"))
	g := create(t, s, group(t, "g", u.ID))
	for _, tt := range []struct {
		q    scim.ChangeQuery
		want string
	}{
		{scim.ChangeQuery{Type: "Group"}, g.ID},
		{scim.ChangeQuery{Type: "Group", Person: u.ID, Limit: 1}, g.ID},
		{scim.ChangeQuery{ID: u.ID, Person: u.ID}, u.ID},
		{scim.ChangeQuery{Type: "User", ID: g.ID}, ""},
		{scim.ChangeQuery{Type: "Nothing"}, ""},
	} {
		log, err := s.Changes(t.Context(), tt.q)
		got := ""
		for _, r := range log {
			got += r.ID
		}
		if err != nil || got != tt.want {
			t.Errorf("%+v: records of %q, %v; want %q", tt.q, got, err, tt.want)
		}
	}
}

// TestNoSecretInRows looks for a password in all rows, of which only the
// document's own hidden text may hold it.
func TestNoSecretInRows(t *testing.T) {
	t.Parallel()
	db := fresh(t, postgres.Options{UndeleteDays: 30})
	s := db.Tenant("a")
	u := create(t, s, resource(t, types[0], `{"userName":"u","password":"Correct-Horse-7"}`))
	search := func(want map[string]int64) {
		t.Helper()
		for _, table := range []string{"resources", "attrs", "uniq", "changes", "deleted", "meta"} {
			n, err := db.Int(t.Context(), `SELECT count(*) FROM `+table+` x WHERE x::text ILIKE '%correct-horse-7%'`)
			if err != nil || n != want[table] {
				t.Errorf("%s: the password is in %d rows, %v; want %d", table, n, err, want[table])
			}
		}
	}
	search(map[string]int64{"resources": 1})
	if err := s.Delete(t.Context(), u.Ref(), ""); err != nil {
		t.Fatal(err)
	}
	search(map[string]int64{"deleted": 1})
}

func TestPrune(t *testing.T) {
	t.Parallel()
	now := newClock()
	db := fresh(t, postgres.Options{HistoryDays: 400, Now: now.time})
	s := db.Tenant("a")
	old := create(t, s, user(t, "old"))
	create(t, s, group(t, "g", old.ID))
	now.add(300)
	recent := create(t, s, user(t, "recent"))
	now.add(101)
	if err := db.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	log, err := s.Changes(t.Context(), scim.ChangeQuery{})
	if err != nil || len(log) != 1 || log[0].ID != recent.ID {
		t.Errorf("after 401 days: %+v, %v; want the record of 101 days ago", log, err)
	}
	if n, err := db.Int(t.Context(), `SELECT count(*) FROM changes_people`); err != nil || n != 0 {
		t.Errorf("%d rows about people are left, %v", n, err)
	}
}

// TestPruneSteps prunes a record that touched more people than one step takes.
func TestPruneSteps(t *testing.T) {
	t.Parallel()
	now := newClock()
	db := fresh(t, postgres.Options{HistoryDays: 1, Now: now.time})
	s := db.Tenant("a")
	create(t, s, group(t, "g", people(t, s, 2_500)...))
	now.add(2)
	commits := commitsOf(db, func() {
		if err := db.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	if commits < 3 {
		t.Errorf("5,000 rows pruned in %d transactions", commits)
	}
	if n, err := db.Int(t.Context(), `SELECT (SELECT count(*) FROM changes) + (SELECT count(*) FROM changes_people)`); err != nil || n != 0 {
		t.Errorf("%d rows are left, %v", n, err)
	}
}

// TestPruneTogether prunes while another instance, which then ends, is in the midst
// of a step: nothing is left over.
func TestPruneTogether(t *testing.T) {
	t.Parallel()
	now := newClock()
	db := fresh(t, postgres.Options{HistoryDays: 1, Now: now.time})
	s := db.Tenant("a")
	ids := people(t, s, 600)
	for i := range 4 {
		create(t, s, group(t, fmt.Sprintf("g%d", i), ids...))
	}
	if _, err := s.Audit().Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	now.add(2)
	other := make(chan error, 1)
	err := db.ExpireStep(t.Context(), "a", now.time().AddDate(0, 0, -1).UnixMilli(), func() {
		go func() { other <- db.Prune(t.Context()) }()
		until(t, func() bool {
			n, err := db.Int(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)
			return err == nil && n > 0
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-other; err != nil {
		t.Fatal(err)
	}
	if n, err := db.Int(t.Context(), `SELECT (SELECT count(*) FROM changes) + (SELECT count(*) FROM changes_people)`); err != nil || n != 0 {
		t.Errorf("%d rows are left, %v", n, err)
	}
}
