package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// store is a backend with a change log.
type store interface {
	scim.Backend
	scim.ChangeFeed
}

// noBatches is a backend that can't take anything back: the engine stops
// before it.
type noBatches struct{ store }

func openStore(t *testing.T) store {
	t.Helper()
	db, err := sqlite.Open(t.Context(), t.TempDir()+"/db", sqlite.Options{Load: schema.Load, Encode: schema.Encode})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db.Tenant("t")
}

// state is everything that a store holds, and its change log.
func (c client) state(b store) string {
	c.tb.Helper()
	var s strings.Builder
	for _, path := range []string{"/Users", "/Groups"} {
		s.WriteString(c.must(200, "GET "+path+"?count=1000", "").text + "\n")
	}
	list, err := b.Changes(context.Background(), scim.ChangeQuery{Limit: 10_000})
	if err != nil {
		c.tb.Fatal(err)
	}
	log, err := json.Marshal(list)
	if err != nil {
		c.tb.Fatal(err)
	}
	s.Write(log)
	return s.String()
}

// preview is the answer to a write that was tried out, without its costs.
func (c client) preview(line, body string, headers ...string) (text string, costs []any) {
	c.tb.Helper()
	mark := "?"
	if strings.Contains(line, "?") {
		mark = "&"
	}
	a := c.must(200, line+mark+"dryRun=true", body, headers...)
	if a.Operation != "preview" || a.ETag != "" || a.Location != "" {
		c.tb.Errorf("%s: operation %q, ETag %q, Location %q", line, a.Operation, a.ETag, a.Location)
	}
	var costly func(any)
	costly = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if list, ok := v["costs"].([]any); ok {
				costs = append(costs, list...)
			}
			for _, v := range v {
				costly(v)
			}
		case []any:
			for _, v := range v {
				costly(v)
			}
		}
	}
	costly(a.json)
	text = a.text
	for { // costs hold no brackets but their own, and those of SQL in strings
		at := strings.Index(text, `,"costs":[`)
		if at < 0 {
			break
		}
		var list []json.RawMessage
		d := json.NewDecoder(strings.NewReader(text[at+len(`,"costs":`):]))
		if err := d.Decode(&list); err != nil {
			c.tb.Fatal(err)
		}
		text = text[:at] + text[at+len(`,"costs":`)+int(d.InputOffset()):]
	}
	return strings.TrimPrefix(text, `{"schemas":["urn:rollcall:params:scim:api:messages:2.0:Preview"],`), costs
}

func TestPreview(t *testing.T) {
	t.Parallel()
	for name, create := range map[string]func(t *testing.T) (scim.Backend, store){
		"memory":  func(*testing.T) (scim.Backend, store) { s := new(memory.Store); return s, s },
		"sqlite":  func(t *testing.T) (scim.Backend, store) { s := openStore(t); return s, s },
		"stopped": func(*testing.T) (scim.Backend, store) { s := new(memory.Store); return noBatches{s}, s },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, s := create(t)
			c := open(t, b, engine.Config{Password: func(string) (string, error) { return "", errors.New("hashed in a preview") }})
			checked := "backend"
			if name == "stopped" {
				checked = "engine"
			}
			previews(t, c, s, checked)
		})
	}
}

func previews(t *testing.T, c client, s store, checked string) {
	ann, bob := c.user("ann"), c.user("bob")
	g := c.group("g", ann)
	of := func(id string) string { return c.must(200, "GET "+id, "").ETag }
	user := func(rest string) string { return `{"schemas":["` + scim.UserURN + `"],` + rest + `}` }
	for _, tc := range []struct {
		name, line, body string
		header           string
		want             string // $ann, $bob and $g are the ids, $D the detail of an error
	}{
		{"create", "POST /Users", user(`"userName":"cy","externalId":"e","emails":[{"value":"c@x.example","type":"work"}],"password":"canary"`), "",
			`"method":"POST","resourceType":"User","wouldChange":true,"changes":[{"path":"externalId","after":"e"},{"path":"userName","after":"cy"},` +
				`{"path":"active","after":true},{"path":"password"},{"path":"emails","after":[{"value":"c@x.example","type":"work"}]}]`},
		{"create what is taken", "POST /Users", user(`"userName":"ANN"`), "", `"method":"POST","resourceType":"User","wouldChange":false,"changes":[],` +
			`"refused":{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"409","scimType":"uniqueness","detail":"$D"}`},
		{"create what is wrong", "POST /Users", user(`"userName":7`), "", `"method":"POST","resourceType":"User","wouldChange":false,"changes":[],` +
			`"refused":{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","scimType":"invalidValue","detail":"$D"}`},
		{"no JSON", "POST /Users", "{", "", `"method":"POST","resourceType":"User","wouldChange":false,"changes":[],` +
			`"refused":{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","scimType":"invalidSyntax","detail":"$D"}`},
		{"a group of nobody", "POST /Groups", `{"schemas":["` + scim.GroupURN + `"],"displayName":"h","members":[{"value":"nobody"}]}`, "",
			`"method":"POST","resourceType":"Group","wouldChange":false,"changes":[],"refused":{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],` +
				`"status":"400","scimType":"invalidValue","detail":"$D"}`},
		{"a group", "POST /Groups", `{"schemas":["` + scim.GroupURN + `"],"displayName":"h","members":[{"value":"$bob"}]}`, "",
			`"method":"POST","resourceType":"Group","wouldChange":true,"changes":[{"path":"displayName","after":"h"}],"members":{"added":["$bob"],"removed":[]}`},
		{"replace", "PUT /Users/$ann", user(`"userName":"anne","name":{"familyName":"F"}`), "",
			`"method":"PUT","resourceType":"User","id":"$ann","wouldChange":true,"changes":[{"path":"userName","before":"ann","after":"anne"},` +
				`{"path":"name","after":{"familyName":"F"}}]`},
		{"patch", "PATCH /Users/$ann", patchOp(`{"op":"replace","path":"active","value":false}`), "",
			`"method":"PATCH","resourceType":"User","id":"$ann","wouldChange":true,"changes":[{"path":"active","before":true,"after":false}]`},
		{"patch an extension", "PATCH /Users/$ann", patchOp(`{"op":"add","path":"` + enterprise + `:department","value":"d"}`), "",
			`"method":"PATCH","resourceType":"User","id":"$ann","wouldChange":true,"changes":[{"path":"` + enterprise + `:department","after":"d"}]`},
		{"patch nothing", "PATCH /Users/$ann", patchOp(`{"op":"replace","path":"active","value":true}`), "",
			`"method":"PATCH","resourceType":"User","id":"$ann","wouldChange":false,"changes":[]`},
		{"members", "PATCH /Groups/$g", patchOp(`{"op":"add","path":"members","value":[{"value":"$ann"},{"value":"$bob"}]}`), "",
			`"method":"PATCH","resourceType":"Group","id":"$g","wouldChange":true,"changes":[],"members":{"added":["$bob"],"removed":[]}`},
		{"members that are there", "PATCH /Groups/$g", patchOp(`{"op":"add","path":"members","value":[{"value":"$ann"}]}`), "",
			`"method":"PATCH","resourceType":"Group","id":"$g","wouldChange":false,"changes":[]`},
		{"replace members", "PUT /Groups/$g", `{"schemas":["` + scim.GroupURN + `"],"displayName":"g","members":[{"value":"$bob"}]}`, "",
			`"method":"PUT","resourceType":"Group","id":"$g","wouldChange":true,"changes":[],"members":{"added":["$bob"],"removed":["$ann"]}`},
		{"delete a group", "DELETE /Groups/$g", "", "",
			`"method":"DELETE","resourceType":"Group","id":"$g","wouldChange":true,"changes":[{"path":"displayName","before":"g"}],"members":{"added":[],"removed":["$ann"]}`},
		{"delete", "DELETE /Users/$bob", "", "If-Match: $etag",
			`"method":"DELETE","resourceType":"User","id":"$bob","wouldChange":true,"changes":[{"path":"userName","before":"bob"},{"path":"active","before":true}]`},
		{"delete a member", "DELETE /Users/$ann", "", "",
			`"method":"DELETE","resourceType":"User","id":"$ann","wouldChange":true,"changes":[{"path":"userName","before":"ann"},{"path":"active","before":true}]` +
				map[string]string{"backend": `,"alsoChanges":["$g"]`}[checked]},
		{"delete another version", "DELETE /Users/$bob", "", `If-Match: W/"77"`,
			`"method":"DELETE","resourceType":"User","id":"$bob","wouldChange":false,"changes":[],"refused":{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],` +
				`"status":"412","detail":"$D"}`},
		{"patch another version", "PATCH /Users/$bob", patchOp(`{"op":"replace","path":"active","value":false}`), `If-Match: W/"77"`,
			`"method":"PATCH","resourceType":"User","id":"$bob","wouldChange":false,"changes":[],"refused":{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],` +
				`"status":"412","detail":"$D"}`},
		{"delete nobody", "DELETE /Users/nobody", "", "",
			`"method":"DELETE","resourceType":"User","id":"nobody","wouldChange":false,"changes":[],"refused":{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],` +
				`"status":"404","detail":"$D"}`},
		{"bulk", "POST /Bulk", bulkRequest("", postUser("q", "cy"), postGroup("h", "h", "bulkId:q", ann),
			`{"method":"PATCH","path":"/Groups/bulkId:h","data":`+patchOp(`{"op":"add","path":"externalId","value":"x"}`)+`}`,
			`{"method":"DELETE","path":"/Users/`+bob+`"}`, `{"method":"DELETE","path":"/Users/`+bob+`"}`), "",
			`"method":"POST","wouldChange":true,"Operations":[` +
				`{"method":"POST","bulkId":"q","resourceType":"User","wouldChange":true,"changes":[{"path":"userName","after":"cy"},{"path":"active","after":true}]},` +
				`{"method":"POST","bulkId":"h","resourceType":"Group","wouldChange":true,"changes":[{"path":"displayName","after":"h"}],` +
				`"members":{"added":["bulkId:q","$ann"],"removed":[]}},` +
				`{"method":"PATCH","resourceType":"Group","id":"bulkId:h","wouldChange":true,"changes":[{"path":"externalId","after":"x"}]},` +
				`{"method":"DELETE","resourceType":"User","id":"$bob","wouldChange":true,"changes":[{"path":"userName","before":"bob"},{"path":"active","before":true}]},` +
				`{"method":"DELETE","resourceType":"User","id":"$bob","wouldChange":false,"changes":[],"refused":{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],` +
				`"status":"404","detail":"$D"}}]`},
		{"a bulk message that is none", "POST /Bulk", `{}`, "", `"method":"POST","wouldChange":false,"changes":[],` +
			`"refused":{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","scimType":"invalidSyntax","detail":"$D"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := client{t, c.e}
			fill := strings.NewReplacer("$ann", ann, "$bob", bob, "$g", g, "$etag", of("/Users/"+bob)).Replace
			before := c.state(s)
			var headers []string
			if tc.header != "" {
				headers = []string{fill(tc.header)}
			}
			got, costs := c.preview(fill(tc.line), fill(tc.body), headers...)
			want := fill(tc.want)
			unknowable := checked == "engine" && (tc.name == "create what is taken" || tc.name == "a group of nobody")
			for strings.Contains(want, `"$D"`) {
				at := strings.Index(want, `"$D"`)
				if at > len(got) {
					break
				}
				var detail string
				d := json.NewDecoder(strings.NewReader(got[at:]))
				if d.Decode(&detail) != nil || detail == "" {
					break
				}
				want = want[:at] + got[at:at+int(d.InputOffset())] + want[at+len(`"$D"`):]
			}
			if !unknowable && got != want+`,"checked":"`+checked+`"}` {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if unknowable && !strings.Contains(got, `"checked":"engine"`) {
				t.Errorf("got %s", got)
			}
			for _, cost := range costs {
				if text := fmt.Sprint(cost); strings.Contains(text, "canary") || strings.Contains(text, "SAVEPOINT") {
					t.Errorf("costs: %s", text)
				}
			}
			if _, ok := s.(*sqlite.Store); ok == (len(costs) == 0) && strings.Contains(got, `"wouldChange":true`) {
				t.Errorf("%d costs", len(costs))
			}
			if after := c.state(s); after != before {
				t.Errorf("something was written\nbefore %s\nafter  %s", before, after)
			}
		})
	}
}

// The parameter is asked for by name in any case; a spelling of its value that
// is none never becomes a write.
func TestPreviewParameter(t *testing.T) {
	t.Parallel()
	c := open(t, nil, engine.Config{})
	body := `{"schemas":["` + scim.UserURN + `"],"userName":"u"}`
	for _, query := range []string{"dryRun=yes", "dryRun=", "DRYRUN=1", "dryRun=True", "dryRun=true&dryRun=true", "dryRun=false&dryrun=true"} {
		c.refused(400, "invalidValue", "POST /Users?"+query, body)
	}
	for _, query := range []string{"dryrun=true", "DRYRUN=true"} {
		if a := c.must(200, "POST /Users?"+query, body); a.json["wouldChange"] != true {
			t.Errorf("%s: %s", query, a.text)
		}
	}
	if n := c.must(200, "GET /Users?dryRun=perhaps", "").total(); n != 0 { // a read has no use for it
		t.Errorf("%d users", n)
	}
	c.must(201, "POST /Users?dryRun=false", body)
	c.must(405, "POST /Users/x?dryRun=true", body)
	c.must(404, "POST /Nothing?dryRun=true", body)
}

func TestPreviewOfMe(t *testing.T) {
	t.Parallel()
	s := new(memory.Store)
	var id string
	c := open(t, s, engine.Config{Me: func(ctx context.Context) (string, error) { // asks the store, which a batch would bar
		_, err := s.Get(ctx, scim.Ref{Type: schema.Core()[0], ID: id}, scim.Selection{})
		return id, err
	}})
	id = c.user("me")
	got, _ := c.preview("PATCH /Me", patchOp(`{"op":"replace","path":"active","value":false}`))
	if !strings.Contains(got, `"id":"`+id+`","wouldChange":true`) {
		t.Errorf("got %s", got)
	}
}

// A backend that can't answer is no refusal of the request.
func TestPreviewFails(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	c := open(t, nil, engine.Config{})
	if resp := c.e.Do(ctx, request("POST /Users?dryRun=true", `{"schemas":["`+scim.UserURN+`"],"userName":"u"}`)); resp.Status < 499 || resp.Err == nil {
		t.Errorf("status %d, %v", resp.Status, resp.Err)
	}
	kept := open(t, keeper{new(memory.Store)}, engine.Config{})
	kept.must(500, "POST /Users?dryRun=true", `{"schemas":["`+scim.UserURN+`"],"userName":"u"}`)
}

// keeper is a store that breaks the contract of a Batcher.
type keeper struct{ *memory.Store }

func (k keeper) Batch(ctx context.Context, f func(scim.Backend) error) error {
	return k.Store.Batch(ctx, func(b scim.Backend) error { _ = f(b); return nil })
}
