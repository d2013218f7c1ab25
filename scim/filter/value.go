package filter

import (
	"iter"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

// valueOf returns the value of the attribute before any sub-attribute, or nil.
func valueOf(r *scim.Resource, p scim.AttrPath) any {
	switch {
	case p.Attr.Derived:
		return r.Groups
	case p.URN != "":
		x, _ := r.Attrs.Get(p.URN).(scim.Object)
		return x.Get(p.Name)
	case p.Attr == meta:
		return scim.Object{
			{Name: "resourceType", Value: r.Type.Name},
			{Name: "created", Value: instant(r.Meta.Created)},
			{Name: "lastModified", Value: instant(r.Meta.LastModified)},
			{Name: "version", Value: r.Meta.Version},
		}
	case p.Attr == id:
		return r.ID
	case p.Attr == externalID:
		if r.ExternalID == "" {
			return nil
		}
		return r.ExternalID
	case p.Attr == schemas:
		list := make([]any, len(r.Schemas))
		for i, urn := range r.Schemas {
			list[i] = urn
		}
		return list
	}
	return r.Attrs.Get(p.Name)
}

// The common attributes (RFC 7643 §3, §3.1), which are fields of a Resource.
var schemas, id, externalID, meta = common("schemas"), common("id"), common("externalId"), common("meta")

func common(name string) *scim.Attribute {
	for _, a := range scim.Common {
		if a.Name == name {
			return a
		}
	}
	return nil
}

func instant(t time.Time) scim.DateTime {
	return scim.DateTime{Time: t, Text: t.UTC().Format("2006-01-02T15:04:05.000Z")}
}

// elements yields the values of an attribute one by one.
func elements(v any) iter.Seq[any] {
	return func(yield func(any) bool) {
		switch v := v.(type) {
		case nil:
		case []any:
			for _, e := range v {
				if !yield(e) {
					return
				}
			}
		case []scim.MemberRef:
			for _, m := range v {
				if !yield(m) {
					return
				}
			}
		default:
			yield(v)
		}
	}
}

// leaf returns what an element has at the path's end: itself, or the
// sub-attribute, which may be a list; nil for none. With defaults, a missing
// "primary" is false.
func leaf(e any, p scim.AttrPath, defaults bool) any {
	if p.SubAttr == nil {
		return e
	}
	var v any
	switch e := e.(type) {
	case scim.Object:
		v = e.Get(p.Sub)
	case scim.MemberRef:
		v = ofMember(e, p.Sub)
	}
	if v == nil && defaults && primary(p) {
		return false
	}
	return v
}

// primary reports whether p is the sub-attribute that marks one value of many
// (RFC 7643 §2.4).
func primary(p scim.AttrPath) bool {
	return p.Sub == "primary" && p.Attr.MultiValued && p.SubAttr.Type == scim.TypeBoolean
}

func ofMember(m scim.MemberRef, sub string) any {
	text := ""
	switch sub {
	case "value":
		text = m.ID
	case "type":
		text = m.Type
	case "display":
		text = m.Display
	}
	if text == "" {
		return nil
	}
	return text
}
