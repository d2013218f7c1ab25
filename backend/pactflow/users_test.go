package pactflow_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/pactflow"
	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
)

// okta is a rig with five people who came from an identity provider.
func okta(t *testing.T, o pactflow.Options) *rig {
	t.Helper()
	return newRig(t, pactflowtest.Options{Seed: "okta"}, o)
}

const (
	adaID = "0000000c-0000-4000-8000-000000000001"
	benID = "0000000c-0000-4000-8000-000000000002"
)

// adaBody is Ada as she is, with changes.
func adaBody(more ...string) string {
	return `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ada.okta@example.com","emails":[{"value":"ada.okta@example.com","primary":true}]` +
		strings.Join(append([]string{""}, more...), ",") + `}`
}

// TestReadUsers is mapping 3.1 for users.
func TestReadUsers(t *testing.T) {
	t.Parallel()
	r := okta(t, pactflow.Options{})
	a := r.want(200, "GET /Users/"+adaID, "")
	r.called(getUser)
	want := `"externalId":"00u00000000000000001","meta":{"created":"2022-12-06T00:20:00Z","lastModified":"2022-12-06T00:20:00Z","resourceType":"User",` +
		`"location":"http://localhost:8100/scim/Users/` + adaID + `"},"userName":"ada.okta@example.com",` +
		`"name":{"formatted":"Ada Okta","givenName":"Ada","familyName":"Okta"},"displayName":"Ada Okta","userType":"User","active":true,` +
		`"emails":[{"value":"ada.okta@example.com","primary":true}],` +
		`"groups":[{"value":"` + pactflowtest.SampleTeam + `","display":"Default","type":"direct","$ref":"Groups/` + pactflowtest.SampleTeam + `"}],` +
		`"roles":[{"value":"` + userRole + `","display":"User","type":"User"}]}`
	if !strings.HasSuffix(a.text, want) {
		t.Errorf("got  %s\nwant …%s", a.text, want)
	}
	for _, id := range []string{"nobody", "0000000c-0000-4000-8000-0000000000ff"} {
		r.refused(404, "", "GET /Users/"+id, "")
		r.called(getUser)
	}
	for _, id := range []string{"a%2Fb", "..", "%C3%BC", strings.Repeat("x", 65)} {
		if a := r.do("GET /Users/"+id, ""); a.status != 404 {
			t.Errorf("%s: %d", id, a.status)
		}
		r.called()
	}
	for _, tt := range []struct {
		query string
		found int
		calls []string
	}{
		{"", 5, []string{listUsers}},
		{"?filter=id eq \"" + benID + "\"", 1, []string{getUser}},
		{"?filter=id eq \"nobody\"", 0, []string{getUser}},
		{"?filter=userName eq \"ADA.okta@example.com\"&startIndex=1&count=100", 1, []string{listUsers}},
		{"?filter=externalId eq \"00u00000000000000002\"", 1, []string{listUsers}},
		{"?filter=displayName co \"e\" and active eq true", 3, []string{listUsers}},
		{"?filter=emails[value sw \"ben\"]", 1, []string{listUsers}},
		{"?filter=roles.value eq \"" + userRole + "\"", 5, []string{listUsers}},
		{"?filter=roles.type eq \"user\"", 5, []string{listUsers}},
		{"?filter=groups.value eq \"" + pactflowtest.SampleTeam + "\"", 5, []string{listUsers}},
		{"?filter=groups.display eq \"Nobody\"", 0, []string{listUsers}},
		{"?filter=meta.created gt \"2022-12-06T00:19:59%2B00:00\"", 5, []string{listUsers}},
		{"?filter=title pr or emails.type eq \"work\" or password eq \"x\"", 0, nil},
		{"?filter=title pr or emails.type eq \"work\"", 0, []string{listUsers}},
		{"?count=0", 5, []string{listUsers}},
	} {
		if strings.Contains(tt.query, "password") {
			r.refused(400, "invalidFilter", "GET /Users"+tt.query, "")
			r.called()
			continue
		}
		a := r.want(200, "GET /Users"+tt.query, "")
		if fmt.Sprint(a.json["totalResults"]) != fmt.Sprint(tt.found) {
			t.Errorf("%s: %s", tt.query, a.text)
		}
		r.called(tt.calls...)
	}
	r.refused(400, "invalidFilter", "GET /Users?filter=shoeSize gt 1", "")
	r.called()
	a = r.want(200, "GET /Users?sortBy=userName&sortOrder=descending&startIndex=2&count=2", "")
	if !strings.Contains(a.text, `"totalResults":5`) || !strings.Contains(a.text, `"itemsPerPage":2`) || strings.Index(a.text, "dan.okta") > strings.Index(a.text, "cleo.okta") {
		t.Errorf("sorted page: %s", a.text)
	}
	a = r.want(200, "POST /Users/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"userName eq \"eve.okta@example.com\"","attributes":["userName"]}`)
	if !strings.Contains(a.text, `"userName":"eve.okta@example.com"}`) {
		t.Errorf("search: %s", a.text)
	}
}

// TestCreateUser is mapping 3.2, POST.
func TestCreateUser(t *testing.T) {
	t.Parallel()
	r := okta(t, pactflow.Options{})
	for _, tt := range []struct {
		name, body string
		calls      []string
		shows      []string
	}{
		{"plain", person("Nia", `"externalId":"x1","name":{"givenName":"Nia","familyName":"N"}`), []string{listUsers, postUser},
			[]string{`"externalId":"x1"`, `"userName":"Nia"`, `"name":{"formatted":"Name of Nia","givenName":"Nia","familyName":"N"}`, `"active":true`,
				`"emails":[{"value":"nia@example.com","primary":true}]`, `"display":"Default"`, `"roles":[{"value":"` + userRole + `"`}},
		{"as Okta sends it", person("okta-made", `"password":"dummy","groups":[],"locale":"en-US","phoneNumbers":[{"value":7}],"nickName":{}`), []string{listUsers, postUser}, []string{`"display":"Default"`}},
		{"inactive", person("off", `"active":"False"`), []string{listUsers, postUser, putUser}, []string{`"active":false`}},
		{"the role that is the default", person("same", `"roles":[{"value":"`+userRole+`"}]`), []string{listUsers, postUser}, nil},
		{"roles", person("roles", `"roles":[{"type":"Administrator","value":"`+administrator+`"},{"value":"`+ciRole+`","primary":true}]`),
			[]string{listUsers, postUser, putRoles, getUser}, []string{`"roles":[{"value":"` + administrator + `","display":"Administrator","type":"Administrator"},{"value":"` + ciRole}},
		{"no roles", person("none", `"roles":[]`), []string{listUsers, postUser, putRoles, getUser}, nil},
		{"inactive with roles", person("both", `"active":false,"roles":[{"value":"`+ciRole+`"}]`), []string{listUsers, postUser, putUser, putRoles, getUser}, []string{`"active":false`, ciRole}},
		{"nested in the schema's name", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"nested","emails":[{"value":"n@example.com"}],` +
			`"urn:ietf:params:scim:schemas:core:2.0:User":{"roles":[{"type":"Administrator","value":"` + administrator + `"}],"userName":"other"}}`,
			[]string{listUsers, postUser, putRoles, getUser}, []string{`"userName":"nested"`, administrator}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := *r
			r.TB = t
			a := r.want(201, "POST /Users", tt.body)
			r.called(tt.calls...)
			for _, s := range tt.shows {
				if !strings.Contains(a.text, s) {
					t.Errorf("no %s in %s", s, a.text)
				}
			}
			if got := a.header.Get("Location"); got != "http://localhost:8100/scim/Users/"+a.id() {
				t.Errorf("Location %s", got)
			}
			if again := r.want(200, "GET /Users/"+a.id(), ""); again.text != a.text {
				t.Errorf("answered %s\nbut it is %s", a.text, again.text)
			}
			r.calls()
		})
	}
	r.refused(409, "uniqueness", "POST /Users", person("ADA.OKTA@example.com"))
	r.called(listUsers)
	for _, body := range []string{`{"userName":"x"}`, `{"emails":[{"value":"x@example.com"}]}`,
		`{"userName":"x","emails":[{"value":"a@x","primary":true},{"value":"b@x","primary":true}]}`, person("x", `"active":"maybe"`),
		`{"userName":7,"emails":[{"value":"a@x"}]}`} {
		r.refused(400, "invalidValue", "POST /Users", body)
		r.called()
	}
	r.refused(400, "invalidSyntax", "POST /Users", `{"userName":`)
	r.called()
	if r.emu.MailsSent() != 0 {
		t.Error("mail was sent")
	}
}

// TestSystemAccount: what the SCIM role may not do is passed on; who may, does it.
func TestSystemAccount(t *testing.T) {
	t.Parallel()
	r := newRig(t, pactflowtest.Options{}, pactflow.Options{})
	const body = `{"displayName":"Robot","userType":"System Account","userName":"ignored","externalId":"e","emails":[{"value":"x@example.com"}],"roles":[{"value":"` + administrator + `"}]}`
	a := r.refused(403, "", "POST /Users", body)
	r.called("POST /admin/system-accounts")
	if !strings.Contains(a.detail(), "system accounts") {
		t.Errorf("no hint in %s", a.detail())
	}
	r = r.as(pactflowtest.AdminToken)
	a = r.want(201, "POST /Users", body)
	r.called("POST /admin/system-accounts", getUser, putRoles, getUser)
	if strings.Contains(a.text, "userName") || strings.Contains(a.text, "emails") || !strings.Contains(a.text, `"displayName":"Robot","userType":"System Account"`) {
		t.Errorf("%s", a.text)
	}
	r.refused(409, "uniqueness", "POST /Users", body)
	r.called("POST /admin/system-accounts")
	r.refused(400, "mutability", "PATCH /Users/"+a.id(), patchOf(`{"op":"replace","path":"userType","value":"User"}`))
	r.called(getUser)
	r.want(200, "PUT /Users/"+a.id(), `{"displayName":"Robot 2"}`)
	r.called(getUser, putUser)
	// What the identity provider has no part in is ignored as it is in a POST.
	const more = `"userName":"ada","externalId":"e","emails":[{"value":"a@example.com"},{"value":"b@example.com"}]`
	a = r.want(200, "PUT /Users/"+a.id(), `{"displayName":"Robot 2",`+more+`}`)
	r.called(getUser)
	a = r.want(200, "PUT /Users/"+a.id(), `{"displayName":"Robot 3",`+more+`}`)
	r.called(getUser, putUser)
	r.want(200, "PATCH /Users/"+a.id(), patchOf(`{"op":"add","value":{`+more+`}}`))
	r.called(getUser)
	if strings.Contains(a.text, `"userName"`) || strings.Contains(a.text, "example.com") || strings.Contains(a.text, "externalId") || !strings.Contains(a.text, "Robot 3") {
		t.Errorf("%s", a.text)
	}
	// Who may not change system accounts is told so.
	robot := a.id()
	if a := r.as(pactflowtest.SCIMToken).do("PUT /Users/"+robot, `{"displayName":"X",`+more+`}`); a.status != 403 && a.status != 404 {
		t.Errorf("%d %s", a.status, a.text)
	}
}

// TestReplaceUser is mapping 3.2, PUT.
func TestReplaceUser(t *testing.T) {
	t.Parallel()
	for _, omitted := range []bool{false, true} {
		r := newRig(t, pactflowtest.Options{Seed: "okta", PutOmittedClears: omitted}, pactflow.Options{})
		for _, tt := range []struct {
			name, body string
			calls      []string
			sent       string // the body of the PUT
		}{
			{"its own answer", r.want(200, "GET /Users/"+adaID, "").text, []string{getUser}, ""},
			{"nothing named", adaBody(), []string{getUser}, ""},
			{"what is not stored", adaBody(`"title":"Dr","password":"x","groups":[],"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"D"}`), []string{getUser}, ""},
			{"name", adaBody(`"displayName":"Ada L"`), []string{getUser, putUser},
				`{"active":true,"email":"ada.okta@example.com","externalIdpId":"00u00000000000000001","externalIdpUsername":"ada.okta@example.com","firstName":"Ada","lastName":"Okta","name":"Ada L"}`},
			{"part of the name cleared", adaBody(`"name":{"familyName":""}`), []string{getUser, putUser},
				`{"active":true,"email":"ada.okta@example.com","externalIdpId":"00u00000000000000001","externalIdpUsername":"ada.okta@example.com","firstName":"Ada","lastName":"","name":"Ada L"}`},
			{"external id cleared", adaBody(`"externalId":""`), []string{getUser, putUser},
				`{"active":true,"email":"ada.okta@example.com","externalIdpId":"","externalIdpUsername":"ada.okta@example.com","firstName":"Ada","name":"Ada L"}`},
			{"deactivation", adaBody(`"active":false`), []string{getUser, putUser},
				`{"active":false,"email":"ada.okta@example.com","externalIdpUsername":"ada.okta@example.com","firstName":"Ada","name":"Ada L"}`},
			{"active not named", adaBody(), []string{getUser}, ""},
			{"deactivated and role taken: out first", adaBody(`"roles":[]`), []string{getUser, putRoles, getUser}, ""},
			{"activation with roles: roles first", adaBody(`"active":"TRUE","roles":[{"value":"` + ciRole + `"}]`), []string{getUser, putRoles, putUser, getUser}, ""},
			{"deactivation with roles: out first", adaBody(`"active":false,"roles":[{"value":"` + userRole + `"},{"value":"` + administrator + `"}]`), []string{getUser, putUser, putRoles, getUser}, ""},
			{"the same roles", adaBody(`"roles":[{"value":"` + administrator + `"},{"value":"` + userRole + `","display":"x"},{"value":""}]`), []string{getUser}, ""},
			{"another userName", strings.Replace(adaBody(), `"userName":"ada.okta`, `"userName":"ada.new`, 1), []string{getUser, listUsers, putUser}, ""},
			{"another case of it", strings.Replace(adaBody(), `"userName":"ada.okta`, `"userName":"ADA.new`, 1), []string{getUser, putUser}, ""},
		} {
			t.Run(fmt.Sprintf("%s/%v", tt.name, omitted), func(t *testing.T) {
				r := *r
				r.TB = t
				r.calls()
				a := r.want(200, "PUT /Users/"+adaID, tt.body)
				for _, e := range r.emu.Log() {
					if e.Method == "PUT" && tt.sent != "" && strings.TrimSpace(e.Body) != tt.sent {
						t.Errorf("sent %s\nwant %s", e.Body, tt.sent)
					}
				}
				r.called(tt.calls...)
				if again := r.want(200, "GET /Users/"+adaID, ""); again.text != a.text {
					t.Errorf("answered %s\nbut it is %s", a.text, again.text)
				}
			})
		}
		r.calls()
		r.refused(409, "uniqueness", "PUT /Users/"+adaID, strings.Replace(adaBody(), "ada.okta", "BEN.okta", 1))
		r.called(getUser, listUsers)
		r.refused(400, "invalidValue", "PUT /Users/"+benID, `{"emails":[{"value":"b@x"}]}`)
		r.called(getUser)
		r.refused(400, "invalidValue", "PUT /Users/"+adaID, adaBody(`"roles":[{"value":"0000abcd-0000-4000-8000-000000000001"}]`))
		r.calls() // it changed the name, too
		r.refused(400, "invalidValue", "PUT /Users/"+adaID, adaBody(`"roles":[{"value":"0000abcd-0000-4000-8000-000000000001"}]`))
		r.called(getUser, putRoles)
		r.refused(404, "", "PUT /Users/nobody", adaBody())
		r.called(getUser)
	}
}

// TestPatchUser is mapping 3.2, PATCH, and 3.3.
func TestPatchUser(t *testing.T) {
	t.Parallel()
	r := okta(t, pactflow.Options{})
	for _, tt := range []struct {
		name, body string
		calls      []string
		shows      string
	}{
		{"Okta deactivates", patchOf(`{"op":"replace","value":{"active":false}}`), []string{getUser, putUser}, `"active":false`},
		{"again", patchOf(`{"op":"replace","value":{"active":false}}`), []string{getUser}, `"active":false`},
		{"Entra's way", patchOf(`{"op":"Replace","path":"active","value":[{"value":"True"}]}`), []string{getUser, putUser}, `"active":true`},
		{"Entra's e-mail", patchOf(`{"op":"Add","path":"emails[type eq \"work\"].value","value":"new@example.com"}`), []string{getUser, putUser}, `"emails":[{"value":"new@example.com","primary":true}]`},
		{"Entra's e-mail again", patchOf(`{"op":"Replace","path":"emails[type eq \"work\"].value","value":"new@example.com"}`), []string{getUser}, `"emails":[{"value":"new@example.com","primary":true}]`},
		{"displayName", patchOf(`{"op":"replace","path":"displayName","value":"D"}`), []string{getUser, putUser}, `"name":{"formatted":"D","givenName":"Ada","familyName":"Okta"},"displayName":"D"`},
		{"both names", patchOf(`{"op":"replace","value":{"displayName":"D","name":{"formatted":"F"}}}`), []string{getUser, putUser}, `"displayName":"F"`},
		{"what is not stored", patchOf(`{"op":"add","path":"title","value":"Dr"}`, `{"op":"replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department","value":"D"}`,
			`{"op":"add","path":"phoneNumbers[type eq \"work\"].value","value":"1"}`), []string{getUser}, `"displayName":"F"`},
		{"one role more", patchOf(`{"op":"add","path":"roles","value":[{"value":"` + ciRole + `"}]}`), []string{getUser, "PUT /admin/users/*/roles/" + ciRole, getUser}, `"value":"` + ciRole},
		{"one role less", patchOf(`{"op":"remove","path":"roles[value eq \"` + ciRole + `\"]"}`), []string{getUser, "DELETE /admin/users/*/roles/" + ciRole, getUser}, `"roles":[{"value":"` + userRole + `"`},
		{"one that is not there", patchOf(`{"op":"remove","path":"roles[type eq \"CI/CD\"]"}`), []string{getUser}, ""},
		{"a role for a name that is not there", patchOf(`{"op":"replace","path":"roles[type eq \"CI/CD\"].value","value":"` + ciRole + `"}`), []string{getUser, "PUT /admin/users/*/roles/*", getUser}, ciRole},
		{"two", patchOf(`{"op":"replace","path":"roles","value":[{"value":"` + administrator + `"},{"value":"` + userRole + `"}]}`), []string{getUser, putRoles, getUser}, administrator},
		{"attribute and role", patchOf(`{"op":"replace","path":"externalId","value":"e2"}`, `{"op":"remove","path":"roles"}`), []string{getUser, putUser, putRoles, getUser}, `"externalId":"e2"`},
		{"the external id goes", patchOf(`{"op":"remove","path":"externalId"}`, `{"op":"remove","path":"name.familyName"}`), []string{getUser, putUser}, `"name":{"formatted":"F","givenName":"Ada"}`},
		{"a free text is no type", patchOf(`{"op":"replace","value":{"userType":"Contractor"}}`), []string{getUser}, `"userType":"User"`},
		{"userName", patchOf(`{"op":"replace","path":"userName","value":"ada2"}`), []string{getUser, listUsers, putUser}, `"userName":"ada2"`},
		{"ids of a path-less value are ignored", patchOf(`{"op":"replace","value":{"id":"` + adaID + `","active":true}}`), []string{getUser}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := *r
			r.TB = t
			a := r.want(200, "PATCH /Users/"+adaID, tt.body)
			r.called(tt.calls...)
			if !strings.Contains(a.text, tt.shows) {
				t.Errorf("no %s in %s", tt.shows, a.text)
			}
			if again := r.want(200, "GET /Users/"+adaID, ""); again.text != a.text {
				t.Errorf("answered %s\nbut it is %s", a.text, again.text)
			}
			r.calls()
		})
	}
	for _, tt := range []struct{ scimType, op string }{
		{"mutability", `{"op":"add","path":"groups","value":[{"value":"x"}]}`},
		{"mutability", `{"op":"replace","path":"id","value":"x"}`},
		{"mutability", `{"op":"replace","path":"meta.created","value":"x"}`},
		{"mutability", `{"op":"remove","path":"userName"}`},
		{"mutability", `{"op":"replace","path":"userType","value":"System Account"}`},
		{"invalidValue", `{"op":"remove","path":"emails"}`},
		{"invalidPath", `{"op":"replace","path":"name[","value":"x"}`},
		{"noTarget", `{"op":"remove"}`},
		{"noTarget", `{"op":"replace","path":"roles[value ne \"x\" and display eq \"x\"].value","value":"` + ciRole + `"}`},
		{"invalidValue", `{"op":"add","path":"roles","value":[{"value":"Nobody"}]}`},
		{"invalidValue", `{"op":"add","path":"roles","value":[{"value":"0000abcd-0000-4000-8000-000000000001"}]}`},
	} {
		r.refused(400, tt.scimType, "PATCH /Users/"+adaID, patchOf(`{"op":"replace","path":"active","value":false}`, tt.op))
		if a := r.want(200, "GET /Users/"+adaID, ""); !strings.Contains(tt.op, "0000abcd") && !strings.Contains(a.text, `"active":true`) {
			t.Errorf("%s was carried out in part", tt.op)
		}
	}
}

// TestDeleteUser is mapping 3.2, DELETE, in both modes.
func TestDeleteUser(t *testing.T) {
	t.Parallel()
	r := okta(t, pactflow.Options{})
	r.want(204, "DELETE /Users/"+adaID, "")
	r.called(getUser, putUser)
	if a := r.want(200, "GET /Users/"+adaID, ""); !strings.Contains(a.text, `"active":false`) || !strings.Contains(a.text, `"groups"`) {
		t.Errorf("%s", a.text)
	}
	r.calls()
	r.want(204, "DELETE /Users/"+adaID, "")
	r.called(getUser)
	r.refused(404, "", "DELETE /Users/nobody", "")
	r.refused(404, "", "DELETE /Users/a_b", "")
	r.called(getUser)

	r = okta(t, pactflow.Options{DeleteUsers: true})
	r.want(204, "DELETE /Users/"+adaID, "")
	r.called("DELETE /admin/users/*")
	r.refused(404, "", "GET /Users/"+adaID, "") // which PactFlow says with 410
	r.refused(404, "", "DELETE /Users/"+adaID, "")
}

// TestNoUserName: people who came by another way can be shown with a name.
func TestNoUserName(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]string{"": "", "none": "", "email": `"userName":"user1@example.com"`, "id": `"userName":"` + pactflowtest.SampleUser + `"`} {
		r := newRig(t, pactflowtest.Options{}, pactflow.Options{UserNameFallback: mode})
		a := r.want(200, "GET /Users/"+pactflowtest.SampleUser, "")
		if got := strings.Contains(a.text, `"userName"`); got != (want != "") || !strings.Contains(a.text, want) {
			t.Errorf("%q: %s", mode, a.text)
		}
		r.calls()
		r.want(200, "PUT /Users/"+pactflowtest.SampleUser, a.text)
		r.called(getUser)
	}
}

// TestPatchEmailAway: a person keeps an address, however it is taken away.
func TestPatchEmailAway(t *testing.T) {
	t.Parallel()
	r := okta(t, pactflow.Options{})
	for _, tt := range []struct {
		status int
		ops    []string
	}{
		{400, []string{`{"op":"remove","path":"emails"}`}},
		{400, []string{`{"op":"remove","path":"emails[type eq \"work\"]"}`}},
		{400, []string{`{"op":"remove","path":"emails[type eq \"work\"].value"}`}},
		{400, []string{`{"op":"remove","path":"emails[primary eq true]"}`}},
		{400, []string{`{"op":"replace","path":"emails[type eq \"work\"].value","value":""}`}},
		{400, []string{`{"op":"replace","path":"emails[type eq \"work\" and primary eq true].value","value":null}`}},
		{400, []string{`{"op":"replace","path":"emails.value","value":""}`}},
		{400, []string{`{"op":"replace","path":"displayName","value":"X"}`, `{"op":"remove","path":"emails[type eq \"work\"]"}`}},
		{200, []string{`{"op":"remove","path":"emails[value eq \"other@example.com\"]"}`}},
		{200, []string{`{"op":"remove","path":"emails[type eq \"work\"].type"}`}},
		{200, []string{`{"op":"remove","path":"emails[type eq \"work\"]"}`, `{"op":"add","path":"emails","value":[{"type":"work","value":"ada.okta@example.com"}]}`}},
		{200, []string{`{"op":"remove","path":"emails[type eq \"work\"]"}`, `{"op":"add","path":"emails[type eq \"work\"].value","value":"new@example.com"}`}},
	} {
		r.calls()
		a := r.want(tt.status, "PATCH /Users/"+adaID, patchOf(tt.ops...))
		if tt.status == 400 {
			r.called(getUser)
			if !strings.Contains(a.text, "invalidValue") || !strings.Contains(a.detail(), "emails") {
				t.Errorf("%v: %s", tt.ops, a.text)
			}
		}
	}
	if a := r.want(200, "GET /Users/"+adaID, ""); !strings.Contains(a.text, `"emails":[{"value":"new@example.com","primary":true}]`) {
		t.Errorf("%s", a.text)
	}
	// Roles are not taken away for what they don't say.
	r.want(200, "PATCH /Users/"+benID, patchOf(`{"op":"remove","path":"roles[primary eq true]"}`))
	if a := r.want(200, "GET /Users/"+benID, ""); !strings.Contains(a.text, userRole) {
		t.Errorf("%s", a.text)
	}
}
