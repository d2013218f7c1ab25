package sqlite

import (
	"context"
	"slices"

	"zombiezen.com/go/sqlite"

	"github.com/rollcall-scim/rollcall/internal/changelog"
	"github.com/rollcall-scim/rollcall/internal/stored"
	"github.com/rollcall-scim/rollcall/scim"
)

// member is a resource as a member of a group.
type member struct {
	pk, typ int64
	id      string
	nest    int64 // 1 if it can have members itself
}

// UpdateMembers implements scim.MemberUpdater.
func (s *Store) UpdateMembers(ctx context.Context, c scim.Change) (out *scim.Resource, err error) {
	err = s.write(ctx, func(t *session) error {
		out, err = t.updateMembers(ctx, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (t *session) updateMembers(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	row, err := t.find(c.After.Ref())
	if err != nil {
		return nil, err
	}
	a := c.After.Type.Membership()
	document := slices.ContainsFunc(c.Deltas, func(d scim.Delta) bool { return !stored.IsMembership(d, a) })
	switch v := row.r.Meta.Version; {
	case c.IfVersion != "" && c.IfVersion != v, document && c.Before.Meta.Version != v:
		return nil, scim.ErrVersionMismatch
	}
	rec := record{op: "update", row: row}
	var added, removed []member
	for _, d := range c.Deltas {
		if !stored.IsMembership(d, a) {
			rec.deltas = append(rec.deltas, changelog.Of(c.After.Type, d))
			continue
		}
		var in, out []member
		if d.Reset {
			in, out, err = t.setMembers(row, a, stored.Refs(d.Added))
		} else if out, err = t.removeMembers(row, stored.Refs(d.Removed)); err == nil {
			in, err = t.addMembers(row, a, stored.Refs(d.Added))
		}
		if err != nil {
			return nil, err
		}
		added, removed = append(added, in...), append(removed, out...)
	}
	if document {
		err = t.judge(ctx, effectOf(c, row), added, removed)
		if err == nil {
			err = t.storeDocument(row, c.After)
		}
	} else {
		err = t.judgeMembers(ctx, c, row, added, removed)
	}
	if err != nil {
		return nil, err
	}
	if document || len(added)+len(removed) > 0 {
		rec.members(a, added, removed)
		t.came(added, removed)
		row.members += int64(len(added) - len(removed))
		if err := t.touch(row); err != nil {
			return nil, err
		}
		rec.version = row.r.Meta.Version
		if err := t.record(ctx, rec); err != nil {
			return nil, err
		}
	}
	without := scim.Selection{Excluded: []scim.AttrPath{{Name: a.Name}}}
	return row.r, t.complete(ctx, []*entry{row}, c.After.Type, without, known)
}

// addMembers adds those members that are not there yet, and returns them.
func (t *session) addMembers(row *entry, a *scim.Attribute, refs []scim.MemberRef) ([]member, error) {
	members, err := t.resolveAll(a, refs)
	if err != nil {
		return nil, err
	}
	return t.insertMembers(row, members)
}

// resolveAll finds the resources that are to be members, or says which can't.
func (t *session) resolveAll(a *scim.Attribute, refs []scim.MemberRef) ([]member, error) {
	members := make([]member, 0, len(refs))
	var unknown []string
	for _, ref := range refs {
		m, ok, err := t.resolve(ref.ID)
		switch {
		case err != nil:
			return nil, err
		case ok && t.mayBe(a, m):
			members = append(members, m)
		default:
			unknown = append(unknown, ref.ID)
		}
	}
	if len(unknown) > 0 {
		return nil, scim.InvalidReference(a.Name, unknown...)
	}
	return members, nil
}

// insertMembers adds those members that are not there yet, and returns them. It
// touches two rows a member, whatever the size of the group.
func (t *session) insertMembers(row *entry, members []member) (added []member, err error) {
	nested := int64(0)
	for _, m := range members {
		if err := t.exec(`INSERT OR IGNORE INTO members (tenant, grp, member) VALUES (?, ?, ?)`, t.tenant, row.pk, m.pk); err != nil {
			return nil, err
		}
		if t.Changes() > 0 {
			added = append(added, m)
			nested += m.nest
		}
	}
	return added, t.nest(nested)
}

// mayBe reports whether resources of m's type can be members.
func (t *session) mayBe(a *scim.Attribute, m member) bool {
	return len(a.Links) == 0 || slices.Contains(a.Links, t.names.typeOf[m.typ])
}

// removeMembers removes those members that are there, and returns them.
func (t *session) removeMembers(row *entry, refs []scim.MemberRef) (removed []member, err error) {
	nested := int64(0)
	for _, ref := range refs {
		m, ok, err := t.resolve(ref.ID)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if err := t.exec(`DELETE FROM members WHERE grp = ? AND member = ? AND tenant = ?`, row.pk, m.pk, t.tenant); err != nil {
			return nil, err
		}
		if t.Changes() > 0 {
			removed = append(removed, m)
			nested += m.nest
		}
	}
	return removed, t.nest(-nested)
}

// setMembers makes the members those named, and returns the difference. It
// reads what is there once and writes only what differs. Who is being deleted goes
// by that.
func (t *session) setMembers(row *entry, a *scim.Attribute, refs []scim.MemberRef) (added, removed []member, err error) {
	keep := make(map[int64]bool, len(refs))
	for _, ref := range refs {
		m, ok, err := t.resolve(ref.ID)
		if err != nil {
			return nil, nil, err
		}
		if ok {
			keep[m.pk] = true
		}
	}
	err = t.each(`SELECT m.member, d.id, d.type FROM members m CROSS JOIN resources d ON d.pk = m.member WHERE m.grp = ? AND d.type > 0`,
		func(st *sqlite.Stmt) error {
			if pk := st.ColumnInt64(0); !keep[pk] {
				removed = append(removed, t.memberOf(pk, st.ColumnText(1), st.ColumnInt64(2)))
			}
			return nil
		}, row.pk)
	if err != nil {
		return nil, nil, err
	}
	nested := int64(0)
	for _, m := range removed {
		if err := t.exec(`DELETE FROM members WHERE grp = ? AND member = ? AND tenant = ?`, row.pk, m.pk, t.tenant); err != nil {
			return nil, nil, err
		}
		nested += m.nest
	}
	if err := t.nest(-nested); err != nil {
		return nil, nil, err
	}
	added, err = t.addMembers(row, a, refs)
	return added, removed, err
}

// resolve finds the resource that an id names.
func (t *session) resolve(id string) (m member, ok bool, err error) {
	err = t.each(`SELECT pk, type FROM resources WHERE tenant = ? AND id = ? AND type > 0`, func(st *sqlite.Stmt) error {
		m, ok = t.memberOf(st.ColumnInt64(0), id, st.ColumnInt64(1)), true
		return nil
	}, t.tenant, id)
	return m, ok, err
}

func (t *session) memberOf(pk int64, id string, typ int64) member {
	m := member{pk: pk, typ: typ, id: id}
	if t.names.holds[typ] {
		m.nest = 1
	}
	return m
}
