package engine

import (
	"errors"
	"slices"
	"sync"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// checkReferences refuses references of after that before did not have and
// whose target does not exist (RFC 7643 §2.3.7). Members are the backend's to
// check. A profile may store such references: people arrive in any order.
func (c *call) checkReferences(before, after *scim.Resource) error {
	if c.e.c.Profile.Switches.UnknownManager {
		return nil
	}
	var had map[reference]bool
	if before != nil && len(after.Links) > 0 {
		had = held(before)
	}
	var unknown []string
	path := ""
	for _, l := range after.Links {
		if had[referenceOf(l)] {
			continue
		}
		found, err := c.exists(after.Type, l)
		if err != nil {
			return err
		}
		if !found {
			if path == "" {
				path = l.Path
			}
			unknown = append(unknown, l.Ref.ID)
		}
	}
	if unknown != nil {
		return scim.InvalidReference(path, unknown...)
	}
	return nil
}

func (c *call) exists(t *scim.ResourceType, l scim.Link) (bool, error) {
	if !plausible(l.Ref.ID) {
		return false, nil
	}
	for _, target := range c.targets(t, l) {
		_, err := c.e.backend.Get(c.ctx, scim.Ref{Type: target, ID: l.Ref.ID}, onlyID)
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, scim.ErrNotFound) {
			return false, err
		}
	}
	return false, nil
}

// targets returns the resource types that the link may point to.
func (c *call) targets(t *scim.ResourceType, l scim.Link) []*scim.ResourceType {
	a := holder(t, l)
	if a == nil {
		return nil
	}
	var list []*scim.ResourceType
	for _, name := range a.Links {
		if target := c.e.typeNamed(name); target != nil {
			list = append(list, target)
		}
	}
	return list
}

// reportUnknown notes that the request named references whose target does not
// exist, and that they are stored all the same: a backend returns the links
// that have one. touched is what the request named. A PATCH that touches a
// multi-valued attribute names those of its references that before, nil for
// POST, did not have; PUT names all.
func (c *call) reportUnknown(before, after, stored *scim.Resource, touched []string) {
	if !c.e.c.Profile.Switches.UnknownManager || len(stored.Links) >= len(after.Links) {
		return
	}
	found := references(stored.Links)
	had := sync.OnceValue(func() map[reference]bool { return held(before) })
	for _, l := range after.Links {
		if found[referenceOf(l)] || !slices.Contains(touched, l.Path) {
			continue
		}
		a := holder(after.Type, l)
		if c.req.Method == "PATCH" && a != nil && a.MultiValued && had()[referenceOf(l)] {
			continue
		}
		c.report("BODY-08")
		return
	}
}

// holder returns the attribute of t that holds the link, nil if there is none.
func holder(t *scim.ResourceType, l scim.Link) *scim.Attribute {
	p, err := filter.ParseAttrPath(l.Path)
	if err != nil {
		return nil
	}
	p, _ = t.Resolve(p)
	return p.Attr
}

// reference is a link without its position in a document.
type reference struct{ path, id string }

func referenceOf(l scim.Link) reference { return reference{l.Path, l.Ref.ID} }

func references(links []scim.Link) map[reference]bool {
	m := make(map[reference]bool, len(links))
	for _, l := range links {
		m[referenceOf(l)] = true
	}
	return m
}

// held returns the references of r, those whose target is gone included.
func held(r *scim.Resource) map[reference]bool {
	again := *r
	schema.Encode(&again)
	return references(again.Links)
}
