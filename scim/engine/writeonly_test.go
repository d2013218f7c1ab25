package engine_test

import (
	"context"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// Who may write and not read learns nothing from the answers but what was sent.
func TestWriteWithoutRead(t *testing.T) {
	t.Parallel()
	c := open(t, openStore(t), engine.Config{})
	user := c.must(201, "POST /Users", `{"schemas":["`+scim.UserURN+`"],"userName":"u","nickName":"canary","active":true}`).ID
	group := c.group("canary", user)
	w := client{t, c.e.Guarded(func(_ context.Context, a engine.Access) error {
		if a.Operation == "get" || a.Operation == "list" || a.Operation == "search" {
			return &scim.Error{Status: 403, Detail: "not you"}
		}
		return nil
	})}
	patch := func(op string) string { return `{"schemas":["` + scim.PatchOpURN + `"],"Operations":[` + op + `]}` }
	hasNot := func(a answer, secrets ...string) {
		t.Helper()
		for _, s := range secrets {
			if strings.Contains(a.text, s) {
				t.Errorf("it tells %s: %s", s, a.text)
			}
		}
	}
	const wants = "?attributes=members,groups,nickName,displayName"
	for _, line := range []string{"PATCH /Groups/" + group, "PATCH /Groups/" + group + wants} {
		a := w.must(204, line, patch(`{"op":"replace","path":"externalId","value":"e"}`), "Prefer: return=representation")
		hasNot(a, "canary", user)
		if a.ETag == "" {
			t.Error("no ETag")
		}
	}
	for _, line := range []string{"PATCH /Users/" + user, "PATCH /Users/" + user + wants} {
		hasNot(w.must(204, line, patch(`{"op":"replace","path":"title","value":"t"}`)), "canary", group)
	}
	body := `{"schemas":["` + scim.UserURN + `"],"userName":"u2","emails":[{"value":"u@example.com"}]}`
	a := w.must(200, "PUT /Users/"+user, body)
	if a.json["userName"] != "u2" || a.json["emails"] == nil || a.json["id"] != user || a.json["meta"] == nil {
		t.Errorf("what was sent is not in the answer: %s", a.text)
	}
	hasNot(a, group, "canary")
	if a := w.must(200, "PUT /Users/"+user+"?attributes=groups,userName", body); a.json["userName"] != "u2" || a.json["groups"] != nil || a.json["emails"] != nil {
		t.Errorf("beyond what was sent and is wanted: %s", a.text)
	}
	hasNot(w.must(200, "PUT /Users/"+user+"?attributes=groups", body), group, "u2")
	for _, line := range []string{"DELETE /Users/" + user, "PATCH /Groups/" + group, "PUT /Users/" + user} {
		hasNot(w.must(403, line+"?dryRun=true", patch(`{"op":"replace","path":"externalId","value":"f"}`)), "canary", group)
	}
	bulk := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[{"method":"DELETE","path":"/Groups/` + group + `"}]}`
	hasNot(w.must(403, "POST /Bulk?dryRun=true", bulk), "canary", user)
	if a := c.must(200, "PUT /Users/"+user, body); a.json["groups"] == nil {
		t.Errorf("who may read is shown less: %s", a.text)
	}
}
