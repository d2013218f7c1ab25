package patch

import (
	"slices"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

// memberSet is the members of a group in order, to be changed many times.
type memberSet struct {
	list []scim.MemberRef // one with no ID was removed
	at   map[string]int   // position by ID
}

func newMemberSet(list []scim.MemberRef) *memberSet {
	m := &memberSet{list: make([]scim.MemberRef, 0, len(list)), at: make(map[string]int, len(list))}
	m.add(list)
	return m
}

// add adds those that are not there.
func (m *memberSet) add(list []scim.MemberRef) {
	for _, ref := range list {
		if _, ok := m.at[ref.ID]; !ok && ref.ID != "" {
			m.at[ref.ID] = len(m.list)
			m.list = append(m.list, ref)
		}
	}
}

// remove removes those that are there.
func (m *memberSet) remove(ids []string) {
	for _, id := range ids {
		if i, ok := m.at[id]; ok {
			delete(m.at, id)
			m.list[i] = scim.MemberRef{}
		}
	}
}

// refs returns the members.
func (m *memberSet) refs() []scim.MemberRef {
	return slices.DeleteFunc(slices.Clone(m.list), func(ref scim.MemberRef) bool { return ref.ID == "" })
}

// selected returns the ids of the members that a filter selects.
func (m *memberSet) selected(f scim.Filter) []string {
	if ids, ok := named(f); ok {
		return slices.DeleteFunc(ids, func(id string) bool { _, ok := m.at[id]; return !ok })
	}
	var ids []string
	for _, ref := range m.list {
		if ref.ID != "" && filter.MatchValue(f, ref) {
			ids = append(ids, ref.ID)
		}
	}
	return ids
}

// named returns the ids that a filter on members names, or false if it is
// about more than ids. Ids are case-exact (RFC 7643 §3.1).
func named(f scim.Filter) ([]string, bool) {
	switch f := f.(type) {
	case *scim.AttrExp:
		id, ok := f.Value.(string)
		return []string{id}, ok && f.Op == scim.Eq && f.Path.Sub == "value"
	case *scim.LogExp:
		left, ok := named(f.Left)
		right, ok2 := named(f.Right)
		if !ok || !ok2 {
			return nil, false
		}
		if f.Op == scim.Or {
			return append(left, right...), true
		}
		return slices.DeleteFunc(left, func(id string) bool { return !slices.Contains(right, id) }), true
	}
	return nil, false
}

// ids returns the ids of members.
func ids(list []scim.MemberRef) []string {
	out := make([]string, len(list))
	for i, ref := range list {
		out[i] = ref.ID
	}
	return out
}

// member carries out an operation on the members of a group. A member has
// nothing to edit: it is in the group or not (RFC 7643 §4.2).
func (s *state) member(op Op) error {
	if op.Op == Add && op.Value == nil {
		return nil
	}
	before, _ := s.get(op.Path.AttrPath).([]scim.MemberRef)
	if s.members == nil {
		s.members = newMemberSet(before)
	}
	if op.Path.Attr.Mutability == scim.Immutable && len(before) > 0 {
		return immutable(op.Path.Name)
	}
	if op.Path.Filter != nil {
		return s.matching(op)
	}
	given, _ := op.Value.([]scim.MemberRef)
	switch {
	case op.Op == Add:
		s.members.add(given)
	case op.Op == Remove && op.Value != nil:
		s.members.remove(ids(given))
	case op.Op == Remove:
		s.members = newMemberSet(nil)
	default:
		s.members = newMemberSet(given)
	}
	return nil
}

// matching carries out an operation on the members that a filter selects.
func (s *state) matching(op Op) error {
	if _, ok := named(op.Path.Filter); !ok {
		if err := s.look(len(s.members.list)); err != nil {
			return err
		}
	}
	found := s.members.selected(op.Path.Filter)
	ref, assigns := op.Value.(scim.MemberRef)
	switch {
	case op.Op == Remove:
		s.members.remove(found)
	case len(found) == 0 && !assigns && s.o.CreateOnNoMatch:
	case len(found) == 0:
		_, described := described(op.Path, false)
		if !s.o.CreateOnNoMatch || !described {
			return scim.Errorf(scim.TypeNoTarget, "no member matches the filter (RFC 7644 §3.5.2.3)")
		}
		s.o.report("PATCH-06")
		s.members.add([]scim.MemberRef{ref})
	case op.Op == Replace:
		s.members.remove(found)
		s.members.add([]scim.MemberRef{ref})
	case len(found) > 1 || found[0] != ref.ID:
		return scim.Errorf(scim.TypeMutability, "a member can only be added or removed as a whole (RFC 7643 §4.2)")
	}
	return nil
}

// finish puts the members back.
func (s *state) finish() {
	if s.members != nil {
		a := s.t.Membership()
		s.attrs = with(s.attrs, a.Name, nil, s.order)
		if refs := s.members.refs(); len(refs) > 0 {
			s.attrs = with(s.attrs, a.Name, refs, s.order)
		}
	}
}
