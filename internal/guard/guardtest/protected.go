package guardtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/guard"
	"github.com/rollcall-scim/rollcall/internal/tenant"
)

// testProtected tries to get at protected people and groups (T20b): each attempt is
// refused with a text that says how that is changed, and changes nothing.
func testProtected(t *testing.T, open Open) {
	w := begin(t, open, "auto", tenant.Settings{
		Protected: []string{"User:Root@Example.com", "Group:Break Glass"},
		Breaker:   tenant.Breaker{Mode: "off"},
	})
	root, ada, bob := w.user("root@example.com"), w.user("ada"), w.user("bob")
	glass := w.group("Break Glass", ada)
	crew := w.group("Crew", root, bob)
	nested := w.group("Nested") // is in the protected group
	w.must("PATCH", "/Groups/"+glass, patch(`{"op":"add","path":"members","value":[{"value":"`+nested+`"}]}`))
	outer := w.group("Outer", crew) // root is in it, by way of Crew
	team := w.group("Team", bob)
	before := w.dump()
	type try struct{ method, path, body string }
	for name, a := range map[string]try{
		"PATCH":                        {"PATCH", "/Users/" + root, patch(`{"op":"replace","path":"title","value":"x"}`)},
		"PATCH without a path":         {"PATCH", "/Users/" + root, patch(inactive)},
		"PATCH active as a text":       {"PATCH", "/Users/" + root, patch(`{"op":"Replace","path":"active","value":"False"}`)},
		"PUT":                          {"PUT", "/Users/" + root, `{"userName":"root@example.com","active":false}`},
		"PUT that renames it":          {"PUT", "/Users/" + root, `{"userName":"nobody"}`},
		"PATCH that renames it":        {"PATCH", "/Users/" + root, patch(`{"op":"replace","path":"userName","value":"nobody"}`)},
		"DELETE":                       {"DELETE", "/Users/" + root, ""},
		"to take its name":             {"PATCH", "/Users/" + bob, patch(`{"op":"replace","path":"userName","value":"ｒoot@example.com"}`)},
		"to create one like it":        {"POST", "/Users", `{"userName":"ROOT@example.COM"}`},
		"to leave a group":             {"PATCH", "/Groups/" + crew, patch(`{"op":"remove","path":"members[value eq \"` + root + `\"]"}`)},
		"to leave, by a list":          {"PATCH", "/Groups/" + crew, patch(`{"op":"Remove","path":"members","value":[{"value":"` + root + `"}]}`)},
		"to leave, all":                {"PATCH", "/Groups/" + crew, patch(`{"op":"remove","path":"members"}`)},
		"to leave, replaced":           {"PATCH", "/Groups/" + crew, patch(`{"op":"replace","path":"members","value":[{"value":"` + bob + `"}]}`)},
		"to leave, replaced pathless":  {"PATCH", "/Groups/" + crew, patch(`{"op":"replace","value":{"members":[]}}`)},
		"to leave, PUT":                {"PUT", "/Groups/" + crew, `{"displayName":"Crew","members":[{"value":"` + bob + `"}]}`},
		"to leave a group that goes":   {"DELETE", "/Groups/" + crew, ""},
		"to join a group":              {"PATCH", "/Groups/" + team, patch(`{"op":"add","path":"members","value":[{"value":"` + root + `"}]}`)},
		"to join one that is made":     {"POST", "/Groups", `{"displayName":"New","members":[{"value":"` + root + `"}]}`},
		"its group leaves one":         {"PATCH", "/Groups/" + outer, patch(`{"op":"remove","path":"members"}`)},
		"its group joins one":          {"PATCH", "/Groups/" + team, patch(`{"op":"add","path":"members","value":[{"value":"` + crew + `"}]}`)},
		"the outer group goes":         {"DELETE", "/Groups/" + outer, ""},
		"group PATCH":                  {"PATCH", "/Groups/" + glass, patch(`{"op":"replace","path":"displayName","value":"Lunch"}`)},
		"group PUT":                    {"PUT", "/Groups/" + glass, `{"displayName":"Break Glass","members":[]}`},
		"group DELETE":                 {"DELETE", "/Groups/" + glass, ""},
		"group gains a member":         {"PATCH", "/Groups/" + glass, patch(`{"op":"add","path":"members","value":[{"value":"` + bob + `"}]}`)},
		"group loses its members":      {"PATCH", "/Groups/" + glass, patch(`{"op":"replace","path":"members","value":[]}`)},
		"group is renamed with others": {"PATCH", "/Groups/" + glass, patch(`{"op":"replace","value":{"displayName":"X","members":[]}}`)},
		"a member of the group goes":   {"DELETE", "/Users/" + ada, ""},
		"a group in the group gains":   {"PATCH", "/Groups/" + nested, patch(`{"op":"add","path":"members","value":[{"value":"` + bob + `"}]}`)},
		"a group in the group goes":    {"DELETE", "/Groups/" + nested, ""},
		"another takes its name":       {"PATCH", "/Groups/" + team, patch(`{"op":"replace","path":"displayName","value":"BREAK  GLASS"}`)},
		"group joins another":          {"PATCH", "/Groups/" + team, patch(`{"op":"add","path":"members","value":[{"value":"` + glass + `"}]}`)},
	} {
		got := w.do(len(name), a.method, a.path, a.body)
		if got.Status != 403 || !strings.Contains(got.Body, "rollcall tenant set acme protected") || !strings.Contains(got.Body, "protected") {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
		// In a Bulk message the others of it are as they would be without.
		op := fmt.Sprintf(`{"method":%q,"path":%q,"bulkId":"b"`, a.method, a.path)
		if a.body != "" {
			op += `,"data":` + a.body
		}
		if got := w.do(len(name)+1, "POST", "/Bulk", bulk(op+`}`)); !strings.Contains(got.Body, `"status":"403"`) {
			t.Errorf("%s, in Bulk: %d %s", name, got.Status, got.Body)
		}
	}
	if after := w.dump(); after != before {
		t.Errorf("something was changed:\n%s\n%s", before, after)
	}
	if w.told(guard.Protected) < 60 {
		t.Errorf("%d events", w.told(guard.Protected))
	}
}

// testUnprotected does what protection has nothing to say about, and protects by id.
func testUnprotected(t *testing.T, open Open) {
	w := begin(t, open, "auto", tenant.Settings{Protected: []string{"User:root"}, Breaker: tenant.Breaker{Mode: "off"}})
	root, ada := w.user("root"), w.user("ada")
	crew := w.group("Crew", root)
	for name, a := range map[string][3]string{
		"the same again":      {"PUT", "/Users/" + root, `{"userName":"root","active":true}`},
		"members that stay":   {"PUT", "/Groups/" + crew, `{"displayName":"Crew","members":[{"value":"` + root + `"},{"value":"` + ada + `"}]}`},
		"its group's name":    {"PATCH", "/Groups/" + crew, patch(`{"op":"replace","path":"displayName","value":"Crew 2"}`)},
		"another":             {"PATCH", "/Users/" + ada, patch(inactive)},
		"a group of its name": {"POST", "/Groups", `{"displayName":"root"}`},
	} {
		if got := w.do(0, a[0], a[1], a[2]); got.Status >= 300 {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	// By id, whatever the name: the operator renames it.
	v := begin(t, func(*testing.T, func() time.Time) (a, b guard.Directory) { return w.stores[0], w.stores[1] },
		"auto", tenant.Settings{Protected: []string{"User:" + ada}, Breaker: tenant.Breaker{Mode: "off"}})
	v.must("PATCH", "/Users/"+ada, patch(`{"op":"replace","path":"userName","value":"lovelace"}`))
	if got := v.do(1, "DELETE", "/Users/"+ada, ""); got.Status != 403 {
		t.Errorf("by id: %d %s", got.Status, got.Body)
	}
	if got := v.do(1, "DELETE", "/Users/"+root, ""); got.Status != 204 {
		t.Errorf("who is protected no more: %d %s", got.Status, got.Body)
	}
}
