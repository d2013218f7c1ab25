package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// plain hides the optional interfaces of a backend.
type plain struct{ scim.Backend }

// both runs a test on the memory store with and without its optional powers.
func both(t *testing.T, c engine.Config, test func(*testing.T, client)) {
	t.Helper()
	for name, b := range map[string]scim.Backend{"whole": new(memory.Store), "plain": plain{new(memory.Store)}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t, b, c))
		})
	}
}

// race sends n requests at once and counts the answers by status.
func race(c client, n int, send func(i int) answer) map[int]int {
	var mu sync.Mutex
	var wg sync.WaitGroup
	count := map[int]int{}
	for i := range n {
		wg.Go(func() {
			a := send(i)
			mu.Lock()
			defer mu.Unlock()
			count[a.Status]++
		})
	}
	wg.Wait()
	return count
}

// CRE-004
func TestCreateRace(t *testing.T) {
	t.Parallel()
	both(t, engine.Config{}, func(t *testing.T, c client) {
		got := race(c, 50, func(int) answer { return c.do("POST /Users", `{"userName":"same"}`) })
		if got[201] != 1 || got[409] != 49 {
			t.Errorf("answers by status: %v, want one 201 and 49 times 409", got)
		}
	})
}

// ETG-014
func TestIfMatchRace(t *testing.T) {
	t.Parallel()
	both(t, engine.Config{}, func(t *testing.T, c client) {
		id := c.user("a")
		tag := c.must(200, "GET /Users/"+id, "").ETag
		got := race(c, 50, func(i int) answer {
			return c.do("PUT /Users/"+id, fmt.Sprintf(`{"userName":"a","title":"%d"}`, i), "If-Match: "+tag)
		})
		if got[200] != 1 || got[412] != 49 {
			t.Errorf("answers by status: %v, want one 200 and 49 times 412", got)
		}
	})
}

// ETG-010: "*" names no version, so that no other writer can make it wrong.
func TestIfMatchAnyRace(t *testing.T) {
	t.Parallel()
	both(t, engine.Config{}, func(t *testing.T, c client) {
		id := c.user("a")
		got := race(c, 40, func(i int) answer {
			return c.do("PATCH /Users/"+id, patchOp(fmt.Sprintf(`{"op":"add","path":"emails","value":[{"value":"%d@x.example"}]}`, i)), "If-Match: *")
		})
		if got[200] != 40 {
			t.Errorf("answers by status: %v, want 200 alone", got)
		}
	})
}

// PAT-062
func TestMemberRace(t *testing.T) {
	t.Parallel()
	both(t, engine.Config{}, func(t *testing.T, c client) {
		g := c.group("g")
		var users []string
		for i := range 100 {
			users = append(users, c.user(fmt.Sprint("u", i)))
		}
		got := race(c, 100, func(i int) answer {
			op := `{"op":"add","path":"members","value":[{"value":"` + users[i] + `"}]}`
			if i%3 == 0 { // not members alone
				op += fmt.Sprintf(`,{"op":"replace","path":"displayName","value":"g%d"}`, i)
			}
			return c.do("PATCH /Groups/"+g, patchOp(op))
		})
		members := c.members(g)
		slices.Sort(members)
		slices.Sort(users)
		if got[204] != 100 || !slices.Equal(members, users) {
			t.Errorf("answers by status: %v; the group has %d members of 100", got, len(members))
		}
	})
}

// Updates without a version wait for each other, and none is lost.
func TestUpdateRace(t *testing.T) {
	t.Parallel()
	both(t, engine.Config{}, func(t *testing.T, c client) {
		id := c.user("a")
		got := race(c, 60, func(i int) answer {
			return c.do("PATCH /Users/"+id, patchOp(fmt.Sprintf(`{"op":"add","path":"emails","value":[{"value":"%d@x.example"}]}`, i)))
		})
		a := c.must(200, "GET /Users/"+id, "")
		if n := strings.Count(a.text, "@x.example"); got[200] != 60 || n != 60 {
			t.Errorf("answers by status: %v; %d of 60 e-mails are there", got, n)
		}
	})
}

// Requests with a precondition other than If-Match look again when they lose a
// race, and are refused by the precondition itself.
func TestIfNoneMatchRace(t *testing.T) {
	t.Parallel()
	both(t, engine.Config{}, func(t *testing.T, c client) {
		g := c.group("g")
		u := c.user("u")
		tag := c.must(200, "GET /Groups/"+g, "").ETag
		c.must(204, "PATCH /Groups/"+g, patchOp(`{"op":"add","path":"members","value":[{"value":"`+u+`"}]}`))
		now := c.must(200, "GET /Groups/"+g, "").ETag
		// Only a request for a version that is no longer there may write.
		got := race(c, 20, func(int) answer {
			return c.do("PATCH /Groups/"+g, patchOp(`{"op":"remove","path":"members"}`), "If-None-Match: "+now)
		})
		if got[412] != 20 {
			t.Errorf("answers by status: %v, want 20 times 412", got)
		}
		c.must(204, "DELETE /Groups/"+g, "", "If-None-Match: "+tag)
	})
}
