package sqlfilter_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
	"github.com/rollcall-scim/rollcall/scim/sqlfilter"
)

// TestText shows what is written in either dialect.
func TestText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ filter, sqlite, postgres string }{
		{`userName eq "Ann"`, "(p.name IS NOT NULL AND p.name COLLATE BINARY = ?) [7 ann]", "(p.name IS NOT NULL AND p.name = $2) [7 ann]"},
		{`userName ne "a"`, "(p.name IS NULL OR p.name COLLATE BINARY <> ?) [7 a]", "(p.name IS NULL OR p.name <> $2) [7 a]"},
		{`userName gt "a"`, "(p.name IS NOT NULL AND p.name COLLATE BINARY > ?) [7 a]", `(p.name IS NOT NULL AND p.name COLLATE "C" > $2) [7 a]`},
		{`userName sw "a"`, "(p.name IS NOT NULL AND p.name COLLATE BINARY >= ? AND p.name COLLATE BINARY < ?) [7 a b]",
			`(p.name IS NOT NULL AND p.name COLLATE "C" >= $2 AND p.name COLLATE "C" < $3) [7 a b]`},
		{`userName co "%"`, "(p.name IS NOT NULL AND instr(p.name, ?) > 0) [7 %]", "(p.name IS NOT NULL AND strpos(p.name, $2) > 0) [7 %]"},
		{`userName ew "é"`, "(p.name IS NOT NULL AND coalesce(substr(CAST(p.name AS BLOB), -2) = ?, FALSE)) [7 [195 169]]", "(p.name IS NOT NULL AND right(p.name, 1) = $2) [7 é]"},
		{`code eq "A"`, "((coalesce(p.code, NULL)) IS NOT NULL AND (coalesce(p.code, NULL)) COLLATE BINARY = ?) [7 A]",
			"((coalesce(p.code, NULL)) IS NOT NULL AND (coalesce(p.code, NULL)) = $2) [7 A]"},
		{`userName pr`, "(p.name IS NOT NULL AND p.name COLLATE BINARY <> '') [7]", "(p.name IS NOT NULL AND p.name <> '') [7]"},
		{`active eq true`, "(p.active IS NOT NULL AND p.active = ?) [7 1]", "(p.active IS NOT NULL AND p.active = $2) [7 true]"},
		{`size gt 1.5`, "(p.size IS NOT NULL AND p.size > ?) [7 1]", "(p.size IS NOT NULL AND p.size > $2::bigint) [7 1]"},
		{`size lt -1.5`, "(p.size IS NOT NULL AND p.size <= ?) [7 -2]", "(p.size IS NOT NULL AND p.size <= $2::bigint) [7 -2]"},
		{`size lt 1e300`, "(p.size IS NOT NULL AND TRUE) [7]", "(p.size IS NOT NULL AND TRUE) [7]"},
		{`weight lt 2`, "(p.weight IS NOT NULL AND p.weight < ?) [7 2]", "(p.weight IS NOT NULL AND p.weight < $2::double precision) [7 2]"},
		{`born ge "1970-01-01T00:00:01Z"`, "(p.born IS NOT NULL AND p.born >= ?) [7 1000000]", "(p.born IS NOT NULL AND p.born >= $2) [7 1970-01-01 00:00:01 +0000 UTC]"},
		{`mails[type eq "w" and primary eq false]`,
			"EXISTS (SELECT 1 FROM mails m WHERE (m.person = p.seq) AND ((m.type IS NOT NULL AND m.type COLLATE BINARY = ?) AND (coalesce(m.prim, FALSE) = ?))) [7 w 0]",
			"EXISTS (SELECT 1 FROM mails m WHERE (m.person = p.seq) AND ((m.type IS NOT NULL AND m.type = $2) AND (coalesce(m.prim, FALSE) = $3))) [7 w false]"},
		{`not (tags ne "a")`,
			"NOT ((EXISTS (SELECT 1 FROM tags t WHERE (t.person = p.seq) AND t.value IS NOT NULL AND t.value COLLATE BINARY <> ?) OR NOT EXISTS (SELECT 1 FROM tags t WHERE (t.person = p.seq) AND t.value IS NOT NULL))) [7 a]",
			"NOT ((EXISTS (SELECT 1 FROM tags t WHERE (t.person = p.seq) AND t.value IS NOT NULL AND t.value <> $2) OR NOT EXISTS (SELECT 1 FROM tags t WHERE (t.person = p.seq) AND t.value IS NOT NULL))) [7 a]"},
		// What PostgreSQL can't hold is never sent to it.
		{`userName eq "a\u0000b"`, "(p.name IS NOT NULL AND p.name COLLATE BINARY = ?) [7 a\x00b]", "(p.name IS NOT NULL AND FALSE) [7]"},
		{`userName ne "a\u0000b"`, "(p.name IS NULL OR p.name COLLATE BINARY <> ?) [7 a\x00b]", "(p.name IS NULL OR TRUE) [7]"},
		{`userName ge "a\u0000b"`, "(p.name IS NOT NULL AND p.name COLLATE BINARY >= ?) [7 a\x00b]", `(p.name IS NOT NULL AND p.name COLLATE "C" > $2) [7 a]`},
		{`userName lt "a\u0000b"`, "(p.name IS NOT NULL AND p.name COLLATE BINARY < ?) [7 a\x00b]", `(p.name IS NOT NULL AND p.name COLLATE "C" <= $2) [7 a]`},
	} {
		for d, want := range map[sqlfilter.Dialect]string{sqlfilter.SQLite: tt.sqlite, sqlfilter.PostgreSQL: tt.postgres} {
			got, err := compiler(t, d).Where(bind(t, tt.filter), 7)
			if text := fmt.Sprint(got.SQL, " ", got.Args); err != nil || text != want {
				t.Errorf("%s, dialect %d: %v\n got %s\nwant %s", tt.filter, d, err, text, want)
			}
		}
	}
}

func TestListText(t *testing.T) {
	t.Parallel()
	sort := func(by string) *scim.AttrPath {
		p, err := filter.BindSort(person(), by)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, tt := range []struct {
		q    scim.Query
		want string
	}{
		{scim.Query{Count: 10}, "TRUE ORDER BY p.seq LIMIT 11 OFFSET 0 [7] NULL"},
		{scim.Query{Count: 10, StartIndex: 21, Descending: true}, "TRUE ORDER BY p.seq LIMIT 11 OFFSET 20 [7] NULL"},
		{scim.Query{Count: 1, StartIndex: 5, After: &scim.Keyset{Seq: 3}}, "TRUE AND p.seq > $2 ORDER BY p.seq LIMIT 2 OFFSET 0 [7 3] NULL"},
		{scim.Query{Count: 1, SortBy: sort("userName"), After: &scim.Keyset{Text: "x", Seq: 3}},
			`TRUE AND (p.name_sort COLLATE "C" > $2 OR (p.name_sort COLLATE "C" = $3 AND p.seq > $4) OR p.name_sort COLLATE "C" IS NULL)` +
				` ORDER BY p.name_sort COLLATE "C" IS NULL, p.name_sort COLLATE "C", p.seq LIMIT 2 OFFSET 0 [7 x x 3] p.name_sort`},
		{scim.Query{Count: 1, SortBy: sort("born"), Descending: true, After: &scim.Keyset{Int: 1_000_000, Seq: 3}},
			"TRUE AND (p.born < $2 OR (p.born = $3 AND p.seq < $4)) ORDER BY p.born IS NULL DESC, p.born DESC, p.seq DESC LIMIT 2 OFFSET 0" +
				" [7 1970-01-01 00:00:01 +0000 UTC 1970-01-01 00:00:01 +0000 UTC 3] p.born"},
	} {
		tt.q.Type = person()
		l, err := compiler(t, sqlfilter.PostgreSQL).List(tt.q, 7)
		if got := fmt.Sprint(l.Page.SQL, " ", l.Page.Args, " ", l.Key); err != nil || got != tt.want {
			t.Errorf("%v\n got %s\nwant %s", err, got, tt.want)
		}
	}
}

// TestKeyset: drivers give what they like for a value.
func TestKeyset(t *testing.T) {
	t.Parallel()
	for by, values := range map[string]map[any]scim.Keyset{
		"userName": {"a": {Text: "a", Seq: 1}, nil: {Absent: true, Seq: 1}},
		"active":   {true: {Int: 1, Seq: 1}, int64(1): {Int: 1, Seq: 1}, false: {Seq: 1}},
		"weight":   {2.5: {Float: 2.5, Seq: 1}, int64(2): {Float: 2, Seq: 1}},
		"born":     {time.UnixMicro(5): {Int: 5, Seq: 1}, int64(5): {Int: 5, Seq: 1}},
	} {
		p, err := filter.BindSort(person(), by)
		if err != nil {
			t.Fatal(err)
		}
		l, err := compiler(t, sqlfilter.SQLite).List(scim.Query{Type: person(), SortBy: p})
		if err != nil {
			t.Fatal(err)
		}
		for v, want := range values {
			if got := l.Keyset(v, 1); *got != want {
				t.Errorf("%s %v: %+v, want %+v", by, v, *got, want)
			}
		}
		if by == "userName" {
			if got := l.Keyset([]byte("b"), 2); got.Text != "b" || got.Seq != 2 {
				t.Errorf("%+v", got)
			}
		}
	}
}

// TestNew: a mapping that can't be meant is an error at the start.
func TestNew(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*sqlfilter.Table){
		"no attribute":                func(m *sqlfilter.Table) { m.Columns["username"] = sqlfilter.Text("x") },
		"no attribute of":             func(m *sqlfilter.Table) { m.Columns["dept"] = sqlfilter.Text("x") },
		"belongs into Rows":           func(m *sqlfilter.Table) { m.Columns["mails.value"] = sqlfilter.Text("x") },
		"is complex":                  func(m *sqlfilter.Table) { m.Columns["addr"] = sqlfilter.Text("x") },
		"is of type boolean":          func(m *sqlfilter.Table) { m.Columns["active"] = sqlfilter.Text("x") },
		"is of type string":           func(m *sqlfilter.Table) { m.Columns["code"] = sqlfilter.Number("x") },
		"has no SQL":                  func(m *sqlfilter.Table) { m.Columns["code"] = sqlfilter.Text(" ") },
		"no multi-valued":             func(m *sqlfilter.Table) { m.Rows["addr"] = m.Rows["mails"] },
		"need From":                   func(m *sqlfilter.Table) { m.Rows["mails"] = sqlfilter.Rows{Where: "x"} },
		`no sub-attribute "nothing"`:  func(m *sqlfilter.Table) { m.Rows["mails"].Columns["nothing"] = sqlfilter.Text("x") },
		`"tags" has no sub-attribute`: func(m *sqlfilter.Table) { m.Rows["tags"].Columns["type"] = sqlfilter.Text("x") },
	} {
		m := table(sqlfilter.SQLite)
		change(&m)
		if _, err := sqlfilter.New(m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want one with %q", err, want)
		}
	}
	m := table(sqlfilter.SQLite)
	m.Seq = ""
	c, err := sqlfilter.New(m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.List(scim.Query{Type: person()}); err == nil {
		t.Error("a list without Seq is compiled")
	}
}

// TestArguments: the caller's arguments are not written over.
func TestArguments(t *testing.T) {
	t.Parallel()
	before := make([]any, 1, 8)
	before[0] = int64(1)
	c := compiler(t, sqlfilter.SQLite)
	x, err := c.Where(bind(t, `userName eq "x"`), before...)
	y, err2 := c.Where(bind(t, `userName eq "y"`), before...)
	if err != nil || err2 != nil || fmt.Sprint(x.Args, y.Args) != "[1 x] [1 y]" {
		t.Errorf("%v %v %v %v", x.Args, y.Args, err, err2)
	}
}
