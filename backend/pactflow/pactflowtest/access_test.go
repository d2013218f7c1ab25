package pactflowtest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
)

const problem = "application/hal+json, application/json, application/problem+json"

// TestPermissions: which token may call what. Everything that may be called is
// called with what does not exist or is invalid, so that no answer changes the
// state: whatever is not 403 was allowed.
func TestPermissions(t *testing.T) {
	t.Parallel()
	const (
		admin, scim, reads, user, viewer, invite = pactflowtest.AdminToken, pactflowtest.SCIMToken,
			pactflowtest.ReadOnlyToken, pactflowtest.UserToken, pactflowtest.ViewerToken, pactflowtest.InviteToken
		none = pactflowtest.NoAccessToken
	)
	e := start(t, pactflowtest.Options{})
	all := []string{admin, scim, reads, user, viewer, invite, none}
	for _, tt := range []struct {
		call    string
		allowed []string
	}{
		{"GET /", all},
		{"GET /user", all},
		{"GET /settings/tokens", all},
		{"GET /admin/users", []string{admin, scim, reads, user, viewer}},
		{"GET /admin/users/x", []string{admin, scim, reads, user, viewer}},
		{"GET /admin/users/" + pactflowtest.SampleUser, []string{admin, scim, reads, user, viewer}},
		{"GET /admin/users/" + pactflowtest.SampleSystem, []string{admin, user}},
		{"POST /admin/users", []string{admin, scim}},
		{"PUT /admin/users/x", []string{admin, scim}},
		{"PUT /admin/users/" + pactflowtest.SampleSystem, []string{admin}},
		{"DELETE /admin/users/x", []string{admin, scim}},
		{"PUT /admin/users/x/roles", []string{admin, scim}},
		{"PUT /admin/users/" + pactflowtest.SampleUser + "/roles", []string{scim}}, // the admin's own
		{"PUT /admin/users/" + pactflowtest.SampleSystem + "/roles", []string{admin}},
		{"PUT /admin/users/x/roles/y", []string{admin, scim}},
		{"DELETE /admin/users/x/roles/y", []string{admin, scim}},
		{"PUT /admin/users/x/role/admin", []string{admin, scim}},
		{"POST /admin/users/invite-user", []string{admin, scim, invite}},
		{"POST /admin/users/invite-users", []string{admin, scim, invite}},
		{"POST /admin/system-accounts", []string{admin}},
		{"GET /admin/system-accounts/x/tokens", []string{admin}},
		{"GET /admin/teams", []string{admin, scim, reads, user, viewer}},
		{"GET /admin/teams/x", []string{admin, scim, reads, user, viewer}},
		{"POST /admin/teams", []string{admin, scim}},
		{"PUT /admin/teams/x", []string{admin, scim}},
		{"DELETE /admin/teams/x", []string{admin, scim}},
		{"GET /admin/teams/x/users", []string{admin, scim, reads, user, viewer}},
		{"PUT /admin/teams/x/users", []string{admin, scim}},
		{"POST /admin/teams/x/users", []string{admin, scim}},
		{"PATCH /admin/teams/x/users", []string{admin, scim}},
		{"DELETE /admin/teams/x/users", []string{admin, scim}},
		{"GET /admin/teams/x/users/y", []string{admin, scim, reads, user, viewer}},
		{"DELETE /admin/teams/x/users/y", []string{admin, scim}},
		{"GET /admin/roles", []string{admin, user}},
		{"GET /admin/roles/x", []string{admin, user}},
		{"GET /admin/permissions", []string{admin, user}},
	} {
		method, url, _ := strings.Cut(tt.call, " ")
		for _, token := range all {
			got := do(t, e, token, method, url, "")
			if allowed := strings.Contains(fmt.Sprint(tt.allowed), token); allowed == (got.code == 403) {
				t.Errorf("%s with %s: %d", tt.call, token, got.code)
			}
		}
		for _, token := range []string{"", "nonsense", pactflowtest.ExpiredToken} {
			if got := do(t, e, token, method, url, ""); got.code != 401 {
				t.Errorf("%s with %q: %d", tt.call, token, got.code)
			}
		}
	}
	if got := do(t, e, "", "GET", "/diagnostic/status/heartbeat", ""); got.code != 200 || got.json(t)["ok"] != true {
		t.Errorf("heartbeat: %d %s", got.code, got.body)
	}
}

// TestTeamAdministrator: who administers a team may manage it, and only it, and
// shows a role that nobody can be given.
func TestTeamAdministrator(t *testing.T) {
	t.Parallel()
	e := start(t, pactflowtest.Options{NoDefaults: true})
	admin := pactflowtest.AdminToken
	u := do(t, e, admin, "POST", "/admin/users", `{"name":"N","email":"n@example.com"}`).json(t)["uuid"].(string)
	mine := do(t, e, admin, "POST", "/admin/teams", `{"name":"Mine","administratorUuids":["`+u+`"]}`).json(t)["uuid"].(string)
	if got := do(t, e, admin, "PUT", "/admin/users/"+u+"/roles",
		`{"roles":["`+pactflowtest.RoleTeamAdministrator+`","`+pactflowtest.RoleViewer+`"]}`); got.code != 204 {
		t.Fatal(got)
	}
	roles := at(t, do(t, e, admin, "GET", "/admin/users/"+u, "").json(t), "_embedded", "roles").([]any)
	if len(roles) != 2 || at(t, roles, 1, "uuid") != pactflowtest.RoleTeamAdministrator || at(t, roles, 0, "name") != "Viewer" {
		t.Errorf("roles: %v", roles)
	}
	do(t, e, admin, "PUT", "/admin/users/"+u+"/roles", `{"roles":[]}`)
	if err := e.AddToken(pactflowtest.Token{Value: "theirs", User: u}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		call string
		code int
	}{
		{"GET /admin/teams/" + mine, 200},
		{"DELETE /admin/teams/" + mine, 403},
		{"GET /admin/teams/" + pactflowtest.SampleTeam, 403},
		{"DELETE /admin/teams/" + mine + "/users/x", 404},
		{"GET /admin/users", 403},
	} {
		method, url, _ := strings.Cut(tt.call, " ")
		if got := do(t, e, "theirs", method, url, ""); got.code != tt.code {
			t.Errorf("%s: %d", tt.call, got.code)
		}
	}
	teams := do(t, e, "theirs", "GET", "/admin/teams", "").json(t)["teams"].([]any)
	if len(teams) != 1 || at(t, teams, 0, "name") != "Mine" {
		t.Errorf("teams: %v", teams)
	}
	// The role goes with the team.
	do(t, e, admin, "DELETE", "/admin/teams/"+mine, "")
	if roles := at(t, do(t, e, admin, "GET", "/admin/users/"+u, "").json(t), "_embedded", "roles").([]any); len(roles) != 0 {
		t.Errorf("roles after the team went: %v", roles)
	}
}

// TestOrderOfChecks: of several things that are wrong the first of 401, 404 for a
// route, 405, 403, 406, 404, 415, 400 is told.
func TestOrderOfChecks(t *testing.T) {
	t.Parallel()
	e := start(t, pactflowtest.Options{})
	text := []string{"Content-Type", "text/plain"}
	xml := append([]string{"Accept", "text/xml"}, text...)
	for _, tt := range []struct {
		token, method, url, body string
		header                   []string
		code                     int
	}{
		{"", "BREW", "/nowhere", "{", xml, 401},
		{pactflowtest.NoAccessToken, "BREW", "/nowhere", "{", xml, 404},
		{pactflowtest.NoAccessToken, "GET", "/admin/users/", "", nil, 404},
		{pactflowtest.NoAccessToken, "BREW", "/admin/users/x", "{", xml, 405},
		{pactflowtest.NoAccessToken, "PUT", "/admin/users/x", "{", xml, 403},
		{pactflowtest.ReadOnlyToken, "PUT", "/admin/users/x", "{", xml, 403},
		{pactflowtest.AdminToken, "PUT", "/admin/users/x", "{", xml, 406},
		{pactflowtest.AdminToken, "PUT", "/admin/users/x", "{", text, 404},
		{pactflowtest.AdminToken, "PUT", "/admin/users/" + pactflowtest.SampleUser, "{", text, 415},
		{pactflowtest.AdminToken, "PUT", "/admin/users/" + pactflowtest.SampleUser, "{", nil, 400},
		{pactflowtest.AdminToken, "HEAD", "/admin/users", "", nil, 200},
		{pactflowtest.AdminToken, "GET", "/admin/users/invite-user", "", nil, 405},
		{"", "POST", "/diagnostic/status/heartbeat", "", nil, 405},
	} {
		if got := do(t, e, tt.token, tt.method, tt.url, tt.body, tt.header...); got.code != tt.code {
			t.Errorf("%s %s with %q: %d, want %d", tt.method, tt.url, tt.token, got.code, tt.code)
		}
	}
}

// TestErrorShapes: problem details only for who asks for them.
func TestErrorShapes(t *testing.T) {
	t.Parallel()
	e := start(t, pactflowtest.Options{})
	conflict := start(t, pactflowtest.Options{DuplicateStatus: 409})
	for _, e := range []*pactflowtest.Emulator{e, conflict} {
		do(t, e, pactflowtest.SCIMToken, "POST", "/admin/teams", `{"name":"T"}`)
	}
	const registry = `https://problems-registry.smartbear.com/`
	for _, tt := range []struct {
		name               string
		e                  *pactflowtest.Emulator
		token, method, url string
		body, legacy, full string
	}{
		{"401", e, "", "GET", "/user", "", `{"error":"A valid API token is required"}`,
			`{"title":"Unauthorized","type":"` + registry + `unauthorized","status":401,"detail":"A valid API token is required"}`},
		{"400", e, pactflowtest.AdminToken, "POST", "/admin/teams", `{}`, `{"errors":{"name":["can't be blank"]}}`,
			`{"title":"Validation errors","type":"` + registry + `validation-error","status":400,"errors":[{"type":"` + registry +
				`missing-body-property","title":"Validation error","detail":"can't be blank","pointer":"/name"}]}`},
		{"taken", e, pactflowtest.SCIMToken, "POST", "/admin/teams", `{"name":"T"}`, `{"errors":{"name":["A team with name 'T' already exists"]}}`,
			`{"title":"Validation errors","type":"` + registry + `validation-error","status":400,"errors":[{"type":"` + registry +
				`already-exists","title":"Validation error","detail":"A team with name 'T' already exists","pointer":"/name"}]}`},
		{"409", conflict, pactflowtest.SCIMToken, "POST", "/admin/teams", `{"name":"T"}`, `{"errors":{"name":["A team with name 'T' already exists"]}}`,
			`{"title":"Conflict","type":"` + registry + `already-exists","status":409,"errors":[{"type":"` + registry +
				`already-exists","title":"Validation error","detail":"A team with name 'T' already exists","pointer":"/name"}]}`},
		{"422", e, pactflowtest.AdminToken, "DELETE", "/admin/teams/" + pactflowtest.SampleTeam, "", `{"errors":["The default team cannot be deleted"]}`,
			`{"title":"Unprocessable Entity","type":"` + registry + `business-rule-violation","status":422,"detail":"The default team cannot be deleted"}`},
		{"UTF-8", e, pactflowtest.AdminToken, "POST", "/admin/teams", "{\"name\":\"\xff\"}", `{"error":"The request body is not valid UTF-8"}`,
			`{"title":"Bad Request","type":"` + registry + `invalid-body","status":400,"detail":"The request body is not valid UTF-8"}`},
	} {
		if got := do(t, tt.e, tt.token, tt.method, tt.url, tt.body); got.body != tt.legacy ||
			got.header.Get("Content-Type") != "application/hal+json;charset=utf-8" {
			t.Errorf("%s: %s", tt.name, got.body)
		}
		if got := do(t, tt.e, tt.token, tt.method, tt.url, tt.body, "Accept", problem); got.body != tt.full ||
			got.header.Get("Content-Type") != "application/problem+json;charset=utf-8" {
			t.Errorf("%s: %s", tt.name, got.body)
		}
	}
	silent := start(t, pactflowtest.Options{EmptyAuthBodies: true})
	for token, code := range map[string]int{"": 401, pactflowtest.NoAccessToken: 403} {
		if got := do(t, silent, token, "GET", "/admin/users", ""); got.code != code || got.body != "" || got.header.Get("Content-Type") != "" {
			t.Errorf("%d %q %v", got.code, got.body, got.header)
		}
	}
}
