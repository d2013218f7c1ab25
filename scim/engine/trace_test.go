package engine_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// traced carries out a request and returns its answer and what was noted.
func (c client) traced(line, body string) (engine.Response, scim.TraceNotes) {
	c.tb.Helper()
	tr := &scim.Trace{}
	resp := c.e.Do(scim.WithTrace(context.Background(), tr), request(line, body))
	if resp.Err != nil {
		c.tb.Fatal(resp.Err)
	}
	if resp.Body != nil {
		if _, err := resp.Body.WriteTo(io.Discard); err != nil {
			c.tb.Fatal(err)
		}
	}
	n := tr.Notes()
	if n.Parse <= 0 || n.Backend <= 0 || resp.Body != nil && n.Encode <= 0 || n.Parse+n.Backend+n.Encode > tr.Age() {
		c.tb.Errorf("%s: parse %v, backend %v, encode %v of %v", line, n.Parse, n.Backend, n.Encode, tr.Age())
	}
	return resp, n
}

func TestNotes(t *testing.T) {
	t.Parallel()
	c := open(t, nil, engine.Config{})
	user := `{"schemas":["` + scim.UserURN + `"],"userName":"%s"}`
	resp, n := c.traced("POST /Users", fmt.Sprintf(user, "ann"))
	ann, bob := resp.ID, c.user("bob")
	if n.Before != nil || n.After == nil || n.After.ID != ann || n.After.Attrs.Get("userName") != "ann" || n.Deltas != nil {
		t.Errorf("create: before %v, after %v", n.Before, n.After)
	}
	if _, n = c.traced("GET /Users/"+ann, ""); n.Before != nil || n.After != nil || n.Query != nil {
		t.Errorf("get: %+v", n)
	}
	if _, n = c.traced("GET /Users?filter=userName+eq+%22ann%22", ""); n.Query == nil || n.Query.Type.Name != "User" ||
		n.Filter == nil || n.Filter.(*scim.AttrExp).Path.Attr == nil || !slices.Equal(n.Touched, []string{ann}) {
		t.Errorf("list: query %v, filter %v, touched %v", n.Query, n.Filter, n.Touched)
	}
	if _, n = c.traced("GET /", ""); !slices.Equal(n.Touched, []string{ann, bob}) {
		t.Errorf("root: touched %v", n.Touched)
	}
	_, n = c.traced("PATCH /Users/"+ann, patchOp(`{"op":"replace","path":"active","value":false}`))
	if n.Before.Attrs.Get("active") != true || n.After.Attrs.Get("active") != false || len(n.Deltas) != 1 || n.Deltas[0].Path.String() != "active" {
		t.Errorf("patch: %v", n.Deltas)
	}
	if _, n = c.traced("PATCH /Users/"+ann, patchOp(`{"op":"replace","path":"active","value":false}`)); n.After != nil || n.Deltas != nil {
		t.Errorf("a patch of nothing: %v", n.Deltas)
	}
	g := c.group("g", ann)
	_, n = c.traced("PATCH /Groups/"+g, patchOp(`{"op":"add","path":"members","value":[{"value":"`+ann+`"},{"value":"`+bob+`"}]}`))
	if !slices.Equal(n.Members.Added, []string{bob}) || n.Members.Removed != nil || !slices.Equal(n.Touched, []string{bob, ann}) {
		t.Errorf("members: %+v, touched %v", n.Members, n.Touched)
	}
	_, n = c.traced("DELETE /Users/"+bob, "")
	if n.Before == nil || n.Before.Attrs.Get("userName") != "bob" || n.After != nil || !slices.Equal(n.Touched, []string{g}) {
		t.Errorf("delete: before %v, touched %v", n.Before, n.Touched)
	}
	_, n = c.traced("DELETE /Groups/"+g, "")
	if !slices.Equal(n.Members.Removed, []string{ann}) {
		t.Errorf("delete of a group: %+v", n.Members)
	}
	a := c.must(201, "POST /Users", fmt.Sprintf(user, "cy")) // without a trace nothing is noted anywhere
	_, n = c.traced("POST /Bulk", bulkRequest("", postUser("q", "dee"), postGroup("h", "h", "bulkId:q", ann), `{"method":"DELETE","path":"/Users/`+a.ID+`"}`))
	if n.Before != nil || n.After != nil || n.Deltas != nil || n.Members.Added != nil || len(n.Touched) != 4 ||
		!slices.Contains(n.Touched, ann) || !slices.Contains(n.Touched, a.ID) {
		t.Errorf("bulk: %+v", n)
	}
	if _, n = c.traced("PATCH /Users/"+ann+"?dryRun=true", patchOp(`{"op":"replace","path":"active","value":true}`)); n.After != nil || n.Touched != nil {
		t.Errorf("a preview is noted as a change: %+v", n)
	}
}

// What is noted of a page is bounded.
func TestNotesOfManyMembers(t *testing.T) {
	t.Parallel()
	c := open(t, nil, engine.Config{})
	var ids []string
	for i := range 150 {
		ids = append(ids, c.user(fmt.Sprint("u", i)))
	}
	_, n := c.traced("GET /Users?count=150", "")
	if !slices.Equal(n.Touched, ids[:100]) {
		t.Errorf("a page touched %d", len(n.Touched))
	}
	g := c.group("g", ids[:1]...)
	list := ""
	for _, id := range ids {
		list += `,{"value":"` + id + `"}`
	}
	_, n = c.traced("PUT /Groups/"+g, `{"schemas":["`+scim.GroupURN+`"],"displayName":"g","members":[`+list[1:]+`]}`)
	if len(n.Members.Added) != 149 || len(n.Touched) != 101 { // of who came 100, of whom the client named 100
		t.Errorf("%d came, %d touched", len(n.Members.Added), len(n.Touched))
	}
}

func benchmarkTrace(b *testing.B, with bool, f func(i int) engine.Request, status int, c client) {
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		ctx := context.Background()
		if with {
			ctx = scim.WithTrace(ctx, &scim.Trace{})
		}
		resp := c.e.Do(ctx, f(i))
		i++
		if resp.Status != status {
			b.Fatalf("status %d: %v", resp.Status, resp.Err)
		}
		if _, err := resp.Body.WriteTo(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

// discard is a backend that keeps nothing, so that only the engine is measured.
type discard struct{ *memory.Store }

func (discard) Create(_ context.Context, r *scim.Resource) (*scim.Resource, error) {
	stored := *r
	stored.ID, stored.Meta.Version = "2819c223-7f76-453a-919d-413861904646", "1"
	return &stored, nil
}

func BenchmarkTrace(b *testing.B) {
	for _, with := range []bool{false, true} {
		b.Run(fmt.Sprintf("Get/trace=%v", with), func(b *testing.B) {
			c := open(b, nil, engine.Config{})
			r := request("GET /Users/"+c.user("ann"), "")
			benchmarkTrace(b, with, func(int) engine.Request { return r }, 200, c)
		})
		b.Run(fmt.Sprintf("Create/trace=%v", with), func(b *testing.B) {
			c := open(b, discard{new(memory.Store)}, engine.Config{})
			r := request("POST /Users", `{"schemas":["`+scim.UserURN+`"],"userName":"ann","name":{"familyName":"F"},"emails":[{"value":"a@x.example"}]}`)
			benchmarkTrace(b, with, func(int) engine.Request { return r }, 201, c)
		})
	}
}
