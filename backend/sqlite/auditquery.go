package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"github.com/rollcall-scim/rollcall/internal/audit"
)

// Query implements audit.Log.
func (a AuditLog) Query(ctx context.Context, q audit.Query) (page audit.Page, err error) {
	err = a.s.read(ctx, func(t *session) error {
		page, err = audit.Find(auditReader{t}, q)
		return err
	})
	return page, err
}

// auditReader is a tenant's log at one moment.
type auditReader struct{ t *session }

const eventColumns = changeColumns + `, coalesce((SELECT a.n FROM audit a WHERE a.tenant = c.tenant AND a.kind = 0 AND a.change = c.seq), 0)`

// Rows implements audit.Reader.
func (r auditReader) Rows(person string, before int64, limit int) (list []audit.Event, err error) {
	t := r.t
	add := func(st *sqlite.Stmt) error {
		c, err := t.scanChange(st, 0)
		list = append(list, audit.Event{N: st.ColumnInt64(10), Change: c})
		return err
	}
	if person == "" {
		return list, t.each(`SELECT `+eventColumns+` FROM changes c WHERE c.tenant = ? AND c.seq < ? ORDER BY c.seq DESC LIMIT ?`, add, t.tenant, before, limit)
	}
	pk, err := t.person(person)
	if err != nil {
		return nil, err
	}
	return list, t.each(`SELECT `+eventColumns+` FROM changes c WHERE c.seq IN (
			SELECT seq FROM (SELECT seq FROM changes WHERE tenant = ?1 AND id = ?2 AND seq < ?3 ORDER BY seq DESC LIMIT ?5)
			UNION
			SELECT change FROM (SELECT change FROM changes_people WHERE tenant = ?1 AND person = ?4 AND change < ?3 ORDER BY change DESC LIMIT ?5))
		ORDER BY c.seq DESC LIMIT ?5`, add, t.tenant, person, before, pk, limit)
}

// Notes implements audit.Reader.
func (r auditReader) Notes(person string, from, before int64, limit int) (list []audit.Entry, err error) {
	err = r.t.each(`SELECT `+entryColumns+` FROM audit a WHERE a.tenant = ?1 AND a.kind = 1 AND a.change >= ?2 AND a.change < ?3
		AND ?4 IN ('', a.note ->> '$.id') ORDER BY a.n DESC LIMIT ?5`, func(st *sqlite.Stmt) error {
		e := scanEntry(st)
		e.Seq = st.ColumnInt64(2)
		list = append(list, e)
		return nil
	}, r.t.tenant, from, before, person, limit)
	return list, err
}

// At implements audit.Reader.
func (r auditReader) At(seq int64) (found, ms int64, err error) {
	err = r.t.each(`SELECT seq, time FROM changes WHERE tenant = ? AND seq >= ? ORDER BY seq LIMIT 1`, func(st *sqlite.Stmt) error {
		found, ms = st.ColumnInt64(0), st.ColumnInt64(1)
		return nil
	}, r.t.tenant, seq)
	return found, ms, err
}

// Last implements audit.Reader.
func (r auditReader) Last() (last int64, err error) {
	last, _, err = r.t.one(`SELECT seq FROM changes WHERE tenant = ? ORDER BY seq DESC LIMIT 1`, r.t.tenant)
	return last, err
}
