package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/internal/changelog"
	"github.com/rollcall-scim/rollcall/scim"
)

const recordColumns = `SELECT c.seq, c.time, c.actor, c.request, c.op, c.type, c.id, c.version, c.deltas FROM changes c WHERE c.tenant = $1 `

// Changes implements scim.ChangeFeed. Seq is taken when a record is written and
// not when it is committed, so that of two transactions the one with the smaller
// may be seen later.
func (s *Store) Changes(ctx context.Context, q scim.ChangeQuery) (list []scim.Record, err error) {
	if q.Limit <= 0 {
		q.Limit = 100
	}
	order := ""
	if q.Newest {
		order = " DESC"
	}
	err = s.peek(ctx, func(t *session) error {
		list = nil
		add := func(rows pgx.Rows) error {
			r, err := scanRecord(rows)
			list = append(list, r)
			return err
		}
		switch {
		case q.Person != "":
			var inner any = q.Limit
			if q.Type != "" || q.ID != "" {
				inner = nil // not all that are found are wanted
			}
			return t.each(ctx, recordColumns+`AND c.seq IN (
				SELECT seq FROM (SELECT seq FROM changes WHERE tenant = $1 AND id = $2 AND seq > $3 ORDER BY seq`+order+` LIMIT $7) own
				UNION
				SELECT change FROM (SELECT change FROM changes_people WHERE tenant = $1 AND person = coalesce(
					(SELECT pk FROM resources WHERE tenant = $1 AND id = $2),
					(SELECT res FROM changes WHERE tenant = $1 AND id = $2 ORDER BY seq LIMIT 1)) AND change > $3
					ORDER BY change`+order+` LIMIT $7) others
				) AND $5 IN ('', c.type) AND $6 IN ('', c.id) ORDER BY c.seq`+order+` LIMIT $4`,
				add, t.tenant, escape(q.Person), q.After, q.Limit, q.Type, escape(q.ID), inner)
		case q.ID != "":
			return t.each(ctx, recordColumns+`AND c.id = $2 AND c.seq > $3 AND $5 IN ('', c.type) ORDER BY c.seq`+order+` LIMIT $4`,
				add, t.tenant, escape(q.ID), q.After, q.Limit, q.Type)
		}
		return t.each(ctx, recordColumns+`AND c.seq > $2 AND $4 IN ('', c.type) ORDER BY c.seq`+order+` LIMIT $3`,
			add, t.tenant, q.After, q.Limit, q.Type)
	})
	if err != nil {
		return nil, err
	}
	if q.Newest {
		slices.Reverse(list)
	}
	return list, nil
}

func scanRecord(rows pgx.Rows) (r scim.Record, err error) {
	var at int64
	var deltas []byte
	err = rows.Scan(&r.Seq, &at, &r.Actor, &r.RequestID, &r.Op, &r.Type, &r.ID, &r.Version, &deltas)
	if err != nil {
		return r, err
	}
	r.Time = time.UnixMilli(at).UTC()
	r.Actor, r.RequestID, r.ID, r.Version = unescape(r.Actor), unescape(r.RequestID), unescape(r.ID), unescape(r.Version)
	r.Changes, err = changelog.Decode(deltas)
	return r, err
}
