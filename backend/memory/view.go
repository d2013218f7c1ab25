package memory

import (
	"cmp"
	"slices"

	"github.com/rollcall-scim/rollcall/scim"
)

// stored returns the part of r that is kept: a copy without anything derived.
func stored(r *scim.Resource) *scim.Resource {
	c := &scim.Resource{Type: r.Type, ID: r.ID, ExternalID: r.ExternalID, Meta: r.Meta,
		Schemas: slices.Clone(r.Schemas), Attrs: scim.Clone(r.Attrs)}
	setMembers(c, members(r))
	return c
}

// members returns the members that the document of a resource holds.
func members(r *scim.Resource) []scim.MemberRef {
	a := r.Type.Membership()
	if a == nil {
		return nil
	}
	list, _ := r.Attrs.Get(a.Name).([]scim.MemberRef)
	return list
}

// setMembers gives r the members, each once and by id alone.
func setMembers(r *scim.Resource, list []scim.MemberRef) {
	a := r.Type.Membership()
	switch {
	case a == nil:
	case len(list) == 0:
		r.Attrs.Set(a.Name, nil)
	default:
		r.Attrs.Set(a.Name, distinct(list))
	}
}

func distinct(list []scim.MemberRef) []scim.MemberRef {
	seen := map[string]bool{}
	var out []scim.MemberRef
	for _, m := range list {
		if !seen[m.ID] {
			seen[m.ID] = true
			out = append(out, scim.MemberRef{ID: m.ID})
		}
	}
	return out
}

// view returns e with what is derived from other resources, as a resource of
// the caller's type. It shares e's values; own makes it the caller's.
func (s *Store) view(e *entry, t *scim.ResourceType) *scim.Resource {
	r := *e.Resource
	r.Type = t
	r.Attrs = slices.Clone(r.Attrs)
	if list := members(&r); list != nil {
		seen := make([]scim.MemberRef, len(list))
		for i, m := range list {
			seen[i] = s.show(m.ID)
		}
		r.Attrs.Set(t.Membership().Name, seen)
	}
	for _, l := range links(&r) {
		if l.Ref = s.show(l.Ref.ID); l.Ref.Type != "" {
			r.Links = append(r.Links, l)
		}
	}
	if t.Groups() != nil {
		r.Groups = s.groups(e.ID)
	}
	return &r
}

// own returns r with its document copied.
func own(r *scim.Resource) *scim.Resource {
	r.Schemas = slices.Clone(r.Schemas)
	r.Attrs = scim.Clone(r.Attrs)
	return r
}

// show returns a reference with the type and the name of its target.
func (s *Store) show(id string) scim.MemberRef {
	e := s.entries[id]
	if e == nil {
		return scim.MemberRef{ID: id}
	}
	return scim.MemberRef{ID: id, Type: e.Type.Name, Display: scim.DisplayName(e.Attrs)}
}

// groups returns the groups that hold id, as [scim.Resource.Groups] says.
func (s *Store) groups(id string) []scim.MemberRef {
	s.index()
	direct := s.parents[id]
	seen := map[*entry]bool{}
	for _, g := range direct {
		seen[g] = true
	}
	var indirect []*entry
	level := direct
	for depth := 2; depth <= scim.MaxGroupDepth && len(level) > 0; depth++ {
		var above []*entry
		for _, g := range level {
			for _, p := range s.parents[g.ID] {
				if !seen[p] {
					seen[p] = true
					above = append(above, p)
				}
			}
		}
		indirect = append(indirect, above...)
		level = above
	}
	slices.SortFunc(indirect, func(a, b *entry) int { return cmp.Compare(a.seq, b.seq) })
	var out []scim.MemberRef
	for i, g := range append(slices.Clip(direct), indirect...) {
		kind := "direct"
		if i >= len(direct) {
			kind = "indirect"
		}
		if i < scim.MaxGroups {
			out = append(out, scim.MemberRef{ID: g.ID, Type: kind, Display: scim.DisplayName(g.Attrs)})
		}
	}
	return out
}

// index makes the map from each member to the groups that hold it.
func (s *Store) index() {
	if s.parents != nil {
		return
	}
	s.parents = map[string][]*entry{}
	for _, id := range s.order {
		e := s.entries[id]
		for _, m := range members(e.Resource) {
			s.parents[m.ID] = append(s.parents[m.ID], e)
		}
	}
}
