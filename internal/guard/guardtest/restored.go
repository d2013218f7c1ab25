package guardtest

import (
	"context"
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
)

// testRestored gives back people who were deleted: that they were does not count any
// more, but what they lost beside does.
func testRestored(t *testing.T, open Open) {
	w := begin(t, open, "auto", hold(2))
	ids := w.users(4)
	crew := w.group("Crew", ids[1])
	user := w.free.Types()[0]
	restore := func(i int, id string) {
		t.Helper()
		if _, err := w.engines[i].Restore(context.Background(), scim.Ref{Type: user, ID: id}, ""); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(what string, status, count int, a answer) {
		t.Helper()
		if n := w.state().People; a.Status != status || n != count {
			t.Errorf("%s: %d %s; %d count, not %d", what, a.Status, a.Body, n, count)
		}
	}
	expect("deleted", 204, 1, w.do(0, "DELETE", "/Users/"+ids[0], ""))
	expect("removed from a group", 204, 2, w.do(1, "DELETE", "/Groups/"+crew, ""))
	expect("and deleted", 204, 2, w.do(0, "DELETE", "/Users/"+ids[1], ""))
	expect("one more", 429, 2, w.do(1, "DELETE", "/Users/"+ids[2], ""))
	restore(1, ids[0])
	expect("after one was restored", 204, 2, w.do(1, "DELETE", "/Users/"+ids[2], ""))
	restore(0, ids[1])
	expect("restored, but not to the group, which is gone", 429, 2, w.deactivate(1, ids[3]))
	restore(0, ids[2])
	expect("after another was restored", 200, 2, w.deactivate(1, ids[3]))
	expect("who was restored goes again", 429, 2, w.do(0, "DELETE", "/Users/"+ids[0], ""))
}
