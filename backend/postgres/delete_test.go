package postgres_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/internal/pgtest"
	"github.com/rollcall-scim/rollcall/scim"
)

const report = `{"userName":%q,"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":%q}}}`

// noTraces fails if a row still leads to a resource that is gone, but for those
// named.
func noTraces(t *testing.T, db *postgres.DB, but ...string) {
	t.Helper()
	const gone = ` NOT IN (SELECT r.pk FROM resources r WHERE r.tenant = x.tenant)`
	for name, query := range map[string]string{
		"attrs":     `SELECT count(*) FROM attrs x WHERE x.res` + gone,
		"uniq":      `SELECT count(*) FROM uniq x WHERE x.res` + gone,
		"members":   `SELECT count(*) FROM members x WHERE x.grp` + gone + ` OR x.member` + gone,
		"refs":      `SELECT count(*) FROM refs x WHERE x.target NOT IN (SELECT r.id FROM resources r WHERE r.tenant = x.tenant)`,
		"doomed":    `SELECT count(*) FROM doomed x`,
		"resources": `SELECT count(*) FROM resources x WHERE x.type = ''`,
		"counters": `SELECT count(*) FROM (SELECT x.tenant, x.type, sum(x.n) AS n FROM counts x GROUP BY x.tenant, x.type) c
			WHERE c.n <> (SELECT count(*) FROM resources r WHERE r.tenant = c.tenant AND r.type = c.type)`,
		"member counters": `SELECT count(*) FROM resources x WHERE x.members <> (SELECT count(*) FROM members m WHERE m.tenant = x.tenant AND m.grp = x.pk)`,
		"links":           `SELECT count(*) FROM resources x WHERE x.links <> (SELECT count(*) FROM refs f WHERE f.tenant = x.tenant AND f.res = x.pk)`,
		"nesting": `SELECT count(*) FROM tenants x WHERE NOT x.nests AND EXISTS (SELECT 1 FROM members m
			JOIN resources r ON r.tenant = x.tenant AND r.pk = m.member WHERE m.tenant = x.tenant AND r.type <> 'User')`,
		"unique values": `SELECT count(*) FROM uniq x WHERE NOT EXISTS (SELECT 1 FROM attrs a WHERE a.tenant = x.tenant AND a.res = x.res AND a.path = x.path)`,
	} {
		if n, err := db.Int(t.Context(), query); err != nil || n != 0 && !slices.Contains(but, name) {
			t.Errorf("%s: %d rows, %v; want none", name, n, err)
		}
	}
}

func TestDeleteCascade(t *testing.T) {
	t.Parallel()
	for _, rows := range []int{0, 3} { // in one transaction, and in slices of 3 rows
		t.Run(fmt.Sprint(rows), func(t *testing.T) {
			t.Parallel()
			db := fresh(t, postgres.Options{SliceRows: rows})
			s := db.Tenant("a")
			boss := create(t, s, user(t, "boss"))
			var reports, groups []*scim.Resource
			for i := range 7 {
				reports = append(reports, create(t, s, resource(t, types[0], report, fmt.Sprintf("r%d", i), boss.ID)))
				groups = append(groups, create(t, s, group(t, fmt.Sprintf("g%d", i), boss.ID, reports[0].ID)))
			}
			if got := get(t, s, reports[0]); len(got.Links) != 1 || got.Links[0].Ref.Display != "boss" || got.Links[0].Ref.Type != "User" {
				t.Fatalf("links before: %+v", got.Links)
			}
			if err := s.Delete(t.Context(), boss.Ref(), "7"); err == nil {
				t.Fatal("deleted in spite of the version")
			}
			if err := s.Delete(t.Context(), boss.Ref(), "1"); err != nil {
				t.Fatal(err)
			}
			noTraces(t, db)
			for i := range reports {
				r, g := get(t, s, reports[i]), get(t, s, groups[i])
				if len(r.Links) > 0 || strings.Contains(string(r.Text), boss.ID) || r.Meta.Version != "2" || len(r.Schemas) != 1 ||
					!r.Meta.LastModified.After(reports[i].Meta.LastModified) {
					t.Errorf("report %d: %s, %v, version %s, schemas %v", i, r.Text, r.Links, r.Meta.Version, r.Schemas)
				}
				if ids := memberIDs(t, g); !slices.Equal(ids, []string{reports[0].ID}) || g.Meta.Version != "2" {
					t.Errorf("group %d: members %v, version %s", i, ids, g.Meta.Version)
				}
			}
			log, err := s.Changes(t.Context(), scim.ChangeQuery{Person: boss.ID})
			if err != nil || len(log) != 1+7+1+7 {
				t.Errorf("%d records name the deleted user, %v; want its create and delete, and two of each group", len(log), err)
			}
		})
	}
}

// commitsOf returns how many transactions f commits.
func commitsOf(db *postgres.DB, f func()) (n int) {
	db.Spy(func(query string) {
		if query == "COMMIT" {
			n++
		}
	}, func() {})
	defer db.Spy(func(string) {}, func() {})
	f()
	return n
}

// TestDeleteLargeGroup deletes a group with more members than a slice has rows.
func TestDeleteLargeGroup(t *testing.T) {
	t.Parallel()
	db := fresh(t, postgres.Options{SliceRows: 10})
	s := db.Tenant("a")
	var ids []string
	err := s.Batch(t.Context(), func(b scim.Backend) error {
		for i := range 95 {
			ids = append(ids, create(t, b, user(t, fmt.Sprintf("u%d", i))).ID)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	g := create(t, s, group(t, "g", ids...))
	commits := commitsOf(db, func() {
		if err := s.Delete(t.Context(), g.Ref(), ""); err != nil {
			t.Fatal(err)
		}
	})
	if commits < 10 {
		t.Errorf("%d commits; 95 rows in slices of 10 take at least ten", commits)
	}
	noTraces(t, db)
	log, err := s.Changes(t.Context(), scim.ChangeQuery{Person: ids[94]})
	if err != nil || len(log) != 3 || log[2].Op != "delete" || log[2].ID != g.ID {
		t.Errorf("a member's records: %+v, %v; want its create and those of the group", log, err)
	}
	gone := log[2].Changes[len(log[2].Changes)-1]
	if gone.Path != "members" || len(gone.Removed) != 95 {
		t.Errorf("the delete names %d members under %q", len(gone.Removed), gone.Path)
	}
}

// TestTombstone stops a delete after its first transaction, looks at what
// readers see, and lets another instance finish it.
func TestTombstone(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	db := open(t, url, postgres.Options{SliceRows: 1})
	s := db.Tenant("a")
	u := create(t, s, user(t, "u"))
	v := create(t, s, resource(t, types[0], report, "v", u.ID))
	g := create(t, s, group(t, "g", u.ID, v.ID))
	h := create(t, s, group(t, "h", u.ID, v.ID))
	if err := db.Bury(t.Context(), "a", u.Ref()); err != nil {
		t.Fatal(err)
	}
	if err := db.Bury(t.Context(), "a", g.Ref()); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*scim.Resource{u, g} {
		if _, err := s.Get(t.Context(), r.Ref(), scim.Selection{}); err == nil {
			t.Errorf("a tombstone is got: %s", r.Ref())
		}
	}
	if ids := memberIDs(t, get(t, s, h)); !slices.Equal(ids, []string{v.ID}) {
		t.Errorf("members of h: %v, want %s alone", ids, v.ID)
	}
	if got := get(t, s, v); len(got.Groups) != 1 || got.Groups[0].ID != h.ID || len(got.Links) > 0 {
		t.Errorf("v is in %v and refers to %v", got.Groups, got.Links)
	}
	for _, rt := range types {
		if p, err := s.List(t.Context(), scim.Query{Type: rt, Count: 10}); err != nil || p.Total != 1 || len(p.Resources) != 1 {
			t.Errorf("%s: %d of %d, %v; want one", rt.Name, len(p.Resources), p.Total, err)
		}
	}
	create(t, s, user(t, "u")) // the name is free
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	byName := func(_, name string) *scim.ResourceType {
		return types[slices.IndexFunc(types, func(rt *scim.ResourceType) bool { return rt.Name == name })]
	}
	db = open(t, url, postgres.Options{SliceRows: 1, Type: byName})
	for n := int64(1); n > 0; {
		var err error
		if n, err = db.Int(t.Context(), `SELECT count(*) FROM doomed`); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := db.Int(t.Context(), `SELECT count(*) FROM members`); err != nil || n != 1 {
		t.Errorf("%d memberships, %v", n, err)
	}
	noTraces(t, db)
}

// TestTombstoneRefused: a delete of what many rows lead to that can't be
// committed is none, and says so.
func TestTombstoneRefused(t *testing.T) {
	t.Parallel()
	db := fresh(t, postgres.Options{SliceRows: 1})
	s := db.Tenant("a")
	u := create(t, s, user(t, "u"))
	for i := range 3 {
		create(t, s, group(t, fmt.Sprint("g", i), u.ID))
	}
	for _, q := range []string{
		`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '53100'; END $$`,
		`CREATE TRIGGER refuse BEFORE INSERT ON doomed FOR EACH ROW EXECUTE FUNCTION refuse()`,
	} {
		if err := db.Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	var e *scim.Error
	if err := s.Delete(t.Context(), u.Ref(), ""); !errors.As(err, &e) || e.Status != 503 {
		t.Errorf("Delete: %v, want a 503", err)
	}
	if got := get(t, s, u); len(got.Groups) != 3 {
		t.Errorf("groups after a delete that was refused: %v", got.Groups)
	}
}
