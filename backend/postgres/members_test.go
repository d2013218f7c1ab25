package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/scim"
)

// TestMemberCost counts what adding one member to a group costs: it must not
// depend on how many there are.
func TestMemberCost(t *testing.T) {
	t.Parallel()
	db := fresh(t, postgres.Options{})
	s := db.Tenant("a")
	ids := people(t, s, 2_001)
	small, large := create(t, s, group(t, "small", ids[:10]...)), create(t, s, group(t, "large", ids[:2_000]...))
	cost := func(c scim.Change) (statements, trips int) {
		db.Spy(func(string) { statements++ }, func() { trips++ })
		if _, err := s.UpdateMembers(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		db.Spy(func(string) {}, func() {})
		return statements, trips
	}
	newcomer := ids[2_000:]
	for _, step := range []struct {
		name           string
		added, removed []string
	}{
		{"add", newcomer, nil}, {"add again", newcomer, nil}, {"remove", nil, newcomer}, {"remove again", nil, newcomer},
	} {
		statements, trips := cost(change(small, step.added, step.removed))
		statements2, trips2 := cost(change(large, step.added, step.removed))
		if statements != statements2 || trips != trips2 || trips > 2 || statements > 9 {
			t.Errorf("%s: %d statements in %d round trips in a group of 10, %d in %d in one of 2,000", step.name, statements, trips, statements2, trips2)
		}
	}
	if g := get(t, s, large); g.Meta.Version != "3" || len(memberIDs(t, g)) != 2_000 {
		t.Errorf("version %s; what changes nothing must not count", g.Meta.Version)
	}
}

// TestResetMembers replaces a list of members by one that differs in two.
func TestResetMembers(t *testing.T) {
	t.Parallel()
	db := fresh(t, postgres.Options{})
	s := db.Tenant("a")
	ids := people(t, s, 3_001)
	g := create(t, s, group(t, "g", ids[:3_000]...))
	c := change(g, ids[1:], nil)
	c.Deltas[0].Reset = true
	if _, err := s.UpdateMembers(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if n, err := db.Int(t.Context(), `SELECT max(n) - min(n) FROM (SELECT count(*) AS n FROM members m GROUP BY m.xmin::text) AS x`); err != nil || n != 2_998 {
		t.Errorf("rows of the create and of the change differ by %d, %v; want 2,999 of the one and 1 of the other", n, err)
	}
	if got := memberIDs(t, get(t, s, g)); !slices.Equal(got, ids[1:]) {
		t.Errorf("%d members, want %d", len(got), len(ids)-1)
	}
	log, err := s.Changes(t.Context(), scim.ChangeQuery{Type: "Group", ID: g.ID, After: 1})
	if err != nil || len(log) != 2 || fmt.Sprint(log[1].Changes) != fmt.Sprint([]scim.RecordDelta{
		{Path: "members", Added: []any{ids[3_000]}, Removed: []any{ids[0]}}}) {
		t.Errorf("the record: %v, %v", log[1:], err)
	}
}

func TestUnknownMembers(t *testing.T) {
	t.Parallel()
	db := fresh(t, postgres.Options{})
	s := db.Tenant("a")
	ids := people(t, s, 1)
	g := create(t, s, group(t, "g"))
	_, err := s.UpdateMembers(t.Context(), change(g, []string{ids[0], "nobody"}, nil))
	if !errors.Is(err, scim.InvalidReference("members", "nobody")) {
		t.Errorf("UpdateMembers: %v", err)
	}
	if got := get(t, s, g); got.Meta.Version != "1" || len(memberIDs(t, got)) != 0 {
		t.Error("a refused change has changed the group")
	}
	elsewhere := create(t, db.Tenant("b"), user(t, "other"))
	if _, err := s.UpdateMembers(t.Context(), change(g, []string{elsewhere.ID}, nil)); err == nil {
		t.Error("a member of another tenant is accepted")
	}
}

// TestStreamedMembers reads a group too large to be read with its page, while a
// member leaves that has not been read yet.
func TestStreamedMembers(t *testing.T) {
	t.Parallel()
	db := fresh(t, postgres.Options{MaxConns: 2})
	s := db.Tenant("a")
	ids := people(t, s, 3_500)
	g := create(t, s, group(t, "g", ids...))
	got := get(t, s, g)
	n := 0
	for m, err := range got.Members {
		if err != nil || m.ID != ids[n] || m.Type != "User" || m.Display != fmt.Sprintf("p%d", n) {
			t.Fatalf("member %d: %+v, %v", n, m, err)
		}
		if n == 0 {
			if _, err := s.UpdateMembers(t.Context(), change(g, nil, ids[3_499:])); err != nil {
				t.Fatal(err)
			}
		}
		n++
	}
	if n != 3_499 {
		t.Errorf("%d members read", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	got, err := s.Get(ctx, g.Ref(), scim.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	for _, err := range got.Members {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("members after the context ended: %v", err)
		}
		break
	}
}

func TestNestedGroups(t *testing.T) {
	t.Parallel()
	db := fresh(t, postgres.Options{})
	s := db.Tenant("a")
	u := create(t, s, user(t, "u"))
	inner := create(t, s, group(t, "inner", u.ID))
	outer := create(t, s, group(t, "outer", inner.ID))
	if _, err := s.UpdateMembers(t.Context(), change(inner, []string{outer.ID}, nil)); err != nil {
		t.Fatal(err)
	}
	both := []scim.MemberRef{{ID: inner.ID, Type: "direct", Display: "inner"}, {ID: outer.ID, Type: "indirect", Display: "outer"}}
	if got := get(t, s, u); !slices.Equal(got.Groups, both) {
		t.Errorf("groups in a circle: %+v", got.Groups)
	}
	if err := s.Delete(t.Context(), outer.Ref(), ""); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, u); !slices.Equal(got.Groups, both[:1]) {
		t.Errorf("groups after the delete: %+v", got.Groups)
	}
	noTraces(t, db)
}

// TestResetLargeGroup replaces a list of 100,000 members by one that differs in
// one: one row is written, and the list is held once.
func TestResetLargeGroup(t *testing.T) {
	size := 100_000
	if testing.Short() {
		size = 5_000
	}
	db := fresh(t, postgres.Options{})
	s := db.Tenant("default") // whose number is 1
	g := create(t, s, group(t, "g"))
	for _, q := range []string{
		`INSERT INTO resources (tenant, pk, type, id, seq, version, created, modified, text)
			SELECT 1, 1000 + i, 'User', 'member-of-a-large-group-' || lpad(i::text, 12, '0'), 1000 + i, '1', 0, 0, '{}' FROM generate_series(0, %d) i`,
		`INSERT INTO members (tenant, grp, member) SELECT 1, r.pk, 999 + i FROM resources r, generate_series(1, %d) i WHERE r.tenant = 1 AND r.type = 'Group'`,
		`UPDATE resources SET members = %d WHERE tenant = 1 AND type = 'Group'`,
		`ANALYZE resources, members`,
	} {
		if strings.Contains(q, "%d") {
			q = fmt.Sprintf(q, size)
		}
		if err := db.Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	refs := make([]any, size)
	for i := range refs {
		refs[i] = scim.MemberRef{ID: fmt.Sprintf("member-of-a-large-group-%012d", i+1)} // all but the first, and one more
	}
	c := change(g, nil, nil)
	c.Deltas[0].Added, c.Deltas[0].Reset = refs, true
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	started := time.Now()
	if _, err := s.UpdateMembers(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	mib := (after.TotalAlloc - before.TotalAlloc) >> 20
	t.Logf("%v, %d MiB allocated", time.Since(started), mib)
	if mib >= 64 {
		t.Errorf("%d MiB were allocated", mib)
	}
	log, err := s.Changes(t.Context(), scim.ChangeQuery{ID: g.ID, After: 1})
	if err != nil || len(log) != 1 || len(log[0].Changes) != 1 || len(log[0].Changes[0].Added) != 1 || len(log[0].Changes[0].Removed) != 1 {
		t.Errorf("the record: %v, %v", log, err)
	}
	if n, err := db.Int(t.Context(), `SELECT count(DISTINCT xmin::text) FROM members`); err != nil || n != 2 {
		t.Errorf("rows of %d transactions, %v; all but one were to stay", n, err)
	}
}
