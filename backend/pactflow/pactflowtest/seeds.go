package pactflowtest

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The uuids of the seed "sample".
const (
	SampleTeam   = "4ac05ed8-9e3b-4159-96c0-ad19e3b93658" // Default, in every seed
	SampleSystem = "61cfa5ff-1be6-4e7e-a620-7efac4a370df" // the system account SCIM, owner of scim-token
	SampleUser   = "aaa3e1a2-3648-4453-b3a6-2195b6822e2d" // user1@example.com, owner of user1-admin-token
)

// seedSize returns how many users and further teams a seed of numbered users has.
func seedSize(seed string) (users, teams int, err error) {
	name, n, sized := strings.Cut(seed, ":")
	switch {
	case seed == "large":
		return 20_000, 500, nil
	case sized && name == "large":
		if users, err = strconv.Atoi(n); err == nil && users >= 0 && users <= 1_000_000 {
			return users, max(1, users/20), nil
		}
	case seed == "", seed == "sample", seed == "empty", seed == "okta":
		return 0, 0, nil
	}
	return 0, 0, fmt.Errorf("%q is not sample, empty, okta, large or large:N", seed)
}

// Reset begins anew with a seed, "" being the configured one: state, log and
// faults. Options stay as they are.
func (e *Emulator) Reset(seed string) error {
	cfg := e.cfg.Load()
	if seed == "" {
		seed = cfg.Seed
	}
	users, teams, err := seedSize(seed)
	if err != nil {
		return err
	}
	st, err := load(seeded(seed, users, teams, cfg.profile))
	if err != nil {
		return err
	}
	e.mu.Lock()
	e.store = st
	e.mu.Unlock()
	e.ClearLog()
	e.ClearFaults()
	return nil
}

// seeded makes the state of a seed.
func seeded(seed string, users, teams int, p profile) State {
	made := time.Date(2022, 12, 6, 0, 20, 0, 0, time.UTC)
	s := State{Roles: predefined(p), DefaultRole: RoleUser, DefaultTeam: SampleTeam, Tokens: seedTokens()}
	everybody := Team{UUID: SampleTeam, Name: "Default", CreatedAt: made, UpdatedAt: made}
	for i, name := range []string{"test", "production"} {
		s.Environments = append(s.Environments, Environment{UUID: countedID(0xe9, i+1), Name: name,
			DisplayName: strings.ToUpper(name[:1]) + name[1:], Production: name == "production", CreatedAt: made})
	}
	owners := []User{
		{UUID: SampleSystem, Name: "SCIM", Type: SystemAccount, Active: true,
			CreatedAt: time.Date(2022, 12, 6, 3, 49, 22, 0, time.UTC), UpdatedAt: time.Date(2022, 12, 6, 3, 49, 29, 0, time.UTC),
			Roles: []string{RoleCICD, RoleAdministrator}},
		{UUID: SampleUser, Email: "user1@example.com", Active: true, IdentityProviderID: "1",
			CreatedAt: time.Date(2022, 12, 6, 0, 25, 56, 0, time.UTC), UpdatedAt: time.Date(2022, 12, 6, 0, 25, 56, 0, time.UTC),
			Roles: []string{RoleUser, RoleAdministrator}},
	}
	if seed == "" || seed == "sample" {
		s.Users, everybody.Members = owners, []string{SampleSystem, SampleUser}
	} else {
		s.Outsiders = owners
	}
	s.Teams = []Team{everybody}
	switch {
	case seed == "okta":
		s.okta(made)
	case users > 0:
		s.number(users, teams, made)
	}
	return s
}

// okta adds people as Okta's test of a SCIM server wants to find them.
func (s *State) okta(made time.Time) {
	for i, name := range []string{"Ada", "Ben", "Cleo", "Dan", "Eve"} {
		u := User{UUID: countedID(0x0c, i+1), Name: name + " Okta", FirstName: name, LastName: "Okta", Active: true,
			Email: strings.ToLower(name) + ".okta@example.com", CreatedAt: made, UpdatedAt: made, Roles: []string{RoleUser},
			ExternalIdpID: fmt.Sprintf("00u%017d", i+1)}
		u.ExternalIdpUsername = u.Email
		s.Users = append(s.Users, u)
		s.Teams[0].Members = append(s.Teams[0].Members, u.UUID)
	}
}

// number adds users and teams with numbers: every 10th user is inactive, every
// 50th is a system account.
func (s *State) number(users, teams int, made time.Time) {
	for i := range teams {
		s.Teams = append(s.Teams, Team{UUID: countedID(0x7e, i+1), Name: fmt.Sprintf("Team %03d", i),
			CreatedAt: made, UpdatedAt: made})
	}
	for i := range users {
		u := User{UUID: countedID(0x05, i+1), Name: fmt.Sprintf("User %05d", i), Active: i%10 != 9,
			CreatedAt: made, UpdatedAt: made, Roles: []string{RoleUser}}
		if i%50 == 49 {
			u.Type, u.Roles = SystemAccount, []string{RoleCICD}
		} else {
			u.Email = fmt.Sprintf("user%05d@example.com", i)
			u.ExternalIdpUsername = u.Email
			u.FirstName, u.LastName = "User", fmt.Sprintf("%05d", i)
		}
		s.Users = append(s.Users, u)
		t := &s.Teams[1+i%teams]
		t.Members = append(t.Members, u.UUID)
	}
}

func seedTokens() []Token {
	user := predefined(profile{})[2].Permissions
	tokens := []Token{
		{Value: AdminToken, User: SampleUser},
		{Value: SCIMToken, User: SampleSystem, Permissions: scimPermissions()},
		{Value: ReadOnlyToken, User: SampleSystem, Permissions: scimPermissions(), ReadOnly: true},
		{Value: UserToken, User: SampleUser, Permissions: user},
		{Value: ViewerToken, User: SampleUser, Permissions: []string{"team:read:*", "user:read:*"}},
		{Value: NoAccessToken, User: SampleUser, Permissions: []string{}},
		{Value: ExpiredToken, User: SampleUser, Expired: true},
		{Value: InviteToken, User: SampleUser, Permissions: []string{"user:invite"}},
	}
	for i := range tokens {
		tokens[i].Name = strings.TrimSuffix(tokens[i].Value, "-token")
	}
	return tokens
}
