package pactflowtest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
)

// terraform sends what the vendor's Terraform client sends: its headers, and
// bodies that end with a newline, also on GET and DELETE.
func terraform(t *testing.T, base, method, url, body string) reply {
	t.Helper()
	var in *strings.Reader = strings.NewReader("")
	if body != "" {
		in = strings.NewReader(body + "\n")
	}
	r, err := http.NewRequest(method, base+url, in)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "application/hal+json, application/json")
	r.Header.Set("Authorization", "Bearer "+pactflowtest.AdminToken)
	r.Header.Set("User-Agent", "terraform-pact/v0.10.1")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return reply{resp.StatusCode, resp.Header, readAll(t, resp.Body)}
}

// vars are uuids that later steps of a conversation refer to as $name.
type vars map[string]string

func (v vars) in(s string) string {
	for name, value := range v {
		s = strings.ReplaceAll(s, "$"+name, value)
	}
	return s
}

// TestTerraform replays what the Terraform client sends, in an order that makes
// sense, over TCP; needs is what it reads from the answer.
func TestTerraform(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"1.28.0", "1.31.0", "2.3.0"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(start(t, pactflowtest.Options{Version: version}))
			defer srv.Close()
			v := vars{"user1": pactflowtest.SampleUser, "viewer": pactflowtest.RoleViewer}
			for _, step := range []struct {
				name, method, url, body string
				code                    int
				needs                   string // a key of the JSON, or a path of keys
				save                    string // what the uuid or the Location's last segment is called later
			}{
				{"CreateUser", "POST", "/admin/users/invite-user", `{"name":"N","email":"e@x","active":true,"_embedded":{}}`, 200, "uuid", "u"},
				{"CreateSystemAccount", "POST", "/admin/system-accounts", `{"name":"SA","active":true,"type":1,"_embedded":{}}`, 201, "Location", "sa"},
				{"CreateSystemAccount again", "POST", "/admin/system-accounts", `{"name":"SA","active":true,"type":1,"_embedded":{}}`, 400, "errors.name", ""},
				{"ReadUser", "GET", "/admin/users/$u", "", 200, "uuid", ""},
				{"ReadUser of a system account", "GET", "/admin/users/$sa", "", 200, "uuid", ""},
				{"UpdateUser", "PUT", "/admin/users/$u", `{"uuid":"$u","name":"N2","email":"e@x","active":true,"_embedded":{}}`, 200, "uuid", ""},
				{"SetUserRoles", "PUT", "/admin/users/$u/roles", `{"roles":["$viewer"]}`, 204, "", ""},
				{"SetUserRoles of a system account", "PUT", "/admin/users/$sa/roles", `{"roles":["$viewer"]}`, 204, "", ""},
				{"SetUserRoles unknown", "PUT", "/admin/users/$u/roles", `{"roles":["nobody"]}`, 400, "errors.roles", ""},
				{"SetUserRoles none", "PUT", "/admin/users/$u/roles", `{"roles":[]}`, 204, "", ""},
				{"SetUserRoles nil", "PUT", "/admin/users/$u/roles", `{"roles":null}`, 400, "errors.roles", ""},
				{"AddAdminRoleToUser", "PUT", "/admin/users/$u/role/admin", `{"uuid":"$u","active":true,"_embedded":{}}`, 200, "uuid", ""},
				{"RemoveAdminRoleFromUser", "DELETE", "/admin/users/$u/role/admin", `{"uuid":"$u","active":true,"_embedded":{}}`, 200, "uuid", ""},
				{"CreateTeam", "POST", "/admin/teams", `{"name":"T","administratorUuids":["$u"]}`, 201, "uuid", "t"},
				{"ReadTeam", "GET", "/admin/teams/$t", "", 200, "_embedded.members", ""},
				{"UpdateTeam", "PUT", "/admin/teams/$t", `{"name":"T2","administratorUuids":["$u"]}`, 200, "uuid", ""},
				{"UpdateTeamAssignments", "PUT", "/admin/teams/$t/users", `{"users":["$u"]}`, 200, "_embedded.users", ""},
				{"AppendTeamAssignments", "POST", "/admin/teams/$t/users", `{"users":["$sa"]}`, 200, "_embedded.users", ""},
				{"ReadTeamAssignments", "GET", "/admin/teams/$t/users", `{"uuid":"$t","name":"T2","_embedded":{}}`, 200, "_embedded.users", ""},
				{"DeleteTeamAssignments", "DELETE", "/admin/teams/$t/users", `{"users":["$u"]}`, 204, "", ""},
				{"DeleteTeamAssignment", "DELETE", "/admin/teams/$t/users/$sa", "", 204, "", ""},
				{"DeleteTeamAssignment again", "DELETE", "/admin/teams/$t/users/$sa", "", 404, "error", ""},
				{"UpdateTeamAssignments none", "PUT", "/admin/teams/$t/users", `{"users":[]}`, 200, "_embedded.users", ""},
				{"DeleteTeam", "DELETE", "/admin/teams/$t", "", 204, "", ""},
				{"ReadTeam gone", "GET", "/admin/teams/$t", "", 404, "error", ""},
				{"DeleteUser", "PUT", "/admin/users/$u", `{"uuid":"$u","name":"N","active":false,"_embedded":{}}`, 200, "uuid", ""},
				{"ReadRole", "GET", "/admin/roles/$viewer", "", 200, "permissions", ""},
				{"a path escaped twice", "GET", "/admin/users/a%2520b", "", 404, "error", ""},
			} {
				got := terraform(t, srv.URL, step.method, v.in(step.url), v.in(step.body))
				if got.code != step.code {
					t.Fatalf("%s: %d %s", step.name, got.code, got.body)
				}
				last := ""
				switch {
				case step.needs == "Location":
					last = path.Base(got.header.Get("Location"))
				case step.needs != "":
					var keys []any
					for k := range strings.SplitSeq(step.needs, ".") {
						keys = append(keys, k)
					}
					found := at(t, got.json(t), keys...)
					if found == nil {
						t.Fatalf("%s: no %s in %s", step.name, step.needs, got.body)
					}
					last, _ = found.(string)
				}
				if strings.HasPrefix(got.header.Get("Content-Type"), "application/problem+json") {
					t.Errorf("%s: problem details for a client that did not ask for them", step.name)
				}
				if step.save != "" {
					v[step.save] = last
				}
			}
		})
	}
}

// TestTerraformOldTeams: before 1.28.0 a new team had no uuid of its own.
func TestTerraformOldTeams(t *testing.T) {
	t.Parallel()
	e := start(t, pactflowtest.Options{Version: "1.26.0"})
	got := do(t, e, pactflowtest.AdminToken, "POST", "/admin/teams", `{"name":"T"}`)
	if got.code != 200 || got.header.Get("Location") != "" {
		t.Fatalf("%d %v", got.code, got.header)
	}
	v := got.json(t)
	if v["uuid"] != nil || at(t, v, "teams", 1, "name") != "T" || at(t, v, "_links", "self", "title") != "Teams" {
		t.Error(got.body)
	}
}

// TestFlows does what the Terraform resources do beyond one call.
func TestFlows(t *testing.T) {
	t.Parallel()
	e := start(t, pactflowtest.Options{NoDefaults: true})
	call := func(method, url, body string, code int) map[string]any {
		t.Helper()
		got := do(t, e, pactflowtest.AdminToken, method, url, body)
		if got.code != code {
			t.Fatalf("%s %s: %d %s", method, url, got.code, got.body)
		}
		if got.body == "" {
			return nil
		}
		return got.json(t)
	}
	u := call("POST", "/admin/users", `{"name":"N","email":"n@example.com"}`, 201)["uuid"].(string)
	var teams []string
	for _, name := range []string{"A", "B"} {
		id := call("POST", "/admin/teams", `{"name":"`+name+`"}`, 201)["uuid"].(string)
		call("PUT", "/admin/teams/"+id+"/users", `{"users":["`+u+`"]}`, 200)
		teams = append(teams, id)
	}
	// A user is taken away: out of each team it says it is in, then inactive.
	user := call("GET", "/admin/users/"+u, "", 200)
	call("PUT", "/admin/users/"+u+"/roles", `{"roles":[]}`, 204)
	for _, m := range at(t, user, "_embedded", "teams").([]any) {
		call("DELETE", "/admin/teams/"+at(t, m, "uuid").(string)+"/users/"+u, "", 204)
	}
	user = call("PUT", "/admin/users/"+u, `{"uuid":"`+u+`","name":"N","active":false,"_embedded":{}}`, 200)
	if user["active"] != false || len(at(t, user, "_embedded", "teams").([]any)) != 0 || user["email"] != "n@example.com" {
		t.Error(user)
	}
	if n := call("GET", "/admin/teams/"+teams[0], "", 200)["numberOfMembers"]; n != 0.0 {
		t.Errorf("%v members are left", n)
	}
	for _, id := range teams {
		call("DELETE", "/admin/teams/"+id, "", 204)
	}
	if e.MailsSent() != 0 {
		t.Error("a mail was sent")
	}
}

// TestContracts replays the interactions that the vendor's own clients have
// published; the Terraform ones are in TestTerraform.
func TestContracts(t *testing.T) {
	t.Parallel()
	e := start(t, pactflowtest.Options{})
	ids := vars{"u": "819f0000-0000-4000-8000-000000000001", "t": "99640000-0000-4000-8000-000000000001",
		"gone": "819f0000-0000-4000-8000-00000000000d", "cicd": pactflowtest.RoleCICD, "default": pactflowtest.SampleTeam}
	s := e.State()
	now := s.Users[0].CreatedAt
	s.Users = append(s.Users,
		pactflowtest.User{UUID: ids["u"], Name: "Una", Email: "una@example.com", Active: true, CreatedAt: now, UpdatedAt: now},
		pactflowtest.User{UUID: ids["gone"], Name: "Gone", CreatedAt: now, UpdatedAt: now, DeletedAt: now})
	s.Teams = append(s.Teams, pactflowtest.Team{UUID: ids["t"], Name: "Radiators", CreatedAt: now, UpdatedAt: now})
	doc, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if got := do(t, e, "", "PUT", "/__emu/state", string(doc)); got.code != 204 {
		t.Fatal(got)
	}
	for _, step := range []struct {
		name, method, url, body string
		code                    int
		needs                   string
	}{
		{"list users", "GET", "/admin/users", "", 200, "users"},
		{"a page of users", "GET", "/admin/users?page=1&size=1&active=true&userType=0&q=una", "", 200, "page"},
		{"a bad page", "GET", "/admin/users?page=0", "", 400, "errors"},
		{"get a user", "GET", "/admin/users/$u", "", 200, "_embedded"},
		{"get nobody", "GET", "/admin/users/00000000-0000-4000-8000-000000000000", "", 404, ""},
		{"get a deleted user", "GET", "/admin/users/$gone", "", 410, ""},
		{"create a user", "POST", "/admin/users", `{"email":"new@example.com","name":"New"}`, 201, "uuid"},
		{"create an invalid user", "POST", "/admin/users", `{"email":"nonsense","name":"New"}`, 400, "errors"},
		{"a part of a user", "PUT", "/admin/users/$u", `{"name":"Una B","active":true}`, 200, "email"},
		{"set roles", "PUT", "/admin/users/$u/roles", `{"roles":["$cicd"]}`, 204, ""},
		{"add a role", "PUT", "/admin/users/$u/roles/$cicd", `{}`, 204, ""},
		{"remove a role", "DELETE", "/admin/users/$u/roles/$cicd", "", 204, ""},
		{"remove a role again", "DELETE", "/admin/users/$u/roles/$cicd", "", 404, ""},
		{"invite users", "POST", "/admin/users/invite-users", `{"users":[{"email":"i@example.com","name":"I"}]}`, 200, "users"},
		{"me", "GET", "/user", "", 200, "email"},
		{"tokens", "GET", "/admin/system-accounts/" + pactflowtest.SampleSystem + "/tokens", "", 200, "_embedded"},
		{"own tokens", "GET", "/settings/tokens", "", 200, "_embedded"},
		{"list teams", "GET", "/admin/teams?q=radi", "", 200, "teams"},
		{"create a team without a name", "POST", "/admin/teams", `{"name":""}`, 400, "errors"},
		{"rename to nothing", "PUT", "/admin/teams/$t", `{"name":""}`, 400, "errors"},
		{"rename", "PUT", "/admin/teams/$t", `{"name":"Heaters"}`, 200, "name"},
		{"not a member", "GET", "/admin/teams/$t/users/$u", "", 404, ""},
		{"patch in", "PATCH", "/admin/teams/$t/users", `[{"op":"add","path":"/users","value":{"uuid":"$u"}}]`, 200, "_embedded"},
		{"a member", "GET", "/admin/teams/$t/users/$u", "", 200, "_embedded"},
		{"patch out", "PATCH", "/admin/teams/$t/users", `[{"op":"remove","path":"/users","value":{"uuid":"$u"}}]`, 200, "_embedded"},
		{"patch nobody in", "PATCH", "/admin/teams/$t/users", `[{"op":"add","path":"/users","value":{"uuid":"x"}}]`, 400, "errors"},
		{"patch oddly", "PATCH", "/admin/teams/$t/users", `[{"op":"move","path":"/users","value":{"uuid":"$u"}}]`, 400, "errors"},
		{"the default team stays", "DELETE", "/admin/teams/$default", "", 422, "errors"},
		{"delete a team", "DELETE", "/admin/teams/$t", "", 204, ""},
		{"roles", "GET", "/admin/roles", "", 200, "_embedded"},
		{"permissions", "GET", "/admin/permissions", "", 200, "permissions"},
		{"delete a user", "DELETE", "/admin/users/$u", "", 204, ""},
		{"delete it again", "DELETE", "/admin/users/$u", "", 410, ""},
	} {
		got := do(t, e, pactflowtest.AdminToken, step.method, ids.in(step.url), ids.in(step.body))
		if got.code != step.code || step.needs != "" && got.json(t)[step.needs] == nil {
			t.Errorf("%s: %d %s", step.name, got.code, got.body)
		}
	}
	if e.MailsSent() != 1 {
		t.Errorf("%d mails", e.MailsSent())
	}
}
