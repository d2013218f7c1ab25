package engine

import (
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// obey asks b for its traits, and makes of the configuration what they leave of
// it. A directory has none, and the engine is as it was.
func (e *Engine) obey(b scim.Backend) {
	var t scim.Traits
	capable, ok := b.(scim.Capable)
	if ok {
		t = capable.Traits()
	}
	e.facade = ok || e.shaper != nil
	if e.docs != nil && same(t, e.traits) {
		return
	}
	e.traits = t
	e.c.NoETag = e.own.NoETag || t.NoVersions
	e.c.NoBulk = e.own.NoBulk || t.NoBulk
	e.types = withUnstored(e.published, t.Unstored)
	e.docs = e.documents()
}

// same reports whether two traits are the same.
func same(a, b scim.Traits) bool {
	if !slices.Equal(a.Unstored, b.Unstored) {
		return false
	}
	a.Unstored, b.Unstored = nil, nil
	return a.PutMerges == b.PutMerges && a.OwnRequired == b.OwnRequired && a.NoVersions == b.NoVersions &&
		a.NoBulk == b.NoBulk && a.WholeSeconds == b.WholeSeconds && a.RelativeRefs == b.RelativeRefs && a.ShortLists == b.ShortLists
}

// withUnstored returns the types with what clients may name although it is kept
// nowhere: attributes, sub-attributes and extensions of the core schemas
// (RFC 7643 §4), where the type of the same schema lacks them. Digests stay: the
// documents they describe are the same.
func withUnstored(types []*scim.ResourceType, paths []string) []*scim.ResourceType {
	if len(paths) == 0 {
		return types
	}
	core := schema.Core()
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
			p, err := filter.ParseAttrPath(path)
			if err != nil {
				continue
			}
			if p, ok := core[j].Resolve(p); ok {
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

// decode reads the body of a write. The names of a façade's clients are told
// down to the sub-attributes.
func (c *call) decode(t *scim.ResourceType, body scim.Object) (r *scim.Resource, named []string, err error) {
	o := c.schemaOptions()
	var subs []string
	if c.e.facade {
		o.Named = func(path string) { subs = append(subs, path) }
	}
	r, named, err = schema.Decode(t, body, o)
	if err != nil {
		return nil, nil, err
	}
	r.Type = t
	return r, append(named, subs...), nil
}

// shape lets the backend say what it would leave of after, which before, nil on
// a create, is to become.
func (c *call) shape(before, after *scim.Resource, touched []string) (*scim.Resource, error) {
	if c.e.shaper == nil {
		return after, nil
	}
	after.Attrs = scim.Clone(after.Attrs) // PATCH leaves it values of before
	ch := scim.Change{Before: before, After: after, Method: c.req.Method, Touched: touched}
	if err := c.e.shaper.Shape(c.ctx, &ch); err != nil {
		return nil, err
	}
	return ch.After, nil
}
