package sqlite

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/rollcall-scim/rollcall/internal/guard"
	"github.com/rollcall-scim/rollcall/internal/stored"
	"github.com/rollcall-scim/rollcall/scim"
)

// Deleted implements scim.Undeleter.
func (s *Store) Deleted(ctx context.Context, q scim.DeletedQuery) (list []scim.Deleted, err error) {
	limit := cmp.Or(q.Limit, 100)
	err = s.peek(ctx, func(t *session) error {
		add := func(st *sqlite.Stmt) error {
			at := time.UnixMilli(st.ColumnInt64(2)).UTC()
			list = append(list, scim.Deleted{ID: st.ColumnText(0), Name: st.ColumnText(1), Time: at, Until: at.AddDate(0, 0, t.db.o.UndeleteDays)})
			return nil
		}
		const from = `SELECT id, name, time FROM deleted WHERE tenant = ?1 AND type = ?2 AND time > (?3+0)`
		typ, oldest := t.names.types[q.Type.Name], t.db.undeletable()
		if q.Name == "" {
			return t.each(from+` ORDER BY time DESC, pk DESC LIMIT (?4+0)`, add, t.tenant, typ, oldest, limit)
		}
		return t.each(`SELECT * FROM (`+from+` AND name_fold = ?4 UNION `+from+` AND id = ?5) ORDER BY time DESC LIMIT (?6+0)`,
			add, t.tenant, typ, oldest, stored.FoldName(q.Name), q.Name, limit)
	})
	return list, err
}

// Restore implements scim.Undeleter. It happens in one transaction, whatever
// the number of groups.
func (s *Store) Restore(ctx context.Context, ref scim.Ref, prepare func(*scim.Resource) error) (out *scim.Resource, err error) {
	err = s.write(ctx, func(t *session) error {
		out, err = t.restore(ctx, ref, prepare)
		return err
	})
	return present(out, err)
}

func (t *session) restore(ctx context.Context, ref scim.Ref, prepare func(*scim.Resource) error) (*scim.Resource, error) {
	var pk int64
	var r *scim.Resource
	err := t.each(`SELECT pk, external, version, created, modified, digest, schemas, text, hidden FROM deleted
		WHERE tenant = ? AND type = ? AND id = ? AND time > ?`, func(st *sqlite.Stmt) error {
		pk = st.ColumnInt64(0)
		r = &scim.Resource{Type: ref.Type, ID: ref.ID, ExternalID: st.ColumnText(1), Digest: st.ColumnText(5),
			Meta:    scim.Meta{Version: st.ColumnText(2), Created: instant(st.ColumnInt64(3)), LastModified: instant(st.ColumnInt64(4))},
			Schemas: strings.Fields(st.ColumnText(6)), Text: columnBytes(st, 7), Hidden: columnBytes(st, 8)}
		return nil
	}, t.tenant, t.names.types[ref.Type.Name], ref.ID, t.db.undeletable())
	switch {
	case err != nil:
		return nil, err
	case r == nil:
		return nil, scim.ErrNotFound
	}
	if _, taken, err := t.one(`SELECT pk FROM resources WHERE tenant = ? AND id = ?`, t.tenant, ref.ID); taken || err != nil {
		return nil, cmp.Or(err, error(scim.NotUnique("id")))
	}
	if _, unfinished, err := t.one(`SELECT pk FROM resources WHERE pk = ?`, pk); unfinished || err != nil {
		return nil, cmp.Or(err, error(scim.Unavailable(errors.New("sqlite: the resource is still being deleted"))))
	}
	if err := prepare(r); err != nil {
		return nil, err
	}
	r.Meta.Version = stored.NextVersion(r.Meta.Version)
	r.Meta.LastModified = stored.Later(r.Meta.LastModified, t.now())
	row, err := t.insert(ctx, r, pk, ref.ID, r.Meta)
	if err != nil {
		return nil, err
	}
	if err := t.rejoin(ctx, row); err != nil {
		return nil, err
	}
	if err := t.forget(pk); err != nil {
		return nil, err
	}
	if err := t.giveBack(guard.Tally{Cause: guard.Deleted, Back: []int64{pk}}); err != nil {
		return nil, err
	}
	return row.r, t.complete(ctx, []*entry{row}, ref.Type, scim.Selection{}, known)
}

// rejoin makes a restored resource a member again of the groups that it was
// deleted from and that still exist.
func (t *session) rejoin(ctx context.Context, row *entry) error {
	var groups []*entry
	err := t.each(`SELECT `+columns+` FROM deleted_groups d CROSS JOIN resources r ON r.pk = d.grp
		WHERE d.res = ? AND r.tenant = ? AND r.type > 0 ORDER BY r.pk`, func(st *sqlite.Stmt) error {
		groups = append(groups, scan(st, nil))
		return nil
	}, row.pk, t.tenant)
	if err != nil {
		return err
	}
	self := t.memberOf(row.pk, row.r.ID, row.typ)
	for _, g := range groups {
		a := t.membership(g.typ)
		if !t.mayBe(a, self) {
			continue
		}
		added, err := t.insertMembers(g, []member{self})
		if err != nil {
			return err
		}
		g.members += int64(len(added))
		if err := t.touch(g); err != nil {
			return err
		}
		rec := record{op: "update", row: g, version: g.r.Meta.Version}
		rec.members(a, added, nil)
		if err := t.record(ctx, rec); err != nil {
			return err
		}
	}
	return nil
}

// keep stores what is being deleted, so that it can be restored. The groups it
// is in follow as it leaves them (releaseGroups). doc is the resource with Attrs,
// if its document could be read.
func (t *session) keep(row *entry, doc *scim.Resource) error {
	if t.db.o.UndeleteDays <= 0 || doc.Type.Membership() != nil {
		return nil
	}
	pk, again, err := t.one(`SELECT pk FROM deleted WHERE tenant = ? AND id = ?`, t.tenant, row.r.ID)
	if err != nil {
		return err
	}
	if again { // an id that was imported anew
		if err := t.forget(pk); err != nil {
			return err
		}
	}
	name := scim.UniqueName(doc)
	return t.exec(`INSERT INTO deleted (pk, tenant, type, id, name, name_fold, time, external, version, created, modified, digest, schemas, text, hidden)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, row.pk, t.tenant, row.typ, row.r.ID, name, stored.FoldName(name), t.now().UnixMilli(),
		orNull(row.r.ExternalID), versionValue(row.r.Meta.Version), scim.Instant(row.r.Meta.Created), scim.Instant(row.r.Meta.LastModified),
		row.r.Digest, strings.Join(row.r.Schemas, " "), string(row.r.Text), orNull(string(row.r.Hidden)))
}

// forget removes what was kept of a deleted resource.
func (c *conn) forget(pk int64) error {
	if err := c.exec(`DELETE FROM deleted_groups WHERE res = ?`, pk); err != nil {
		return err
	}
	return c.exec(`DELETE FROM deleted WHERE pk = ?`, pk)
}

// undeletable is the time, in milliseconds, up to which what was deleted is
// gone for good.
func (db *DB) undeletable() int64 { return db.o.Now().AddDate(0, 0, -db.o.UndeleteDays).UnixMilli() }

// purge removes for good what was deleted too long ago.
func (db *DB) purge(ctx context.Context) error {
	oldest, old := db.undeletable(), false
	err := db.Tenant("").peek(ctx, func(t *session) (err error) {
		_, old, err = t.one(`SELECT pk FROM deleted WHERE time <= (?+0) LIMIT 1`, oldest)
		return err
	})
	if err != nil || !old { // most of the time: other writers need not wait
		return err
	}
	return db.inSteps(ctx, func() (int, error) { return db.writer.purgeOnce(oldest) })
}

// purgeOnce removes for good what was deleted up to oldest, in a step that
// touches at most pruneStep rows, and returns how many it touched.
func (w *writer) purgeOnce(oldest int64) (n int, err error) {
	var old []int64
	err = w.conn.each(`SELECT pk FROM deleted WHERE time <= (?+0) ORDER BY time LIMIT (?+0)`, func(st *sqlite.Stmt) error {
		old = append(old, st.ColumnInt64(0))
		return nil
	}, oldest, pruneStep)
	if err != nil {
		return 0, err
	}
	for _, pk := range old {
		err := w.conn.exec(`DELETE FROM deleted_groups WHERE res = ?1 AND grp IN (
			SELECT grp FROM deleted_groups WHERE res = ?1 LIMIT (?2+0))`, pk, pruneStep-n)
		if err != nil {
			return n, err
		}
		if n += w.conn.Changes(); n >= pruneStep {
			return n, nil // more of this one's may be left
		}
		if err := w.conn.exec(`DELETE FROM deleted WHERE pk = ?`, pk); err != nil {
			return n, err
		}
		if n++; n >= pruneStep {
			return n, nil
		}
	}
	return n, nil
}
