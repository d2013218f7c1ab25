package filter

import (
	"iter"

	"github.com/rollcall-scim/rollcall/scim"
)

// Match reports whether r satisfies the bound filter f (RFC 7644 §3.4.2.2);
// nil matches. r must have Attrs, and Groups and the members, as []MemberRef in
// Attrs, as far as f names them.
//
// An attribute without a value satisfies "ne" and "eq null" alone. One that
// has several is satisfied by any of them; "ne" also by none. Between brackets
// each value is looked at by itself. A value without "primary" counts as one
// whose "primary" is false, but not for "pr" (RFC 7643 §2.4).
func Match(f scim.Filter, r *scim.Resource) bool {
	switch f := f.(type) {
	case nil:
		return true
	case *scim.LogExp:
		if f.Op == scim.Or {
			return Match(f.Left, r) || Match(f.Right, r)
		}
		return Match(f.Left, r) && Match(f.Right, r)
	case *scim.NotExp:
		return !Match(f.Filter, r)
	case *scim.ValuePath:
		if f.Path.Attr == nil {
			return false
		}
		for e := range elements(valueOf(r, f.Path)) {
			if MatchValue(f.Filter, e) {
				return true
			}
		}
	case *scim.AttrExp:
		if f.Path.Attr == nil {
			return test(f, func(func(any) bool) {})
		}
		return test(f, values(r, f))
	}
	return false
}

// MatchValue reports whether one value of an attribute satisfies the bound
// valFilter f (RFC 7644 §3.5.2); nil matches. The value is an element of a
// multi-valued attribute, an Object, a simple value or a [scim.MemberRef], or
// the Object of a complex one.
func MatchValue(f scim.Filter, value any) bool {
	switch f := f.(type) {
	case nil:
		return true
	case *scim.LogExp:
		if f.Op == scim.Or {
			return MatchValue(f.Left, value) || MatchValue(f.Right, value)
		}
		return MatchValue(f.Left, value) && MatchValue(f.Right, value)
	case *scim.NotExp:
		return !MatchValue(f.Filter, value)
	case *scim.AttrExp:
		return test(f, leaves(value, f.Path, !presence(f)))
	}
	return false
}

// test evaluates an attribute expression on the values of its path.
func test(f *scim.AttrExp, values iter.Seq[any]) bool {
	leaf := f.Path.Leaf()
	if presence(f) {
		for v := range values {
			if nonEmpty(leaf, v) {
				return f.Op != scim.Eq
			}
		}
		return f.Op == scim.Eq
	}
	if leaf == nil {
		return f.Op == scim.Ne
	}
	operand := scim.KeyOf(leaf, f.Value)
	found := false
	for v := range values {
		if scim.KeyOf(leaf, v).Holds(f.Op, operand) {
			return true
		}
		found = true
	}
	return !found && f.Op == scim.Ne
}

// presence reports whether f asks for presence alone: pr, eq null or ne null
// (RFC 7643 §2.5).
func presence(f *scim.AttrExp) bool { return f.Op == scim.Pr || f.Value == nil }

// nonEmpty is "pr" of one value (RFC 7644 §3.4.2.2, Table 3): of a complex one,
// that it has a sub-attribute that a filter may name and that is not empty.
func nonEmpty(a *scim.Attribute, v any) bool {
	switch v := v.(type) {
	case scim.MemberRef:
		return true
	case scim.Object:
		for _, sub := range a.SubAttributes {
			p := scim.AttrPath{Name: a.Name, Attr: a, Sub: sub.Name, SubAttr: sub}
			if reference(p) || filterable(p) != nil {
				continue
			}
			for e := range elements(v.Get(sub.Name)) {
				if nonEmpty(sub, e) {
					return true
				}
			}
		}
		return false
	}
	return scim.KeyOf(a, v).Text != ""
}
