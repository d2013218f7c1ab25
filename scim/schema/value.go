package schema

import (
	"github.com/rollcall-scim/rollcall/scim"
)

// Value decodes the value a PATCH operation gives for the bound path p (an
// attribute, a sub-attribute, or a whole extension; RFC 7644 §3.5.2). The
// result has the Go type of the target: for a multi-valued attribute a []any,
// or []MemberRef, also when the operation gives one value alone (§3.5.2.1).
// It is nil where the value unassigns: null, an empty array, an empty object.
// Read-only sub-attributes are left out.
func Value(t *scim.ResourceType, p scim.AttrPath, v any, o Options) (any, error) {
	d := decoder{Options: o, patch: true}
	leaf := p.Leaf()
	if leaf != nil {
		value := d.attribute(leaf, p.String(), v)
		return value, d.faults.err()
	}
	x := t.Extension(p.URN)
	obj, ok := v.(scim.Object)
	switch {
	case x == nil:
		return nil, scim.Errorf(scim.TypeInvalidPath, "%q: %s has no such attribute (RFC 7644 §3.5.2)", p.String(), t.Name)
	case v == nil:
		return nil, nil
	case !ok:
		d.faults.add(scim.TypeInvalidValue, x.ID, "an object with the extension's attributes is expected (RFC 7643 §3.3)")
		return nil, d.faults.err()
	}
	value := d.whole(x, obj, func(string) {})
	if err := d.faults.err(); err != nil || len(value) == 0 {
		return nil, err
	}
	return value, nil
}

// attribute decodes the value of an attribute, or returns nil if there is none
// or it has a fault, which is then noted.
func (d *decoder) attribute(a *scim.Attribute, path string, v any) any {
	switch {
	case v == nil:
		d.cleared(a, path)
		return nil
	case !a.MultiValued:
		return d.single(a, path, v)
	}
	list, ok := v.([]any)
	if !ok {
		if !d.patch { // RFC 7644 §3.5.2.1 lets a PATCH add one value alone
			if !d.WrapSingles {
				d.faults.add(scim.TypeInvalidValue, path, "an array is expected (RFC 7643 §2.4)")
				return nil
			}
			d.report("BODY-07")
			if _, text := v.(string); text && a.Type == scim.TypeComplex {
				if v = d.wrapped(a, v); v == nil {
					return nil
				}
			}
		}
		list = []any{v}
	}
	if a.Membership {
		return d.members(a, path, list)
	}
	values, silent, given := make([]any, 0, len(list)), d.silent, 0
	for _, v := range list {
		if v != nil {
			given++
		}
		if value := d.single(a, path, v); value != nil {
			values = append(values, value)
		}
	}
	if values = distinct(values); len(values) == 0 {
		if given > 0 && d.silent-silent == given {
			// What clients leave empty by mistake must not clear the attribute.
			d.faults.add(scim.TypeInvalidValue, path, "no value has anything that the schema defines; no values are [] (RFC 7643 §2.4, §2.5)")
		}
		return nil
	}
	return values
}

// wrapped puts a lone text where a complex value belongs into its "value".
func (d *decoder) wrapped(a *scim.Attribute, v any) any {
	if a.Sub("value") == nil {
		return v
	}
	if v == "" && d.EmptyUnassigns {
		d.report("BODY-02")
		return nil
	}
	return scim.Object{{Name: "value", Value: v}}
}

// single decodes one value.
func (d *decoder) single(a *scim.Attribute, path string, v any) any {
	switch {
	case v == nil:
		return nil
	case a.Type == scim.TypeComplex:
		return d.complex(a, path, v)
	}
	return d.simple(a, path, v)
}

// complex decodes one complex value (RFC 7643 §2.3.8).
func (d *decoder) complex(a *scim.Attribute, path string, v any) any {
	raw, ok := v.(scim.Object)
	if !ok {
		if raw, ok = d.bare(a, v); !ok {
			d.faults.add(scim.TypeInvalidValue, path, "an object is expected (RFC 7643 §2.3.8)")
			return nil
		}
		if raw == nil {
			d.cleared(a, path)
			return nil
		}
	}
	slots := make([]slot, len(a.SubAttributes))
	var ref any
	said := false
	for _, m := range raw {
		if !fill(slots, a.SubAttributes, m) {
			d.unknown(path + "." + m.Name)
		}
	}
	o := make(scim.Object, 0, len(raw))
	for i, s := range a.SubAttributes {
		if !slots[i].given {
			continue
		}
		if a.Links != nil && derived(s.Name) {
			if s.Name == "$ref" {
				ref = slots[i].value
			}
			continue
		}
		if s.Mutability == scim.ReadOnly || d.absent(s, slots[i].value) {
			said = said || s.Unstored
			continue
		}
		said = true
		if !a.MultiValued && d.Named != nil {
			d.Named(path + "." + s.Name)
		}
		if value := d.attribute(s, path+"."+s.Name, slots[i].value); value != nil {
			o = append(o, scim.Member{Name: s.Name, Value: value})
		}
	}
	if id := target(ref); id != "" && o.Get("value") == nil && !named(slots, a.SubAttributes, "value") {
		o = append(scim.Object{{Name: "value", Value: id}}, o...)
	}
	if len(o) == 0 {
		if !said {
			d.silent++
		}
		return nil
	}
	return o
}

// cleared tells that all of a complex value is named, as null is.
func (d *decoder) cleared(a *scim.Attribute, path string) {
	if d.Named == nil || a.MultiValued {
		return
	}
	for _, s := range a.SubAttributes {
		if s.Mutability != scim.ReadOnly && !s.Unstored {
			d.Named(path + "." + s.Name)
		}
	}
}

func named(slots []slot, attrs []*scim.Attribute, name string) bool {
	for i, a := range attrs {
		if a.Name == name {
			return slots[i].given
		}
	}
	return false
}

// bare reads what clients send in the place of a complex value: the id alone,
// the value alone, or an array of one.
func (d *decoder) bare(a *scim.Attribute, v any) (scim.Object, bool) {
	rule := func() {
		if a.Membership {
			d.report("GRP-15")
			return
		}
		d.rule("PATCH-11", "BODY-08")
	}
	switch v := v.(type) {
	case string:
		if a.Links == nil || !d.BareReferences {
			break
		}
		rule()
		o, _ := d.wrapped(a, v).(scim.Object)
		return o, true
	case []any:
		if a.MultiValued || len(v) > 1 || !d.BareReferences && !d.UnwrapSingles {
			break
		}
		if len(v) == 0 {
			return nil, true // RFC 7643 §2.5
		}
		o, ok := v[0].(scim.Object)
		if ok {
			rule()
		}
		return o, ok
	}
	return nil, false
}

// derived reports whether the sub-attribute of a link follows from its target.
func derived(name string) bool { return name == "$ref" || name == "display" || name == "displayName" }

// distinct drops values that are there already (RFC 7643 §2.4), in place.
func distinct(values []any) []any {
	if len(values) < 2 {
		return values
	}
	seen := make(map[string]bool, len(values))
	var key []byte
	kept := values[:0]
	for _, v := range values {
		key = scim.AppendValue(key[:0], v)
		if !seen[string(key)] {
			seen[string(key)] = true
			kept = append(kept, v)
		}
	}
	return kept
}
