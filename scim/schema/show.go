package schema

import (
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// extent is how much of the document is shown.
type extent int

const (
	none  extent = iota // nothing: only common attributes, members and groups
	whole               // what is in Text
	part                // some of it, or some of Hidden
)

// show is what a Selection comes to (RFC 7644 §3.9).
type show struct {
	v          *View
	t          *scim.ResourceType
	document   extent
	externalID bool
	meta       metaShow
	members    associateShow
	groups     associateShow
}

type metaShow struct{ created, lastModified, resourceType, location, version bool }

func (m metaShow) any() bool { return m != metaShow{} }

// associateShow says which sub-attributes of members and groups are shown, in
// the order of the schema.
type associateShow [4]associatePart

// associatePart is one of the sub-attributes that a value of members or groups
// can have.
type associatePart byte

const (
	noPart associatePart = iota // and none after it
	partValue
	partRef
	partType
	partDisplay
)

func (s associateShow) any() bool { return s[0] != noPart }

func (s *show) decide(r *scim.Resource, v *View) {
	s.v, s.t = v, r.Type
	members, groups := r.Type.Membership(), r.Type.Groups()
	if len(v.Selection.Attributes)+len(v.Selection.Excluded) == 0 {
		s.externalID = true
		s.meta = metaShow{true, true, true, true, true}
		if members != nil {
			s.members = allOf(members)
		}
		if groups != nil {
			s.groups = allOf(groups)
		}
	} else {
		s.externalID = s.attribute("", externalID).shown
		s.meta = s.metaShow()
		if members != nil {
			s.members = s.associate(members)
		}
		if groups != nil {
			s.groups = s.associate(groups)
		}
	}
	s.document = s.extent(r)
}

func (s *show) metaShow() metaShow {
	m := s.attribute("", metaAttribute)
	if !m.shown {
		return metaShow{}
	}
	sub := metaAttribute.SubAttributes
	return metaShow{m.sub(sub[0]), m.sub(sub[1]), m.sub(sub[2]), m.sub(sub[3]), m.sub(sub[4])}
}

var metaAttribute = commonAttribute("meta")

// associate returns what is shown of a Membership or Derived attribute.
func (s *show) associate(a *scim.Attribute) associateShow {
	m := s.attribute("", a)
	if !m.shown {
		return associateShow{}
	}
	return associates(a, m.sub)
}

func allOf(a *scim.Attribute) associateShow {
	return associates(a, func(*scim.Attribute) bool { return true })
}

func associates(a *scim.Attribute, shows func(*scim.Attribute) bool) associateShow {
	var shown associateShow
	n := 0
	for _, sub := range a.SubAttributes {
		var part associatePart
		switch sub.Name {
		case "value":
			part = partValue
		case "$ref":
			part = partRef
		case "type":
			part = partType
		case displayOf(a):
			part = partDisplay
		default:
			continue
		}
		if !sub.Unstored && shows(sub) {
			shown[n] = part
			n++
		}
	}
	return shown
}

// extent decides how much of the document is shown. What most requests ask for
// (nothing in particular, or all but members) leaves it whole.
func (s *show) extent(r *scim.Resource) extent {
	sel := s.v.Selection
	if s.sent(r) {
		return part
	}
	outside := func(p scim.AttrPath) bool {
		if p.URN != "" {
			return false
		}
		switch p.Name {
		case "schemas", "id", "externalId", "meta":
			return true
		}
		return p.Attr != nil && (p.Attr.Membership || p.Attr.Derived)
	}
	inside := func(p scim.AttrPath) bool { return !outside(p) }
	if len(sel.Attributes) == 0 {
		if slices.ContainsFunc(sel.Excluded, inside) {
			return part
		}
		return whole
	}
	if slices.ContainsFunc(sel.Attributes, inside) || s.always() {
		return part
	}
	return none
}

// always reports whether the type has attributes in its document that every
// answer shows.
func (s *show) always() bool {
	is := func(a *scim.Attribute) bool {
		return a.Returned == scim.ReturnedAlways && !a.Membership && !a.Derived
	}
	return slices.ContainsFunc(s.t.Schema.Attributes, is) ||
		slices.ContainsFunc(s.t.Extensions, func(x scim.Extension) bool { return slices.ContainsFunc(x.Schema.Attributes, is) })
}

// sent reports whether the client wrote something that is returned on request
// (RFC 7643 §7: then, too).
func (s *show) sent(r *scim.Resource) bool {
	if len(s.v.Sent) == 0 || len(r.Hidden) == 0 && r.Text != nil {
		return false
	}
	requested := func(urn string, attrs []*scim.Attribute) bool {
		return slices.ContainsFunc(attrs, func(a *scim.Attribute) bool {
			return (a.Returned == scim.ReturnedRequest || slices.ContainsFunc(a.SubAttributes, onRequest)) && s.wrote(urn, a, nil)
		})
	}
	if requested("", s.t.Schema.Attributes) {
		return true
	}
	return slices.ContainsFunc(s.t.Extensions, func(x scim.Extension) bool { return requested(x.Schema.ID, x.Schema.Attributes) })
}

func onRequest(a *scim.Attribute) bool { return a.Returned == scim.ReturnedRequest }

// wrote reports whether the client sent the attribute, or, if sub is given, all
// of the attribute or that sub-attribute.
func (s *show) wrote(urn string, a, sub *scim.Attribute) bool {
	if len(s.v.Sent) == 0 {
		return false
	}
	path := canonical(urn, a)
	return slices.ContainsFunc(s.v.Sent, func(sent string) bool {
		rest, ok := strings.CutPrefix(sent, path)
		switch {
		case sent == urn && urn != "", ok && rest == "":
			return true
		case !ok || rest[0] != '.' && rest[0] != '[':
			return false
		case sub == nil:
			return true
		}
		name := rest[strings.LastIndexByte(rest, '.')+1:]
		return name == sub.Name || strings.HasSuffix(rest, "]")
	})
}

// mode is how one attribute is shown.
type mode struct {
	shown    bool
	selected bool // "attributes" is given, and names the attribute or part of it
	all      bool // then: the attribute itself, not some of its sub-attributes
	s        *show
	urn      string
	a        *scim.Attribute
}

// attribute decides about one attribute (RFC 7643 §7 "returned", RFC 7644 §3.9).
func (s *show) attribute(urn string, a *scim.Attribute) mode {
	m := mode{s: s, urn: urn, a: a}
	sel := &s.v.Selection
	switch {
	case a.Returned == scim.ReturnedNever || a.Mutability == scim.WriteOnly:
	case len(sel.Attributes) > 0:
		m.selected, m.all = true, a.Returned == scim.ReturnedAlways
		for i := range sel.Attributes {
			p := &sel.Attributes[i]
			if names(p, urn, a) && (p.Name != "" || a.Returned != scim.ReturnedRequest) {
				m.shown = true
				m.all = m.all || p.Sub == ""
			}
		}
		m.shown = m.shown || m.all
	case a.Returned == scim.ReturnedAlways:
		m.shown = true
	case a.Returned == scim.ReturnedRequest && !s.wrote(urn, a, nil):
	default:
		m.shown = true
		for i := range sel.Excluded {
			if p := &sel.Excluded[i]; p.Sub == "" && names(p, urn, a) {
				m.shown = false
			}
		}
	}
	return m
}

// sub decides about one sub-attribute of an attribute that is shown.
func (m mode) sub(sub *scim.Attribute) bool {
	switch {
	case sub.Returned == scim.ReturnedNever || sub.Mutability == scim.WriteOnly:
		return false
	case sub.Returned == scim.ReturnedAlways:
		return true
	case m.selected:
		return m.all && sub.Returned == scim.ReturnedDefault || m.listed(m.s.v.Selection.Attributes, sub)
	case sub.Returned == scim.ReturnedRequest && !m.s.wrote(m.urn, m.a, sub):
		return false
	}
	return !m.listed(m.s.v.Selection.Excluded, sub)
}

// listed reports whether one of the paths names the sub-attribute itself.
func (m mode) listed(paths []scim.AttrPath, sub *scim.Attribute) bool {
	for i := range paths {
		if p := &paths[i]; p.Sub == sub.Name && names(p, m.urn, m.a) {
			return true
		}
	}
	return false
}

// names reports whether the path is that of the attribute, of one of its
// sub-attributes, or of the extension it is in.
func names(p *scim.AttrPath, urn string, a *scim.Attribute) bool {
	return p.URN == urn && (p.Name == a.Name || p.Name == "" && urn != "")
}
