package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

func bulkRequest(more string, ops ...string) string {
	return `{"schemas":["` + scim.BulkRequestURN + `"],` + more + `"Operations":[` + strings.Join(ops, ",") + `]}`
}

func postUser(bulkID, name string) string {
	return fmt.Sprintf(`{"method":"POST","path":"/Users","bulkId":%q,"data":{"schemas":[%q],"userName":%q}}`, bulkID, scim.UserURN, name)
}

func postGroup(bulkID, name string, members ...string) string {
	list := make([]string, len(members))
	for i, m := range members {
		list[i] = fmt.Sprintf(`{"value":%q}`, m)
	}
	return fmt.Sprintf(`{"method":"post","path":"Groups","bulkId":%q,"data":{"schemas":[%q],"displayName":%q,"members":[%s]}}`,
		bulkID, scim.GroupURN, name, strings.Join(list, ","))
}

// bulk sends operations and returns their results and statuses.
func (c client) bulk(ops ...string) (results []map[string]any, statuses string) {
	c.tb.Helper()
	return bulkResults(c.must(200, "POST /Bulk", bulkRequest("", ops...)))
}

func bulkResults(a answer) (results []map[string]any, statuses string) {
	list, _ := a.json["Operations"].([]any)
	var all []string
	for _, v := range list {
		m := v.(map[string]any)
		results = append(results, m)
		status, _ := m["status"].(string)
		all = append(all, status)
	}
	return results, strings.Join(all, " ")
}

func idAt(result map[string]any) string {
	location, _ := result["location"].(string)
	return location[strings.LastIndexByte(location, '/')+1:]
}

// BLK-012, BLK-013, BLK-020, BLK-024
func TestBulkReferences(t *testing.T) {
	t.Parallel()
	both(t, engine.Config{}, func(t *testing.T, c client) {
		results, statuses := c.bulk(
			postGroup("a", "A", "bulkId:b", "bulkId:u"), // forward, and a circle
			postGroup("b", "B", "bulkId:a", "bulkId:b"), // and itself
			postGroup("out", "Out", "bulkId:a"),         // waits for the circle
			postUser("u", "u"),
			`{"method":"POST","path":"/Users","bulkId":"m","data":{"userName":"m","`+enterprise+`":{"manager":{"value":"bulkId:n"}}}}`,
			`{"method":"POST","path":"/Users","bulkId":"n","data":{"userName":"n","`+enterprise+`":{"manager":{"$ref":"../Users/bulkId:m","value":"bulkId:m"}}}}`,
			`{"method":"PATCH","path":"/Groups/bulkId:out","data":{"Operations":[{"op":"add","path":"members","value":[{"value":"bulkId:u"}]}]}}`,
			`{"method":"PATCH","path":"`+base+`/Groups/bulkId:a","data":[{"op":"remove","path":"members[value eq \"bulkId:u\"]"}]}`,
			`{"method":"PUT","path":"/Users/bulkId:u","data":{"userName":"u","nickName":"bulkId: is only a name"}}`,
		)
		if statuses != "201 201 201 201 201 201 204 204 200" {
			t.Fatalf("statuses %s: %v", statuses, results)
		}
		a, b, out, u := idAt(results[0]), idAt(results[1]), idAt(results[2]), idAt(results[3])
		for _, tt := range []struct {
			group string
			want  []string
		}{{a, []string{b}}, {b, []string{a, b}}, {out, []string{a, u}}} {
			got := c.members(tt.group)
			slices.Sort(got)
			slices.Sort(tt.want)
			if !slices.Equal(got, tt.want) {
				t.Errorf("group %s has the members %v, want %v", tt.group, got, tt.want)
			}
		}
		m, n := c.must(200, "GET /Users/"+idAt(results[4]), ""), c.must(200, "GET /Users/"+idAt(results[5]), "")
		if !strings.Contains(m.text, `"manager":{"value":"`+n.ID) || !strings.Contains(n.text, `"manager":{"value":"`+m.ID) {
			t.Errorf("managers in a circle:\n%s\n%s", m.text, n.text)
		}
		for i, r := range results[:6] {
			if r["bulkId"] == nil || r["response"] != nil {
				t.Errorf("result %d: %v", i, r)
			}
		}
		// The version reported is that of the resource as it was left.
		if want := c.must(200, "GET /Groups/"+b, "").ETag; results[1]["version"] != want {
			t.Errorf("version of B: %v, want %s", results[1]["version"], want)
		}
		if want := c.must(200, "GET /Users/"+m.ID, "").ETag; results[4]["version"] != want {
			t.Errorf("version of m: %v, want %s", results[4]["version"], want)
		}
	})
}

// Every graph of references ends with what the message says.
func TestBulkRandomGraphs(t *testing.T) {
	t.Parallel()
	both(t, engine.Config{}, func(t *testing.T, c client) {
		for seed := range uint64(60) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			n := 1 + rnd.IntN(12)
			refs := make([][]int, n)
			ops := make([]string, n)
			for i := range n {
				var members []string
				for j := range n {
					if rnd.IntN(4) == 0 {
						refs[i] = append(refs[i], j)
						members = append(members, fmt.Sprint("bulkId:", j))
					}
				}
				ops[i] = postGroup(fmt.Sprint(i), fmt.Sprintf("g%d-%d", seed, i), members...)
			}
			results, statuses := c.bulk(ops...)
			if statuses != strings.TrimSpace(strings.Repeat("201 ", n)) {
				t.Fatalf("seed %d: statuses %s\n%v", seed, statuses, results)
			}
			for i := range n {
				var want []string
				for _, j := range refs[i] {
					want = append(want, idAt(results[j]))
				}
				got := c.members(idAt(results[i]))
				slices.Sort(got)
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Fatalf("seed %d: group %d has %v, want %v", seed, i, got, want)
				}
			}
		}
	})
}

// BLK-014, BLK-015: a circle in which one fails is not created at all.
func TestBulkBrokenReferences(t *testing.T) {
	t.Parallel()
	both(t, engine.Config{}, func(t *testing.T, c client) {
		c.group("Taken")
		results, statuses := c.bulk(
			postGroup("a", "A", "bulkId:b"),
			postGroup("b", "taken", "bulkId:a"),
			postGroup("c", "C", "bulkId:a"),
			postGroup("d", "D", "bulkId:nowhere"),
			postGroup("e", "E", "not-there"),
			`{"method":"DELETE","path":"/Groups/bulkId:a"}`,
			postGroup("f", "F"),
		)
		if statuses != "409 409 409 400 400 409 201" {
			t.Fatalf("statuses %s: %v", statuses, results)
		}
		if got := c.must(200, "GET /Groups?sortBy=displayName", "").values("displayName"); !slices.Equal(got, []string{"F", "Taken"}) {
			t.Errorf("there are now the groups %v", got)
		}
		for i := range 5 {
			if results[i]["location"] != nil {
				t.Errorf("a POST that failed has a location: %v", results[i])
			}
		}
		if response, _ := results[1]["response"].(map[string]any); response["scimType"] != "uniqueness" || response["status"] != "409" {
			t.Errorf("the one that is at fault: %v", results[1])
		}
	})
}

// BLK-019: a circle that breaks because time is up leaves nothing behind, and
// says that it may be tried again.
func TestBulkCircleOutOfTime(t *testing.T) {
	t.Parallel()
	store := new(memory.Store)
	ctx, cancel := context.WithCancel(t.Context())
	c := open(t, plain{hooked{Backend: store, update: func(context.Context, scim.Change) error { cancel(); return ctx.Err() }}}, engine.Config{})
	manager := func(bulkID, of string) string {
		return `{"method":"POST","path":"/Users","bulkId":"` + bulkID + `","data":{"userName":"` + bulkID + `","` + enterprise +
			`":{"manager":{"value":"bulkId:` + of + `"}}}}`
	}
	resp := c.e.Do(ctx, request("POST /Bulk", bulkRequest("", manager("a", "b"), manager("b", "a"))))
	var b strings.Builder
	if _, err := resp.Body.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), `"status":"503","response"`); n != 2 {
		t.Errorf("%d of 2 operations are 503: %s", n, b.String())
	}
	if n := c.must(200, "GET /Users", "").total(); n != 0 {
		t.Errorf("%d users are left", n)
	}
}

// A bulkId is that of a POST (BLK-015): another operation that has one, and
// refers to it, refers to nothing.
func TestBulkIDOfNoPost(t *testing.T) {
	t.Parallel()
	both(t, engine.Config{}, func(t *testing.T, c client) {
		g := c.group("g")
		patch := func(bulkID string) string {
			return `{"method":"PATCH","path":"/Groups/` + g + `","bulkId":"` + bulkID +
				`","data":{"Operations":[{"op":"add","path":"members","value":[{"value":"bulkId:` + bulkID + `"}]}]}}`
		}
		results, statuses := c.bulk(postUser("u", "u"), patch("p"), postUser("bad", ""), patch("bad"), patch("u"))
		if statuses != "201 400 400 409 204" {
			t.Fatalf("statuses %s: %v", statuses, results)
		}
		if got := c.members(g); !slices.Equal(got, []string{idAt(results[0])}) {
			t.Errorf("members %v", got)
		}
	})
}

func TestBulkMessages(t *testing.T) {
	t.Parallel()
	c := open(t, nil, engine.Config{Limits: engine.Limits{BulkOperations: 3}})
	for _, tt := range []struct {
		body, scimType string
		status         int
	}{
		{`{`, "invalidSyntax", 400},
		{`{}`, "invalidSyntax", 400},
		{`{"schemas":["` + scim.PatchOpURN + `"],"Operations":[` + postUser("a", "a") + `]}`, "invalidSyntax", 400},
		{`{"schemas":["` + scim.BulkRequestURN + `"]}`, "invalidSyntax", 400},
		{bulkRequest(""), "invalidSyntax", 400},
		{bulkRequest("", "1"), "invalidSyntax", 400},
		{bulkRequest("", postUser("a", "a"), postUser("a", "b")), "invalidSyntax", 400},
		{bulkRequest(`"failOnErrors":0,`, postUser("a", "a")), "invalidValue", 400},
		{bulkRequest(`"failOnErrors":"1",`, postUser("a", "a")), "invalidValue", 400},
		{bulkRequest(`"failOnErrors":1.5,`, postUser("a", "a")), "invalidValue", 400},
		{bulkRequest("", postUser("a", "a"), postUser("b", "b"), postUser("c", "c"), postUser("d", "d")), "", 413},
	} {
		a := c.refused(tt.status, tt.scimType, "POST /Bulk", tt.body)
		if tt.status == 413 && !strings.Contains(a.text, "maxOperations, here 3") {
			t.Errorf("the error does not name limit and value: %s", a.text)
		}
	}
	if n := c.must(200, "GET /Users", "").total(); n != 0 {
		t.Errorf("%d users came of refused messages", n)
	}
	open(t, nil, engine.Config{NoBulk: true}).must(501, "POST /Bulk", bulkRequest("", postUser("a", "a")))
}

// BLK-003 to BLK-008
func TestBulkFaultyOperations(t *testing.T) {
	t.Parallel()
	c := open(t, nil, engine.Config{})
	id := c.user("u")
	for _, op := range []string{
		`{}`,
		`{"method":"GET","path":"/Users"}`,
		`{"method":5,"path":"/Users"}`,
		`{"method":"POST","path":"/Users/x","bulkId":"a","data":{}}`,
		`{"method":"POST","path":"/Users","data":{"userName":"x"}}`,
		`{"method":"POST","path":"/Users","bulkId":"","data":{"userName":"x"}}`,
		`{"method":"POST","path":"/Users","bulkId":"a"}`,
		`{"method":"POST","path":"/Users","bulkId":"a","data":[]}`,
		`{"method":"POST","path":"/Users?attributes=id","bulkId":"a","data":{"userName":"x"}}`,
		`{"method":"POST","path":"https://elsewhere/Users","bulkId":"a","data":{"userName":"x"}}`,
		`{"method":"POST","path":"/Bulk","bulkId":"a","data":{}}`,
		`{"method":"POST","path":"/Users/.search","bulkId":"a","data":{}}`,
		`{"method":"POST","path":"/.search","bulkId":"a","data":{}}`,
		`{"method":"PATCH","path":"/Me","data":{}}`,
		`{"method":"DELETE","path":"/Schemas/x"}`,
		`{"method":"DELETE","path":"/Users"}`,
		`{"method":"DELETE","path":""}`,
		`{"method":"DELETE"}`,
		`{"method":"PUT","path":"/Users/` + id + `"}`,
		`{"method":"PUT","path":"/Users/` + id + `","data":{"userName":"u"},"version":"W/\"1"}`,
	} {
		results, statuses := c.bulk(op)
		response, _ := results[0]["response"].(map[string]any)
		if statuses != "400" || response["status"] != "400" || response["detail"] == nil {
			t.Errorf("%s: %v", op, results)
		}
	}
	results, statuses := c.bulk(
		`{"method":"PUT","path":"Users/`+id+`","data":{"userName":"u"},"version":"W/\"9\""}`,
		`{"method":"DELETE","path":"/users/`+id+`","version":"9"}`,
		`{"method":"put","path":"`+base+`/Users/`+id+`","data":{"userName":"u","title":"t"},"version":"1"}`,
		`{"method":"DELETE","path":"/Users/`+id+`"}`,
		`{"method":"DELETE","path":"/Users/`+id+`"}`,
	)
	if statuses != "412 412 200 204 404" || results[4]["location"] != base+"/Users/"+id {
		t.Errorf("statuses %s: %v", statuses, results)
	}
}

// BLK-016, BLK-017, BLK-019, BLK-029
func TestBulkFailOnErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		more, want string
	}{
		{"", "201 409 201 409 201"},
		{`"failOnErrors":3,`, "201 409 201 409 201"},
		{`"failOnErrors":2,`, "201 409 201 409"},
		{`"failOnErrors":1,`, "201 409"},
	} {
		both(t, engine.Config{}, func(t *testing.T, c client) {
			a := c.must(200, "POST /Bulk", bulkRequest(tt.more, postUser("1", "a"), postUser("2", "A"), postUser("3", "b"), postUser("4", "B"), postUser("5", "c")))
			results, statuses := bulkResults(a)
			if statuses != tt.want || strings.Contains(a.text, "failOnErrors") {
				t.Errorf("%s: statuses %s, want %s", tt.more, statuses, tt.want)
			}
			if n := c.must(200, "GET /Users", "").total(); n != strings.Count(statuses, "201") {
				t.Errorf("%s: %d users of %v", tt.more, n, results)
			}
		})
	}
}

// BLK-023
func TestBulkRepresentation(t *testing.T) {
	t.Parallel()
	c := open(t, nil, engine.Config{})
	results, statuses := bulkResults(c.must(200, "POST /Bulk", bulkRequest("",
		postGroup("a", "A", "bulkId:b"), postGroup("b", "B", "bulkId:a"), postUser("u", "u")), "Prefer: respond-async, return=representation"))
	if statuses != "201 201 201" {
		t.Fatal(statuses)
	}
	a, _ := results[0]["response"].(map[string]any)
	if list, _ := a["members"].([]any); len(list) != 1 {
		t.Errorf("the group is shown as %v", a)
	}
	if u, _ := results[2]["response"].(map[string]any); u["userName"] != "u" {
		t.Errorf("the user is shown as %v", u)
	}
}

// batches is a memory.Store that counts its batches and can fail to commit.
type batches struct {
	*memory.Store
	count  atomic.Int32
	inside atomic.Bool
	commit func(n int32) error
}

func (b *batches) Batch(ctx context.Context, f func(scim.Backend) error) error {
	n := b.count.Add(1)
	return b.Store.Batch(ctx, func(in scim.Backend) error {
		b.inside.Store(true)
		defer b.inside.Store(false)
		if err := f(in); err != nil {
			return err
		}
		return b.commit(n)
	})
}

func TestBulkBatches(t *testing.T) {
	t.Parallel()
	b := &batches{Store: new(memory.Store), commit: func(int32) error { return nil }}
	c := open(t, b, engine.Config{})
	var ops []string
	for i := range 120 {
		ops = append(ops, postUser(fmt.Sprint(i), fmt.Sprint("u", i)))
	}
	if _, statuses := c.bulk(ops...); statuses != strings.TrimSpace(strings.Repeat("201 ", 120)) {
		t.Errorf("statuses %s", statuses)
	}
	if n := b.count.Load(); n < 3 || n > 120 {
		t.Errorf("%d batches for 120 operations", n)
	}
}

// What could not be committed did not happen, and says so.
func TestBulkCommitFails(t *testing.T) {
	t.Parallel()
	b := &batches{Store: new(memory.Store), commit: func(n int32) error {
		if n == 1 {
			return errors.New("disk: full")
		}
		return nil
	}}
	c := open(t, b, engine.Config{})
	var ops []string
	for i := range 49 {
		ops = append(ops, postUser(fmt.Sprint(i), fmt.Sprint("u", i)))
	}
	ops = append(ops, postUser("49", "U1"))                                        // a failure of its own
	ops = append(ops, postGroup("g", "G", "bulkId:0"), postUser("later", "later")) // 0 is gone with its batch, however short
	a := c.must(200, "POST /Bulk", bulkRequest("", ops...))
	results, statuses := bulkResults(a)
	// The first batch may have ended early, by time: all of its operations failed together.
	failed := strings.Count(statuses, "500")
	if failed == 0 || strings.Contains(a.text, "disk") || a.Err == nil || !strings.Contains(a.Err.Error(), "disk: full") {
		t.Errorf("statuses %s, Err %v", statuses, a.Err)
	}
	if n := c.must(200, "GET /Users?count=0", "").total(); n != strings.Count(statuses, "201") {
		t.Errorf("%d users are there, %s", n, statuses)
	}
	if results[50]["status"] != "409" && results[50]["status"] != "500" {
		t.Errorf("a group with a member that is gone: %v", results[50])
	}
	if got := results[51]["status"]; failed >= 50 && got != "201" {
		t.Errorf("the batch after: %v", results[51])
	}
}

// A backend that can't even begin a batch fails all operations, and Bulk ends.
func TestBulkBatchRefused(t *testing.T) {
	t.Parallel()
	c := open(t, refusing{new(memory.Store)}, engine.Config{})
	_, statuses := c.bulk(postUser("a", "a"), postUser("b", "b"))
	if statuses != "503 503" {
		t.Errorf("statuses %s", statuses)
	}
}

type refusing struct{ *memory.Store }

func (refusing) Batch(context.Context, func(scim.Backend) error) error {
	return scim.Unavailable(errors.New("busy"))
}

// Passwords are hashed outside a batch: others would have to wait for it.
func TestBulkHashesOutsideBatches(t *testing.T) {
	t.Parallel()
	b := &batches{Store: new(memory.Store), commit: func(int32) error { return nil }}
	var hashed, inside atomic.Int32
	c := open(t, b, engine.Config{Password: func(clear string) (string, error) {
		hashed.Add(1)
		if b.inside.Load() {
			inside.Add(1)
		}
		return "hash of " + fmt.Sprint(len(clear)), nil
	}})
	id := c.user("old")
	_, statuses := c.bulk(
		postUser("a", "a"),
		`{"method":"POST","path":"/Users","bulkId":"b","data":{"userName":"b","PassWord":"secret-b"}}`,
		`{"method":"PATCH","path":"/Users/`+id+`","data":[{"op":"add","path":"`+scim.UserURN+`:password","value":"secret-c"}]}`,
		`{"method":"PATCH","path":"/Users/`+id+`","data":[{"op":"add","value":{"password":"secret-d"}}]}`,
		postUser("e", "e"),
	)
	if statuses != "201 201 200 200 201" || hashed.Load() != 3 || inside.Load() != 0 || b.count.Load() != 2 {
		t.Errorf("statuses %s, %d hashed, %d of them inside one of %d batches", statuses, hashed.Load(), inside.Load(), b.count.Load())
	}
}

// BLK-033: what was done before the time was up stays.
func TestBulkDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		store := new(memory.Store)
		c := open(t, hooked{Backend: store, create: func(ctx context.Context, _ *scim.Resource) error {
			if n++; n > 2 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}}, engine.Config{Limits: engine.Limits{Deadline: 300 * time.Millisecond}})
		_, statuses := c.bulk(postUser("1", "1"), postUser("2", "2"), postUser("3", "3"), postUser("4", "4"))
		if statuses != "201 201 503 503" {
			t.Errorf("statuses %s", statuses)
		}
		if n := c.must(200, "GET /Users?count=0", "").total(); n != 2 {
			t.Errorf("%d users are there", n)
		}
	})
}

// Past the deadline no password is hashed any more: each operation that is left
// may be tried again.
func TestBulkDeadlineWhileHashing(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]scim.Backend{"whole": new(memory.Store), "plain": plain{new(memory.Store)}} {
		synctest.Test(t, func(t *testing.T) {
			const deadline = 30 * time.Millisecond
			hashed := 0
			c := open(t, b, engine.Config{Limits: engine.Limits{Deadline: deadline}, Password: func(string) (string, error) {
				hashed++
				<-time.After(2 * deadline) // counted from here, so that the request's own time is over too
				return "hash", nil
			}})
			var ops []string
			for i := range 20 {
				ops = append(ops, fmt.Sprintf(`{"method":"POST","path":"/Users","bulkId":"%d","data":{"userName":"%[1]d","password":"secret%[1]d"}}`, i),
					postUser(fmt.Sprint("plain", i), fmt.Sprint("plain", i)))
			}
			_, statuses := c.bulk(append(ops, `{"method":"POST","path":"/Nowhere","bulkId":"x","data":{}}`)...)
			if want := strings.Repeat("503 ", 40) + "400"; statuses != want || hashed != 1 {
				t.Errorf("%s: statuses %s, %d hashed", name, statuses, hashed)
			}
		})
	}
}
