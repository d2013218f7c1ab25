package schema

import (
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// Check says whether a resource may be stored: required attributes and
// extensions are there (but for o.OwnRequired), immutable ones are as they were, no attribute has more
// than o.MaxValues values or two that are primary, and values have the form
// their attribute asks for (RFC 7643 §2.4, §4.1, §6, §7). before is nil on
// create. Values that are equal in before are not looked at again, so that a
// rule that came later never stops an unrelated change. Whether a Membership
// attribute is assigned is seen on create only: later, members may be kept
// apart.
//
// The error tells all faults, and has type mutability if any is of that kind,
// else invalidValue.
func Check(before, after *scim.Resource, o Options) error {
	c := checker{Options: o, t: after.Type, create: before == nil}
	var old scim.Object
	if before != nil {
		old = before.Attrs
	}
	c.object("", after.Type.Schema.Attributes, old, after.Attrs)
	for _, x := range after.Type.Extensions {
		was, _ := old.Get(x.Schema.ID).(scim.Object)
		is, _ := after.Attrs.Get(x.Schema.ID).(scim.Object)
		switch {
		case assigned(is):
			c.object(x.Schema.ID, x.Schema.Attributes, was, is)
		case x.Required && !c.OwnRequired:
			c.faults.add(scim.TypeInvalidValue, x.Schema.ID, "every %s must have this extension (RFC 7643 §6)", after.Type.Name)
			c.immutable(x.Schema.ID, x.Schema.Attributes, was, is)
		default:
			c.immutable(x.Schema.ID, x.Schema.Attributes, was, is)
		}
	}
	return c.faults.err()
}

type checker struct {
	Options
	t      *scim.ResourceType
	create bool
	faults faults
}

// demands reports whether a client must give the attribute a value.
func (c *checker) demands(a *scim.Attribute) bool {
	return a.Required && !c.OwnRequired && a.Mutability != scim.ReadOnly
}

// object checks the attributes of a resource or of one extension.
func (c *checker) object(urn string, attrs []*scim.Attribute, before, after scim.Object) {
	for _, a := range attrs {
		v := after.Get(a.Name)
		if c.demands(a) && !present(a, v) && (c.create || !a.Membership) {
			c.faults.add(scim.TypeInvalidValue, canonical(urn, a), "a value is required (RFC 7643 §7)")
			continue
		}
		if v == nil || a.Membership || scim.Equal(v, before.Get(a.Name)) {
			continue
		}
		c.value(urn, a, before.Get(a.Name), v)
	}
	c.immutable(urn, attrs, before, after)
}

// value checks a value that is new. One that has too many values already may
// have fewer.
func (c *checker) value(urn string, a *scim.Attribute, old, v any) {
	path := canonical(urn, a)
	switch {
	case a.MultiValued:
		list, _ := v.([]any)
		was, _ := old.([]any)
		if c.MaxValues > 0 && len(list) > max(c.MaxValues, len(was)) {
			c.faults.add(scim.TypeInvalidValue, path, "at most %d values can be kept (RFC 7644 §7.7)", c.MaxValues)
			return
		}
		primaries := 0
		for _, v := range list {
			o, _ := v.(scim.Object)
			if o.Get("primary") == true {
				primaries++
			}
			c.one(urn, path, a, nil, v)
		}
		if primaries > 1 {
			c.faults.add(scim.TypeInvalidValue, path+".primary", "at most one value can be primary (RFC 7643 §2.4)")
		}
	default:
		c.one(urn, path, a, nil, v)
	}
}

// one checks one value of a, which is a sub-attribute of parent or of nothing.
func (c *checker) one(urn, path string, a, parent *scim.Attribute, v any) {
	o, ok := v.(scim.Object)
	if !ok {
		c.form(urn, path, a, parent, v)
		return
	}
	for _, s := range a.SubAttributes {
		sub := path + "." + s.Name
		switch v := o.Get(s.Name); {
		case c.demands(s) && !present(s, v):
			c.faults.add(scim.TypeInvalidValue, sub, "a value is required (RFC 7643 §7)")
		case v != nil:
			c.one(urn, sub, s, a, v)
		}
	}
	if a.Links != nil && o.Get("value") == "" {
		c.faults.add(scim.TypeInvalidValue, path+".value", "the id of a resource is expected (RFC 7643 §2.4)")
	}
}

// immutable checks that what is immutable and had a value still has it.
func (c *checker) immutable(urn string, attrs []*scim.Attribute, before, after scim.Object) {
	if len(before) == 0 {
		return
	}
	const changed = "an immutable value can't be changed once it is set (RFC 7643 §7)"
	for _, a := range attrs {
		was, is := before.Get(a.Name), after.Get(a.Name)
		switch {
		case was == nil || a.Membership:
		case a.Mutability == scim.Immutable:
			if !scim.Equal(was, is) {
				c.faults.add(scim.TypeMutability, canonical(urn, a), changed)
			}
		case a.Type != scim.TypeComplex:
		default:
			for _, s := range a.SubAttributes {
				if s.Mutability == scim.Immutable && altered(a, s.Name, was, is) {
					c.faults.add(scim.TypeMutability, canonical(urn, a)+"."+s.Name, changed)
				}
			}
		}
	}
}

// altered reports whether the sub-attribute changed: of a single value, or of
// one of several values that is told by its "value". Whole values may come and
// go.
func altered(a *scim.Attribute, sub string, was, is any) bool {
	if !a.MultiValued {
		before, _ := was.(scim.Object)
		after, _ := is.(scim.Object)
		v := before.Get(sub)
		return v != nil && !scim.Equal(v, after.Get(sub))
	}
	olds, _ := was.([]any)
	news, _ := is.([]any)
	twins := byValue(news)
	for _, v := range olds {
		before, _ := v.(scim.Object)
		old, after := before.Get(sub), twins[valueKey(before)]
		if old != nil && after != nil && !scim.Equal(old, after.Get(sub)) {
			return true
		}
	}
	return false
}

// present reports whether v is a value in the sense of "pr" (RFC 7644 §3.4.2.2):
// not empty, and a user name not blank.
func present(a *scim.Attribute, v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case []any:
		for _, one := range v {
			if present(a, one) {
				return true
			}
		}
		return false
	case []scim.MemberRef:
		return len(v) > 0
	case scim.Object:
		for _, m := range v {
			if s := a.Sub(m.Name); s != nil && present(s, m.Value) {
				return true
			}
		}
		return false
	case string:
		return v != "" && (a.Precis == scim.PrecisNone || strings.TrimSpace(v) != "")
	}
	return scim.KeyOf(a, v).Text != ""
}

// assigned reports whether an object holds anything.
func assigned(o scim.Object) bool {
	for _, m := range o {
		switch v := m.Value.(type) {
		case nil:
		case scim.Object:
			if len(v) > 0 {
				return true
			}
		case []any:
			if len(v) > 0 {
				return true
			}
		default:
			return true
		}
	}
	return false
}
