package engine

// me returns what /Me offers (RFC 7644 §3.11): what the caller's own User
// does, at whose permanent URI the answer's Location points.
func (c *call) me() []verb {
	t := c.e.typeNamed("User")
	off := func(*call) (Response, error) { return Response{}, notImplemented("/Me") }
	if c.e.c.Me == nil || t == nil {
		return []verb{{"GET", "get", off}, {"POST", "create", off}, {"PUT", "replace", off}, {"PATCH", "patch", off}, {"DELETE", "delete", off}}
	}
	verbs := c.ofResource(t, func() (string, error) { return c.e.c.Me(c.ctx) })
	// Registering oneself is a feature of its own (RFC 7644 §7.6).
	return append(verbs, verb{"POST", "create", func(*call) (Response, error) {
		return Response{}, notImplemented("self-registration by POST /Me")
	}})
}
