package schema

import "github.com/rollcall-scim/rollcall/scim"

// project appends the part of the document that is shown, attribute by
// attribute.
func (o *output) project(s *show) {
	r := o.r
	if r.Attrs == nil {
		copied := *r // Load must not change what others may be reading
		if o.err = Load(&copied); o.err != nil {
			return
		}
		r = &copied
		o.r = r
	}
	o.attributes(s, "", r.Type.Schema.Attributes, r.Attrs)
	for _, x := range r.Type.Extensions {
		attrs, _ := r.Attrs.Get(x.Schema.ID).(scim.Object)
		if len(attrs) == 0 {
			continue
		}
		start := len(o.b)
		o.b = open(o.b, x.Schema.ID)
		first := len(o.b)
		o.attributes(s, x.Schema.ID, x.Schema.Attributes, attrs)
		o.b = shut(o.b, start, len(o.b) > first)
	}
}

func (o *output) attributes(s *show, urn string, attrs []*scim.Attribute, values scim.Object) {
	for _, a := range attrs {
		if a.Membership || a.Derived {
			if urn == "" {
				o.associated(s, a)
			}
			continue
		}
		v := values.Get(a.Name)
		if v == nil {
			continue
		}
		m := s.attribute(urn, a)
		if !m.shown {
			continue
		}
		start := len(o.b)
		o.b = key(o.b, a.Name)
		if !o.value(m, urn, a, v) {
			o.b = o.b[:start]
		}
	}
}

// value appends what is shown of a value, or reports false if that is nothing.
func (o *output) value(m mode, urn string, a *scim.Attribute, v any) bool {
	switch v := v.(type) {
	case scim.Object:
		return o.complex(m, urn, a, v)
	case []any:
		o.b = append(o.b, '[')
		first := len(o.b)
		for _, v := range v {
			before := len(o.b)
			if before > first {
				o.b = append(o.b, ',')
			}
			if v == nil || !o.value(m, urn, a, v) {
				o.b = o.b[:before]
			}
		}
		if len(o.b) == first {
			return false
		}
		o.b = append(o.b, ']')
		return true
	}
	o.b = scim.AppendValue(o.b, v)
	return true
}

func (o *output) complex(m mode, urn string, a *scim.Attribute, v scim.Object) bool {
	o.b = append(o.b, '{')
	first := len(o.b)
	var link linkShow
	for _, sub := range a.SubAttributes {
		if !m.sub(sub) {
			continue
		}
		if a.Links != nil && derived(sub.Name) {
			link.ref = link.ref || sub.Name == "$ref"
			link.display = link.display || sub.Name != "$ref"
			continue
		}
		if value := v.Get(sub.Name); value != nil {
			o.b = scim.AppendValue(key(o.b, sub.Name), value)
		}
	}
	if a.Links != nil {
		if id, _ := v.Get("value").(string); id != "" {
			if l, ok := o.linkTo(canonical(urn, a), id); ok {
				o.link(l, link)
			}
		}
	}
	if len(o.b) == first {
		return false
	}
	o.b = append(o.b, '}')
	return true
}

// linkPlace tells a reference of a document: where it stands, and whom it names.
type linkPlace struct{ path, id string }

// linkTo returns the reference of the attribute at path to the resource id.
func (o *output) linkTo(path, id string) (scim.Link, bool) {
	if o.links == nil {
		o.links = make(map[linkPlace]scim.Link, len(o.r.Links))
		for _, l := range o.r.Links {
			o.links[linkPlace{l.Path, l.Ref.ID}] = l
		}
	}
	l, ok := o.links[linkPlace{path, id}]
	return l, ok
}
