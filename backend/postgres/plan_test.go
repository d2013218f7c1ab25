package postgres_test

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/internal/pgtest"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

// asked is a statement that was run.
type asked struct {
	query string
	args  []any
	once  bool
}

// asks returns the statements that f runs, and how many round trips it takes.
// What the instance does by itself every half minute may come among them: so the
// shorter one of two runs counts.
func asks(t *testing.T, db *postgres.DB, f func() error) (list []asked, trips int) {
	t.Helper()
	for n := range 2 {
		var mu sync.Mutex
		var again []asked
		count := 0
		db.SpyAll(func(q string, args []any, once bool) {
			mu.Lock()
			defer mu.Unlock()
			again = append(again, asked{q, args, once})
		}, func() {
			mu.Lock()
			defer mu.Unlock()
			count++
		})
		err := f()
		db.SpyAll(func(string, []any, bool) {}, func() {})
		if err != nil {
			t.Error(err)
		}
		if n == 0 || count < trips {
			list, trips = again, count
		}
	}
	return list, trips
}

const crowd = 20_000

// populate creates many people in tenant a, and some in b, and returns ids of a.
func populate(t testing.TB, db *postgres.DB) []string {
	t.Helper()
	ids := make([]string, crowd)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for n := int(next.Add(1)) - 1; n < crowd+500; n = int(next.Add(1)) - 1 {
				s := db.Tenant("a")
				if n >= crowd {
					s = db.Tenant("b")
				}
				r, err := s.Create(context.Background(), resource(t, types[0], full, n, n%1000))
				if err != nil {
					t.Error(err)
					return
				}
				if n < crowd {
					ids[n] = r.ID
				}
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return ids
}

// TestPlans looks at how PostgreSQL carries out what is asked most, in a tenant
// of 20,000 people: no step may touch more than a few times as many rows as the
// answer has, and none goes through a table (FLT-051).
func TestPlans(t *testing.T) {
	if testing.Short() {
		t.Log("it is run without -short")
		return
	}
	t.Parallel()
	url := pgtest.Quick(t)
	db := open(t, url, postgres.Options{})
	s := db.Tenant("a")
	ids := populate(t, db)
	create(t, s, resource(t, types[0], `{"userName":"long","displayName":%q}`, strings.Repeat("long ", 80)+"needle"))
	boss := create(t, s, user(t, "boss"))
	report := create(t, s, resource(t, types[0], `{"userName":"report","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":%q}}}`, boss.ID))
	small, large := create(t, s, group(t, "small", ids[:10]...)), create(t, s, group(t, "large", ids[:5_000]...))
	for i := range 200 {
		create(t, s, group(t, fmt.Sprintf("g%d", i), ids[i], ids[2*i+1]))
	}
	pgtest.Exec(t, url, `VACUUM ANALYZE`)

	list := func(rt *scim.ResourceType, text, sortBy string, after *scim.Keyset) func() error {
		return func() (err error) {
			q := scim.Query{Type: rt, Count: 100, StartIndex: 1, After: after}
			if strings.HasSuffix(sortBy, " descending") {
				q.Descending, sortBy = true, strings.TrimSuffix(sortBy, " descending")
			}
			if text != "" {
				f, err := filter.Parse(text, filter.Options{})
				if err != nil {
					return err
				}
				if q.Filter, err = filter.Bind(rt, f, filter.Options{}); err != nil {
					return err
				}
			}
			if sortBy != "" {
				if q.SortBy, err = filter.BindSort(rt, sortBy); err != nil {
					return err
				}
			}
			_, err = s.List(t.Context(), q)
			return err
		}
	}
	u, g := types[0], types[1]
	people := func(text string) func() error { return list(u, text, "", nil) }
	middle := &scim.Keyset{Seq: crowd / 2, Text: "user010000@example.com", ID: "x", Int: scim.Instant(small.Meta.Created) - 1_000_000}
	for _, tt := range []struct {
		name  string
		run   func() error
		index string // that a plan names
		trips int    // at most
		rows  int    // that a step touches, at most; 0: 500
	}{
		{"get a user", func() error {
			_, err := s.Get(t.Context(), scim.Ref{Type: u, ID: ids[0]}, scim.Selection{})
			return err
		}, "resources_id", 1, 0},
		{"get a user who reports", func() error { _, err := s.Get(t.Context(), report.Ref(), scim.Selection{}); return err }, "resources_id", 1, 0},
		{"get a small group", func() error { _, err := s.Get(t.Context(), small.Ref(), scim.Selection{}); return err }, "members_pkey", 1, 0},
		{"get a large group", func() error {
			r, err := s.Get(t.Context(), large.Ref(), scim.Selection{})
			if err == nil {
				for range r.Members {
					break
				}
			}
			return err
		}, "members_pkey", 2, 1100},
		{"list", people(""), "resources_seq", 2, 0},
		{"list from the middle", list(u, "", "", middle), "resources_seq", 2, 0},
		{"list groups", list(g, "", "", nil), "resources_seq", 2, 0},
		{"userName eq", people(`userName eq "user000500@example.com"`), "attrs_text", 1, 0},
		{"userName eq nobody", people(`userName eq "nobody"`), "attrs_text", 1, 0},
		{"externalId eq", people(`externalId eq "00u000500external"`), "resources_external", 1, 0},
		{"id eq", people(`id eq "` + ids[7] + `"`), "resources_id", 1, 0},
		{"emails.value eq", people(`emails.value eq "p000500@home.example.org"`), "attrs_text", 1, 0},
		{"work mail eq", people(`emails[type eq "work" and value eq "user000500@example.com"]`), "attrs_text", 2, 0},
		{"userName and active", people(`userName eq "user000500@example.com" and active eq true`), "attrs_text", 2, 0},
		{"department eq", people(`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "Department 7"`), "attrs_text", 3, 0}, // more than a few
		{"userName sw", people(`userName sw "user00050"`), "attrs_text", 2, 0},
		{"familyName sw", people(`name.familyName sw "Family1999"`), "attrs_text", 2, 0},
		{"emails.value co", people(`emails.value co "r000500@"`), "attrs_grams", 2, 0},
		{"emails.value ew", people(`emails.value ew "000500@example.com"`), "attrs_grams", 2, 0},
		{"displayName co", people(`displayName co "needle"`), "attrs_long", 2, 0},
		{"displayName co, of many", people(`displayName co "number 1999"`), "attrs_grams", 2, 0},
		{"members eq", list(g, `members.value eq "`+ids[7]+`"`, "", nil), "members_member", 2, 0},
		{"groups eq", people(`groups.value eq "` + small.ID + `"`), "members_pkey", 2, 0},
		{"a group's name eq", list(g, `displayName eq "g7"`, "", nil), "attrs_text", 2, 0},
		{"a group's name eq, without its members", func() error {
			f, err := filter.Parse(`displayName eq "large"`, filter.Options{})
			if err != nil {
				return err
			}
			q := scim.Query{Type: g, Count: 100, StartIndex: 1,
				Selection: scim.Selection{Excluded: []scim.AttrPath{{Name: "members"}}}}
			if q.Filter, err = filter.Bind(g, f, filter.Options{}); err == nil {
				_, err = s.List(t.Context(), q)
			}
			return err
		}, "attrs_text", 1, 0},
		{"sort by userName", list(u, "", "userName", nil), "attrs_text", 2, 0},
		{"sort by userName, descending", list(u, "", "userName descending", nil), "attrs_text", 2, 0},
		{"sort by userName from the middle", list(u, "", "userName", middle), "attrs_text", 2, 0},
		{"sort by externalId from the middle", list(u, "", "externalId", &scim.Keyset{Text: "00u010000external", Seq: 5}), "resources_external_sort", 2, 0},
		{"sort by lastModified from the middle", list(u, "", "meta.lastModified", middle), "resources_modified", 2, 0},
		{"add a member", func() error {
			_, err := s.UpdateMembers(t.Context(), change(large, ids[6_000:6_001], nil))
			return err
		}, "", 2, 0},
		{"changes of a person", func() error {
			_, err := s.Changes(t.Context(), scim.ChangeQuery{Person: ids[0]})
			return err
		}, "changes_people_pkey", 1, 0},
		{"last changes", func() error {
			_, err := s.Changes(t.Context(), scim.ChangeQuery{Newest: true})
			return err
		}, "changes_pkey", 1, 0},
	} {
		for range 2 { // statements are prepared the first time
			if err := tt.run(); err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
		}
		statements, trips := asks(t, db, tt.run)
		if trips > tt.trips {
			t.Errorf("%s takes %d round trips, want at most %d", tt.name, trips, tt.trips)
		}
		plans, indexed := "", tt.index == ""
		for _, a := range statements {
			if !strings.HasPrefix(a.query, "SELECT") && !strings.HasPrefix(a.query, "WITH RECURSIVE") || strings.Contains(a.query, "FOR UPDATE") {
				continue
			}
			steps, err := db.Explain(t.Context(), a.once, a.query, a.args)
			if err != nil {
				t.Fatalf("%s: %v\n%s", tt.name, err, a.query)
			}
			plan := strings.Join(steps, "\n")
			plans += a.query + "\n" + plan + "\n"
			indexed = indexed || strings.Contains(plan, tt.index)
			if most := touched(steps); most > max(tt.rows, 500) || strings.Contains(plan, "Seq Scan on resources") ||
				strings.Contains(plan, "Seq Scan on attrs") || strings.Contains(plan, "Seq Scan on members") || strings.Contains(plan, "Seq Scan on changes") {
				t.Errorf("%s: a step touches %d rows:\n%s\n%s", tt.name, most, a.query, plan)
			}
		}
		if !indexed {
			t.Errorf("%s does not use %s:\n%s", tt.name, tt.index, plans)
		}
	}

	// PostgreSQL tries five plans made for the arguments of a prepared statement,
	// before it keeps one for all, if that looks no worse.
	one := open(t, url, postgres.Options{MaxConns: 1})
	s = one.Tenant("a")
	for i := range 8 {
		for _, text := range []string{`userName eq "user%06d@example.com"`, `externalId eq "00u%06dexternal"`} {
			if err := people(fmt.Sprintf(text, i))(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Get(t.Context(), scim.Ref{Type: u, ID: ids[i]}, scim.Selection{}); err != nil {
			t.Fatal(err)
		}
	}
	prepared, err := one.PreparedStatements(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for _, p := range prepared {
		if strings.HasPrefix(p.SQL, "SELECT r.pk") {
			if kept++; p.Generic != 3 || p.Custom != 5 {
				t.Errorf("planned %d times for its arguments, %d times not, of 8:\n%s", p.Custom, p.Generic, p.SQL)
			}
		}
	}
	if kept != 3 {
		t.Errorf("%d statements that read people are kept, want 3", kept)
	}
}

var (
	ran     = regexp.MustCompile(`actual rows=(\d+) loops=(\d+)`)
	removed = regexp.MustCompile(`Rows Removed by [\w ]+: (\d+)`)
)

// touched returns the most rows that a step of a plan gives or looks at in vain.
func touched(steps []string) (most int) {
	for _, step := range steps {
		if m := ran.FindStringSubmatch(step); m != nil {
			rows, _ := strconv.Atoi(m[1])
			loops, _ := strconv.Atoi(m[2])
			most = max(most, rows*loops, loops)
		}
		if m := removed.FindStringSubmatch(step); m != nil {
			n, _ := strconv.Atoi(m[1])
			most = max(most, n)
		}
	}
	return most
}
