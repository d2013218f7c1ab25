package schema

import (
	"slices"

	"github.com/rollcall-scim/rollcall/scim"
)

// Absent reports whether v, which a PATCH adds to a or puts in its place, says
// nothing at all (RFC 7644 §3.5.2): "" for a boolean, under StringBooleans, or
// for what is writeOnly, under EmptyUnassigns. Clients send it for what they do
// not know. To unassign then would let a suspended account in again, or take
// its password away. Of what is Unstored nothing can be said, whatever v is.
func Absent(a *scim.Attribute, v any, o Options) bool {
	d := decoder{Options: o, patch: true}
	return d.absent(a, v)
}

func (d *decoder) absent(a *scim.Attribute, v any) bool {
	return d.nothing(a, v, a.Mutability == scim.WriteOnly)
}

// nothing is absent for an attribute that is, or is part of, a writeOnly one.
func (d *decoder) nothing(a *scim.Attribute, v any, writeOnly bool) bool {
	if a.Unstored {
		return true
	}
	if list, ok := v.([]any); ok && a.MultiValued {
		return len(list) > 0 && !slices.ContainsFunc(list, func(v any) bool { return !d.nothing(a, v, writeOnly) })
	}
	if a.Type == scim.TypeComplex {
		o, _ := v.(scim.Object)
		return len(o) > 0 && !slices.ContainsFunc(o, func(m scim.Member) bool {
			s := a.Sub(m.Name)
			return s == nil || !d.nothing(s, m.Value, writeOnly || s.Mutability == scim.WriteOnly)
		})
	}
	switch {
	case a.Type == scim.TypeBoolean && d.StringBooleans && d.unwrap(v) == "":
		d.rule("PATCH-09", "BODY-01")
	case writeOnly && d.EmptyUnassigns && d.unwrap(v) == "":
		d.report("BODY-02")
	default:
		return false
	}
	return true
}
