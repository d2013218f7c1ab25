package facade_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/facade"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

var (
	userType  = schema.Core()[0]
	groupType = func() *scim.ResourceType {
		t := schema.Core()[1]
		t.Schema.Attribute("displayName").Uniqueness = scim.UniquenessServer
		t.Schema.Attribute("displayName").CaseExact = true
		return t
	}()
)

// shelf is a Source that keeps resources in an order and counts what is asked.
type shelf struct {
	typ *scim.ResourceType

	mu    sync.Mutex
	items []*scim.Resource
	count map[string]int
	next  int

	fail func(ctx context.Context, op, id string) error // before op; nil: never
	done func(ctx context.Context, op, id string) error // after op; nil: never
}

func newShelf(t *scim.ResourceType) *shelf { return &shelf{typ: t, count: map[string]int{}} }

func (s *shelf) begin(ctx context.Context, op, id string) error {
	s.mu.Lock()
	s.count[op]++
	s.mu.Unlock()
	if s.fail != nil {
		if err := s.fail(ctx, op, id); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (s *shelf) end(ctx context.Context, op, id string) error {
	if s.done == nil {
		return nil
	}
	return s.done(ctx, op, id)
}

// counted returns how often op was asked since the last time.
func (s *shelf) counted(op string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.count[op]
	s.count[op] = 0
	return n
}

func copied(r *scim.Resource) *scim.Resource {
	c := *r
	c.Attrs = scim.Clone(r.Attrs)
	return &c
}

func (s *shelf) Type() *scim.ResourceType { return s.typ }

func (s *shelf) Get(ctx context.Context, id string) (*scim.Resource, error) {
	if err := s.begin(ctx, "get", id); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.items, func(r *scim.Resource) bool { return r.ID == id })
	if i < 0 {
		return nil, &facade.Failure{Reason: facade.Refused, Name: "Shelf", Call: "GET /" + id, Status: 404}
	}
	return copied(s.items[i]), nil
}

func (s *shelf) List(ctx context.Context, yield func(*scim.Resource) bool) error {
	if err := s.begin(ctx, "list", ""); err != nil {
		return err
	}
	s.mu.Lock()
	list := slices.Clone(s.items)
	s.mu.Unlock()
	for _, r := range list {
		if !yield(copied(r)) {
			break
		}
	}
	return s.end(ctx, "list", "")
}

func (s *shelf) Create(ctx context.Context, r *scim.Resource) (*scim.Resource, error) {
	if err := s.begin(ctx, "create", ""); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.next++
	c := copied(r)
	c.ID = fmt.Sprintf("id%d", s.next)
	s.items = append(s.items, c)
	s.mu.Unlock()
	return copied(c), s.end(ctx, "create", c.ID)
}

func (s *shelf) Update(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	if err := s.begin(ctx, "update", c.Before.ID); err != nil {
		return nil, err
	}
	s.put(copied(c.After))
	return copied(c.After), s.end(ctx, "update", c.Before.ID)
}

// put puts r in the place of the one with its id, as another writer would.
func (s *shelf) put(r *scim.Resource) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.items, func(o *scim.Resource) bool { return o.ID == r.ID }); i >= 0 {
		s.items[i] = r
		return
	}
	s.items = append(s.items, r)
}

func (s *shelf) Delete(ctx context.Context, id string) error {
	if err := s.begin(ctx, "delete", id); err != nil {
		return err
	}
	s.remove(id)
	return s.end(ctx, "delete", id)
}

func (s *shelf) remove(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.items = slices.DeleteFunc(s.items, func(r *scim.Resource) bool { return r.ID == id })
}

func user(id, userName, externalID string) *scim.Resource {
	r := &scim.Resource{Type: userType, ID: id, ExternalID: externalID}
	if userName != "" {
		r.Attrs.Set("userName", userName)
	}
	return r
}

// renamed returns the Change of a userName.
func renamed(before *scim.Resource, name string) scim.Change {
	after := copied(before)
	a := after.Type.Schema.Attribute("userName")
	if a == nil {
		a = after.Type.Schema.Attribute("displayName")
	}
	after.Attrs.Set(a.Name, name)
	return scim.Change{Before: before, After: after, Method: "PUT", Touched: []string{a.Name},
		Deltas: []scim.Delta{{Path: scim.AttrPath{Name: a.Name, Attr: a}, Added: []any{name}}}}
}

func bound(t *testing.T, typ *scim.ResourceType, text string) scim.Filter {
	t.Helper()
	if text == "" {
		return nil
	}
	f, err := filter.Parse(text, filter.Options{})
	if err == nil {
		f, err = filter.Bind(typ, f, filter.Options{})
	}
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return f
}

// ids asks a Store and returns the ids found.
func ids(ctx context.Context, t *testing.T, s *facade.Store, q scim.Query) []string {
	t.Helper()
	if q.Count == 0 {
		q.Count = 1000
	}
	p, err := s.List(ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	list := []string{}
	for _, r := range p.Resources {
		list = append(list, r.ID)
	}
	return list
}

func find(ctx context.Context, t *testing.T, s *facade.Store, text string) string {
	t.Helper()
	return fmt.Sprint(ids(ctx, t, s, scim.Query{Type: userType, Filter: bound(t, userType, text)}))
}
