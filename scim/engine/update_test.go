package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/compat"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// spy notes what an engine asks of a backend with all powers.
type spy struct {
	*memory.Store
	calls   []string
	changes []scim.Change
}

func (s *spy) Get(ctx context.Context, ref scim.Ref, sel scim.Selection) (*scim.Resource, error) {
	call := "Get"
	if m := ref.Type.Membership(); m != nil && sel.Wants(m.Name) {
		call = "Get with members"
	}
	s.calls = append(s.calls, call)
	return s.Store.Get(ctx, ref, sel)
}

func (s *spy) Update(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	s.calls, s.changes = append(s.calls, "Update"), append(s.changes, c)
	return s.Store.Update(ctx, c)
}

func (s *spy) UpdateMembers(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	s.calls, s.changes = append(s.calls, "UpdateMembers"), append(s.changes, c)
	return s.Store.UpdateMembers(ctx, c)
}

// A change of members reads no members, whatever it is.
func TestMembersAreNotRead(t *testing.T) {
	t.Parallel()
	s := &spy{Store: new(memory.Store)}
	c := open(t, s, engine.Config{})
	u, v := c.user("u"), c.user("v")
	g := c.group("g", u)
	add := `{"op":"add","path":"members","value":[{"value":"` + v + `"}]}`
	for _, tt := range []struct {
		line, body string
		status     int
		want       string
	}{
		{"PATCH /Groups/", patchOp(add), 204, "Get, UpdateMembers"},
		{"PATCH /Groups/", patchOp(add), 204, "Get, UpdateMembers"},
		{"PATCH /Groups/", patchOp(`{"op":"remove","path":"members[value eq \"` + v + `\"]"}`), 204, "Get, UpdateMembers"},
		{"PATCH /Groups/", patchOp(add, `{"op":"replace","path":"displayName","value":"h"}`), 204, "Get, Get, UpdateMembers"},
		{"PATCH /Groups/", patchOp(`{"op":"replace","path":"displayName","value":"h"}`), 204, "Get"},
		{"PATCH /Groups/", patchOp(`{"op":"replace","path":"displayName","value":"i"}`), 204, "Get, Get, UpdateMembers"},
		{"PUT /Groups/", `{"displayName":"i","members":[{"value":"` + u + `"},{"value":"` + u + `"}]}`, 200, "Get, UpdateMembers, Get with members"},
		{"PUT /Groups/", `{"displayName":"j"}`, 200, "Get, Get, UpdateMembers, Get with members"},
		{"PATCH /Groups/", patchOp(`{"op":"add","path":"members","value":[{"value":"` + u + `"}]}`), 204, "Get, UpdateMembers"},
		{"PATCH /Groups/", patchOp(`{"op":"remove","path":"members[display eq \"u\"]"}`), 204, "Get, Get with members, Update"},
	} {
		s.calls = nil
		line := tt.line + g
		c.must(tt.status, line, tt.body)
		if got := strings.Join(s.calls, ", "); got != tt.want {
			t.Errorf("%s %s: %s, want %s", line, tt.body, got, tt.want)
		}
	}
	s.calls = nil
	c.must(204, "DELETE /Groups/"+g, "")
	if len(s.calls) != 0 {
		t.Errorf("DELETE without a precondition: %v", s.calls)
	}
}

// GRP-10: members that were not read are not lost.
func TestRenameKeepsMembers(t *testing.T) {
	t.Parallel()
	both(t, engine.Config{}, func(t *testing.T, c client) {
		u := c.user("u")
		g := c.group("g", u)
		c.must(204, "PATCH /Groups/"+g, patchOp(`{"op":"replace","value":{"displayName":"h"}}`))
		if got := c.members(g); !slices.Equal(got, []string{u}) {
			t.Errorf("the members are %v", got)
		}
		c.must(200, "PUT /Groups/"+g, `{"displayName":"h"}`)
		if got := c.members(g); len(got) != 0 {
			t.Errorf("GRP-012: after a PUT without members they are %v", got)
		}
	})
}

// What a backend is told of a change.
func TestChange(t *testing.T) {
	t.Parallel()
	s := &spy{Store: new(memory.Store)}
	c := open(t, s, engine.Config{})
	u, g := c.user("u"), c.group("g")
	last := func() scim.Change { return s.changes[len(s.changes)-1] }

	c.must(200, "PATCH /Users/"+u, patchOp(`{"op":"add","path":"`+enterprise+`:department","value":"d"}`, `{"op":"replace","path":"title","value":"t"}`))
	ch := last()
	if ch.Method != "PATCH" || ch.IfVersion != "" || !slices.Equal(ch.Touched, []string{enterprise + ":department", "title"}) {
		t.Errorf("PATCH: method %q, version %q, touched %q", ch.Method, ch.IfVersion, ch.Touched)
	}
	if ch.After.Text == nil || ch.After.Digest == "" || ch.After.ID != u || len(ch.Deltas) != 2 || ch.Before.Attrs == nil {
		t.Errorf("PATCH: %+v", ch)
	}
	if !slices.Equal(ch.After.Schemas, []string{scim.UserURN, enterprise}) {
		t.Errorf("PATCH: schemas %q", ch.After.Schemas)
	}

	tag := c.must(200, "GET /Users/"+u, "").ETag
	c.must(200, "PUT /Users/"+u, `{"userName":"u","title":"x"}`, "If-Match: "+tag)
	if ch = last(); ch.Method != "PUT" || tag != `W/"`+ch.IfVersion+`"` || !slices.Contains(ch.Touched, "title") {
		t.Errorf("PUT: method %q, version %q, touched %q", ch.Method, ch.IfVersion, ch.Touched)
	}
	c.must(200, "PUT /Users/"+u, `{"userName":"u","title":"y"}`, "If-Match: *")
	if ch = last(); ch.IfVersion != "" {
		t.Errorf("If-Match: * asks for the version %q", ch.IfVersion)
	}

	c.must(200, "PUT /Groups/"+g, `{"displayName":"g","members":[{"value":"`+u+`"}]}`)
	if ch = last(); len(ch.Deltas) != 1 || !ch.Deltas[0].Reset || len(ch.Deltas[0].Added) != 1 || ch.After.Attrs.Get("members") != nil {
		t.Errorf("PUT of a group: %+v", ch.Deltas)
	}
}

// PUT-015, PAT-027, ETG-004: nothing changes, nothing is written.
func TestNoOp(t *testing.T) {
	t.Parallel()
	both(t, engine.Config{}, func(t *testing.T, c client) {
		u := c.must(201, "POST /Users", `{"userName":"u","title":"t","emails":[{"value":"a@x.example","type":"work"}]}`).ID
		g := c.group("g", u)
		for _, tt := range []struct {
			line, body string
			status     int
		}{
			{"PUT /Users/" + u, `{"userName":"u","title":"t","emails":[{"type":"work","value":"a@x.example"}],"active":true}`, 200},
			{"PUT /Users/" + u, c.must(200, "GET /Users/"+u, "").text, 200},
			{"PATCH /Users/" + u, patchOp(`{"op":"replace","path":"title","value":"t"}`), 200},
			{"PATCH /Users/" + u, patchOp(`{"op":"remove","path":"nickName"}`), 200},
			{"PATCH /Users/" + u, patchOp(`{"op":"add","path":"emails","value":[{"value":"a@x.example","type":"work"}]}`), 200},
			{"PATCH /Users/" + u, patchOp(`{"op":"add","path":"password","value":"discarded"}`), 200},
			{"PATCH /Groups/" + g, patchOp(`{"op":"add","path":"members","value":[{"value":"` + u + `"}]}`), 204},
			{"PATCH /Groups/" + g, patchOp(`{"op":"remove","path":"members[value eq \"x\"]"}`), 204},
			{"PUT /Groups/" + g, `{"displayName":"g","members":[{"value":"` + u + `"}]}`, 200},
		} {
			path := strings.Fields(tt.line)[1]
			before := c.must(200, "GET "+path, "")
			a := c.must(tt.status, tt.line, tt.body)
			after := c.must(200, "GET "+path, "")
			if after.text != before.text || a.ETag != before.ETag || !a.LastModified.Equal(before.LastModified) {
				t.Errorf("%s %s:\nbefore %s\nafter  %s", tt.line, tt.body, before.text, after.text)
			}
			if tt.status == 200 && a.text != before.text {
				t.Errorf("%s %s: the answer is %s", tt.line, tt.body, a.text)
			}
		}
	})
}

// ERR-012: existence, precondition, syntax, path, mutability, value, uniqueness.
func TestOrderOfErrors(t *testing.T) {
	t.Parallel()
	c := open(t, nil, strict())
	id := c.user("u")
	c.user("taken")
	stale := "If-Match: W/\"99\""
	for _, tt := range []struct {
		line, body, header string
		status             int
		scimType           string
	}{
		{"PUT /Users/nobody", `{`, stale, 404, ""},
		{"PATCH /Users/nobody", `{`, "If-Match: rubbish", 404, ""},
		{"DELETE /Users/nobody", ``, stale, 404, ""},
		{"DELETE /Users/nobody", ``, "If-Match: *", 404, ""},
		{"PUT /Users/" + id, `{`, "If-Match: rubbish", 400, "invalidValue"},
		{"PUT /Users/" + id, `{`, stale, 412, ""},
		{"PATCH /Users/" + id, `{`, stale, 412, ""},
		{"DELETE /Users/" + id, ``, stale, 412, ""},
		{"PUT /Users/" + id, `{`, "If-Match: *", 400, "invalidSyntax"},
		{"PUT /Users/" + id, `{"schemas":["` + scim.UserURN + `"],"userName":5}`, "If-Match: *", 400, "invalidValue"},
		{"PUT /Users/" + id, `{"schemas":["` + scim.UserURN + `"],"userName":"taken"}`, "If-Match: *", 409, "uniqueness"},
		{"PATCH /Users/" + id, patchOp(`{"op":"replace","path":"nope","value":1}`), "If-Match: *", 400, "invalidPath"},
		{"PATCH /Users/" + id, patchOp(`{"op":"replace","path":"id","value":"x"}`), "If-Match: *", 400, "mutability"},
	} {
		c.refused(tt.status, tt.scimType, tt.line, tt.body, tt.header)
	}
}

// PRJ-017
func TestPatchAnswers(t *testing.T) {
	t.Parallel()
	onelogin, _ := compat.Lookup("onelogin")
	for _, tt := range []struct {
		name    string
		profile compat.Profile
		query   string
		prefer  string
		status  int
	}{
		{"plain", compat.Auto(), "", "", 204},
		{"attributes", compat.Auto(), "?attributes=displayName", "", 200},
		{"empty attributes", compat.Auto(), "?attributes=", "", 204},
		{"unknown attributes", compat.Auto(), "?attributes=nope", "", 200},
		{"excludedAttributes", compat.Auto(), "?excludedAttributes=members", "", 200},
		{"Prefer", compat.Auto(), "", `foo; bar, Return="representation"; x=1`, 200},
		{"Prefer minimal", compat.Auto(), "", "return=minimal", 204},
		{"profile", onelogin, "", "", 200},
	} {
		both(t, engine.Config{Profile: tt.profile}, func(t *testing.T, c client) {
			u := c.user("u")
			g := c.group("g")
			a := c.must(tt.status, "PATCH /Groups/"+g+tt.query,
				patchOp(`{"op":"add","path":"members","value":[{"value":"`+u+`"}]}`), "Prefer: "+tt.prefer)
			if a.ETag == "" || a.Location != base+"/Groups/"+g {
				t.Errorf("%s: ETag %q, Location %q", tt.name, a.ETag, a.Location)
			}
			if want := tt.status == 200 && tt.query == ""; strings.Contains(a.text, `"members":[`) != want {
				t.Errorf("%s: %s", tt.name, a.text)
			}
		})
	}
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	store := new(memory.Store)
	n := 0
	var broken error
	c := open(t, store, engine.Config{Password: func(clear string) (string, error) {
		n++
		return fmt.Sprintf("hash-%d-%d", len(clear), n), broken
	}})
	kept := func(id string) any {
		r, err := store.Get(t.Context(), scim.Ref{Type: c.e.Types()[0], ID: id}, scim.Selection{})
		if err != nil {
			t.Fatal(err)
		}
		return r.Attrs.Get("password")
	}
	id := c.must(201, "POST /Users", `{"userName":"u","password":"canary"}`).ID
	if got := kept(id); got != "hash-6-1" {
		t.Errorf("POST keeps %v", got)
	}
	c.must(200, "PUT /Users/"+id, `{"userName":"u","title":"t"}`)
	c.must(200, "PATCH /Users/"+id, patchOp(`{"op":"replace","path":"title","value":"x"}`))
	if got := kept(id); got != "hash-6-1" || n != 1 {
		t.Errorf("PUT-005: a PUT without password leaves %v, %d hashed", got, n)
	}
	c.must(200, "PUT /Users/"+id, `{"userName":"u","password":"canary!"}`)
	if got := kept(id); got != "hash-7-2" {
		t.Errorf("PUT keeps %v", got)
	}
	c.must(200, "PUT /Users/"+id, `{"userName":"u","password":""}`)
	c.must(200, "PATCH /Users/"+id, patchOp(`{"op":"replace","path":"password","value":""}`, `{"op":"add","value":{"password":[""]}}`))
	if got := kept(id); got != "hash-7-2" || n != 2 {
		t.Errorf("BODY-02: an empty password leaves %v, %d hashed", got, n)
	}
	c.must(200, "PATCH /Users/"+id, patchOp(`{"op":"remove","path":"password"}`))
	if got := kept(id); got != nil {
		t.Errorf("PATCH remove leaves %v", got)
	}
	broken = errors.New("canary: no entropy")
	if a := c.must(500, "PATCH /Users/"+id, patchOp(`{"op":"add","path":"password","value":"canary"}`)); strings.Contains(a.text, "canary") {
		t.Errorf("the answer is %s", a.text)
	}
	if a := c.must(200, "GET /ServiceProviderConfig", ""); !strings.Contains(a.text, `"changePassword":{"supported":true}`) {
		t.Error("changePassword is not announced")
	}
	if a := c.must(200, "GET /Users/"+id+"?attributes=password", ""); strings.Contains(a.text, "password") {
		t.Errorf("the answer is %s", a.text)
	}

	discard := open(t, store, engine.Config{})
	id = discard.must(201, "POST /Users", `{"userName":"v","password":"canary"}`).ID
	if got := kept(id); got != nil {
		t.Errorf("without a hash function, POST keeps %v", got)
	}
}

// A password is hashed once, however often an update has to begin anew.
func TestPasswordIsHashedOnce(t *testing.T) {
	t.Parallel()
	store := new(memory.Store)
	lost, hashed := 0, 0
	c := open(t, hooked{Backend: store, update: func(context.Context, scim.Change) error {
		if lost++; lost < 4 {
			return scim.ErrVersionMismatch
		}
		return nil
	}}, engine.Config{Password: func(string) (string, error) { hashed++; return "h", nil }})
	id := c.user("u")
	c.must(200, "PUT /Users/"+id, `{"userName":"u","password":"p"}`)
	if lost != 4 || hashed != 1 {
		t.Errorf("%d attempts, %d times hashed", lost, hashed)
	}
}

// ENT-005
func TestManagers(t *testing.T) {
	t.Parallel()
	body := func(name, manager string) string {
		return `{"schemas":["` + scim.UserURN + `","` + enterprise + `"],"userName":"` + name + `","` + enterprise + `":{"manager":{"value":"` + manager + `"}}}`
	}
	store := new(memory.Store)
	c, auto := open(t, store, strict()), open(t, store, engine.Config{})
	boss, g := c.user("boss"), c.group("g")
	c.refused(400, "invalidValue", "POST /Users", body("a", "nobody"))
	c.refused(400, "invalidValue", "POST /Users", body("a", g))
	a := c.must(201, "POST /Users", body("a", boss))
	c.refused(400, "invalidValue", "PUT /Users/"+a.ID, body("a", "nobody"))
	c.refused(400, "invalidValue", "PATCH /Users/"+a.ID, patchOp(`{"op":"replace","path":"`+enterprise+`:manager","value":{"value":"nobody"}}`))

	b := auto.must(201, "POST /Users", body("b", "later"))
	if strings.Contains(b.text, "$ref") || !strings.Contains(b.text, `"manager":{"value":"later"}`) {
		t.Errorf("an unknown manager is shown as %s", b.text)
	}
	// What was stored before is no reason to refuse something else.
	c.must(200, "PATCH /Users/"+b.ID, patchOp(`{"op":"replace","path":"title","value":"t"}`))
}

// ME-001 to ME-005
func TestMe(t *testing.T) {
	t.Parallel()
	store := new(memory.Store)
	id := open(t, store, engine.Config{}).user("me")
	me := id
	c := open(t, store, engine.Config{Me: func(context.Context) (string, error) {
		if me == "" {
			return "", scim.ErrNotFound
		}
		return me, nil
	}})
	if a := c.must(200, "GET /me/", ""); a.Location != base+"/Users/"+id || a.Type != "User" || a.ID != id {
		t.Errorf("Location %q, %s %s", a.Location, a.Type, a.ID)
	}
	c.must(200, "PUT /Me", `{"userName":"me","title":"a"}`)
	if a := c.must(200, "PATCH /Me", patchOp(`{"op":"replace","path":"title","value":"b"}`)); a.json["title"] != "b" {
		t.Errorf("PATCH: %s", a.text)
	}
	c.must(501, "POST /Me", `{}`)
	if got := strings.Join(c.must(204, "OPTIONS /Me", "").Allow, " "); got != "GET HEAD PUT PATCH DELETE OPTIONS" {
		t.Errorf("Allow: %s", got)
	}
	me = ""
	c.must(404, "GET /Me", "")
	me = "gone"
	c.must(404, "GET /Me", "")
	me = id
	c.must(204, "DELETE /Me", "")
	c.must(404, "GET /Users/"+id, "")
	off := open(t, store, engine.Config{})
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
		off.must(501, method+" /Me", `{}`)
	}
}

// LIFE-08, PUT-004
func TestKeepActive(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"auto": false, "strict": true} {
		profile, _ := compat.Lookup(name)
		c := open(t, nil, engine.Config{Profile: profile})
		id := c.must(201, "POST /Users", `{"schemas":["`+scim.UserURN+`"],"userName":"u","active":false}`).ID
		a := c.must(200, "PUT /Users/"+id, `{"schemas":["`+scim.UserURN+`"],"userName":"u"}`)
		if a.json["active"] != want {
			t.Errorf("%s: active is %v", name, a.json["active"])
		}
		if slices.Contains(a.Rules, "LIFE-08") == want {
			t.Errorf("%s: Rules %v", name, a.Rules)
		}
		status := map[string]int{"auto": 200, "strict": 400}[name]
		put := c.must(status, "PUT /Users/"+id, `{"schemas":["`+scim.UserURN+`"],"userName":"u","active":""}`)
		patch := c.must(status, "PATCH /Users/"+id, patchOp(`{"op":"replace","path":"active","value":""}`))
		if name == "auto" && (put.json["active"] != false || !slices.Contains(put.Rules, "BODY-01") ||
			patch.json["active"] != false || !slices.Contains(patch.Rules, "PATCH-09")) {
			t.Errorf("an empty text: PUT %s by %v, PATCH %s by %v", put.text, put.Rules, patch.text, patch.Rules)
		}
	}
}

// vanishing deletes a resource once it has been updated.
type vanishing struct{ *memory.Store }

func (v vanishing) Update(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	r, err := v.Store.Update(ctx, c)
	if err == nil {
		err = v.Store.Delete(ctx, c.After.Ref(), "")
	}
	return r, err
}

func (v vanishing) UpdateMembers(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	r, err := v.Store.UpdateMembers(ctx, c)
	if err == nil {
		err = v.Store.Delete(ctx, c.After.Ref(), "")
	}
	return r, err
}

// What was stored is answered, although it is gone when it is read again.
func TestUpdateThenDeleted(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"PUT", "PATCH"} {
		c := open(t, vanishing{new(memory.Store)}, engine.Config{})
		u := c.user("u")
		g := c.group("g", u)
		body := `{"displayName":"h","members":[{"value":"` + u + `"}]}`
		if line == "PATCH" {
			body = patchOp(`{"op":"replace","path":"displayName","value":"h"}`)
		}
		a := c.must(200, line+" /Groups/"+g+"?excludedAttributes=externalId", body)
		if a.json["displayName"] != "h" || a.json["id"] != g || a.ETag == "" {
			t.Errorf("%s: %s", line, a.text)
		}
		c.must(404, "GET /Groups/"+g, "")
	}
}
