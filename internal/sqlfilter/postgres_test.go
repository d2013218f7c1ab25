package sqlfilter_test

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/internal/pgtest"
	"github.com/rollcall-scim/rollcall/internal/sqlfilter"
	"github.com/rollcall-scim/rollcall/scim"
)

const postgresTables = `
CREATE TABLE tenants (tenant integer PRIMARY KEY, nests boolean NOT NULL);
CREATE TABLE resources (pk bigint, tenant integer, type text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL, external text COLLATE "C",
	seq bigint NOT NULL, version text COLLATE "C" NOT NULL, created bigint NOT NULL, modified bigint NOT NULL, schemas text COLLATE "C" NOT NULL,
	display_fold text COLLATE "C" NOT NULL, external_sort text COLLATE "C", PRIMARY KEY (tenant, pk));
CREATE TABLE attrs (tenant integer, type text COLLATE "C" NOT NULL, path text COLLATE "C", text text COLLATE "C" NOT NULL, num numeric,
	res bigint, elem integer, long text COLLATE "C", PRIMARY KEY (tenant, res, path, elem));
CREATE TABLE members (tenant integer, grp bigint, member bigint, PRIMARY KEY (tenant, grp, member));
INSERT INTO tenants VALUES (1, true), (2, true);
`

func openPostgres(t testing.TB) *store {
	c, err := pgx.Connect(t.Context(), pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if _, err := c.Exec(t.Context(), postgresTables+"SET jit = off"); err != nil {
		t.Fatal(err)
	}
	return &store{t: t, pg: c, names: map[string]int64{}, pks: map[string]int64{}, ids: map[int64]string{}}
}

// without takes U+0000 out of texts, which PostgreSQL can't hold. The one that
// comes in its place is in no other text.
func without(args []any) []any {
	out := []any{pgx.QueryExecModeExec}
	for _, a := range args {
		if s, ok := a.(string); ok {
			a = strings.ReplaceAll(s, "\x00", "\x01")
		}
		out = append(out, a)
	}
	return out
}

func (s *store) pgExec(query string, args []any) {
	s.t.Helper()
	for n := 1; strings.Contains(query, "?"); n++ {
		query = strings.Replace(query, "?", "$"+strconv.Itoa(n), 1)
	}
	columns := ""
	if strings.HasPrefix(query, "INSERT INTO resources") {
		columns = " (pk, tenant, type, id, external, seq, version, created, modified, schemas, display_fold, external_sort)"
	}
	query = strings.Replace(query, " VALUES", columns+" VALUES", 1)
	if _, err := s.pg.Exec(context.Background(), query, without(args)...); err != nil {
		s.t.Fatalf("%v\n%s\n%q", err, query, args)
	}
}

// textRow is a row whose values are texts.
type textRow []*string

func (r textRow) ColumnText(i int) string {
	if r[i] == nil {
		return ""
	}
	return strings.ReplaceAll(*r[i], "\x01", "\x00")
}

func (r textRow) ColumnInt64(i int) int64 {
	n, _ := strconv.ParseInt(r.ColumnText(i), 10, 64)
	return n
}

func (r textRow) ColumnFloat(i int) float64 {
	f, _ := strconv.ParseFloat(r.ColumnText(i), 64)
	return f
}

func (s *store) pgQuery(query string, args []any, each func(row)) {
	s.t.Helper()
	rows, err := s.pg.Query(context.Background(), query, without(args)...)
	for err == nil && rows.Next() {
		r := make(textRow, len(rows.FieldDescriptions()))
		into := make([]any, len(r))
		for i := range r {
			into[i] = &r[i]
		}
		if err = rows.Scan(into...); err == nil {
			each(r)
		}
	}
	if rows != nil {
		rows.Close()
		if err == nil {
			err = rows.Err()
		}
	}
	if err != nil {
		s.t.Fatalf("%v\n%s\n%q", err, query, args)
	}
}

// TestTenantInKeys: no table is looked into without its tenant being named.
func TestTenantInKeys(t *testing.T) {
	t.Parallel()
	alias := regexp.MustCompile(`\b(?:resources|attrs|members) (\w+)\b`)
	look := func(c sqlfilter.Clause) {
		for _, m := range alias.FindAllStringSubmatch(c.SQL, -1) {
			if !strings.Contains(c.SQL, m[1]+".tenant = $") {
				t.Errorf("%s is of any tenant: %s", m[1], c.SQL)
			}
		}
		n := 0
		for _, a := range c.Args {
			if a == int64(4711) {
				n++
			}
		}
		if n > 1 {
			t.Errorf("the tenant is bound %d times: %s", n, c.SQL)
		}
	}
	for _, g := range golden {
		q := query(t, g.typ, g.filter, g.sort)
		q.Descending, q.After = g.descending, g.after
		plan := sqlfilter.List(q, sqlfilter.Options{Dialect: sqlfilter.PostgreSQL{}, Tenant: 4711, Nested: true, SeqIsPK: true, TenantInKeys: true})
		look(plan.Total)
		for _, p := range plan.Parts {
			look(p.Clause)
			look(p.Count)
		}
	}
}

func TestPostgreSQLIndexed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		path sqlfilter.Path
		term string
		want bool
	}{
		{"userName", "abc", true}, {"userName", "ab", false}, {"userName", "a-b-c", false}, {"userName", "@x.yz1", true},
		{"emails.value", "日本語", true}, {"title", "abc", false},
	} {
		if got := (sqlfilter.PostgreSQL{}).Indexed(scim.Co, tt.path, tt.term); got != tt.want {
			t.Errorf("%s co %q: %v", tt.path, tt.term, got)
		}
	}
}
