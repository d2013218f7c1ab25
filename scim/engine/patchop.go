package engine

import (
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/patch"
)

// patch answers PATCH (RFC 7644 §3.5.2).
func (c *call) patch(ref scim.Ref) (Response, error) {
	p, err := c.projection()
	if err != nil {
		return Response{}, err
	}
	o := c.patchOptions()
	var ops []patch.Op
	decoded := false
	decode := func() error {
		if decoded {
			return nil
		}
		body, err := c.body(ref.Type)
		if err == nil {
			ops, err = patch.Decode(ref.Type, body, o)
		}
		decoded = err == nil
		return err
	}
	if c.e.facade { // what can't be read is refused before the application is asked
		if err := decode(); err != nil {
			return Response{}, err
		}
	}
	apart := c.e.apart(ref.Type)
	done, err := c.update(ref, func(before *scim.Resource) (edit, error) {
		if err := decode(); err != nil {
			return edit{}, err
		}
		ed := edit{touched: patch.Touched(ops)}
		if c.e.facade {
			ed.touched = patch.Named(ops)
		}
		todo := ops
		if apart {
			rest, members, ok := patch.Split(ref.Type, ops, o)
			if !ok {
				apart = false
				return edit{}, nil // read again, with members
			}
			todo, ed.members = rest, members
		}
		after, err := patch.Apply(before, todo, o)
		ed.after = after
		return ed, err
	})
	if err != nil {
		return Response{}, err
	}
	if ref.Type.Membership() != nil && !c.wantsBody(p) || !c.shows(ref.Type.Name) {
		return c.headers(204, done.r), nil
	}
	return c.updated(done, p.bind(ref.Type))
}

// wantsBody reports whether the PATCH of a group is answered with the group:
// it may be huge, and few look at it.
func (c *call) wantsBody(p projection) bool {
	if c.e.c.Profile.Switches.GroupPatchBody {
		c.report("RESP-02")
		return true
	}
	return p.asked || len(p.excluded) > 0 || prefersRepresentation(c.req.Prefer)
}

// prefersRepresentation reports whether a Prefer header asks for the resource
// in the answer (RFC 7240 §4.2).
func prefersRepresentation(prefer string) bool {
	for p := range strings.SplitSeq(prefer, ",") {
		p, _, _ = strings.Cut(p, ";")
		name, value, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(name), "return") &&
			strings.EqualFold(strings.Trim(strings.TrimSpace(value), `"`), "representation") {
			return true
		}
	}
	return false
}
