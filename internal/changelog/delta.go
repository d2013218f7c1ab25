package changelog

import "github.com/rollcall-scim/rollcall/scim"

// Of returns a Delta of a resource of type rt as the log keeps it: without the
// values of attributes that can't be filtered by, such as a password (RFC 7643
// §7 "returned").
func Of(rt *scim.ResourceType, d scim.Delta) scim.RecordDelta {
	a := d.Path.Leaf()
	out := scim.RecordDelta{Path: d.Path.String()}
	if a == nil {
		if x := rt.Extension(d.Path.URN); x != nil {
			a = &scim.Attribute{Type: scim.TypeComplex, SubAttributes: x.Attributes}
		}
	}
	for _, v := range d.Added {
		out.Added = appendShown(out.Added, a, v)
	}
	for _, v := range d.Removed {
		out.Removed = appendShown(out.Removed, a, v)
	}
	return out
}

// Values returns a whole document, which must have Attrs, as deltas: all of it
// added, or all of it removed. Members are left out, since they are kept apart.
func Values(r *scim.Resource, added bool) []scim.RecordDelta {
	var list []scim.RecordDelta
	put := func(p scim.AttrPath, a *scim.Attribute, v any) {
		d := scim.Delta{Path: p}
		d.Path.Attr = a
		many, ok := v.([]any)
		if !ok {
			many = []any{v}
		}
		if added {
			d.Added = many
		} else {
			d.Removed = many
		}
		list = append(list, Of(r.Type, d))
	}
	if r.ExternalID != "" {
		put(scim.AttrPath{Name: "externalId"}, external, r.ExternalID)
	}
	for _, m := range r.Attrs {
		if x := r.Type.Extension(m.Name); x != nil {
			o, _ := m.Value.(scim.Object)
			for _, m := range o {
				put(scim.AttrPath{URN: x.ID, Name: m.Name}, x.Attribute(m.Name), m.Value)
			}
			continue
		}
		if a := r.Type.Schema.Attribute(m.Name); a != nil && !a.Membership {
			put(scim.AttrPath{Name: m.Name}, a, m.Value)
		}
	}
	return list
}

// Members returns the change of a membership: the ids of those who came and
// went, at most [MostListed] of each.
func Members(a *scim.Attribute, added, removed []string) scim.RecordDelta {
	return scim.RecordDelta{Path: a.Name, Added: values(added), Removed: values(removed)}
}

func values(ids []string) []any {
	var list []any
	for _, id := range ids[:min(len(ids), MostListed)] {
		list = append(list, id)
	}
	return list
}

// external is externalId, which is of no schema (RFC 7643 §3.1).
var external = &scim.Attribute{Name: "externalId", Type: scim.TypeString, CaseExact: true,
	Mutability: scim.ReadWrite, Returned: scim.ReturnedDefault}

// appendShown appends what may be shown of a value.
func appendShown(list []any, a *scim.Attribute, v any) []any {
	if a == nil || !a.Filterable() {
		return list
	}
	o, ok := v.(scim.Object)
	if !ok {
		return append(list, v)
	}
	shown := scim.Object{}
	for _, m := range o {
		if sub := a.Sub(m.Name); sub != nil && sub.Filterable() {
			shown = append(shown, m)
		}
	}
	return append(list, shown)
}
