package pactflowtest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// account is a User with what is derived from it. It never changes once the
// store has it: a change is a new one.
type account struct {
	User
	seq         int    // the order of making
	key         string // the name, folded
	teams       []string
	administers []string
}

// team is a Team with its place; it never changes once the store has it.
type team struct {
	Team
	seq int
	key string
}

// store is the state in memory. A write replaces accounts and teams one by one;
// every check comes before the first replacement, so that a request is atomic.
type store struct {
	users           map[string]*account
	all, people     ranking // of users that are not deleted; people without system accounts
	teams           map[string]*team
	teamList        []*team
	role            map[string]*role
	roles           []*role
	environments    map[string]Environment
	environmentList []string
	tokens          map[string]*Token
	tokenList       []string
	outside         map[string]*account // owners of tokens that are in no list
	defaultRole     string
	defaultTeam     string
	// How many users (deleted ones too, but for systemNames) and teams have the value.
	userNames, emails, systemNames, teamNames map[string]int

	mails, made, writes, ids int
	pending, last            []undo // of the write under way, and of the last one
}

// undo is what the store had under an id; nil: nothing.
type undo struct {
	id   string
	user *account
	team *team
	kind byte // 'u' or 't'
}

func newAccount(u User, seq int) *account {
	return &account{User: u, seq: seq, key: strings.ToLower(u.Name)}
}

func newTeam(t Team, seq int) *team { return &team{Team: t, seq: seq, key: strings.ToLower(t.Name)} }

// owner is the user of a token.
func (s *store) owner(id string) *account {
	if u := s.users[id]; u != nil && u.DeletedAt.IsZero() {
		return u
	}
	return s.outside[id]
}

// ranking is users in the order of the list: by name, those without one last.
type ranking []*account

func compareAccounts(a, b *account) int {
	if (a.key == "") != (b.key == "") {
		return strings.Compare(b.key, a.key)
	}
	return cmp.Or(strings.Compare(a.key, b.key), a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.seq, b.seq))
}

func (r *ranking) replace(old, now *account) {
	if old != nil {
		i, _ := slices.BinarySearchFunc(*r, old, compareAccounts)
		if now != nil && compareAccounts(old, now) == 0 {
			(*r)[i] = now
			return
		}
		*r = slices.Delete(*r, i, i+1)
	}
	if now != nil {
		i, _ := slices.BinarySearchFunc(*r, now, compareAccounts)
		*r = slices.Insert(*r, i, now)
	}
}

func compareTeams(a, b *team) int {
	return cmp.Or(strings.Compare(a.key, b.key), strings.Compare(a.Name, b.Name), cmp.Compare(a.seq, b.seq))
}

// index fills what is derived from all users and teams. They mostly come in
// order, which makes sorting cheap.
func (s *store) index(users []*account, teams []*team) {
	for _, u := range users {
		s.count(u, 1)
		if u.DeletedAt.IsZero() {
			s.all = append(s.all, u)
		}
	}
	slices.SortFunc(s.all, compareAccounts)
	for _, u := range s.all {
		if u.Type != SystemAccount {
			s.people = append(s.people, u)
		}
	}
	for _, t := range teams {
		s.teamNames[t.Name]++
		s.teamList = append(s.teamList, t)
	}
	slices.SortFunc(s.teamList, compareTeams)
}

func (s *store) count(u *account, by int) {
	if u == nil {
		return
	}
	if u.ExternalIdpUsername != "" {
		s.userNames[strings.ToLower(u.ExternalIdpUsername)] += by
	}
	if u.Email != "" {
		s.emails[strings.ToLower(u.Email)] += by
	}
	if u.Type == SystemAccount && u.DeletedAt.IsZero() {
		s.systemNames[u.Name] += by
	}
}

// put makes now (nil: nothing) what the store has under the id of a user.
func (s *store) put(id string, now *account) {
	old := s.users[id]
	s.pending = append(s.pending, undo{id: id, user: old, kind: 'u'})
	s.count(old, -1)
	s.count(now, 1)
	if now == nil {
		delete(s.users, id)
	} else {
		s.users[id] = now
	}
	listed := func(u *account, people bool) *account {
		if u == nil || !u.DeletedAt.IsZero() || people && u.Type == SystemAccount {
			return nil
		}
		return u
	}
	s.all.replace(listed(old, false), listed(now, false))
	s.people.replace(listed(old, true), listed(now, true))
}

// putTeam makes now (nil: nothing) what the store has under the id of a team.
func (s *store) putTeam(id string, now *team) {
	old := s.teams[id]
	s.pending = append(s.pending, undo{id: id, team: old, kind: 't'})
	if old != nil {
		s.teamNames[old.Name]--
		i, _ := slices.BinarySearchFunc(s.teamList, old, compareTeams)
		s.teamList = slices.Delete(s.teamList, i, i+1)
		delete(s.teams, id)
	}
	if now != nil {
		s.teamNames[now.Name]++
		i, _ := slices.BinarySearchFunc(s.teamList, now, compareTeams)
		s.teamList = slices.Insert(s.teamList, i, now)
		s.teams[id] = now
	}
}

// commit ends a write, if there was one.
func (s *store) commit() {
	if len(s.pending) > 0 {
		s.last, s.pending = s.pending, nil
		s.writes++
	}
}

// beforeLastWrite runs f over the state as it was before the last write.
func (s *store) beforeLastWrite(f func()) {
	s.pending = nil
	s.undo(s.last)
	redo := s.pending
	s.pending = nil
	f()
	s.undo(redo)
	s.pending = nil
}

func (s *store) undo(list []undo) {
	for _, u := range slices.Backward(list) {
		if u.kind == 'u' {
			s.put(u.id, u.user)
		} else {
			s.putTeam(u.id, u.team)
		}
	}
}

// newID returns the next uuid: they are counted, so that runs repeat.
func (s *store) newID() string {
	for {
		s.ids++
		id := countedID(0xe0, s.ids)
		if s.users[id] == nil && s.teams[id] == nil {
			return id
		}
	}
}

// countedID is the nth uuid of a kind.
func countedID(kind, n int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", kind, n) }

// revise puts a changed copy of a user.
func (s *store) revise(id string, change func(*account)) *account {
	u := *s.users[id]
	change(&u)
	u.key = strings.ToLower(u.Name)
	s.put(id, &u)
	return &u
}

// reviseTeam puts a changed copy of a team.
func (s *store) reviseTeam(id string, change func(*team)) *team {
	t := *s.teams[id]
	change(&t)
	t.key = strings.ToLower(t.Name)
	s.putTeam(id, &t)
	return &t
}

// setMembers gives a team these members and each user their teams.
func (s *store) setMembers(id string, members []string) {
	was := s.teams[id].Members
	s.reviseTeam(id, func(t *team) { t.Members = members })
	s.relate(was, members, func(u *account, in bool) { u.teams = withOrWithout(u.teams, id, in) })
}

// setAdministrators gives a team these administrators.
func (s *store) setAdministrators(id string, people []string) {
	was := s.teams[id].Administrators
	s.reviseTeam(id, func(t *team) { t.Administrators = people })
	s.relate(was, people, func(u *account, in bool) { u.administers = withOrWithout(u.administers, id, in) })
}

// relate revises the users that are in one of two lists only. Most changes are
// at one place, so equal beginnings and ends are left out first.
func (s *store) relate(was, is []string, change func(u *account, in bool)) {
	for len(was) > 0 && len(is) > 0 && was[0] == is[0] {
		was, is = was[1:], is[1:]
	}
	for len(was) > 0 && len(is) > 0 && was[len(was)-1] == is[len(is)-1] {
		was, is = was[:len(was)-1], is[:len(is)-1]
	}
	before, after := set(was), set(is)
	for _, id := range was {
		if !after[id] {
			s.revise(id, func(u *account) { change(u, false) })
		}
	}
	for _, id := range is {
		if !before[id] {
			s.revise(id, func(u *account) { change(u, true) })
		}
	}
}

func set(ids []string) map[string]bool {
	m := make(map[string]bool, len(ids))
	for _, id := range ids {
		m[id] = true
	}
	return m
}

// withOrWithout returns a new list that has id, or has it not.
func withOrWithout(list []string, id string, with bool) []string {
	out := slices.DeleteFunc(slices.Clone(list), func(x string) bool { return x == id })
	if with {
		out = append(out, id)
	}
	return out
}

// dropUser deletes a user: it stays as a tombstone without roles and teams.
func (s *store) dropUser(id string, now time.Time) {
	u := s.users[id]
	for _, t := range u.teams {
		s.setMembers(t, withOrWithout(s.teams[t].Members, id, false))
	}
	for _, t := range u.administers {
		s.setAdministrators(t, withOrWithout(s.teams[t].Administrators, id, false))
	}
	s.revise(id, func(u *account) { u.Roles, u.DeletedAt, u.UpdatedAt = nil, now, now })
}

// dropTeam deletes a team.
func (s *store) dropTeam(id string) {
	s.setMembers(id, nil)
	s.setAdministrators(id, nil)
	s.putTeam(id, nil)
}

// byMaking returns the values in the order of their making.
func byMaking[V any](m map[string]V, seq func(V) int) []V {
	return slices.SortedFunc(maps.Values(m), func(a, b V) int { return cmp.Compare(seq(a), seq(b)) })
}

// clone copies every list of a state.
func (s State) clone() State {
	s.Users, s.Teams, s.Roles = slices.Clone(s.Users), slices.Clone(s.Teams), slices.Clone(s.Roles)
	s.Environments, s.Tokens, s.Outsiders = slices.Clone(s.Environments), slices.Clone(s.Tokens), slices.Clone(s.Outsiders)
	for i := range s.Users {
		s.Users[i].Roles = slices.Clone(s.Users[i].Roles)
	}
	for i := range s.Teams {
		t := &s.Teams[i]
		t.Members, t.Administrators = slices.Clone(t.Members), slices.Clone(t.Administrators)
		t.Environments, t.Pacticipants = slices.Clone(t.Environments), slices.Clone(t.Pacticipants)
	}
	for i := range s.Roles {
		s.Roles[i].Permissions = slices.Clone(s.Roles[i].Permissions)
	}
	for i := range s.Tokens {
		s.Tokens[i].Permissions = slices.Clone(s.Tokens[i].Permissions)
	}
	return s
}
