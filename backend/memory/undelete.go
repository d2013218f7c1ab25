package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

// grave is a deleted resource that can be restored.
type grave struct {
	*entry
	time   time.Time
	groups []string // ids of the groups it was in
}

// bury keeps what is being deleted.
func (s *Store) bury(e *entry) {
	s.deleted = slices.DeleteFunc(s.deleted, func(g grave) bool { return g.ID == e.ID || !s.now().Before(s.until(g)) })
	if s.UndeleteDays <= 0 || e.Type.Membership() != nil {
		return
	}
	s.index()
	g := grave{entry: e, time: s.now()}
	for _, parent := range s.parents[e.ID] {
		g.groups = append(g.groups, parent.ID)
	}
	s.deleted = append(s.deleted, g)
}

func (s *Store) until(g grave) time.Time { return g.time.AddDate(0, 0, s.UndeleteDays) }

// Deleted returns what can be restored ([scim.Undeleter]).
func (s *Store) Deleted(ctx context.Context, q scim.DeletedQuery) ([]scim.Deleted, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	fold := func(name string) string { return scim.Fold(&scim.Attribute{Type: scim.TypeString}, name) }
	var list []scim.Deleted
	for _, g := range slices.Backward(s.deleted) {
		name := scim.UniqueName(g.Resource)
		if g.Type.Name != q.Type.Name || !s.now().Before(s.until(g)) ||
			q.Name != "" && g.ID != q.Name && fold(name) != fold(q.Name) {
			continue
		}
		if len(list) == cmp.Or(q.Limit, 100) {
			break
		}
		list = append(list, scim.Deleted{ID: g.ID, Name: name, Time: g.time, Until: s.until(g)})
	}
	return list, nil
}

// Restore gives a deleted resource back ([scim.Undeleter]).
func (s *Store) Restore(ctx context.Context, ref scim.Ref, prepare func(*scim.Resource) error) (*scim.Resource, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.deleted, func(g grave) bool { return g.ID == ref.ID && g.Type.Name == ref.Type.Name })
	if i < 0 || !s.now().Before(s.until(s.deleted[i])) {
		return nil, scim.ErrNotFound
	}
	g := s.deleted[i]
	if s.entries[g.ID] != nil {
		return nil, scim.NotUnique("id")
	}
	r := own(s.view(g.entry, ref.Type))
	if err := prepare(r); err != nil {
		return nil, err
	}
	r = stored(r)
	if err := s.check(r, nil); err != nil {
		return nil, err
	}
	s.deleted = slices.Delete(slices.Clone(s.deleted), i, i+1)
	place, _ := slices.BinarySearchFunc(s.order, g.seq, func(id string, seq int64) int { return cmp.Compare(s.entries[id].seq, seq) })
	s.order = slices.Insert(s.order, place, g.ID)
	e := s.successor(g.entry, r)
	s.put(ctx, "create", nil, e)
	for _, id := range g.groups {
		group := s.entries[id]
		if group == nil || !mayHold(group.Type, e.Type) {
			continue
		}
		with := stored(group.Resource)
		setMembers(with, append(members(with), scim.MemberRef{ID: e.ID}))
		s.put(ctx, "update", group, s.successor(group, with))
	}
	return own(s.view(e, e.Type)), nil
}

// mayHold reports whether resources of type t can be members of groups of this type.
func mayHold(group, t *scim.ResourceType) bool {
	a := group.Membership()
	return a != nil && (len(a.Links) == 0 || slices.Contains(a.Links, t.Name))
}
