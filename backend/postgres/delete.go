package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/internal/changelog"
	"github.com/rollcall-scim/rollcall/internal/guard"
	"github.com/rollcall-scim/rollcall/scim"
)

// Delete implements scim.Backend.
//
// A resource to which more than Options.SliceRows rows lead is first made a
// tombstone, which every read passes over; then the rows are removed a slice at
// a time, so that other writers get their turn. Delete returns when that is
// done, or when ctx ends: what is left is then finished behind the caller's
// back, by this instance or another one.
func (s *Store) Delete(ctx context.Context, ref scim.Ref, version string) error {
	pk := int64(0)
	err := s.write(ctx, func(t *session) (err error) {
		pk, err = t.delete(ctx, ref, version)
		return err
	})
	if err != nil {
		return err
	}
	for more := pk != 0; more; {
		if more, err = s.finishSlice(ctx, pk); err != nil { // it is deleted all the same
			s.db.spawn(s.db.finishDeletes)
			return nil
		}
	}
	return nil
}

// lockGroupsSQL locks the groups that a resource is in, since groups are locked
// before their members.
const lockGroupsSQL = `SELECT g.pk FROM resources g WHERE g.tenant = $1 AND g.pk = ANY(ARRAY(
		SELECT m.grp FROM members m WHERE m.tenant = $1 AND m.member = ` + named + ` ORDER BY m.member, m.grp LIMIT $4))
	ORDER BY g.pk FOR NO KEY UPDATE`

// leadSQL counts the rows that lead to a resource, up to $4.
const leadSQL = `SELECT count(*) FROM (
		(SELECT 1 FROM members m WHERE m.tenant = $1 AND m.member = ` + named + ` LIMIT $4)
		UNION ALL
		(SELECT 1 FROM refs f WHERE f.tenant = $1 AND left(f.target, 512) = left($2, 512) AND f.target = $2 LIMIT $4)) x`

// delete returns the number of the tombstone, if rows that lead to the resource
// are left.
func (t *session) delete(ctx context.Context, ref scim.Ref, version string) (tombstone int64, err error) {
	t.db.remember(t.store.tenant, ref.Type)
	slice := t.db.o.SliceRows
	t.alone(ctx, nil)
	args := []any{t.tenant, escape(ref.ID), ref.Type.Name, slice + 1}
	t.later(lockGroupsSQL, args...)
	var row *entry
	t.laterEach(find+` FOR UPDATE`, func(rows pgx.Rows) (err error) {
		row, err = scan(rows, ref.Type)
		return err
	}, args[:3]...)
	lead, _, err := t.one(ctx, leadSQL, args...)
	switch {
	case err != nil:
		return 0, err
	case row == nil:
		return 0, scim.ErrNotFound
	case version != "" && version != row.r.Meta.Version:
		return 0, scim.ErrVersionMismatch
	}
	many := lead+row.members > int64(slice)
	doc := *row.r
	if load := t.db.o.Load; load != nil {
		if err := load(&doc); err != nil {
			// Its text can't be read any more: all the more reason to let it go.
			t.db.o.Logger.Warn("postgres: deleting a document that can't be read", "id", ref.ID, "err", err)
		}
	}
	t.trace.Note(func(n *scim.TraceNotes) { n.Before = &doc })
	if err := t.judge(ctx, guard.Effect{Type: ref.Type, PK: row.pk, Before: &doc, Name: "DELETE " + ref.String()}, nil, nil); err != nil {
		return 0, err
	}
	rec := record{op: "delete", row: row, deltas: changelog.Values(&doc, false)}
	if a := ref.Type.Membership(); a != nil && row.members > 0 {
		removed, err := t.memberList(ctx, row)
		if err != nil {
			return 0, err
		}
		rec.members(a, nil, removed)
		t.came(nil, removed)
		rec.people = nil // each slice notes its own
	}
	t.record(ctx, rec)
	d := doomed{pk: row.pk, typ: row.typ, id: ref.ID}
	if d.change, _, err = t.one(ctx, `SELECT currval('changes_seq')`); err != nil {
		return 0, err
	}
	t.keep(row, &doc)
	t.later(dropAttrs, t.tenant, row.pk)
	t.later(`DELETE FROM uniq WHERE tenant = $1 AND res = $2`, t.tenant, row.pk)
	t.storeLinks(row, nil)
	t.count(row.typ, -1)
	if many {
		o := scim.OriginOf(ctx)
		t.later(`INSERT INTO doomed (tenant, res, type, id, change, actor, request, address) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			t.tenant, d.pk, d.typ, escape(d.id), d.change, escape(o.Actor), escape(o.RequestID), escape(o.Address))
		// The id gives way, lest a reference still find it; a blank is in no id of ours.
		t.later(`UPDATE resources SET type = '', id = 'deleted ' || pk, external = NULL, external_sort = NULL, external_sent = NULL,
			display = '', display_fold = '', schemas = '', text = '', hidden = NULL WHERE tenant = $1 AND pk = $2`, t.tenant, row.pk)
		return d.pk, nil
	}
	for {
		n, err := t.release(ctx, d, slice)
		if err != nil {
			return 0, err
		}
		if n < slice {
			t.later(`DELETE FROM resources WHERE tenant = $1 AND pk = $2`, t.tenant, row.pk)
			return 0, nil
		}
	}
}

// memberList returns the members that a record names.
func (t *session) memberList(ctx context.Context, row *entry) (list []member, err error) {
	err = t.each(ctx, `SELECT m.member, d.type, d.id FROM members m JOIN resources d ON d.tenant = $1 AND d.pk = m.member
		WHERE m.tenant = $1 AND m.grp = $2 AND d.type <> '' ORDER BY m.member LIMIT $3`, func(rows pgx.Rows) error {
		var m member
		err := rows.Scan(&m.pk, &m.typ, &m.id)
		m.id = unescape(m.id)
		list = append(list, m)
		return err
	}, t.tenant, row.pk, changelog.MostListed)
	return list, err
}

// unfinishedSQL finds tenants that have tombstones.
const unfinishedSQL = `SELECT t.tenant FROM tenants t WHERE t.removed IS NULL AND EXISTS (SELECT 1 FROM doomed d WHERE d.tenant = t.tenant)`

// unfinished reports whether some instance has left a delete half done.
func (t *session) unfinished(ctx context.Context) (bool, error) {
	_, found, err := t.one(ctx, unfinishedSQL+` LIMIT 1`)
	return found, err
}

// finishDeletes removes what deletes have left, a slice at a time, but for what
// other instances are removing.
func (db *DB) finishDeletes() {
	ctx := db.life
	err := db.each(ctx, unfinishedSQL, func(s *Store) (err error) {
		for more := true; more && err == nil; {
			more, err = s.finishSlice(ctx, 0)
		}
		return err
	})
	if err != nil && ctx.Err() == nil && !errors.Is(err, errOver) {
		db.o.Logger.Error("postgres: a delete is not finished; it is tried again later", "err", err)
	}
}

// each runs f for the tenants whose numbers a query gives. What fails in one does
// not keep it from the others, unless the database can't be reached.
func (db *DB) each(ctx context.Context, query string, f func(*Store) error) error {
	tenants, err := db.tenantsOf(ctx, query)
	for _, s := range tenants {
		e := f(s)
		if err = errors.Join(err, e); e != nil && (ctx.Err() != nil || Unreachable(e) || errors.Is(e, errOver)) {
			break
		}
	}
	return err
}

// tenantsOf returns the tenants whose numbers a query gives.
func (db *DB) tenantsOf(ctx context.Context, query string) (list []*Store, err error) {
	err = db.Tenant("").peek(ctx, func(t *session) error {
		list = nil
		var numbers []int32
		err := t.each(ctx, query, func(rows pgx.Rows) error {
			var n int32
			err := rows.Scan(&n)
			numbers = append(numbers, n)
			return err
		})
		if err != nil {
			return err
		}
		return t.each(ctx, `SELECT name FROM tenants WHERE tenant = ANY($1)`, func(rows pgx.Rows) error {
			name := ""
			err := rows.Scan(&name)
			list = append(list, db.Tenant(unescape(name)))
			return err
		}, numbers)
	})
	return list, err
}

// finishSlice works on the tombstone with the number pk or, if that is 0, on one
// that nobody works on, and reports whether there may be more to do.
func (s *Store) finishSlice(ctx context.Context, pk int64) (more bool, err error) {
	query := `SELECT res, type, id, change, actor, request, address FROM doomed WHERE tenant = $1 AND res = $2 FOR UPDATE`
	if pk == 0 {
		query = `SELECT res, type, id, change, actor, request, address FROM doomed WHERE tenant = $1 AND res > $2 ORDER BY res LIMIT 1 FOR UPDATE SKIP LOCKED`
	}
	err = s.write(ctx, func(t *session) error {
		t.trace = nil
		var d doomed
		var o scim.Origin
		err := t.each(ctx, query, func(rows pgx.Rows) error {
			err := rows.Scan(&d.pk, &d.typ, &d.id, &d.change, &o.Actor, &o.RequestID, &o.Address)
			d.id, o.Actor, o.RequestID, o.Address = unescape(d.id), unescape(o.Actor), unescape(o.RequestID), unescape(o.Address)
			return err
		}, t.tenant, pk)
		if more = d.pk != 0; err != nil || !more {
			return err
		}
		n, err := t.release(scim.WithOrigin(ctx, o), d, t.db.o.SliceRows)
		if err != nil || n == t.db.o.SliceRows {
			return err
		}
		more = pk == 0
		t.later(`DELETE FROM doomed WHERE tenant = $1 AND res = $2`, t.tenant, d.pk)
		t.later(`DELETE FROM resources WHERE tenant = $1 AND pk = $2`, t.tenant, d.pk)
		return nil
	})
	return more, err
}
