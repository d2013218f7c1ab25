package stored

import (
	"slices"

	"github.com/rollcall-scim/rollcall/scim"
)

// DropReferences removes from r, whose Attrs are its own, the values of Links
// attributes that name the resource with the id target, and extensions that are
// left empty (RFC 7643 §2.3.7). It returns what changed.
func DropReferences(r *scim.Resource, target string) (deltas []scim.Delta) {
	drop := func(in *scim.Object, urn string, attrs []*scim.Attribute) {
		for _, a := range attrs {
			v := in.Get(a.Name)
			if v == nil || len(a.Links) == 0 || a.Membership || a.Derived {
				continue
			}
			had, many := v.([]any)
			if !many {
				had = []any{v}
			}
			left := slices.DeleteFunc(slices.Clone(had), func(v any) bool {
				o, _ := v.(scim.Object)
				return o.Get("value") == target
			})
			switch {
			case len(left) == len(had):
				continue
			case len(left) == 0:
				in.Set(a.Name, nil)
			default:
				in.Set(a.Name, left)
			}
			deltas = append(deltas, scim.Delta{Path: scim.AttrPath{URN: urn, Name: a.Name, Attr: a}, Added: left, Removed: had})
		}
	}
	drop(&r.Attrs, "", r.Type.Schema.Attributes)
	for _, x := range r.Type.Extensions {
		values, ok := r.Attrs.Get(x.Schema.ID).(scim.Object)
		if !ok {
			continue
		}
		drop(&values, x.Schema.ID, x.Schema.Attributes)
		if len(values) > 0 {
			r.Attrs.Set(x.Schema.ID, values)
			continue
		}
		r.Attrs.Set(x.Schema.ID, nil)
		r.Schemas = slices.DeleteFunc(slices.Clone(r.Schemas), func(urn string) bool { return urn == x.Schema.ID })
	}
	return deltas
}

// IsMembership reports whether d changes the members of a resource that has
// them through a, which may be nil.
func IsMembership(d scim.Delta, a *scim.Attribute) bool {
	return a != nil && d.Path.URN == "" && d.Path.Name == a.Name
}

// Refs returns the members among the values of a [scim.Delta].
func Refs(values []any) []scim.MemberRef {
	list := make([]scim.MemberRef, 0, len(values))
	for _, v := range values {
		if m, ok := v.(scim.MemberRef); ok {
			list = append(list, m)
		}
	}
	return list
}
