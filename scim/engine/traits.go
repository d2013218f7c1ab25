package engine

import (
	"slices"

	"github.com/rollcall-scim/rollcall/scim"
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
	e.types = schema.WithUnstored(e.published, t.Unstored)
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
