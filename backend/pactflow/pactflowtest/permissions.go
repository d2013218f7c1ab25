package pactflowtest

import "strings"

// grant is a permission "resource:verb:scope"; scope "*" or none is everything.
type grant struct{ resource, verb, scope string }

func parseGrant(s string) grant {
	resource, rest, _ := strings.Cut(s, ":")
	verb, scope, _ := strings.Cut(rest, ":")
	return grant{resource, verb, scope}
}

// grants are the permissions of the call's token: its own, else its user's.
func (c *call) allGrants() []grant {
	if c.token.Permissions != nil {
		gs := make([]grant, len(c.token.Permissions))
		for i, p := range c.token.Permissions {
			gs[i] = parseGrant(p)
		}
		return gs
	}
	u := c.store.owner(c.token.User)
	if u == nil || !u.Active {
		return nil
	}
	var gs []grant
	for _, id := range u.Roles {
		gs = append(gs, c.store.role[id].grants...)
	}
	for _, id := range u.administers {
		gs = append(gs, grant{"team", "manage", id})
	}
	return gs
}

// can says whether the token may do verb to every resource of a kind, or to the
// one with this id. Who may manage may read.
func (c *call) can(resource, verb, id string) bool {
	if c.grants == nil {
		c.grants = c.allGrants()
	}
	for _, g := range c.grants {
		if g.resource == resource && (g.verb == verb || verb == "read" && g.verb == "manage") &&
			(g.scope == "*" || g.scope == "" || id != "" && g.scope == id) {
			return true
		}
	}
	return false
}

// seesSystemAccounts says whether system accounts are shown to the token.
func (c *call) seesSystemAccounts() bool {
	return c.cfg.ShowSystemAccounts || c.can("system_account", "read", "")
}

// Who may call what. Each looks at the addressed user or team only as far as the
// permission depends on it; whether it exists is asked later.

func anyToken(*call) bool { return true }

func readsUsers(c *call) bool { return c.can("user", "read", "") }

func readsUser(c *call) bool {
	if u := c.store.users[c.arg[0]]; u != nil && u.Type == SystemAccount {
		return c.seesSystemAccounts()
	}
	return readsUsers(c)
}

func createsUsers(c *call) bool { return invites(c) && c.can("user", "manage", "") }

func managesUser(c *call) bool {
	switch u := c.store.users[c.arg[0]]; {
	case u == nil:
		return c.can("user", "manage", "") || managesSystemAccounts(c)
	case u.Type == SystemAccount:
		return managesSystemAccounts(c)
	default:
		return c.can("user", "manage", "")
	}
}

// managesOthersRoles is managesUser, but nobody changes their own roles.
func managesOthersRoles(c *call) bool { return managesUser(c) && c.arg[0] != c.token.User }

func invites(c *call) bool { return c.can("user", "invite", "") }

func managesSystemAccounts(c *call) bool { return c.can("system_account", "manage", "") }

func readsTeams(c *call) bool {
	if c.can("team", "read", "") {
		return true
	}
	for _, g := range c.grants {
		if g.resource == "team" && g.verb == "manage" {
			return true
		}
	}
	return false
}

func readsTeam(c *call) bool { return c.can("team", "read", c.arg[0]) }

func managesTeams(c *call) bool { return c.can("team", "manage", "") }

func managesTeam(c *call) bool { return c.can("team", "manage", c.arg[0]) }

func readsRoles(c *call) bool { return c.can("role", "read", "") }
