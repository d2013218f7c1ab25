package postgres

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/internal/changelog"
	"github.com/rollcall-scim/rollcall/internal/guard"
	"github.com/rollcall-scim/rollcall/internal/stored"
	"github.com/rollcall-scim/rollcall/scim"
)

// member is a resource as a member of a group.
type member struct {
	pk  int64
	typ string
	id  string
}

// UpdateMembers implements scim.MemberUpdater. It takes two round trips.
func (s *Store) UpdateMembers(ctx context.Context, c scim.Change) (out *scim.Resource, err error) {
	err = s.write(ctx, func(t *session) error {
		out, err = t.updateMembers(ctx, c)
		return err
	})
	return present(out, err)
}

// lockSQL finds a resource and locks it against other updates. Whoever changes
// the members of a group has locked its row before, and groups are locked before
// their members: so membership changes don't wait for each other in circles.
const lockSQL = find + ` FOR NO KEY UPDATE`

// queueLock queues lockSQL.
func (t *session) queueLock(ref scim.Ref) (row **entry) {
	t.db.remember(t.store.tenant, ref.Type)
	row = new(*entry)
	t.laterEach(lockSQL, func(rows pgx.Rows) (err error) {
		*row, err = scan(rows, ref.Type)
		return err
	}, t.tenant, escape(ref.ID), ref.Type.Name)
	return row
}

func (t *session) updateMembers(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	ref, a := c.After.Ref(), c.After.Type.Membership()
	document := slices.ContainsFunc(c.Deltas, func(d scim.Delta) bool { return !stored.IsMembership(d, a) })
	t.alone(ctx, &c)
	locked := t.queueLock(ref)
	var doc *draft
	if document {
		doc = t.queueDraft(c.After)
	}
	var named []string
	for _, d := range c.Deltas {
		if stored.IsMembership(d, a) && !d.Reset {
			for _, m := range slices.Concat(stored.Refs(d.Removed), stored.Refs(d.Added)) {
				named = append(named, m.ID)
			}
		}
	}
	found := t.queueResolve(ref, named)
	if err := t.flush(ctx); err != nil {
		return nil, err
	}
	row := *locked
	switch {
	case row == nil:
		return nil, scim.ErrNotFound
	case c.IfVersion != "" && c.IfVersion != row.r.Meta.Version, document && c.Before.Meta.Version != row.r.Meta.Version:
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
		var err error
		if d.Reset {
			in, out, err = t.setMembers(ctx, row, a, stored.Refs(d.Added))
		} else {
			out = found.leave(stored.Refs(d.Removed))
			if in, err = t.enter(a, found, stored.Refs(d.Added)); err == nil {
				t.removeMembers(row, out)
				t.addMembers(row, in)
			}
		}
		if err != nil {
			return nil, err
		}
		added, removed = append(added, in...), append(removed, out...)
	}
	if err := t.judgeMembers(ctx, c, row, document, added, removed); err != nil {
		return nil, err
	}
	if document || len(added)+len(removed) > 0 {
		rec.members(a, added, removed)
		t.came(added, removed)
		row.members += int64(len(added) - len(removed))
		if err := t.save(row, doc); err != nil {
			return nil, err
		}
		rec.version = row.r.Meta.Version
		t.record(ctx, rec)
	}
	without := scim.Selection{Excluded: []scim.AttrPath{{Name: a.Name}}}
	t.complete(ctx, []*entry{row}, c.After.Type, without, known)
	t.finish()
	return row.r, t.flush(ctx)
}

// resolved are resources by id, and whether they are members of a group.
type resolved struct {
	byID map[string]member
	in   map[int64]bool
}

// resolveSQL finds resources by their ids, and whether they are members of the
// group with the id $3.
const resolveSQL = `SELECT u.n, r.pk, r.type, r.pk IN (SELECT m.member FROM members m WHERE m.tenant = $1 AND m.grp = g.pk AND m.member = r.pk)
	FROM unnest($2::text[]) WITH ORDINALITY AS u (id, n)
	CROSS JOIN (SELECT (SELECT pk FROM resources WHERE tenant = $1 AND id = $3 AND type = $4) AS pk) g
	CROSS JOIN LATERAL (SELECT d.pk, d.type FROM resources d WHERE d.tenant = $1 AND d.id = u.id AND d.type <> '' ORDER BY d.id LIMIT 1) r`

// queueResolve queues the search for resources that may be, or become, members
// of ref.
func (t *session) queueResolve(ref scim.Ref, named []string) *resolved {
	f := &resolved{map[string]member{}, map[int64]bool{}}
	if len(named) == 0 {
		return f
	}
	t.laterEach(resolveSQL, func(rows pgx.Rows) error {
		var n int
		var m member
		in := false
		if err := rows.Scan(&n, &m.pk, &m.typ, &in); err != nil {
			return err
		}
		m.id = named[n-1]
		f.byID[m.id] = m
		if in {
			f.in[m.pk] = true
		}
		return nil
	}, t.tenant, escaped(named), escape(ref.ID), ref.Type.Name)
	return f
}

func escaped(list []string) []string {
	for i, s := range list {
		if e := escape(s); e != s {
			list = slices.Clone(list)
			for ; i < len(list); i++ {
				list[i] = escape(list[i])
			}
			return list
		}
	}
	return list
}

// leave returns those who are members and are to be so no more.
func (f *resolved) leave(refs []scim.MemberRef) (out []member) {
	for _, ref := range refs {
		if m, ok := f.byID[ref.ID]; ok && f.in[m.pk] {
			delete(f.in, m.pk)
			out = append(out, m)
		}
	}
	return out
}

// enter returns those who are no members yet and are to become some, or says
// which can't.
func (t *session) enter(a *scim.Attribute, f *resolved, refs []scim.MemberRef) (in []member, err error) {
	var unknown []string
	for _, ref := range refs {
		m, ok := f.byID[ref.ID]
		switch {
		case !ok || !mayBe(a, m):
			unknown = append(unknown, ref.ID)
		case !f.in[m.pk]:
			f.in[m.pk] = true
			in = append(in, m)
		}
	}
	if len(unknown) > 0 {
		return nil, scim.InvalidReference(a.Name, unknown...)
	}
	return in, nil
}

// mayBe reports whether resources of m's type can be members.
func mayBe(a *scim.Attribute, m member) bool {
	return len(a.Links) == 0 || slices.Contains(a.Links, m.typ)
}

// addMembers queues what makes resources members of row. It touches a few rows a
// member, whatever the size of the group.
func (t *session) addMembers(row *entry, in []member) {
	if len(in) == 0 {
		return
	}
	if slices.ContainsFunc(in, t.holds) {
		t.later(`UPDATE tenants SET nests = true WHERE tenant = $1 AND NOT nests`, t.tenant)
	}
	t.later(`INSERT INTO members (tenant, grp, member) SELECT $1, $2, u.pk FROM unnest($3::bigint[]) AS u (pk) ON CONFLICT DO NOTHING`,
		t.tenant, row.pk, sorted(in))
}

// removeMembers queues what ends memberships in row.
func (t *session) removeMembers(row *entry, out []member) {
	if len(out) > 0 {
		t.later(`DELETE FROM members WHERE tenant = $1 AND grp = $2 AND member = ANY($3::bigint[])`, t.tenant, row.pk, sorted(out))
	}
}

// sorted are the members' numbers in the order in which all lock them.
func sorted(list []member) []int64 {
	pks := make([]int64, len(list))
	for i, m := range list {
		pks[i] = m.pk
	}
	slices.Sort(pks)
	return pks
}

// holds reports whether resources of m's type can have members themselves. One
// that this instance does not know is taken to.
func (t *session) holds(m member) bool {
	rt := t.resourceType(m.typ)
	return rt == nil || rt.Membership() != nil
}

// resolveMost bounds the ids that one statement resolves.
const resolveMost = 20_000

// insertMembers gives a resource that was just stored its members, and records
// it.
func (t *session) insertMembers(ctx context.Context, c *creation, a *scim.Attribute) error {
	var all []member
	var unknown []string
	seen := make(map[int64]bool, len(c.members))
	for refs := range slices.Chunk(c.members, resolveMost) {
		named := make([]string, len(refs))
		for i, m := range refs {
			named[i] = m.ID
		}
		found := t.queueResolve(c.row.r.Ref(), named)
		if err := t.flush(ctx); err != nil {
			return err
		}
		var in []member
		for _, ref := range refs {
			m, ok := found.byID[ref.ID]
			switch {
			case !ok || !mayBe(a, m):
				unknown = append(unknown, ref.ID)
			case !seen[m.pk]:
				seen[m.pk] = true
				in = append(in, m)
			}
		}
		if unknown == nil {
			t.addMembers(c.row, in)
			all = append(all, in...)
		}
	}
	if unknown != nil {
		t.queue = nil
		return scim.InvalidReference(a.Name, unknown...)
	}
	e := guard.Effect{Type: c.row.r.Type, After: c.given, Name: "POST " + c.row.r.Type.Name}
	if err := t.judge(ctx, e, all, nil); err != nil {
		return err
	}
	c.row.members = int64(len(all))
	t.later(`UPDATE resources SET members = $3 WHERE tenant = $1 AND pk = $2`, t.tenant, c.row.pk, c.row.members)
	rec := record{op: "create", row: c.row, version: c.row.r.Meta.Version, deltas: slices.Clone(c.deltas)}
	rec.members(a, all, nil)
	t.came(all, nil)
	t.record(scim.WithOrigin(ctx, c.origin), rec)
	return nil
}

// differSQL compares the ids in $3 with the members of $2: it returns those who
// are to come, who are to go, and the ids of nobody. It reads either list once,
// whatever the planner takes their lengths to be: that is what FULL JOIN is for.
// Who is being deleted goes by that.
const differSQL = `WITH want AS MATERIALIZED (
		SELECT u.id, r.pk, r.type FROM unnest($3::text[]) AS u (id)
		LEFT JOIN LATERAL (SELECT d.pk, d.type FROM resources d WHERE d.tenant = $1 AND d.id = u.id AND d.type <> '' ORDER BY d.id LIMIT 1) r ON true
	), differ AS MATERIALIZED (
		SELECT w.pk, w.type, w.id, m.member FROM (SELECT DISTINCT pk, type, id FROM want WHERE pk IS NOT NULL) w
		FULL JOIN (SELECT m.member FROM members m WHERE m.tenant = $1 AND m.grp = $2) m ON m.member = w.pk
		WHERE w.pk IS NULL OR m.member IS NULL
	)
	SELECT pk, type, id, true FROM differ WHERE pk IS NOT NULL
	UNION ALL
	SELECT x.member, d.type, d.id, false FROM differ x CROSS JOIN LATERAL (
		SELECT r.type, r.id FROM resources r WHERE r.tenant = $1 AND r.pk = x.member AND r.type <> '' ORDER BY r.pk LIMIT 1) d
	WHERE x.pk IS NULL
	UNION ALL
	SELECT 0, '', id, true FROM want WHERE pk IS NULL`

// setMembers makes the members those named, and returns the difference, which
// the database works out: only that is read and written.
func (t *session) setMembers(ctx context.Context, row *entry, a *scim.Attribute, refs []scim.MemberRef) (added, removed []member, err error) {
	named := make([]string, len(refs))
	for i, m := range refs {
		named[i] = m.ID
	}
	var unknown []string
	err = t.each(ctx, differSQL, func(rows pgx.Rows) error {
		var m member
		coming := false
		if err := rows.Scan(&m.pk, &m.typ, &m.id, &coming); err != nil {
			return err
		}
		m.id = unescape(m.id)
		switch {
		case !coming:
			removed = append(removed, m)
		case m.pk == 0 || !mayBe(a, m):
			unknown = append(unknown, m.id)
		default:
			added = append(added, m)
		}
		return nil
	}, t.tenant, row.pk, escaped(named))
	switch {
	case err != nil:
		return nil, nil, err
	case unknown != nil:
		return nil, nil, scim.InvalidReference(a.Name, unknown...)
	}
	byPK := func(a, b member) int { return int(a.pk - b.pk) }
	slices.SortFunc(added, byPK)
	slices.SortFunc(removed, byPK)
	t.removeMembers(row, removed)
	t.addMembers(row, added)
	return added, removed, nil
}
