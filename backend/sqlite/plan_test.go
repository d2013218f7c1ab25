package sqlite_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

// TestPlans looks at how SQLite carries out what is asked most: every step must
// be a look-up in an index, and none may sort.
func TestPlans(t *testing.T) {
	t.Parallel()
	db := fresh(t, sqlite.Options{})
	s := db.Tenant("a")
	boss := create(t, s, user(t, "boss"))
	u := create(t, s, resource(t, types[0], report, "u", boss.ID))
	g := create(t, s, group(t, "g", u.ID, boss.ID))

	query := func(rt *scim.ResourceType, text, sortBy string) func() error {
		return func() error {
			q := scim.Query{Type: rt, Count: 100, StartIndex: 1}
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
				var err error
				if q.SortBy, err = filter.BindSort(rt, sortBy); err != nil {
					return err
				}
			}
			if _, err := s.List(t.Context(), q); err != nil {
				return err
			}
			q.After = &scim.Keyset{Seq: 1, Text: "a", ID: "a"}
			_, err := s.List(t.Context(), q)
			return err
		}
	}
	var mu sync.Mutex
	seen := map[string]bool{}
	db.Spy(func(q string) {
		mu.Lock()
		defer mu.Unlock()
		seen[q] = true
	})
	tests := []struct {
		name string
		run  func() error
		most int // statements
	}{
		{"get a user", func() error { _, err := s.Get(t.Context(), u.Ref(), scim.Selection{}); return err }, 5},
		{"get a group", func() error { _, err := s.Get(t.Context(), g.Ref(), scim.Selection{}); return err }, 4},
		{"list", query(types[0], "", ""), 8},
		{"list groups", query(types[1], "", ""), 8},
		{"userName eq", query(types[0], `userName eq "u"`, ""), 8},
		{"externalId eq", query(types[0], `externalId eq "x-u"`, ""), 8},
		{"id eq", query(types[0], `id eq "`+u.ID+`"`, ""), 8},
		{"emails.value eq", query(types[0], `emails.value eq "u@example.com"`, ""), 8},
		{"work mail eq", query(types[0], `emails[type eq "work" and value eq "u@example.com"]`, ""), 8},
		{"displayName eq", query(types[1], `displayName eq "g"`, ""), 8},
		{"members eq", query(types[1], `members.value eq "`+u.ID+`"`, ""), 8},
		{"groups eq", query(types[0], `groups.value eq "`+g.ID+`"`, ""), 8},
		{"userName and active", query(types[0], `userName eq "u" and active eq true`, ""), 8},
		{"sort by userName", query(types[0], "", "userName"), 12},
		{"sort by externalId", query(types[0], "", "externalId"), 12},
		{"sort by active", query(types[0], "", "active"), 12},
		{"sort by mail", query(types[0], "", "emails.value"), 12},
		{"sort by lastModified", query(types[0], "", "meta.lastModified"), 12},
		{"add a member", func() error { _, err := s.UpdateMembers(t.Context(), change(g, []string{boss.ID}, nil)); return err }, 12},
		{"delete", func() error { return s.Delete(t.Context(), boss.Ref(), "") }, 60},
		{"changes of a person", func() error { _, err := s.Changes(t.Context(), scim.ChangeQuery{ID: u.ID, Type: "User"}); return err }, 4},
	}
	for _, tt := range tests {
		mu.Lock()
		seen = map[string]bool{}
		mu.Unlock()
		if err := tt.run(); err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		mu.Lock()
		statements := seen
		seen = map[string]bool{}
		mu.Unlock()
		if len(statements) > tt.most || len(statements) == 0 {
			t.Errorf("%s: %d different statements, want at most %d", tt.name, len(statements), tt.most)
		}
		// What a filter finds is put in order, however few; a list is not.
		found := strings.HasSuffix(tt.name, " eq") || strings.Contains(tt.name, " and ")
		for q := range statements {
			if !strings.Contains(q, "FROM") {
				continue
			}
			steps, err := db.Plan(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, step := range steps {
				if slow(step) && !(found && step == "USE TEMP B-TREE FOR ORDER BY") {
					t.Errorf("%s: %q\n%s\n%s", tt.name, step, q, fmt.Sprint(strings.Join(steps, "\n")))
				}
			}
		}
	}
}

// slow reports whether a step of a query plan goes through a whole table or
// sorts. j is the list of the
// page's resources, p the page itself, d what the filter finds.
func slow(step string) bool {
	switch {
	case strings.Contains(step, "TEMP B-TREE"):
		return true
	case strings.HasPrefix(step, "SCAN"):
		return step != "SCAN p" && step != "SCAN d" && step != "SCAN (subquery-2)" && step != "SCAN grams VIRTUAL TABLE INDEX 0:=" && !strings.HasPrefix(step, "SCAN j VIRTUAL TABLE") && step != "SCAN CONSTANT ROW"
	}
	return false
}
