package sqlfilter_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/sqlfilter"
)

// attr makes an attribute with the defaults of RFC 7643 §2.2.
func attr(name string, typ scim.AttributeType, set ...func(*scim.Attribute)) *scim.Attribute {
	a := &scim.Attribute{Name: name, Type: typ, Mutability: scim.ReadWrite, Returned: scim.ReturnedDefault, Uniqueness: scim.UniquenessNone}
	for _, f := range set {
		f(a)
	}
	return a
}

func multi(a *scim.Attribute) { a.MultiValued = true }
func exact(a *scim.Attribute) { a.CaseExact = true }

func with(subs ...*scim.Attribute) func(*scim.Attribute) {
	return func(a *scim.Attribute) { a.SubAttributes = subs }
}

func linked(a *scim.Attribute) {
	a.SubAttributes = []*scim.Attribute{attr("value", scim.TypeString, exact), attr("$ref", scim.TypeReference, exact),
		attr("type", scim.TypeString), attr("display", scim.TypeString)}
	a.Links = []string{"Person", "Team"}
}

const extension = "urn:example:extra:1.0"

// person has an attribute of every type.
func person() *scim.ResourceType {
	return &scim.ResourceType{Name: "Person", Endpoint: "/Persons",
		Schema: &scim.Schema{ID: "urn:example:Person", Attributes: []*scim.Attribute{
			attr("userName", scim.TypeString, func(a *scim.Attribute) { a.Precis = scim.PrecisUsername }),
			attr("code", scim.TypeString, exact),
			attr("active", scim.TypeBoolean),
			attr("size", scim.TypeInteger),
			attr("weight", scim.TypeDecimal),
			attr("born", scim.TypeDateTime),
			attr("cert", scim.TypeBinary),
			attr("link", scim.TypeReference),
			attr("unmapped", scim.TypeString),
			attr("tags", scim.TypeString, multi),
			attr("sizes", scim.TypeInteger, multi),
			attr("addr", scim.TypeComplex, with(attr("city", scim.TypeString), attr("zip", scim.TypeString, exact))),
			attr("partly", scim.TypeComplex, with(attr("mapped", scim.TypeString), attr("unmapped", scim.TypeString))),
			attr("mails", scim.TypeComplex, multi, with(attr("value", scim.TypeString), attr("type", scim.TypeString), attr("primary", scim.TypeBoolean),
				attr("since", scim.TypeDateTime), attr("pin", scim.TypeString, func(a *scim.Attribute) { a.Returned = scim.ReturnedNever }))),
			attr("phones", scim.TypeComplex, multi, with(attr("value", scim.TypeString), attr("type", scim.TypeString))),
			attr("boss", scim.TypeComplex, linked),
			attr("groups", scim.TypeComplex, multi, linked, func(a *scim.Attribute) { a.Derived = true }),
		}},
		Extensions: []scim.Extension{{Schema: &scim.Schema{ID: extension, Attributes: []*scim.Attribute{
			attr("dept", scim.TypeString), attr("level", scim.TypeInteger)}}}},
	}
}

// table is person's table in either dialect. What has several values is in
// tables of its own, in the way of many applications. The type of a phone is
// never known.
func table(d sqlfilter.Dialect) sqlfilter.Table {
	return sqlfilter.Table{Type: person(), Dialect: d, Seq: "p.seq",
		Columns: map[string]sqlfilter.Column{
			"id":                 sqlfilter.Text("p.id"),
			"externalId":         {SQL: "p.external", Sort: "p.external_sort"},
			"meta.created":       sqlfilter.Time("p.created"),
			"meta.version":       sqlfilter.Text("CAST(p.version AS TEXT)"),
			"userName":           {SQL: "p.name", Sort: "p.name_sort"},
			"code":               sqlfilter.Text("coalesce(p.code, NULL)"),
			"active":             sqlfilter.Bool("p.active"),
			"size":               sqlfilter.Number("p.size"),
			"weight":             sqlfilter.Number("p.weight"),
			"born":               sqlfilter.Time("p.born"),
			"cert":               sqlfilter.Text("p.cert"),
			"link":               sqlfilter.Text("p.link"),
			"addr.city":          sqlfilter.Text("p.city"),
			"addr.zip":           sqlfilter.Text("p.zip"),
			"partly.mapped":      sqlfilter.Text("p.city"),
			"boss.value":         sqlfilter.Text("p.boss"),
			"boss.type":          sqlfilter.Text("NULL"),
			extension + ":dept":  sqlfilter.Text("p.dept"),
			extension + ":level": sqlfilter.Number("p.level"),
		},
		Rows: map[string]sqlfilter.Rows{
			"tags":  {From: "tags t", Where: "t.person = p.seq", Columns: map[string]sqlfilter.Column{"value": sqlfilter.Text("t.value")}},
			"sizes": {From: "sizes s", Where: "s.person = p.seq", Columns: map[string]sqlfilter.Column{"value": sqlfilter.Number("s.value")}},
			"mails": {From: "mails m", Where: "m.person = p.seq", Columns: map[string]sqlfilter.Column{"value": sqlfilter.Text("m.value"),
				"type": sqlfilter.Text("m.type"), "primary": sqlfilter.Bool("m.prim"), "since": sqlfilter.Time("m.since")}},
			"phones": {From: "tags t", Where: "t.person = p.seq OR FALSE", Columns: map[string]sqlfilter.Column{"value": sqlfilter.Text("t.value"), "type": sqlfilter.Text("NULL")}},
			"groups": {From: "members g", Where: "g.member = p.seq", Columns: map[string]sqlfilter.Column{"value": sqlfilter.Text("g.id"),
				"type": sqlfilter.Text("'direct'"), "display": sqlfilter.Text("nullif(g.display, '')")}},
		},
	}
}

// tables are made with the worst collations, which must not matter.
const tables = `
CREATE TABLE people (seq INTEGER PRIMARY KEY, tenant INTEGER, id TEXT COLLATE NOCASE, external TEXT COLLATE RTRIM, external_sort TEXT, version INTEGER,
	created INTEGER, name TEXT COLLATE NOCASE, name_sort TEXT COLLATE NOCASE, code TEXT, active BOOLEAN, size INTEGER, weight REAL, born INTEGER,
	cert TEXT COLLATE NOCASE, link TEXT, city TEXT COLLATE RTRIM, zip TEXT COLLATE NOCASE, boss TEXT, dept TEXT, level INTEGER);
CREATE INDEX people_name ON people (name COLLATE BINARY);
CREATE TABLE tags (person INTEGER, value TEXT COLLATE NOCASE);
CREATE TABLE sizes (person INTEGER, value INTEGER);
CREATE TABLE mails (person INTEGER, value TEXT COLLATE NOCASE, type TEXT, prim BOOLEAN, since INTEGER);
CREATE TABLE members (member INTEGER, id TEXT, display TEXT);
`

func open(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file::memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	exec(t, db, tables)
	return db
}

func exec(t *testing.T, db *sql.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
}

// stored returns v as a column of the attribute holds it.
func stored(a *scim.Attribute, v any) any {
	if v == nil {
		return nil
	}
	k := scim.KeyOf(a, v)
	if k.Num != nil {
		return k.Num
	}
	return k.Text
}

func sortText(v any) any {
	if s, ok := v.(string); ok {
		return scim.SortText(s)
	}
	return v
}

// insert stores r, whose place in the order of creation is seq.
func insert(t *testing.T, db *sql.DB, seq int64, r *scim.Resource) {
	t.Helper()
	at := func(name string) any { return stored(r.Type.Schema.Attribute(name), r.Attrs.Get(name)) }
	sub := func(o any, name, sub string) any {
		object, _ := o.(scim.Object)
		return stored(r.Type.Schema.Attribute(name).Sub(sub), object.Get(sub))
	}
	each := func(name string) []any {
		list, _ := r.Attrs.Get(name).([]any)
		return list
	}
	x, _ := r.Attrs.Get(extension).(scim.Object)
	ext := func(name string) any { return stored(r.Type.Extensions[0].Schema.Attribute(name), x.Get(name)) }
	var external any
	if r.ExternalID != "" {
		external = scim.Fold(scim.Common[2], r.ExternalID)
	}
	exec(t, db, "INSERT INTO people VALUES (?, 1"+strings.Repeat(", ?", 19)+")", seq, r.ID, external, sortText(external), r.Meta.Version,
		scim.Instant(r.Meta.Created), at("userName"), sortText(at("userName")), at("code"), at("active"), at("size"), at("weight"), at("born"), at("cert"), at("link"),
		sub(r.Attrs.Get("addr"), "addr", "city"), sub(r.Attrs.Get("addr"), "addr", "zip"), sub(r.Attrs.Get("boss"), "boss", "value"), ext("dept"), ext("level"))
	for _, name := range []string{"tags", "sizes"} {
		for _, v := range each(name) {
			exec(t, db, "INSERT INTO "+name+" VALUES (?, ?)", seq, stored(r.Type.Schema.Attribute(name), v))
		}
	}
	for _, m := range each("mails") {
		exec(t, db, "INSERT INTO mails VALUES (?, ?, ?, ?, ?)", seq, sub(m, "mails", "value"), sub(m, "mails", "type"), sub(m, "mails", "primary"), sub(m, "mails", "since"))
	}
	for _, g := range r.Groups {
		exec(t, db, "INSERT INTO members VALUES (?, ?, ?)", seq, g.ID, scim.Fold(r.Type.Groups().Sub("display"), g.Display))
	}
}

var (
	texts = func() []string {
		list := []string{"", "a", "A", "ab", "AB", "abc", "b", "b ", "%", "_", "a%b", "a_b", "é", "É", "e\u0301", "ß", "ss", "SS", "日本", "a\x00b", "\x00", "a b",
			"'", `"`, `\`, "\U0010FFFF", "a\U0010FFFF", "\uD7FF", "K", "\u212A", "10", "9", "\uff41"}
		for _, n := range []int{255, 256, 300} {
			x := strings.Repeat("x", n)
			list = append(list, x, x+"é", x+"z")
		}
		return list
	}()
	integers = []string{"0", "1", "-1", "2", "5", "9007199254740992", "9007199254740993", "9223372036854775807", "-9223372036854775808"}
	odd      = []string{"1.5", "-0.5", "1e300", "-1e300", "9223372036854775808", "1e2", "5.0"} // of literals alone
	decimals = []string{"0.0", "0.5", "-1.5", "1.0", "5.0", "1e300", "9007199254740992.0"}
	instants = []string{"2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00.5Z", "0001-01-03T00:00:00Z", "1969-12-31T23:59:59.9Z"}
	binaries = []string{"", "aGVsbG8=", "AP8=", "ap8="}
)

// generator makes random resources and filters.
type generator struct{ *rand.Rand }

func pick[T any](g generator, list []T) T { return list[g.IntN(len(list))] }

func (g generator) text() string {
	if g.IntN(3) > 0 {
		return texts[1+g.IntN(6)]
	}
	return pick(g, texts)
}

// literal returns a JSON value of the attribute's type.
func (g generator) literal(a *scim.Attribute, operand bool) string {
	switch a.Type {
	case scim.TypeBoolean:
		return pick(g, []string{"true", "false"})
	case scim.TypeInteger:
		if operand && g.IntN(4) == 0 {
			return pick(g, odd)
		}
		return pick(g, integers)
	case scim.TypeDecimal:
		return pick(g, decimals)
	case scim.TypeDateTime:
		return `"` + pick(g, instants) + `"`
	case scim.TypeBinary:
		return `"` + pick(g, binaries) + `"`
	}
	return string(scim.AppendString(nil, g.text()))
}

// value makes a value of the attribute, one if it is multi-valued.
func (g generator) value(a *scim.Attribute) any {
	switch a.Type {
	case scim.TypeBoolean:
		return g.IntN(2) == 0
	case scim.TypeInteger:
		var n int64
		_, _ = fmt.Sscan(pick(g, integers), &n)
		return n
	case scim.TypeDecimal:
		var f float64
		_, _ = fmt.Sscan(pick(g, decimals), &f)
		return f
	case scim.TypeDateTime:
		d, _ := scim.ParseDateTime(pick(g, instants))
		return d
	case scim.TypeBinary:
		return []byte(pick(g, []string{"", "hello", "\x00\xff", "\x6a\x9f"}))
	case scim.TypeComplex:
		var o scim.Object
		for _, s := range a.SubAttributes {
			if s.Filterable() && g.IntN(3) > 0 && (len(a.Links) == 0 || s.Name == "value") {
				o = append(o, scim.Member{Name: s.Name, Value: g.value(s)})
			}
		}
		if len(o) == 0 {
			return nil
		}
		return o
	}
	return g.text()
}

// person makes a random resource.
func (g generator) person(i int) *scim.Resource {
	r := &scim.Resource{Type: person(), ID: fmt.Sprintf("p%d", i),
		Meta: scim.Meta{Created: time.UnixMilli(g.Int64N(3)).UTC(), Version: fmt.Sprint(g.IntN(12))}}
	if g.IntN(2) == 0 {
		r.ExternalID = pick(g, texts)
	}
	for _, a := range r.Type.Schema.Attributes {
		if a.Derived || a.Name == "unmapped" || a.Name == "partly" || a.Name == "phones" || g.IntN(3) == 0 {
			continue
		}
		if !a.MultiValued {
			r.Attrs.Set(a.Name, g.value(a))
			continue
		}
		var list []any
		for range 1 + g.IntN(3) {
			if v := g.value(a); v != nil {
				list = append(list, v)
			}
		}
		if list != nil {
			r.Attrs.Set(a.Name, list)
		}
	}
	if city, ok := r.Attrs.Get("addr").(scim.Object); ok && city.Get("city") != nil {
		r.Attrs.Set("partly", scim.Object{{Name: "mapped", Value: city.Get("city")}})
	}
	if tags, ok := r.Attrs.Get("tags").([]any); ok { // each is a phone, too
		var phones []any
		for _, t := range tags {
			phones = append(phones, scim.Object{{Name: "value", Value: t}})
		}
		r.Attrs.Set("phones", phones)
	}
	if g.IntN(2) == 0 {
		x := scim.Object{{Name: "dept", Value: pick(g, texts[:20])}} // short, as its column has no Sort
		if g.IntN(2) == 0 {
			x = append(x, scim.Member{Name: "level", Value: g.value(r.Type.Extensions[0].Schema.Attributes[1])})
		}
		r.Attrs.Set(extension, x)
	}
	for i := range g.IntN(3) {
		r.Groups = append(r.Groups, scim.MemberRef{ID: fmt.Sprintf("t%d", i), Type: "direct", Display: pick(g, texts[:4])})
	}
	return r
}
