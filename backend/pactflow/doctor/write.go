package doctor

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/backend/facade"
)

// written are the assumptions that only a write can try.
var written = []Finding{
	{Name: "create-user", Assumption: "the token may make a user with a userName and an externalId"},
	{Name: "create-nameless", Assumption: "PactFlow refuses a user without a name"},
	{Name: "create-active", Assumption: "a new user is active whatever is sent"},
	{Name: "same-user-name", Assumption: "PactFlow refuses a second user of the same externalIdpUsername"},
	{Name: "same-email", Assumption: "PactFlow allows two users of the same e-mail address"},
	{Name: "put-omitted", Assumption: "a PUT keeps what it does not mention"},
	{Name: "put-roles", Assumption: "the token may set roles"},
	{Name: "create-team", Assumption: "the token may make a team, and the answer is the team"},
	{Name: "put-team-omitted", Assumption: "a PUT of a team keeps the administrators it does not mention"},
	{Name: "put-members", Assumption: "the members of a team can be replaced"},
	{Name: "patch-members", Assumption: "members can be added and removed one by one (PATCH)"},
	{Name: "delete", Assumption: "what was made can be deleted"},
}

// notTried reports what only --write tries. asked: it was asked for, and there
// is no point.
func (x *examination) notTried(asked bool) {
	seen := "only --write shows it"
	if asked {
		seen = "not tried, for what was found before"
	}
	for _, f := range written {
		f.Verdict, f.Seen = Unknown, seen
		x.found(f)
	}
}

// untried reports what is never tried.
func (x *examination) untried() {
	x.found(Finding{Name: "own-roles", Assumption: "nobody can change the roles of their own account", Verdict: Unknown,
		Seen: "not tried: the token could lose its permissions", Means: "if it is so, the roles of the token's owner can't be set by SCIM: 403"})
	x.found(Finding{Name: "put-same-external", Assumption: "a PUT that repeats externalIdpUsername needs no permission to write it", Verdict: Unknown,
		Seen: "not tried: it takes a token that lacks the permission", Means: "if not, every change by such a token gets 403"})
}

// about returns the finding of that name.
func about(name string) Finding {
	for _, f := range written {
		if f.Name == name {
			return f
		}
	}
	return Finding{Name: name}
}

// try reports a finding by whether a call went well, and returns whether.
func (x *examination) try(name, means string, fatal bool, failure *facade.Failure) bool {
	f := about(name)
	f.Means, f.Fatal = means, fatal
	if failure != nil {
		f.Seen = failure.Error()
	}
	x.holds(failure == nil, f)
	return failure == nil
}

// trial is what was made, and is to be removed.
type trial struct {
	x     *examination
	name  string
	users []string
	team  string
}

// write makes a user and a team, tries on them, and removes them whatever
// happens, even if it is interrupted.
func (x *examination) write(known []user) {
	t := &trial{x: x, name: "rollcall-doctor-" + strings.ToLower(rand.Text()[:10])}
	defer t.remove()
	u, ok := t.makeUser(known)
	if ok {
		t.doubles(u)
		t.changes(u)
	}
	t.makeTeam(u)
}

// body returns a new user, to whom nobody can send mail.
func (t *trial) body(suffix string) map[string]any {
	return map[string]any{"name": "Rollcall Doctor " + suffix, "firstName": "Rollcall", "lastName": "Doctor", "email": t.name + suffix + "@example.com",
		"externalIdpUsername": t.name + suffix, "externalIdpId": t.name + suffix}
}

func (t *trial) post(body map[string]any) (user, *facade.Failure) {
	var u user
	_, failure := t.x.call(facade.Call{Method: http.MethodPost, Path: "/admin/users", Body: body}, &u)
	if u.UUID != "" {
		t.users = append(t.users, u.UUID)
	}
	return u, failure
}

func (t *trial) makeUser(known []user) (user, bool) {
	x := t.x
	body := t.body("")
	body["active"] = false
	u, failure := t.post(body)
	x.proofOfCreation(failure)
	if !x.try("create-user", "users can't be made: the token needs the SCIM role, and must be a read-write token", true, failure) {
		return u, false
	}
	nameless := t.body("-nameless")
	delete(nameless, "name")
	_, failure = t.post(nameless)
	f := about("create-nameless")
	if f.Seen, f.Means = "it was made", "nothing: a name is always sent"; failure != nil {
		f.Seen = failure.Error()
	}
	x.holds(failure != nil, f)
	f = about("create-active")
	f.Seen, f.Means = fmt.Sprintf("sent active false, got %t", u.Active), "nothing: whoever is made inactive is looked at and deactivated if need be"
	x.holds(u.Active, f)
	var back user
	if _, failure := x.get("/admin/users/"+url.PathEscape(u.UUID), nil, &back); failure == nil && back.ExternalIdpUsername != t.name {
		x.found(Finding{Name: "external-idp-read", Assumption: "externalIdpUsername is shown to the token that wrote it", Verdict: Fails, Fatal: true,
			Seen:  fmt.Sprintf("wrote %q, read %q; %d users have one", t.name, back.ExternalIdpUsername, len(known)),
			Means: "users are not found by userName and made twice"})
	}
	return back, back.UUID != ""
}

// doubles tries what PactFlow says to values that are taken.
func (t *trial) doubles(u user) {
	for _, d := range []struct{ name, key, value, means string }{
		{"same-user-name", "externalIdpUsername", u.ExternalIdpUsername, "two servers in front of one PactFlow could make a user twice; one alone looks first"},
		{"same-email", "email", u.Email, "a user whose e-mail address somebody has is refused with 409"},
	} {
		body := t.body("-" + d.key)
		body[d.key] = d.value
		_, failure := t.post(body)
		f := about(d.name)
		f.Seen, f.Means = "both were made", d.means
		if failure != nil {
			f.Seen = failure.Error()
		}
		holds := failure != nil && failure.Taken()
		if d.name == "same-email" {
			holds = failure == nil
		}
		t.x.holds(holds, f)
	}
}

// changes tries PUT of the user and of its roles.
func (t *trial) changes(u user) {
	x := t.x
	path := "/admin/users/" + url.PathEscape(u.UUID)
	f := about("put-omitted")
	f.Means = "nothing: everything is sent with every change"
	var back user
	_, failure := x.call(facade.Call{Method: http.MethodPut, Path: path, Body: map[string]any{"name": u.Name + " II", "active": true}}, nil)
	x.proof(manageUsers, failure)
	if failure == nil {
		_, failure = x.get(path, nil, &back)
	}
	if failure != nil {
		f.Verdict, f.Seen = Unknown, failure.Error()
		x.found(f)
	} else {
		f.Seen = fmt.Sprintf("lastName %q became %q, externalIdpUsername %q became %q", u.LastName, back.LastName, u.ExternalIdpUsername, back.ExternalIdpUsername)
		x.holds(back.LastName == u.LastName && back.ExternalIdpUsername == u.ExternalIdpUsername, f)
	}
	roles := []string{}
	for _, r := range u.Embedded.Roles {
		roles = append(roles, r.UUID)
	}
	_, failure = x.call(facade.Call{Method: http.MethodPut, Path: path + "/roles", Body: map[string]any{"roles": roles}}, nil)
	x.try("put-roles", "roles can't be given by SCIM: 403", false, failure)
}

// makeTeam makes a team and changes its members.
func (t *trial) makeTeam(u user) {
	x := t.x
	newTeam := map[string]any{"name": t.name}
	if u.UUID != "" {
		newTeam["administratorUuids"] = []string{u.UUID}
	}
	var made struct {
		team
		Teams []team `json:"teams"`
	}
	answer, failure := x.call(facade.Call{Method: http.MethodPost, Path: "/admin/teams", Body: newTeam}, &made)
	x.proof(manageTeams, failure)
	if failure != nil {
		x.try("create-team", "groups can't be pushed: the token needs the SCIM role", true, failure)
		return
	}
	t.team = made.UUID
	for _, one := range made.Teams {
		if one.Name == t.name {
			t.team = one.UUID
		}
	}
	f := about("create-team")
	f.Seen = fmt.Sprintf("status %d", answer.Status)
	f.Means = "nothing: the team is looked for in the list, as PactFlow 1.26 and 1.27 answer"
	x.holds(made.UUID != "", f)
	if t.team == "" || u.UUID == "" {
		return
	}
	path := "/admin/teams/" + url.PathEscape(t.team)
	t.omitAdministrators(path)
	path += "/users"
	_, failure = x.call(facade.Call{Method: http.MethodPut, Path: path, Body: map[string]any{"users": []string{u.UUID}}}, nil)
	x.try("put-members", "a replacement of members falls back to single ones", false, failure)
	for _, op := range []string{"remove", "add"} {
		_, failure = x.call(facade.Call{Method: http.MethodPatch, Path: path,
			Body: []map[string]any{{"op": op, "path": "/users", "value": map[string]string{"uuid": u.UUID}}}}, nil)
		if failure != nil {
			break
		}
	}
	x.try("patch-members", "nothing: members are put and deleted, with more calls", false, failure)
}

// omitAdministrators renames the team and looks whether it keeps its administrators.
func (t *trial) omitAdministrators(path string) {
	f := about("put-team-omitted")
	f.Means = "nothing: everything is sent with every change"
	var back team
	_, failure := t.x.call(facade.Call{Method: http.MethodPut, Path: path, Body: map[string]any{"name": t.name + "-2"}}, nil)
	if failure == nil {
		_, failure = t.x.get(path, nil, &back)
	}
	if failure != nil {
		f.Verdict, f.Seen = Unknown, failure.Error()
		t.x.found(f)
		return
	}
	f.Seen = fmt.Sprintf("1 before, %d after", len(back.Embedded.Administrators))
	t.x.holds(len(back.Embedded.Administrators) == 1, f)
}

// remove deletes what was made, the team first. A user that can't be deleted is
// deactivated, and named.
func (t *trial) remove() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.x.ctx), time.Minute)
	defer cancel()
	var left []string
	if t.team != "" {
		if _, failure := t.x.callAs(ctx, facade.Call{Method: http.MethodDelete, Path: "/admin/teams/" + url.PathEscape(t.team)}, nil); failure != nil {
			left = append(left, "team "+t.name+" ("+failure.Error()+")")
		}
	}
	for _, id := range t.users {
		path := "/admin/users/" + url.PathEscape(id)
		if _, failure := t.x.callAs(ctx, facade.Call{Method: http.MethodDelete, Path: path}, nil); failure != nil {
			_, _ = t.x.callAs(ctx, facade.Call{Method: http.MethodPut, Path: path, Body: map[string]any{"name": "Rollcall Doctor", "active": false}}, nil)
			left = append(left, "user "+id+" ("+failure.Error()+")")
		}
	}
	f := about("delete")
	f.Means, f.Fatal = "remove by hand what is left; PACTFLOW_USER_DELETE=delete will not work", true
	if f.Seen = "all is gone"; len(left) > 0 {
		f.Seen = "left: " + strings.Join(left, "; ")
	}
	t.x.holds(len(left) == 0, f)
}
