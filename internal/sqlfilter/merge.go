package sqlfilter

import "github.com/rollcall-scim/rollcall/scim"

// merge makes one expression of those about the same membership attribute that
// f joins by "or": groups.value eq "a" or groups.value eq "b" becomes
// groups[value eq "a" or value eq "b"], which ascends from a resource once, and
// keeps long lists of groups within what a database lets one statement hold.
func merge(f scim.Filter) scim.Filter {
	switch f := f.(type) {
	case *scim.NotExp:
		return &scim.NotExp{Filter: merge(f.Filter)}
	case *scim.LogExp:
		if f.Op == scim.And {
			return &scim.LogExp{Op: f.Op, Left: merge(f.Left), Right: merge(f.Right)}
		}
		var out scim.Filter
		at := map[*scim.Attribute]*scim.ValuePath{}
		for _, g := range disjunction(f) {
			v := asValuePath(g)
			switch {
			case v == nil:
				g = merge(g)
			case at[v.Path.Attr] == nil:
				at[v.Path.Attr] = v
				g = v
			default:
				into := at[v.Path.Attr]
				into.Filter = &scim.LogExp{Op: scim.Or, Left: into.Filter, Right: v.Filter}
				continue
			}
			if out == nil {
				out = g
			} else {
				out = &scim.LogExp{Op: scim.Or, Left: out, Right: g}
			}
		}
		return out
	}
	return f
}

// asValuePath returns an expression about a membership attribute that one
// member can satisfy, as a value path of its own; else nil.
func asValuePath(f scim.Filter) *scim.ValuePath {
	switch f := f.(type) {
	case *scim.ValuePath:
		if f.Path.Attr != nil && membership(f.Path.Attr) {
			return &scim.ValuePath{Path: f.Path, Filter: f.Filter}
		}
	case *scim.AttrExp:
		if f.Path.SubAttr != nil && membership(f.Path.Attr) && positive(f) {
			p := f.Path
			p.Sub, p.SubAttr = "", nil
			return &scim.ValuePath{Path: p, Filter: f}
		}
	}
	return nil
}

// disjunction lists what f joins by "or".
func disjunction(f scim.Filter) []scim.Filter {
	if l, ok := f.(*scim.LogExp); ok && l.Op == scim.Or {
		return append(disjunction(l.Left), disjunction(l.Right)...)
	}
	return []scim.Filter{f}
}
