package sqlite

import (
	"context"
	"time"

	"zombiezen.com/go/sqlite"
)

// Load is how much the connections that read are used, at this moment.
type Load struct {
	InUse, Idle, Most int
	Waits             int64         // how often one had to be waited for
	Waited            time.Duration // for them, together
}

// Load returns how much the connections that read are used.
func (db *DB) Load() Load {
	p := db.readers
	idle := len(p.places)
	return Load{InUse: cap(p.places) - idle, Idle: idle, Most: cap(p.places), Waits: p.waits.Load(), Waited: time.Duration(p.waited.Load())}
}

// Unsealed returns when the oldest change was made that is not in the chain of
// its tenant's audit log yet; the zero time if all are.
func (db *DB) Unsealed(ctx context.Context) (oldest time.Time, err error) {
	err = db.peek(ctx, func(t *session) error {
		return t.each(`SELECT coalesce(min((SELECT c.time FROM changes c WHERE c.tenant = n.pk AND c.seq > coalesce(h.sealed, 0) ORDER BY c.seq LIMIT 1)), 0)
			FROM tenants n LEFT JOIN audit_heads h ON h.tenant = n.pk WHERE n.removed IS NULL`, func(st *sqlite.Stmt) error {
			oldest = fromMillis(st.ColumnInt64(0))
			return nil
		})
	})
	return oldest, err
}
