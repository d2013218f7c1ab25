package scim

import "strings"

// AttrPath names an attribute: [URN ":"] Name ["." Sub] (RFC 7644 §3.10).
//
// As parsed, URN is what stands before the last colon, and the names are in
// the client's spelling. [ResourceType.Resolve] binds it: Attr is then set,
// the names are the schema's, and URN is empty unless the attribute belongs to
// an extension. A bound path with a URN and no Name means a whole extension,
// and has no Attr.
type AttrPath struct {
	URN, Name, Sub string

	Attr    *Attribute // the attribute Name; nil until bound
	SubAttr *Attribute // its sub-attribute Sub; nil if none is named
}

// Leaf returns the attribute the path ends in: SubAttr, or else Attr.
func (p AttrPath) Leaf() *Attribute {
	if p.SubAttr != nil {
		return p.SubAttr
	}
	return p.Attr
}

// String returns the path's text: the URN only where it is needed, so that a
// bound path has exactly one spelling.
func (p AttrPath) String() string {
	var b strings.Builder
	b.WriteString(p.URN)
	if p.URN != "" && p.Name != "" {
		b.WriteByte(':')
	}
	b.WriteString(p.Name)
	if p.Sub != "" {
		b.WriteString("." + p.Sub)
	}
	return b.String()
}

// Path is the target of a PATCH operation (RFC 7644 §3.5.2, Figure 7): an
// attribute, or the values of one that a filter selects. In a Path with a
// Filter, Sub is the sub-attribute that follows the bracket.
type Path struct {
	AttrPath
	Filter Filter // nil, or the valFilter between the brackets
}

// String returns the path's text.
func (p Path) String() string {
	if p.Filter == nil {
		return p.AttrPath.String()
	}
	head := p.AttrPath
	head.Sub = ""
	s := head.String() + "[" + inner(p.Filter).String() + "]"
	if p.Sub != "" {
		s += "." + p.Sub
	}
	return s
}

// Resolve binds a parsed path to the resource type. Names compare without
// regard to case (RFC 7643 §2.1). The URN may be that of the base schema or of
// an extension; an attribute without one is looked for in the common
// attributes, in the base schema and then, where the name is unambiguous, in
// the extensions (RFC 7644 §3.10). It reports false if the type has no such
// attribute.
func (t *ResourceType) Resolve(p AttrPath) (AttrPath, bool) {
	switch {
	case p.URN != "":
		// A bare extension URN was split at its last colon; so was one whose
		// version has a dot in its last part.
		whole := p.URN + ":" + p.Name
		if p.Name == "" {
			whole = p.URN
		}
		if p.Sub != "" && t.Extension(whole+"."+p.Sub) != nil {
			return AttrPath{URN: t.Extension(whole + "." + p.Sub).ID}, true
		}
		if x := t.Extension(whole); x != nil {
			if p.Sub != "" {
				return bind(x.ID, x.Attribute(p.Sub), "")
			}
			return AttrPath{URN: x.ID}, true
		}
		if strings.EqualFold(p.URN, t.Schema.ID) {
			if a := find(Common, p.Name); a != nil {
				return bind("", a, p.Sub)
			}
			return bind("", t.Schema.Attribute(p.Name), p.Sub)
		}
		if x := t.Extension(p.URN); x != nil {
			return bind(x.ID, x.Attribute(p.Name), p.Sub)
		}
		return AttrPath{}, false
	case p.Name == "":
		return AttrPath{}, false
	}
	if a := find(Common, p.Name); a != nil {
		return bind("", a, p.Sub)
	}
	if a := t.Schema.Attribute(p.Name); a != nil {
		return bind("", a, p.Sub)
	}
	var in *Schema
	for _, x := range t.Extensions {
		if x.Schema.Attribute(p.Name) == nil {
			continue
		}
		if in != nil {
			return AttrPath{}, false // ambiguous
		}
		in = x.Schema
	}
	if in == nil {
		return AttrPath{}, false
	}
	return bind(in.ID, in.Attribute(p.Name), p.Sub)
}

func bind(urn string, a *Attribute, sub string) (AttrPath, bool) {
	if a == nil {
		return AttrPath{}, false
	}
	p := AttrPath{URN: urn, Name: a.Name, Attr: a}
	if sub != "" {
		s := a.Sub(sub)
		if s == nil {
			return AttrPath{}, false
		}
		p.Sub, p.SubAttr = s.Name, s
	}
	return p, true
}
