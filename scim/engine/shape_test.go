package engine_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// onlyOne keeps one mail address, calls people by their displayName, and refuses
// some names.
func onlyOne(c *scim.Change) error {
	if c.After.Type.Name != "User" {
		return nil
	}
	if c.After.Attrs.Get("displayName") == "bad" {
		return scim.Errorf(scim.TypeInvalidValue, "no such name here")
	}
	if list, _ := c.After.Attrs.Get("emails").([]any); len(list) > 0 {
		o, _ := list[len(list)-1].(scim.Object)
		o.Set("primary", true)
		c.After.Attrs.Set("emails", []any{o})
	}
	if name := c.After.Attrs.Get("displayName"); name != nil {
		o, _ := c.After.Attrs.Get("name").(scim.Object)
		o.Set("formatted", name)
		c.After.Attrs.Set("name", o)
	}
	return nil
}

func shaped(t *testing.T, shape func(*scim.Change) error) (client, *shaping) {
	t.Helper()
	s := &shaping{front: &front{Store: new(memory.Store), traits: scim.Traits{PutMerges: true, Unstored: unstored}}, shape: shape}
	return open(t, s, engine.Config{Types: few(t)}), s
}

func TestShape(t *testing.T) {
	t.Parallel()
	c, s := shaped(t, onlyOne)
	a := c.must(201, "POST /Users", user(`"userName":"u","displayName":"D","name":{"givenName":"G","middleName":"M"},"emails":[{"value":"x@x"},{"value":"a@x"}],"title":"T"`))
	want := `"userName":"u","name":{"formatted":"D","givenName":"G"},"displayName":"D","active":true,"emails":[{"value":"a@x","primary":true}]`
	if a.shown() != want {
		t.Errorf("created %s", a.shown())
	}
	first := s.shaped[0]
	if first.Before != nil || first.Method != "POST" || !slices.Equal(first.Touched, []string{"userName", "name", "displayName", "emails", "name.givenName"}) {
		t.Errorf("a create is shaped as %+v", first)
	}
	for _, tt := range []struct {
		line, body string
		touched    string
		shown      string // what of want is replaced
		with       string
	}{
		{"PUT", user(`"userName":"u","emails":[{"value":"a@x","type":"work"}]`), "userName emails", "", ""},
		{"PUT", user(`"userName":"u","name":{"formatted":"E","givenName":null}`), "userName name name.formatted name.givenName", `,"givenName":"G"`, ``},
		{"PATCH", patchOp(`{"op":"add","path":"emails","value":[{"value":"b@x"}]}`), "emails", `a@x`, `b@x`},
		{"PATCH", patchOp(`{"op":"replace","path":"emails[type eq \"work\"].value","value":"c@x"}`), "emails", `b@x`, `c@x`},
		{"PATCH", patchOp(`{"op":"replace","path":"name.formatted","value":"F"}`), "name name.formatted", ``, ``},
		{"PATCH", patchOp(`{"op":"replace","value":{"name":{"familyName":"H"},"displayName":"I","title":"T"}}`), "name displayName name.familyName",
			`"formatted":"D"},"displayName":"D"`, `"formatted":"I","familyName":"H"},"displayName":"I"`},
		{"PATCH", patchOp(`{"op":"remove","path":"name"}`), "name", `,"familyName":"H"`, ``},
		{"PATCH", patchOp(`{"op":"add","path":"title","value":"T"}`), "", ``, ``},
		{"PATCH", patchOp(`{"op":"add","path":"roles[type eq \"Admin\"].value","value":"r"}`), "roles", `"primary":true}]`, `"primary":true}],"roles":[{"value":"r"}]`},
	} {
		s.shaped, s.changes = nil, nil
		want = strings.Replace(want, tt.shown, tt.with, 1)
		if a := c.must(200, tt.line+" /Users/"+a.ID, tt.body); a.shown() != want {
			t.Errorf("%s: %s\nwant %s", tt.body, a.shown(), want)
		}
		if len(s.shaped) != 1 || s.shaped[0].Method != tt.line || strings.Join(s.shaped[0].Touched, " ") != tt.touched || s.shaped[0].Before == nil {
			t.Errorf("%s: shaped %+v", tt.body, s.shaped)
		}
		if changed := tt.shown+tt.with != ""; len(s.changes) != map[bool]int{false: 0, true: 1}[changed] {
			t.Errorf("%s: %d changes", tt.body, len(s.changes))
		}
		for _, ch := range s.changes {
			if len(ch.Deltas) == 0 || ch.Before.Attrs.Get("userName") != "u" || strings.Join(ch.Touched, " ") != tt.touched {
				t.Errorf("%s: stored %+v", tt.body, ch)
			}
		}
	}
}

// What Shape refuses is not written, alone or in Bulk; there too it is shaped.
func TestShapeRefuses(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(*shaping) scim.Backend{
		"batches": func(s *shaping) scim.Backend { return s },
		"plain":   func(s *shaping) scim.Backend { return unbatched{s, s} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, s := shaped(t, onlyOne)
			c := open(t, wrap(s), engine.Config{Types: few(t)})
			c.refused(400, "invalidValue", "POST /Users", user(`"userName":"x","displayName":"bad"`))
			id := c.user("u")
			c.refused(400, "invalidValue", "PUT /Users/"+id, user(`"userName":"u","displayName":"bad"`))
			c.refused(400, "invalidValue", "PATCH /Users/"+id, patchOp(`{"op":"add","path":"displayName","value":"bad"}`))
			_, statuses := c.bulk(
				`{"method":"POST","path":"/Users","bulkId":"1","data":{"userName":"y","displayName":"bad"}}`,
				`{"method":"POST","path":"/Users","bulkId":"2","data":{"userName":"z","displayName":"Z"}}`,
				`{"method":"PATCH","path":"/Users/`+id+`","data":{"Operations":[{"op":"add","path":"displayName","value":"bad"}]}}`,
				`{"method":"PATCH","path":"/Users/`+id+`","data":{"Operations":[{"op":"add","path":"displayName","value":"good"}]}}`)
			if statuses != "400 201 400 200" {
				t.Errorf("statuses %s", statuses)
			}
			a := c.must(200, "GET /Users?filter=name.formatted+pr", "")
			if a.total() != 2 || c.must(200, "GET /Users", "").total() != 2 {
				t.Errorf("%s", a.text)
			}
		})
	}
}

// unbatched is a shaping backend without batches.
type unbatched struct {
	scim.Backend
	scim.Shaper
}

// Shape sees the document as it was and may change what it is given: neither is
// the other's. Members that are kept apart it does not see.
func TestShapeOwnsAfter(t *testing.T) {
	t.Parallel()
	c, s := shaped(t, func(c *scim.Change) error {
		if c.Before == nil {
			return nil
		}
		before := string(c.Before.Attrs.AppendJSON(nil))
		for i := range c.After.Attrs {
			switch v := c.After.Attrs[i].Value.(type) {
			case []scim.MemberRef:
				return errors.New("there are members")
			case scim.Object:
				v[0].Value = "changed"
			case []any:
				v[0] = scim.Object{{Name: "value", Value: "changed"}}
			case string:
				c.After.Attrs[i].Value = v + "!"
			}
		}
		if after := string(c.Before.Attrs.AppendJSON(nil)); after != before {
			t.Errorf("before was %s, is %s", before, after)
		}
		return nil
	})
	id := c.must(201, "POST /Users", user(kept)).ID
	g := c.group("g", id)
	if a := c.must(200, "PATCH /Users/"+id, patchOp(`{"op":"add","path":"displayName","value":"D"}`)); a.shown() !=
		`"userName":"u!","name":{"givenName":"changed"},"displayName":"D!","active":true,"emails":[{"value":"changed"}],`+
			`"groups":[{"value":"`+g+`","display":"g","type":"direct","$ref":"`+base+`/Groups/`+g+`"}]` {
		t.Error(a.shown())
	}
	c.must(204, "PATCH /Groups/"+g, patchOp(`{"op":"remove","path":"members[value eq \"`+id+`\"]"}`))
	c.must(200, "PUT /Groups/"+g, `{"schemas":["`+scim.GroupURN+`"],"displayName":"g","members":[{"value":"`+id+`"}]}`)
	if got := c.members(g); !slices.Equal(got, []string{id}) || len(s.shaped) != 5 {
		t.Errorf("members %v, shaped %d times", got, len(s.shaped))
	}
}

// In front of an application each read is a call: what changes nothing costs
// one, and so does what is needed before a write.
func TestFacadeReadsOnce(t *testing.T) {
	t.Parallel()
	c, s := shaped(t, onlyOne)
	id := c.must(201, "POST /Users", user(`"userName":"u","displayName":"D"`)).ID
	g := c.group("g", id)
	for _, tt := range []struct{ line, body, want string }{
		{"PUT /Users/" + id, user(`"userName":"u","displayName":"D"`), "Get"},
		{"PATCH /Users/" + id, patchOp(`{"op":"replace","path":"displayName","value":"D"}`), "Get"},
		{"PUT /Users/" + id, user(`"userName":"u","displayName":"E"`), "Get Update"},
		{"PATCH /Groups/" + g, patchOp(`{"op":"replace","path":"displayName","value":"g"}`), "Get"},
		{"PATCH /Groups/" + g, patchOp(`{"op":"replace","path":"displayName","value":"h"}`), "Get UpdateMembers"},
		{"PATCH /Groups/" + g, patchOp(`{"op":"add","path":"members","value":[{"value":"` + id + `"}]}`), "Get UpdateMembers"},
		{"PUT /Groups/" + g, `{"schemas":["` + scim.GroupURN + `"],"displayName":"i","members":[{"value":"` + id + `"}]}`, "Get UpdateMembers Get"},
	} {
		s.calls = nil
		a := c.do(tt.line, tt.body)
		if got := strings.Join(s.calls, " "); got != tt.want || a.Status > 204 {
			t.Errorf("%s %s: %d after %s, want %s", tt.line, tt.body, a.Status, got, tt.want)
		}
		if strings.Contains(tt.line, "Users") && !strings.Contains(a.text, `"groups":[{"value":"`+g+`"`) {
			t.Errorf("%s lacks the groups: %s", tt.line, a.text)
		}
	}
}
