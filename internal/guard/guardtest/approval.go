package guardtest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/guard"
)

// testApprovedNumber approves a few more people than the limit: one request that
// would take something from far more is held, whatever it is, and even if so many
// of them count already that those alone are all that may.
func testApprovedNumber(t *testing.T, open Open) {
	const limit, approved, people = 1, 2, 9
	w := begin(t, open, "auto", hold(limit))
	ids := w.users(people)
	approve := func(people int) {
		t.Helper()
		until, err := w.stores[0].ApproveBreaker(context.Background(), 10*time.Minute, guard.Approval{People: people, By: "grace"})
		if err != nil || !until.Equal(w.clock.Now().Add(10*time.Minute)) {
			t.Fatal(until, err)
		}
	}
	expect := func(what string, status int, a answer) {
		t.Helper()
		if a.Status != status {
			t.Errorf("%s: %d, not %d: %s", what, a.Status, status, a.Body)
		}
	}
	all := func(when string) {
		t.Helper()
		crew := w.group("Crew "+when, ids...)
		top := w.group("Top "+when, w.group("Outer "+when, crew))
		none := patch(`{"op":"replace","path":"members","value":[]}`)
		expect(when+", the group goes", 429, w.do(0, "DELETE", "/Groups/"+crew, ""))
		expect(when+", its members go", 429, w.do(1, "PATCH", "/Groups/"+crew, patch(`{"op":"remove","path":"members"}`)))
		expect(when+", its members are replaced", 429, w.do(0, "PATCH", "/Groups/"+crew, none))
		expect(when+", its members are left out", 429, w.do(1, "PUT", "/Groups/"+crew, `{"displayName":"Crew"}`))
		expect(when+", the group above goes", 429, w.do(0, "DELETE", "/Groups/"+top, ""))
		expect(when+", the nested group leaves", 429, w.do(1, "PATCH", "/Groups/"+top, none))
		if n := w.members(crew); n != people {
			t.Errorf("%s: %d of %d are left in the group", when, n, people)
		}
		w.must("DELETE", "/Groups/"+crew, "")
	}
	approve(approved)
	all("at first")
	// As many as are approved, and these again, from another group.
	expect("as many as are approved", 204, w.do(0, "DELETE", "/Groups/"+w.group("Few", ids[:limit+approved]...), ""))
	expect("the same", 204, w.do(1, "DELETE", "/Groups/"+w.group("Same", ids[:limit+approved]...), ""))
	if a := w.deactivate(0, ids[people-1]); a.Status != 429 ||
		!strings.Contains(a.Body, "this change more than 3 people") || !strings.Contains(a.Body, "the limit is 3, 2 of which are approved until 2026-11-02T09:10:00Z") {
		t.Errorf("one more: %d %s", a.Status, a.Body)
	}
	if a := w.do(1, "DELETE", "/Groups/"+w.group("Many", ids...), ""); a.Status != 429 || !strings.Contains(a.Body, "more than 3 people") {
		t.Errorf("all: %d %s", a.Status, a.Body)
	}
	all("when nobody is left")
	// Any number, and then few again: those of before still count.
	approve(0)
	for i, id := range ids[:people-1] {
		expect("any number", 200, w.deactivate(i, id))
	}
	approve(approved)
	all("when more count than may")
	if n := w.state().People; n < limit+approved {
		t.Errorf("%d count", n)
	}
}
