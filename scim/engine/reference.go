package engine

import (
	"errors"

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
	type place struct{ path, id string }
	had := map[place]bool{} // those of before whose target is gone included
	if before != nil && len(after.Links) > 0 {
		b := *before
		schema.Encode(&b)
		for _, l := range b.Links {
			had[place{l.Path, l.Ref.ID}] = true
		}
	}
	var unknown []string
	path := ""
	for _, l := range after.Links {
		if had[place{l.Path, l.Ref.ID}] {
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
	var list []*scim.ResourceType
	p, err := filter.ParseAttrPath(l.Path)
	if err != nil {
		return nil
	}
	if p, ok := t.Resolve(p); ok && p.Attr != nil {
		for _, name := range p.Attr.Links {
			if target := c.e.typeNamed(name); target != nil {
				list = append(list, target)
			}
		}
	}
	return list
}

// reportUnknown notes that a reference was stored although its target does not
// exist: a backend returns the links that have one. sent is nil where members
// alone were changed.
func (c *call) reportUnknown(sent, stored *scim.Resource) {
	if c.e.c.Profile.Switches.UnknownManager && sent != nil && len(stored.Links) < len(sent.Links) {
		c.report("BODY-08")
	}
}
