package pactflowtest

import (
	"slices"
	"strings"
)

// conflict changes what the call is about to address, as another client would.
// What does not fit the path changes nothing.
func (e *Emulator) conflict(c *call, by *Conflict) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.store
	parts := strings.Split(c.path, "/") // "", admin, kind, id, …
	if len(parts) < 4 || parts[1] != "admin" {
		return
	}
	defer s.commit()
	now, action := c.cfg.now(s), by.Action
	switch id := parts[3]; {
	case parts[2] == "users" && s.living(id) != nil:
		switch action {
		case "", "deactivate":
			s.revise(id, func(u *account) { u.Active, u.UpdatedAt = false, now })
		case "rename":
			s.revise(id, func(u *account) { u.Name, u.UpdatedAt = orElse(by.Value, u.Name+" (changed)"), now })
		case "delete":
			s.dropUser(id, now)
		}
	case parts[2] == "teams" && s.teams[id] != nil:
		if action == "" {
			action = "rename"
			if len(parts) > 4 {
				action = "addMember"
			}
		}
		s.disturb(s.teams[id], action, by.Value, func(t *team) { t.UpdatedAt = now })
	}
}

// disturb changes a team.
func (s *store) disturb(t *team, action, value string, touch func(*team)) {
	switch action {
	case "rename":
		s.reviseTeam(t.UUID, func(t *team) {
			t.Name = orElse(value, t.Name+" (changed)")
			touch(t)
		})
	case "addMember":
		if value == "" {
			for _, u := range s.all {
				if !slices.Contains(u.teams, t.UUID) {
					value = u.UUID
					break
				}
			}
		}
		if s.living(value) != nil {
			s.setMembers(t.UUID, withOrWithout(t.Members, value, true))
		}
	case "removeMember":
		if value == "" && len(t.Members) > 0 {
			value = t.Members[0]
		}
		s.setMembers(t.UUID, withOrWithout(t.Members, value, false))
	case "delete":
		s.dropTeam(t.UUID)
	}
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
