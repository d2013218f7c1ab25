package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// Restore gives back a resource that was deleted, as [scim.Undeleter] says, for
// an administrator: no request of a client reaches it. as is its new userName,
// for when the old one was taken meanwhile; "" keeps it. The document is
// brought to today's schema. A refusal is a [*scim.Error]; a backend that keeps
// nothing deleted is errors.ErrUnsupported. Safe for concurrent use.
func (e *Engine) Restore(ctx context.Context, ref scim.Ref, as string) (*scim.Resource, error) {
	u, ok := e.backend.(scim.Undeleter)
	if !ok {
		return nil, fmt.Errorf("the backend keeps nothing that was deleted: %w", errors.ErrUnsupported)
	}
	return u.Restore(ctx, ref, func(r *scim.Resource) error {
		if err := schema.Load(r); err != nil {
			return err
		}
		if as != "" {
			if err := rename(r, as); err != nil {
				return err
			}
		}
		schema.Encode(r)
		return nil
	})
}

// rename gives r another userName (RFC 7643 §4.1.1), if that may be one.
func rename(r *scim.Resource, name string) error {
	a := r.Type.Schema.Attribute("userName")
	if a == nil {
		return scim.Errorf(scim.TypeInvalidValue, "a %s has no userName", r.Type.Name)
	}
	before := *r
	before.Attrs = scim.Clone(r.Attrs)
	v, err := schema.Value(r.Type, scim.AttrPath{Name: a.Name, Attr: a}, name, schema.Options{})
	if err != nil {
		return err
	}
	r.Attrs.Set(a.Name, v)
	return schema.Check(&before, r, schema.Options{})
}
