package schema

import (
	"fmt"
	"slices"

	"github.com/rollcall-scim/rollcall/scim"
)

// Load makes Attrs from Text and Hidden, if it is nil: the inverse of [Encode]
// (RFC 7643 §3). A text that was encoded under other schemas is read by those
// of now: what they do not define, or define with another type, is left out.
// Members are not touched; [LoadMembers] reads them. The error means that the
// store is damaged, and is no *[scim.Error].
func Load(r *scim.Resource) error {
	if r.Attrs != nil {
		return nil
	}
	text, err := parseText(r.Text)
	if err != nil {
		return fmt.Errorf("schema: text of %s: %w", r.Ref(), err)
	}
	hidden, err := parseText(r.Hidden)
	if err != nil {
		return fmt.Errorf("schema: hidden text of %s: %w", r.Ref(), err)
	}
	t := r.Type
	attrs := loadObject(t.Schema.Attributes, text, hidden, make(scim.Object, 0, len(text)+len(hidden)))
	for _, x := range t.Extensions {
		visible, _ := text.Get(x.Schema.ID).(scim.Object)
		rest, _ := hidden.Get(x.Schema.ID).(scim.Object)
		if o := loadObject(x.Schema.Attributes, visible, rest, nil); len(o) > 0 {
			attrs = append(attrs, scim.Member{Name: x.Schema.ID, Value: o})
		}
	}
	r.Attrs = attrs
	return nil
}

// LoadMembers puts what [scim.Resource.Members] yields into Attrs, as a client
// that replaces a group needs it (RFC 7644 §3.5.1). All members are then in
// memory. Attrs must not be nil.
func LoadMembers(r *scim.Resource) error {
	a := r.Type.Membership()
	if a == nil || r.Members == nil {
		return nil
	}
	var refs []scim.MemberRef
	for m, err := range r.Members {
		if err != nil {
			return err
		}
		refs = append(refs, m)
	}
	r.Members = nil
	if len(refs) > 0 {
		place(&r.Attrs, r.Type.Schema.Attributes, a.Name, refs)
	}
	return nil
}

func parseText(text []byte) (scim.Object, error) {
	if len(text) == 0 {
		return nil, nil
	}
	b := make([]byte, 0, len(text)+2)
	b = append(append(append(b, '{'), text...), '}')
	o, err := scim.ParseObject(b, 0, 0)
	if err != nil {
		return nil, fmt.Errorf("%v", err) // not as a fault of the client
	}
	return o, nil
}

// loadObject appends the attributes; what is in both texts is whole in hidden.
func loadObject(attrs []*scim.Attribute, text, hidden, o scim.Object) scim.Object {
	for _, a := range attrs {
		v := text.Get(a.Name)
		if h := hidden.Get(a.Name); h != nil {
			v = h
		}
		if v == nil || a.Membership || a.Derived {
			continue
		}
		if v = loadValue(a, v); v != nil {
			o = append(o, scim.Member{Name: a.Name, Value: v})
		}
	}
	return o
}

// loadValue gives a parsed value the Go type of its attribute, or returns nil.
func loadValue(a *scim.Attribute, v any) any {
	list, many := v.([]any)
	if many != a.MultiValued {
		return nil
	}
	if !many {
		return loadSingle(a, v)
	}
	for i, v := range list {
		list[i] = loadSingle(a, v)
	}
	list = slices.DeleteFunc(list, func(v any) bool { return v == nil })
	if len(list) == 0 {
		return nil
	}
	return list
}

func loadSingle(a *scim.Attribute, v any) any {
	switch a.Type {
	case scim.TypeComplex:
		raw, _ := v.(scim.Object)
		o := raw[:0]
		for _, m := range raw {
			s := position(a, m.Name)
			if s == len(a.SubAttributes) {
				continue
			}
			if value := loadValue(a.SubAttributes[s], m.Value); value != nil {
				o = append(o, scim.Member{Name: m.Name, Value: value})
			}
		}
		slices.SortStableFunc(o, func(x, y scim.Member) int { return position(a, x.Name) - position(a, y.Name) })
		if len(o) == 0 {
			return nil
		}
		return o
	case scim.TypeBoolean:
		if b, ok := v.(bool); ok {
			return b
		}
	case scim.TypeInteger:
		return integer(v)
	case scim.TypeDecimal:
		return decimal(v)
	case scim.TypeDateTime:
		return dateTime(v)
	case scim.TypeBinary:
		return binary(v)
	default:
		if s, ok := v.(string); ok {
			return s
		}
	}
	return nil
}

// position returns the place of a sub-attribute in its schema, or behind all.
func position(a *scim.Attribute, name string) int {
	i := slices.IndexFunc(a.SubAttributes, func(s *scim.Attribute) bool { return s.Name == name })
	if i < 0 {
		return len(a.SubAttributes)
	}
	return i
}
