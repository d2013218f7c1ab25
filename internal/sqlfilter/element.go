package sqlfilter

import (
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// someElement says that r has a value of the attribute that satisfies the
// filter between the brackets.
func (b *builder) someElement(f *scim.ValuePath) string {
	return b.exists("SELECT 1 FROM attrs e WHERE " + b.own("e") + "e.res = r.pk AND " + b.element(f))
}

// element is a condition on a row e of attrs that stands for one value of the
// attribute, which satisfies the filter. A value has several rows. If one of
// them must be there for the filter to hold, it is that one, and else any.
func (b *builder) element(f *scim.ValuePath) string {
	all := conjunction(f.Filter)
	s := ""
	if at := b.lead(all); at >= 0 {
		e := all[at].(*scim.AttrExp)
		s = b.paths("e", e.Path) + b.where("e", e.Path, rowOp(e), e.Value)
		all = slices.Delete(slices.Clone(all), at, at+1)
	} else {
		s = b.anyRow(f.Path)
	}
	for _, g := range all {
		s += " AND " + b.about(g)
	}
	return s
}

// lead returns which of the expressions joined by "and" selects fewest rows, or
// -1 if none of them needs one.
func (b *builder) lead(all []scim.Filter) int {
	lead, best := -1, hopeless
	for i, g := range all {
		e, ok := g.(*scim.AttrExp)
		if !ok || e.Path.SubAttr != nil && e.Path.SubAttr.MultiValued {
			continue
		}
		if n := b.rank(e); n > best {
			lead, best = i, n
		}
	}
	return lead
}

// rowOp is the operator that a row must satisfy for a positive expression.
func rowOp(f *scim.AttrExp) scim.CompareOp {
	if presence(f) {
		return scim.Pr
	}
	return f.Op
}

// anyRow says that e is any row of a value.
func (b *builder) anyRow(p scim.AttrPath) string {
	if p.Attr.Type != scim.TypeComplex {
		return b.paths("e", p)
	}
	list := []string{b.bind(Path(p.String()))}
	for _, sub := range subs(p.Attr) {
		p.Sub, p.SubAttr = sub.Name, sub
		list = append(list, b.bind(Path(p.String())))
	}
	return "e.path IN (" + strings.Join(list, ", ") + ")"
}

// about compiles a filter about the value that e stands for.
func (b *builder) about(f scim.Filter) string {
	switch f := f.(type) {
	case *scim.LogExp:
		return "(" + b.about(f.Left) + " " + strings.ToUpper(f.Op) + " " + b.about(f.Right) + ")"
	case *scim.NotExp:
		return "NOT (" + b.about(f.Filter) + ")"
	case *scim.AttrExp:
		if f.Path.SubAttr == nil {
			// A simple value is its only row.
			op, operand := f.Op, f.Value
			if presence(f) {
				return not(f.Op == scim.Eq, "("+b.holds(attrsColumn("e"), f.Path.Attr, scim.Pr, nil)+")")
			}
			return "(" + b.holds(attrsColumn("e"), f.Path.Attr, op, operand) + ")"
		}
		switch {
		case presence(f):
			return not(f.Op == scim.Eq, b.sibling(f.Path, scim.Pr, nil))
		case f.Op != scim.Ne:
			return b.sibling(f.Path, f.Op, f.Value)
		case !f.Path.SubAttr.MultiValued:
			return not(true, b.sibling(f.Path, scim.Eq, f.Value))
		}
		return "(" + b.sibling(f.Path, scim.Ne, f.Value) + " OR NOT " + b.sibling(f.Path, "", nil) + ")"
	}
	return never
}

// sibling says that the value that e stands for has a row at p that holds.
func (b *builder) sibling(p scim.AttrPath, op scim.CompareOp, operand any) string {
	same := "s.elem = e.elem"
	if slices.ContainsFunc(p.Attr.SubAttributes, func(a *scim.Attribute) bool { return a.MultiValued }) {
		n := strconv.Itoa(stride)
		same = "s.elem % " + n + " = e.elem % " + n
	}
	s := "SELECT 1 FROM attrs s WHERE " + b.own("s") + "s.res = e.res AND " + same + " AND " + b.paths("s", p)
	return b.exists(s + b.where("s", p, op, operand))
}

// conjunction lists what f joins by "and".
func conjunction(f scim.Filter) []scim.Filter {
	if l, ok := f.(*scim.LogExp); ok && l.Op == scim.And {
		return append(conjunction(l.Left), conjunction(l.Right)...)
	}
	return []scim.Filter{f}
}

// positive reports whether an expression holds only where a value is present.
func positive(f *scim.AttrExp) bool {
	if presence(f) {
		return f.Op != scim.Eq
	}
	return f.Op != scim.Ne
}
