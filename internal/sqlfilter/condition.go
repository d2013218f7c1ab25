package sqlfilter

import (
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// builder writes one statement. Its methods return SQL and bind the arguments
// in the order in which the text mentions them.
type builder struct {
	t    *scim.ResourceType
	o    Options
	args []any

	tenant int    // which argument is the tenant, from 1; 0: none yet
	seq    string // the expression of the order of creation
	driven bool   // another expression has selected few resources already
}

func (b *builder) bind(v any) string {
	b.args = append(b.args, v)
	return b.o.Dialect.Placeholder(len(b.args))
}

// own begins a condition on a row with that it is of the tenant, where the
// database asks for it.
func (b *builder) own(alias string) string {
	if !b.o.TenantInKeys {
		return ""
	}
	return alias + ".tenant = " + b.bindTenant() + " AND "
}

func (b *builder) bindTenant() string {
	if b.tenant > 0 {
		return b.o.Dialect.Placeholder(b.tenant)
	}
	s := b.bind(b.o.Tenant)
	if b.o.TenantInKeys {
		b.tenant = len(b.args) // numbered, so that one is enough
	}
	return s
}

func (b *builder) exists(query string) string { return b.o.Dialect.Exists(query) }

// live says that a row of resources is not being deleted.
func (b *builder) live(alias string) string { return b.o.Dialect.Live(alias) }

// condition compiles f to a condition on the row r of resources. It is true or
// false and never NULL, so that NOT is what it says.
func (b *builder) condition(f scim.Filter) string {
	switch f := f.(type) {
	case *scim.LogExp:
		return "(" + b.condition(f.Left) + " " + strings.ToUpper(f.Op) + " " + b.condition(f.Right) + ")"
	case *scim.NotExp:
		return "NOT (" + b.condition(f.Filter) + ")"
	case *scim.ValuePath:
		switch {
		case f.Path.Attr == nil:
			return never
		case f.Path.Attr == schemas:
			return b.schemas(func(urn string) bool { return meets(f.Filter, schemas, urn) })
		case membership(f.Path.Attr):
			return b.someMember(f.Path.Attr, f.Filter)
		}
		return b.someElement(f)
	case *scim.AttrExp:
		switch {
		case f.Path.Attr == nil:
			// The type lacks the attribute.
			return constant(presence(f) && f.Op == scim.Eq || !presence(f) && f.Op == scim.Ne)
		case slices.Contains(scim.Common, f.Path.Attr):
			return b.common(f)
		case membership(f.Path.Attr):
			return b.member(f)
		}
		return b.attribute(f)
	}
	return never
}

// attribute compiles an expression about an attribute that has rows in attrs.
func (b *builder) attribute(f *scim.AttrExp) string {
	if presence(f) {
		return not(f.Op == scim.Eq, b.row(f.Path, scim.Pr, nil))
	}
	if f.Op != scim.Ne {
		return b.row(f.Path, f.Op, f.Value)
	}
	if !several(f.Path) {
		return not(true, b.row(f.Path, scim.Eq, f.Value))
	}
	return "(" + b.row(f.Path, scim.Ne, f.Value) + " OR NOT " + b.row(f.Path, "", nil) + ")"
}

// row says that r has a row with a value that holds, or with any if op is "".
func (b *builder) row(p scim.AttrPath, op scim.CompareOp, operand any) string {
	s := "SELECT 1 FROM attrs a WHERE " + b.own("a") + "a.res = r.pk AND " + b.paths("a", p)
	return b.exists(s + b.where("a", p, op, operand))
}

// where is a further condition on a row of attrs.
func (b *builder) where(alias string, p scim.AttrPath, op scim.CompareOp, operand any) string {
	if op == "" {
		return ""
	}
	if s := b.holds(attrsColumn(alias), p.Leaf(), op, operand); s != always {
		return " AND " + s
	}
	return ""
}

// paths says that a row is at p: for a complex attribute, at any of its
// sub-attributes.
func (b *builder) paths(alias string, p scim.AttrPath) string {
	if p.SubAttr != nil || p.Attr.Type != scim.TypeComplex {
		return alias + ".path = " + b.bind(Path(p.String()))
	}
	var list []string
	for _, sub := range subs(p.Attr) {
		p.Sub, p.SubAttr = sub.Name, sub
		list = append(list, b.bind(Path(p.String())))
	}
	if len(list) == 0 {
		return never
	}
	return alias + ".path IN (" + strings.Join(list, ", ") + ")"
}

// several reports whether a resource may have more than one row at p.
func several(p scim.AttrPath) bool {
	return p.Attr.MultiValued || p.SubAttr != nil && p.SubAttr.MultiValued
}

func not(negate bool, s string) string {
	if negate {
		return "NOT " + s
	}
	return s
}
