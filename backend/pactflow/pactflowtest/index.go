package pactflowtest

func readIndex(c *call) (answer, *refusal) {
	o := c.output()
	o.object("", func() {
		o.object("_links", func() {
			o.object("self", func() {
				o.text("href", c.base)
				o.text("title", "Index")
				o.raw("templated", "false")
			})
			for _, l := range [][3]string{
				{"pb:pacticipants", "Pacticipants", "/pacticipants"}, {"pf:admin-users", "Users", "/admin/users"},
				{"pf:admin-teams", "Teams", "/admin/teams"}, {"pf:admin-roles", "Roles", "/admin/roles"},
			} {
				o.object(l[0], func() {
					o.text("href", c.base+l[2])
					o.text("title", l[1])
					o.raw("templated", "false")
				})
			}
		})
	})
	return answer{code: 200, body: o.b}, nil
}

// heartbeat is answered without a token. Its link shows the base address.
func heartbeat(c *call) answer {
	if c.method() != "GET" {
		return c.refused(refuse(405, "method-not-allowed", "The resource does not support "+c.r.Method))
	}
	o := c.output()
	o.object("", func() {
		o.raw("ok", "true")
		o.object("_links", func() { o.link("self", "", "", c.base+c.path) })
	})
	return answer{code: 200, body: o.b}
}

// readMe answers with the user of the token.
func readMe(c *call) (answer, *refusal) {
	u := c.store.owner(c.token.User)
	if u == nil {
		return answer{}, notFound()
	}
	return c.userAnswer(200, u), nil
}

func listOwnTokens(c *call) (answer, *refusal) { return c.tokensOf(c.token.User), nil }

func listTokens(c *call) (answer, *refusal) {
	u, bad := c.target()
	switch {
	case bad != nil:
		return answer{}, bad
	case u.Type != SystemAccount:
		return answer{}, notFound()
	}
	return c.tokensOf(u.UUID), nil
}

// tokensOf lists a user's tokens, without their values.
func (c *call) tokensOf(user string) answer {
	o := c.output()
	o.object("", func() {
		o.object("_embedded", func() {
			o.array("items", func() {
				for i, v := range c.store.tokenList {
					if t := c.store.tokens[v]; t.User == user {
						o.object("", func() {
							o.text("uuid", countedID(0x70, i+1))
							o.text("description", t.Name)
						})
					}
				}
			})
		})
		o.object("_links", func() { o.link("self", "Tokens", "", c.base+c.path) })
	})
	return answer{code: 200, body: o.b}
}
