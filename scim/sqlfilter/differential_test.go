package sqlfilter_test

import (
	"database/sql"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
	"github.com/rollcall-scim/rollcall/scim/sqlfilter"
)

// term is what a filter can name, and the terms inside of its brackets.
type term struct {
	path string
	leaf *scim.Attribute
}

func terms() (flat []term, inside map[string][]term, whole []string) {
	inside = map[string][]term{}
	t := person()
	add := func(prefix string, attrs []*scim.Attribute) {
		for _, a := range attrs {
			path := prefix + a.Name
			switch {
			case a.Name == "unmapped" || a.Name == "schemas" || a.Name == "meta":
			case a.Type != scim.TypeComplex:
				flat = append(flat, term{path, a})
				if a.MultiValued {
					inside[path] = []term{{"value", a}}
				}
			default:
				for _, s := range a.SubAttributes {
					if !s.Filterable() || s.Name == "$ref" || s.Name == "unmapped" || a.Name == "boss" && s.Name == "display" {
						continue
					}
					flat = append(flat, term{path + "." + s.Name, s})
					if a.Name != "partly" {
						inside[path] = append(inside[path], term{s.Name, s})
					}
				}
				if a.Name != "partly" {
					whole = append(whole, path)
				}
			}
		}
	}
	add("", scim.Common)
	add("", t.Schema.Attributes)
	add(extension+":", t.Extensions[0].Schema.Attributes)
	meta := scim.Common[3]
	for _, s := range []string{"created", "version", "resourceType"} {
		flat = append(flat, term{"meta." + s, meta.Sub(s)})
	}
	return flat, inside, append(whole, "meta")
}

func (g generator) comparison(t term) string {
	ops := []string{"eq", "eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr"}
	switch t.leaf.Type {
	case scim.TypeBoolean, scim.TypeBinary:
		ops = []string{"eq", "ne", "pr"}
	case scim.TypeInteger, scim.TypeDecimal, scim.TypeDateTime:
		ops = []string{"eq", "ne", "gt", "ge", "lt", "le", "pr"}
	}
	op := pick(g, ops)
	switch {
	case op == "pr":
		return t.path + " pr"
	case (op == "eq" || op == "ne") && g.IntN(8) == 0:
		return t.path + " " + op + " null"
	case t.path == "id" || t.leaf.Name == "resourceType":
		return t.path + " " + op + ` "` + pick(g, []string{"p1", "P1", "p", "Person", "person"}) + `"`
	}
	return t.path + " " + op + " " + g.literal(t.leaf, true)
}

// filter returns the text of a filter over what is mapped.
func (g generator) filter(depth int) string {
	flat, inside, whole := terms()
	switch k := g.IntN(12); {
	case depth > 0 && k < 2:
		return "(" + g.filter(depth-1) + " and " + g.filter(depth-1) + ")"
	case depth > 0 && k < 4:
		return "(" + g.filter(depth-1) + " or " + g.filter(depth-1) + ")"
	case depth > 0 && k < 6:
		return "not (" + g.filter(depth-1) + ")"
	case k < 8:
		keys := make([]string, 0, len(inside))
		for k := range inside {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		path := pick(g, keys)
		return path + "[" + g.brackets(inside[path], 2) + "]"
	case k == 8:
		return pick(g, whole) + pick(g, []string{" pr", " eq null", " ne null"})
	case k == 9 && g.IntN(3) == 0:
		return pick(g, []string{`nothing eq "a"`, `nothing ne "a"`, "nothing pr", "nothing eq null", `nothing[value eq "a"]`})
	}
	return g.comparison(pick(g, flat))
}

func (g generator) brackets(list []term, depth int) string {
	switch k := g.IntN(8); {
	case depth > 0 && k < 2:
		return "(" + g.brackets(list, depth-1) + " and " + g.brackets(list, depth-1) + ")"
	case depth > 0 && k == 2:
		return "(" + g.brackets(list, depth-1) + " or " + g.brackets(list, depth-1) + ")"
	case depth > 0 && k == 3:
		return "not (" + g.brackets(list, depth-1) + ")"
	}
	return g.comparison(pick(g, list))
}

func bind(t *testing.T, text string) scim.Filter {
	t.Helper()
	f, err := filter.Parse(text, filter.Options{})
	if err == nil {
		f, err = filter.Bind(person(), f, filter.Options{UnknownAbsent: true})
	}
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return f
}

func compiler(t *testing.T, d sqlfilter.Dialect) *sqlfilter.Compiler {
	t.Helper()
	c, err := sqlfilter.New(table(d))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// page asks the database as an application would.
func page(t *testing.T, db *sql.DB, c *sqlfilter.Compiler, q scim.Query) (ids string, total int, last *scim.Keyset, text string) {
	t.Helper()
	l, err := c.List(q, int64(1))
	if err != nil {
		t.Fatalf("%s: %v", q.Filter, err)
	}
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM people p WHERE p.tenant = ? AND "+l.Total.SQL, l.Total.Args...).Scan(&total); err != nil {
		t.Fatalf("%v\n%s", err, l.Total.SQL)
	}
	rows, err := db.QueryContext(t.Context(), "SELECT p.id, p.seq, "+l.Key+" FROM people p WHERE p.tenant = ? AND "+l.Page.SQL, l.Page.Args...)
	if err != nil {
		t.Fatalf("%v\n%s", err, l.Page.SQL)
	}
	defer rows.Close()
	var list []string
	var at *scim.Keyset
	for rows.Next() {
		var id string
		var seq int64
		var key any
		if err := rows.Scan(&id, &seq, &key); err != nil {
			t.Fatal(err)
		}
		if len(list) == q.Count {
			last = at
			break
		}
		list, at = append(list, id), l.Keyset(key, seq)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(list, " "), total, last, l.Page.SQL
}

var sorts = []string{"", "userName", "active", "size", "weight", "born", "cert", extension + ":dept", extension + ":level",
	"id", "externalId", "meta.created", "meta.version"}

// compare asks the database and filter.Page the same.
func compare(t *testing.T, seed uint64, people, requests int) {
	t.Helper()
	g := generator{rand.New(rand.NewPCG(seed, 0))}
	db, c := open(t), compiler(t, sqlfilter.SQLite)
	all := make([]*scim.Resource, people)
	for i := range all {
		all[i] = g.person(i)
		insert(t, db, int64(10+3*i), all[i])
	}
	exec(t, db, "INSERT INTO people (seq, tenant, id, name, active) VALUES (1, 2, 'other', 'a', 1)")
	for range requests {
		q := scim.Query{Type: person(), StartIndex: 1, Count: 1000, Descending: g.IntN(2) == 0}
		text := "none"
		if g.IntN(20) > 0 {
			text = g.filter(3)
			q.Filter = bind(t, text)
		}
		if by := pick(g, sorts); by != "" {
			p, err := filter.BindSort(q.Type, by)
			if err != nil {
				t.Fatal(err)
			}
			q.SortBy = p
		}
		check := func() *scim.Keyset {
			t.Helper()
			want := filter.Page(func(yield func(int64, *scim.Resource) bool) {
				for i, r := range all {
					if !yield(int64(10+3*i), r) {
						return
					}
				}
			}, q)
			var ids []string
			for _, r := range want.Resources {
				ids = append(ids, r.ID)
			}
			got, total, last, sql := page(t, db, c, q)
			at := func(k *scim.Keyset) string {
				if k == nil {
					return "none"
				}
				return fmt.Sprintf("%v %q %d %g %d", k.Absent, k.Text, k.Int, k.Float, k.Seq)
			}
			if got != strings.Join(ids, " ") || total != want.Total || q.Count > 0 && at(last) != at(want.Last) {
				t.Fatalf("seed %d: %s sortBy %v descending %v startIndex %d count %d after %v\n got %s of %d, last %s\nwant %s of %d, last %s\n%s", seed, text, q.SortBy,
					q.Descending, q.StartIndex, q.Count, q.After, got, total, at(last), strings.Join(ids, " "), want.Total, at(want.Last), sql)
			}
			return last
		}
		check()
		q.StartIndex, q.Count = g.IntN(people), g.IntN(6)
		check()
		q.StartIndex, q.Count = 1, 1+g.IntN(5)
		for q.After = check(); q.After != nil; q.After = check() {
		}
	}
}

// TestAgainstMatch compares what the SQL finds with what filter.Match finds, on
// random resources, filters, orders and pages.
func TestAgainstMatch(t *testing.T) {
	t.Parallel()
	rounds := 8
	if testing.Short() {
		rounds = 2
	}
	seed := uint64(time.Now().UnixNano())
	for i := range rounds {
		compare(t, seed+uint64(i), 25, 120)
	}
}

// FuzzAgainstMatch is TestAgainstMatch with the seeds a fuzzer thinks of.
func FuzzAgainstMatch(f *testing.F) {
	for seed := range uint64(2) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) { compare(t, seed, 12, 20) })
}

// TestEveryTerm asks of each term each operator, so that none is left to chance.
func TestEveryTerm(t *testing.T) {
	t.Parallel()
	g := generator{rand.New(rand.NewPCG(7, 0))}
	db, c := open(t), compiler(t, sqlfilter.SQLite)
	all := make([]*scim.Resource, 40)
	for i := range all {
		all[i] = g.person(i)
		insert(t, db, int64(i+1), all[i])
	}
	flat, inside, _ := terms()
	var filters []string
	ask := func(list []term, around string) {
		for _, t := range list {
			for _, op := range []string{"eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"} {
				for range 4 {
					filters = append(filters, fmt.Sprintf(around, t.path+" "+op+" "+g.literal(t.leaf, true)))
				}
			}
			for _, op := range []string{" pr", " eq null", " ne null"} {
				filters = append(filters, fmt.Sprintf(around, t.path+op))
			}
		}
	}
	ask(flat, "%s")
	for path, list := range inside {
		ask(list, path+"[%s]")
		ask(list, path+"[not (%s)]")
	}
	asked := 0
	for _, text := range filters {
		parsed, err := filter.Parse(text, filter.Options{})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		f, err := filter.Bind(person(), parsed, filter.Options{})
		if err != nil {
			continue // the type has no such operator
		}
		asked++
		var want []string
		for _, r := range all {
			if filter.Match(f, r) {
				want = append(want, r.ID)
			}
		}
		if got, _, _, sql := page(t, db, c, scim.Query{Type: person(), Filter: f, StartIndex: 1, Count: math.MaxInt}); got != strings.Join(want, " ") {
			t.Errorf("%s\n got %s\nwant %s\n%s", text, got, want, sql)
		}
	}
	if asked < 1000 {
		t.Errorf("only %d filters were asked", asked)
	}
}

// TestRefused: what is not mapped is refused, wherever it stands.
func TestRefused(t *testing.T) {
	t.Parallel()
	c := compiler(t, sqlfilter.SQLite)
	for _, text := range []string{
		`unmapped eq "a"`, `unmapped pr`, `unmapped eq null`, `unmapped ne "a"`, `schemas eq "urn:example:Person"`, `meta.lastModified gt "2026-01-01T00:00:00Z"`,
		`partly.unmapped eq "a"`, `partly pr`, `partly eq null`, `partly[mapped eq "a"]`, `schemas[value eq "a"]`,
	} {
		for _, around := range []string{"%s", "not (%s)", `userName eq "a" or %s`, `userName eq "a" and not (%s)`} {
			text := fmt.Sprintf(around, text)
			var e *scim.Error
			_, err := c.Where(bind(t, text))
			if !errors.As(err, &e) || e.Type != scim.TypeInvalidFilter || e.Status != 400 {
				t.Errorf("%s: %v, want invalidFilter", text, err)
			}
			if _, err := c.List(scim.Query{Type: person(), Filter: bind(t, text)}); !errors.As(err, &e) || e.Type != scim.TypeInvalidFilter {
				t.Errorf("%s: %v, want invalidFilter", text, err)
			}
		}
	}
	for _, by := range []string{"unmapped", "tags", "mails", "mails.type", "meta.resourceType", "schemas"} {
		p, err := filter.BindSort(person(), by)
		if err != nil {
			t.Fatal(err)
		}
		var e *scim.Error
		if _, err := c.List(scim.Query{Type: person(), SortBy: p}); !errors.As(err, &e) || e.Type != scim.TypeInvalidPath {
			t.Errorf("sortBy %s: %v, want invalidPath", by, err)
		}
	}
}
