package engine

import (
	"fmt"

	"github.com/rollcall-scim/rollcall/scim"
)

// hashPasswords replaces what is new among the passwords of after by its hash,
// or drops it where passwords are not kept (RFC 7643 §9.2). What before holds
// is a hash already.
func (c *call) hashPasswords(before, after *scim.Resource) error {
	var old scim.Object
	if before != nil {
		old = before.Attrs
	}
	if err := c.hashIn(after.Type.Schema.Attributes, old, &after.Attrs); err != nil {
		return err
	}
	for _, x := range after.Type.Extensions {
		o, ok := after.Attrs.Get(x.Schema.ID).(scim.Object)
		if !ok {
			continue
		}
		oldX, _ := old.Get(x.Schema.ID).(scim.Object)
		if err := c.hashIn(x.Schema.Attributes, oldX, &o); err != nil {
			return err
		}
		if len(o) == 0 {
			after.Attrs.Set(x.Schema.ID, nil)
		} else {
			after.Attrs.Set(x.Schema.ID, o)
		}
	}
	return nil
}

func (c *call) hashIn(attributes []*scim.Attribute, old scim.Object, o *scim.Object) error {
	for _, a := range attributes {
		if a.Precis != scim.PrecisOpaque || a.MultiValued {
			continue
		}
		clear, ok := o.Get(a.Name).(string)
		if !ok || old.Get(a.Name) == any(clear) {
			continue
		}
		if c.e.c.Password == nil {
			o.Set(a.Name, old.Get(a.Name))
			continue
		}
		hash, ok := c.hashed[clear]
		if !ok {
			err := c.late()
			if err != nil {
				return err
			}
			if hash, err = c.e.c.Password(clear); err != nil {
				return fmt.Errorf("engine: hash %s: %w", a.Name, err)
			}
			if c.hashed == nil {
				c.hashed = map[string]string{}
			}
			c.hashed[clear] = hash
		}
		o.Set(a.Name, hash)
	}
	return nil
}
