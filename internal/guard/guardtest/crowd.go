package guardtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/guard"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
)

// crowd lets a client create n people.
func (w *world) crowd(name string, n int) {
	w.t.Helper()
	ops := make([]string, n)
	for i := range ops {
		ops[i] = fmt.Sprintf(`{"method":"POST","path":"/Users","bulkId":"%d","data":{"schemas":[%q],"userName":"%s%d","active":true}}`, i, scim.UserURN, name, i)
	}
	if a := w.do(0, "POST", "/Bulk", bulk(strings.Join(ops, ","))); strings.Count(a.Body, `"status":"201"`) != n {
		w.t.Fatalf("%d %s", a.Status, a.Body)
	}
}

// testCrowd creates people so that a share of all would be more: the share is of
// those who were there before.
func testCrowd(t *testing.T, open Open) {
	for _, x := range []struct {
		before, created int
		percent         float64
		limit           int
	}{
		{150, 120, 10, 15}, {150, 30, 10, 15}, {60, 180, 10, guard.LeastPeople}, {0, 140, 10, guard.LeastPeople},
		{120, 110, 15, 17}, // so many were there that the rest don't matter
	} {
		t.Run(fmt.Sprintf("%d and %d", x.before, x.created), func(t *testing.T) {
			t.Parallel()
			w := begin(t, open, "auto", tenant.Settings{Breaker: tenant.Breaker{Mode: "hold", People: 17, Percent: x.percent}})
			w.crowd("old", x.before)
			w.clock.pass(time.Hour + time.Second)
			ids := w.users(18) // of those who are created now
			w.crowd("new", x.created-len(ids))
			let := 0
			for i, id := range ids {
				switch a := w.deactivate(i, id); a.Status {
				case 200:
					let++
				case 429:
				default:
					t.Fatalf("%d %s", a.Status, a.Body)
				}
			}
			s := w.state()
			if let != x.limit || s.Settled != x.before || s.Total != x.before+x.created {
				t.Errorf("%d were let through, of a limit of %d; %+v", let, x.limit, s)
			}
			w.clock.pass(time.Hour + time.Second)
			if s := w.state(); s.Settled != s.Total {
				t.Errorf("an hour later: %+v", s)
			}
		})
	}
}
