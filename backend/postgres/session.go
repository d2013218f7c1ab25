package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rollcall-scim/rollcall/scim"
)

// session is one tenant seen through one connection, in one transaction unless
// it peeks. One goroutine at a time may use it.
type session struct {
	db     *DB
	store  *Store
	conn   *pgx.Conn
	tenant int32 // 0: not there yet
	slot   int16 // which row of counts this connection takes
	trace  *scim.Trace
	queue  []statement      // not sent yet
	counts map[string]int64 // by how much the transaction changes the number of resources of a type
	batch  *batch           // of which the session is, if any
	stage  stage

	moved    scim.Members // for the trace, once the transaction is committed: it may begin again
	readOnly bool         // the end of its transaction, if it has one, changes nothing, and may be cancelled and lost; all may begin again
	useless  bool         // the connection is not to be used again
}

// stage is how far the session's own transaction is.
type stage int

const (
	without   stage = iota // it has none
	under                  // under way
	finishing              // COMMIT is queued, or was sent
	committed
)

// slots is how many rows of counts a type has in a tenant, at most.
const slots = 64

// read runs f in a transaction in which all statements see the same moment. f
// may run again, if the connection was lost.
func (s *Store) read(ctx context.Context, f func(*session) error) error {
	return s.retried(ctx, func() error {
		return s.session(ctx, func(t *session) error {
			t.readOnly = true
			return t.transaction(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", f)
		})
	})
}

// peek runs f, which sends one statement, or several that need not be of one
// moment. f may run again, if the connection was lost.
func (s *Store) peek(ctx context.Context, f func(*session) error) error {
	return s.retried(ctx, func() error {
		return s.session(ctx, func(t *session) error {
			t.readOnly = true
			if err := f(t); err != nil {
				return err
			}
			return t.flush(ctx)
		})
	})
}

// write runs f in a transaction, all or nothing, and returns once it is
// durable. The tenant comes into being if it does not exist. f runs again, in a
// new transaction, where the database gave the first one up in favour of
// another, or the connection was lost before the commit was sent; whatever f
// sets outside the transaction it must set anew each time.
//
// BEGIN is sent with f's first statement, and COMMIT with those that f has
// queued last: an f that waits for nothing takes one round trip.
func (s *Store) write(ctx context.Context, f func(*session) error) error {
	return s.retried(ctx, func() error {
		return s.session(ctx, func(t *session) error {
			if err := t.found(ctx); err != nil {
				return err
			}
			return t.writing(ctx, f)
		})
	})
}

// writing runs f in a transaction that changes a tenant, which must be there.
func (t *session) writing(ctx context.Context, f func(*session) error) error {
	err := t.transaction(ctx, "BEGIN", func(t *session) error {
		t.later(aliveSQL, t.tenant)
		return f(t)
	})
	if code(err) == aliveCode {
		t.db.tenants.CompareAndDelete(t.store.tenant, t.tenant)
		return errRemoved
	}
	if m := t.moved; err == nil && len(m.Added)+len(m.Removed) > 0 {
		t.trace.Note(func(n *scim.TraceNotes) { n.Members = m })
	}
	return err
}

// transaction runs f between begin and COMMIT.
func (t *session) transaction(ctx context.Context, begin string, f func(*session) error) (err error) {
	defer func() {
		t.queue = nil
		if t.stage == committed || t.conn.IsClosed() || t.conn.PgConn().TxStatus() == 'I' {
			return
		}
		// The caller may have left, but the connection is still needed.
		over, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if _, e := t.exec(over, "ROLLBACK"); e != nil {
			_ = t.conn.Close(over)
		}
	}()
	t.later(begin)
	t.stage = under
	err = f(t)
	if err == nil && t.stage == under {
		if err = ctx.Err(); err == nil {
			t.finish()
			err = t.flush(ctx)
		}
	}
	var refused *pgconn.PgError
	switch {
	case t.stage == committed:
		return err // of f, which may not have found what it asked for
	case err == nil:
		return errors.New("postgres: the transaction was over before its commit")
	case t.readOnly, t.stage < finishing, errors.Is(err, errAborted), pgconn.SafeToRetry(err),
		// What the server says before it has answered the commit means that there
		// was none; but not what a proxy says in its place.
		errors.As(err, &refused) && !strings.HasPrefix(refused.Code, "08"):
		return err
	}
	return &unknown{err}
}

// finish queues the end of the session's own transaction: f of [Store.read] or
// [Store.write] may call it before it sends its last statements, and send
// nothing after them.
func (t *session) finish() {
	if t.stage == under && t.batch == nil {
		t.queueCounts()
		t.stage = finishing
		t.laterExec("COMMIT", func(int64) { t.stage = committed })
	}
}

// unknown is the error of a commit that was sent and not answered.
type unknown struct{ cause error }

func (e *unknown) Error() string { return "the answer to a commit was lost: " + e.cause.Error() }
func (e *unknown) Unwrap() error { return e.cause }

// session runs f on a connection of the pool.
func (s *Store) session(ctx context.Context, f func(*session) error) error {
	c, err := s.db.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	t := s.on(c)
	if t.tenant == 0 && s.pk == 0 {
		if err := t.lookUp(ctx); err != nil {
			return err
		}
	}
	t.trace = scim.TraceOf(ctx) // without what finds the tenant
	err = f(t)
	if t.useless && !t.conn.IsClosed() {
		over, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = t.conn.Close(over)
	}
	return err
}

func (s *Store) on(c *pgxpool.Conn) *session {
	t := &session{db: s.db, store: s, conn: c.Conn()}
	t.slot = int16(t.conn.PgConn().PID() % slots)
	if s.pk > 0 {
		if _, gone := s.db.gone.Load(s.pk); !gone {
			t.tenant = s.pk
		}
	} else if n, ok := s.db.tenants.Load(s.tenant); ok {
		t.tenant = n.(int32)
	}
	return t
}

// lookUp finds the tenant's number, if it has one.
func (t *session) lookUp(ctx context.Context) error {
	n, ok, err := t.one(ctx, `SELECT tenant FROM tenants WHERE name = $1 AND removed IS NULL`, escape(t.store.tenant))
	if err == nil && ok {
		t.tenant = int32(n)
		t.db.tenants.Store(t.store.tenant, t.tenant)
	}
	return err
}

// found gives the tenant a number, if it has none.
func (t *session) found(ctx context.Context) error {
	if t.tenant != 0 {
		return nil
	}
	if t.store.pk != 0 {
		return errRemoved
	}
	_, err := t.exec(ctx, `WITH made AS (INSERT INTO tenants (name) VALUES ($1) ON CONFLICT DO NOTHING RETURNING tenant)
		UPDATE revisions SET n = n + 1 WHERE tenant = 0 AND what = 'tenants' AND EXISTS (SELECT 1 FROM made)`, escape(t.store.tenant))
	if err == nil {
		err = t.lookUp(ctx)
	}
	if err == nil && t.tenant == 0 {
		err = errRemoved // the name is not free yet
	}
	return err
}

// Most times that a transaction begins again: after a deadlock or the like, and
// after a connection was lost. One whose plans are too old is replaced by
// another, which may be as old: all of them may be.
const (
	mostCollisions = 12
	mostLosses     = 2
)

// retried runs a whole transaction until it succeeds or must not be tried again.
func (s *Store) retried(ctx context.Context, try func() error) error {
	collisions, losses, olds := 0, 0, 0
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := try()
		var lost *unknown
		switch {
		case err == nil:
			return nil
		case collided(err) && collisions < mostCollisions:
			collisions++
		case !errors.As(err, &lost) && gone(err) && losses < mostLosses:
			losses++
		case outdated(err) && olds <= s.db.o.MaxConns:
			olds++
			continue
		case errors.Is(err, errNests): // it is known now
			continue
		default:
			return outward(ctx, err)
		}
		// Those that collided must not collide again at once.
		pause := time.Duration(rand.Int64N(int64(2*time.Millisecond) << min(collisions, 6)))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return outward(ctx, fmt.Errorf("%w: %w", ctx.Err(), err))
		}
	}
}
