package guardtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/guard"
	"github.com/rollcall-scim/rollcall/internal/tenant"
)

// testPromotion tries to give roles and entitlements that clients may not give
// (T20).
func testPromotion(t *testing.T, open Open) {
	w := begin(t, open, "auto", tenant.Settings{
		Promotion: tenant.Promotion{
			Roles:        tenant.Ceiling{Only: []string{"viewer", "editor", "Editor of all"}, Never: []string{"Admin"}},
			Entitlements: tenant.Ceiling{Never: []string{"Root"}},
		},
		Breaker: tenant.Breaker{Mode: "off"},
	})
	ada := w.must("POST", "/Users", `{"userName":"ada","roles":[{"value":"viewer","primary":true}]}`).ID
	boss := w.must("POST", "/Users", `{"userName":"boss","roles":[{"value":"admin","display":"Boss"}]}`).ID
	before := w.dump()
	for name, a := range map[string][3]string{
		"POST":                        {"POST", "/Users", `{"userName":"x","roles":[{"value":"admin"}]}`},
		"POST of no object":           {"POST", "/Users", `{"userName":"x","roles":["admin"]}`},
		"PUT":                         {"PUT", "/Users/" + ada, `{"userName":"ada","roles":[{"value":"viewer"},{"value":"admin"}]}`},
		"case":                        {"PATCH", "/Users/" + ada, patch(`{"op":"add","path":"roles","value":[{"value":"aDMIN"}]}`)},
		"blanks":                      {"PATCH", "/Users/" + ada, patch(`{"op":"add","path":"roles","value":[{"value":" admin "}]}`)},
		"width and invisible":         {"PATCH", "/Users/" + ada, patch(`{"op":"add","path":"roles","value":[{"value":"ａd\u200bmin"}]}`)},
		"not listed":                  {"PATCH", "/Users/" + ada, patch(`{"op":"add","path":"roles","value":[{"value":"owner"}]}`)},
		"without a path":              {"PATCH", "/Users/" + ada, patch(`{"op":"add","value":{"roles":[{"value":"admin"}]}}`)},
		"by URN":                      {"PATCH", "/Users/" + ada, patch(`{"op":"add","path":"urn:ietf:params:scim:schemas:core:2.0:User:roles","value":[{"value":"admin"}]}`)},
		"by a dotted key":             {"PATCH", "/Users/" + ada, patch(`{"op":"add","value":{"roles.value":"admin"}}`)},
		"by a filter":                 {"PATCH", "/Users/" + ada, patch(`{"op":"replace","path":"roles[primary eq \"True\"].value","value":"admin"}`)},
		"by display":                  {"PATCH", "/Users/" + ada, patch(`{"op":"add","path":"roles","value":[{"value":"viewer","display":"Admin"}]}`)},
		"by a display not listed":     {"PATCH", "/Users/" + ada, patch(`{"op":"add","path":"roles","value":[{"value":"viewer","display":"Owner"}]}`)},
		"without a value":             {"PATCH", "/Users/" + ada, patch(`{"op":"add","path":"roles","value":[{"display":"admin"}]}`)},
		"as JSON":                     {"PATCH", "/Users/" + ada, patch(`{"op":"add","path":"roles","value":[{"value":"{\"id\":\"7\",\"value\":\"admin\",\"displayName\":\"viewer\"}"}]}`)},
		"as JSON by display":          {"PATCH", "/Users/" + ada, patch(`{"op":"add","path":"roles","value":[{"value":"{\"value\":\"viewer\",\"displayName\":\"Admin\"}"}]}`)},
		"entitlements":                {"PATCH", "/Users/" + ada, patch(`{"op":"add","path":"entitlements","value":[{"value":"ROOT"}]}`)},
		"a variation selector":        {"PATCH", "/Users/" + ada, patch(`{"op":"add","path":"entitlements","value":[{"value":"ro\ufe0fot"}]}`)},
		"a joiner":                    {"PATCH", "/Users/" + ada, patch(`{"op":"add","path":"entitlements","value":[{"value":"ro\u034fot"}]}`)},
		"a filler":                    {"PATCH", "/Users/" + ada, patch(`{"op":"add","path":"entitlements","value":[{"value":"ro\u3164ot"}]}`)},
		"entitlements as JSON, by id": {"PATCH", "/Users/" + ada, patch(`{"op":"add","path":"entitlements","value":[{"value":"{\"id\":\"root\"}"}]}`)},
		"an old one grows":            {"PATCH", "/Users/" + boss, patch(`{"op":"replace","path":"roles[value eq \"admin\"].display","value":"Owner"}`)},
	} {
		got := w.do(len(name), a[0], a[1], a[2])
		refused := got.Status == 403 && strings.Contains(got.Body, "rollcall tenant set acme promotion.")
		if !refused && !(name == "POST of no object" && got.Status == 400) {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
		if got := w.do(len(name), "POST", "/Bulk", bulk(fmt.Sprintf(`{"method":%q,"path":%q,"bulkId":"b","data":%s}`, a[0], a[1], a[2]))); !strings.Contains(got.Body, `"status":"403"`) &&
			!strings.Contains(got.Body, `"status":"400"`) {
			t.Errorf("%s, in Bulk: %d %s", name, got.Status, got.Body)
		}
	}
	if after := w.dump(); after != before {
		t.Errorf("something was changed:\n%s\n%s", before, after)
	}
	for name, a := range map[string][3]string{
		"a role that may be given":  {"PATCH", "/Users/" + ada, patch(`{"op":"add","path":"roles","value":[{"value":"Editor","display":"editor of all"}]}`)},
		"as JSON":                   {"PATCH", "/Users/" + ada, patch(`{"op":"add","path":"roles","value":[{"value":"{\"id\":\"8\",\"value\":\"viewer\",\"displayName\":\"Viewer\"}"}]}`)},
		"entitlements":              {"PATCH", "/Users/" + ada, patch(`{"op":"add","path":"entitlements","value":[{"value":"printer"}]}`)},
		"what it had before, kept":  {"PUT", "/Users/" + boss, `{"userName":"boss","title":"x","roles":[{"value":"admin","display":"Boss"}]}`},
		"and is taken away at last": {"PATCH", "/Users/" + boss, patch(`{"op":"remove","path":"title"}`)},
	} {
		if got := w.do(0, a[0], a[1], a[2]); got.Status != 200 {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	if got := w.do(0, "PATCH", "/Users/"+boss, patch(`{"op":"replace","path":"roles","value":[{"value":"admin"}]}`)); got.Status != 200 {
		t.Errorf("what it had before, less: %d %s", got.Status, got.Body)
	}
	w.do(0, "PATCH", "/Users/"+boss, patch(`{"op":"remove","path":"roles"}`))
	if got := w.do(0, "PATCH", "/Users/"+boss, patch(`{"op":"add","path":"roles","value":[{"value":"admin"}]}`)); got.Status != 403 {
		t.Errorf("what was taken away is given again: %d %s", got.Status, got.Body)
	}
}

// testPromotionGroups tries to make people members of groups that clients may not
// give.
func testPromotionGroups(t *testing.T, open Open) {
	w := begin(t, open, "auto", tenant.Settings{
		Promotion: tenant.Promotion{Groups: tenant.Ceiling{Never: []string{"Admins", "Owners"}}},
		Breaker:   tenant.Breaker{Mode: "off"},
	})
	ada, bob := w.user("ada"), w.user("bob")
	lunch, empty := w.group("Lunch", bob), w.group("Empty")
	staff := w.group("Staff")
	admins := w.group("Admins", bob, staff)
	deep := w.group("Deep")
	w.must("PATCH", "/Groups/"+staff, patch(`{"op":"add","path":"members","value":[{"value":"`+deep+`"}]}`))
	member := `[{"value":"` + ada + `"}]`
	before := w.dump()
	for name, a := range map[string][3]string{
		"PATCH":                   {"PATCH", "/Groups/" + admins, patch(`{"op":"add","path":"members","value":` + member + `}`)},
		"capital PATCH":           {"PATCH", "/Groups/" + admins, patch(`{"op":"Add","path":"Members","value":[{"$ref":null,"value":"` + ada + `"}]}`)},
		"without a path":          {"PATCH", "/Groups/" + admins, patch(`{"op":"add","value":{"members":` + member + `}}`)},
		"by a filter":             {"PATCH", "/Groups/" + admins, patch(`{"op":"add","path":"members[value eq \"` + ada + `\"]","value":{"value":"` + ada + `"}}`)},
		"PUT":                     {"PUT", "/Groups/" + admins, `{"displayName":"Admins","members":[{"value":"` + bob + `"},{"value":"` + ada + `"},{"value":"` + staff + `"}]}`},
		"POST":                    {"POST", "/Groups", `{"displayName":"OWNERS","members":` + member + `}`},
		"renamed in the request":  {"PATCH", "/Groups/" + admins, patch(`{"op":"replace","value":{"displayName":"Lunch 2"}},{"op":"add","path":"members","value":` + member + `}`)},
		"renamed by PUT":          {"PUT", "/Groups/" + admins, `{"displayName":"Lunch 2","members":` + member + `}`},
		"renamed away":            {"PATCH", "/Groups/" + admins, patch(`{"op":"replace","path":"displayName","value":"Lunch 2"}`)},
		"another takes the name":  {"PATCH", "/Groups/" + lunch, patch(`{"op":"replace","path":"displayName","value":"ＯWNERS"}`)},
		"an empty one takes it":   {"PATCH", "/Groups/" + empty, patch(`{"op":"replace","path":"displayName","value":"Owners"}`)},
		"a group in the group":    {"PATCH", "/Groups/" + staff, patch(`{"op":"add","path":"members","value":` + member + `}`)},
		"a group deep in it":      {"PATCH", "/Groups/" + deep, patch(`{"op":"add","path":"members","value":` + member + `}`)},
		"a group joins it":        {"PATCH", "/Groups/" + admins, patch(`{"op":"add","path":"members","value":[{"value":"` + lunch + `"}]}`)},
		"a group joins one in it": {"PATCH", "/Groups/" + deep, patch(`{"op":"add","path":"members","value":[{"value":"` + lunch + `"}]}`)},
	} {
		got := w.do(len(name), a[0], a[1], a[2])
		if got.Status != 403 || !strings.Contains(got.Body, "promotion.groups") {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
		if got := w.do(len(name), "POST", "/Bulk", bulk(fmt.Sprintf(`{"method":%q,"path":%q,"bulkId":"b","data":%s}`, a[0], a[1], a[2]))); !strings.Contains(got.Body, `"status":"403"`) {
			t.Errorf("%s, in Bulk: %d %s", name, got.Status, got.Body)
		}
	}
	if after := w.dump(); after != before {
		t.Errorf("something was changed:\n%s\n%s", before, after)
	}
	if w.told(guard.Promoted) < 20 {
		t.Errorf("%d events", w.told(guard.Promoted))
	}
	for name, a := range map[string][3]string{
		"another group":          {"PATCH", "/Groups/" + lunch, patch(`{"op":"add","path":"members","value":` + member + `}`)},
		"another name":           {"PATCH", "/Groups/" + lunch, patch(`{"op":"replace","path":"displayName","value":"Dinner"}`)},
		"a member leaves":        {"PATCH", "/Groups/" + admins, patch(`{"op":"remove","path":"members[value eq \"` + bob + `\"]"}`)},
		"empty, of the name":     {"POST", "/Groups", `{"displayName":"Owners"}`},
		"those who are there":    {"PUT", "/Groups/" + admins, `{"displayName":"Admins","members":[{"value":"` + staff + `"}]}`},
		"a group that joins one": {"PATCH", "/Groups/" + lunch, patch(`{"op":"add","path":"members","value":[{"value":"` + empty + `"}]}`)},
	} {
		if got := w.do(1, a[0], a[1], a[2]); got.Status >= 300 {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	only := begin(t, open, "auto", tenant.Settings{
		Promotion: tenant.Promotion{Groups: tenant.Ceiling{Only: []string{"Staff"}}}, Breaker: tenant.Breaker{Mode: "off"}})
	eve := only.user("eve")
	secret := only.group("Secret")
	for name, a := range map[string][3]string{
		"renamed to what is permitted": {"PATCH", "/Groups/" + secret, patch(`{"op":"replace","path":"displayName","value":"Staff"}`)},
		"not listed":                   {"PATCH", "/Groups/" + secret, patch(`{"op":"add","path":"members","value":[{"value":"` + eve + `"}]}`)},
	} {
		if got := only.do(0, a[0], a[1], a[2]); got.Status != 403 {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	if got := only.do(0, "POST", "/Groups", `{"displayName":"staff","members":[{"value":"`+eve+`"}]}`); got.Status != 201 {
		t.Errorf("listed: %d %s", got.Status, got.Body)
	}
}
