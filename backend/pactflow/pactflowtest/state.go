package pactflowtest

import (
	"errors"
	"fmt"
	"time"
)

// Values of User.Type.
const (
	RegularUser   = 0
	SystemAccount = 1
)

// User is a user or a system account as the emulator keeps it.
type User struct {
	UUID                string    `json:"uuid"`
	Name                string    `json:"name,omitempty"`
	FirstName           string    `json:"firstName,omitempty"`
	LastName            string    `json:"lastName,omitempty"`
	Email               string    `json:"email,omitempty"`
	Active              bool      `json:"active"`
	Type                int       `json:"type"` // RegularUser or SystemAccount
	CreatedAt           time.Time `json:"createdAt"`
	UpdatedAt           time.Time `json:"updatedAt"`
	LastLogin           time.Time `json:"lastLogin,omitzero"`
	IdentityProviderID  string    `json:"identityProviderId,omitempty"`
	ExternalIdpUsername string    `json:"externalIdpUsername,omitempty"`
	ExternalIdpID       string    `json:"externalIdpId,omitempty"`
	Roles               []string  `json:"roles"` // uuids
	DeletedAt           time.Time `json:"deletedAt,omitzero"`
}

// Team is a team; all its lists but Pacticipants hold uuids.
type Team struct {
	UUID           string    `json:"uuid"`
	Name           string    `json:"name"`
	CreatedAt      time.Time `json:"createdAt"`
	UpdatedAt      time.Time `json:"updatedAt"`
	Members        []string  `json:"members"`
	Administrators []string  `json:"administrators,omitempty"`
	Environments   []string  `json:"environments,omitempty"`
	Pacticipants   []string  `json:"pacticipants,omitempty"` // names
}

// Environment is something a team may deploy to.
type Environment struct {
	UUID        string    `json:"uuid"`
	Name        string    `json:"name"`
	DisplayName string    `json:"displayName"`
	Production  bool      `json:"production"`
	CreatedAt   time.Time `json:"createdAt"`
}

// Token is an API token.
type Token struct {
	Name     string `json:"name"`  // what the log calls it
	Value    string `json:"value"` // what clients send
	User     string `json:"user"`  // the uuid of its user
	ReadOnly bool   `json:"readOnly,omitempty"`
	Expired  bool   `json:"expired,omitempty"`
	// Permissions, if not nil, stand in for those of the user's roles.
	Permissions []string `json:"permissions"`
}

// State is everything the emulator knows.
type State struct {
	Users        []User        `json:"users"` // deleted ones too, in the order of their making
	Teams        []Team        `json:"teams"`
	Roles        []Role        `json:"roles"`
	Environments []Environment `json:"environments"`
	Tokens       []Token       `json:"tokens"`
	DefaultRole  string        `json:"defaultRole,omitempty"`
	DefaultTeam  string        `json:"defaultTeam,omitempty"`
	MailsSent    int           `json:"mailsSent"`
	// Outsiders own tokens but are in no list: the seeds without them need them.
	Outsiders []User `json:"outsiders,omitempty"`
}

// load builds the store of a state. Its error names what refers to nothing.
func load(s State) (*store, error) {
	st := &store{
		users: make(map[string]*account, len(s.Users)), teams: map[string]*team{}, role: map[string]*role{},
		environments: map[string]Environment{}, tokens: map[string]*Token{}, outside: map[string]*account{},
		userNames: map[string]int{}, emails: map[string]int{}, systemNames: map[string]int{}, teamNames: map[string]int{},
		defaultRole: s.DefaultRole, defaultTeam: s.DefaultTeam, mails: s.MailsSent,
	}
	var bad []error
	var users []*account
	var teams []*team
	for _, r := range s.Roles {
		st.roles = append(st.roles, newRole(r))
		st.role[r.UUID] = st.roles[len(st.roles)-1]
	}
	for _, x := range s.Environments {
		st.environments[x.UUID] = x
		st.environmentList = append(st.environmentList, x.UUID)
	}
	for i, u := range s.Outsiders {
		st.outside[u.UUID] = newAccount(u, i)
	}
	for i, u := range s.Users {
		if u.UUID == "" || st.users[u.UUID] != nil {
			bad = append(bad, fmt.Errorf("user %d: its uuid %q is empty or taken", i, u.UUID))
			continue
		}
		for _, id := range u.Roles {
			if st.role[id] == nil {
				bad = append(bad, fmt.Errorf("user %s: no role %s", u.UUID, id))
			}
		}
		st.made++
		st.users[u.UUID] = newAccount(u, st.made)
		users = append(users, st.users[u.UUID])
	}
	for _, t := range s.Teams {
		if t.UUID == "" || st.teams[t.UUID] != nil {
			bad = append(bad, fmt.Errorf("team %q: its uuid %q is empty or taken", t.Name, t.UUID))
			continue
		}
		st.made++
		st.teams[t.UUID] = newTeam(t, st.made)
		teams = append(teams, st.teams[t.UUID])
		for _, id := range t.Members {
			if u := st.users[id]; u != nil {
				u.teams = append(u.teams, t.UUID)
			} else {
				bad = append(bad, fmt.Errorf("team %s: no user %s", t.UUID, id))
			}
		}
		for _, id := range t.Administrators {
			if u := st.users[id]; u != nil {
				u.administers = append(u.administers, t.UUID)
			} else {
				bad = append(bad, fmt.Errorf("team %s: no administrator %s", t.UUID, id))
			}
		}
		for _, id := range t.Environments {
			if _, ok := st.environments[id]; !ok {
				bad = append(bad, fmt.Errorf("team %s: no environment %s", t.UUID, id))
			}
		}
	}
	for _, t := range s.Tokens {
		if t.Value == "" {
			bad = append(bad, fmt.Errorf("token %q: no value", t.Name))
		}
		st.tokens[t.Value] = &t
		st.tokenList = append(st.tokenList, t.Value)
	}
	if s.DefaultRole != "" && st.role[s.DefaultRole] == nil {
		bad = append(bad, fmt.Errorf("defaultRole: no role %s", s.DefaultRole))
	}
	if s.DefaultTeam != "" && st.teams[s.DefaultTeam] == nil {
		bad = append(bad, fmt.Errorf("defaultTeam: no team %s", s.DefaultTeam))
	}
	st.index(users, teams)
	return st, errors.Join(bad...)
}

// dump is the opposite of load.
func (s *store) dump() State {
	d := State{DefaultRole: s.defaultRole, DefaultTeam: s.defaultTeam, MailsSent: s.mails,
		Users: []User{}, Teams: []Team{}, Tokens: []Token{}}
	for _, u := range byMaking(s.users, func(u *account) int { return u.seq }) {
		d.Users = append(d.Users, u.User)
	}
	for _, t := range byMaking(s.teams, func(t *team) int { return t.seq }) {
		d.Teams = append(d.Teams, t.Team)
	}
	for _, r := range s.roles {
		d.Roles = append(d.Roles, r.Role)
	}
	for _, id := range s.environmentList {
		d.Environments = append(d.Environments, s.environments[id])
	}
	for _, v := range s.tokenList {
		d.Tokens = append(d.Tokens, *s.tokens[v])
	}
	for _, u := range byMaking(s.outside, func(u *account) int { return u.seq }) {
		d.Outsiders = append(d.Outsiders, u.User)
	}
	return d
}

// State returns a copy of everything, deep enough to be changed.
func (e *Emulator) State() State {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.store.dump().clone()
}

// SetState replaces everything. What refers to nothing is an error, and nothing changes.
func (e *Emulator) SetState(s State) error { return e.Change(func(now *State) { *now = s }) }

// Change lets a function change the state between two requests, as
// [Emulator.SetState] does. The function must not call the emulator.
func (e *Emulator) Change(change func(*State)) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.store.dump().clone()
	change(&s)
	st, err := load(s.clone())
	if err != nil {
		return err
	}
	st.writes, st.ids = e.store.writes, e.store.ids
	e.store = st
	return nil
}

// MailsSent counts the invitations that went out.
func (e *Emulator) MailsSent() int {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.store.mails
}
