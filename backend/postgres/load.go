package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Load is how much the connections of the pool are used, at this moment.
type Load struct {
	InUse, Idle, Most int
	Waits             int64         // how often one had to be waited for
	Waited            time.Duration // for them, together
}

// Load returns how much the connections are used.
func (db *DB) Load() Load {
	s := db.pool.Stat()
	return Load{InUse: int(s.AcquiredConns()), Idle: int(s.IdleConns()), Most: int(s.MaxConns()), Waits: s.EmptyAcquireCount(), Waited: s.EmptyAcquireWaitTime()}
}

// Unsealed returns when the oldest change was made that is not in the chain of
// its tenant's audit log yet; the zero time if all are.
func (db *DB) Unsealed(ctx context.Context) (oldest time.Time, err error) {
	err = db.whole().peek(ctx, func(t *session) error {
		return t.each(ctx, `SELECT coalesce(min((SELECT c.time FROM changes c WHERE c.tenant = n.tenant AND c.seq > coalesce(h.sealed, 0)
			AND NOT EXISTS (SELECT 1 FROM audit a WHERE a.tenant = n.tenant AND a.kind = 0 AND a.change = c.seq) ORDER BY c.seq LIMIT 1)), 0)
			FROM tenants n LEFT JOIN audit_heads h ON h.tenant = n.tenant WHERE n.removed IS NULL`, func(r pgx.Rows) error {
			var made int64
			err := r.Scan(&made)
			oldest = fromMillis(made)
			return err
		})
	})
	return oldest, err
}
