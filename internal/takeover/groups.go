package takeover

import (
	"fmt"
	"slices"

	"zombiezen.com/go/sqlite"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// groups takes over the groups with their members. A group that is a member
// comes before the group it is in, since a store accepts only members it has.
func (r *run) groups() error {
	var order []string // of creation
	byID := map[string]*scim.Resource{}
	nested := map[string][]string{} // in the documents, if the table can't hold groups
	err := r.query(`SELECT id, external_id, data, version, created_at, updated_at FROM scim_groups ORDER BY created_at, rowid`,
		func(s *sqlite.Stmt) error {
			g := r.resource(r.group, "scim_groups", s)
			if g == nil {
				return nil
			}
			order, byID[g.ID] = append(order, g.ID), g
			if !r.typed {
				nested[g.ID] = membersIn(s.ColumnText(2))
			}
			return nil
		})
	if err != nil {
		return err
	}
	members, err := r.memberships(byID)
	if err != nil {
		return err
	}
	for id, list := range nested {
		for _, m := range list {
			if byID[m] != nil && !slices.Contains(members[id], m) {
				members[id] = append(members[id], m)
				r.Memberships++
			}
		}
	}
	if err := r.fault(); err != nil {
		return err
	}

	const (
		unseen = iota
		open   // its members are being placed: to meet it again is a circle
		placed
	)
	state := map[string]int{}
	a := r.group.Membership()
	var place func(id string) error
	place = func(id string) error {
		if state[id] != unseen {
			return nil
		}
		state[id] = open
		var refs []scim.MemberRef
		for _, m := range members[id] {
			if byID[m] != nil {
				if err := place(m); err != nil {
					return err
				}
				if state[m] == open {
					r.late[id] = append(r.late[id], scim.MemberRef{ID: m})
					continue
				}
			}
			refs = append(refs, scim.MemberRef{ID: m})
		}
		g := byID[id]
		if len(refs) > 0 {
			g.Attrs.Set(a.Name, refs)
		}
		schema.Encode(g)
		state[id] = placed
		return r.store("scim_groups", []*scim.Resource{g})
	}
	for _, id := range order {
		if err := place(id); err != nil {
			return err
		}
	}
	r.Groups = len(order)
	return r.fault()
}

// memberships returns the ids of the members of each group, and counts what
// points nowhere.
func (r *run) memberships(groups map[string]*scim.Resource) (map[string][]string, error) {
	members := map[string][]string{}
	err := r.query(`SELECT group_id, user_id FROM scim_group_members ORDER BY rowid`, func(s *sqlite.Stmt) error {
		group, member := s.ColumnText(0), s.ColumnText(1)
		switch {
		case groups[group] == nil, !r.known[member] && groups[member] == nil:
			r.Dangling++
		default:
			members[group] = append(members[group], member)
			r.Memberships++
		}
		return nil
	})
	return members, err
}

// circles adds the memberships that could not be there when their group was
// stored: its member is, through others, a group that holds it.
func (r *run) circles() error {
	a := r.group.Membership()
	for id, refs := range r.late {
		g := &scim.Resource{Type: r.group, ID: id}
		added := make([]any, len(refs))
		for i, m := range refs {
			added[i] = m
		}
		c := scim.Change{Before: g, After: g, Deltas: []scim.Delta{{Path: scim.AttrPath{Name: a.Name, Attr: a}, Added: added}}}
		if _, err := r.target.UpdateMembers(r.ctx, c); err != nil {
			return fmt.Errorf("scim_groups, row with id %q: %w", id, err)
		}
	}
	return nil
}

// membersIn returns the ids of the members that a group's document lists.
func membersIn(data string) []string {
	doc, err := scim.ParseObject([]byte(data), 0, 0)
	if err != nil {
		return nil // reported when the group was decoded
	}
	v, _ := doc.Lookup("members")
	list, _ := v.([]any)
	var ids []string
	for _, m := range list {
		if o, ok := m.(scim.Object); ok {
			id, _ := o.Lookup("value")
			if id, ok := id.(string); ok {
				ids = append(ids, id)
			}
		}
	}
	return ids
}
