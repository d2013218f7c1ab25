package engine

import (
	"errors"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/patch"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// edit is what a PUT or PATCH makes of a resource as it was read.
type edit struct {
	after *scim.Resource // nil: the members must be read before it can be said
	// members is how membership changes, where the resource was read without;
	// nil: not at all, or after says it.
	members *scim.Delta
	touched []string
}

// outcome is a resource after an update: as stored, or as read if nothing
// changed.
type outcome struct {
	r     *scim.Resource
	whole bool     // r is as Get would return it, not read for an update
	sent  []string // canonical paths of what the client named
}

// update is what PUT and PATCH share: read, change, check, store
// (RFC 7644 §3.5). If nothing changes, nothing is written.
//
// Without a version from the client the change is applied anew to whatever
// came between, one request after the other; with one, a resource that changed
// is refused.
func (c *call) update(ref scim.Ref, change func(before *scim.Resource) (edit, error)) (outcome, error) {
	apart := c.e.apart(ref.Type)
	unlock := func() {}
	defer func() { unlock() }()
	k, _ := c.conditions()                   // what is wrong with them is told when the resource is known to be there
	waits := !k.pinned() && c.e.locks != nil // still to take its turn
	turn := func() (err error) {
		waits = false
		unlock, err = c.e.locks.lock(c.ctx, c.e.c.Tenant, ref)
		if err != nil {
			unlock = func() {}
		}
		return err
	}
	// A change of members alone takes no turn: the backend adds and removes. In
	// front of a façade it does: to read again when its turn has come is dear.
	if waits && (!apart || c.e.facade) {
		if err := turn(); err != nil {
			return outcome{}, err
		}
	}
	for {
		if err := c.late(); err != nil {
			return outcome{}, err
		}
		before, err := c.read(ref, apart)
		if err != nil {
			return outcome{}, err
		}
		k, err := c.check(before)
		if err != nil {
			return outcome{}, err
		}
		ed, err := change(before)
		if err != nil {
			return outcome{}, err
		}
		if ed.after == nil {
			apart = false
			if waits {
				err = turn()
			}
			if err != nil {
				return outcome{}, err
			}
			continue
		}
		ch, err := c.change(before, ed)
		if err != nil {
			return outcome{}, err
		}
		if len(ch.Deltas) == 0 {
			c.reportUnknown(before, ch.After, before, ed.touched)
			return outcome{r: before, whole: c.e.facade && !apart, sent: ed.touched}, nil
		}
		if k.named() {
			ch.IfVersion = before.Meta.Version
		}
		if waits && (ed.members == nil || len(ch.Deltas) > 1) {
			if err := turn(); err != nil {
				return outcome{}, err
			}
			continue // what was read may be old by now
		}
		var r *scim.Resource
		if apart {
			r, err = c.e.members.UpdateMembers(c.ctx, ch)
		} else {
			r, err = c.e.backend.Update(c.ctx, ch)
		}
		if errors.Is(err, scim.ErrVersionMismatch) && !k.pinned() {
			continue
		}
		if err != nil {
			return outcome{}, c.conflict(ref.Type, err)
		}
		r.Type = ref.Type
		c.reportUnknown(before, ch.After, r, ed.touched)
		return outcome{r: r, whole: !apart, sent: ed.touched}, nil
	}
}

// apart reports whether the members of t are kept apart by the backend, and
// need not be read to change a group. A required attribute must be seen.
func (e *Engine) apart(t *scim.ResourceType) bool {
	m := t.Membership()
	return m != nil && !m.Required && e.members != nil
}

// read reads a resource to change it: whole, but for what is derived, and for
// the members if they are kept apart.
func (c *call) read(ref scim.Ref, apart bool) (*scim.Resource, error) {
	var sel scim.Selection
	leaveOut := func(a *scim.Attribute) {
		if a != nil {
			sel.Excluded = append(sel.Excluded, scim.AttrPath{Name: a.Name, Attr: a})
		}
	}
	if !c.e.facade { // what is read of one comes whole, and to read it again is dear
		leaveOut(ref.Type.Groups())
	}
	m := ref.Type.Membership()
	if apart {
		leaveOut(m)
	}
	r, err := c.e.backend.Get(c.ctx, ref, sel)
	if err != nil {
		return nil, err
	}
	r.Type = ref.Type
	if err := schema.Load(r); err != nil {
		return nil, err
	}
	if m == nil {
		return r, nil
	}
	if apart {
		r.Attrs.Set(m.Name, nil)
	} else if r.Members != nil {
		var list []scim.MemberRef
		for ref, err := range r.Members {
			if err != nil {
				return nil, err
			}
			list = append(list, ref)
		}
		if list != nil {
			r.Attrs.Set(m.Name, list)
		}
	}
	r.Members = nil
	return r, nil
}

// change checks an edit and makes of it what a backend is given.
func (c *call) change(before *scim.Resource, ed edit) (scim.Change, error) {
	after := ed.after
	after.Type, after.ID, after.Meta = before.Type, before.ID, before.Meta
	if ed.members != nil {
		after.Attrs.Set(ed.members.Path.Name, nil)
	}
	after, err := c.shape(before, after, ed.touched)
	if err != nil {
		return scim.Change{}, err
	}
	if err := schema.Check(before, after, c.schemaOptions()); err != nil {
		return scim.Change{}, err
	}
	if err := c.hashPasswords(before, after); err != nil {
		return scim.Change{}, err
	}
	schema.Encode(after)
	if err := c.checkReferences(before, after); err != nil {
		return scim.Change{}, err
	}
	ch := scim.Change{Before: before, After: after, Deltas: patch.Diff(before, after), Method: c.req.Method, Touched: ed.touched}
	if ed.members != nil {
		ch.Deltas = append(ch.Deltas, *ed.members)
	}
	return ch, nil
}

// updated answers with the resource as it now is. What was read for an update
// lacks what is derived, and perhaps the members: it is read again if the
// client wants to see them. If it was deleted meanwhile, the update is still
// answered, without these.
func (c *call) updated(o outcome, sel scim.Selection) (Response, error) {
	t := o.r.Type
	wants := func(a *scim.Attribute) bool { return a != nil && sel.Wants(a.Name) }
	if !o.whole && !c.req.bare && (wants(t.Groups()) || wants(t.Membership())) {
		again, err := c.e.backend.Get(c.ctx, o.r.Ref(), sel)
		switch {
		case err == nil:
			again.Type = t
			o.r = again
		case !errors.Is(err, scim.ErrNotFound):
			return Response{}, err
		}
	}
	return c.resource(200, o.r, sel, o.sent)
}
