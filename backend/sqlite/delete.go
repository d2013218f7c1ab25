package sqlite

import (
	"context"
	"errors"

	"zombiezen.com/go/sqlite"

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
// back, or after the next Open.
func (s *Store) Delete(ctx context.Context, ref scim.Ref, version string) error {
	left := false
	err := s.write(ctx, func(t *session) (err error) {
		left, err = t.delete(ctx, ref, version)
		return err
	})
	if err != nil || !left {
		return err
	}
	done := make(chan struct{})
	if s.db.spawn(func() { defer close(done); s.db.finishDeletes() }) {
		select {
		case <-done:
		case <-ctx.Done():
		}
	}
	return nil
}

// delete reports whether rows that lead to the resource are left.
func (t *session) delete(ctx context.Context, ref scim.Ref, version string) (left bool, err error) {
	row, err := t.find(ref)
	if err != nil {
		return false, err
	}
	if version != "" && version != row.r.Meta.Version {
		return false, scim.ErrVersionMismatch
	}
	slice := t.db.o.SliceRows
	many, err := t.leadTo(row, slice)
	if err != nil {
		return false, err
	}
	doc := *row.r
	if load := t.db.o.Load; load != nil {
		if err := load(&doc); err != nil {
			// Its text can't be read any more: all the more reason to let it go.
			t.db.o.Logger.Warn("sqlite: deleting a document that can't be read", "id", ref.ID, "err", err)
		}
	}
	t.trace.Note(func(n *scim.TraceNotes) { n.Before = &doc })
	if err := t.judge(ctx, guard.Effect{Type: ref.Type, PK: row.pk, Before: &doc, Name: "DELETE " + ref.String()}, nil, nil); err != nil {
		return false, err
	}
	rec := record{op: "delete", row: row, deltas: changelog.Values(&doc, false)}
	if a := ref.Type.Membership(); a != nil && row.members > 0 {
		removed, err := t.memberList(row, changelog.MostListed)
		if err != nil {
			return false, err
		}
		rec.members(a, nil, removed)
		t.came(nil, removed)
		if many {
			rec.people = nil // each slice notes its own
		}
	}
	seq, err := t.recorded(ctx, rec)
	if err != nil {
		return false, err
	}
	if err := t.keep(row, &doc); err != nil {
		return false, err
	}
	for _, q := range []string{`DELETE FROM attrs WHERE res = ?`, `DELETE FROM uniq WHERE res = ?`, `DELETE FROM grams WHERE rowid = ?`} {
		if err := t.exec(q, row.pk); err != nil {
			return false, err
		}
	}
	if err := t.storeLinks(row, nil); err != nil {
		return false, err
	}
	if err := t.count(row.typ, -1); err != nil {
		return false, err
	}
	d := doomed{pk: row.pk, typ: row.typ, id: ref.ID, change: seq}
	if !many {
		for {
			n, err := t.release(ctx, d, slice)
			if err != nil {
				return false, err
			}
			if n < slice {
				return false, t.exec(`DELETE FROM resources WHERE pk = ?`, row.pk)
			}
		}
	}
	o := scim.OriginOf(ctx)
	err = t.exec(`INSERT INTO doomed (res, tenant, type, id, change, actor, request, address) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		d.pk, t.tenant, d.typ, d.id, d.change, o.Actor, o.RequestID, o.Address)
	if err != nil {
		return false, err
	}
	// The id gives way, lest a reference still find it; a blank is in no id of ours.
	return true, t.exec(`UPDATE resources SET type = 0, id = 'deleted ' || pk, external = NULL, display = '', display_fold = '',
		schemas = '', text = '', hidden = NULL WHERE pk = ?`, row.pk)
}

// leadTo reports whether more than most rows lead to or from the resource.
func (t *session) leadTo(row *entry, most int) (bool, error) {
	n, _, err := t.one(`SELECT count(*) FROM (SELECT 1 FROM members WHERE member = ?1 AND tenant = ?2
		UNION ALL SELECT 1 FROM refs WHERE tenant = ?2 AND target = ?3 LIMIT ?4)`, row.pk, t.tenant, row.r.ID, most+1)
	return n+row.members > int64(most), err
}

func (t *session) memberList(row *entry, most int) (list []member, err error) {
	err = t.each(`SELECT m.member, d.id, d.type FROM members m CROSS JOIN resources d ON d.pk = m.member
		WHERE m.grp = ? AND d.type > 0 ORDER BY m.member LIMIT ?`, func(st *sqlite.Stmt) error {
		list = append(list, t.memberOf(st.ColumnInt64(0), st.ColumnText(1), st.ColumnInt64(2)))
		return nil
	}, row.pk, most)
	return list, err
}

// doomed is a resource that is being deleted.
type doomed struct {
	pk, typ, change int64
	id              string
}

// release removes at most limit rows that lead to or from a resource, and
// returns how many it removed: fewer if that was all.
func (t *session) release(ctx context.Context, d doomed, limit int) (n int, err error) {
	for _, step := range []func(context.Context, doomed, int) (int, error){t.releaseMembers, t.releaseGroups, t.releaseLinks} {
		m, err := step(ctx, d, limit-n)
		if n += m; err != nil || n >= limit {
			return n, err
		}
	}
	return n, nil
}

// releaseMembers lets a group's members go.
func (t *session) releaseMembers(_ context.Context, d doomed, limit int) (int, error) {
	list, err := t.memberList(&entry{pk: d.pk}, limit)
	if err != nil {
		return 0, err
	}
	nested := int64(0)
	for _, m := range list {
		if err := t.exec(`DELETE FROM members WHERE grp = ? AND member = ? AND tenant = ?`, d.pk, m.pk, t.tenant); err != nil {
			return 0, err
		}
		err := t.exec(`INSERT OR IGNORE INTO changes_people (tenant, person, change) VALUES (?, ?, ?)`, t.tenant, m.pk, d.change)
		if err != nil {
			return 0, err
		}
		nested += m.nest
	}
	return len(list), t.nest(-nested)
}

// releaseGroups takes a resource out of the groups it is in.
func (t *session) releaseGroups(ctx context.Context, d doomed, limit int) (int, error) {
	var groups []*entry
	err := t.each(`SELECT `+columns+` FROM members m CROSS JOIN resources r ON r.pk = m.grp WHERE m.member = ? AND m.tenant = ? LIMIT ?`,
		func(st *sqlite.Stmt) error {
			groups = append(groups, scan(st, nil))
			return nil
		}, d.pk, t.tenant, limit)
	if err != nil {
		return 0, err
	}
	self := t.memberOf(d.pk, d.id, d.typ)
	for _, g := range groups {
		if err := t.exec(`DELETE FROM members WHERE grp = ? AND member = ? AND tenant = ?`, g.pk, d.pk, t.tenant); err != nil {
			return 0, err
		}
		if g.typ == 0 {
			continue // a tombstone itself
		}
		err := t.exec(`INSERT OR IGNORE INTO deleted_groups (res, grp) SELECT pk, (SELECT ?) FROM deleted WHERE pk = ?`, g.pk, d.pk)
		if err != nil {
			return 0, err
		}
		g.members--
		t.trace.Note(func(n *scim.TraceNotes) { n.Touch(g.r.ID) })
		if err := t.touch(g); err != nil {
			return 0, err
		}
		rec := record{op: "update", row: g, version: g.r.Meta.Version}
		rec.members(t.membership(g.typ), nil, []member{self})
		if err := t.record(ctx, rec); err != nil {
			return 0, err
		}
	}
	return len(groups), t.nest(-self.nest * int64(len(groups)))
}

// membership is the attribute through which resources of a type have members.
func (t *session) membership(typ int64) *scim.Attribute {
	if rt := t.resourceType(t.names.typeOf[typ]); rt != nil {
		if a := rt.Membership(); a != nil {
			return a
		}
	}
	return &scim.Attribute{Name: "members"}
}

// releaseLinks takes the references to a resource out of other documents.
func (t *session) releaseLinks(ctx context.Context, d doomed, limit int) (int, error) {
	if t.db.o.Load == nil || t.db.o.Encode == nil {
		return 0, nil
	}
	var list []*entry
	err := t.each(`SELECT `+columns+` FROM resources r WHERE r.pk IN (
		SELECT DISTINCT res FROM refs WHERE tenant = ? AND target = ? LIMIT ?)`,
		func(st *sqlite.Stmt) error {
			list = append(list, scan(st, nil))
			return nil
		}, t.tenant, d.id, limit)
	if err != nil {
		return 0, err
	}
	for _, row := range list {
		t.trace.Note(func(n *scim.TraceNotes) { n.Touch(row.r.ID) })
		if err := t.unlink(ctx, row, d.id); err != nil {
			return 0, err
		}
	}
	return len(list), nil
}

// finishDeletes removes what deletes have left, a slice at a time.
func (db *DB) finishDeletes() {
	ctx := db.life
	for more := true; more; {
		err := db.writer.do(ctx, func() (err error) {
			more, err = db.writer.finishSlice()
			return err
		})
		if errors.Is(err, context.Canceled) || errors.Is(err, errOver) {
			return
		}
		if err != nil {
			db.o.Logger.Error("sqlite: a delete is not finished; the rest follows at the next start", "err", err)
			return
		}
	}
}

// finishSlice works on one tombstone, and reports whether there may be more.
func (w *writer) finishSlice() (more bool, err error) {
	var d doomed
	var origin scim.Origin
	t := &session{conn: w.conn, db: w.db, names: w.names, w: w}
	err = t.each(`SELECT d.res, d.type, d.id, d.change, d.actor, d.request, d.tenant, n.name, d.address FROM doomed d
		JOIN tenants n ON n.pk = d.tenant ORDER BY d.res LIMIT 1`, func(st *sqlite.Stmt) error {
		d = doomed{pk: st.ColumnInt64(0), typ: st.ColumnInt64(1), id: st.ColumnText(2), change: st.ColumnInt64(3)}
		origin = scim.Origin{Actor: st.ColumnText(4), RequestID: st.ColumnText(5), Address: st.ColumnText(8)}
		t.tenant, t.store = st.ColumnInt64(6), w.db.Tenant(st.ColumnText(7))
		return nil
	})
	if err != nil || d.pk == 0 {
		return false, err
	}
	n, err := t.release(scim.WithOrigin(context.Background(), origin), d, w.db.o.SliceRows)
	if err != nil || n == w.db.o.SliceRows {
		return true, err
	}
	if err := t.exec(`DELETE FROM doomed WHERE res = ?`, d.pk); err != nil {
		return false, err
	}
	return true, t.exec(`DELETE FROM resources WHERE pk = ?`, d.pk)
}
