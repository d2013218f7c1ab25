package patch

import "github.com/rollcall-scim/rollcall/scim"

// Split separates the operations on the Membership attribute, as one Delta in
// normal form, from the others. What it returns is what Apply would do, each
// operation seeing the result of the one before (RFC 7644 §3.5.2), whatever
// the members are now. The Delta is nil if the operations change no members.
//
// It reports false, and returns ops as they are, if they can't be carried out
// without reading the members: for a filter on more than ids, for an add or
// replace with a filter, and where the attribute is required or immutable.
func Split(t *scim.ResourceType, ops []Op, o Options) (rest []Op, members *scim.Delta, ok bool) {
	m := moves{added: newMemberSet(nil), removed: newMemberSet(nil)}
	var path scim.AttrPath
	for _, op := range ops {
		a := op.Path.Attr
		if a == nil || !a.Membership {
			rest = append(rest, op)
			continue
		}
		if a.Required || a.Mutability == scim.Immutable || !m.take(op) {
			return ops, nil, false
		}
		path = op.Path.AttrPath
	}
	d := &scim.Delta{Path: path, Added: values(m.added), Removed: values(m.removed), Reset: m.reset}
	if !d.Reset && len(d.Added) == 0 && len(d.Removed) == 0 {
		d = nil
	}
	return rest, d, true
}

// moves is what a sequence of operations does to any set of members.
type moves struct {
	reset          bool // first all go
	added, removed *memberSet
}

// take adds one operation, or reports false if it depends on the members.
func (m *moves) take(op Op) bool {
	given, _ := op.Value.([]scim.MemberRef)
	switch {
	case op.Op == Add && op.Value == nil:
	case op.Path.Filter != nil:
		found, ok := named(op.Path.Filter)
		if !ok || op.Op != Remove {
			return false
		}
		m.remove(found)
	case op.Op == Add:
		m.removed.remove(ids(given))
		m.added.add(given)
	case op.Op == Remove && op.Value != nil:
		m.remove(ids(given))
	default:
		m.reset, m.added, m.removed = true, newMemberSet(nil), newMemberSet(nil)
		m.added.add(given)
	}
	return true
}

func (m *moves) remove(ids []string) {
	m.added.remove(ids)
	if m.reset {
		return
	}
	for _, id := range ids {
		m.removed.add([]scim.MemberRef{{ID: id}})
	}
}

// values returns the members as the values of a Delta.
func values(m *memberSet) []any {
	var out []any
	for _, ref := range m.refs() {
		out = append(out, ref)
	}
	return out
}
