package schema

import (
	"slices"

	"github.com/rollcall-scim/rollcall/scim"
)

// Defaults assigns the defaults of attributes that are not named (RFC 7644
// §3.3): a User is active. An attribute that was set to null stays unassigned.
func Defaults(r *scim.Resource, named []string) {
	const active = "active"
	a := r.Type.Schema.Attribute(active)
	if r.Type.Schema.ID != scim.UserURN || a == nil || a.Type != scim.TypeBoolean {
		return
	}
	if r.Attrs.Get(active) == nil && !slices.Contains(named, active) {
		place(&r.Attrs, r.Type.Schema.Attributes, active, true)
	}
}

// place assigns name at the place that attrs, a list in schema order, give it.
func place(o *scim.Object, attrs []*scim.Attribute, name string, value any) {
	if value == nil || o.Get(name) != nil {
		o.Set(name, value)
		return
	}
	at := 0
	for _, a := range attrs {
		if a.Name == name {
			break
		}
		if at < len(*o) && (*o)[at].Name == a.Name {
			at++
		}
	}
	*o = slices.Insert(*o, at, scim.Member{Name: name, Value: value})
}
