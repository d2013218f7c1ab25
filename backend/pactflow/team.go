package pactflow

import (
	"slices"

	"github.com/rollcall-scim/rollcall/scim"
)

// team is a team as PactFlow shows it. Lists, and the answers to writes, have
// no members.
type team struct {
	UUID      string `json:"uuid"`
	Name      string `json:"name"`
	Count     int    `json:"numberOfMembers"`
	CreatedAt string `json:"createdAt"`
	UpdatedAt string `json:"updatedAt"`

	Embedded struct {
		Members        []user  `json:"members"`
		Administrators []named `json:"administrators"`
		Environments   []named `json:"environments"`
		Pacticipants   []named `json:"pacticipants"`
	} `json:"_embedded"`
	Links links `json:"_links"`
}

// invisible reports whether the team has members that PactFlow does not show to
// this token, as it may do with system accounts.
func (t *team) invisible() bool { return t.Count > len(t.Embedded.Members) }

// members returns the ids of those that are shown.
func (t *team) members() []string {
	ids := make([]string, len(t.Embedded.Members))
	for i, m := range t.Embedded.Members {
		ids[i] = m.UUID
	}
	return ids
}

// resource returns the team as SCIM shows it.
func (t *team) resource(rt *scim.ResourceType) *scim.Resource {
	r := &scim.Resource{Type: rt, ID: t.UUID, Schemas: []string{rt.Schema.ID}, Meta: meta(t.CreatedAt, t.UpdatedAt)}
	if t.Name != "" {
		r.Attrs = scim.Object{{Name: "displayName", Value: t.Name}}
	} else {
		r.Attrs = scim.Object{}
	}
	var members []scim.MemberRef
	seen := make(map[string]bool, len(t.Embedded.Members))
	for _, m := range t.Embedded.Members {
		if m.UUID != "" && !seen[m.UUID] {
			seen[m.UUID] = true
			members = append(members, scim.MemberRef{ID: m.UUID, Type: "User", Display: m.Name})
		}
	}
	if members != nil {
		r.Attrs = append(r.Attrs, scim.Member{Name: "members", Value: members})
	}
	return r
}

// replacement returns the body that PUT of a team wants: all that a team has
// but its members, since what is left out may be cleared.
func (t *team) replacement(name string) teamBody {
	b := teamBody{Name: name, Administrators: []string{}, Environments: []string{}, Pacticipants: []string{}}
	for _, a := range t.Embedded.Administrators {
		b.Administrators = append(b.Administrators, a.UUID)
	}
	for _, e := range t.Embedded.Environments {
		b.Environments = append(b.Environments, e.UUID)
	}
	for _, p := range t.Embedded.Pacticipants {
		b.Pacticipants = append(b.Pacticipants, p.Name)
	}
	return b
}

type teamBody struct {
	Name           string   `json:"name"`
	Administrators []string `json:"administratorUuids"`
	Environments   []string `json:"environmentUuids"`
	Pacticipants   []string `json:"pacticipantNames"`
}

// created is what the versions of PactFlow answer to POST of a team: the list
// of all teams, the team and the list, or the team.
type created struct {
	team
	Teams []team `json:"teams"`
}

// find returns the new team, or nil if the answer does not have it.
func (c *created) find(name string) *team {
	if c.UUID != "" {
		return &c.team
	}
	if i := slices.IndexFunc(c.Teams, func(t team) bool { return t.Name == name && t.UUID != "" }); i >= 0 {
		return &c.Teams[i]
	}
	return nil
}
