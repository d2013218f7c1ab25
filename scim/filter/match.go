package filter

import "github.com/rollcall-scim/rollcall/scim"

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
		q := ask(f)
		if f.Path.Attr == nil {
			return q.answer()
		}
		for e := range elements(valueOf(r, f.Path)) {
			if q.look(leaf(e, f.Path, !q.presence)) {
				break
			}
		}
		return q.answer()
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
		q := ask(f)
		q.look(leaf(value, f.Path, !q.presence))
		return q.answer()
	}
	return false
}

// question is an attribute expression while it is asked of the values of its
// path, one after the other.
type question struct {
	op       scim.CompareOp
	leaf     *scim.Attribute
	operand  scim.Key
	presence bool // it asks for presence alone: pr, eq null or ne null (RFC 7643 §2.5)

	found, holds bool // of the values so far: there was one, and one for which it holds
}

func ask(f *scim.AttrExp) question {
	q := question{op: f.Op, leaf: f.Path.Leaf(), presence: f.Op == scim.Pr || f.Value == nil}
	if !q.presence && q.leaf != nil {
		q.operand = scim.KeyOf(q.leaf, f.Value)
	}
	return q
}

// look looks at a value, or at those of a list, and reports whether no other
// one can change the answer.
func (q *question) look(v any) bool {
	switch v := v.(type) {
	case nil:
	case []any:
		for _, e := range v {
			if q.look(e) {
				break
			}
		}
	default:
		if q.presence {
			q.holds = nonEmpty(q.leaf, v)
		} else {
			q.found, q.holds = true, scim.KeyOf(q.leaf, v).Holds(q.op, q.operand)
		}
	}
	return q.holds
}

func (q *question) answer() bool {
	if q.presence {
		return q.holds == (q.op != scim.Eq)
	}
	return q.holds || !q.found && q.op == scim.Ne
}

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
