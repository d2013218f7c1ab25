package pactflowtest

import (
	"slices"
	"time"
)

// The uuids of the predefined roles. They are the same in every PactFlow, but
// for that of SCIM, which is not public: this one is the emulator's own.
const (
	RoleAdministrator     = "cf75d7c2-416b-11ea-af5e-53c3b1a4efd8"
	RoleCICD              = "c1878b8e-d09e-11ea-8fde-af02c4677eb7"
	RoleUser              = "e9282e22-416b-11ea-a16e-57ee1bb61d18"
	RoleViewer            = "9fa50562-a42b-4771-aa8e-4bb3d623ae60"
	RoleGuest             = "d6938de2-e37c-11eb-b80e-3f68328092ca"
	RoleTeamAdministrator = "d635f960-88f2-4f13-8043-4641a02dffa0"
	RoleSCIM              = "0c1e0000-0000-4000-8000-0000000005c1"
	RoleNoAccess          = "0c1e0000-0000-4000-8000-000000000000" // from 2.3.0 on; also the emulator's own uuid
)

// Role is a role; Permissions are scopes such as "user:manage:*".
type Role struct {
	UUID          string    `json:"uuid"`
	Name          string    `json:"name"`
	Description   string    `json:"description,omitempty"`
	SystemDefined bool      `json:"systemDefined"`
	CreatedAt     time.Time `json:"createdAt"`
	UpdatedAt     time.Time `json:"updatedAt"`
	Permissions   []string  `json:"permissions"`
}

// role is a Role with the JSON that every user who has it shows.
type role struct {
	Role
	grants []grant
	embed  []byte // the members "uuid", "name" and "permissions"
}

func newRole(r Role) *role {
	out := &role{Role: r}
	var o output
	o.text("uuid", r.UUID)
	o.text("name", r.Name)
	o.array("permissions", func() {
		for _, scope := range r.Permissions {
			out.grants = append(out.grants, parseGrant(scope))
			o.object("", func() {
				o.text("name", permissionOf(scope).label)
				o.text("scope", scope)
			})
		}
	})
	out.embed = o.b
	return out
}

// permission is an entry of the catalogue.
type permission struct{ scope, label, group string }

var permissions = []permission{
	{"authentication_settings:manage:*", "Manage authentication settings", "Settings"},
	{"contract_data:bulk_delete:*", "Bulk delete contract data", "Contract data"},
	{"contract_data:bulk_delete:own", "Bulk delete own contract data", "Contract data"},
	{"contract_data:bulk_delete:team", "Bulk delete contract data of teams", "Contract data"},
	{"contract_data:manage:*", "Manage contract data", "Contract data"},
	{"contract_data:manage:own", "Manage own contract data", "Contract data"},
	{"contract_data:manage:team", "Manage contract data of teams", "Contract data"},
	{"contract_data:read:*", "Read contract data", "Contract data"},
	{"deployment_and_release:record:*", "Record deployments and releases", "Environments"},
	{"environment:manage:*", "Manage environments", "Environments"},
	{"environment:read:*", "Read environments", "Environments"},
	{"environment:read:team", "Read environments of teams", "Environments"},
	{"read_token:manage:own", "Manage own read only API token", "API tokens"},
	{"role:manage:*", "Manage roles", "Roles"},
	{"role:read:*", "Read roles", "Roles"},
	{"secret:manage:*", "Manage secrets", "Secrets"},
	{"secret:manage:team", "Manage secrets of teams", "Secrets"},
	{"system_account:manage:*", "Manage system accounts", "System accounts"},
	{"system_account:manage:team", "Manage system accounts of teams", "System accounts"},
	{"system_account:read:*", "Read system accounts", "System accounts"},
	{"system_preference:manage:*", "Manage system preferences", "Settings"},
	{"team:manage:*", "Manage teams", "Teams"},
	{"team:manage:{uuid}", "Manage one team", "Teams"},
	{"team:read:*", "Read teams", "Teams"},
	{"token:manage:own", "Manage API tokens", "API tokens"},
	{"user:invite", "Invite users", "Users"},
	{"user:manage:*", "Manage users", "Users"},
	{"user:manage_scim_attributes:*", "Manage SCIM attributes of users", "Users"},
	{"user:read:*", "Read users", "Users"},
	{"webhook:manage:*", "Manage webhooks", "Webhooks"},
	{"webhook:manage:team", "Manage webhooks of teams", "Webhooks"},
}

// permissionOf returns the entry of a scope, or one made of it.
func permissionOf(scope string) permission {
	i := slices.IndexFunc(permissions, func(p permission) bool { return p.scope == scope })
	if i < 0 {
		return permission{scope, scope, "Other"}
	}
	return permissions[i]
}

// predefined returns the roles a version comes with.
func predefined(p profile) []Role {
	made := time.Date(2020, 4, 2, 22, 42, 28, 0, time.UTC)
	roles := []Role{
		{UUID: RoleAdministrator, Name: "Administrator", Permissions: []string{
			"authentication_settings:manage:*", "contract_data:bulk_delete:*", "contract_data:manage:*",
			"deployment_and_release:record:*", "environment:manage:*", "role:manage:*", "secret:manage:*",
			"system_account:manage:*", "system_preference:manage:*", "team:manage:*", "token:manage:own",
			"user:invite", "user:manage:*", "webhook:manage:*"}},
		{UUID: RoleCICD, Name: "CI/CD", Permissions: []string{
			"contract_data:manage:own", "contract_data:manage:team", "contract_data:read:*",
			"deployment_and_release:record:*", "environment:read:*"}},
		{UUID: RoleUser, Name: "User", Permissions: []string{
			"contract_data:bulk_delete:own", "contract_data:bulk_delete:team", "contract_data:manage:own",
			"contract_data:manage:team", "contract_data:read:*", "environment:read:team", "role:read:*",
			"secret:manage:team", "system_account:manage:team", "system_account:read:*", "team:read:*",
			"token:manage:own", "user:read:*", "webhook:manage:team"}},
		{UUID: RoleViewer, Name: "Viewer", Permissions: []string{
			"contract_data:read:*", "read_token:manage:own", "team:read:*", "user:read:*"}},
		{UUID: RoleGuest, Name: "Guest", Permissions: []string{"contract_data:read:*"}},
		{UUID: RoleTeamAdministrator, Name: "Team Administrator", Permissions: []string{"team:manage:{uuid}"}},
		{UUID: RoleSCIM, Name: "SCIM", Permissions: scimPermissions()},
	}
	if p.noAccess {
		roles = append(roles, Role{UUID: RoleNoAccess, Name: "No Access", Permissions: []string{}})
	}
	for i := range roles {
		r := &roles[i]
		r.SystemDefined, r.CreatedAt, r.UpdatedAt = true, made, made
		if name := p.roleNames[r.UUID]; name != "" {
			r.Name = name
		}
	}
	return roles
}

// scimPermissions are those of the SCIM role.
func scimPermissions() []string {
	return []string{"team:manage:*", "user:invite", "user:manage:*", "user:manage_scim_attributes:*"}
}

func listRoles(c *call) (answer, *refusal) {
	o := c.output()
	o.object("", func() {
		o.object("_embedded", func() {
			o.array("roles", func() {
				for _, r := range c.store.roles {
					c.writeRole(o, r)
				}
			})
		})
		o.object("_links", func() {
			o.link("self", "Roles", "", c.base+"/admin/roles")
			if c.can("role", "manage", "") {
				o.link("pf:reset", "Reset roles", "", c.base+"/admin/roles/reset")
			}
		})
	})
	return answer{code: 200, body: o.b}, nil
}

func readRole(c *call) (answer, *refusal) {
	r := c.store.role[c.arg[0]]
	if r == nil {
		return answer{}, notFound()
	}
	o := c.output()
	c.writeRole(o, r)
	return answer{code: 200, body: o.b}, nil
}

func (c *call) writeRole(o *output, r *role) {
	o.object("", func() {
		o.text("uuid", r.UUID)
		o.text("name", r.Name)
		o.maybe("description", r.Description)
		o.raw("systemDefined", boolean(r.SystemDefined))
		o.time("createdAt", r.CreatedAt)
		o.time("updatedAt", r.UpdatedAt)
		o.array("permissions", func() {
			for _, scope := range r.Permissions {
				writePermission(o, permissionOf(scope))
			}
		})
		o.object("_links", func() { o.link("self", "Role", r.Name, c.base+"/admin/roles/"+r.UUID) })
	})
}

func listPermissions(c *call) (answer, *refusal) {
	o := c.output()
	o.object("", func() {
		o.array("permissions", func() {
			for _, p := range permissions {
				writePermission(o, p)
			}
		})
		o.object("_links", func() { o.link("self", "Permissions", "", c.base+"/admin/permissions") })
	})
	return answer{code: 200, body: o.b}, nil
}

func writePermission(o *output, p permission) {
	i := slices.IndexFunc(permissions, func(x permission) bool { return x.scope == p.scope })
	o.object("", func() {
		o.text("uuid", countedID(0xbe, i+1))
		o.text("scope", p.scope)
		o.text("label", p.label)
		o.text("group", p.group)
		o.text("description", p.label+".")
	})
}
