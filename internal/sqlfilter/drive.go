package sqlfilter

import (
	"slices"

	"github.com/rollcall-scim/rollcall/scim"
)

// How few resources an expression is likely to select. The most selective one
// of those that the filter joins by "and" drives the statement: its rows are
// looked up in an index, and the resources they belong to are then looked at
// one by one. Databases that have no statistics, or hold tenants that differ
// much, do not find that out by themselves.
const (
	hopeless  = iota // selects what is absent
	broad            // presence, ranges, booleans, canonical values: better than nothing for a count
	substring        // a pass over the values of one path
	narrow           // prefixes, substrings with an index, numbers
	member           // who is in a group
	equal            // a text
	unique           // a value that one resource has
)

func (b *builder) rank(f *scim.AttrExp) int {
	leaf := f.Path.Leaf()
	text, _ := f.Value.(string)
	switch {
	case leaf == nil || !positive(f):
		return hopeless
	case presence(f), leaf.Type == scim.TypeBoolean, len(leaf.CanonicalValues) > 0:
		return broad
	case f.Op == scim.Eq && leaf.Uniqueness != scim.UniquenessNone:
		return unique
	case f.Op == scim.Eq && numeric(leaf):
		return narrow
	case f.Op == scim.Eq:
		return equal
	case f.Op == scim.Sw && len(text) > 1:
		return narrow
	case (f.Op == scim.Co || f.Op == scim.Ew) && b.indexed(f):
		return narrow
	case (f.Op == scim.Co || f.Op == scim.Ew) && text != "":
		return substring
	}
	return broad
}

// driver is a way to select candidates: a sub-select with one column, res, of
// all resources that may satisfy an expression.
type driver struct {
	rank  int
	exact bool // they all do
	rows  bool // res comes from attrs: the tenant and the type are the right ones
	sql   func(*builder) string
}

// drive finds a driver for f, of rank hopeless if there is none.
func (b *builder) drive(f scim.Filter) driver {
	switch f := f.(type) {
	case *scim.AttrExp:
		return b.driveBy(f)
	case *scim.ValuePath:
		switch {
		case f.Path.Attr == nil || f.Path.Attr == schemas:
			return driver{}
		case membership(f.Path.Attr):
			return b.driveByMember(f.Path.Attr, f.Filter)
		}
		all := conjunction(f.Filter)
		at := b.lead(all)
		if at < 0 {
			return driver{}
		}
		lead := all[at].(*scim.AttrExp)
		return driver{b.rank(lead), true, true, func(b *builder) string {
			return "SELECT DISTINCT e.res AS res FROM " + b.source("e", lead) + b.element(f)
		}}
	case *scim.LogExp:
		left, right := b.drive(f.Left), b.drive(f.Right)
		switch {
		case f.Op == scim.And && left.rank < right.rank:
			right.exact = false
			return right
		case f.Op == scim.And:
			left.exact = false
			return left
		case left.rank == hopeless || right.rank == hopeless:
			return driver{}
		}
		return driver{min(left.rank, right.rank), left.exact && right.exact, left.rows && right.rows, func(b *builder) string {
			return left.sql(b) + " UNION " + right.sql(b)
		}}
	}
	return driver{}
}

func (b *builder) driveBy(f *scim.AttrExp) driver {
	n := b.rank(f)
	switch {
	case n == hopeless:
		return driver{}
	case f.Op == scim.Eq && (f.Path.Attr == id || f.Path.Attr == externalID):
		c, _, _ := b.column(f.Path)
		return driver{unique, true, false, func(b *builder) string {
			return "SELECT r.pk AS res FROM resources r WHERE " + b.scope("r") + " AND " + b.holds(c, f.Path.Attr, f.Op, f.Value)
		}}
	case slices.Contains(scim.Common, f.Path.Attr):
		return driver{} // a condition on r serves as well
	case membership(f.Path.Attr):
		return b.driveByMember(f.Path.Attr, f)
	}
	return driver{n, true, true, func(b *builder) string {
		distinct := ""
		if several(f.Path) || f.Path.Leaf().Type == scim.TypeComplex {
			distinct = "DISTINCT "
		}
		return "SELECT " + distinct + "a.res AS res FROM " + b.source("a", f) + b.paths("a", f.Path) + b.where("a", f.Path, rowOp(f), f.Value)
	}}
}

// source begins the FROM of a driver, as far as "AND": rows of the tenant and
// the type, and if a substring index serves the expression, of the resources
// that it leads to. The plus signs then keep the database from looking for the
// rows by their path.
func (b *builder) source(alias string, f *scim.AttrExp) string {
	grams := ""
	if (f.Op == scim.Co || f.Op == scim.Ew) && b.indexed(f) {
		grams = b.o.Dialect.Grams(Path(f.Path.String()), gramTerm(f), b.bind)
	}
	if grams != "" {
		return "(" + grams + ") g CROSS JOIN attrs " + alias + " WHERE " + alias + ".res = g.res AND " + b.scope("+"+alias) + " AND "
	}
	return "attrs " + alias + " WHERE " + b.scope(alias) + " AND "
}

func (b *builder) indexed(f *scim.AttrExp) bool {
	return b.o.Dialect.Indexed(f.Op, Path(f.Path.String()), gramTerm(f))
}

func gramTerm(f *scim.AttrExp) string { return scim.KeyOf(f.Path.Leaf(), f.Value).Text }

// driveByMember selects by the members or the groups that a value or a name
// selects.
func (b *builder) driveByMember(a *scim.Attribute, f scim.Filter) driver {
	all := conjunction(f)
	switch {
	case !slices.ContainsFunc(all, selective):
		return driver{}
	case !a.Derived || !b.o.Nested:
		own, other := "m.grp", "m.member"
		if a.Derived {
			own, other = other, own
		}
		return driver{member, true, false, func(b *builder) string {
			return "SELECT DISTINCT " + own + " AS res FROM members m JOIN resources x ON x.pk = " + other + " WHERE " + b.own("m") + b.other(a, f, "")
		}}
	}
	var down scim.Filter
	for _, g := range all {
		switch {
		case !typeless(g):
		case down == nil:
			down = g
		default:
			down = &scim.LogExp{Op: scim.And, Left: down, Right: g}
		}
	}
	return driver{member, typeless(f), false, func(b *builder) string { return "SELECT res FROM (" + b.descendants(a, down) + ") t" }}
}

// selective reports whether a filter about a member selects few of them.
func selective(f scim.Filter) bool {
	switch f := f.(type) {
	case *scim.AttrExp:
		return f.Op == scim.Eq && f.Value != nil && f.Path.Sub != "type"
	case *scim.LogExp:
		if f.Op == scim.Or {
			return selective(f.Left) && selective(f.Right)
		}
		return selective(f.Left) || selective(f.Right)
	}
	return false
}

// scope says that a row of attrs or resources is of the tenant and the type.
func (b *builder) scope(alias string) string {
	return alias + ".tenant = " + b.bindTenant() + " AND " + alias + ".type = " + b.bind(Type(b.t.Name))
}
