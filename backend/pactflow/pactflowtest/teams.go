package pactflowtest

import (
	"slices"
	"strconv"
	"strings"
)

func listTeams(c *call) (answer, *refusal) {
	w, bad := c.window("/admin/teams")
	if bad != nil {
		return answer{}, bad
	}
	rows := c.visibleTeams()
	o := c.output()
	o.object("", func() {
		from, to := w.cut(len(rows))
		c.writeTeams(o, rows[from:to])
		w.write(o, "Teams", c.base+"/admin/teams", len(rows))
	})
	return answer{code: 200, body: o.b}, nil
}

// visibleTeams returns the teams that the token may see and the query asks for.
func (c *call) visibleTeams() []*team {
	q := strings.ToLower(c.params().Get("q"))
	if q == "" && c.can("team", "read", "") {
		return c.store.teamList
	}
	var found []*team
	for _, t := range c.store.teamList {
		if strings.Contains(t.key, q) && c.can("team", "read", t.UUID) {
			found = append(found, t)
		}
	}
	return found
}

// writeTeams writes the teams of a list, which shows no members.
func (c *call) writeTeams(o *output, rows []*team) {
	o.array("teams", func() {
		for _, t := range rows {
			o.object("", func() { c.writeTeamHead(o, t); c.writeTeamLinks(o, t) })
		}
	})
}

func (c *call) writeTeamHead(o *output, t *team) {
	if !t.UpdatedAt.Equal(t.CreatedAt) {
		o.time("updatedAt", t.UpdatedAt)
	}
	o.time("createdAt", t.CreatedAt)
	o.text("uuid", t.UUID)
	o.text("name", t.Name)
	o.raw("numberOfMembers", strconv.Itoa(len(t.Members)))
}

func (c *call) writeTeamLinks(o *output, t *team) {
	o.object("_links", func() { o.link("self", "Team", "", c.base+"/admin/teams/"+t.UUID) })
}

// writeTeam writes the members of a team's object, without its braces.
func (c *call) writeTeam(o *output, t *team, members bool) {
	c.writeTeamHead(o, t)
	o.object("_embedded", func() {
		if members {
			c.writeMembers(o, "members", t)
		}
		o.array("administrators", func() {
			for _, id := range t.Administrators {
				u := c.store.users[id]
				o.object("", func() {
					o.text("uuid", id)
					o.maybe("name", u.Name)
					o.maybe("email", u.Email)
				})
			}
		})
		o.array("environments", func() {
			for _, id := range t.Environments {
				env := c.store.environments[id]
				o.object("", func() {
					o.time("createdAt", env.CreatedAt)
					o.text("uuid", env.UUID)
					o.text("name", env.Name)
					o.text("displayName", env.DisplayName)
					o.raw("production", boolean(env.Production))
				})
			}
		})
		o.array("pacticipants", func() {
			for _, name := range t.Pacticipants {
				o.object("", func() { o.text("name", name) })
			}
		})
	})
	c.writeTeamLinks(o, t)
}

// team returns the team the path names.
func (c *call) team() (*team, *refusal) {
	if t := c.store.teams[c.arg[0]]; t != nil {
		return t, nil
	}
	return nil, notFound()
}

func readTeam(c *call) (answer, *refusal) {
	t, bad := c.team()
	if bad != nil {
		return answer{}, bad
	}
	o := c.output()
	o.object("", func() { c.writeTeam(o, t, true) })
	return answer{code: 200, body: o.b}, nil
}

func createTeam(c *call) (answer, *refusal) {
	s := c.store
	made := Team{CreatedAt: c.now(), UpdatedAt: c.now()}
	admins, bad := c.editTeam(&made, "")
	if bad != nil {
		return answer{}, bad
	}
	made.UUID = s.newID()
	s.made++
	s.putTeam(made.UUID, newTeam(made, s.made))
	s.setAdministrators(made.UUID, admins)
	t := s.teams[made.UUID]
	o := c.output()
	o.object("", func() {
		if !c.cfg.onlyList {
			c.writeTeam(o, t, false)
		}
		if c.cfg.listsTeams {
			c.writeTeams(o, s.teamList)
		}
		if c.cfg.onlyList {
			o.object("_links", func() { o.link("self", "Teams", "", c.base+"/admin/teams") })
		}
	})
	if c.cfg.onlyList {
		return answer{code: 200, body: o.b}, nil
	}
	return answer{code: 201, body: o.b, location: c.base + "/admin/teams/" + made.UUID}, nil
}

func updateTeam(c *call) (answer, *refusal) {
	was, bad := c.team()
	if bad != nil {
		return answer{}, bad
	}
	t := was.Team
	if c.cfg.PutOmittedClears {
		t.Administrators, t.Environments, t.Pacticipants = nil, nil, nil
	}
	admins, bad := c.editTeam(&t, was.Name)
	if bad != nil {
		return answer{}, bad
	}
	s := c.store
	s.reviseTeam(t.UUID, func(now *team) {
		members, people := now.Members, now.Administrators
		now.Team = t
		now.Members, now.Administrators, now.UpdatedAt = members, people, c.now()
	})
	s.setAdministrators(t.UUID, admins)
	o := c.output()
	o.object("", func() { c.writeTeam(o, s.teams[t.UUID], false) })
	return answer{code: 200, body: o.b}, nil
}

// editTeam takes over a body, whose administrators it returns; they are part of
// the users too. name is what the team is called so far.
func (c *call) editTeam(t *Team, name string) (admins []string, bad *refusal) {
	f, bad := c.object()
	if bad != nil {
		return nil, bad
	}
	if t.Name, _, bad = f.text("name"); bad != nil {
		return nil, bad
	}
	if strings.TrimSpace(t.Name) == "" {
		return nil, missing("name")
	}
	admins = t.Administrators
	for _, p := range []struct {
		name string
		to   *[]string
	}{{"administratorUuids", &admins}, {"environmentUuids", &t.Environments}, {"pacticipantNames", &t.Pacticipants}} {
		list, there, bad := f.list(p.name)
		if bad != nil {
			return nil, bad
		}
		if there {
			*p.to = distinct(list)
		}
	}
	if i := slices.IndexFunc(admins, func(id string) bool { return c.store.living(id) == nil }); i >= 0 {
		return nil, invalid("administratorUuids", "User with uuid "+admins[i]+" not found")
	}
	for _, id := range t.Environments {
		if _, ok := c.store.environments[id]; !ok {
			return nil, invalid("environmentUuids", "Environment with uuid "+id+" not found")
		}
	}
	if t.Name != name && c.store.teamNames[t.Name] > 0 {
		return nil, c.taken("A team", "name", t.Name)
	}
	return admins, nil
}

func deleteTeam(c *call) (answer, *refusal) {
	t, bad := c.team()
	switch {
	case bad != nil:
		return answer{}, bad
	case t.UUID == c.store.defaultTeam:
		return answer{}, refuse(422, "business-rule-violation", "The default team cannot be deleted")
	}
	c.store.dropTeam(t.UUID)
	return answer{code: 204}, nil
}
