// Package memory is the reference backend: one tenant's resources in a map.
//
// It is the plainest reading of [scim.Backend], to compare other backends with
// and to start an application on. It favours being obviously right over speed:
// a write looks at every resource of the type. Nothing outlives the process;
// package sqlite keeps what is written, and examples/ownbackend shows how little
// it takes to keep it elsewhere.
package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

// Store holds the resources of one tenant. The zero value is empty and ready.
// Its methods are safe for concurrent use; its fields must be set before.
type Store struct {
	Now   func() time.Time // the clock; nil: time.Now
	NewID func() string    // makes ids, never the same twice; nil: random UUIDs

	UndeleteDays int // how long what is deleted can be restored; 0: not at all

	mu sync.Mutex
	state
}

// state is all that a Store remembers. Entries are never modified but replaced,
// so that copies of the containers are a copy of the state.
type state struct {
	entries map[string]*entry
	order   []string // ids, in order of creation
	deleted []grave  // the last deleted last
	log     []event
	seq     int64 // of the last entry created

	parents map[string][]*entry // the groups that hold an id, in order of creation; nil: to be made
	owners  map[string]owners   // by resource type; what is missing is to be made
}

func (s state) clone() state {
	return state{entries: maps.Clone(s.entries), order: slices.Clone(s.order), deleted: slices.Clone(s.deleted), log: slices.Clone(s.log), seq: s.seq}
}

type entry struct {
	*scim.Resource // as made by stored
	seq            int64
}

var _ interface {
	scim.Backend
	scim.MemberUpdater
	scim.Batcher
	scim.Importer
	scim.ChangeFeed
	scim.Undeleter
} = (*Store)(nil)

// Create stores r under a new id ([scim.Backend]).
func (s *Store) Create(ctx context.Context, r *scim.Resource) (*scim.Resource, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	next := stored(r)
	now := s.now()
	next.ID, next.Meta = s.newID(), scim.Meta{Created: now, LastModified: now, Version: "1"}
	return s.add(ctx, next)
}

// Import stores r as it is ([scim.Importer]).
func (s *Store) Import(ctx context.Context, r *scim.Resource) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	_, err := s.add(ctx, stored(r))
	return err
}

func (s *Store) add(ctx context.Context, r *scim.Resource) (*scim.Resource, error) {
	if s.entries[r.ID] != nil {
		return nil, scim.NotUnique("id")
	}
	if err := s.check(r, nil); err != nil {
		return nil, err
	}
	s.seq++
	s.order = append(s.order, r.ID)
	e := &entry{r, s.seq}
	s.put(ctx, "create", nil, e)
	return own(s.view(e, e.Type)), nil
}

// Get returns a resource ([scim.Backend]).
func (s *Store) Get(ctx context.Context, ref scim.Ref, _ scim.Selection) (*scim.Resource, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	e, err := s.find(ref)
	if err != nil {
		return nil, err
	}
	return own(s.view(e, ref.Type)), nil
}

// List returns a page of resources ([scim.Backend]).
func (s *Store) List(ctx context.Context, q scim.Query) (*scim.Page, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	page := filter.Page(func(yield func(int64, *scim.Resource) bool) {
		for _, id := range s.order {
			if e := s.entries[id]; e.Type.Name == q.Type.Name && !yield(e.seq, s.view(e, q.Type)) {
				return
			}
		}
	}, q)
	for _, r := range page.Resources {
		own(r)
	}
	return page, nil
}

// Update replaces a resource if it is still as c.Before ([scim.Backend]).
func (s *Store) Update(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	e, err := s.find(c.Before.Ref())
	if err != nil {
		return nil, err
	}
	if e.Meta.Version != c.Before.Meta.Version {
		return nil, scim.ErrVersionMismatch
	}
	if e, err = s.replace(ctx, e, stored(c.After)); err != nil {
		return nil, err
	}
	return own(s.view(e, e.Type)), nil
}

// UpdateMembers carries out the changes of members that c's Deltas name
// ([scim.MemberUpdater]).
func (s *Store) UpdateMembers(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	e, err := s.find(c.Before.Ref())
	if err != nil {
		return nil, err
	}
	document := slices.ContainsFunc(c.Deltas, func(d scim.Delta) bool { return !d.Path.Attr.Membership })
	switch {
	case c.IfVersion != "" && c.IfVersion != e.Meta.Version, document && c.Before.Meta.Version != e.Meta.Version:
		return nil, scim.ErrVersionMismatch
	}
	after := stored(e.Resource)
	if document {
		after = stored(c.After)
	}
	name := e.Type.Membership().Name
	before, _ := e.Attrs.Get(name).([]scim.MemberRef)
	members := slices.Clone(before)
	for _, d := range c.Deltas {
		if d.Path.Attr.Membership {
			members = apply(members, d)
		}
	}
	setMembers(after, members)
	if document || !scim.Equal(before, members) {
		if e, err = s.replace(ctx, e, after); err != nil {
			return nil, err
		}
		scim.TraceOf(ctx).Note(func(n *scim.TraceNotes) { n.Members.Join(beside(members, before), beside(before, members)) })
	}
	r := own(s.view(e, e.Type))
	r.Attrs.Set(name, nil)
	return r, nil
}

// apply returns members as the Delta leaves them.
func apply(members []scim.MemberRef, d scim.Delta) []scim.MemberRef {
	if d.Reset {
		members = nil
	}
	gone := map[string]bool{}
	for _, v := range d.Removed {
		gone[v.(scim.MemberRef).ID] = true
	}
	members = slices.DeleteFunc(members, func(m scim.MemberRef) bool { return gone[m.ID] })
	for _, v := range d.Added {
		members = append(members, v.(scim.MemberRef))
	}
	return distinct(members)
}

// beside returns the ids of the members that are not in other.
func beside(members, other []scim.MemberRef) (ids []string) {
	in := make(map[string]bool, len(other))
	for _, m := range other {
		in[m.ID] = true
	}
	for _, m := range members {
		if !in[m.ID] {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// Delete removes a resource and what refers to it ([scim.Backend]).
func (s *Store) Delete(ctx context.Context, ref scim.Ref, version string) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	e, err := s.find(ref)
	if err != nil {
		return err
	}
	if version != "" && version != e.Meta.Version {
		return scim.ErrVersionMismatch
	}
	s.bury(e)
	s.order = slices.DeleteFunc(s.order, func(id string) bool { return id == e.ID })
	s.put(ctx, "delete", e, nil)
	trace := scim.TraceOf(ctx)
	trace.Note(func(n *scim.TraceNotes) {
		n.Before = e.Resource
		if m := e.Type.Membership(); m != nil {
			members, _ := e.Attrs.Get(m.Name).([]scim.MemberRef)
			n.Members.Join(nil, beside(members, nil))
		}
	})
	for _, id := range s.order {
		if other := s.entries[id]; refersTo(other.Resource, e.ID) {
			s.put(ctx, "update", other, s.successor(other, without(other.Resource, e.ID)))
			trace.Note(func(n *scim.TraceNotes) { n.Touch(other.ID) })
		}
	}
	return nil
}

// Batch runs f on a copy of the store and keeps the copy if f returns nil
// ([scim.Batcher]).
func (s *Store) Batch(ctx context.Context, f func(scim.Backend) error) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	scratch := &Store{Now: s.Now, NewID: s.NewID, UndeleteDays: s.UndeleteDays, state: s.state.clone()}
	if err := f(scratch); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.state = scratch.state
	return nil
}

// lock takes the store's lock, and fails if ctx ended meanwhile.
func (s *Store) lock(ctx context.Context) error {
	s.mu.Lock()
	if err := ctx.Err(); err != nil {
		s.mu.Unlock()
		return err
	}
	if s.entries == nil {
		s.entries = map[string]*entry{}
	}
	return nil
}

func (s *Store) find(ref scim.Ref) (*entry, error) {
	if e := s.entries[ref.ID]; e != nil && e.Type.Name == ref.Type.Name {
		return e, nil
	}
	return nil, scim.ErrNotFound
}

// replace stores after in the place of e.
func (s *Store) replace(ctx context.Context, e *entry, after *scim.Resource) (*entry, error) {
	after.ID = e.ID
	if err := s.check(after, e.Resource); err != nil {
		return nil, err
	}
	next := s.successor(e, after)
	s.put(ctx, "update", e, next)
	return next, nil
}

// successor returns r as the next state of e: same id and place, new version.
func (s *Store) successor(e *entry, r *scim.Resource) *entry {
	r.ID, r.Meta = e.ID, e.Meta
	r.Meta.LastModified = s.now()
	if least := e.Meta.LastModified.Add(time.Millisecond); r.Meta.LastModified.Before(least) {
		r.Meta.LastModified = least
	}
	n, err := strconv.ParseInt(e.Meta.Version, 10, 64) // an imported version may be any text
	if err != nil {
		n = 0
	}
	r.Meta.Version = strconv.FormatInt(n+1, 10)
	return &entry{r, e.seq}
}

// put makes after the state of a resource that was before, and logs it; nil is
// a resource that is not there.
func (s *Store) put(ctx context.Context, op string, before, after *entry) {
	t := cmp.Or(after, before).Type
	var old, next *scim.Resource
	owners, owned := s.owners[t.Name]
	if before != nil {
		old = before.Resource
		delete(s.entries, old.ID)
		if owned {
			owners.remove(old)
		}
	}
	if after != nil {
		next = after.Resource
		s.entries[next.ID] = after
		if owned {
			owners.add(next)
		}
	}
	if t.Membership() != nil {
		s.parents = nil
	}
	s.record(ctx, op, old, next)
}

func (s *Store) now() time.Time {
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	return now().UTC().Truncate(time.Millisecond)
}

func (s *Store) newID() string {
	if s.NewID != nil {
		return s.NewID()
	}
	return newUUID()
}
