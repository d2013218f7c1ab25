package pactflowtest_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
)

// TestConcurrentWriters: everything at once, and no change is lost.
func TestConcurrentWriters(t *testing.T) {
	t.Parallel()
	e := start(t, pactflowtest.Options{NoDefaults: true})
	v := crew(t, e, 8)
	var hooks atomic.Int64
	e.BeforeHandle(func(*http.Request) { hooks.Add(1) })
	before := e.Calls()
	const rounds = 30
	var all sync.WaitGroup
	each := func(f func(worker, round int)) {
		for w := range 8 {
			all.Go(func() {
				for i := range rounds {
					f(w, i)
				}
			})
		}
	}
	each(func(w, i int) {
		body := fmt.Sprintf(`{"name":"w%d-%d","email":"w%d-%d@example.com"}`, w, i, w, i)
		if got := do(t, e, scim, "POST", "/admin/users", body); got.code != 201 {
			t.Errorf("%d %s", got.code, got.body)
		}
	})
	each(func(w, i int) { // each worker moves its own user in and out, and leaves it in
		op := []string{"add", "remove"}[i%2]
		if i == rounds-1 {
			op = "add"
		}
		do(t, e, scim, "PATCH", v.in("/admin/teams/$t/users"), v.in(fmt.Sprintf(`[{"op":"%s","path":"/users","value":{"uuid":"$u%d"}}]`, op, w)))
	})
	each(func(_, i int) {
		do(t, e, scim, "GET", fmt.Sprintf("/admin/users?page=%d&size=3", i+1), "")
		do(t, e, scim, "GET", v.in("/admin/teams/$t"), "")
	})
	for range 2 {
		all.Go(func() {
			for range rounds {
				_ = e.Inject(pactflowtest.Rule{Fault: pactflowtest.Fault{Stale: &pactflowtest.Stale{Reads: 1}}})
				_, _, _ = e.State(), e.Log(), e.Faults()
				_ = e.Set(func(o *pactflowtest.Options) { o.Nulls = !o.Nulls })
			}
		})
	}
	all.Wait()
	e.ClearFaults()
	s := e.State()
	if len(s.Users) != 2+8+8*rounds {
		t.Errorf("%d users", len(s.Users))
	}
	i := slices.IndexFunc(s.Teams, func(x pactflowtest.Team) bool { return x.UUID == v["t"] })
	if len(s.Teams[i].Members) != 8 {
		t.Errorf("members: %v", s.Teams[i].Members)
	}
	list := names(t, do(t, e, scim, "GET", "/admin/users", ""))
	if len(list) != 1+8+8*rounds || !slices.IsSorted(list[:len(list)-1]) {
		t.Errorf("the list has %d, or is out of order", len(list))
	}
	if n := int64(e.Calls() - before - 1); hooks.Load() != n+1 || n != 8*rounds*4 {
		t.Errorf("%d calls, %d hooks", n, hooks.Load())
	}
}

// TestHookChangesState: a hook may act as another client just before a request.
func TestHookChangesState(t *testing.T) {
	t.Parallel()
	e := start(t, pactflowtest.Options{})
	var once sync.Once
	e.BeforeHandle(func(r *http.Request) {
		if r.Method == "DELETE" {
			return
		}
		once.Do(func() { do(t, e, scim, "DELETE", "/admin/users/"+pactflowtest.SampleUser, "") })
	})
	if got := do(t, e, scim, "GET", "/admin/users/"+pactflowtest.SampleUser, ""); got.code != 410 {
		t.Errorf("%d", got.code)
	}
	e.BeforeHandle(nil)
	if got := do(t, e, scim, "GET", "/admin/users", ""); len(names(t, got)) != 0 {
		t.Error(got.body)
	}
}
