package pactflowtest

import "slices"

// living returns a user that is not deleted.
func (s *store) living(id string) *account {
	if u := s.users[id]; u != nil && u.DeletedAt.IsZero() {
		return u
	}
	return nil
}

// shows says whether the token may see a member.
func (c *call) shows(u *account) bool { return u.Type != SystemAccount || c.seesSystemAccounts() }

func (c *call) writeMembers(o *output, name string, t *team) {
	o.array(name, func() {
		for _, id := range t.Members {
			if u := c.store.users[id]; c.shows(u) {
				c.writeUser(o, "", u, t.UUID)
			}
		}
	})
}

// membersAnswer is what reading and most writing of members ends with.
func (c *call) membersAnswer(id string) answer {
	o := c.output()
	o.object("", func() {
		o.object("_embedded", func() { c.writeMembers(o, "users", c.store.teams[id]) })
		o.object("_links", func() { o.link("self", "Team users", "", c.base+"/admin/teams/"+id+"/users") })
	})
	return answer{code: 200, body: o.b}
}

func listMembers(c *call) (answer, *refusal) {
	t, bad := c.team()
	if bad != nil {
		return answer{}, bad
	}
	return c.membersAnswer(t.UUID), nil
}

func readMember(c *call) (answer, *refusal) {
	t, bad := c.team()
	if bad != nil {
		return answer{}, bad
	}
	u := c.store.living(c.arg[1])
	switch {
	case u == nil || !slices.Contains(u.teams, t.UUID):
		return answer{}, notFound()
	case !c.shows(u):
		return answer{}, forbidden()
	}
	o := c.output()
	o.object("", func() {
		o.object("_embedded", func() { c.writeUser(o, "user", u, t.UUID) })
		o.object("_links", func() { o.link("self", "Team user", "", c.base+"/admin/teams/"+t.UUID+"/users/"+u.UUID) })
	})
	return answer{code: 200, body: o.b}, nil
}

// people reads the list of users in a body, each of whom must exist.
func (c *call) people() ([]string, *refusal) {
	f, bad := c.object()
	if bad != nil {
		return nil, bad
	}
	ids, there, bad := f.list("users")
	switch {
	case bad != nil:
		return nil, bad
	case !there:
		return nil, missing("users")
	}
	return ids, c.exist(ids)
}

func (c *call) exist(ids []string) *refusal {
	for _, id := range ids {
		if c.store.living(id) == nil {
			return invalid("users", "User with uuid "+id+" not found")
		}
	}
	return nil
}

// half cuts a list as the fault "partial" asks, and says that it did.
func (c *call) half(ids []string) ([]string, bool) {
	if c.partial == nil {
		return ids, false
	}
	return ids[:min(len(ids), max(0, c.partial.First))], true
}

// join makes these the members of a team, and answers.
func (c *call) join(id string, members []string, failed bool) (answer, *refusal) {
	if !slices.Equal(c.store.teams[id].Members, members) {
		c.store.setMembers(id, members)
		if c.cfg.TouchAlways {
			c.store.reviseTeam(id, func(t *team) { t.UpdatedAt = c.now() })
		}
	}
	if failed {
		return answer{}, refuse(500, "server-error", "An error occurred half way")
	}
	return c.membersAnswer(id), nil
}

// setMembers replaces the members; those who stay keep their place.
func setMembers(c *call) (answer, *refusal) {
	t, bad := c.team()
	if bad != nil {
		return answer{}, bad
	}
	ids, bad := c.people()
	if bad != nil {
		return answer{}, bad
	}
	member, seen := set(t.Members), map[string]int{}
	for _, id := range ids {
		seen[id]++
		if member[id] && (c.cfg.PutUsersBug || c.cfg.duplicates && seen[id] > 1) {
			return answer{}, refuse(500, "server-error", "duplicate key value violates unique constraint")
		}
	}
	ids, failed := c.half(distinct(ids))
	wanted := set(ids)
	var members []string
	for _, id := range t.Members {
		if wanted[id] {
			members = append(members, id)
		}
	}
	for _, id := range ids {
		if !member[id] {
			members = append(members, id)
		}
	}
	return c.join(t.UUID, members, failed)
}

// with returns the members and those of ids who are not among them.
func (c *call) with(t *team, ids []string) []string {
	members := slices.Clip(t.Members)
	for _, id := range distinct(ids) {
		if !slices.Contains(c.store.users[id].teams, t.UUID) {
			members = append(members, id)
		}
	}
	return members
}

func addMembers(c *call) (answer, *refusal) {
	t, bad := c.team()
	if bad != nil {
		return answer{}, bad
	}
	ids, bad := c.people()
	if bad != nil {
		return answer{}, bad
	}
	ids, failed := c.half(ids)
	return c.join(t.UUID, c.with(t, ids), failed)
}

// patchMembers applies a JSON Patch that knows add and remove of /users.
func patchMembers(c *call) (answer, *refusal) {
	t, bad := c.team()
	if bad != nil {
		return answer{}, bad
	}
	var ops []struct {
		Op, Path string
		Value    struct{ UUID string }
	}
	if bad = c.decode(&ops); bad != nil {
		return answer{}, bad
	}
	if len(ops) == 0 {
		return answer{}, invalid("", "The patch must be a non-empty array of operations")
	}
	member := set(t.Members)
	ids := make([]string, len(ops))
	for i, op := range ops {
		ids[i] = op.Value.UUID
		switch {
		case op.Op != "add" && op.Op != "remove":
			return answer{}, invalid("op", "must be add or remove")
		case op.Path != "/users":
			return answer{}, invalid("path", "must be /users")
		case op.Op == "remove" && c.cfg.StrictPatch && !member[op.Value.UUID]:
			return answer{}, invalid("users", "User with uuid "+op.Value.UUID+" is not a member")
		}
		member[op.Value.UUID] = op.Op == "add"
	}
	if bad = c.exist(ids); bad != nil {
		return answer{}, bad
	}
	_, failed := c.half(ids)
	if failed {
		member = set(t.Members)
		ops = ops[:min(len(ops), max(0, c.partial.First))]
		for _, op := range ops {
			member[op.Value.UUID] = op.Op == "add"
		}
	}
	var members []string
	for _, id := range append(slices.Clip(t.Members), ids...) {
		if member[id] {
			members = append(members, id)
			member[id] = false // once
		}
	}
	return c.join(t.UUID, members, failed)
}

func removeMember(c *call) (answer, *refusal) {
	t, bad := c.team()
	if bad != nil {
		return answer{}, bad
	}
	if u := c.store.living(c.arg[1]); u == nil || !slices.Contains(u.teams, t.UUID) {
		return answer{}, notFound()
	}
	_, bad = c.join(t.UUID, withOrWithout(t.Members, c.arg[1], false), false)
	return answer{code: 204}, bad
}

func removeMembers(c *call) (answer, *refusal) {
	t, bad := c.team()
	if bad != nil {
		return answer{}, bad
	}
	ids, bad := c.people()
	if bad != nil {
		return answer{}, bad
	}
	gone := set(ids)
	members := slices.DeleteFunc(slices.Clone(t.Members), func(id string) bool { return gone[id] })
	_, bad = c.join(t.UUID, members, false)
	return answer{code: 204}, bad
}
