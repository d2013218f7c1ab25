package guardtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/guard"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
)

// testEvasions takes something from people in every way that there is, by turns at
// two instances: of a limit of five, five are let through (T27).
func testEvasions(t *testing.T, open Open) {
	const limit, people = 5, 9
	each := func(f func(w *world, i int, id string) answer) func(*world, []string) []answer {
		return func(w *world, ids []string) (all []answer) {
			for i, id := range ids {
				all = append(all, f(w, i, id))
			}
			return all
		}
	}
	user := func(method, body string) func(*world, []string) []answer {
		return each(func(w *world, i int, id string) answer {
			return w.do(i, method, "/Users/"+id, strings.ReplaceAll(body, "NAME", fmt.Sprintf("p%03d", i)))
		})
	}
	leave := func(f func(w *world, i int, crew, id string, rest []string) answer) func(*world, []string) []answer {
		return func(w *world, ids []string) (all []answer) {
			crew := w.group("Crew", ids...)
			for i, id := range ids {
				all = append(all, f(w, i, crew, id, ids[i+1:]))
			}
			if n := w.members(crew); n != people-limit {
				w.t.Errorf("%d of %d are left in the group", n, people)
			}
			return all
		}
	}
	for name, x := range map[string]struct {
		profile string
		f       func(*world, []string) []answer
		kept    bool // people stay active: they leave a group
		atOnce  bool // one request that is held as a whole
	}{
		"PATCH without a path":  {"auto", user("PATCH", patch(inactive)), false, false},
		"PATCH":                 {"auto", user("PATCH", patch(`{"op":"replace","path":"active","value":false}`)), false, false},
		"PATCH as a text":       {"auto", user("PATCH", patch(`{"op":"Replace","path":"active","value":"False"}`)), false, false},
		"PATCH add":             {"auto", user("PATCH", patch(`{"op":"add","path":"active","value":false}`)), false, false},
		"PATCH by URN":          {"auto", user("PATCH", patch(`{"op":"replace","value":{"urn:ietf:params:scim:schemas:core:2.0:User:active":false}}`)), false, false},
		"PATCH with other work": {"auto", user("PATCH", patch(`{"op":"replace","value":{"title":"x","active":false}}`)), false, false},
		"PATCH remove":          {"strict", user("PATCH", patch(`{"op":"remove","path":"active"}`)), false, false},
		"PUT":                   {"auto", user("PUT", `{"schemas":["`+scim.UserURN+`"],"userName":"NAME","active":false}`), false, false},
		"DELETE":                {"auto", user("DELETE", ""), false, false},
		"by turns": {"auto", each(func(w *world, i int, id string) answer {
			if i%2 == 0 {
				return w.do(i, "DELETE", "/Users/"+id, "")
			}
			return w.deactivate(i, id)
		}), false, false},
		"Bulk": {"auto", func(w *world, ids []string) (all []answer) {
			ops := ""
			for i, id := range ids {
				if i > 0 {
					ops += ","
				}
				ops += fmt.Sprintf(`{"method":"PATCH","path":"/Users/%s","data":%s}`, id, patch(inactive))
			}
			a := w.do(0, "POST", "/Bulk", bulk(ops))
			for range strings.Count(a.Body, `"status":"200"`) {
				all = append(all, answer{Status: 200})
			}
			for range strings.Count(a.Body, `"status":"429"`) - strings.Count(a.Body, `"status":"429","detail"`) {
				all = append(all, answer{Status: 429, Body: a.Body, Retry: time.Second})
			}
			return all
		}, false, false},
		"Bulk of deletes, one at a time": {"auto", each(func(w *world, i int, id string) answer {
			a := w.do(i, "POST", "/Bulk", bulk(fmt.Sprintf(`{"method":"DELETE","path":"/Users/%s"}`, id)))
			if strings.Contains(a.Body, `"status":"429"`) {
				return answer{Status: 429, Body: a.Body, Retry: time.Second}
			}
			return a
		}), false, false},
		"members by a filter": {"auto", leave(func(w *world, i int, crew, id string, _ []string) answer {
			return w.do(i, "PATCH", "/Groups/"+crew, patch(`{"op":"remove","path":"members[value eq \"`+id+`\"]"}`))
		}), true, false},
		"members by a list": {"auto", leave(func(w *world, i int, crew, id string, _ []string) answer {
			return w.do(i, "PATCH", "/Groups/"+crew, patch(`{"op":"Remove","path":"members","value":[{"value":"`+id+`"}]}`))
		}), true, false},
		"members PUT, one less each time": {"auto", leave(func(w *world, i int, crew, _ string, rest []string) answer {
			return w.do(i, "PUT", "/Groups/"+crew, `{"displayName":"Crew","members":[`+refs(rest...)+`]}`)
		}), true, false},
		"members replaced, one less each time": {"auto", leave(func(w *world, i int, crew, _ string, rest []string) answer {
			return w.do(i, "PATCH", "/Groups/"+crew, patch(`{"op":"replace","path":"members","value":[`+refs(rest...)+`]}`))
		}), true, false},
		"each from a group of his own": {"auto", each(func(w *world, i int, id string) answer {
			return w.do(i, "DELETE", "/Groups/"+w.group("G"+id, id), "")
		}), true, false},
		"members replaced by none": {"auto", whole(func(w *world, crew string) answer {
			return w.do(0, "PATCH", "/Groups/"+crew, patch(`{"op":"replace","path":"members","value":[]}`))
		}), true, true},
		"members replaced by none, without a path": {"auto", whole(func(w *world, crew string) answer {
			return w.do(1, "PATCH", "/Groups/"+crew, patch(`{"op":"replace","value":{"members":[]}}`))
		}), true, true},
		"members removed": {"auto", whole(func(w *world, crew string) answer {
			return w.do(0, "PATCH", "/Groups/"+crew, patch(`{"op":"remove","path":"members"}`))
		}), true, true},
		"PUT without members": {"auto", whole(func(w *world, crew string) answer {
			return w.do(1, "PUT", "/Groups/"+crew, `{"displayName":"Crew"}`)
		}), true, true},
		"DELETE of the group": {"auto", whole(func(w *world, crew string) answer {
			return w.do(0, "DELETE", "/Groups/"+crew, "")
		}), true, true},
		"members renamed away at once": {"auto", whole(func(w *world, crew string) answer {
			return w.do(1, "PATCH", "/Groups/"+crew, patch(`{"op":"replace","value":{"displayName":"Other","members":[]}}`))
		}), true, true},
		"a nested group leaves": {"auto", whole(func(w *world, crew string) answer {
			outer := w.group("Outer", crew)
			return w.do(0, "PATCH", "/Groups/"+outer, patch(`{"op":"remove","path":"members"}`))
		}), true, true},
		"the group above goes": {"auto", whole(func(w *world, crew string) answer {
			return w.do(1, "DELETE", "/Groups/"+w.group("Top", w.group("Outer", crew)), "")
		}), true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := begin(t, open, x.profile, hold(limit))
			ids := w.users(people)
			let, stopped := 0, 0
			for _, a := range x.f(w, ids) {
				switch {
				case a.Status < 300:
					let++
				case a.Status == 429 && strings.Contains(a.Body, "rollcall breaker approve --tenant acme") && a.Retry > 0 && a.Retry <= 5*time.Minute:
					stopped++
				default:
					t.Errorf("%d %s (retry after %s)", a.Status, a.Body, a.Retry)
				}
			}
			want, active := limit, people
			if x.atOnce {
				want = 0
			}
			if let != want || stopped == 0 {
				t.Errorf("%d were let through, %d were not", let, stopped)
			}
			if !x.kept {
				active -= limit
			}
			if n := w.active(ids); n != active {
				t.Errorf("%d people are active, not %d", n, active)
			}
			if n := w.state().People; n != want {
				t.Errorf("%d people count", n)
			}
			if w.told(guard.Held) != stopped {
				t.Errorf("%d events for %d that were held", w.told(guard.Held), stopped)
			}
		})
	}
}

// whole is one request that would take a group from all.
func whole(f func(w *world, crew string) answer) func(*world, []string) []answer {
	return func(w *world, ids []string) []answer {
		crew := w.group("Crew", ids...)
		a := f(w, crew)
		if n := w.members(crew); n != len(ids) {
			w.t.Errorf("%d of %d are left in the group", n, len(ids))
		}
		return []answer{a}
	}
}

// testRace takes something from forty people at once, through two instances: ten
// are let through, not twenty, and nobody waits for another in a circle.
func testRace(t *testing.T, open Open) {
	const limit, people = 10, 40
	w := begin(t, open, "auto", hold(limit))
	ids := w.users(people)
	crew := w.group("Crew", ids...)
	var wait sync.WaitGroup
	var mu sync.Mutex
	count := map[int]int{}
	for i, id := range ids {
		wait.Go(func() {
			var a answer
			switch i % 4 {
			case 0:
				a = w.deactivate(i/4, id)
			case 1:
				a = w.do(i/4, "DELETE", "/Users/"+id, "")
			case 2:
				a = w.do(i/4, "PATCH", "/Groups/"+crew, patch(`{"op":"remove","path":"members[value eq \"`+id+`\"]"}`))
			case 3:
				a = w.do(i/4, "POST", "/Bulk", bulk(fmt.Sprintf(`{"method":"PATCH","path":"/Groups/%s","data":%s},{"method":"PATCH","path":"/Users/%s","data":%s}`,
					crew, patch(`{"op":"remove","path":"members[value eq \"`+id+`\"]"}`), id, patch(inactive))))
				if strings.Contains(a.Body, `"status":"429"`) {
					a.Status = 429
				}
			}
			mu.Lock()
			defer mu.Unlock()
			count[a.Status]++
			if a.Status >= 300 && a.Status != 429 {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
	wait.Wait()
	gone := map[string]bool{}
	for _, id := range ids {
		if w.active([]string{id}) == 0 {
			gone[id] = true
		}
	}
	if a := do(w.free, "GET", "/Groups/"+crew, ""); a.Status == 200 {
		for _, id := range ids {
			if !strings.Contains(a.Body, id) {
				gone[id] = true
			}
		}
	}
	if len(gone) != limit || w.state().People != limit {
		t.Errorf("%d people lost something, %d count, of a limit of %d: %v", len(gone), w.state().People, limit, count)
	}
}

// testRaceAlone is testRace with changes that have nothing in common but the
// count: no group whose row is locked keeps them apart.
func testRaceAlone(t *testing.T, open Open) {
	const limit, people = 10, 60
	w := begin(t, open, "auto", hold(limit))
	ids := w.users(people)
	var wait sync.WaitGroup
	var let atomic.Int64
	start := make(chan struct{})
	for i, id := range ids {
		wait.Go(func() {
			<-start
			switch a := w.deactivate(i, id); {
			case a.Status < 300:
				let.Add(1)
			case a.Status != 429:
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
	close(start)
	wait.Wait()
	if n, active, counted := let.Load(), w.active(ids), w.state().People; n != limit || active != people-limit || counted != limit {
		t.Errorf("%d were let through, %d of %d are active, %d count, of a limit of %d", n, active, people, counted, limit)
	}
}

// testUndone counts who lost something and has not got it back.
func testUndone(t *testing.T, open Open) {
	w := begin(t, open, "auto", hold(2))
	ids := w.users(4)
	crew := w.group("Crew", ids...)
	ok := func(what string, a answer) {
		t.Helper()
		if a.Status >= 300 {
			t.Errorf("%s: %d %s", what, a.Status, a.Body)
		}
	}
	ok("the first", w.deactivate(0, ids[0]))
	ok("the same again", w.deactivate(1, ids[0]))
	ok("the same again, by PUT", w.do(1, "PUT", "/Users/"+ids[0], `{"userName":"p000","active":false}`))
	ok("deactivated as well as removed", w.do(0, "PATCH", "/Groups/"+crew, patch(`{"op":"remove","path":"members[value eq \"`+ids[0]+`\"]"}`)))
	ok("the second", w.do(1, "PATCH", "/Groups/"+crew, patch(`{"op":"remove","path":"members[value eq \"`+ids[1]+`\"]"}`)))
	if a := w.deactivate(0, ids[2]); a.Status != 429 {
		t.Errorf("the third: %d", a.Status)
	}
	ok("one who counts already", w.deactivate(0, ids[1]))
	ok("and goes", w.do(0, "DELETE", "/Users/"+ids[1], ""))
	if n := w.state().People; n != 2 {
		t.Errorf("%d count", n)
	}
	ok("given back one of two", w.do(1, "PATCH", "/Users/"+ids[0], patch(`{"op":"replace","value":{"active":true}}`)))
	if n := w.state().People; n != 2 {
		t.Errorf("%d count, of whom one has lost a group only", n)
	}
	ok("given back all", w.do(0, "PATCH", "/Groups/"+crew, patch(`{"op":"add","path":"members","value":[{"value":"`+ids[0]+`"}]}`)))
	if n := w.state().People; n != 1 {
		t.Errorf("%d count", n)
	}
	ok("another in his place", w.deactivate(1, ids[2]))
	if a := w.deactivate(0, ids[3]); a.Status != 429 {
		t.Errorf("one more: %d", a.Status)
	}
}

// testWindow lets time pass: whoever was changed longer ago than the window does
// not count any more.
func testWindow(t *testing.T, open Open) {
	w := begin(t, open, "auto", hold(2))
	ids := w.users(5)
	for i, id := range ids[:2] {
		if a := w.deactivate(i, id); a.Status != 200 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		w.clock.pass(29 * time.Minute)
	}
	a := w.deactivate(0, ids[2])
	if a.Status != 429 || a.Retry <= time.Minute || a.Retry > 2*time.Minute {
		t.Errorf("the third, when the first is 58 minutes ago: %d, retry after %s", a.Status, a.Retry)
	}
	w.clock.pass(3 * time.Minute)
	if a := w.deactivate(1, ids[2]); a.Status != 200 {
		t.Errorf("when the first is 61 minutes ago: %d %s", a.Status, a.Body)
	}
	if a := w.deactivate(1, ids[3]); a.Status != 429 || a.Retry != 5*time.Minute {
		t.Errorf("a fourth: %d, retry after %s", a.Status, a.Retry)
	}
	// What is held does not keep others out.
	crew := w.group("Crew", ids...)
	w.clock.pass(time.Hour)
	if a := w.do(0, "DELETE", "/Groups/"+crew, ""); a.Status != 429 {
		t.Errorf("more than ever may: %d", a.Status)
	}
	if a := w.deactivate(1, ids[3]); a.Status != 200 {
		t.Errorf("one, beside what is held: %d %s", a.Status, a.Body)
	}
}

// testDecisions approves and resets.
func testDecisions(t *testing.T, open Open) {
	ctx := context.Background()
	w := begin(t, open, "auto", hold(1))
	ids := w.users(12)
	expect := func(what string, status int, a answer) {
		t.Helper()
		if a.Status != status {
			t.Errorf("%s: %d %s", what, a.Status, a.Body)
		}
	}
	expect("the first", 200, w.deactivate(0, ids[0]))
	for i := range 3 {
		w.clock.pass(2 * time.Second)
		expect("more", 429, w.deactivate(i, ids[1]))
	}
	s := w.state()
	if h := s.Held; h.Requests != 3 || h.People != 2 || h.Actor != "idp" || h.What != "PATCH User/"+ids[1] || h.Last.Sub(h.First) != 4*time.Second {
		t.Errorf("held: %+v", h)
	}
	if s.People != 1 || s.Total != 12 || s.Oldest.IsZero() {
		t.Errorf("state: %+v", s)
	}
	approve := func(people int) {
		t.Helper()
		if _, err := w.stores[1].ApproveBreaker(ctx, 10*time.Minute, guard.Approval{People: people, By: "grace"}); err != nil {
			t.Fatal(err)
		}
	}
	expect("one more, not written down yet", 429, w.deactivate(0, ids[1]))
	approve(2)
	if s := w.state(); s.Held.Requests != 0 || s.Approval.People != 2 || s.Approval.By != "grace" {
		t.Errorf("approved: %+v", s)
	}
	expect("approved, the second", 200, w.deactivate(0, ids[1]))
	expect("approved, the third", 200, w.deactivate(1, ids[2]))
	expect("beyond what is approved", 429, w.deactivate(0, ids[3]))
	w.clock.pass(2 * time.Second)
	expect("again", 429, w.deactivate(1, ids[3]))
	if h := w.state().Held; h.Requests != 2 || h.Last.Sub(h.First) != 2*time.Second {
		t.Errorf("held since the approval: %+v", h)
	}
	approve(0)
	for i, id := range ids[3:7] {
		expect("any number", 200, w.deactivate(i, id))
	}
	w.clock.pass(11 * time.Minute)
	expect("the approval is over, and so is what it let pass: one", 200, w.deactivate(0, ids[7]))
	expect("and no more", 429, w.deactivate(1, ids[8]))
	expect("again, not written down yet", 429, w.deactivate(0, ids[8]))
	w.clock.pass(time.Second)
	if err := w.stores[0].ResetBreaker(ctx); err != nil {
		t.Fatal(err)
	}
	w.clock.pass(time.Second)
	if s := w.state(); s.People != 0 || s.Held.Requests != 0 || !s.Approval.Until.IsZero() {
		t.Errorf("reset: %+v", s)
	}
	expect("after the reset: one", 200, w.deactivate(0, ids[8]))
	expect("and no more", 429, w.deactivate(1, ids[9]))
	if h := w.state().Held; h.Requests != 1 {
		t.Errorf("held since the reset: %+v", h)
	}
}

// testStored counts what is stored, and nothing else.
func testStored(t *testing.T, open Open) {
	w := begin(t, open, "auto", hold(2))
	ids := w.users(4)
	for what, a := range map[string]answer{
		"a name that is taken": w.do(0, "PATCH", "/Users/"+ids[0], patch(`{"op":"replace","value":{"userName":"p001","active":false}}`)),
		"nobody":               w.deactivate(1, "0190aaaa-0000-7000-8000-000000000000"),
		"in Bulk":              w.do(0, "POST", "/Bulk", bulk(`{"method":"PUT","path":"/Users/`+ids[0]+`","data":{"userName":"p001","active":false}}`)),
	} {
		if a.Status < 400 && !strings.Contains(a.Body, `"status":"409"`) {
			t.Errorf("%s: %d %s", what, a.Status, a.Body)
		}
	}
	if n := w.state().People; n != 0 {
		t.Errorf("%d count though nothing was stored", n)
	}
	if a := w.deactivate(1, ids[0]); a.Status != 200 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	err := w.stores[0].Batch(context.Background(), func(scim.Backend) error { return errors.New("no") })
	if err == nil {
		t.Error("a batch that fails was stored")
	}
	dry := w.engines[0]
	for range 3 {
		if a := doDry(dry, "PATCH", "/Users/"+ids[1], patch(inactive)); a.Status != 200 {
			t.Errorf("tried out: %d %s", a.Status, a.Body)
		}
	}
	if n := w.state().People; n != 1 {
		t.Errorf("%d count after one was tried out", n)
	}
}

// testOmitted sends PUT without active: that deactivates nobody, in no profile.
func testOmitted(t *testing.T, open Open) {
	for _, profile := range []string{"auto", "strict"} {
		w := begin(t, open, profile, hold(1))
		ids := w.users(3)
		for i, id := range ids {
			a := w.do(i, "PUT", "/Users/"+id, fmt.Sprintf(`{"schemas":[%q],"userName":"p%03d","title":"x"}`, scim.UserURN, i))
			if a.Status != 200 {
				t.Errorf("%s: %d %s", profile, a.Status, a.Body)
			}
		}
		if n, m := w.active(ids), w.state().People; n != 3 || m != 0 {
			t.Errorf("%s: %d are active, %d count", profile, n, m)
		}
	}
}

// testWarn lets everything through, and says so once it is too much.
func testWarn(t *testing.T, open Open) {
	s := hold(3)
	s.Breaker.Mode = ""
	w := begin(t, open, "auto", s)
	for i, id := range w.users(6) {
		if a := w.deactivate(i, id); a.Status != 200 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	if w.told(guard.Over) != 3 || w.told(guard.Held) != 0 {
		t.Errorf("%d and %d events", w.told(guard.Over), w.told(guard.Held))
	}
	s.Breaker.Mode = "off"
	w = begin(t, open, "auto", s)
	for i, id := range w.users(6) {
		if a := w.deactivate(i, id); a.Status != 200 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	if len(w.events) != 0 || w.state().People != 0 {
		t.Errorf("off: %d events, %d count", len(w.events), w.state().People)
	}
}

// testPercent holds a share of all people, and leaves small tenants a few.
func testPercent(t *testing.T, open Open) {
	w := begin(t, open, "auto", tenant.Settings{Breaker: tenant.Breaker{Mode: "hold", Percent: 10}})
	ids := w.users(30)
	for i, id := range ids[:11] {
		want := 200
		if i >= guard.LeastPeople {
			want = 429
		}
		if a := w.deactivate(i, id); a.Status != want {
			t.Errorf("the %d. of 30: %d %s", i+1, a.Status, a.Body)
		}
	}
}

// testPrune forgets what is old.
func testPrune(t *testing.T, open Open) {
	w := begin(t, open, "auto", hold(5))
	ids := w.users(3)
	w.deactivate(0, ids[0])
	w.clock.pass(time.Minute)
	between := w.clock.Now()
	w.clock.pass(time.Minute)
	w.deactivate(1, ids[1])
	if err := w.stores[0].PruneBreaker(context.Background(), between); err != nil {
		t.Fatal(err)
	}
	if n := w.state().People; n != 1 {
		t.Errorf("%d are left", n)
	}
}
