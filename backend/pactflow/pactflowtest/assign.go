package pactflowtest

import "slices"

// assignable takes the role that nobody can be given out of a list.
func assignable(roles []string) []string {
	return slices.DeleteFunc(distinct(roles), func(id string) bool { return id == RoleTeamAdministrator })
}

func setRoles(c *call) (answer, *refusal) {
	u, bad := c.target()
	if bad != nil {
		return answer{}, bad
	}
	f, bad := c.object()
	if bad != nil {
		return answer{}, bad
	}
	roles, there, bad := f.list("roles")
	switch {
	case bad != nil:
		return answer{}, bad
	case !there:
		return answer{}, missing("roles")
	}
	for _, id := range roles {
		if c.store.role[id] == nil {
			return answer{}, invalid("roles", "Role with uuid "+id+" not found")
		}
	}
	return c.give(u, assignable(roles)), nil
}

// give makes these the roles of a user.
func (c *call) give(u *account, roles []string) answer {
	c.store.revise(u.UUID, func(a *account) {
		a.Roles = roles
		c.touch(a)
	})
	return answer{code: 204}
}

// touch renews updatedAt for a change outside the user itself, if the options say so.
func (c *call) touch(a *account) {
	if c.cfg.TouchAlways {
		a.UpdatedAt = c.now()
	}
}

func addRole(c *call) (answer, *refusal) {
	u, bad := c.target()
	switch {
	case bad != nil:
		return answer{}, bad
	case c.store.role[c.arg[1]] == nil:
		return answer{}, notFound()
	}
	if _, bad = c.object(); bad != nil {
		return answer{}, bad
	}
	return c.give(u, assignable(append(slices.Clip(u.Roles), c.arg[1]))), nil
}

func removeRole(c *call) (answer, *refusal) {
	u, bad := c.target()
	switch {
	case bad != nil:
		return answer{}, bad
	case !slices.Contains(u.Roles, c.arg[1]):
		return answer{}, notFound()
	}
	return c.give(u, withOrWithout(u.Roles, c.arg[1], false)), nil
}

// makeAdmin is the old way to make somebody an administrator.
func makeAdmin(c *call) (answer, *refusal) { return c.admin(true) }

func unmakeAdmin(c *call) (answer, *refusal) { return c.admin(false) }

func (c *call) admin(is bool) (answer, *refusal) {
	u, bad := c.target()
	if bad != nil {
		return answer{}, bad
	}
	if is && c.store.role[RoleAdministrator] == nil {
		return answer{}, notFound()
	}
	if is != slices.Contains(u.Roles, RoleAdministrator) {
		c.give(u, withOrWithout(u.Roles, RoleAdministrator, is))
	}
	return c.userAnswer(200, c.store.users[u.UUID]), nil
}
