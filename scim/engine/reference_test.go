package engine_test

import (
	"slices"
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// BODY-08 is told of by those requests that name somebody who is not there,
// and not by others about the same resource.
func TestUnknownReferencesAreTold(t *testing.T) {
	t.Parallel()
	const ext, rest = `"schemas":["` + scim.UserURN + `","` + enterprise + `"],"userName":"u"`, `,"` + enterprise + `":`
	const later, value = `{"manager":{"value":"later"}}`, `"value":"later"`
	c := open(t, nil, engine.Config{Types: widgets(t)})
	boss := c.user("boss")
	const gadgetOf = `{"schemas":["urn:x:test:2.0:Gadget","urn:x:test:2.0:GadgetExt"],"urn:x:test:2.0:GadgetExt":{"code":"c"},"name":"g","parts":[{` + value + `}]}`
	u := c.must(201, "POST /Users", `{`+ext+rest+later+`}`)
	g := c.must(201, "POST /Gadgets", gadgetOf)
	if !slices.Contains(u.Rules, "BODY-08") || !slices.Contains(g.Rules, "BODY-08") {
		t.Errorf("POST: Rules %v and %v", u.Rules, g.Rules)
	}
	user, gadget := "/Users/"+u.ID, "/Gadgets/"+g.ID
	for _, tt := range []struct {
		line, body string
		want       bool
	}{
		{"PATCH " + user, patchOp(`{"op":"replace","path":"title","value":"t"}`), false},
		{"PATCH " + user, patchOp(`{"op":"replace","path":"` + enterprise + `:department","value":"d"}`), false},
		{"PATCH " + user, patchOp(`{"op":"replace","path":"` + enterprise + `:manager","value":{` + value + `}}`), true},
		{"PATCH " + user, patchOp(`{"op":"add","value":{"title":"v"` + rest + later + `}}`), true},
		{"PATCH " + user, patchOp(`{"op":"add","path":"` + enterprise + `","value":` + later + `}`), true},
		{"PATCH " + user, patchOp(`{"op":"replace","path":"` + enterprise + `:manager.value","value":"never"}`), true},
		{"PUT " + user, `{` + ext + rest + later + `}`, true},
		{"PUT " + user, `{` + ext + rest + later + `}`, true},
		{"PUT " + user, `{` + ext + `}`, false},
		{"PUT " + user, `{` + ext + rest + `{"manager":{"value":"` + boss + `"}}}`, false},
		{"PATCH " + gadget, patchOp(`{"op":"replace","path":"name","value":"h"}`), false},
		{"PATCH " + gadget, patchOp(`{"op":"add","path":"parts","value":[{"value":"` + g.ID + `"}]}`), false},
		{"PATCH " + gadget, patchOp(`{"op":"add","path":"parts","value":[{"value":"never"}]}`), true},
		{"PUT " + gadget, gadgetOf, true},
	} {
		a := c.must(200, tt.line, tt.body)
		if slices.Contains(a.Rules, "BODY-08") != tt.want {
			t.Errorf("%s %s: Rules %v, want BODY-08: %v", tt.line, tt.body, a.Rules, tt.want)
		}
	}
}
