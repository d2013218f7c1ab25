package schema

import (
	"slices"

	"github.com/rollcall-scim/rollcall/scim"
)

// Merge completes the body of a PUT to a service provider that keeps what a
// client does not mention, as RFC 7644 §3.5.1 leaves it to it: attributes that
// are not named stay, externalId included, and of a named attribute with one
// complex value the sub-attributes that are not. What is named is replaced, and
// null unassigns it, as with [Replace], which does the rest. named also lists
// sub-attributes ([Options].Named). Both resources need Attrs.
func Merge(before, body *scim.Resource, named []string, keepActive bool) {
	if !slices.Contains(named, "externalId") {
		body.ExternalID = before.ExternalID
	}
	t := body.Type
	mergeIn("", t.Schema.Attributes, before.Attrs, &body.Attrs, named)
	for _, x := range t.Extensions {
		old, _ := before.Attrs.Get(x.Schema.ID).(scim.Object)
		if len(old) == 0 || slices.Contains(named, x.Schema.ID) {
			continue
		}
		now, _ := body.Attrs.Get(x.Schema.ID).(scim.Object)
		mergeIn(x.Schema.ID, x.Schema.Attributes, old, &now, named)
		if len(now) > 0 {
			placeExtension(body, x.Schema.ID, now)
		}
	}
	Replace(before, body, named, keepActive)
}

func mergeIn(urn string, attrs []*scim.Attribute, before scim.Object, body *scim.Object, named []string) {
	for _, a := range attrs {
		old := before.Get(a.Name)
		path := canonical(urn, a)
		switch {
		case old == nil || a.Derived:
		case !slices.Contains(named, path):
			place(body, attrs, a.Name, scim.Clone(old))
		case a.Type == scim.TypeComplex && !a.MultiValued:
			oldValue, _ := old.(scim.Object)
			value, _ := body.Get(a.Name).(scim.Object)
			for _, s := range a.SubAttributes {
				v := oldValue.Get(s.Name)
				if v == nil || a.Links != nil && derived(s.Name) || slices.Contains(named, path+"."+s.Name) {
					continue
				}
				place(&value, a.SubAttributes, s.Name, scim.Clone(v))
			}
			if len(value) > 0 {
				place(body, attrs, a.Name, value)
			}
		}
	}
}
