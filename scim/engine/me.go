package engine

// me returns what /Me offers (RFC 7644 §3.11): what the caller's own User
// does, at whose permanent URI the answer's Location points. Registering
// oneself is a feature of its own (§7.6), and not offered.
func (c *call) me() []verb {
	t := c.e.typeNamed("User")
	off := c.e.c.Me == nil || t == nil
	if t != nil {
		c.typ = t.Name
	}
	verbs := c.ofResource(t, func() (string, error) { return c.e.c.Me(c.ctx) })
	if off {
		for i := range verbs {
			verbs[i].off = "/Me"
		}
	}
	return append(verbs, verb{method: "POST", operation: "create", off: "self-registration by POST /Me"})
}
