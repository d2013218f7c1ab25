package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// hooked lets a test step in before a method of the backend.
type hooked struct {
	scim.Backend
	get    func(context.Context, scim.Ref, scim.Selection) error
	list   func(context.Context, scim.Query) error
	create func(context.Context, *scim.Resource) error
	update func(context.Context, scim.Change) error
}

func (h hooked) Get(ctx context.Context, ref scim.Ref, sel scim.Selection) (*scim.Resource, error) {
	if h.get != nil {
		if err := h.get(ctx, ref, sel); err != nil {
			return nil, err
		}
	}
	return h.Backend.Get(ctx, ref, sel)
}

func (h hooked) List(ctx context.Context, q scim.Query) (*scim.Page, error) {
	if h.list != nil {
		if err := h.list(ctx, q); err != nil {
			return nil, err
		}
	}
	return h.Backend.List(ctx, q)
}

func (h hooked) Create(ctx context.Context, r *scim.Resource) (*scim.Resource, error) {
	if h.create != nil {
		if err := h.create(ctx, r); err != nil {
			return nil, err
		}
	}
	return h.Backend.Create(ctx, r)
}

func (h hooked) Update(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	if h.update != nil {
		if err := h.update(ctx, c); err != nil {
			return nil, err
		}
	}
	return h.Backend.Update(ctx, c)
}

func TestPanicIsAnError(t *testing.T) {
	t.Parallel()
	c := open(t, hooked{Backend: new(memory.Store), get: func(context.Context, scim.Ref, scim.Selection) error {
		panic("the secret text of a panic")
	}}, engine.Config{})
	a := c.must(500, "GET /Users/1", "")
	if strings.Contains(a.text, "secret") || strings.Contains(a.text, "goroutine") {
		t.Errorf("the answer shows what happened inside: %s", a.text)
	}
	if a.Err == nil || !strings.Contains(a.Err.Error(), "secret") || !strings.Contains(a.Err.Error(), "do_test.go") {
		t.Errorf("Err holds no stack: %v", a.Err)
	}
	if a.Operation != "get" || a.Type != "User" || a.ID != "1" {
		t.Errorf("the log would say %s %s %s", a.Operation, a.Type, a.ID)
	}
}

func TestForeignErrorsStayInside(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"any error":        errors.New("sql: no such table"),
		"a broken status":  &scim.Error{Status: 200, Detail: "sql: fine"},
		"a joined one":     errors.Join(errors.New("sql: a"), errors.New("sql: b")),
		"a status of none": &scim.Error{Detail: "sql: nothing"},
	} {
		c := open(t, hooked{Backend: new(memory.Store), list: func(context.Context, scim.Query) error { return err }}, engine.Config{})
		a := c.must(500, "GET /Users", "")
		if strings.Contains(a.text, "sql") {
			t.Errorf("%s: the answer is %s", name, a.text)
		}
		if !strings.Contains(a.Err.Error(), "sql") {
			t.Errorf("%s: Err is %v", name, a.Err)
		}
	}
}

// TestDeadline covers the compatibility rule HTTP-10.
func TestDeadline(t *testing.T) {
	t.Parallel()
	wait := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	c := open(t, hooked{Backend: new(memory.Store),
		get:  func(ctx context.Context, _ scim.Ref, _ scim.Selection) error { return wait(ctx) },
		list: func(ctx context.Context, _ scim.Query) error { return wait(ctx) },
	}, engine.Config{Limits: engine.Limits{Deadline: 20 * time.Millisecond}})
	for _, line := range []string{"GET /Users/1", "GET /Users", "PUT /Users/1", "PATCH /Groups/1", "GET /"} {
		a := c.must(503, line, `{}`)
		if a.RetryAfter <= 0 {
			t.Errorf("%s: no Retry-After", line)
		}
		if !errors.Is(a.Err, context.DeadlineExceeded) {
			t.Errorf("%s: Err is %v", line, a.Err)
		}
	}
}

// An update that always loses gives up at its deadline.
func TestUpdateGivesUp(t *testing.T) {
	t.Parallel()
	store := new(memory.Store)
	id := open(t, store, engine.Config{}).user("a") // which has all the time it needs
	c := open(t, hooked{Backend: store, update: func(context.Context, scim.Change) error {
		return scim.ErrVersionMismatch
	}}, engine.Config{Limits: engine.Limits{Deadline: 30 * time.Millisecond}})
	a := c.must(503, "PUT /Users/"+id, `{"userName":"b"}`)
	if a.RetryAfter <= 0 {
		t.Error("no Retry-After")
	}
}

// Whoever waits for another update of the resource waits no longer than its
// own deadline.
func TestLockDeadline(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	first := true
	c := open(t, hooked{Backend: new(memory.Store), update: func(context.Context, scim.Change) error {
		if first {
			first = false
			close(entered)
			<-leave
		}
		return nil
	}}, engine.Config{})
	id := c.user("a")
	done := make(chan int)
	go func() { done <- c.do("PUT /Users/"+id, `{"userName":"b"}`).Status }()
	<-entered
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	if got := c.e.Do(ctx, request("PUT /Users/"+id, `{"userName":"c"}`)); got.Status != 503 || got.RetryAfter <= 0 {
		t.Errorf("the update that waits: status %d, Retry-After %v", got.Status, got.RetryAfter)
	}
	c.must(412, "PUT /Users/"+id, `{"userName":"c"}`, `If-Match: "gone"`)
	close(leave)
	if got := <-done; got != 200 {
		t.Errorf("the update that was first: status %d", got)
	}
}

// The members of a large group are read while they are sent: the deadline and
// the end of Do must not cut them off.
func TestBodyOutlivesDo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := streaming{new(memory.Store)}
		c := open(t, b, engine.Config{Limits: engine.Limits{Deadline: 50 * time.Millisecond}})
		u := c.user("u")
		g := c.group("g", u)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		resp := c.e.Do(ctx, request("GET /Groups/"+g, ""))
		if resp.Size != -1 {
			t.Errorf("Size is %d for members that are still to be read", resp.Size)
		}
		<-time.After(time.Second) // of the test's own clock
		var out strings.Builder
		if _, err := resp.Body.WriteTo(&out); err != nil || !strings.Contains(out.String(), u) {
			t.Fatalf("the body: %v\n%s", err, out.String())
		}
		if n, err := resp.Body.WriteTo(&out); n != 0 || err != nil {
			t.Errorf("a second WriteTo wrote %d bytes, error %v", n, err)
		}

		// The client goes away: the body ends with an error, it is not cut silently.
		resp = c.e.Do(ctx, request("GET /Groups/"+g, ""))
		cancel()
		if _, err := resp.Body.WriteTo(&out); err == nil {
			t.Error("a body whose members could not be read was written without an error")
		}
	})
}

// streaming hands members over as an iterator that watches the context.
type streaming struct{ scim.Backend }

func (s streaming) Get(ctx context.Context, ref scim.Ref, sel scim.Selection) (*scim.Resource, error) {
	r, err := s.Backend.Get(ctx, ref, sel)
	if err != nil || ref.Type.Membership() == nil {
		return r, err
	}
	name := ref.Type.Membership().Name
	list, _ := r.Attrs.Get(name).([]scim.MemberRef)
	r.Attrs.Set(name, nil)
	r.Members = func(yield func(scim.MemberRef, error) bool) {
		for _, m := range list {
			if ctx.Err() != nil {
				yield(scim.MemberRef{}, ctx.Err())
				return
			}
			if !yield(m, nil) {
				return
			}
		}
	}
	return r, nil
}

// A backend that streams members can be patched all the same.
func TestPatchOfStreamedMembers(t *testing.T) {
	t.Parallel()
	c := open(t, streaming{new(memory.Store)}, engine.Config{})
	u, v := c.user("u"), c.user("v")
	g := c.group("g", u)
	c.must(204, "PATCH /Groups/"+g, patchOp(`{"op":"add","path":"members","value":[{"value":"`+v+`"}]}`))
	if got := c.members(g); len(got) != 2 {
		t.Errorf("the members are %v, want %s and %s", got, u, v)
	}
}
