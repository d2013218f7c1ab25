package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/internal/audit"
)

// Erase implements audit.Log.
func (a AuditLog) Erase(ctx context.Context, e audit.Erasure) (out audit.Outcome, err error) {
	err = a.s.write(ctx, func(t *session) error {
		out, err = t.erase(ctx, e)
		return err
	})
	return out, err
}

func (t *session) erase(ctx context.Context, e audit.Erasure) (out audit.Outcome, err error) {
	c, err := t.locked(ctx)
	if err != nil {
		return out, err
	}
	// Who restores the resource locks this row first.
	pk, stored, err := t.one(ctx, `SELECT pk FROM deleted WHERE tenant = $1 AND id = $2 FOR UPDATE`, t.tenant, escape(e.ID))
	if err != nil {
		return out, err
	}
	_, there, err := t.one(ctx, `SELECT 1 FROM resources WHERE tenant = $1 AND id = $2 UNION ALL SELECT 1 FROM doomed WHERE tenant = $1 AND id = $2 LIMIT 1`,
		t.tenant, escape(e.ID))
	switch {
	case err != nil:
		return out, err
	case there:
		return out, audit.ErrThere
	}
	for more := true; more; {
		if more, err = t.seal(ctx, &c, 0, 0); err != nil {
			return out, err
		}
	}
	var rows []int64
	err = t.each(ctx, `SELECT c.seq FROM changes c JOIN audit a ON a.tenant = $1 AND a.kind = 0 AND a.change = c.seq
		WHERE c.tenant = $1 AND c.id = $2 AND a.salt IS NOT NULL ORDER BY c.seq`, func(r pgx.Rows) error {
		var seq int64
		err := r.Scan(&seq)
		rows = append(rows, seq)
		return err
	}, t.tenant, escape(e.ID))
	if err != nil {
		return out, err
	}
	if stored {
		t.later(`DELETE FROM deleted_groups WHERE tenant = $1 AND res = $2`, t.tenant, pk)
		t.later(`DELETE FROM deleted WHERE tenant = $1 AND pk = $2`, t.tenant, pk)
	}
	if out.Rows, out.Stored = int64(len(rows)), stored; out.Rows == 0 && !stored {
		return out, t.each(ctx, `SELECT n, time FROM audit WHERE tenant = $1 AND kind = 1 AND note::json ->> 'id' = $2 ORDER BY n DESC LIMIT 1`, func(r pgx.Rows) error {
			var ms int64
			err := r.Scan(&out.N, &ms)
			out.Time = time.UnixMilli(ms).UTC()
			return err
		}, t.tenant, escape(e.ID))
	}
	t.later(`UPDATE changes SET deltas = $3 WHERE tenant = $1 AND seq = ANY($2::bigint[])`, t.tenant, rows, audit.Forgotten)
	t.later(`UPDATE audit SET salt = NULL WHERE tenant = $1 AND kind = 0 AND change = ANY($2::bigint[])`, t.tenant, rows)
	n, err := audit.NoteErased(&c.Head, t.db.o.Now(), e, out.Rows)
	if err != nil {
		return out, err
	}
	out.N, out.Time = n.N, n.Time
	t.addEntries([]audit.Entry{n}, c.newest)
	t.setChain(&c)
	return out, t.flush(ctx)
}

// expire removes rows of the change log from before oldest, and their entries.
// The chain notes first which ones go, so that it holds at any moment.
func (s *Store) expire(ctx context.Context, oldest int64) error {
	if _, err := s.Audit().Seal(ctx); err != nil {
		return err
	}
	through := int64(0)
	err := s.write(ctx, func(t *session) error {
		var err error
		through, err = t.declare(ctx, oldest)
		return err
	})
	if err != nil || through == 0 {
		return err
	}
	return s.inSteps(ctx, func(t *session) (int64, error) { return t.expireOnce(ctx, through) })
}

// declare notes which entries expire, if there are any, and returns the last that
// has.
func (t *session) declare(ctx context.Context, oldest int64) (through int64, err error) {
	c, err := t.locked(ctx)
	if err != nil {
		return 0, err
	}
	before, err := t.expiry(ctx)
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
	// A clock that was set back must not let entries through out of order.
	last := c.N
	next, more, err := t.one(ctx, `SELECT n FROM audit WHERE tenant = $1 AND n > $2 AND time >= $3 ORDER BY n LIMIT 1`, t.tenant, through, oldest)
	if more {
		last = next - 1
	}
	if err != nil || last <= through {
		return through, err
	}
	// Notes alone are no reason for another note.
	if _, changed, err := t.one(ctx, `SELECT 1 FROM audit WHERE tenant = $1 AND n > $2 AND n <= $3 AND kind = 0 LIMIT 1`, t.tenant, through, last); err != nil || !changed {
		return through, err
	}
	end := audit.Head{N: last}
	err = t.each(ctx, `SELECT link FROM audit WHERE tenant = $1 AND n = $2`, func(r pgx.Rows) error {
		var link []byte
		err := r.Scan(&link)
		copy(end.Link[:], link)
		return err
	}, t.tenant, last)
	if err != nil {
		return 0, err
	}
	e, err := audit.NoteExpired(&c.Head, t.db.o.Now(), end)
	if err != nil {
		return 0, err
	}
	t.addEntries([]audit.Entry{e}, c.newest)
	t.setChain(&c)
	return last, t.flush(ctx)
}

// expireOnce removes about pruneStep rows of expired entries, the oldest first,
// and returns how many. Instances do it one after another: beside a step of another,
// which may end there, what a record says of people would be looked for in vain and
// outlive it.
func (t *session) expireOnce(ctx context.Context, through int64) (n int64, err error) {
	if _, err := t.locked(ctx); err != nil {
		return 0, err
	}
	var entries, changes []int64
	err = t.each(ctx, `SELECT n, CASE kind WHEN 0 THEN change ELSE 0 END FROM audit WHERE tenant = $1 AND n <= $2 ORDER BY n LIMIT $3`, func(r pgx.Rows) error {
		var n, change int64
		err := r.Scan(&n, &change)
		entries, changes = append(entries, n), append(changes, change)
		return err
	}, t.tenant, through, pruneStep)
	if err != nil || len(entries) == 0 {
		return 0, err
	}
	n, err = t.exec(ctx, `DELETE FROM changes_people WHERE tenant = $1 AND (change, person) IN (
		SELECT p.change, p.person FROM changes_people p WHERE p.tenant = $1 AND p.change = ANY($2::bigint[]) LIMIT $3)`, t.tenant, changes, pruneStep)
	if err != nil || n >= pruneStep {
		return n, err // more of these records may be left
	}
	t.later(`DELETE FROM changes WHERE tenant = $1 AND seq = ANY($2::bigint[])`, t.tenant, changes)
	m, err := t.exec(ctx, `DELETE FROM audit WHERE tenant = $1 AND n = ANY($2::bigint[])`, t.tenant, entries)
	return n + m, err
}
