package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/internal/audit"
)

// Query implements audit.Log.
func (a AuditLog) Query(ctx context.Context, q audit.Query) (page audit.Page, err error) {
	err = a.s.read(ctx, func(t *session) error {
		page, err = audit.Find(auditReader{ctx, t}, q)
		return err
	})
	return page, err
}

// auditReader is a tenant's log at one moment.
type auditReader struct {
	ctx context.Context
	t   *session
}

const eventColumns = changeColumns + `, coalesce((SELECT a.n FROM audit a WHERE a.tenant = $1 AND a.kind = 0 AND a.change = c.seq), 0)`

// Rows implements audit.Reader.
func (r auditReader) Rows(person string, before int64, limit int) (list []audit.Event, err error) {
	add := func(rows pgx.Rows) error {
		var s rowScan
		var e audit.Event
		err := rows.Scan(append(s.into(), &e.N)...)
		if err == nil {
			e.Change = *s.change()
			list = append(list, e)
		}
		return err
	}
	if person == "" {
		err = r.t.each(r.ctx, `SELECT `+eventColumns+` FROM changes c WHERE c.tenant = $1 AND c.seq < $2 ORDER BY c.seq DESC LIMIT $3`, add, r.t.tenant, before, limit)
		return list, err
	}
	err = r.t.each(r.ctx, `SELECT `+eventColumns+` FROM changes c WHERE c.tenant = $1 AND c.seq IN (
			SELECT seq FROM (SELECT seq FROM changes WHERE tenant = $1 AND id = $2 AND seq < $3 ORDER BY seq DESC LIMIT $4) own
			UNION
			SELECT change FROM (SELECT change FROM changes_people WHERE tenant = $1 AND person = coalesce(
				(SELECT pk FROM resources WHERE tenant = $1 AND id = $2),
				(SELECT res FROM changes WHERE tenant = $1 AND id = $2 ORDER BY seq LIMIT 1)) AND change < $3
				ORDER BY change DESC LIMIT $4) others
		) ORDER BY c.seq DESC LIMIT $4`, add, r.t.tenant, escape(person), before, limit)
	return list, err
}

// Notes implements audit.Reader.
func (r auditReader) Notes(person string, from, before int64, limit int) (list []audit.Entry, err error) {
	err = r.t.each(r.ctx, `SELECT `+entryColumns+` FROM audit a WHERE a.tenant = $1 AND a.kind = 1 AND a.change >= $2 AND a.change < $3
		AND $4 IN ('', a.note::json ->> 'id') ORDER BY a.n DESC LIMIT $5`, func(rows pgx.Rows) error {
		var s entryScan
		err := rows.Scan(s.into()...)
		list = append(list, s.entry())
		return err
	}, r.t.tenant, from, before, escape(person), limit)
	return list, err
}

// At implements audit.Reader.
func (r auditReader) At(seq int64) (found, ms int64, err error) {
	err = r.t.each(r.ctx, `SELECT seq, time FROM changes WHERE tenant = $1 AND seq >= $2 ORDER BY seq LIMIT 1`, func(rows pgx.Rows) error {
		return rows.Scan(&found, &ms)
	}, r.t.tenant, seq)
	return found, ms, err
}

// Last implements audit.Reader.
func (r auditReader) Last() (last int64, err error) {
	last, _, err = r.t.one(r.ctx, `SELECT seq FROM changes WHERE tenant = $1 ORDER BY seq DESC LIMIT 1`, r.t.tenant)
	return last, err
}
