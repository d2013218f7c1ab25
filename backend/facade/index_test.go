package facade_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/facade"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// clock is one that is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func indexed(people *shelf) (*facade.Store, *clock) {
	c := &clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	return facade.NewStore(facade.StoreOptions{IndexTime: 30 * time.Second, Now: c.Now}, people), c
}

func as(t *testing.T, token string) context.Context { return facade.WithCaller(t.Context(), token) }

func calls(t *testing.T, s *shelf, what string, list, get int) {
	t.Helper()
	if l, g := s.counted("list"), s.counted("get"); l != list || g != get {
		t.Errorf("%s: %d lists and %d reads, want %d and %d", what, l, g, list, get)
	}
}

// TestIndex: look-ups by unique value and externalId cost one read, misses
// nothing, and the list is read once in its time.
func TestIndex(t *testing.T) {
	t.Parallel()
	people := newShelf(userType)
	people.put(user("a", "Ann", "x1"))
	people.put(user("b", "bob", "x2"))
	people.put(user("c", "", ""))
	people.put(user("d", "dan", "x2"))
	s, clock := indexed(people)
	ctx := as(t, token)
	for _, c := range []struct {
		filter, want string
		list, get    int
	}{
		{`userName eq "ANN"`, "[a]", 1, 1},
		{`userName eq "nobody"`, "[]", 0, 0},
		{`externalId eq "x1"`, "[a]", 0, 1},
		{`externalId eq "X1"`, "[]", 0, 0},
		{`externalId eq "x2"`, "[b d]", 0, 2},
		{`externalId eq "x2" and userName sw "d"`, "[d]", 0, 2},
		{`active eq true and (userName eq "bob" and externalId pr)`, "[]", 0, 1},
		{`id eq "c"`, "[c]", 0, 1},
		{`id eq "C"`, "[]", 0, 1},
		{`userName eq "ann" or userName eq "bob"`, "[a b]", 1, 0},
		{`userName ne "ann"`, "[b c d]", 1, 0},
		{`not (userName eq "ann")`, "[b c d]", 1, 0},
		{`userName eq null`, "[c]", 1, 0},
		{`userName eq ""`, "[]", 1, 0},
	} {
		if got := find(ctx, t, s, c.filter); got != c.want {
			t.Errorf("%s finds %s, want %s", c.filter, got, c.want)
		}
		calls(t, people, c.filter, c.list, c.get)
	}

	clock.pass(30*time.Second - time.Nanosecond)
	people.put(user("e", "eve", ""))
	if got := find(ctx, t, s, `userName eq "eve"`); got != "[]" {
		t.Errorf("what another has created since is seen at once: %s", got)
	}
	calls(t, people, "just before its time", 0, 0)
	clock.pass(time.Nanosecond)
	if got := find(ctx, t, s, `userName eq "eve"`); got != "[e]" {
		t.Errorf("after its time the index is read again: %s", got)
	}
	calls(t, people, "after its time", 1, 1)

	// What others have changed is confirmed before it is told.
	people.put(user("e", "eva", ""))
	people.remove("b")
	if got := find(ctx, t, s, `userName eq "eve"`) + find(ctx, t, s, `userName eq "bob"`); got != "[][]" {
		t.Errorf("a hit is not confirmed: %s", got)
	}
	calls(t, people, "hits that are none", 0, 2)
	if got := find(ctx, t, s, `userName eq "eve"`) + find(ctx, t, s, `userName eq "bob"`) + find(ctx, t, s, `userName eq "eva"`); got != "[][][e]" {
		t.Errorf("what was read is not kept: %s", got)
	}
	calls(t, people, "hits that are none, again", 0, 1)
}

// TestIndexWrites: the index knows what was written through the Store, with the
// token it belongs to alone.
func TestIndexWrites(t *testing.T) {
	t.Parallel()
	people := newShelf(userType)
	people.put(user("a", "ann", ""))
	s, clock := indexed(people)
	mine, other := as(t, token), as(t, "another")
	find(mine, t, s, `userName eq "x"`)
	find(other, t, s, `userName eq "x"`)
	calls(t, people, "each token has its own", 2, 0)

	bob, err := s.Create(mine, user("", "bob", "x1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(mine, user("", "BOB", "")); !errors.Is(err, scim.ErrUniqueness) {
		t.Errorf("a name that is taken: %v", err)
	}
	calls(t, people, "a create and its double", 0, 1)
	if got := find(mine, t, s, `externalId eq "x1"`); got != "[id1]" {
		t.Errorf("what was created is not found: %s", got)
	}
	if got := find(other, t, s, `userName eq "bob"`); got != "[]" {
		t.Errorf("another token learns of it: %s", got)
	}
	people.counted("get")
	if _, err := s.Update(mine, renamed(bob, "ben")); err != nil {
		t.Fatal(err)
	}
	if got := find(mine, t, s, `userName eq "bob"`) + find(mine, t, s, `userName eq "ben"`); got != "[][id1]" {
		t.Errorf("after renaming: %s", got)
	}
	calls(t, people, "renamed", 0, 1)
	if _, err := s.Update(mine, renamed(user("a", "ann", ""), "Ben")); !errors.Is(err, scim.ErrUniqueness) {
		t.Errorf("renamed to a name that is taken: %v", err)
	}
	if _, err := s.Update(mine, renamed(user("a", "ann", ""), "ANN")); err != nil {
		t.Errorf("a name in other letters is no other name: %v", err)
	}
	calls(t, people, "names compared", 0, 1)

	// Whoever is only marked as deleted keeps the name, who is gone does not.
	if err := s.Delete(mine, scim.Ref{Type: userType, ID: "id1"}, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(mine, user("", "ben", "")); err != nil {
		t.Errorf("a name that is free again: %v", err)
	}
	calls(t, people, "a delete and a create", 0, 1)
	clock.pass(time.Minute)
	find(other, t, s, `userName eq "ben"`)
	calls(t, people, "the other's, read again", 1, 1)
}

// TestIndexFailure: a list that fails is told and not kept; a write of which it
// is not known whether it was done makes the index unknown.
func TestIndexFailure(t *testing.T) {
	t.Parallel()
	people := newShelf(userType)
	people.put(user("a", "ann", ""))
	s, _ := indexed(people)
	ctx := as(t, token)
	people.fail = func(_ context.Context, op, _ string) error {
		if op == "list" {
			return &facade.Failure{Reason: facade.Refused, Name: "Shelf", Call: "GET /", Status: 503}
		}
		return nil
	}
	q := scim.Query{Type: userType, Filter: bound(t, userType, `userName eq "ann"`), Count: 1}
	if _, err := s.List(ctx, q); scim.AsError(err).Status != 503 {
		t.Errorf("%v", err)
	}
	if _, err := s.Create(ctx, user("", "new", "")); scim.AsError(err).Status != 503 || people.counted("create") != 0 {
		t.Errorf("created without knowing whether the name is free: %v", err)
	}
	// A list that breaks after some of it was read is none either.
	people.fail = nil
	people.done = func(_ context.Context, op, _ string) error {
		if op == "list" {
			return errors.New("broken")
		}
		return nil
	}
	if _, err := s.List(ctx, q); err == nil {
		t.Error("half a list is taken for one")
	}
	people.done = nil
	people.counted("list")
	if got := find(ctx, t, s, `userName eq "ann"`); got != "[a]" {
		t.Errorf("%s", got)
	}
	calls(t, people, "after failures", 1, 1)

	// The create was carried out, its answer lost.
	people.done = func(_ context.Context, op, _ string) error {
		if op == "create" {
			return &facade.Failure{Reason: facade.TimedOut, Name: "Shelf", Call: "POST /", Sent: true}
		}
		return nil
	}
	if _, err := s.Create(ctx, user("", "bob", "")); scim.AsError(err).Status != 504 {
		t.Errorf("%v", err)
	}
	if got := find(ctx, t, s, `userName eq "bob"`); got != "[id1]" {
		t.Errorf("what may have been created is not looked for: %s", got)
	}
	calls(t, people, "after an unknown outcome", 1, 1)
}

// TestIndexOnce: many who ask at once make one list; one who goes away does not
// take it from the others, the last does.
func TestIndexOnce(t *testing.T) {
	t.Parallel()
	people := newShelf(userType)
	people.put(user("a", "ann", ""))
	begun, gate := make(chan context.Context, 1), make(chan struct{})
	people.fail = func(ctx context.Context, op, _ string) error {
		if op != "list" {
			return nil
		}
		begun <- ctx
		select {
		case <-gate:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s, _ := indexed(people)
	ask := func(ctx context.Context) error {
		_, err := s.List(ctx, scim.Query{Type: userType, Filter: bound(t, userType, `userName eq "nobody"`), Count: 1})
		return err
	}
	first, cancel := context.WithCancel(as(t, token))
	gone := make(chan error)
	go func() { gone <- ask(first) }()
	<-begun
	var others sync.WaitGroup
	started := make(chan struct{}, 50)
	for range 50 {
		others.Go(func() {
			started <- struct{}{}
			if err := ask(as(t, token)); err != nil {
				t.Errorf("another: %v", err)
			}
		})
	}
	for range 50 {
		<-started
	}
	facade.Waiting(s, 51)
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("the one who has gone: %v", err)
	}
	// Meanwhile somebody writes: the list that is being read may not have it.
	made := make(chan error)
	go func() { _, err := s.Create(as(t, token), user("", "bob", "")); made <- err }()
	facade.Waiting(s, 51)
	close(gate)
	others.Wait()
	if err := <-made; err != nil {
		t.Error(err)
	}
	calls(t, people, "51 who ask", 1, 0)
	people.fail = nil
	if got := find(as(t, token), t, s, `userName eq "bob"`); got != "[id1]" {
		t.Errorf("what was written while the list was read: %s", got)
	}

	// The last to go ends the list, and nothing of it is kept.
	gate = make(chan struct{})
	people.fail = func(ctx context.Context, op, _ string) error {
		if op == "list" {
			begun <- ctx
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}
	alone, leave := context.WithCancel(as(t, "third"))
	go func() { gone <- ask(alone) }()
	list := <-begun
	leave()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("alone: %v", err)
	}
	<-list.Done()
}

// TestIndexBound: there are not more indexes than 64; the one unused for longest
// goes.
func TestIndexBound(t *testing.T) {
	t.Parallel()
	people := newShelf(userType)
	s, _ := indexed(people)
	for i := range 65 {
		find(as(t, fmt.Sprint(i)), t, s, `userName eq "x"`)
		find(as(t, "0"), t, s, `userName eq "x"`)
	}
	calls(t, people, "65 tokens", 65, 0)
	find(as(t, "0"), t, s, `userName eq "x"`)
	find(as(t, "64"), t, s, `userName eq "x"`)
	calls(t, people, "those in use", 0, 0)
	find(as(t, "1"), t, s, `userName eq "x"`)
	calls(t, people, "the one that had to go", 1, 0)
}

// TestNoIndex: without an index each look-up reads the list, up to date.
func TestNoIndex(t *testing.T) {
	t.Parallel()
	people := newShelf(userType)
	s := facade.NewStore(facade.StoreOptions{}, people)
	ctx := as(t, token)
	if _, err := s.Create(ctx, user("", "ann", "")); err != nil {
		t.Fatal(err)
	}
	people.put(user("b", "bob", ""))
	for _, name := range []string{"Ann", "BOB"} {
		if _, err := s.Create(ctx, user("", name, "")); !errors.Is(err, scim.ErrUniqueness) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Create(ctx, user("", "", "")); err != nil {
		t.Errorf("without a name: %v", err)
	}
	if got := find(ctx, t, s, `userName eq "bob"`); got != "[b]" {
		t.Errorf("%s", got)
	}
	calls(t, people, "without an index", 4, 0)
}

// TestIndexMeanwhile: what is written after the list was read, but before it is
// an index, is in the index.
func TestIndexMeanwhile(t *testing.T) {
	t.Parallel()
	people := newShelf(userType)
	people.put(user("a", "ann", "old"))
	people.put(user("b", "bob", ""))
	read, gate := make(chan struct{}), make(chan struct{})
	people.done = func(_ context.Context, op, _ string) error {
		if op == "list" {
			close(read)
			<-gate
		}
		return nil
	}
	s, _ := indexed(people)
	found := make(chan string)
	go func() { found <- find(as(t, token), t, s, `externalId eq "new"`) }()
	<-read
	ann := user("a", "ann", "old")
	c := renamed(ann, "ann")
	c.After.ExternalID = "new"
	if _, err := s.Update(as(t, token), c); err != nil {
		t.Fatal(err)
	}
	close(gate)
	if got := <-found + find(as(t, token), t, s, `externalId eq "old"`); got != "[a][]" {
		t.Errorf("finds %s", got)
	}
	calls(t, people, "one list", 1, 1)
}

// TestIndexOfClone: an engine whose type compares otherwise is not answered from
// the index.
func TestIndexOfClone(t *testing.T) {
	t.Parallel()
	people := newShelf(userType)
	people.put(user("a", "Ann", ""))
	s, _ := indexed(people)
	exact := schema.Core()[0]
	exact.Schema.Attribute("userName").CaseExact = true
	for text, want := range map[string]string{`userName eq "ann"`: "[]", `userName eq "Ann"`: "[a]"} {
		if got := fmt.Sprint(ids(as(t, token), t, s, scim.Query{Type: exact, Filter: bound(t, exact, text)})); got != want {
			t.Errorf("%s finds %s, want %s", text, got, want)
		}
		calls(t, people, text, 1, 0)
	}
}
