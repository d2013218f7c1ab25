package schema

import (
	"github.com/rollcall-scim/rollcall/scim"
)

// Encode makes Schemas, Text, Hidden, Links and Digest from Attrs: the
// canonical form in which a resource is kept (RFC 7643 §3), in schema order
// whatever the order of Attrs. What is empty is left out (§2.5), and so is what
// is derived or no attribute of the type.
//
// An attribute that is shown, but has sub-attributes that are not, is in Hidden
// whole, and in Text without them.
func Encode(r *scim.Resource) {
	t := r.Type
	e := encoder{text: make([]byte, 0, 1024)}
	r.Schemas = append(make([]string, 0, 1+len(t.Extensions)), t.Schema.ID)
	e.attributes("", t.Schema.Attributes, r.Attrs)
	for _, x := range t.Extensions {
		o, _ := r.Attrs.Get(x.Schema.ID).(scim.Object)
		if len(o) == 0 {
			continue
		}
		textAt, hiddenAt := len(e.text), len(e.hidden)
		e.text, e.hidden = open(e.text, x.Schema.ID), open(e.hidden, x.Schema.ID)
		textFrom, hiddenFrom := len(e.text), len(e.hidden)
		e.attributes(x.Schema.ID, x.Schema.Attributes, o)
		inText, inHidden := len(e.text) > textFrom, len(e.hidden) > hiddenFrom
		e.text, e.hidden = shut(e.text, textAt, inText), shut(e.hidden, hiddenAt, inHidden)
		if inText || inHidden {
			r.Schemas = append(r.Schemas, x.Schema.ID)
		}
	}
	r.Text, r.Hidden, r.Links, r.Digest = e.text, e.hidden, e.links, t.Digest
	if len(r.Hidden) == 0 {
		r.Hidden = nil
	}
}

// open begins an extension's object.
func open(b []byte, urn string) []byte {
	return append(key(b, urn), '{')
}

// shut ends it, or takes it back if nothing is in it.
func shut(b []byte, start int, filled bool) []byte {
	if !filled {
		return b[:start]
	}
	return append(b, '}')
}

// key appends a name after what is there already.
func key(b []byte, name string) []byte {
	if n := len(b); n > 0 && b[n-1] != '{' {
		b = append(b, ',')
	}
	b = scim.AppendString(b, name)
	return append(b, ':')
}

// encoder is the state of one Encode.
type encoder struct {
	text, hidden []byte
	links        []scim.Link
}

// attributes appends the attributes of a resource or of one extension.
func (e *encoder) attributes(urn string, attrs []*scim.Attribute, o scim.Object) {
	for _, a := range attrs {
		v := o.Get(a.Name)
		if v == nil || a.Membership || a.Derived {
			continue
		}
		w := writer{a: a, urn: urn}
		if secret(a) {
			e.hidden = w.attribute(e.hidden, v)
			e.links = append(e.links, w.links...)
			continue
		}
		w.visible, w.linked = true, true
		e.text = w.attribute(e.text, v)
		e.links = append(e.links, w.links...)
		if w.skipped {
			all := writer{a: a, urn: urn}
			e.hidden = all.attribute(e.hidden, v)
			if len(w.links) == 0 { // the id itself is hidden
				e.links = append(e.links, all.links...)
			}
		}
	}
}

// secret reports whether an attribute is in no default answer.
func secret(a *scim.Attribute) bool {
	return a.Returned == scim.ReturnedNever || a.Returned == scim.ReturnedRequest || a.Mutability == scim.WriteOnly
}

// writer appends one attribute.
type writer struct {
	a       *scim.Attribute
	urn     string
	visible bool // leave out sub-attributes that are in no default answer
	linked  bool // it is Text that is written: links have a place in it
	skipped bool // some were left out
	links   []scim.Link
}

func (w *writer) attribute(b []byte, v any) []byte {
	start := len(b)
	b = key(b, w.a.Name)
	switch v := v.(type) {
	case scim.Object:
		filled := false
		if b, filled = w.complex(b, v); !filled {
			return b[:start]
		}
	case []any:
		b = append(b, '[')
		first := len(b)
		for _, v := range v {
			before := len(b)
			if before > first {
				b = append(b, ',')
			}
			if o, ok := v.(scim.Object); ok {
				filled := false
				if b, filled = w.complex(b, o); !filled {
					b = b[:before]
				}
			} else if v != nil {
				b = scim.AppendValue(b, v)
			} else {
				b = b[:before]
			}
		}
		if len(b) == first {
			return b[:start]
		}
		b = append(b, ']')
	default:
		b = scim.AppendValue(b, v)
	}
	return b
}

// complex appends one complex value and notes the resource it refers to.
func (w *writer) complex(b []byte, o scim.Object) ([]byte, bool) {
	b = append(b, '{')
	start := len(b)
	id := ""
	for _, s := range w.a.SubAttributes {
		v := o.Get(s.Name)
		switch {
		case v == nil || w.a.Links != nil && derived(s.Name):
			continue
		case w.visible && secret(s):
			w.skipped = true
			continue
		case w.a.Links != nil && s.Name == "value":
			id, _ = v.(string)
		}
		b = scim.AppendValue(key(b, s.Name), v)
	}
	if len(b) == start {
		return b, false
	}
	if id != "" {
		l := scim.Link{Path: canonical(w.urn, w.a), Ref: scim.MemberRef{ID: id}}
		if w.linked {
			l.Pos, l.Visible = len(b), true
		}
		w.links = append(w.links, l)
	}
	return append(b, '}'), true
}
