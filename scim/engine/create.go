package engine

import (
	"errors"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// create stores a new resource (RFC 7644 §3.3).
func (c *call) create(t *scim.ResourceType) (Response, error) {
	sel, err := c.selection(t)
	if err != nil {
		return Response{}, err
	}
	body, err := c.body(t)
	if err != nil {
		return Response{}, err
	}
	r, named, err := c.decode(t, body)
	if err != nil {
		return Response{}, err
	}
	schema.Defaults(r, named)
	if r, err = c.shape(nil, r, named); err != nil {
		return Response{}, err
	}
	o := c.schemaOptions()
	if err := schema.Check(nil, r, o); err != nil {
		return Response{}, err
	}
	if err := c.hashPasswords(nil, r); err != nil {
		return Response{}, err
	}
	schema.Encode(r)
	if err := c.checkReferences(nil, r); err != nil {
		return Response{}, err
	}
	stored, err := c.e.backend.Create(c.ctx, r)
	if err != nil {
		return Response{}, c.conflict(t, err)
	}
	stored.Type = t
	c.id = stored.ID
	c.reportUnknown(nil, r, stored, named)
	return c.resource(201, stored, sel, named)
}

// conflict notes that a name was refused only because the profile makes it
// unique.
func (c *call) conflict(t *scim.ResourceType, err error) error {
	if c.e.c.Profile.Switches.UniqueGroupNames && t.Schema.ID == scim.GroupURN && errors.Is(err, scim.ErrUniqueness) {
		c.report("GRP-09")
	}
	return err
}
