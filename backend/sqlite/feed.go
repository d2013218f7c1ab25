package sqlite

import (
	"context"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/rollcall-scim/rollcall/internal/changelog"
	"github.com/rollcall-scim/rollcall/scim"
)

const recordColumns = `c.seq, c.time, c.actor, c.request, c.op, c.type, c.id, c.version, c.deltas`

// Changes implements scim.ChangeFeed.
func (s *Store) Changes(ctx context.Context, q scim.ChangeQuery) (list []scim.Record, err error) {
	if q.Limit <= 0 {
		q.Limit = 100
	}
	order := ""
	if q.Newest {
		order = " DESC"
	}
	err = s.read(ctx, func(t *session) error {
		add := func(st *sqlite.Stmt) error {
			r, err := t.scanRecord(st)
			list = append(list, r)
			return err
		}
		typ, ok := t.names.types[q.Type]
		if !ok && q.Type != "" {
			return nil
		}
		switch {
		case q.Person != "":
			pk, err := t.person(q.Person)
			if err != nil {
				return err
			}
			inner := q.Limit
			if typ != 0 || q.ID != "" {
				inner = -1 // not all that are found are wanted
			}
			return t.each(`SELECT `+recordColumns+` FROM changes c WHERE c.seq IN (
				SELECT seq FROM (SELECT seq FROM changes WHERE tenant = ?1 AND id = ?2 AND seq > ?3 ORDER BY seq`+order+` LIMIT ?8)
				UNION
				SELECT change FROM (SELECT change FROM changes_people WHERE tenant = ?1 AND person = ?5 AND change > ?3 ORDER BY change`+order+` LIMIT ?8)
				) AND ?6 IN (0, c.type) AND ?7 IN ('', c.id) ORDER BY c.seq`+order+` LIMIT ?4`,
				add, t.tenant, q.Person, q.After, q.Limit, pk, typ, q.ID, inner)
		case q.ID != "":
			return t.each(`SELECT `+recordColumns+` FROM changes c WHERE c.tenant = ? AND c.id = ? AND c.seq > ? AND ? IN (0, c.type)
				ORDER BY c.seq`+order+` LIMIT ?`, add, t.tenant, q.ID, q.After, typ, q.Limit)
		}
		return t.each(`SELECT `+recordColumns+` FROM changes c WHERE c.tenant = ? AND c.seq > ? AND ? IN (0, c.type)
			ORDER BY c.seq`+order+` LIMIT ?`, add, t.tenant, q.After, typ, q.Limit)
	})
	if err != nil {
		return nil, err
	}
	if q.Newest {
		slices.Reverse(list)
	}
	return list, nil
}

// person returns the number of a resource that is there, or was.
func (t *session) person(id string) (int64, error) {
	pk, ok, err := t.one(`SELECT pk FROM resources WHERE tenant = ? AND id = ?`, t.tenant, id)
	if err == nil && !ok {
		pk, _, err = t.one(`SELECT res FROM changes WHERE tenant = ? AND id = ? LIMIT 1`, t.tenant, id)
	}
	return pk, err
}

func (t *session) scanRecord(st *sqlite.Stmt) (scim.Record, error) {
	r := scim.Record{Seq: st.ColumnInt64(0), Time: time.UnixMilli(st.ColumnInt64(1)).UTC(), Actor: st.ColumnText(2),
		RequestID: st.ColumnText(3), Op: st.ColumnText(4), ID: st.ColumnText(6), Version: st.ColumnText(7)}
	var err error
	if r.Type, err = t.typeName(st.ColumnInt64(5)); err != nil {
		return r, err
	}
	r.Changes, err = changelog.Decode(columnBytes(st, 8))
	return r, err
}
