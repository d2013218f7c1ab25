package sqlfilter_test

import (
	"fmt"
	"iter"

	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/rollcall-scim/rollcall/internal/sqlfilter"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

const tables = `
CREATE TABLE resources (pk INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, type INTEGER NOT NULL, id TEXT NOT NULL, external TEXT,
	seq INTEGER NOT NULL, version ANY NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL, schemas TEXT NOT NULL,
	display_fold TEXT NOT NULL, external_sort TEXT) STRICT;
CREATE UNIQUE INDEX resources_id ON resources (tenant, id);
CREATE INDEX resources_seq ON resources (tenant, type, seq);
CREATE INDEX resources_external ON resources (tenant, type, external);
CREATE INDEX resources_external_sort ON resources (tenant, type, external_sort, seq);
CREATE TABLE attrs (tenant INTEGER NOT NULL, type INTEGER NOT NULL, path INTEGER NOT NULL, text TEXT NOT NULL, num ANY,
	res INTEGER NOT NULL, elem INTEGER NOT NULL, long TEXT, PRIMARY KEY (res, path, elem)) STRICT, WITHOUT ROWID;
CREATE INDEX attrs_text ON attrs (tenant, type, path, text, res, elem);
CREATE INDEX attrs_num ON attrs (tenant, type, path, num, res, elem) WHERE num IS NOT NULL;
CREATE TABLE members (tenant INTEGER NOT NULL, grp INTEGER NOT NULL, member INTEGER NOT NULL, PRIMARY KEY (grp, member)) STRICT, WITHOUT ROWID;
CREATE INDEX members_member ON members (member, grp);
`

// store is the least that can run a Plan.
type store struct {
	t     testing.TB
	conn  *sqlite.Conn
	pg    *pgx.Conn        // in the place of conn
	names map[string]int64 // of paths and types
	pks   map[string]int64
	ids   map[int64]string
}

// row is one of a result.
type row interface {
	ColumnText(i int) string
	ColumnInt64(i int) int64
	ColumnFloat(i int) float64
}

// options compile for the store.
func (s *store) options(tenant int64, nested, seqIsPK bool) sqlfilter.Options {
	if s.pg != nil {
		return sqlfilter.Options{Dialect: sqlfilter.PostgreSQL{}, Tenant: tenant, Nested: true, SeqIsPK: seqIsPK, TenantInKeys: true}
	}
	return sqlfilter.Options{Dialect: sqlfilter.SQLite{}, Tenant: tenant, Nested: nested, SeqIsPK: seqIsPK}
}

func open(t testing.TB) *store {
	conn, err := sqlite.OpenConn(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := sqlitex.ExecuteScript(conn, tables, nil); err != nil {
		t.Fatal(err)
	}
	return &store{t: t, conn: conn, names: map[string]int64{}, pks: map[string]int64{}, ids: map[int64]string{}}
}

func (s *store) exec(query string, args ...any) {
	s.t.Helper()
	if s.pg != nil {
		s.pgExec(query, args)
		return
	}
	if err := sqlitex.Execute(s.conn, query, &sqlitex.ExecOptions{Args: args}); err != nil {
		s.t.Fatal(err)
	}
}

// name is what stands for the name of a path or a type.
func (s *store) name(name string) any {
	if s.pg != nil {
		return name
	}
	if _, ok := s.names[name]; !ok {
		s.names[name] = int64(len(s.names) + 1)
	}
	return s.names[name]
}

// gone is the type of what is being deleted.
func (s *store) gone() any {
	if s.pg != nil {
		return ""
	}
	return 0
}

// load stores a tenant's content. Unless seqIsPK, pk runs against seq, so that
// nothing can rely on their being equal.
func (s *store) load(tenant int64, w world, seqIsPK bool) {
	for i, r := range w.all() {
		pk := 10000*tenant - int64(i)
		if seqIsPK {
			pk = seq(i) + 10000*(tenant-1)
		}
		s.pks[r.ID], s.ids[pk] = pk, r.ID
		var external, cut any
		if r.ExternalID != "" {
			key := scim.KeyOf(scim.Common[2], r.ExternalID).Text
			external, cut = key, scim.SortText(key)
		}
		display := strings.ToValidUTF8(scim.Fold(&scim.Attribute{Type: scim.TypeString}, scim.DisplayName(r.Attrs)), "")
		s.exec(`INSERT INTO resources VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, pk, tenant, s.name(r.Type.Name), r.ID, external, seq(i),
			r.Meta.Version, scim.Instant(r.Meta.Created), scim.Instant(r.Meta.LastModified), strings.Join(r.Schemas, " "), display, cut)
		for _, row := range sqlfilter.Rows(r) {
			var long any
			if row.Long != "" {
				long = row.Long
			}
			s.exec(`INSERT INTO attrs VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, tenant, s.name(r.Type.Name), s.name(string(row.Path)),
				row.Text, row.Num, pk, row.Elem, long)
		}
	}
	for _, t := range w.teams {
		members, _ := t.Attrs.Get("members").([]scim.MemberRef)
		for _, m := range members {
			s.exec(`INSERT INTO members VALUES (?, ?, ?)`, tenant, s.pks[t.ID], s.pks[m.ID])
		}
	}
}

// seq numbers the resources in order of creation.
func seq(i int) int64 { return int64(1000 + i) }

func (s *store) args(c sqlfilter.Clause) []any {
	var out []any
	for _, a := range c.Args {
		switch a := a.(type) {
		case sqlfilter.Path:
			out = append(out, s.name(string(a)))
		case sqlfilter.Type:
			out = append(out, s.name(string(a)))
		default:
			out = append(out, a)
		}
	}
	return out
}

func (s *store) query(query string, args []any, each func(row)) {
	s.t.Helper()
	if s.pg != nil {
		s.pgQuery(query, args, each)
		return
	}
	err := sqlitex.Execute(s.conn, query, &sqlitex.ExecOptions{Args: args, ResultFunc: func(st *sqlite.Stmt) error {
		each(st)
		return nil
	}})
	if err != nil {
		s.t.Fatalf("%v\n%s\n%v", err, query, args)
	}
}

func (s *store) count(c sqlfilter.Clause) (n int) {
	s.query(c.SQL, s.args(c), func(r row) { n = int(r.ColumnInt64(0)) })
	return n
}

// answer is what a page comes to.
type answer struct {
	ids   string
	total int
	last  string
}

func (s *store) list(q scim.Query, o sqlfilter.Options) answer {
	plan := sqlfilter.List(q, o)
	out := answer{}
	if !q.NoTotal {
		out.total = s.count(plan.Total)
	}
	if q.Count == 0 {
		return out
	}
	skip := 0
	if q.After == nil {
		skip = max(q.StartIndex-1, 0)
	}
	var ids []string
	var last scim.Keyset
	more := false
	for i, part := range plan.Parts {
		key := "NULL"
		if part.Key != "" {
			key = part.Key
		}
		before := len(ids)
		s.query("SELECT r.id, r.seq, "+key+" "+part.SQL+fmt.Sprintf(" LIMIT %d OFFSET %d", q.Count+1-len(ids), skip), s.args(part.Clause), func(st row) {
			if len(ids) == q.Count {
				more = true
				return
			}
			ids = append(ids, st.ColumnText(0))
			last = scim.Keyset{Absent: part.Absent, Seq: st.ColumnInt64(1)}
			switch {
			case part.Key == "":
			case !part.Numeric:
				last.Text = st.ColumnText(2)
			case q.SortBy.Leaf().Type == scim.TypeDecimal:
				last.Float = st.ColumnFloat(2)
			default:
				last.Int = st.ColumnInt64(2)
			}
		})
		if more || i+1 == len(plan.Parts) {
			break
		}
		if len(ids) > before || skip == 0 {
			skip = 0
			continue
		}
		skip = max(skip-s.count(part.Count), 0)
	}
	out.ids = strings.Join(ids, " ")
	if more {
		out.last = keyset(&last, q.SortBy)
	}
	return out
}

func keyset(k *scim.Keyset, by *scim.AttrPath) string {
	if k == nil {
		return ""
	}
	if by != nil && (by.Name == "schemas" || by.Sub == "resourceType") {
		return fmt.Sprint(k.Seq) // all have the same value, and neither side need keep it
	}
	return fmt.Sprintf("%v %q %d %g %d", k.Absent, k.Text, k.Int, k.Float, k.Seq)
}

// inMemory is the answer that list must give.
func inMemory(list []*scim.Resource, q scim.Query) (answer, *scim.Keyset) {
	var all iter.Seq2[int64, *scim.Resource] = func(yield func(int64, *scim.Resource) bool) {
		for i, r := range list {
			if r.Type.Name == q.Type.Name && !yield(seq(i), r) {
				return
			}
		}
	}
	p := filter.Page(all, q)
	var ids []string
	for _, r := range p.Resources {
		ids = append(ids, r.ID)
	}
	if q.NoTotal {
		p.Total = 0 // what it is then means nothing
	}
	return answer{strings.Join(ids, " "), p.Total, keyset(p.Last, q.SortBy)}, p.Last
}

// everywhere is a Dialect whose substring index says that any resource may
// match.
type everywhere struct{ sqlfilter.SQLite }

func (everywhere) Indexed(op scim.CompareOp, _ sqlfilter.Path, term string) bool {
	return op == scim.Co && len(term) > 2
}

func (everywhere) Grams(_ sqlfilter.Path, term string, bind func(any) string) string {
	return "SELECT pk AS res FROM resources WHERE " + bind(term) + " <> ''"
}

var sorts = []string{"", "", "userName", "code", "active", "size", "weight", "born", "tags", "sizes", "mails.value", "mails.primary", "mails.since",
	"addr.city", "boss", extension + ":dept", "id", "externalId", "meta.created", "meta.version", "meta.resourceType", "schemas", "keys.value", "cert"}

// rare are filters that chance seldom makes.
var rare = []string{
	`groups[display ne ""]`, `groups.display ne ""`, `groups.display eq null`, `groups[not (display pr)]`,
	`groups[value eq "t1" and type eq "indirect"]`, `groups[type eq "direct" and not (value eq "t1")]`,
	`mails[primary eq false]`, `mails[not (primary pr)]`, `mails.primary ne true`, `mails[value eq null and type eq null]`,
	`tags[value ne "a" and not (value co "b")]`, `tags[not (value ew "abc")]`, `schemas[not (value co "extra")]`, `schemas ne "urn:example:Person"`,
	`groups.value eq "t1" or groups[value eq "t2" and type eq "direct"] or active eq true or groups.display co "a" or groups.type ne "direct"`,
	`not (groups.value eq "t1" or groups[not (value eq "t2")] or groups.display eq null)`, `groups pr or groups.value eq "t1"`,
	`userName eq "a" or groups.value eq "t1"`, `userName eq "a" and groups.value eq "t1"`,
}

// TestAgainstMemory compares what the SQL finds with what filter.Page finds, on
// random data, filters, orders and pages.
func TestAgainstMemory(t *testing.T) {
	t.Parallel()
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	seed := uint64(time.Now().UnixNano())
	for round := range rounds {
		compare(t, open, seed+uint64(round), 60)
		compare(t, openPostgres, seed+uint64(round), 60)
	}
}

// FuzzAgainstMemory is TestAgainstMemory with the seeds a fuzzer thinks of.
func FuzzAgainstMemory(f *testing.F) {
	for _, seed := range []uint64{0, 1, 1795376204137591719} { // in the last somebody has one tag, ""
		f.Add(seed)
	}
	requests := len(rare) + 5
	if testing.Short() { // as with the race detector, which takes ten times as long for those that are rare
		requests = 3
	}
	f.Fuzz(func(t *testing.T, seed uint64) { compare(t, open, seed, requests) })
}

func compare(t *testing.T, open func(testing.TB) *store, seed uint64, requests int) {
	t.Helper()
	g := generator{seeded(seed)}
	nested := g.IntN(2) == 0
	s := open(t)
	w := g.world("", 20, 6, nested)
	seqIsPK := g.IntN(2) == 0
	s.load(2, g.world("other-", 5, 3, nested), seqIsPK)
	s.load(1, w, seqIsPK)
	list := w.all()
	ids := []string{"other-p1", "nobody"}
	for _, r := range list {
		ids = append(ids, r.ID)
	}
	o := s.options(1, nested, seqIsPK)
	if s.pg == nil && g.IntN(2) == 0 {
		o.Dialect = everywhere{}
	}
	for i := range requests {
		typ := pick(g, []*scim.ResourceType{w.people[0].Type, w.people[0].Type, w.teams[0].Type})
		text := g.filter(typ, ids, 3)
		if i < len(rare) {
			typ, text = w.people[0].Type, rare[i]
		}
		parsed, err := filter.Parse(text, filter.Options{})
		if err != nil {
			t.Fatalf("seed %d: %s: %v", seed, text, err)
		}
		bound, err := filter.Bind(typ, parsed, filter.Options{})
		if err != nil {
			t.Fatalf("seed %d: %s: %v", seed, text, err)
		}
		q := scim.Query{Type: typ, Filter: bound, StartIndex: 1, Count: 100, Descending: g.IntN(2) == 0}
		if g.IntN(10) == 0 {
			q.Filter = nil
		}
		by := pick(g, sorts)
		if by != "" {
			if q.SortBy, err = filter.BindSort(typ, by); err != nil {
				q.SortBy = nil
			}
		}
		check := func(what string) *scim.Keyset {
			t.Helper()
			want, last := inMemory(list, q)
			if got := s.list(q, o); got != want {
				plan := sqlfilter.List(q, o)
				t.Fatalf("seed %d: %s %s sorted by %q, descending %v, %s\n got %+v\nwant %+v\n%v\n%v", seed, typ.Name, text, by, q.Descending, what,
					got, want, plan.Total, plan.Parts)
			}
			return last
		}
		check("whole")
		q.StartIndex, q.Count = g.IntN(20), g.IntN(8)
		check(fmt.Sprintf("from %d, %d", q.StartIndex, q.Count))
		q.StartIndex, q.Count, q.NoTotal = 1, 1+g.IntN(6), true
		for q.After = check("first page"); q.After != nil; q.After = check("next page") {
		}
	}
}

// TestDeepAndDoomed: a group counts as far as scim.MaxGroupDepth, and one that
// is being deleted not at all.
func TestDeepAndDoomed(t *testing.T) {
	t.Parallel()
	const depth = scim.MaxGroupDepth + 2
	for i := range 4 {
		doomed, open := i%2 == 1, []func(testing.TB) *store{open, openPostgres}[i/2]
		w := world{people: []*scim.Resource{{Type: person(), ID: "p", Attrs: scim.Object{{Name: "userName", Value: "p"}}}}}
		below := scim.MemberRef{ID: "p", Type: "Person"}
		for i := range depth {
			id := fmt.Sprintf("t%d", i+1)
			w.teams = append(w.teams, &scim.Resource{Type: team(), ID: id, Attrs: scim.Object{{Name: "displayName", Value: id},
				{Name: "members", Value: []scim.MemberRef{below}}}})
			below = scim.MemberRef{ID: id, Type: "Team"}
		}
		s := open(t)
		s.load(1, w, false)
		if doomed {
			s.exec(`UPDATE resources SET type = ?, display_fold = '' WHERE id = 't5'`, s.gone())
			s.exec(`DELETE FROM attrs WHERE res = ?`, s.pks["t5"])
		}
		for _, c := range []struct {
			typ, filter            string
			whole, withoutTheFifth int
		}{
			{"Person", `groups.value eq "t4"`, 1, 1},
			{"Person", `groups.value eq "t5"`, 1, 0},
			{"Person", `groups.value eq "t6"`, 1, 0},
			{"Person", `groups.value eq "t32"`, 1, 0},
			{"Person", `groups.value eq "t33"`, 0, 0},
			{"Person", `groups[value eq "t32" and type eq "indirect"]`, 1, 0},
			{"Person", `groups[value eq "t33" and type eq "indirect"]`, 0, 0},
			{"Person", `userName eq "p" and groups.value eq "t6"`, 1, 0},
			{"Person", `userName eq "p" and groups.value eq "t33"`, 0, 0},
			{"Person", `groups.type eq "direct"`, 1, 1},
			{"Team", `members.value eq "t4"`, 1, 0},
			{"Team", `members.value eq "t5"`, 1, 0},
			{"Team", `members pr`, depth, depth - 2},
			{"Team", `displayName pr`, depth, depth - 1},
		} {
			q := query(t, c.typ, c.filter, "")
			q.Count = 100
			want := c.whole
			if doomed {
				want = c.withoutTheFifth
			}
			got := s.list(q, s.options(1, true, false))
			if n := len(strings.Fields(got.ids)); got.total != want || n != want {
				t.Errorf("%s, doomed %v: total %d, %d listed, want %d", c.filter, doomed, got.total, n, want)
			}
		}
	}
}

// TestLongFilters: as many expressions as the parser lets through are within
// the database's limits, however they are joined.
func TestLongFilters(t *testing.T) {
	t.Parallel()
	for _, open := range []func(testing.TB) *store{open, openPostgres} {
		longFilters(t, open(t))
	}
}

func longFilters(t *testing.T, s *store) {
	w := generator{seeded(3)}.world("", 10, 3, true)
	s.load(1, w, false)
	for _, term := range []string{`displayName ne "q"`, `displayName co ""`, `tags ne "q"`, `mails[type ne "q" and value ne "r"]`, `groups.value eq "t1"`,
		`groups[value eq "t1" and type eq "direct"]`, `userName eq "a"`, `addr pr`, `not (code sw "q")`} {
		most := filter.DefaultMaxNodes
		if testing.Short() {
			most /= 8
		}
		n := most / (1 + strings.Count(term, " and ")*2 + strings.Count(term, "not"))
		for _, joint := range []string{" and ", " or "} {
			if joint == " and " && strings.HasPrefix(term, "groups") {
				n = min(n, 90)
			}
			q := query(t, "Person", strings.TrimSuffix(strings.Repeat(term+joint, n), joint), "userName")
			want, _ := inMemory(w.all(), q)
			began := time.Now()
			got := s.list(q, s.options(1, true, false))
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("%d times %s: took %v", n, term, took)
			}
			if got != want {
				t.Errorf("%d times %s:\n got %+v\nwant %+v", n, term, got, want)
			}
		}
	}
}
