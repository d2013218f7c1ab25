package schema

import (
	"slices"

	"github.com/rollcall-scim/rollcall/scim"
)

// Replace completes a PUT body: what of before stays although not in the body
// (RFC 7644 §3.5.1). That is the identity, all that is readOnly, and what is
// immutable or writeOnly and not named; the same holds for sub-attributes, in a
// multi-valued attribute of the values with the same "value". keepActive keeps
// User.active when it is not given a value, null being none. Both resources need Attrs.
func Replace(before, body *scim.Resource, named []string, keepActive bool) {
	body.ID, body.Meta = before.ID, before.Meta
	t := body.Type
	keepActive = keepActive && t.Schema.ID == scim.UserURN
	replaceIn("", t.Schema.Attributes, before.Attrs, &body.Attrs, func(a *scim.Attribute) bool {
		return a.Name == "active" && keepActive
	}, named)
	for _, x := range t.Extensions {
		old, _ := before.Attrs.Get(x.Schema.ID).(scim.Object)
		if len(old) == 0 {
			continue
		}
		now, _ := body.Attrs.Get(x.Schema.ID).(scim.Object)
		replaceIn(x.Schema.ID, x.Schema.Attributes, old, &now, func(*scim.Attribute) bool { return false }, named)
		if len(now) > 0 {
			placeExtension(body, x.Schema.ID, now)
		}
	}
}

func replaceIn(urn string, attrs []*scim.Attribute, before scim.Object, body *scim.Object,
	keep func(*scim.Attribute) bool, named []string) {
	for _, a := range attrs {
		old := before.Get(a.Name)
		if old == nil || a.Derived {
			continue
		}
		isNamed := a.Mutability != scim.ReadOnly &&
			(slices.Contains(named, canonical(urn, a)) || urn != "" && slices.Contains(named, urn))
		switch {
		case !isNamed && a.Mutability != scim.ReadWrite, keep(a) && body.Get(a.Name) == nil:
			place(body, attrs, a.Name, scim.Clone(old))
		case a.Type != scim.TypeComplex || a.Membership || !slices.ContainsFunc(a.SubAttributes, lasting):
		case a.MultiValued:
			olds, _ := old.([]any)
			news, _ := body.Get(a.Name).([]any)
			twins := byValue(olds)
			for i, v := range news {
				o, _ := v.(scim.Object)
				if twin := twins[valueKey(o)]; twin != nil {
					news[i] = keepLasting(a, twin, o)
				}
			}
		default:
			o, _ := body.Get(a.Name).(scim.Object)
			if isNamed && o == nil {
				continue // set to null
			}
			oldValue, _ := old.(scim.Object)
			if o = keepLasting(a, oldValue, o); len(o) > 0 {
				place(body, attrs, a.Name, o)
			}
		}
	}
}

// lasting reports whether a PUT that does not mention the sub-attribute keeps it.
func lasting(s *scim.Attribute) bool { return s.Mutability != scim.ReadWrite }

func keepLasting(a *scim.Attribute, old, now scim.Object) scim.Object {
	for _, s := range a.SubAttributes {
		if a.Links != nil && derived(s.Name) || !lasting(s) || now.Get(s.Name) != nil {
			continue
		}
		if v := old.Get(s.Name); v != nil {
			place(&now, a.SubAttributes, s.Name, scim.Clone(v))
		}
	}
	return now
}

// byValue indexes complex values by their "value"; of several the first counts.
func byValue(list []any) map[string]scim.Object {
	index := make(map[string]scim.Object, len(list))
	for _, v := range list {
		o, _ := v.(scim.Object)
		if key := valueKey(o); key != "" && index[key] == nil {
			index[key] = o
		}
	}
	return index
}

// valueKey returns the JSON of the "value" in o, or "".
func valueKey(o scim.Object) string {
	v := o.Get("value")
	if v == nil {
		return ""
	}
	return string(scim.AppendValue(nil, v))
}

// placeExtension assigns the extension's object, extensions in their order.
func placeExtension(r *scim.Resource, urn string, o scim.Object) {
	if r.Attrs.Get(urn) != nil {
		r.Attrs.Set(urn, o)
		return
	}
	at := len(r.Attrs)
	for i := len(r.Type.Extensions) - 1; i >= 0 && r.Type.Extensions[i].Schema.ID != urn; i-- {
		later := r.Type.Extensions[i].Schema.ID
		if j := slices.IndexFunc(r.Attrs, func(m scim.Member) bool { return m.Name == later }); j >= 0 {
			at = j
		}
	}
	r.Attrs = slices.Insert(r.Attrs, at, scim.Member{Name: urn, Value: o})
}

// canonical returns the path of an attribute, "urn:…:User:manager" or "emails".
func canonical(urn string, a *scim.Attribute) string {
	if urn == "" {
		return a.Name
	}
	return urn + ":" + a.Name
}
