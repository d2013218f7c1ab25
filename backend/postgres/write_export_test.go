package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/scim"
)

// Prune runs what the program runs every hour.
func (db *DB) Prune(ctx context.Context) error { return db.prune(ctx) }

// ExpireStep runs the first step of what removes changes from before oldest, and
// calls hold before it commits.
func (db *DB) ExpireStep(ctx context.Context, tenant string, oldest int64, hold func()) error {
	s, through := db.Tenant(tenant), int64(0)
	err := s.write(ctx, func(t *session) (err error) {
		through, err = t.declare(ctx, oldest)
		return err
	})
	if err != nil {
		return err
	}
	return s.write(ctx, func(t *session) error {
		_, err := t.expireOnce(ctx, through)
		hold()
		return err
	})
}

// FinishDeletes runs what the program runs every half minute.
func (db *DB) FinishDeletes() { db.finishDeletes() }

// Bury runs the first transaction of a delete, but not the slices that follow.
func (db *DB) Bury(ctx context.Context, tenant string, ref scim.Ref) error {
	return db.Tenant(tenant).write(ctx, func(t *session) error {
		_, err := t.delete(ctx, ref, "")
		return err
	})
}

// HoldName claims a userName in a transaction that ends with release.
func (db *DB) HoldName(ctx context.Context, tenant, name string) (held <-chan struct{}, release func()) {
	in, out := make(chan struct{}), make(chan struct{})
	db.spawn(func() {
		_ = db.Tenant(tenant).write(ctx, func(t *session) error {
			_, err := t.exec(ctx, `INSERT INTO uniq (tenant, type, path, text, res) VALUES ($1, 'User', 'userName', $2, 0)`, t.tenant, name)
			if err != nil {
				return err
			}
			close(in)
			<-out
			return context.Canceled
		})
	})
	return in, func() { close(out) }
}

// Waiting returns how many creates wait for one that is under way.
func (db *DB) Waiting(tenant, typ string) int {
	v := db.Tenant(tenant).convoy(typ)
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.waiting)
}

// HoldCreates keeps creates of a type waiting until depart is called: those that
// wait then go together.
func (db *DB) HoldCreates(tenant, typ string) (depart func()) {
	v := db.Tenant(tenant).convoy(typ)
	add := func(lanes int) {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.lanes += lanes
		v.next()
	}
	add(-1000)
	return func() { add(1000) }
}

// ExecIn runs a statement in the transaction of a batch.
func ExecIn(ctx context.Context, b scim.Backend, query string) error {
	return b.(*batch).eachFiltered(ctx, query, nil, nil)
}

// Exec runs a statement.
func (db *DB) Exec(ctx context.Context, query string, args ...any) error {
	return db.Tenant("").peek(ctx, func(t *session) error {
		return t.eachFiltered(ctx, query, args, func(pgx.Rows) error { return nil })
	})
}
