package pactflowtest

import (
	"slices"
	"strconv"
	"strings"
)

func listUsers(c *call) (answer, *refusal) {
	w, bad := c.window("/admin/users")
	if bad != nil {
		return answer{}, bad
	}
	rows, bad := c.visibleUsers()
	if bad != nil {
		return answer{}, bad
	}
	o := c.output()
	o.object("", func() {
		o.array("users", func() {
			from, to := w.cut(len(rows))
			for _, u := range rows[from:to] {
				c.writeUser(o, "", u, "")
			}
		})
		w.write(o, "Users", c.base+"/admin/users", len(rows))
	})
	return answer{code: 200, body: o.b}, nil
}

// visibleUsers returns the users that the token may see and the query asks for.
// Without a filter it is the list that the store keeps, and costs nothing.
func (c *call) visibleUsers() (ranking, *refusal) {
	rows := c.store.people
	if c.seesSystemAccounts() {
		rows = c.store.all
	}
	var keep []func(*account) bool
	q := c.params()
	if q.Has("active") {
		want, err := strconv.ParseBool(q.Get("active"))
		if err != nil {
			return nil, invalid("active", "must be a boolean")
		}
		keep = append(keep, func(u *account) bool { return u.Active == want })
	} else if c.cfg.HideInactive {
		keep = append(keep, func(u *account) bool { return u.Active })
	}
	if q.Has("userType") {
		want, err := strconv.Atoi(q.Get("userType"))
		if err != nil || want != RegularUser && want != SystemAccount {
			return nil, invalid("userType", "must be 0 or 1")
		}
		keep = append(keep, func(u *account) bool { return u.Type == want })
	}
	if text := strings.ToLower(q.Get("q")); text != "" {
		keep = append(keep, func(u *account) bool {
			return strings.Contains(u.key, text) || strings.Contains(strings.ToLower(u.Email), text)
		})
	}
	if len(keep) == 0 {
		return rows, nil
	}
	var found ranking
	for _, u := range rows {
		if !slices.ContainsFunc(keep, func(ok func(*account) bool) bool { return !ok(u) }) {
			found = append(found, u)
		}
	}
	return found, nil
}

// writeUser writes a user under a key, or as an element if that is ""; team, if
// not "", is the one whose member it is shown as.
func (c *call) writeUser(o *output, key string, u *account, team string) {
	self := c.base + "/admin/users/" + u.UUID
	roles := u.Roles
	if len(u.administers) > 0 {
		roles = append(slices.Clone(roles), RoleTeamAdministrator)
	}
	o.object(key, func() {
		o.time("updatedAt", u.UpdatedAt)
		o.time("createdAt", u.CreatedAt)
		o.text("uuid", u.UUID)
		o.maybe("identityProviderId", u.IdentityProviderID)
		o.maybe("name", u.Name)
		o.maybe("firstName", u.FirstName)
		o.maybe("lastName", u.LastName)
		o.raw("active", boolean(u.Active))
		if !u.LastLogin.IsZero() {
			o.format("lastLogin", u.LastLogin, `"2006-01-02T15:04:05.000+00:00"`)
		} else if o.nulls {
			o.raw("lastLogin", "null")
		}
		o.maybe("email", u.Email)
		if !c.cfg.GuardExternal || c.can("user", "manage_scim_attributes", "") {
			o.maybe("externalIdpUsername", u.ExternalIdpUsername)
			o.maybe("externalIdpId", u.ExternalIdpID)
		}
		o.raw("type", strconv.Itoa(u.Type))
		o.text("typeDescription", []string{"User", "System Account"}[u.Type])
		o.object("_embedded", func() {
			o.array("roles", func() {
				for _, id := range roles {
					c.writeUsersRole(o, self, id)
				}
			})
			o.array("teams", func() {
				for _, id := range u.teams {
					c.writeUsersTeam(o, u.UUID, id)
				}
			})
		})
		o.object("_links", func() {
			if team != "" {
				self = c.base + "/admin/teams/" + team + "/" + u.UUID
			}
			o.link("self", "User", "", self)
		})
		if !c.cfg.HideLegacyRoles {
			o.array("roles", func() {
				for _, id := range slices.Backward(roles) {
					if r := c.store.role[id]; r != nil {
						o.object("", func() {
							o.text("uuid", id)
							o.text("name", r.Name)
						})
					}
				}
			})
		}
	})
}

func (c *call) writeUsersRole(o *output, user, id string) {
	r := c.store.role[id]
	if r == nil { // the state has no Team Administrator
		return
	}
	o.object("", func() {
		o.b = append(o.b, r.embed...)
		o.object("_links", func() { o.link("self", "User Role", r.Name, user+"/roles/"+id) })
	})
}

func (c *call) writeUsersTeam(o *output, user, id string) {
	t := c.store.teams[id]
	o.object("", func() {
		o.text("name", t.Name)
		o.text("uuid", id)
		o.object("_links", func() {
			o.link("self", "Team", t.Name, c.base+"/teams/"+id)
			o.link("pf:membership", "Team membership", "", c.base+"/teams/"+id+"/users/"+user)
			o.link("pf:integrations", "Team integrations", t.Name, c.base+"/integrations/team/"+id)
		})
	})
}

func (c *call) userAnswer(code int, u *account) answer {
	o := c.output()
	c.writeUser(o, "", u, "")
	return answer{code: code, body: o.b}
}

// target returns the user the path names.
func (c *call) target() (*account, *refusal) {
	switch u := c.store.users[c.arg[0]]; {
	case u == nil:
		return nil, notFound()
	case !u.DeletedAt.IsZero():
		return nil, refuse(410, "gone", "The user has been deleted")
	default:
		return u, nil
	}
}

func readUser(c *call) (answer, *refusal) {
	u, bad := c.target()
	if bad != nil {
		return answer{}, bad
	}
	return c.userAnswer(200, u), nil
}

// createUser makes a user; it gets the default role and team, whatever is asked for.
func createUser(c *call) (answer, *refusal) {
	f, bad := c.object()
	if bad != nil {
		return answer{}, bad
	}
	u := User{Active: true}
	if bad = c.edit(f, &u, User{}); bad != nil {
		return answer{}, bad
	}
	switch {
	case u.Name == "":
		return answer{}, missing("name")
	case u.Email == "":
		return answer{}, missing("email")
	}
	made := c.add(u, c.store.defaultRole)
	a := c.userAnswer(201, made)
	a.location = c.base + "/admin/users/" + made.UUID
	return a, nil
}

// add puts a new user with a role and the default team.
func (c *call) add(u User, role string) *account {
	s := c.store
	u.UUID, u.CreatedAt = s.newID(), c.now()
	u.UpdatedAt = u.CreatedAt
	if role != "" && !c.cfg.NoDefaults {
		u.Roles = []string{role}
	}
	s.made++
	s.put(u.UUID, newAccount(u, s.made))
	if t := s.teams[s.defaultTeam]; t != nil && !c.cfg.NoDefaults {
		s.setMembers(t.UUID, append(slices.Clip(t.Members), u.UUID))
	}
	return s.users[u.UUID]
}

func updateUser(c *call) (answer, *refusal) {
	was, bad := c.target()
	if bad != nil {
		return answer{}, bad
	}
	f, bad := c.object()
	if bad != nil {
		return answer{}, bad
	}
	u := was.User
	if c.cfg.PutOmittedClears {
		u.Name, u.FirstName, u.LastName, u.Email, u.Active = "", "", "", "", true
		if c.can("user", "manage_scim_attributes", "") {
			u.ExternalIdpUsername, u.ExternalIdpID = "", ""
		}
	}
	if bad = f.boolean("active", &u.Active); bad != nil {
		return answer{}, bad
	}
	if bad = c.edit(f, &u, was.User); bad != nil {
		return answer{}, bad
	}
	now := c.store.revise(was.UUID, func(a *account) {
		a.User = u
		a.UpdatedAt = c.now()
	})
	return c.userAnswer(200, now), nil
}

// edit takes over the texts of a body, and checks what u becomes against what it was.
func (c *call) edit(f fields, u *User, was User) *refusal {
	for _, p := range []struct {
		name string
		to   *string
	}{{"name", &u.Name}, {"firstName", &u.FirstName}, {"lastName", &u.LastName}, {"email", &u.Email},
		{"externalIdpUsername", &u.ExternalIdpUsername}, {"externalIdpId", &u.ExternalIdpID}} {
		v, there, bad := f.text(p.name)
		if bad != nil {
			return bad
		}
		if there {
			*p.to = v
		}
	}
	_, username := f["externalIdpUsername"]
	_, id := f["externalIdpId"]
	creates := was.UUID == ""
	changed := u.ExternalIdpUsername != was.ExternalIdpUsername || u.ExternalIdpID != was.ExternalIdpID
	if (changed || creates && (username || id)) && !c.can("user", "manage_scim_attributes", "") {
		return refuse(403, "forbidden", "You do not have permission to change externalIdpUsername or externalIdpId")
	}
	if u.Email != "" && !strings.Contains(u.Email, "@") {
		return invalid("email", "is not a valid email address")
	}
	s := c.store
	fresh := func(now, before string, have map[string]int) bool {
		now, before = strings.ToLower(now), strings.ToLower(before)
		return now == "" || now == before || have[now] == 0
	}
	switch {
	case !c.cfg.AllowSameUserName && !fresh(u.ExternalIdpUsername, was.ExternalIdpUsername, s.userNames):
		return c.taken("A user", "externalIdpUsername", u.ExternalIdpUsername)
	case c.cfg.RejectSameEmail && !fresh(u.Email, was.Email, s.emails):
		return c.taken("A user", "email", u.Email)
	case u.Type == SystemAccount && u.Name != was.Name && s.systemNames[u.Name] > 0:
		return c.taken("A system account", "name", u.Name)
	}
	return nil
}

func deleteUser(c *call) (answer, *refusal) {
	u, bad := c.target()
	if bad != nil {
		return answer{}, bad
	}
	c.store.dropUser(u.UUID, c.now())
	return answer{code: 204}, nil
}

func createSystemAccount(c *call) (answer, *refusal) {
	f, bad := c.object()
	if bad != nil {
		return answer{}, bad
	}
	name, _, bad := f.text("name")
	switch {
	case bad != nil:
		return answer{}, bad
	case name == "":
		return answer{}, missing("name")
	case c.store.systemNames[name] > 0:
		return answer{}, c.taken("A system account", "name", name)
	}
	role := RoleCICD
	if c.store.role[role] == nil {
		role = ""
	}
	made := c.add(User{Name: name, Type: SystemAccount, Active: true}, role)
	a := c.userAnswer(201, made)
	a.location = c.base + "/admin/system-accounts/" + made.UUID
	return a, nil
}

// inviteUser makes a user and sends them a mail.
func inviteUser(c *call) (answer, *refusal) {
	f, bad := c.object()
	if bad != nil {
		return answer{}, bad
	}
	u, bad := c.invited(f)
	if bad != nil {
		return answer{}, bad
	}
	c.store.mails++
	return c.userAnswer(200, c.add(u, c.store.defaultRole)), nil
}

func inviteUsers(c *call) (answer, *refusal) {
	var body struct{ Users []fields }
	if bad := c.decode(&body); bad != nil {
		return answer{}, bad
	}
	if len(body.Users) == 0 {
		return answer{}, missing("users")
	}
	var guests []User
	for _, f := range body.Users {
		u, bad := c.invited(f)
		if bad != nil {
			return answer{}, bad
		}
		guests = append(guests, u)
	}
	o := c.output()
	o.object("", func() {
		o.array("users", func() {
			for _, u := range guests {
				c.writeUser(o, "", c.add(u, c.store.defaultRole), "")
				c.store.mails++
			}
		})
		o.object("_links", func() { o.link("self", "Users", "", c.base+"/admin/users") })
	})
	return answer{code: 200, body: o.b}, nil
}

func (c *call) invited(f fields) (User, *refusal) {
	u := User{Active: true}
	delete(f, "externalIdpUsername")
	delete(f, "externalIdpId")
	if bad := c.edit(f, &u, User{}); bad != nil {
		return u, bad
	}
	if u.Email == "" {
		return u, missing("email")
	}
	return u, nil
}
