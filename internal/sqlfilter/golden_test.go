package sqlfilter_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/sqlfilter"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

var update = flag.Bool("update", false, "rewrite testdata/sql.golden")

// golden are the requests whose SQL is kept in testdata/sql.golden.
var golden = []struct {
	typ, filter, sort string
	descending        bool
	after             *scim.Keyset
	nested, seqIsPK   bool
}{
	{typ: "Person"},
	{typ: "Person", after: &scim.Keyset{Seq: 7}},
	{typ: "Person", filter: `userName eq "A"`},
	{typ: "Person", filter: `userName sw "ab"`},
	{typ: "Person", filter: `userName co "abc"`},
	{typ: "Person", filter: `displayName ew "c"`},
	{typ: "Person", filter: `externalId eq "x"`},
	{typ: "Person", filter: `id eq "p1" and boss eq "p2"`},
	{typ: "Person", filter: `active eq true`},
	{typ: "Person", filter: `active eq true and userName eq "a"`},
	{typ: "Person", filter: `not (active eq true)`},
	{typ: "Person", filter: `displayName ne "a"`},
	{typ: "Person", filter: `tags ne "a"`},
	{typ: "Person", filter: `addr pr`},
	{typ: "Person", filter: `userName eq "a" or mails.value eq "b"`},
	{typ: "Person", filter: `mails[type eq "a" and value eq "b"]`},
	{typ: "Person", filter: `mails[not (type eq "a")]`},
	{typ: "Person", filter: `keys[marks ne "a" and value pr]`},
	{typ: "Person", filter: `born gt "2026-01-01T00:00:00Z"`},
	{typ: "Person", filter: `meta.lastModified gt "2026-01-01T00:00:00Z" and schemas co "extra"`},
	{typ: "Person", filter: `displayName ge "` + strings.Repeat("x", 300) + `"`},
	{typ: "Person", filter: `groups.value eq "t1"`},
	{typ: "Person", filter: `groups.value eq "t1"`, nested: true},
	{typ: "Person", filter: `groups[value eq "t1" and type eq "direct"]`, nested: true},
	{typ: "Person", filter: `id eq "p1" and groups.value eq "t1"`, nested: true},
	{typ: "Person", filter: `groups.value eq "t1" or groups.value eq "t2"`, nested: true},
	{typ: "Team", filter: `members eq "p1"`},
	{typ: "Team", filter: `members.type eq "Person" and displayName eq "a"`},
	{typ: "Person", sort: "userName"},
	{typ: "Person", sort: "userName", descending: true, after: &scim.Keyset{Text: "m", Seq: 7}},
	{typ: "Person", sort: "mails.value", filter: `active eq true`},
	{typ: "Person", sort: "size", filter: `userName sw "ab"`, after: &scim.Keyset{Absent: true, Seq: 7}},
	{typ: "Person", sort: "userName", after: &scim.Keyset{Text: "m", Seq: 7}, seqIsPK: true},
	{typ: "Person", filter: `userName eq "a"`, after: &scim.Keyset{Seq: 7}, seqIsPK: true},
	{typ: "Person", sort: "externalId"},
	{typ: "Person", sort: "meta.created", descending: true},
}

func query(t *testing.T, typ, text, sort string) scim.Query {
	t.Helper()
	q := scim.Query{Type: person(), StartIndex: 1, Count: 10}
	if typ == "Team" {
		q.Type = team()
	}
	var err error
	if text != "" {
		f, parseErr := filter.Parse(text, filter.Options{})
		if parseErr != nil {
			t.Fatal(text, parseErr)
		}
		if q.Filter, err = filter.Bind(q.Type, f, filter.Options{}); err != nil {
			t.Fatal(text, err)
		}
	}
	if sort != "" {
		if q.SortBy, err = filter.BindSort(q.Type, sort); err != nil {
			t.Fatal(sort, err)
		}
	}
	return q
}

func TestGolden(t *testing.T) {
	t.Parallel()
	const file = "testdata/sql.golden"
	var b strings.Builder
	s := open(t)
	for _, g := range golden {
		q := query(t, g.typ, g.filter, g.sort)
		q.Descending, q.After = g.descending, g.after
		o := sqlfilter.Options{Dialect: everywhere{}, Tenant: 1, Nested: g.nested, SeqIsPK: g.seqIsPK}
		fmt.Fprintf(&b, "# %s", g.typ)
		if g.filter != "" {
			fmt.Fprintf(&b, " filter %s", g.filter)
		}
		if g.sort != "" {
			fmt.Fprintf(&b, " sort %s", g.sort)
		}
		if g.descending {
			b.WriteString(" descending")
		}
		if g.after != nil {
			fmt.Fprintf(&b, " after %s", keyset(g.after, q.SortBy))
		}
		if g.nested {
			b.WriteString(" nested")
		}
		if g.seqIsPK {
			b.WriteString(" seq is pk")
		}
		b.WriteString("\n")
		plan := sqlfilter.List(q, o)
		write := func(name string, c sqlfilter.Clause) {
			if c.SQL == "" {
				return
			}
			fmt.Fprintf(&b, "%s: %s\n", name, c.SQL)
			for _, a := range c.Args {
				fmt.Fprintf(&b, "\t%T %.40q\n", a, fmt.Sprint(a))
			}
			if n := strings.Count(c.SQL, "?"); n != len(c.Args) {
				t.Errorf("%s: %d placeholders, %d arguments: %s", g.filter, n, len(c.Args), c.SQL)
			}
		}
		write("total", plan.Total)
		for i, p := range plan.Parts {
			write(fmt.Sprintf("part %d, key %q", i, p.Key), p.Clause)
			write("count", p.Count)
			s.query("SELECT r.pk "+p.SQL, s.args(p.Clause), func(row) {})
		}
		b.WriteString("\n")
	}
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != string(want) {
		t.Errorf("the SQL has changed; look at it, then run with -update:\n%s", difference(got, string(want)))
	}
}

func difference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range g {
		if i >= len(w) || g[i] != w[i] {
			return fmt.Sprintf("line %d\n got %s\nwant %s", i+1, g[i], strings.Join(w[min(i, len(w)):min(i+1, len(w))], ""))
		}
	}
	return "the file is longer"
}

// TestIndexes looks at SQLite's plans (FLT-051): what a request reads first, it must find
// by the values it looks for.
func TestIndexes(t *testing.T) {
	t.Parallel()
	s := open(t)
	const text = "attrs_text (tenant=? AND type=? AND path=? AND text"
	for _, c := range []struct {
		typ, filter, sort, want string
	}{
		{"Person", ``, "", "r USING COVERING INDEX resources_seq (tenant=? AND type=?)"},
		{"Person", `userName eq "a"`, "", "a USING COVERING INDEX " + text + "=?)"},
		{"Person", `USERNAME eq "a" and active eq true and not (displayName pr)`, "", "a USING COVERING INDEX " + text + "=?)"},
		{"Person", ``, "userName", "a USING COVERING INDEX attrs_text (tenant=? AND type=? AND path=?)"},
		{"Person", `displayName eq "a"`, "userName", "a USING COVERING INDEX " + text + "=?)"},
		{"Person", `displayName sw "ab"`, "", "a USING COVERING INDEX " + text + ">? AND text<?)"},
		{"Person", `mails[type eq "a" and value eq "b"]`, "", "e USING COVERING INDEX " + text + "=?)"},
		{"Person", `size eq 5`, "", "a USING COVERING INDEX attrs_num (tenant=? AND type=? AND path=? AND num=?)"},
		{"Person", `id eq "p"`, "", "r USING INDEX resources_id (tenant=? AND id=?)"},
		{"Person", `externalId eq "p"`, "", "r USING COVERING INDEX resources_external (tenant=? AND type=? AND external=?)"},
		{"Person", `groups.value eq "t"`, "", "x USING INDEX resources_id (tenant=? AND id=?)"},
		{"Team", `members eq "p"`, "", "x USING INDEX resources_id (tenant=? AND id=?)"},
		{"Person", `active eq true`, "userName", "a USING COVERING INDEX attrs_text (tenant=? AND type=? AND path=?)"},
		{"Person", `active eq true`, "size", "a USING COVERING INDEX attrs_num (tenant=? AND type=? AND path=? AND num>?)"},
	} {
		plan := sqlfilter.List(query(t, c.typ, c.filter, c.sort), sqlfilter.Options{Dialect: sqlfilter.SQLite{}, Tenant: 1, SeqIsPK: true})
		var steps []string
		first := ""
		s.query("EXPLAIN QUERY PLAN SELECT r.pk "+plan.Parts[0].SQL, s.args(plan.Parts[0].Clause), func(st row) {
			step := st.ColumnText(3)
			steps = append(steps, step)
			if first == "" && strings.HasPrefix(step, "SEARCH") {
				first = step
			}
			if strings.Contains(step, "TEMP B-TREE") && strings.HasPrefix(c.filter+c.sort, "userName") {
				t.Errorf("%s sorted by %q: %s", c.filter, c.sort, step)
			}
			if strings.HasPrefix(step, "SCAN") && !strings.HasPrefix(step, "SCAN d") {
				t.Errorf("%s sorted by %q: %s", c.filter, c.sort, step)
			}
		})
		if first != "SEARCH "+c.want {
			t.Errorf("%s sorted by %q:\n got %s\nwant SEARCH %s", c.filter, c.sort, strings.Join(steps, "\n     "), c.want)
		}
	}
}
