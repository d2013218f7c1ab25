package pactflowtest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
)

// crew makes n users called u0, u1 … and a team T without members.
func crew(t *testing.T, e *pactflowtest.Emulator, n int) vars {
	t.Helper()
	v := vars{"system": pactflowtest.SampleSystem}
	for i := range n {
		v[fmt.Sprint("u", i)] = create(t, e, fmt.Sprintf(`{"name":"u%d","email":"u%d@example.com"}`, i, i))
	}
	do(t, e, scim, "POST", "/admin/teams", `{"name":"T"}`)
	for _, team := range do(t, e, scim, "GET", "/admin/teams?q=t", "").json(t)["teams"].([]any) {
		if at(t, team, "name") == "T" {
			v["t"] = at(t, team, "uuid").(string)
		}
	}
	return v
}

// members are the names in a team's answer, and how many the team says it has.
func members(t *testing.T, e *pactflowtest.Emulator, token, id string) string {
	t.Helper()
	team := do(t, e, token, "GET", "/admin/teams/"+id, "").json(t)
	var out []string
	for _, m := range at(t, team, "_embedded", "members").([]any) {
		out = append(out, at(t, m, "name").(string))
	}
	return fmt.Sprint(out, team["numberOfMembers"])
}

// TestMembers changes the members of one team in every way.
func TestMembers(t *testing.T) {
	t.Parallel()
	e := start(t, pactflowtest.Options{NoDefaults: true})
	v := crew(t, e, 4)
	for _, step := range []struct {
		method, url, body string
		code              int
		want              string
	}{
		{"PUT", "", `{"users":["$u2","$u0","$u2"]}`, 200, "[u2 u0] 2"},
		{"POST", "", `{"users":["$u0","$u1"]}`, 200, "[u2 u0 u1] 3"},
		{"PUT", "", `{"users":["$u3","$u1","$u2"]}`, 200, "[u2 u1 u3] 3"}, // who stays keeps their place
		{"PATCH", "", `[{"op":"remove","path":"/users","value":{"uuid":"$u2"}},{"op":"add","path":"/users","value":{"uuid":"$u0"}},
			{"op":"add","path":"/users","value":{"uuid":"$u1"}},{"op":"remove","path":"/users","value":{"uuid":"$u2"}}]`, 200, "[u1 u3 u0] 3"},
		{"PATCH", "", `[{"op":"add","path":"/users","value":{"uuid":"$u2"}},{"op":"remove","path":"/users","value":{"uuid":"$u2"}}]`, 200, "[u1 u3 u0] 3"},
		{"PATCH", "", `[]`, 400, "[u1 u3 u0] 3"},
		{"PATCH", "", `{"op":"add"}`, 400, "[u1 u3 u0] 3"},
		{"PATCH", "", `[{"op":"add","path":"/name","value":{"uuid":"$u2"}}]`, 400, "[u1 u3 u0] 3"},
		{"PUT", "", `{"users":["$u2","nobody"]}`, 400, "[u1 u3 u0] 3"},
		{"PUT", "", `{"users":null}`, 400, "[u1 u3 u0] 3"},
		{"POST", "", `{"users":[1]}`, 400, "[u1 u3 u0] 3"},
		{"DELETE", "/$u3", "", 204, "[u1 u0] 2"},
		{"DELETE", "/$u3", "", 404, "[u1 u0] 2"},
		{"DELETE", "", `{"users":["$u1","$u3"]}`, 204, "[u0] 1"},
		{"POST", "", `{"users":["$system"]}`, 200, "[u0] 2"}, // there, but not shown
		{"PUT", "", `{"users":[]}`, 200, "[] 0"},
	} {
		got := do(t, e, scim, step.method, v.in("/admin/teams/$t/users"+step.url), v.in(step.body))
		if now := members(t, e, scim, v["t"]); got.code != step.code || now != step.want {
			t.Errorf("%s %s: %d %s, members %s, want %s", step.method, step.body, got.code, got.body, now, step.want)
		}
	}
	strict := start(t, pactflowtest.Options{StrictPatch: true})
	v = crew(t, strict, 1)
	if got := do(t, strict, scim, "PATCH", v.in("/admin/teams/$t/users"), v.in(`[{"op":"remove","path":"/users","value":{"uuid":"$u0"}}]`)); got.code != 400 {
		t.Errorf("removing who is no member: %d", got.code)
	}
}

// TestMembersTouch: whether changed members change the team's updatedAt.
func TestMembersTouch(t *testing.T) {
	t.Parallel()
	for _, always := range []bool{false, true} {
		e := start(t, pactflowtest.Options{TouchAlways: always, Clock: "2026-01-01T00:00:00Z"})
		v := crew(t, e, 1)
		do(t, e, scim, "PUT", v.in("/admin/teams/$t/users"), v.in(`{"users":["$u0"]}`))
		got, _ := do(t, e, scim, "GET", v.in("/admin/teams/$t"), "").json(t)["updatedAt"].(string)
		if want := map[bool]string{true: "2026-01-01T00:00:02+00:00"}[always]; got != want {
			t.Errorf("always %t: %q, want %q", always, got, want)
		}
	}
}

// TestMemberLinks: a member links below its team, a user's team below /teams.
func TestMemberLinks(t *testing.T) {
	t.Parallel()
	e := start(t, pactflowtest.Options{})
	team, user := pactflowtest.SampleTeam, pactflowtest.SampleUser
	m := do(t, e, scim, "GET", "/admin/teams/"+team+"/users/"+user, "").json(t)
	if got := at(t, m, "_embedded", "user", "_links", "self", "href"); got != "http://pactflow:9292/admin/teams/"+team+"/"+user {
		t.Error(got)
	}
	if got := at(t, m, "_embedded", "user", "_embedded", "teams", 0, "_links", "pf:membership", "href"); got != "http://pactflow:9292/teams/"+team+"/users/"+user {
		t.Error(got)
	}
	if got := do(t, e, scim, "GET", "/admin/teams/"+team+"/users/"+pactflowtest.SampleSystem, ""); got.code != 403 {
		t.Errorf("a system account: %d", got.code)
	}
	if got := do(t, e, scim, "GET", "/teams/"+team, ""); got.code != 404 {
		t.Errorf("the address of a link: %d", got.code)
	}
}

// TestTeamPut: what a change of a team keeps.
func TestTeamPut(t *testing.T) {
	t.Parallel()
	for _, clears := range []bool{false, true} {
		e := start(t, pactflowtest.Options{PutOmittedClears: clears, Clock: "2026-01-01T00:00:00Z"})
		env := e.State().Environments[0].UUID
		v := crew(t, e, 1)
		do(t, e, scim, "PUT", v.in("/admin/teams/$t/users"), v.in(`{"users":["$u0"]}`))
		got := do(t, e, scim, "PUT", v.in("/admin/teams/$t"),
			v.in(`{"name":"T","administratorUuids":["$u0"],"environmentUuids":["`+env+`"],"pacticipantNames":["p","p"]}`))
		if got.code != 200 || strings.Contains(got.body, `"members"`) || got.json(t)["numberOfMembers"] != 1.0 {
			t.Errorf("%d %s", got.code, got.body)
		}
		if got.json(t)["updatedAt"] != "2026-01-01T00:00:03+00:00" || got.json(t)["createdAt"] != "2026-01-01T00:00:01+00:00" {
			t.Error(got.body)
		}
		count := func() string {
			team := at(t, do(t, e, scim, "GET", v.in("/admin/teams/$t"), "").json(t), "_embedded")
			var n []int
			for _, k := range []string{"members", "administrators", "environments", "pacticipants"} {
				n = append(n, len(at(t, team, k).([]any)))
			}
			return fmt.Sprint(n)
		}
		if got := count(); got != "[1 1 1 1]" {
			t.Error(got)
		}
		do(t, e, scim, "PUT", v.in("/admin/teams/$t"), `{"name":"T2"}`)
		if got, want := count(), map[bool]string{false: "[1 1 1 1]", true: "[1 0 0 0]"}[clears]; got != want {
			t.Errorf("clears %t: %s, want %s", clears, got, want)
		}
		for _, body := range []string{`{}`, `{"name":" "}`, `{"name":"Default"}`, `{"name":"T","administratorUuids":["x"]}`,
			`{"name":"T","environmentUuids":["x"]}`, `{"name":"T","pacticipantNames":[1]}`, `{"name":1}`} {
			if got := do(t, e, scim, "PUT", v.in("/admin/teams/$t"), body); got.code != 400 {
				t.Errorf("%s: %d", body, got.code)
			}
		}
	}
}

// TestDeletedUser: gone from its teams, and from the list; its uuid answers 410.
func TestDeletedUser(t *testing.T) {
	t.Parallel()
	e := start(t, pactflowtest.Options{})
	v := crew(t, e, 2)
	do(t, e, scim, "PUT", v.in("/admin/teams/$t"), v.in(`{"name":"T","administratorUuids":["$u0"]}`))
	do(t, e, scim, "PUT", v.in("/admin/teams/$t/users"), v.in(`{"users":["$u0","$u1"]}`))
	if got := do(t, e, scim, "DELETE", v.in("/admin/users/$u0"), ""); got.code != 204 || got.body != "" {
		t.Fatal(got)
	}
	if got := members(t, e, scim, v["t"]); got != "[u1] 1" {
		t.Error(got)
	}
	for _, call := range []string{"GET ", "PUT ", "DELETE ", "PUT /roles", "PUT /role/admin"} {
		method, url, _ := strings.Cut(call, " ")
		if got := do(t, e, scim, method, v.in("/admin/users/$u0"+url), "{}"); got.code != 410 {
			t.Errorf("%s: %d", call, got.code)
		}
	}
	for _, body := range []string{`{"users":["$u0"]}`} {
		if got := do(t, e, scim, "POST", v.in("/admin/teams/$t/users"), v.in(body)); got.code != 400 {
			t.Errorf("%d", got.code)
		}
	}
}
