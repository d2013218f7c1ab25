package sqlite

import (
	"context"
	"errors"

	"zombiezen.com/go/sqlite"

	"github.com/rollcall-scim/rollcall/internal/audit"
)

// expire removes rows of the change log from before oldest, and their entries.
// The chain notes first which ones go, so that it holds at any moment.
func (db *DB) expire(ctx context.Context, oldest int64) error {
	for name, pk := range db.names.Load().tenants {
		s := &Store{db: db, tenant: name, pk: pk}
		_, err := s.Audit().Seal(ctx)
		through := int64(0)
		if err == nil {
			err = s.write(ctx, func(t *session) error {
				through, err = t.declare(oldest)
				return err
			})
		}
		if err == nil && through > 0 {
			err = db.inSteps(ctx, func() (int, error) { return db.writer.expireOnce(pk, through) })
		}
		if err != nil && !errors.Is(err, errRemoved) {
			return err
		}
	}
	return nil
}

// declare notes which entries expire, if there are any, and returns the last that
// has.
func (t *session) declare(oldest int64) (through int64, err error) {
	before, err := t.expiry()
	if err != nil {
		return 0, err
	}
	if before != nil {
		note, err := before.Says()
		if err != nil {
			return 0, err
		}
		through = note.Through
	}
	h, sealed, err := t.head()
	if err != nil {
		return 0, err
	}
	// A clock that was set back must not let entries through out of order.
	last := h.N
	next, more, err := t.one(`SELECT n FROM audit WHERE tenant = ? AND n > ? AND time >= ? ORDER BY n LIMIT 1`, t.tenant, through, oldest)
	if more {
		last = next - 1
	}
	if err != nil || last <= through {
		return through, err
	}
	// Notes alone are no reason for another note.
	if _, changed, err := t.one(`SELECT 1 FROM audit WHERE tenant = ? AND n > ? AND n <= ? AND kind = 0 LIMIT 1`, t.tenant, through, last); err != nil || !changed {
		return through, err
	}
	end := audit.Head{N: last}
	err = t.each(`SELECT link FROM audit WHERE tenant = ? AND n = ?`, func(st *sqlite.Stmt) error {
		copy(end.Link[:], columnBytes(st, 0))
		return nil
	}, t.tenant, last)
	if err != nil {
		return 0, err
	}
	e, err := audit.NoteExpired(&h, t.db.o.Now(), end)
	if err != nil {
		return 0, err
	}
	return last, errors.Join(t.addEntry(&e, sealed), t.setHead(h, sealed))
}

// expireOnce removes at most pruneStep rows of expired entries of a tenant, the
// oldest first, and returns how many.
func (w *writer) expireOnce(tenant, through int64) (n int, err error) {
	type entry struct{ n, change int64 }
	var old []entry
	err = w.conn.each(`SELECT n, iif(kind = 0, change, 0) FROM audit WHERE tenant = ? AND n <= ? ORDER BY n LIMIT ?`, func(st *sqlite.Stmt) error {
		old = append(old, entry{st.ColumnInt64(0), st.ColumnInt64(1)})
		return nil
	}, tenant, through, pruneStep)
	if err != nil {
		return 0, err
	}
	for _, e := range old {
		err := w.conn.exec(`DELETE FROM changes_people WHERE (tenant, person, change) IN (
			SELECT tenant, person, change FROM changes_people WHERE change = ? LIMIT ?)`, e.change, pruneStep-n)
		if err != nil {
			return n, err
		}
		if n += w.conn.Changes(); n >= pruneStep {
			return n, nil // more of this record may be left
		}
		if err := w.conn.exec(`DELETE FROM changes WHERE seq = ? AND tenant = ?`, e.change, tenant); err != nil {
			return n, err
		}
		if err := w.conn.exec(`DELETE FROM audit WHERE tenant = ? AND n = ?`, tenant, e.n); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
