package engine

import (
	"errors"

	"github.com/rollcall-scim/rollcall/scim"
)

// remove deletes a resource (RFC 7644 §3.6). With a precondition, what is
// deleted is the version the precondition was true of.
func (c *call) remove(ref scim.Ref) (Response, error) {
	if c.e.dry != nil {
		if err := c.remember(ref); err != nil {
			return Response{}, err
		}
	}
	for {
		version, k := "", conditions{}
		if !c.e.c.NoETag && c.req.IfMatch+c.req.IfNoneMatch+c.req.IfUnmodifiedSince != "" {
			r, err := c.e.backend.Get(c.ctx, ref, onlyID)
			if err != nil {
				return Response{}, err
			}
			if k, err = c.check(r); err != nil {
				return Response{}, err
			}
			if k.named() {
				version = r.Meta.Version
			}
		}
		err := c.e.backend.Delete(c.ctx, ref, version)
		if errors.Is(err, scim.ErrVersionMismatch) && !k.pinned() && c.ctx.Err() == nil {
			continue // it changed meanwhile: look again
		}
		if err != nil {
			return Response{}, err
		}
		return Response{Status: 204}, nil
	}
}
