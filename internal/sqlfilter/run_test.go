package sqlfilter_test

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/rollcall-scim/rollcall/internal/sqlfilter"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

const tables = `
CREATE TABLE resources (pk INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, type INTEGER NOT NULL, id TEXT NOT NULL, external TEXT,
	seq INTEGER NOT NULL, version ANY NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL, schemas TEXT NOT NULL,
	display_fold TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX resources_id ON resources (tenant, id);
CREATE INDEX resources_seq ON resources (tenant, type, seq);
CREATE INDEX resources_external ON resources (tenant, type, external, seq);
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
	names map[string]int64 // of paths and types
	pks   map[string]int64
	ids   map[int64]string
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
	return &store{t, conn, map[string]int64{}, map[string]int64{}, map[int64]string{}}
}

func (s *store) exec(query string, args ...any) {
	s.t.Helper()
	if err := sqlitex.Execute(s.conn, query, &sqlitex.ExecOptions{Args: args}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *store) name(name string) int64 {
	if _, ok := s.names[name]; !ok {
		s.names[name] = int64(len(s.names) + 1)
	}
	return s.names[name]
}

// load stores a tenant's content. seq runs against pk, so that nothing can rely
// on their being equal.
func (s *store) load(tenant int64, w world) {
	for i, r := range w.all() {
		pk := int64(len(s.pks) + 1)
		s.pks[r.ID], s.ids[pk] = pk, r.ID
		var external any
		if r.ExternalID != "" {
			external = r.ExternalID
		}
		display := strings.ToValidUTF8(scim.Fold(&scim.Attribute{Type: scim.TypeString}, scim.DisplayName(r.Attrs)), "")
		s.exec(`INSERT INTO resources VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, pk, tenant, s.name(r.Type.Name), r.ID, external, seq(i),
			r.Meta.Version, scim.Instant(r.Meta.Created), scim.Instant(r.Meta.LastModified), strings.Join(r.Schemas, " "), display)
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

func (s *store) query(query string, args []any, row func(*sqlite.Stmt)) {
	s.t.Helper()
	err := sqlitex.Execute(s.conn, query, &sqlitex.ExecOptions{Args: args, ResultFunc: func(st *sqlite.Stmt) error {
		row(st)
		return nil
	}})
	if err != nil {
		s.t.Fatalf("%v\n%s\n%v", err, query, args)
	}
}

func (s *store) count(c sqlfilter.Clause) (n int) {
	s.query(c.SQL, s.args(c), func(st *sqlite.Stmt) { n = st.ColumnInt(0) })
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
	out := answer{total: s.count(plan.Total)}
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
		s.query("SELECT r.id, r.seq, "+key+" "+part.SQL+" LIMIT ? OFFSET ?", append(s.args(part.Clause), q.Count+1-len(ids), skip), func(st *sqlite.Stmt) {
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
	return answer{strings.Join(ids, " "), p.Total, keyset(p.Last, q.SortBy)}, p.Last
}

// everywhere is a Dialect whose substring index says that any resource may
// match.
type everywhere struct{ sqlfilter.SQLite }

func (everywhere) Grams(_ sqlfilter.Path, term string, bind func(any) string) (string, bool) {
	return "SELECT pk AS res FROM resources WHERE " + bind(term) + " <> ''", len(term) > 2
}

var sorts = []string{"", "", "userName", "code", "active", "size", "weight", "born", "tags", "sizes", "mails.value", "mails.primary", "mails.since",
	"addr.city", "boss", extension + ":dept", "id", "externalId", "meta.created", "meta.version", "meta.resourceType", "schemas", "keys.value", "cert"}

// TestAgainstMemory compares what the SQL finds with what filter.Page finds, on
// random data, filters, orders and pages.
func TestAgainstMemory(t *testing.T) {
	t.Parallel()
	rounds := 24
	if testing.Short() {
		rounds = 6
	}
	seed := uint64(time.Now().UnixNano())
	for round := range rounds {
		compare(t, seed+uint64(round))
	}
}

// FuzzAgainstMemory is TestAgainstMemory with the seeds a fuzzer thinks of.
func FuzzAgainstMemory(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) { compare(t, seed) })
}

func compare(t *testing.T, seed uint64) {
	t.Helper()
	g := generator{rand.New(rand.NewPCG(seed, 1))}
	nested := g.IntN(2) == 0
	s := open(t)
	w := g.world("", 24, 8, nested)
	s.load(2, g.world("other-", 5, 3, nested))
	s.load(1, w)
	list := w.all()
	ids := []string{"other-p1", "nobody"}
	for _, r := range list {
		ids = append(ids, r.ID)
	}
	o := sqlfilter.Options{Dialect: sqlfilter.SQLite{}, Tenant: 1, Nested: nested}
	if g.IntN(2) == 0 {
		o.Dialect = everywhere{}
	}
	for range 60 {
		typ := pick(g, []*scim.ResourceType{w.people[0].Type, w.people[0].Type, w.teams[0].Type})
		text := g.filter(typ, ids, 3)
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
		q.StartIndex, q.Count = 1, 1+g.IntN(6)
		for q.After = check("first page"); q.After != nil; q.After = check("next page") {
		}
	}
}
