package filter

import "github.com/rollcall-scim/rollcall/scim"

// BindPath resolves the path of a PATCH operation against t (RFC 7644
// §3.5.2). It returns an error of type invalidPath if the type has no such
// attribute, and of type invalidFilter if the filter in the path can't be
// bound. The paths of that filter begin with the attribute itself, as in a
// bound [scim.ValuePath].
func BindPath(t *scim.ResourceType, p scim.Path, o Options) (scim.Path, error) {
	b := binder{t: t, o: o}
	b.o.UnknownAbsent = false
	path, ok := t.Resolve(p.AttrPath)
	if !ok {
		return scim.Path{}, b.unknown(p.AttrPath, scim.TypeInvalidPath)
	}
	if p.Filter == nil {
		return scim.Path{AttrPath: path}, nil
	}
	whole := path
	whole.Sub, whole.SubAttr = "", nil
	if err := bracketable(whole, scim.TypeInvalidPath); err != nil {
		return scim.Path{}, err
	}
	if err := filterable(whole); err != nil {
		return scim.Path{}, err
	}
	b.attr, b.within = whole.Attr, whole
	f, err := b.bind(p.Filter)
	if err != nil {
		return scim.Path{}, err
	}
	return scim.Path{AttrPath: path, Filter: f}, nil
}

// BindSort parses and resolves a sortBy (RFC 7644 §3.4.2.3). A complex
// attribute is sorted by its "value". It returns an error of type invalidPath
// if the type has no such attribute or it can't be sorted by: it is complex
// without a "value", never returned, derived, or holds members.
func BindSort(t *scim.ResourceType, s string) (*scim.AttrPath, error) {
	refuse := func(why string) (*scim.AttrPath, error) {
		return nil, scim.Errorf(scim.TypeInvalidPath, "sortBy %s: %s (RFC 7644 §3.4.2.3)", shown(s), why)
	}
	parsed, err := ParseAttrPath(s)
	if err != nil {
		return nil, err
	}
	p, ok := t.Resolve(parsed)
	if !ok {
		return nil, binder{t: t}.unknown(parsed, scim.TypeInvalidPath)
	}
	if p.Attr == nil {
		return refuse("this is an extension, not an attribute")
	}
	if p.SubAttr == nil && p.Attr.Type == scim.TypeComplex {
		value := p.Attr.Sub("value")
		if value == nil {
			return refuse("the attribute is complex; name one of " + names(p.Attr.SubAttributes))
		}
		p.Sub, p.SubAttr = value.Name, value
	}
	switch {
	case membership(p.Attr):
		return refuse("memberships have no order")
	case reference(p) || filterable(p) != nil:
		return refuse("the attribute is never returned, or derived, and can't be sorted by")
	case p.SubAttr != nil && p.SubAttr.MultiValued:
		return refuse("the sub-attribute has several values")
	}
	return &p, nil
}
