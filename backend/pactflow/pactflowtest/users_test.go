package pactflowtest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
)

const scim = pactflowtest.SCIMToken

// create makes a user and returns its uuid.
func create(t testing.TB, e *pactflowtest.Emulator, body string) string {
	t.Helper()
	got := do(t, e, scim, "POST", "/admin/users", body)
	if got.code != 201 {
		t.Fatalf("%s: %d %s", body, got.code, got.body)
	}
	id := got.json(t)["uuid"].(string)
	if want := "http://pactflow:9292/admin/users/" + id; got.header.Get("Location") != want {
		t.Errorf("Location: %s", got.header.Get("Location"))
	}
	return id
}

func names(t testing.TB, list reply) []string {
	t.Helper()
	var out []string
	for _, u := range list.json(t)["users"].([]any) {
		name, _ := u.(map[string]any)["name"].(string)
		out = append(out, name)
	}
	return out
}

// TestListOrder: by name whatever its case, those without one last.
func TestListOrder(t *testing.T) {
	t.Parallel()
	e := start(t, pactflowtest.Options{Seed: "empty", Clock: "2026-01-01T00:00:00Z"})
	for _, n := range []string{"bob", "Ada", "Zoe", "ada", "Bob"} {
		create(t, e, `{"name":"`+n+`","email":"`+n+`@example.com"}`)
	}
	nameless := create(t, e, `{"name":"x","email":"x@example.com"}`)
	do(t, e, scim, "PUT", "/admin/users/"+nameless, `{"name":null}`)
	if got := fmt.Sprint(names(t, do(t, e, scim, "GET", "/admin/users", ""))); got != "[Ada ada bob Bob Zoe ]" {
		t.Error(got)
	}
	do(t, e, scim, "PUT", "/admin/users/"+nameless, `{"name":"Carl"}`)
	if got := fmt.Sprint(names(t, do(t, e, scim, "GET", "/admin/users", ""))); got != "[Ada ada bob Bob Carl Zoe]" {
		t.Error(got)
	}
	do(t, e, scim, "DELETE", "/admin/users/"+nameless, "")
	if got := fmt.Sprint(names(t, do(t, e, scim, "GET", "/admin/users", ""))); got != "[Ada ada bob Bob Zoe]" {
		t.Error(got)
	}
}

// TestPaging: both names of the parameters, links, and what they refuse.
func TestPaging(t *testing.T) {
	t.Parallel()
	e := start(t, pactflowtest.Options{Seed: "large:45"})
	old := start(t, pactflowtest.Options{Seed: "large:45", Version: "1.26.0"})
	const base = "http://pactflow:9292/admin/users?"
	for _, tt := range []struct {
		e                    *pactflowtest.Emulator
		query                string
		rows                 int
		page, next, previous string
	}{
		{e, "", 45, "", "", ""},
		{e, "page=1&size=20", 20, "1 20 45 3", "size=20&page=2", ""},
		{e, "page=2&size=20", 20, "2 20 45 3", "size=20&page=3", "size=20&page=1"},
		{e, "pageNumber=3&pageSize=20", 5, "3 20 45 3", "", "size=20&page=2"},
		{e, "page=9&size=20", 0, "9 20 45 3", "", "size=20&page=8"},
		{e, "page=1", 45, "1 100 45 1", "", ""},
		{e, "size=40", 40, "1 40 45 2", "size=40&page=2", ""},
		{e, "size=40&q=user+0000&active=true", 9, "1 40 9 1", "", ""},
		{e, "size=4&q=user+0000&active=true", 4, "1 4 9 3", "active=true&q=user+0000&size=4&page=2", ""},
		{e, "active=false", 4, "", "", ""},
		{e, "q=USER00007%40", 1, "", "", ""},
		{e, "userType=1", 0, "", "", ""},
		{old, "page=1&size=20", 45, "", "", ""},
		{old, "pageNumber=1&pageSize=20", 20, "1 20 45 3", "pageSize=20&pageNumber=2", ""},
	} {
		got := do(t, tt.e, scim, "GET", "/admin/users?"+tt.query, "").json(t)
		page := ""
		if p, ok := got["page"].(map[string]any); ok {
			page = fmt.Sprint(p["number"], p["size"], p["totalElements"], p["totalPages"])
		}
		href := func(rel string) string {
			l, ok := at(t, got, "_links", rel).(map[string]any)
			if !ok {
				return ""
			}
			return strings.TrimPrefix(l["href"].(string), base)
		}
		if n := len(got["users"].([]any)); n != tt.rows || page != tt.page || href("next") != tt.next || href("previous") != tt.previous {
			t.Errorf("%q: %d rows, page %q, next %q, previous %q", tt.query, n, page, href("next"), href("previous"))
		}
	}
	for _, q := range []string{"page=0", "size=-1", "page=x", "pageSize=0", "active=perhaps", "userType=2"} {
		if got := do(t, e, scim, "GET", "/admin/users?"+q, ""); got.code != 400 {
			t.Errorf("%s: %d", q, got.code)
		}
	}
	if got := do(t, e, scim, "GET", "/admin/teams?page=2&size=2", "").json(t); len(got["teams"].([]any)) != 1 ||
		at(t, got, "_links", "previous", "href") != "http://pactflow:9292/admin/teams?size=2&page=1" {
		t.Error(got)
	}
}

// TestNewUser: what a user is given without asking, and what it may ask for.
func TestNewUser(t *testing.T) {
	t.Parallel()
	e := start(t, pactflowtest.Options{Clock: "2026-01-01T00:00:00Z", HideLegacyRoles: true})
	got := do(t, e, scim, "POST", "/admin/users", `{"name":"N \"q\" é\u0001","email":"n@example.com","firstName":"F","lastName":"L",
		"externalIdpId":"7","externalIdpUsername":"n","active":false,"type":1,"uuid":"mine","roles":[],"_embedded":{"teams":[]}}`)
	v := got.json(t)
	for key, want := range map[string]any{"name": "N \"q\" é\u0001", "email": "n@example.com", "firstName": "F", "lastName": "L",
		"externalIdpId": "7", "externalIdpUsername": "n", "active": true, "type": 0.0, "typeDescription": "User",
		"createdAt": "2026-01-01T00:00:00+00:00", "updatedAt": "2026-01-01T00:00:00+00:00", "roles": nil, "identityProviderId": nil} {
		if v[key] != want {
			t.Errorf("%s: %v, want %v", key, v[key], want)
		}
	}
	if at(t, v, "_embedded", "roles", 0, "name") != "User" || at(t, v, "_embedded", "teams", 0, "name") != "Default" {
		t.Error(got.body)
	}
	want := []string{"updatedAt", "createdAt", "uuid", "name", "firstName", "lastName", "active", "email",
		"externalIdpUsername", "externalIdpId", "type", "typeDescription", "_embedded", "_links"}
	last := 0
	for _, key := range want {
		i := strings.Index(got.body[last:], `"`+key+`":`)
		if i < 0 {
			t.Fatalf("%s is not after the keys before it: %s", key, got.body)
		}
		last += i
	}
	plain := start(t, pactflowtest.Options{NoDefaults: true})
	id := create(t, plain, `{"name":"N","email":"n@example.com"}`)
	v = do(t, plain, scim, "GET", "/admin/users/"+id, "").json(t)
	if len(at(t, v, "_embedded", "roles").([]any))+len(at(t, v, "_embedded", "teams").([]any)) != 0 {
		t.Error(v)
	}
}

// TestInvalidUsers: what is refused, and that nothing of it is kept.
func TestInvalidUsers(t *testing.T) {
	t.Parallel()
	e := start(t, pactflowtest.Options{})
	id := create(t, e, `{"name":"N","email":"n@example.com","externalIdpUsername":"n"}`)
	before := fmt.Sprint(e.State())
	for _, tt := range []struct {
		token, method, url, body string
		code                     int
	}{
		{scim, "POST", "", `{"email":"a@example.com"}`, 400},
		{scim, "POST", "", `{"name":"","email":"a@example.com"}`, 400},
		{scim, "POST", "", `{"name":"A"}`, 400},
		{scim, "POST", "", `{"name":"A","email":"none"}`, 400},
		{scim, "POST", "", `{"name":7,"email":"a@example.com"}`, 400},
		{scim, "POST", "", `[]`, 400},
		{scim, "POST", "", `null`, 400},
		{scim, "POST", "", `{"name":"A","email":"a@example.com","externalIdpUsername":"N"}`, 400}, // folded
		{pactflowtest.AdminToken, "POST", "", `{"name":"A","email":"a@example.com","externalIdpId":""}`, 403},
		{pactflowtest.AdminToken, "PUT", "/" + id, `{"externalIdpId":"new"}`, 403},
		{scim, "PUT", "/" + id, `{"active":"true"}`, 400},
		{scim, "PUT", "/" + id, `{"active":null}`, 400},
		{scim, "PUT", "/" + id, `{"email":"none"}`, 400},
		{scim, "PUT", "/" + id, `{"firstName":{}}`, 400},
		{scim, "PUT", "/" + id + "/roles", `{}`, 400},
		{scim, "PUT", "/" + id + "/roles", `{"roles":null}`, 400},
		{scim, "PUT", "/" + id + "/roles", `{"roles":"x"}`, 400},
		{scim, "PUT", "/" + id + "/roles", `{"roles":["` + pactflowtest.RoleViewer + `","x"]}`, 400},
		{scim, "PUT", "/" + id + "/roles/x", `{}`, 404},
		{scim, "PUT", "/" + id + "/roles/" + pactflowtest.RoleViewer, `[]`, 400},
		{scim, "DELETE", "/" + id + "/roles/" + pactflowtest.RoleViewer, "", 404},
		{pactflowtest.AdminToken, "POST", "/../system-accounts", `{"name":"SCIM"}`, 400},
		{pactflowtest.AdminToken, "POST", "/../system-accounts", `{}`, 400},
		{scim, "POST", "/invite-user", `{"name":"A"}`, 400},
		{scim, "POST", "/invite-users", `{"users":[]}`, 400},
		{scim, "POST", "/invite-users", `{"users":[{"email":"a@example.com"},{"email":"b"}]}`, 400},
	} {
		url := strings.Replace("/admin/users"+tt.url, "/users/..", "", 1)
		if got := do(t, e, tt.token, tt.method, url, tt.body); got.code != tt.code {
			t.Errorf("%s %s %s: %d %s", tt.method, url, tt.body, got.code, got.body)
		}
	}
	if after := fmt.Sprint(e.State()); after != before {
		t.Errorf("the state changed:\n%s\n%s", before, after)
	}
	// Values that stay may be sent by who could not change them.
	if got := do(t, e, pactflowtest.AdminToken, "PUT", "/admin/users/"+id, `{"name":"M","externalIdpUsername":"n"}`); got.code != 200 {
		t.Errorf("%d %s", got.code, got.body)
	}
}

// TestUserOptions: every option that decides what public documents leave open.
func TestUserOptions(t *testing.T) {
	t.Parallel()
	full := `{"name":"N","email":"n@example.com","firstName":"F","externalIdpUsername":"n","externalIdpId":"7"}`
	again := `{"name":"M","email":"N@example.com","externalIdpUsername":"m"}`
	same := `{"name":"M","email":"m@example.com","externalIdpUsername":"n"}`
	for name, tt := range map[string]struct {
		o    pactflowtest.Options
		call func(t *testing.T, e *pactflowtest.Emulator, id string) any
		want any
	}{
		"put keeps": {pactflowtest.Options{}, func(t *testing.T, e *pactflowtest.Emulator, id string) any {
			v := do(t, e, scim, "PUT", "/admin/users/"+id, `{"lastName":"L"}`).json(t)
			return fmt.Sprint(v["name"], v["email"], v["firstName"], v["lastName"], v["externalIdpUsername"], v["externalIdpId"])
		}, "Nn@example.comFLn7"},
		"put clears": {pactflowtest.Options{PutOmittedClears: true}, func(t *testing.T, e *pactflowtest.Emulator, id string) any {
			do(t, e, scim, "PUT", "/admin/users/"+id, `{"active":false,"name":"N"}`)
			v := do(t, e, scim, "PUT", "/admin/users/"+id, `{"lastName":"L"}`).json(t)
			return fmt.Sprint(v["name"], v["email"], v["lastName"], v["externalIdpUsername"], v["active"])
		}, "<nil> <nil>L<nil> true"},
		"put clears what the token may": {pactflowtest.Options{PutOmittedClears: true}, func(t *testing.T, e *pactflowtest.Emulator, id string) any {
			return do(t, e, pactflowtest.AdminToken, "PUT", "/admin/users/"+id, `{}`).json(t)["externalIdpUsername"]
		}, "n"},
		"emails may be equal": {pactflowtest.Options{}, func(t *testing.T, e *pactflowtest.Emulator, _ string) any {
			return do(t, e, scim, "POST", "/admin/users", again).code
		}, 201},
		"emails are unique": {pactflowtest.Options{RejectSameEmail: true}, func(t *testing.T, e *pactflowtest.Emulator, _ string) any {
			return do(t, e, scim, "POST", "/admin/users", again).code
		}, 400},
		"user names may be equal": {pactflowtest.Options{AllowSameUserName: true}, func(t *testing.T, e *pactflowtest.Emulator, _ string) any {
			return do(t, e, scim, "POST", "/admin/users", same).code
		}, 201},
		"duplicates are 409": {pactflowtest.Options{DuplicateStatus: 409}, func(t *testing.T, e *pactflowtest.Emulator, _ string) any {
			return do(t, e, scim, "POST", "/admin/users", same).code
		}, 409},
		"a deleted user's name stays taken": {pactflowtest.Options{}, func(t *testing.T, e *pactflowtest.Emulator, id string) any {
			do(t, e, scim, "DELETE", "/admin/users/"+id, "")
			return do(t, e, scim, "POST", "/admin/users", same).code
		}, 400},
		"a deleted user's name is free": {pactflowtest.Options{AllowSameUserName: true}, func(t *testing.T, e *pactflowtest.Emulator, id string) any {
			do(t, e, scim, "DELETE", "/admin/users/"+id, "")
			return do(t, e, scim, "POST", "/admin/users", same).code
		}, 201},
		"inactive users are listed": {pactflowtest.Options{Seed: "empty"}, deactivated, 1},
		"inactive users are hidden": {pactflowtest.Options{Seed: "empty", HideInactive: true}, deactivated, 0},
		"absent is left out": {pactflowtest.Options{}, func(t *testing.T, e *pactflowtest.Emulator, id string) any {
			return strings.Contains(do(t, e, scim, "GET", "/admin/users/"+id, "").body, "lastName")
		}, false},
		"absent is null": {pactflowtest.Options{Nulls: true}, func(t *testing.T, e *pactflowtest.Emulator, id string) any {
			return strings.Contains(do(t, e, scim, "GET", "/admin/users/"+id, "").body, `"lastName":null,"active":true,"lastLogin":null`)
		}, true},
		"external ids are shown": {pactflowtest.Options{}, func(t *testing.T, e *pactflowtest.Emulator, id string) any {
			return do(t, e, pactflowtest.ViewerToken, "GET", "/admin/users/"+id, "").json(t)["externalIdpId"]
		}, "7"},
		"external ids are guarded": {pactflowtest.Options{GuardExternal: true}, func(t *testing.T, e *pactflowtest.Emulator, id string) any {
			theirs := do(t, e, scim, "GET", "/admin/users/"+id, "").json(t)["externalIdpId"]
			return fmt.Sprint(theirs, do(t, e, pactflowtest.ViewerToken, "GET", "/admin/users/"+id, "").json(t)["externalIdpId"])
		}, "7<nil>"},
		"a put changes updatedAt": {pactflowtest.Options{Clock: "2026-01-01T00:00:00Z"}, func(t *testing.T, e *pactflowtest.Emulator, id string) any {
			v := do(t, e, scim, "PUT", "/admin/users/"+id, `{"name":"N"}`).json(t)
			return fmt.Sprint(v["createdAt"], v["updatedAt"])
		}, "2026-01-01T00:00:00+00:002026-01-01T00:00:01+00:00"},
		"roles leave updatedAt": {pactflowtest.Options{Clock: "2026-01-01T00:00:00Z"}, givenRole, "2026-01-01T00:00:00+00:00"},
		"roles change updatedAt": {pactflowtest.Options{Clock: "2026-01-01T00:00:00Z", TouchAlways: true}, givenRole,
			"2026-01-01T00:00:01+00:00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, tt.o)
			if got := tt.call(t, e, create(t, e, full)); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

func deactivated(t *testing.T, e *pactflowtest.Emulator, id string) any {
	do(t, e, scim, "PUT", "/admin/users/"+id, `{"active":false}`)
	return len(names(t, do(t, e, scim, "GET", "/admin/users", "")))
}

func givenRole(t *testing.T, e *pactflowtest.Emulator, id string) any {
	do(t, e, scim, "PUT", "/admin/users/"+id+"/roles", `{"roles":[]}`)
	return do(t, e, scim, "GET", "/admin/users/"+id, "").json(t)["updatedAt"]
}

// TestSystemAccounts: their own way in, role and name.
func TestSystemAccounts(t *testing.T) {
	t.Parallel()
	e := start(t, pactflowtest.Options{})
	admin := pactflowtest.AdminToken
	got := do(t, e, admin, "POST", "/admin/system-accounts", `{"name":"CI"}`)
	v := got.json(t)
	id := v["uuid"].(string)
	if got.header.Get("Location") != "http://pactflow:9292/admin/system-accounts/"+id || v["type"] != 1.0 ||
		at(t, v, "_embedded", "roles", 0, "name") != "CI/CD" || at(t, v, "_embedded", "teams", 0, "name") != "Default" {
		t.Errorf("%v %s", got.header, got.body)
	}
	if got := do(t, e, admin, "PUT", "/admin/users/"+id, `{"name":"SCIM"}`); got.code != 400 {
		t.Errorf("a name that is taken: %d", got.code)
	}
	if got := do(t, e, scim, "PUT", "/admin/users/"+id, `{"name":"X"}`); got.code != 403 {
		t.Errorf("scim: %d", got.code)
	}
	if n := names(t, do(t, e, admin, "GET", "/admin/users?userType=1", "")); !slices.Equal(n, []string{"CI", "SCIM"}) {
		t.Error(n)
	}
	do(t, e, admin, "DELETE", "/admin/users/"+id, "")
	if got := do(t, e, admin, "POST", "/admin/system-accounts", `{"name":"CI"}`); got.code != 201 {
		t.Errorf("the name of one that is gone: %d", got.code)
	}
}
