package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/internal/changelog"
	"github.com/rollcall-scim/rollcall/internal/stored"
	"github.com/rollcall-scim/rollcall/scim"
)

// doomed is a resource that is being deleted.
type doomed struct {
	pk, change int64
	typ, id    string
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
func (t *session) releaseMembers(ctx context.Context, d doomed, limit int) (int, error) {
	n, _, err := t.one(ctx, `WITH gone AS (
			DELETE FROM members WHERE tenant = $1 AND grp = $2 AND member = ANY(ARRAY(
				SELECT m.member FROM members m WHERE m.tenant = $1 AND m.grp = $2 ORDER BY m.grp, m.member LIMIT $3)) RETURNING member
		), people AS (
			INSERT INTO changes_people (tenant, person, change) SELECT $1, member, $4 FROM gone ON CONFLICT DO NOTHING
		)
		SELECT count(*) FROM gone`, t.tenant, d.pk, limit, d.change)
	return int(n), err
}

// releaseGroups takes a resource out of the groups it is in.
func (t *session) releaseGroups(ctx context.Context, d doomed, limit int) (int, error) {
	byPK := map[int64]*entry{}
	err := t.each(ctx, `SELECT `+columns+` FROM resources r WHERE r.tenant = $1 AND r.pk = ANY(ARRAY(
			SELECT m.grp FROM members m WHERE m.tenant = $1 AND m.member = $2 ORDER BY m.member, m.grp LIMIT $3))
		ORDER BY r.pk FOR NO KEY UPDATE`, func(rows pgx.Rows) error {
		row, err := scan(rows, nil)
		if err == nil {
			byPK[row.pk] = row
		}
		return err
	}, t.tenant, d.pk, limit)
	if err != nil || len(byPK) == 0 {
		return 0, err
	}
	var all []*entry
	for _, row := range byPK {
		all = append(all, row)
	}
	var groups []*entry // those it was still in when they were locked, in their order
	err = t.each(ctx, `DELETE FROM members WHERE tenant = $1 AND member = $2 AND grp = ANY($3::bigint[]) RETURNING grp`, func(rows pgx.Rows) error {
		var pk int64
		err := rows.Scan(&pk)
		if g := byPK[pk]; g != nil && g.typ != "" { // else it is a tombstone itself
			groups = append(groups, g)
		}
		return err
	}, t.tenant, d.pk, pks(all))
	if err != nil || len(groups) == 0 {
		return len(all), err
	}
	t.later(`INSERT INTO deleted_groups (tenant, res, grp) SELECT $1, $2, u.grp FROM unnest($3::bigint[]) AS u (grp)
		WHERE EXISTS (SELECT 1 FROM deleted x WHERE x.tenant = $1 AND x.pk = $2) ON CONFLICT DO NOTHING`, t.tenant, d.pk, pks(groups))
	self := []member{{d.pk, d.typ, d.id}}
	t.touchAll(ctx, groups, -1, func(g *entry) scim.RecordDelta { return changelog.Members(t.membership(g.typ), nil, ids(self)) }, d.pk)
	return len(all), t.flush(ctx)
}

// touchAll queues what gives groups their next version, by more members, and an
// entry of the change log that names the person who came or went.
func (t *session) touchAll(ctx context.Context, groups []*entry, by int64, delta func(*entry) scim.RecordDelta, person int64) {
	var versions, types, ids, deltas []string
	var modified []int64
	now, o := t.db.now(), scim.OriginOf(ctx)
	for _, g := range groups {
		m := &g.r.Meta
		m.Version, m.LastModified = stored.NextVersion(m.Version), stored.Later(m.LastModified, now)
		versions, modified = append(versions, m.Version), append(modified, scim.Instant(m.LastModified))
		types, ids = append(types, g.typ), append(ids, escape(g.r.ID))
		deltas = append(deltas, string(changelog.Encode([]scim.RecordDelta{delta(g)})))
		t.trace.Note(func(n *scim.TraceNotes) { n.Touch(g.r.ID) })
	}
	t.later(`UPDATE resources r SET version = u.version, modified = u.modified, members = r.members + $5
		FROM unnest($2::bigint[], $3::text[], $4::bigint[]) AS u (pk, version, modified) WHERE r.tenant = $1 AND r.pk = u.pk`,
		t.tenant, pks(groups), versions, modified, by)
	t.later(`WITH c AS (
			INSERT INTO changes (tenant, time, type, res, id, op, version, actor, request, address, deltas)
			SELECT $1, $2, u.type, u.res, u.id, 'update', u.version, $3, $4, $11, u.deltas
			FROM unnest($5::text[], $6::bigint[], $7::text[], $8::text[], $9::text[]) AS u (type, res, id, version, deltas) RETURNING seq
		)
		INSERT INTO changes_people (tenant, person, change) SELECT $1, $10, seq FROM c`,
		t.tenant, now.UnixMilli(), escape(o.Actor), escape(o.RequestID), types, pks(groups), ids, versions, deltas, person, escape(o.Address))
}

// membership is the attribute through which resources of a type have members.
func (t *session) membership(typ string) *scim.Attribute {
	if rt := t.resourceType(typ); rt != nil {
		if a := rt.Membership(); a != nil {
			return a
		}
	}
	return &scim.Attribute{Name: "members"}
}

// unlinkMost bounds the documents that are read and written anew at once.
const unlinkMost = 200

// releaseLinks takes the references to a resource out of other documents.
func (t *session) releaseLinks(ctx context.Context, d doomed, limit int) (n int, err error) {
	if t.db.o.Load == nil || t.db.o.Encode == nil {
		return 0, nil
	}
	for n < limit {
		var list []*entry
		most := min(limit-n, unlinkMost)
		err := t.each(ctx, `SELECT `+columns+` FROM resources r WHERE r.tenant = $1 AND r.pk = ANY(ARRAY(
				SELECT DISTINCT f.res FROM refs f WHERE f.tenant = $1 AND left(f.target, 512) = left($2, 512) AND f.target = $2 LIMIT $3))
			ORDER BY r.pk FOR NO KEY UPDATE`, func(rows pgx.Rows) error {
			row, err := scan(rows, nil)
			list = append(list, row)
			return err
		}, t.tenant, escape(d.id), most)
		if err != nil {
			return n, err
		}
		if len(list) > 0 {
			had := t.queueHeldBy(list)
			if err := t.flush(ctx); err != nil {
				return n, err
			}
			for _, row := range list {
				t.trace.Note(func(n *scim.TraceNotes) { n.Touch(row.r.ID) })
				if err := t.unlink(ctx, row, d.id, had[row.pk]); err != nil {
					return n, err
				}
			}
			if err := t.flush(ctx); err != nil {
				return n, err
			}
		}
		if n += len(list); len(list) < most {
			break
		}
	}
	return n, nil
}
