package engine

import "github.com/rollcall-scim/rollcall/scim"

// get answers a resource (RFC 7644 §3.4.1), or that the client already has it
// (§3.14). Parameters of a query are not looked at.
func (c *call) get(ref scim.Ref) (Response, error) {
	sel, err := c.selection(ref.Type)
	if err != nil {
		return Response{}, err
	}
	r, err := c.e.backend.Get(c.ctx, ref, sel)
	if err != nil {
		return Response{}, err
	}
	r.Type = ref.Type
	k, err := c.conditions()
	switch {
	case err != nil:
		return Response{}, err
	case k.failed(r.Meta.Version, r.Meta.LastModified):
		return Response{}, scim.ErrVersionMismatch
	case k.unchanged(r.Meta.Version, r.Meta.LastModified, true):
		return c.headers(304, r), nil
	}
	return c.resource(200, r, sel, nil)
}

// selection reads the projection of a request whose answer is one resource.
func (c *call) selection(t *scim.ResourceType) (scim.Selection, error) {
	s, err := c.projection()
	if err != nil {
		return scim.Selection{}, err
	}
	return s.bind(t), nil
}
