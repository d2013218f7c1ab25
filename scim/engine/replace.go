package engine

import (
	"slices"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// replace answers PUT (RFC 7644 §3.5.1). It never creates.
func (c *call) replace(ref scim.Ref) (Response, error) {
	sel, err := c.selection(ref.Type)
	if err != nil {
		return Response{}, err
	}
	if c.e.facade { // what can't be read is refused before the application is asked
		body, err := c.body(ref.Type)
		if err == nil {
			_, _, err = c.decode(ref.Type, body)
		}
		if err != nil {
			return Response{}, err
		}
	}
	o, err := c.update(ref, func(before *scim.Resource) (edit, error) {
		body, err := c.body(ref.Type)
		if err != nil {
			return edit{}, err
		}
		after, named, err := c.decode(ref.Type, body)
		if err != nil {
			return edit{}, err
		}
		merges := c.e.traits.PutMerges
		keep := c.e.c.Profile.Switches.KeepActive
		switch {
		case merges:
			schema.Merge(before, after, named, keep)
		case keep:
			schema.Replace(before, after, named, keep)
		default:
			schema.Replace(before, after, named, keep)
			schema.Defaults(after, named)
		}
		if keep && !merges && before.Attrs.Get("active") == false && !slices.Contains(named, "active") {
			c.report("LIFE-08")
		}
		ed := edit{after: after, touched: named}
		if m := ref.Type.Membership(); c.e.apart(ref.Type) && (!merges || slices.Contains(named, m.Name)) {
			ed.members = replacement(m, after)
		}
		return ed, nil
	})
	if err != nil {
		return Response{}, err
	}
	if !c.shows(ref.Type.Name) {
		sel = onlySent(ref.Type, sel, o.sent)
	}
	return c.updated(o, sel)
}

// replacement is the membership of a PUT body: exactly that list.
func replacement(m *scim.Attribute, after *scim.Resource) *scim.Delta {
	d := &scim.Delta{Path: scim.AttrPath{Name: m.Name, Attr: m}, Reset: true}
	list, _ := after.Attrs.Get(m.Name).([]scim.MemberRef)
	seen := make(map[string]bool, len(list))
	for _, ref := range list {
		if !seen[ref.ID] {
			seen[ref.ID] = true
			d.Added = append(d.Added, ref)
		}
	}
	return d
}
