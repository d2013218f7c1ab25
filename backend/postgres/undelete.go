package postgres

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/internal/changelog"
	"github.com/rollcall-scim/rollcall/internal/guard"
	"github.com/rollcall-scim/rollcall/internal/stored"
	"github.com/rollcall-scim/rollcall/scim"
)

const (
	deletedSQL      = `SELECT id, name, time FROM deleted WHERE tenant = $1 AND type = $2 AND time > $3`
	deletedAllSQL   = deletedSQL + ` ORDER BY time DESC, pk DESC LIMIT $4`
	deletedNamedSQL = `SELECT * FROM (` + deletedSQL + ` AND left(name_fold, 256) = left($4, 256) AND name_fold = $4 UNION ` + deletedSQL + ` AND id = $5) AS d (id, name, time)
		ORDER BY time DESC LIMIT $6`
)

// Deleted implements scim.Undeleter.
func (s *Store) Deleted(ctx context.Context, q scim.DeletedQuery) (list []scim.Deleted, err error) {
	limit, oldest := cmp.Or(q.Limit, 100), s.db.undeletable()
	err = s.peek(ctx, func(t *session) error {
		list = nil
		add := func(rows pgx.Rows) error {
			var d scim.Deleted
			var ms int64
			err := rows.Scan(&d.ID, &d.Name, &ms)
			d.ID, d.Name, d.Time = unescape(d.ID), unescape(d.Name), time.UnixMilli(ms).UTC()
			d.Until = d.Time.AddDate(0, 0, t.db.o.UndeleteDays)
			list = append(list, d)
			return err
		}
		if q.Name == "" {
			return t.each(ctx, deletedAllSQL, add, t.tenant, q.Type.Name, oldest, limit)
		}
		return t.each(ctx, deletedNamedSQL, add, t.tenant, q.Type.Name, oldest, escape(stored.FoldName(q.Name)), escape(q.Name), limit)
	})
	return list, err
}

// Restore implements scim.Undeleter. It happens in one transaction, whatever
// the number of groups; prepare is called again if this has to begin anew.
func (s *Store) Restore(ctx context.Context, ref scim.Ref, prepare func(*scim.Resource) error) (out *scim.Resource, err error) {
	err = s.write(ctx, func(t *session) error {
		out, err = t.restore(ctx, ref, prepare)
		return err
	})
	return present(out, err)
}

func (t *session) restore(ctx context.Context, ref scim.Ref, prepare func(*scim.Resource) error) (*scim.Resource, error) {
	t.db.remember(t.store.tenant, ref.Type)
	var pk int64
	var r *scim.Resource
	err := t.each(ctx, `SELECT pk, coalesce(external, ''), version, created, modified, digest, schemas, text, coalesce(hidden, '') FROM deleted
		WHERE tenant = $1 AND type = $2 AND id = $3 AND time > $4 FOR UPDATE`, func(rows pgx.Rows) error {
		r = &scim.Resource{Type: ref.Type, ID: ref.ID}
		var created, modified int64
		var schemas string
		err := rows.Scan(&pk, &r.ExternalID, &r.Meta.Version, &created, &modified, &r.Digest, &schemas, (*bytes)(&r.Text), (*bytes)(&r.Hidden))
		r.ExternalID, r.Meta.Version, r.Schemas = unescape(r.ExternalID), unescape(r.Meta.Version), strings.Fields(schemas)
		r.Meta.Created, r.Meta.LastModified = instant(created), instant(modified)
		return err
	}, t.tenant, ref.Type.Name, escape(ref.ID), t.db.undeletable())
	switch {
	case err != nil:
		return nil, err
	case r == nil:
		return nil, scim.ErrNotFound
	}
	_, unfinished, err := t.one(ctx, `SELECT 1 FROM resources WHERE tenant = $1 AND pk = $2`, t.tenant, pk)
	if unfinished || err != nil {
		return nil, cmp.Or(err, error(scim.Unavailable(errors.New("postgres: the resource is still being deleted"))))
	}
	if err := prepare(r); err != nil {
		return nil, err
	}
	r.Meta.Version = stored.NextVersion(r.Meta.Version)
	r.Meta.LastModified = stored.Later(r.Meta.LastModified, t.db.now())
	c := t.db.creation(ctx, r, pk, ref.ID, r.Meta)
	if err := t.insert(ctx, c); err != nil {
		return nil, err
	}
	if err := t.rejoin(ctx, c.row); err != nil {
		return nil, err
	}
	t.later(`DELETE FROM deleted_groups WHERE tenant = $1 AND res = $2`, t.tenant, pk)
	t.later(`DELETE FROM deleted WHERE tenant = $1 AND pk = $2`, t.tenant, pk)
	t.giveBack(guard.Tally{Cause: guard.Deleted, Back: []int64{pk}})
	t.complete(ctx, []*entry{c.row}, ref.Type, scim.Selection{}, known)
	t.finish()
	return c.row.r, t.flush(ctx)
}

// rejoin makes a restored resource a member again of the groups that it was
// deleted from and that still exist.
func (t *session) rejoin(ctx context.Context, row *entry) error {
	self := member{row.pk, row.typ, row.r.ID}
	var groups []*entry
	err := t.each(ctx, `SELECT `+columns+` FROM resources r WHERE r.tenant = $1 AND r.type <> '' AND r.pk = ANY(ARRAY(
			SELECT d.grp FROM deleted_groups d WHERE d.tenant = $1 AND d.res = $2))
		ORDER BY r.pk FOR NO KEY UPDATE`, func(rows pgx.Rows) error {
		g, err := scan(rows, nil)
		if err == nil && mayBe(t.membership(g.typ), self) {
			groups = append(groups, g)
		}
		return err
	}, t.tenant, row.pk)
	if err != nil || len(groups) == 0 {
		return err
	}
	if t.holds(self) {
		t.later(`UPDATE tenants SET nests = true WHERE tenant = $1 AND NOT nests`, t.tenant)
	}
	t.later(`INSERT INTO members (tenant, grp, member) SELECT $1, u.grp, $2 FROM unnest($3::bigint[]) AS u (grp)`, t.tenant, row.pk, pks(groups))
	t.touchAll(ctx, groups, 1, func(g *entry) scim.RecordDelta {
		return changelog.Members(t.membership(g.typ), ids([]member{self}), nil)
	}, row.pk)
	return nil
}

// keep queues what stores a resource that is being deleted, so that it can be
// restored. The groups it is in follow as it leaves them (releaseGroups). doc is
// the resource with Attrs, if its document could be read.
func (t *session) keep(row *entry, doc *scim.Resource) {
	if t.db.o.UndeleteDays <= 0 || doc.Type.Membership() != nil {
		return
	}
	r, name := row.r, scim.UniqueName(doc)
	// There may be one with the same id, which was imported anew since.
	t.later(`DELETE FROM deleted_groups g USING deleted d WHERE d.tenant = $1 AND d.id = $2 AND g.tenant = $1 AND g.res = d.pk`, t.tenant, escape(r.ID))
	t.later(`DELETE FROM deleted WHERE tenant = $1 AND id = $2`, t.tenant, escape(r.ID))
	t.later(`INSERT INTO deleted (tenant, pk, type, id, name, name_fold, time, external, version, created, modified, digest, schemas, text, hidden)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`, t.tenant, row.pk, row.typ, escape(r.ID), escape(name),
		escape(stored.FoldName(name)), t.db.now().UnixMilli(), orNull(r.ExternalID), escape(r.Meta.Version), scim.Instant(r.Meta.Created),
		scim.Instant(r.Meta.LastModified), r.Digest, strings.Join(r.Schemas, " "), string(r.Text), orNull(string(r.Hidden)))
}

// undeletable is the time, in milliseconds, up to which what was deleted is
// gone for good.
func (db *DB) undeletable() int64 { return db.o.Now().AddDate(0, 0, -db.o.UndeleteDays).UnixMilli() }
