package facade_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-scim/rollcall/backend/facade"
	"github.com/rollcall-scim/rollcall/scim"
)

// TestUniqueRace: of many who create one name at once one succeeds.
func TestUniqueRace(t *testing.T) {
	t.Parallel()
	for _, life := range []time.Duration{0, 30 * time.Second} {
		people := newShelf(userType)
		s := facade.NewStore(facade.StoreOptions{IndexTime: life}, people)
		var made, refused atomic.Int64
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				switch _, err := s.Create(as(t, token), user("", "ann", "")); {
				case err == nil:
					made.Add(1)
				case errors.Is(err, scim.ErrUniqueness):
					refused.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if made.Load() != 1 || refused.Load() != 19 {
			t.Errorf("index %v: %d created, %d refused", life, made.Load(), refused.Load())
		}
	}
}

// TestOwnName: a name that the resource itself turns out to have is free for it,
// as after a rename whose answer was lost.
func TestOwnName(t *testing.T) {
	t.Parallel()
	for _, life := range []time.Duration{0, 30 * time.Second} {
		people := newShelf(userType)
		people.put(user("a", "anna", ""))
		s := facade.NewStore(facade.StoreOptions{IndexTime: life}, people)
		if _, err := s.Update(as(t, token), renamed(user("a", "ann", ""), "anna")); err != nil {
			t.Errorf("index %v: %v", life, err)
		}
	}
}

// TestTurns: writes of one resource come one after the other, those of others
// do not wait for them.
func TestTurns(t *testing.T) {
	t.Parallel()
	people := newShelf(userType)
	for i := range 4 {
		people.put(user(fmt.Sprint(i), fmt.Sprint("u", i), ""))
	}
	var busy [4]atomic.Int64
	var together sync.WaitGroup
	together.Add(4) // the first update of each is under way at once
	var once [4]sync.Once
	people.fail = func(_ context.Context, op, id string) error {
		if op != "update" {
			return nil
		}
		i := id[0] - '0'
		if busy[i].Add(1) > 1 {
			t.Errorf("two writes of %s at once", id)
		}
		once[i].Do(func() { together.Done(); together.Wait() })
		busy[i].Add(-1)
		return nil
	}
	s := facade.NewStore(facade.StoreOptions{}, people)
	var all sync.WaitGroup
	for i := range 4 {
		for range 5 {
			all.Go(func() {
				before := user(fmt.Sprint(i), fmt.Sprint("u", i), "")
				after := copied(before)
				after.Attrs.Set("title", "t")
				c := scim.Change{Before: before, After: after, Deltas: []scim.Delta{{Path: scim.AttrPath{Name: "title", Attr: userType.Schema.Attribute("title")}}}}
				if _, err := s.Update(as(t, token), c); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
}

// TestOutdated: a document is not changed by what was read before somebody else
// wrote it, and the memo of that reading is gone; a change of members goes on.
func TestOutdated(t *testing.T) {
	t.Parallel()
	teams := newShelf(groupType)
	g := &scim.Resource{Type: groupType, ID: "g", Attrs: scim.Object{{Name: "displayName", Value: "G"}}}
	teams.put(g)
	s := facade.NewStore(facade.StoreOptions{}, teams)
	members := scim.AttrPath{Name: "members", Attr: groupType.Membership()}
	ofMembers := scim.Change{Before: g, After: copied(g), Method: "PATCH", Deltas: []scim.Delta{{Path: members, Added: []any{scim.MemberRef{ID: "u"}}}}}
	both := ofMembers
	both.Deltas = append(slices.Clone(both.Deltas), renamed(g, "H").Deltas...)
	pinned := ofMembers
	pinned.IfVersion = "v"
	read := func() context.Context {
		ctx := as(t, token)
		if _, err := s.Get(ctx, g.Ref(), scim.Selection{}); err != nil {
			t.Fatal(err)
		}
		facade.CallerOf(ctx).Remember("what was read", "g")
		return ctx
	}
	kept := func(ctx context.Context) bool { return facade.CallerOf(ctx).Recall("what was read") != nil }
	write := func() {
		if _, err := s.UpdateMembers(as(t, "another"), ofMembers); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name    string
		update  func(context.Context) error
		refused bool
	}{
		{"document", func(ctx context.Context) error { _, err := s.Update(ctx, renamed(g, "H")); return err }, true},
		{"members", func(ctx context.Context) error { _, err := s.UpdateMembers(ctx, ofMembers); return err }, false},
		{"both", func(ctx context.Context) error { _, err := s.UpdateMembers(ctx, both); return err }, true},
		{"members of a version", func(ctx context.Context) error { _, err := s.UpdateMembers(ctx, pinned); return err }, true},
		{"delete", func(ctx context.Context) error { defer teams.put(g); return s.Delete(ctx, g.Ref(), "") }, false},
	} {
		ctx := read()
		if err := c.update(ctx); err != nil || !kept(ctx) {
			t.Errorf("%s, nobody wrote: %v, memo kept %v", c.name, err, kept(ctx))
		}
		ctx = read()
		write()
		err := c.update(ctx)
		if c.refused != errors.Is(err, scim.ErrVersionMismatch) || !c.refused && err != nil || kept(ctx) {
			t.Errorf("%s, somebody wrote: %v, memo kept %v", c.name, err, kept(ctx))
		}
		if !c.refused {
			continue
		}
		if _, err := s.Get(ctx, g.Ref(), scim.Selection{}); err != nil {
			t.Fatal(err)
		}
		if err := c.update(ctx); err != nil {
			t.Errorf("%s, read again: %v", c.name, err)
		}
	}
	teams.put(g)
	if err := s.Delete(as(t, token), g.Ref(), "v2"); !errors.Is(err, scim.ErrVersionMismatch) {
		t.Errorf("a delete of another version: %v", err)
	}
	r, err := s.UpdateMembers(as(t, token), ofMembers)
	if err != nil || r.Members != nil || r.Attrs.Get("members") != nil {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestDetached: a write that has begun is finished although its client has gone,
// but not for ever; one that has not begun is not.
func TestDetached(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"create", "update", "delete"} {
		synctest.Test(t, func(t *testing.T) {
			people := newShelf(userType)
			people.put(user("a", "ann", ""))
			s := facade.NewStore(facade.StoreOptions{WriteTime: time.Minute}, people)
			run := func(ctx context.Context) (err error) {
				switch op {
				case "create":
					_, err = s.Create(ctx, user("", "bob", ""))
				case "update":
					_, err = s.Update(ctx, renamed(user("a", "ann", ""), "anna"))
				case "delete":
					err = s.Delete(ctx, scim.Ref{Type: userType, ID: "a"}, "")
				}
				return err
			}
			ctx, cancel := context.WithCancel(as(t, token))
			people.fail = func(_ context.Context, o, _ string) error {
				if o == op {
					cancel()
				}
				return nil
			}
			people.done = func(ctx context.Context, _, _ string) error { return ctx.Err() }
			if err := run(ctx); err != nil || people.counted(op) != 1 {
				t.Errorf("%s, client gone meanwhile: %v", op, err)
			}
			if err := run(ctx); !errors.Is(err, context.Canceled) || people.counted(op) != 0 {
				t.Errorf("%s, client gone before: %v", op, err)
			}
			people.put(user("a", "ann", ""))
			people.remove("id1")
			people.fail = nil
			people.done = func(ctx context.Context, o, _ string) error {
				if o != op {
					return nil
				}
				<-ctx.Done()
				return &facade.Failure{Reason: facade.TimedOut, Name: "Shelf", Call: "PUT /", Sent: true, Err: ctx.Err()}
			}
			start := time.Now()
			if err := run(as(t, token)); scim.AsError(err).Status != http.StatusGatewayTimeout || time.Since(start) != time.Minute {
				t.Errorf("%s that never ends: %v after %v", op, err, time.Since(start))
			}
		})
	}
}

// TestKeptIndex: a write that was refused as a whole costs no list; one of which
// a part was carried out does.
func TestKeptIndex(t *testing.T) {
	t.Parallel()
	app := newHostile(t, ok)
	up := upstream(t, app.URL, nil)
	for _, c := range []struct {
		name   string
		script []func(http.ResponseWriter, *http.Request)
		lists  int
	}{
		{"refused", []func(http.ResponseWriter, *http.Request){status(403)}, 0},
		{"read, then refused", []func(http.ResponseWriter, *http.Request){ok, status(403)}, 1},
		{"failed", []func(http.ResponseWriter, *http.Request){status(500)}, 1},
		{"lost", []func(http.ResponseWriter, *http.Request){drop("")}, 1},
	} {
		people := newShelf(userType)
		s, _ := indexed(people)
		ctx := as(t, token)
		find(ctx, t, s, `userName eq "x"`)
		people.counted("list")
		app := newHostile(t, c.script...)
		up = upstream(t, app.URL, nil)
		people.fail = func(ctx context.Context, op, _ string) error {
			if op != "create" {
				return nil
			}
			for range c.script {
				if _, err := up.Do(ctx, facade.Call{Method: "POST", Path: "/a"}, nil); err != nil {
					return err
				}
			}
			return nil
		}
		if _, err := s.Create(ctx, user("", "ann", "")); err == nil {
			t.Errorf("%s: created", c.name)
		}
		find(ctx, t, s, `userName eq "x"`)
		if n := people.counted("list"); n != c.lists {
			t.Errorf("%s: %d lists, want %d", c.name, n, c.lists)
		}
	}
}

// TestErrors: what a Source returns becomes what a client is told.
func TestErrors(t *testing.T) {
	t.Parallel()
	people := newShelf(userType)
	people.put(user("a", "ann", ""))
	own := scim.Errorf(scim.TypeMutability, "not that")
	odd := errors.New("odd")
	for _, c := range []struct {
		err    error
		status int
		is     error
	}{
		{&facade.Failure{Reason: facade.Refused, Status: 403, Call: "GET /"}, 403, nil},
		{fmt.Errorf("user: %w", &facade.Failure{Reason: facade.Busy, Call: "GET /"}), 503, nil},
		{fmt.Errorf("user: %w", own), 400, own},
		{odd, 500, odd},
	} {
		s := facade.NewStore(facade.StoreOptions{}, people)
		people.fail = func(_ context.Context, op, _ string) error {
			if op == "list" {
				return nil
			}
			return c.err
		}
		ctx := as(t, token)
		ref := scim.Ref{Type: userType, ID: "a"}
		_, get := s.Get(ctx, ref, scim.Selection{})
		_, list := s.List(ctx, scim.Query{Type: userType, Filter: bound(t, userType, `id eq "a"`), Count: 1})
		_, create := s.Create(ctx, user("", "bob", ""))
		_, update := s.Update(ctx, renamed(user("a", "ann", ""), "anna"))
		remove := s.Delete(ctx, ref, "")
		for i, err := range []error{get, list, create, update, remove} {
			if scim.AsError(err).Status != c.status || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v by method %d: %v, want %d", c.err, i, err, c.status)
			}
		}
	}
	s := facade.NewStore(facade.StoreOptions{}, people)
	if _, err := s.Get(t.Context(), scim.Ref{Type: groupType, ID: "g"}, scim.Selection{}); scim.AsError(err).Status != 501 {
		t.Errorf("a type that nobody keeps: %v", err)
	}
	if err := s.Shape(t.Context(), &scim.Change{After: user("a", "", "")}); err != nil {
		t.Errorf("a Source that does not shape: %v", err)
	}
	shaper := facade.NewStore(facade.StoreOptions{}, shaped{people})
	c := scim.Change{After: user("a", "Ann", "")}
	if err := shaper.Shape(t.Context(), &c); err != nil || c.After.Attrs.Get("userName") != "shaped" {
		t.Errorf("%v, %v", c.After.Attrs, err)
	}
}

type shaped struct{ *shelf }

func (shaped) Shape(_ context.Context, c *scim.Change) error {
	c.After.Attrs.Set("userName", "shaped")
	return nil
}

// TestLockOrder: who needs two turns never waits for one who waits for him.
func TestLockOrder(t *testing.T) {
	t.Parallel()
	s := facade.NewStore(facade.StoreOptions{}, newShelf(userType))
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			keys := []string{"a", "b", "c", "d", "a"}
			if i%2 == 0 {
				slices.Reverse(keys)
			}
			for range 500 {
				unlock, err := facade.Lock(t.Context(), s, keys...)
				if err != nil {
					t.Error(err)
					return
				}
				runtime.Gosched()
				unlock()
			}
		})
	}
	all.Wait()
	unlock, err := facade.Lock(t.Context(), s, "b")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := facade.Lock(ctx, s, "a", "b", "c"); !errors.Is(err, context.Canceled) {
		t.Errorf("who has gone gets a turn: %v", err)
	}
	unlock()
	if unlock, err = facade.Lock(t.Context(), s, "a", "b", "c"); err != nil {
		t.Errorf("who has gone keeps a turn: %v", err)
	} else {
		unlock()
	}
}
