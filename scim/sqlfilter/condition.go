package sqlfilter

import (
	"strconv"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

const (
	always = "TRUE"
	never  = "FALSE"
)

// Where compiles a bound filter, nil for none, to a condition on a row of the
// table (RFC 7644 §3.4.2.2). It is true or false and never NULL. before are the
// arguments of placeholders that stand before the condition: they begin the
// Args of the Clause, and the condition's own placeholders are counted on from
// them. The error is of type invalidFilter: the filter names an attribute that
// is not mapped, or asks of one what its columns can't tell.
func (c *Compiler) Where(f scim.Filter, before ...any) (Clause, error) {
	b := builder{c: c, args: before[:len(before):len(before)]}
	sql := always
	if f != nil {
		sql = b.condition(f, false)
	}
	if b.err != nil {
		return Clause{}, b.err
	}
	return Clause{sql, b.args}, nil
}

// builder writes one condition. Its methods return SQL and bind the arguments
// in the order in which the text mentions them.
type builder struct {
	c    *Compiler
	args []any
	err  error // the first
}

func (b *builder) bind(v any) string {
	b.args = append(b.args, v)
	if b.c.t.Dialect == PostgreSQL {
		return "$" + strconv.Itoa(len(b.args))
	}
	return "?"
}

// refuse notes why a filter can't be compiled.
func (b *builder) refuse(p scim.AttrPath, why string) string {
	if b.err == nil {
		b.err = scim.Errorf(scim.TypeInvalidFilter, "%q: %s (RFC 7644 §3.4.2.2)", p, why)
	}
	return never
}

// column returns the column of a path that ends in a simple attribute, or
// refuses it.
func (b *builder) column(p scim.AttrPath) (Column, bool) {
	path := p.String()
	if p.Attr.MultiValued && p.SubAttr == nil {
		path += ".value"
	}
	col, ok := b.c.columns[path]
	if !ok {
		b.refuse(p, "this service does not filter by it")
	}
	return col, ok
}

// condition compiles f. within: it stands between brackets and is about one
// value, whose row is at hand.
func (b *builder) condition(f scim.Filter, within bool) string {
	switch f := f.(type) {
	case *scim.LogExp:
		return "(" + b.condition(f.Left, within) + " " + strings.ToUpper(f.Op) + " " + b.condition(f.Right, within) + ")"
	case *scim.NotExp:
		return "NOT (" + b.condition(f.Filter, within) + ")"
	case *scim.ValuePath:
		switch {
		case f.Path.Attr == nil:
			return never
		case f.Path.Attr.MultiValued:
			return b.row(f.Path, func() string { return b.condition(f.Filter, true) })
		}
		return "(" + b.present(f.Path) + " AND " + b.condition(f.Filter, true) + ")"
	case *scim.AttrExp:
		switch {
		case f.Path.Attr == nil:
			return constant((presence(f) && f.Op == scim.Eq) || (!presence(f) && f.Op == scim.Ne)) // it has no value
		case common(f.Path, "meta", ""):
			return constant(f.Op != scim.Eq) // only presence can be asked of it
		case common(f.Path, "meta", "resourceType"):
			return constant(b.ofType(f))
		case f.Path.Attr.MultiValued && !within:
			return b.several(f)
		case f.Path.SubAttr == nil && f.Path.Attr.Type == scim.TypeComplex:
			return not(f.Op == scim.Eq, b.anySub(f.Path))
		}
		return b.single(f)
	}
	if b.err == nil {
		b.err = scim.Errorf(scim.TypeInvalidFilter, "this kind of expression is not supported")
	}
	return never
}

// common reports whether p is a common attribute (RFC 7643 §3.1).
func common(p scim.AttrPath, name, sub string) bool {
	if p.URN != "" || p.Name != name || p.Sub != sub {
		return false
	}
	for _, a := range scim.Common {
		if a == p.Attr {
			return true
		}
	}
	return false
}

// ofType evaluates an expression about meta.resourceType, which is the same for
// all.
func (b *builder) ofType(f *scim.AttrExp) bool {
	if presence(f) {
		return f.Op != scim.Eq
	}
	leaf := f.Path.Leaf()
	return scim.KeyOf(leaf, b.c.t.Type.Name).Holds(f.Op, scim.KeyOf(leaf, f.Value))
}

// single compiles an expression about an attribute with one value, or about
// the value between brackets.
func (b *builder) single(f *scim.AttrExp) string {
	col, ok := b.column(f.Path)
	switch {
	case !ok:
		return never
	case presence(f):
		return not(f.Op == scim.Eq, b.pr(col))
	case primary(f.Path):
		return "(" + b.holds(orFalse(col), f) + ")"
	case f.Op == scim.Ne:
		return "(" + col.SQL + " IS NULL OR " + b.holds(col, f) + ")"
	}
	return "(" + col.SQL + " IS NOT NULL AND " + b.holds(col, f) + ")"
}

// several compiles an expression about an attribute with many values: any of
// them may satisfy it, and "ne" is also satisfied by none.
func (b *builder) several(f *scim.AttrExp) string {
	if f.Path.SubAttr == nil && f.Path.Attr.Type == scim.TypeComplex {
		return not(f.Op == scim.Eq, b.row(f.Path, func() string {
			if membership(f.Path.Attr) {
				return always
			}
			return b.anySub(f.Path)
		}))
	}
	col, ok := b.column(f.Path)
	if !ok {
		return never
	}
	exists := func(condition func() string) string { return b.row(f.Path, condition) }
	if presence(f) {
		return not(f.Op == scim.Eq, exists(func() string { return b.pr(col) }))
	}
	there := func() string { return col.SQL + " IS NOT NULL" }
	if primary(f.Path) {
		col = orFalse(col)
		there = func() string { return always }
	}
	some := exists(func() string { return there() + " AND " + b.holds(col, f) })
	if f.Op != scim.Ne {
		return some
	}
	return "(" + some + " OR NOT " + exists(there) + ")"
}

// row says that the attribute has a row that satisfies the condition.
func (b *builder) row(p scim.AttrPath, condition func() string) string {
	p.Sub, p.SubAttr = "", nil
	rows, ok := b.c.t.Rows[p.String()]
	if !ok {
		return b.refuse(p, "this service does not filter by it")
	}
	return "EXISTS (SELECT 1 FROM " + rows.From + " WHERE (" + rows.Where + ") AND " + condition() + ")"
}

// anySub says that a complex value has a sub-attribute that is not empty. All
// that it may have must be mapped, else there might be one that is not seen.
func (b *builder) anySub(p scim.AttrPath) string {
	return b.anyOf(p, nameable(p.Attr), b.pr)
}

// present says that a complex attribute is there, be it with empty texts alone.
func (b *builder) present(p scim.AttrPath) string {
	var stored []*scim.Attribute
	for _, sub := range p.Attr.SubAttributes {
		if !derived(p.Attr, sub) {
			stored = append(stored, sub)
		}
	}
	return b.anyOf(p, stored, func(c Column) string { return c.SQL + " IS NOT NULL" })
}

func (b *builder) anyOf(p scim.AttrPath, subs []*scim.Attribute, condition func(Column) string) string {
	var list []string
	for _, sub := range subs {
		p.Sub, p.SubAttr = sub.Name, sub
		col, ok := b.c.columns[p.String()]
		if !ok {
			p.Sub, p.SubAttr = "", nil
			return b.refuse(p, "this service filters by its sub-attributes alone, and not by all of them")
		}
		list = append(list, condition(col))
	}
	if list == nil {
		return never
	}
	return "(" + strings.Join(list, " OR ") + ")"
}

// pr says that a value is there and not empty.
func (b *builder) pr(c Column) string {
	switch {
	case c.Kind != KindText:
		return c.SQL + " IS NOT NULL"
	case b.c.t.Dialect == PostgreSQL:
		return "(" + c.SQL + " IS NOT NULL AND " + c.SQL + " <> '')"
	}
	return "(" + c.SQL + " IS NOT NULL AND " + b.c.ordered(c.SQL) + " <> '')"
}

// orFalse is a column in which what is not said is false.
func orFalse(c Column) Column {
	c.SQL = "coalesce(" + c.SQL + ", FALSE)"
	return c
}

// primary reports whether p marks one value of many (RFC 7643 §2.4).
func primary(p scim.AttrPath) bool {
	return p.Sub == "primary" && p.Attr.MultiValued && p.SubAttr.Type == scim.TypeBoolean
}

// presence reports whether f asks for presence alone: pr, eq null or ne null
// (RFC 7643 §2.5).
func presence(f *scim.AttrExp) bool { return f.Op == scim.Pr || f.Value == nil }

func constant(v bool) string {
	if v {
		return always
	}
	return never
}

func not(negate bool, s string) string {
	if negate {
		return "NOT (" + s + ")"
	}
	return s
}
