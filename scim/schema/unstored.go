package schema

import (
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// WithUnstored returns the types with what clients may name although it is kept
// nowhere: attributes, sub-attributes and extensions of the core schemas
// (RFC 7643 §4), where the type of the same schema lacks them. Paths are those of
// [scim.Traits]. Digests stay: the documents they describe are the same, and the
// types given are not modified.
func WithUnstored(types []*scim.ResourceType, paths []string) []*scim.ResourceType {
	if len(paths) == 0 {
		return types
	}
	core := Core()
	out := slices.Clone(types)
	for i, t := range out {
		j := slices.IndexFunc(core, func(c *scim.ResourceType) bool { return strings.EqualFold(c.Schema.ID, t.Schema.ID) })
		if j < 0 {
			continue
		}
		clone, s := *t, *t.Schema
		s.Attributes = slices.Clone(s.Attributes)
		clone.Schema, clone.Extensions = &s, slices.Clone(t.Extensions)
		for _, path := range paths {
			if p, ok := core[j].Resolve(parsePath(path)); ok {
				addUnstored(&clone, core[j], p)
			}
		}
		out[i] = &clone
	}
	return out
}

// addUnstored adds what the path p of the type core names to t, whose lists are
// its own.
func addUnstored(t, core *scim.ResourceType, p scim.AttrPath) {
	list := &t.Schema.Attributes
	if p.URN != "" {
		i := slices.IndexFunc(t.Extensions, func(x scim.Extension) bool { return strings.EqualFold(x.Schema.ID, p.URN) })
		if i < 0 {
			i = len(t.Extensions)
			t.Extensions = append(t.Extensions, scim.Extension{Schema: &scim.Schema{ID: p.URN}})
		}
		x := *t.Extensions[i].Schema
		x.Attributes = slices.Clone(x.Attributes)
		t.Extensions[i].Schema = &x
		list = &x.Attributes
	}
	if p.Attr == nil {
		for _, a := range core.Extension(p.URN).Attributes {
			insert(list, a)
		}
		return
	}
	i := slices.IndexFunc(*list, func(a *scim.Attribute) bool { return strings.EqualFold(a.Name, p.Name) })
	switch {
	case i < 0 && p.SubAttr == nil:
		insert(list, p.Attr)
	case i >= 0 && p.SubAttr != nil && !(*list)[i].Unstored:
		a := *(*list)[i]
		a.SubAttributes = slices.Clone(a.SubAttributes)
		insert(&a.SubAttributes, p.SubAttr)
		(*list)[i] = &a
	}
}

// insert adds an attribute as one that is kept nowhere, unless there is one of
// its name.
func insert(list *[]*scim.Attribute, a *scim.Attribute) {
	if !slices.ContainsFunc(*list, func(o *scim.Attribute) bool { return strings.EqualFold(o.Name, a.Name) }) {
		*list = append(*list, unstored(a))
	}
}

// unstored returns a copy of an attribute as one that is kept nowhere: nothing
// is asked of its value, it refers to nothing, and it follows from nothing. What
// is never returned still can't be asked for.
func unstored(a *scim.Attribute) *scim.Attribute {
	u := &scim.Attribute{Name: a.Name, Type: a.Type, MultiValued: a.MultiValued, Description: a.Description, CaseExact: a.CaseExact,
		Mutability: scim.ReadWrite, Returned: a.Returned, Uniqueness: scim.UniquenessNone, ReferenceTypes: a.ReferenceTypes, Unstored: true}
	for _, s := range a.SubAttributes {
		u.SubAttributes = append(u.SubAttributes, unstored(s))
	}
	return u
}

// parsePath cuts a path of an attribute; the error of one that is none is that
// it resolves to nothing.
func parsePath(s string) (p scim.AttrPath) {
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		p.URN, s = s[:i], s[i+1:]
	}
	p.Name, p.Sub, _ = strings.Cut(s, ".")
	return p
}
