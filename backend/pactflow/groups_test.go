package pactflow_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/pactflow"
	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
)

func oktaID(n int) string { return fmt.Sprintf("0000000c-0000-4000-8000-%012x", n) }

// group is the body of a group.
func group(name string, members ...string) string {
	b := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":%q`, name)
	if members != nil {
		b += `,"members":` + values(members...)
	}
	return b + `}`
}

func values(ids ...string) string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = fmt.Sprintf(`{"value":%q}`, id)
	}
	return "[" + strings.Join(list, ",") + "]"
}

// membersOf returns the members as the emulator has them, of all kinds.
func (r *rig) membersOf(id string) []string {
	for _, t := range r.emu.State().Teams {
		if t.UUID == id {
			return t.Members
		}
	}
	return nil
}

// makeGroup makes a group without looking at the calls.
func (r *rig) makeGroup(name string, members ...string) string {
	r.Helper()
	id := r.want(201, "POST /Groups", group(name, members...)).id()
	r.calls()
	return id
}

// TestReadGroups is mapping 3.1 for groups.
func TestReadGroups(t *testing.T) {
	t.Parallel()
	r := okta(t, pactflow.Options{})
	one := r.makeGroup("One", adaID, benID)
	r.makeGroup("Two")
	a := r.want(200, "GET /Groups/"+one, "")
	r.called(getTeam)
	want := `"resourceType":"Group","location":"http://localhost:8100/scim/Groups/` + one + `"},"displayName":"One","members":[` +
		`{"value":"` + adaID + `","display":"Ada Okta","type":"User","$ref":"Users/` + adaID + `"},` +
		`{"value":"` + benID + `","display":"Ben Okta","type":"User","$ref":"Users/` + benID + `"}]}`
	if !strings.HasSuffix(a.text, want) {
		t.Errorf("got  %s\nwant …%s", a.text, want)
	}
	for _, tt := range []struct {
		query string
		found int
		calls []string
	}{
		{"", 3, []string{listTeams, getTeam, getTeam, getTeam}},
		{"?excludedAttributes=members", 3, []string{listTeams}},
		{"?attributes=displayName", 3, []string{listTeams}},
		{"?count=1", 3, []string{listTeams, getTeam}},
		{"?filter=displayName eq \"One\"", 1, []string{listTeams, getTeam}},
		{"?filter=displayName eq \"one\"", 0, []string{listTeams}},
		{"?filter=id eq \"" + one + "\"", 1, []string{getTeam}},
		{"?filter=members.value eq \"" + adaID + "\"", 2, []string{getUser, getTeam, getTeam}},
		{"?filter=members[value eq \"" + adaID + "\"] and displayName eq \"One\"", 1, []string{getUser, getTeam, getTeam}},
		{"?filter=members.value eq \"nobody\"", 0, []string{getUser}},
		{"?filter=members.display co \"ada\"", 2, []string{listTeams, getTeam, getTeam, getTeam}},
		{"?filter=displayName eq \"One\" and not (members.display eq \"x\")", 1, []string{listTeams, getTeam}},
		{"?filter=externalId eq \"x\"", 0, []string{listTeams}},
	} {
		a := r.want(200, "GET /Groups"+tt.query, "")
		if fmt.Sprint(a.json["totalResults"]) != fmt.Sprint(tt.found) {
			t.Errorf("%s: %s", tt.query, a.text)
		}
		r.called(tt.calls...)
	}
	if a := r.want(200, "GET /Groups?filter=displayName eq \"Two\"", ""); strings.Contains(a.text, "members") {
		t.Errorf("no members are shown as %s", a.text)
	}
	r.calls()
	// A team that goes while the others are read is left out.
	if err := r.emu.Inject(pactflowtest.Rule{Match: pactflowtest.Match{Method: "GET", Path: "/admin/teams/" + one},
		Fault: pactflowtest.Fault{Conflict: &pactflowtest.Conflict{Action: "delete"}}}); err != nil {
		t.Fatal(err)
	}
	if a := r.want(200, "GET /Groups", ""); fmt.Sprint(a.json["totalResults"]) != "2" || strings.Contains(a.text, one) {
		t.Errorf("%s", a.text)
	}
	// An account that the token may not read is looked for in the teams.
	if err := r.emu.Inject(pactflowtest.Rule{Match: pactflowtest.Match{Method: "GET", Path: "/admin/users/*"},
		Fault: pactflowtest.Fault{Status: &pactflowtest.Status{Code: 403}}}); err != nil {
		t.Fatal(err)
	}
	r.calls()
	r.want(200, "GET /Groups?filter=members.value eq \""+adaID+"\"", "")
	r.called(getUser, listTeams, getTeam, getTeam)
}

// TestWriteGroups is mapping 3.4 and 3.5.
func TestWriteGroups(t *testing.T) {
	t.Parallel()
	r := okta(t, pactflow.Options{})
	a := r.want(201, "POST /Groups", group("G"))
	r.called(listTeams, postTeam, getTeam)
	id := a.id()
	if a.header.Get("Location") != "http://localhost:8100/scim/Groups/"+id || strings.Contains(a.text, "externalId") {
		t.Errorf("%s", a.text)
	}
	r.want(201, "POST /Groups", group("H", adaID, adaID))
	r.called(listTeams, postTeam, putUsers, getTeam)
	r.refused(409, "uniqueness", "POST /Groups", group("G"))
	r.called(listTeams)
	r.want(201, "POST /Groups", strings.Replace(group("g"), `"displayName"`, `"externalId":"x","displayName"`, 1)) // another name than G
	r.calls()
	for _, body := range []string{`{}`, group(" "), group("new", "a/b")} {
		r.refused(400, "invalidValue", "POST /Groups", body)
		r.called()
	}

	// What a team has beside its members goes back with its name.
	if err := r.emu.Change(func(s *pactflowtest.State) {
		for i := range s.Teams {
			if s.Teams[i].UUID == id {
				s.Teams[i].Administrators, s.Teams[i].Environments, s.Teams[i].Pacticipants = []string{benID}, []string{s.Environments[0].UUID}, []string{"app"}
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, line, body string
		status           int
		calls            []string
		members          []string
	}{
		{"the same name, no members named", "PUT", group("G"), 200, []string{getTeam}, nil},
		{"no members, as it has", "PUT", group("G", []string{}...), 200, []string{getTeam}, nil},
		{"members", "PUT", group("G", adaID, benID), 200, []string{getTeam, putUsers, getTeam}, []string{adaID, benID}},
		{"the same", "PUT", group("G", benID, adaID), 200, []string{getTeam}, []string{adaID, benID}},
		{"another name", "PUT", group("G2"), 200, []string{getTeam, listTeams, putTeam}, []string{adaID, benID}},
		{"name and members", "PUT", group("G3", adaID), 200, []string{getTeam, listTeams, putUsers, putTeam, getTeam}, []string{adaID}},
		{"Okta names it", "PATCH", patchOf(`{"op":"replace","value":{"id":"x","displayName":"G3"}}`), 204, []string{getTeam}, []string{adaID}},
		{"add", "PATCH", patchOf(`{"op":"add","path":"members","value":` + values(benID, oktaID(3)) + `}`), 204, []string{getTeam, patchTeam}, []string{adaID, benID, oktaID(3)}},
		{"add who is there", "PATCH", patchOf(`{"op":"add","path":"members","value":` + values(benID) + `}`), 204, []string{getTeam}, []string{adaID, benID, oktaID(3)}},
		{"remove one", "PATCH", patchOf(`{"op":"remove","path":"members[value eq \"` + benID + `\"]"}`), 204, []string{getTeam, patchTeam}, []string{adaID, oktaID(3)}},
		{"remove who is not there", "PATCH", patchOf(`{"op":"remove","path":"members[value eq \"` + benID + `\"]"}`), 204, []string{getTeam}, []string{adaID, oktaID(3)}},
		{"Entra removes", "PATCH", patchOf(`{"op":"Remove","path":"members","value":` + values(adaID) + `}`), 204, []string{getTeam, patchTeam}, []string{oktaID(3)}},
		{"add and remove and name, with an answer", "PATCH?attributes=members", patchOf(`{"op":"add","path":"members","value":`+values(adaID)+`}`,
			`{"op":"remove","path":"members[value eq \"`+oktaID(3)+`\"]"}`, `{"op":"replace","path":"displayName","value":"G4"}`),
			200, []string{getTeam, listTeams, patchTeam, putTeam, getTeam}, []string{adaID}},
		{"replace", "PATCH", patchOf(`{"op":"replace","path":"members","value":` + values(benID) + `}`), 204, []string{getTeam, putUsers}, []string{benID}},
		{"by name of a member", "PATCH", patchOf(`{"op":"remove","path":"members[display eq \"Ben Okta\"]"}`), 204, []string{getTeam, patchTeam, getTeam}, nil},
		{"fill again", "PATCH", patchOf(`{"op":"add","value":{"members":` + values(benID, adaID) + `}}`), 204, []string{getTeam, patchTeam}, []string{adaID, benID}},
		{"clear", "PATCH", patchOf(`{"op":"remove","path":"members"}`), 204, []string{getTeam, putUsers}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := *r
			r.TB = t
			method, query, _ := strings.Cut(tt.line, "?")
			if query != "" {
				query = "?" + query
			}
			a := r.want(tt.status, method+" /Groups/"+id+query, tt.body)
			r.called(tt.calls...)
			got := slices.Sorted(slices.Values(r.membersOf(id)))
			if !slices.Equal(got, tt.members) {
				t.Errorf("members %v, want %v", got, tt.members)
			}
			if tt.status == 200 && query == "" {
				if again := r.want(200, "GET /Groups/"+id, ""); again.text != a.text {
					t.Errorf("answered %s\nbut it is %s", a.text, again.text)
				}
				r.calls()
			}
		})
	}
	for _, team := range r.emu.State().Teams {
		if team.UUID == id && (team.Name != "G4" || len(team.Administrators) != 1 || len(team.Environments) != 1 || len(team.Pacticipants) != 1) {
			t.Errorf("the team lost something: %+v", team)
		}
	}
	r.refused(409, "uniqueness", "PATCH /Groups/"+id, patchOf(`{"op":"replace","path":"displayName","value":"H"}`))
	r.refused(404, "", "PUT /Groups/nobody", group("x"))
	r.calls()
	r.want(204, "DELETE /Groups/"+id, "")
	r.called("DELETE /admin/teams/*")
	r.refused(404, "", "DELETE /Groups/"+id, "")
	a = r.refused(409, "", "DELETE /Groups/"+pactflowtest.SampleTeam, "")
	if !strings.Contains(strings.ToLower(a.detail()), "default") {
		t.Errorf("PactFlow's reason is missing: %s", a.detail())
	}
}

// TestUnknownMembers: the first bad one is named, and nothing has changed.
func TestUnknownMembers(t *testing.T) {
	t.Parallel()
	r := okta(t, pactflow.Options{})
	const nobody = "0000000c-0000-4000-8000-0000000000ff"
	id := r.makeGroup("G", adaID)
	for _, tt := range []struct{ line, body string }{
		{"PUT /Groups/" + id, group("G", benID, nobody)},
		{"PATCH /Groups/" + id, patchOf(`{"op":"add","path":"members","value":` + values(benID, nobody) + `}`)},
		{"POST /Groups", group("New", benID, nobody)},
		{"POST /Groups", group("New", pactflowtest.SampleTeam)}, // a group is no member
	} {
		a := r.refused(400, "invalidValue", tt.line, tt.body)
		if !strings.Contains(a.detail(), nobody) && !strings.Contains(a.detail(), pactflowtest.SampleTeam) {
			t.Errorf("%s: %s", tt.line, a.detail())
		}
		if got := r.membersOf(id); !slices.Equal(got, []string{adaID}) {
			t.Errorf("members are %v", got)
		}
		for _, team := range r.emu.State().Teams {
			if team.Name == "New" {
				t.Error("a team was left behind")
			}
		}
	}
}

// TestNamelessPut: a PUT that does not mention a team's name keeps it, as it keeps
// all that it does not mention; to take it away is refused.
func TestNamelessPut(t *testing.T) {
	t.Parallel()
	r := okta(t, pactflow.Options{})
	id := r.makeGroup("G", adaID)
	a := r.want(200, "PUT /Groups/"+id, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"members":`+values(benID)+`}`)
	r.called(getTeam, putUsers, getTeam)
	if !strings.Contains(a.text, `"displayName":"G"`) || !slices.Equal(r.membersOf(id), []string{benID}) {
		t.Errorf("%s", a.text)
	}
	r.want(200, "PUT /Groups/"+id, `{}`)
	r.called(getTeam)
	for _, body := range []string{`{"displayName":null}`, `{"displayName":""}`, group(" ")} {
		r.refused(400, "invalidValue", "PUT /Groups/"+id, body)
	}
}

// TestNoNestedGroups: a member that is said to be a group is refused before
// PactFlow is asked.
func TestNoNestedGroups(t *testing.T) {
	t.Parallel()
	r := okta(t, pactflow.Options{})
	id := r.makeGroup("G", adaID)
	const nested = `[{"value":"` + benID + `"},{"value":"` + pactflowtest.SampleTeam + `","type":"Group"}]`
	for _, tt := range []struct{ line, body string }{
		{"POST /Groups", strings.Replace(group("New", adaID), values(adaID), nested, 1)},
		{"PUT /Groups/" + id, strings.Replace(group("G", adaID), values(adaID), nested, 1)},
		{"PATCH /Groups/" + id, patchOf(`{"op":"add","path":"members","value":` + nested + `}`)},
		{"PATCH /Groups/" + id, patchOf(`{"op":"replace","value":{"members":` + nested + `}}`)},
	} {
		a := r.refused(400, "invalidValue", tt.line, tt.body)
		r.called()
		if !strings.Contains(a.detail(), "members.type") && !strings.Contains(a.detail(), "type User") {
			t.Errorf("%s: %s", tt.line, a.detail())
		}
	}
	r.want(204, "PATCH /Groups/"+id, patchOf(`{"op":"add","path":"members","value":[{"value":"`+benID+`","type":"User"}]}`))
}

// TestSystemAccountsStay is decision D2, and the members that are not shown.
func TestSystemAccountsStay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		token   string
		drop    bool
		line    string
		body    string
		calls   []string
		members []string
	}{
		{"seen", pactflowtest.AdminToken, false, "PUT", group("Default", []string{}...), []string{getTeam, putUsers, getTeam}, []string{pactflowtest.SampleSystem}},
		{"seen, nothing to do", pactflowtest.AdminToken, false, "PUT", group("Default", pactflowtest.SampleUser), []string{getTeam}, []string{pactflowtest.SampleSystem, pactflowtest.SampleUser}},
		{"dropped", pactflowtest.AdminToken, true, "PUT", group("Default", pactflowtest.SampleUser), []string{getTeam, putUsers, getTeam}, []string{pactflowtest.SampleUser}},
		{"not seen", pactflowtest.SCIMToken, false, "PUT", group("Default", []string{}...), []string{getTeam, patchTeam, getTeam}, []string{pactflowtest.SampleSystem}},
		{"not seen, dropping them", pactflowtest.SCIMToken, true, "PUT", group("Default", []string{}...), []string{getTeam, patchTeam, getTeam}, []string{pactflowtest.SampleSystem}},
		{"named in a PATCH", pactflowtest.AdminToken, false, "PATCH", patchOf(`{"op":"remove","path":"members[value eq \"` + pactflowtest.SampleSystem + `\"]"}`),
			[]string{getTeam, patchTeam}, []string{pactflowtest.SampleUser}},
		{"removed all", pactflowtest.AdminToken, false, "PATCH", patchOf(`{"op":"remove","path":"members"}`), []string{getTeam, putUsers}, []string{pactflowtest.SampleSystem}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, pactflowtest.Options{}, pactflow.Options{DropSystemAccounts: tt.drop}).as(tt.token)
			r.do(tt.line+" /Groups/"+pactflowtest.SampleTeam, tt.body)
			r.called(tt.calls...)
			if got := r.membersOf(pactflowtest.SampleTeam); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(tt.members))) {
				t.Errorf("members %v, want %v", got, tt.members)
			}
		})
	}
}

// TestManyMembers: changes come in chunks, replacements at once.
func TestManyMembers(t *testing.T) {
	t.Parallel()
	r := newRig(t, pactflowtest.Options{Seed: "large:1000"}, pactflow.Options{})
	var ids []string
	for _, u := range r.emu.State().Users {
		if u.Type == pactflowtest.RegularUser {
			ids = append(ids, u.UUID)
		}
	}
	id := r.makeGroup("Many")
	r.want(204, "PATCH /Groups/"+id, patchOf(`{"op":"add","path":"members","value":`+values(ids[:450]...)+`}`))
	for i, e := range r.emu.Log() {
		var ops []json.RawMessage
		if i > 0 && (json.Unmarshal([]byte(e.Body), &ops) != nil || len(ops) > 200) {
			t.Errorf("call %d has %d operations", i, len(ops))
		}
	}
	r.called(getTeam, patchTeam, patchTeam, patchTeam)
	r.want(200, "PUT /Groups/"+id, group("Many", ids...))
	r.called(getTeam, putUsers, getTeam)
	// A chunk that fails is told, and the rest converges.
	if err := r.emu.Inject(pactflowtest.Rule{Match: pactflowtest.Match{Method: "PATCH"}, Skip: 1, Fault: pactflowtest.Fault{Status: &pactflowtest.Status{Code: 500}}}); err != nil {
		t.Fatal(err)
	}
	var ops []string
	for _, m := range ids[:450] {
		ops = append(ops, `{"op":"remove","path":"members[value eq \"`+m+`\"]"}`)
	}
	a := r.refused(502, "", "PATCH /Groups/"+id, patchOf(ops...))
	if !strings.Contains(a.detail(), "200 of 450") || !strings.Contains(r.log.String(), "partial=true") {
		t.Errorf("%s", a.detail())
	}
	r.want(204, "PATCH /Groups/"+id, patchOf(ops...))
	if got := r.membersOf(id); len(got) != len(ids)-450 {
		t.Errorf("%d members, want %d", len(got), len(ids)-450)
	}
}

// TestVersions: what older versions do otherwise is met.
func TestVersions(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"1.26.0", "1.28.0", "1.31.0", "2.3.0"} {
		for _, bug := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%v", version, bug), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, pactflowtest.Options{Seed: "large:250", Version: version, PutUsersBug: bug, NoDefaults: true}, pactflow.Options{})
				a := r.want(200, "GET /Users?count=0", "")
				if fmt.Sprint(a.json["totalResults"]) != "245" {
					t.Errorf("%s", a.text)
				}
				calls := r.calls()
				if n := len(calls); version == "1.26.0" && n != 1 || version != "1.26.0" && n != 3 {
					t.Errorf("calls %v", calls)
				}
				u := r.want(201, "POST /Users", person("v", `"roles":[{"value":"`+administrator+`"}]`)).id()
				id := r.want(201, "POST /Groups", group("V", u)).id()
				one := r.emu.State().Users[0].UUID
				r.want(200, "PUT /Groups/"+id, group("V2", u, one))
				r.want(204, "PATCH /Groups/"+id, patchOf(`{"op":"remove","path":"members","value":`+values(u)+`}`))
				if got := r.membersOf(id); !slices.Equal(got, []string{one}) {
					t.Errorf("members %v", got)
				}
				r.want(200, "PUT /Groups/"+id, group("V2", one, u))
				r.want(200, "PUT /Groups/"+id, group("V2", u, one))
				if got := r.membersOf(id); len(got) != 2 {
					t.Errorf("members %v", got)
				}
			})
		}
	}
}

// TestNoMemberPatch: a PactFlow without PATCH of members gets other calls.
func TestNoMemberPatch(t *testing.T) {
	t.Parallel()
	for _, status := range []int{404, 405, 415} {
		r := okta(t, pactflow.Options{})
		id := r.makeGroup("G", adaID, benID)
		if err := r.emu.Inject(pactflowtest.Rule{Match: pactflowtest.Match{Method: "PATCH"}, Times: -1, Fault: pactflowtest.Fault{Status: &pactflowtest.Status{Code: status}}}); err != nil {
			t.Fatal(err)
		}
		patches := []string{patchTeam}
		if status == 415 {
			patches = append(patches, patchTeam) // it may have been the media type
		}
		r.want(204, "PATCH /Groups/"+id, patchOf(`{"op":"remove","path":"members[value eq \"`+adaID+`\"]"}`, `{"op":"add","path":"members","value":`+values(oktaID(3))+`}`))
		r.called(slices.Concat([]string{getTeam}, patches, []string{"DELETE /admin/teams/*/users/*", putUsers})...)
		if got := r.membersOf(id); !slices.Equal(got, []string{benID, oktaID(3)}) {
			t.Errorf("members %v", got)
		}
	}
}
