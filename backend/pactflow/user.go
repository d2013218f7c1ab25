package pactflow

import (
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

// The two kinds of PactFlow's users, as its answers and ours describe them.
const (
	kindUser   = "User"
	kindSystem = "System Account"
)

// user is a user or system account as PactFlow shows it. What is null or
// missing there is empty here.
type user struct {
	UUID        string `json:"uuid"`
	Name        string `json:"name"`
	FirstName   string `json:"firstName"`
	LastName    string `json:"lastName"`
	Email       string `json:"email"`
	Active      *bool  `json:"active"`
	Type        int    `json:"type"` // 0: a person, 1: a system account
	Description string `json:"typeDescription"`
	CreatedAt   string `json:"createdAt"`
	UpdatedAt   string `json:"updatedAt"`
	UserName    string `json:"externalIdpUsername"`
	ExternalID  string `json:"externalIdpId"`

	Embedded *embedded `json:"_embedded"`
	Links    links     `json:"_links"`
}

// embedded are a user's roles and teams.
type embedded struct {
	Roles []named `json:"roles"`
	Teams []named `json:"teams"`
}

// named is what is embedded, so far as it matters here.
type named struct {
	UUID string `json:"uuid"`
	Name string `json:"name"`
}

type links struct {
	Self link `json:"self"`
	Next link `json:"next"`
}

type link struct {
	Href string `json:"href"`
}

func (u *user) system() bool { return u.Type == 1 || u.Description == kindSystem }

func (u *user) kind() string {
	switch {
	case u.Description != "":
		return u.Description
	case u.Type == 1:
		return kindSystem
	}
	return kindUser
}

// inactive reports whether PactFlow says that the account must not be used.
func (u *user) inactive() bool { return u.Active != nil && !*u.Active }

func (u *user) roles() []named {
	if u.Embedded == nil {
		return nil
	}
	return u.Embedded.Roles
}

func (u *user) teams() []named {
	if u.Embedded == nil {
		return nil
	}
	return u.Embedded.Teams
}

// fallback returns the userName to show for a user without one.
func fallback(mode, id, email string) string {
	switch mode {
	case "email":
		return email
	case "id":
		return id
	}
	return ""
}

// resource returns the user as SCIM shows it.
func (u *user) resource(t *scim.ResourceType, fallbackMode string) *scim.Resource {
	r := &scim.Resource{Type: t, ID: u.UUID, Schemas: []string{t.Schema.ID}, ExternalID: u.ExternalID, Meta: meta(u.CreatedAt, u.UpdatedAt)}
	set := func(name string, v any) { r.Attrs = append(r.Attrs, scim.Member{Name: name, Value: v}) }
	r.Attrs = make(scim.Object, 0, 7)
	userName := u.UserName
	if userName == "" {
		userName = fallback(fallbackMode, u.UUID, u.Email)
	}
	if userName != "" {
		set("userName", userName)
	}
	if name := fullName(u.Name, u.FirstName, u.LastName); name != nil {
		set("name", name)
	}
	if u.Name != "" {
		set("displayName", u.Name)
	}
	set("userType", u.kind())
	if u.Active != nil {
		set("active", *u.Active)
	}
	if u.Email != "" {
		set("emails", emailsOf(u.Email))
	}
	var roles []any
	for _, role := range u.roles() {
		roles = append(roles, roleOf(role))
	}
	if roles != nil {
		set("roles", roles)
	}
	for _, team := range u.teams() {
		if len(r.Groups) == scim.MaxGroups {
			break
		}
		r.Groups = append(r.Groups, scim.MemberRef{ID: team.UUID, Type: "direct", Display: team.Name})
	}
	return r
}

// fullName returns the value of "name", nil if there is nothing in it.
func fullName(formatted, given, family string) any {
	var o scim.Object
	for _, m := range []struct{ name, value string }{{"formatted", formatted}, {"givenName", given}, {"familyName", family}} {
		if m.value != "" {
			o = append(o, scim.Member{Name: m.name, Value: m.value})
		}
	}
	if o == nil {
		return nil
	}
	return o
}

func emailsOf(address string) []any {
	return []any{scim.Object{{Name: "value", Value: address}, {Name: "primary", Value: true}}}
}

func roleOf(role named) scim.Object {
	o := scim.Object{{Name: "value", Value: role.UUID}}
	if role.Name != "" {
		o = append(o, scim.Member{Name: "display", Value: role.Name}, scim.Member{Name: "type", Value: role.Name})
	}
	return o
}

// meta reads PactFlow's times, which have any offset. One that was never
// changed may have no time of its last change.
func meta(created, updated string) scim.Meta {
	var m scim.Meta
	if t, err := time.Parse(time.RFC3339Nano, created); err == nil {
		m.Created = t.UTC().Truncate(time.Millisecond)
	}
	m.LastModified = m.Created
	if t, err := time.Parse(time.RFC3339Nano, updated); err == nil {
		m.LastModified = t.UTC().Truncate(time.Millisecond)
	}
	return m
}
