package server_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestEveryWayToLeave is T23 as far as there is something to see: whichever way
// somebody is deactivated, the change log has the same entry for it, and whichever
// way somebody is deleted likewise. It is T23b too: who is active again is what they
// were, and no more.
func TestEveryWayToLeave(t *testing.T) {
	everywhere(t, func(t *testing.T, s *served) {
		const title = `{"schemas":["` + userURN + `"],"userName":"_n_","title":"Clerk","roles":[{"value":"reader"}]%s}`
		off, on := fmt.Sprintf(title, `,"active":false`), fmt.Sprintf(title, `,"active":true`)
		inBulk := func(method, body string) [3]string {
			if body != "" {
				body = `,"data":` + body
			}
			return [3]string{"POST", "/Bulk", fmt.Sprintf(bulkMessage, `{"method":"`+method+`","path":"/Users/_x_"`+body+`}`)}
		}
		patched := func(op string) [3]string { return [3]string{"PATCH", "/Users/_x_", fmt.Sprintf(patchOp, op)} }
		deactivated, deleted := "deactivated", "deleted"
		ways := []struct {
			what string
			send [3]string
			how  string
		}{
			{"PUT", [3]string{"PUT", "/Users/_x_", off}, deactivated},
			{"PATCH with a path", patched(`{"op":"replace","path":"active","value":false}`), deactivated},
			{"PATCH without a path", patched(`{"op":"replace","value":{"active":false}}`), deactivated},
			{"PATCH by the URN", patched(`{"op":"add","path":"` + userURN + `:active","value":false}`), deactivated},
			{"PATCH with a text", patched(`{"op":"Replace","path":"active","value":"False"}`), deactivated},
			{"PUT in Bulk", inBulk("PUT", off), deactivated},
			{"PATCH in Bulk", inBulk("PATCH", fmt.Sprintf(patchOp, `{"op":"replace","path":"active","value":false}`)), deactivated},
			{"DELETE", [3]string{"DELETE", "/Users/_x_", ""}, deleted},
			{"DELETE in Bulk", inBulk("DELETE", ""), deleted},
		}
		ids := map[string]string{}
		first := map[string]string{}
		send := func(what string, way [3]string) {
			fill := strings.NewReplacer("_x_", ids[what], "_n_", what).Replace
			a := s.do(way[0], "/scim/v2"+fill(way[1]), fill(way[2]))
			if a.status >= 300 || strings.Contains(a.body, `"response"`) {
				t.Fatalf("%s: %d %s", what, a.status, a.body)
			}
		}
		for _, w := range ways {
			ids[w.what] = s.made(testToken, "/scim/v2/Users", strings.ReplaceAll(on, "_n_", w.what))
			first[w.what] = s.lasting("/scim/v2/Users/" + ids[w.what])
		}
		crew := s.made(testToken, "/scim/v2/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Crew","members":[{"value":"`+ids["PUT"]+`"}]}`)
		first["PUT"] = s.lasting("/scim/v2/Users/" + ids["PUT"])
		for _, w := range ways {
			send(w.what, w.send)
		}
		// Those who come inactive have left too.
		ids["POST"] = s.made(testToken, "/scim/v2/Users", strings.ReplaceAll(off, "_n_", "POST"))
		log := s.changes()
		want := map[string]change{deactivated: {"update", `{"deltas":[["active",[false],[true]]]}`}}
		for _, w := range ways {
			list := log[ids[w.what]]
			if len(list) != 2 || list[0].op != "create" {
				t.Errorf("%s: the change log has %v", w.what, list)
				continue
			}
			if first, ok := want[w.how]; !ok {
				want[w.how] = list[1]
			} else if got := list[1]; got.op != first.op || w.how == deactivated && got.values != first.values {
				t.Errorf("%s is %v in the change log, want %v", w.what, got, first)
			}
			if a := s.do("GET", "/scim/v2/Users/"+ids[w.what], ""); (a.status == 404) != (w.how == deleted) || w.how == deactivated && !strings.Contains(a.body, `"active":false`) {
				t.Errorf("after %s: %d %s", w.what, a.status, a.body)
			}
		}
		if got := want[deleted].op; got != "delete" {
			t.Errorf("a removal is called %q", got)
		}
		if list := log[ids["POST"]]; len(list) != 1 || list[0].op != "create" || !strings.Contains(list[0].values, `["active",[false],[]]`) {
			t.Errorf("a create of somebody inactive: %v", list)
		}
		// T23b
		for _, w := range ways {
			if w.how != deactivated {
				continue
			}
			send(w.what, patched(`{"op":"replace","path":"active","value":true}`))
			if got := s.lasting("/scim/v2/Users/" + ids[w.what]); got != first[w.what] {
				t.Errorf("active again after %s:\n%s\nand was\n%s", w.what, got, first[w.what])
			}
		}
		if a := s.do("GET", "/scim/v2/Groups/"+crew, ""); strings.Count(a.body, `"value":`) != 1 {
			t.Errorf("the group: %s", a.body)
		}
	})
}

// change is what the change log says of one.
type change struct{ op, values string }

// changes reads the change log: what became of each resource.
func (s *served) changes() map[string][]change {
	s.t.Helper()
	all := map[string][]change{}
	for line := range strings.Lines(s.must("audit", "export")) {
		var e struct {
			ID, Op string
			Values json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			s.t.Fatal(err)
		}
		all[e.ID] = append(all[e.ID], change{e.Op, string(e.Values)})
	}
	return all
}

// lasting is a resource without what each write changes.
func (s *served) lasting(path string) string {
	s.t.Helper()
	a := s.do("GET", path, "")
	var r map[string]any
	if err := json.Unmarshal([]byte(a.body), &r); err != nil || a.status != 200 {
		s.t.Fatalf("%s: %d %s", path, a.status, a.body)
	}
	meta, _ := r["meta"].(map[string]any)
	delete(meta, "lastModified")
	delete(meta, "version")
	text, err := json.Marshal(r)
	if err != nil || len(meta) == 0 {
		s.t.Fatalf("%s: %v %s", path, err, a.body)
	}
	return string(text)
}
