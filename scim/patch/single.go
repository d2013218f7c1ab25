package patch

import "github.com/rollcall-scim/rollcall/scim"

// single carries out an operation on a single-valued attribute or on a
// sub-attribute of one (RFC 7644 §3.5.2.1 to §3.5.2.3).
func (s *state) single(op Op) error {
	if op.Op == Add && op.Value == nil {
		return nil
	}
	p := op.Path.AttrPath
	before := s.get(p)
	after := op.Value
	if op.Op == Remove {
		after = nil
	}
	object, _ := before.(scim.Object)
	given, isObject := after.(scim.Object)
	var err error
	switch {
	case p.SubAttr != nil:
		object, err = assign(p.Attr, object, p.SubAttr, after)
		after = object
	case isObject:
		object, err = merge(p.Attr, object, given)
		after = object
	}
	if err != nil {
		return err
	}
	if unassigned(after) {
		after = nil
	}
	late := s.o.LateImmutable && p.SubAttr == nil
	if after == nil && !late {
		if name := fixed(p.Attr, before); name != "" {
			return immutable(name)
		}
	}
	if p.Attr.Mutability == scim.Immutable && before != nil && !scim.Equal(before, after) && !late {
		return immutable(p.Name)
	}
	s.put(p, after)
	return nil
}

// assign returns o, a value of the complex attribute a, with one sub-attribute
// assigned, or unassigned if v is nil.
func assign(a *scim.Attribute, o scim.Object, sub *scim.Attribute, v any) (scim.Object, error) {
	if unassigned(v) {
		v = nil
	}
	if old := o.Get(sub.Name); sub.Mutability == scim.Immutable && old != nil && !scim.Equal(old, v) {
		return nil, immutable(a.Name + "." + sub.Name)
	}
	return with(o, sub.Name, v, rankIn(a.SubAttributes)), nil
}

// merge returns o, a value of the complex attribute a, with the sub-attributes
// of given: those it does not name stay (RFC 7644 §3.5.2.3).
func merge(a *scim.Attribute, o, given scim.Object) (scim.Object, error) {
	var err error
	for _, m := range given {
		sub := a.Sub(m.Name)
		if sub == nil {
			continue
		}
		if o, err = assign(a, o, sub, m.Value); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// fixed returns the name of what is immutable in a value of the attribute: the
// attribute itself, or a sub-attribute of its one value; or "".
func fixed(a *scim.Attribute, v any) string {
	if v != nil && a.Mutability == scim.Immutable {
		return a.Name
	}
	o, _ := v.(scim.Object)
	for _, m := range o {
		if sub := a.Sub(m.Name); sub != nil && sub.Mutability == scim.Immutable {
			return a.Name + "." + sub.Name
		}
	}
	return ""
}
