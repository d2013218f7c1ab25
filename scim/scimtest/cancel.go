package scimtest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

func testContext(t *testing.T, s *suite) {
	c := s.one(t)
	users := c.people(20)
	g := c.groupOf("g", users...)
	before := len(c.list(c.query(c.user, "")).Resources)
	q := c.query(c.user, "")
	if text := `displayName co "ser 1" or emails.value co "x"`; !s.Lacks.filter(text) {
		q = c.query(c.user, text)
	}
	calls := map[string]func(ctx context.Context) error{
		"Create": func(ctx context.Context) error {
			_, err := c.b.Create(ctx, c.decode(c.user, `{"userName":"new"}`))
			return err
		},
		"Get": func(ctx context.Context) error {
			r, err := c.b.Get(ctx, g.Ref(), scim.Selection{})
			if err == nil && r.Members != nil {
				for _, err = range r.Members {
					if err != nil {
						break
					}
				}
			}
			return err
		},
		"List": func(ctx context.Context) error {
			_, err := c.b.List(ctx, q)
			return err
		},
		"Update": func(ctx context.Context) error {
			after := copyOf(users[0])
			after.Attrs.Set("displayName", "t")
			_, err := c.b.Update(ctx, c.change(users[0], after))
			return err
		},
		"Delete": func(ctx context.Context) error { return c.b.Delete(ctx, users[1].Ref(), "") },
	}
	if m, ok := c.wide.(scim.MemberUpdater); ok {
		calls["UpdateMembers"] = func(ctx context.Context) error {
			_, err := m.UpdateMembers(ctx, c.memberChange(g, "", true, users[:1], nil))
			return err
		}
	}
	if f, ok := c.wide.(scim.ChangeFeed); ok {
		calls["Changes"] = func(ctx context.Context) error {
			_, err := f.Changes(ctx, scim.ChangeQuery{})
			return err
		}
	}
	if b, ok := c.b.(scim.Batcher); ok {
		calls["Batch"] = func(ctx context.Context) error {
			return b.Batch(ctx, func(scim.Backend) error { return nil })
		}
	}
	const rule = "a method returns ctx's error once ctx is done"
	gone, cancel := context.WithCancel(c.Context())
	cancel()
	late, stop := context.WithDeadline(c.Context(), time.Now().Add(-time.Second))
	defer stop()
	mine := goroutines(c.Name())
	defer mine.label(c.Context())()
	const rounds = 40
	for name, call := range calls {
		for range rounds {
			if err := call(gone); !errors.Is(err, context.Canceled) {
				c.broken(rule, "%s: %v", name, err)
				break
			}
		}
		if err := call(late); !errors.Is(err, context.DeadlineExceeded) {
			c.broken(rule, "%s: %v", name, err)
		}
	}
	if n := len(c.list(c.query(c.user, "")).Resources); n != before || showMembers(c.get(g)) != showMembers(g) {
		c.broken("a call that fails leaves everything as it was", "%d users, want %d", n, before)
	}

	// Cancelled during the call: it ends soon, either way, and a write that
	// reports an error has not happened.
	for i := range rounds {
		ctx, cancel := context.WithCancel(c.Context())
		name := fmt.Sprintf("during%d", i)
		in := c.decode(c.user, fmt.Sprintf(`{"userName":%q}`, name))
		done := make(chan error, 1)
		go func() {
			_, err := c.b.Create(ctx, in)
			done <- err
		}()
		for range i {
			runtime.Gosched()
		}
		cancel()
		select {
		case err := <-done:
			want := 1
			if err != nil {
				want = 0
				c.fails(err, context.Canceled, rule)
			}
			c.finds(want, c.user, "a write that returns an error has not happened, and one that returns nil has", "userName eq %q", name)
		case <-time.After(10 * time.Second):
			c.Fatalf("Create goes on 10 s after its context was cancelled\nrule: %s", rule)
		}
	}
	for range rounds {
		ctx, cancel := context.WithCancel(c.Context())
		r, err := c.b.Get(ctx, g.Ref(), scim.Selection{})
		c.must(err, "Get")
		if r.Members != nil {
			for range r.Members {
				break // a reader may stop before the end
			}
		}
		cancel()
	}

	// On a machine with other work they may end slowly, as long as they do.
	least := mine.count()
	for deadline := time.Now().Add(3 * time.Second); ; <-time.After(time.Millisecond) {
		n := mine.count()
		if n < rounds/2 {
			return
		}
		if n < least {
			least, deadline = n, time.Now().Add(3*time.Second)
		}
		if time.Now().After(deadline) {
			c.broken("no goroutine outlives its call", "%d are left of %d calls", n, rounds*(len(calls)+2))
			return
		}
	}
}
