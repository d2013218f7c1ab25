package postgres

import (
	"context"
	"errors"
	"maps"

	"github.com/rollcall-scim/rollcall/scim"
)

// batch is the Backend of one call of Store.Batch. Its methods run in one
// transaction, each in its own savepoint.
type batch struct {
	*session
	open bool // the function has not returned yet
	left bool // a delete has left rows for later
	odd  bool // which savepoint the last operation had
}

var (
	_ scim.Backend       = (*batch)(nil)
	_ scim.MemberUpdater = (*batch)(nil)
	_ scim.Importer      = (*batch)(nil)
)

// Batch implements scim.Batcher. f runs once, whatever becomes of it: the
// database may give an operation up in favour of another transaction, which is
// then tried again by itself, but not the batch.
func (s *Store) Batch(ctx context.Context, f func(scim.Backend) error) error {
	begun, left := false, false
	var done error // what became of the batch, once f has been called
	err := s.retried(ctx, func() error {
		if begun {
			return done
		}
		return s.session(ctx, func(t *session) error {
			if err := t.found(ctx); err != nil {
				return err
			}
			done = t.writing(ctx, func(t *session) error {
				t.alone(ctx, nil)
				if err := t.flush(ctx); err != nil { // so that f finds a connection that works
					return err
				}
				begun = true
				b := &batch{session: t, open: true}
				t.batch = b
				defer func() { b.open, t.batch, left = false, nil, b.left }()
				return f(b)
			})
			if begun {
				return nil
			}
			return done
		})
	})
	if err == nil {
		err = outward(ctx, done)
	}
	if err == nil && left {
		s.db.spawn(s.db.finishDeletes)
	}
	return err
}

var errBatchOver = errors.New("postgres: the batch is over")

// mostRepeats is how often an operation of a batch begins again when the
// database gives it up in favour of another transaction.
const mostRepeats = 3

// all runs f wholly or not at all.
func (b *batch) all(ctx context.Context, f func() error) error {
	if !b.open {
		return errBatchOver
	}
	before := b.trace
	b.trace = scim.TraceOf(ctx)
	defer func() { b.trace = before }()
	for try := 0; ; try++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		counts, name := maps.Clone(b.counts), b.savepoint()
		b.later("SAVEPOINT " + name)
		err := f()
		if err == nil {
			b.later("RELEASE SAVEPOINT " + name) // sent with what comes next
			return nil
		}
		b.queue, b.counts = nil, counts
		if b.conn.IsClosed() || b.conn.PgConn().TxStatus() == 'I' {
			return outward(ctx, err) // the transaction is gone; its end will tell
		}
		over, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectTimeout)
		_, e := b.exec(over, "ROLLBACK TO SAVEPOINT "+name) // alone: until then nothing else is accepted
		cancel()
		if e != nil {
			return outward(ctx, e)
		}
		b.later("RELEASE SAVEPOINT " + name)
		if !collided(err) || try == mostRepeats {
			return outward(ctx, err)
		}
	}
}

// savepoint returns the name of the next one. It differs from the one before,
// whose release may not have been sent: an operation that fails before anything
// of it is sent must not undo that one.
func (b *batch) savepoint() string {
	if b.odd = !b.odd; b.odd {
		return "one"
	}
	return "two"
}

// Create implements scim.Backend.
func (b *batch) Create(ctx context.Context, r *scim.Resource) (*scim.Resource, error) {
	c := b.db.fresh(ctx, r)
	return present(c.row.r, b.all(ctx, func() error { return b.create(ctx, c) }))
}

// Get implements scim.Backend.
func (b *batch) Get(ctx context.Context, ref scim.Ref, sel scim.Selection) (out *scim.Resource, err error) {
	err = b.all(ctx, func() error {
		row, err := b.get(ctx, ref, sel)
		if err == nil {
			out = row.r
		}
		return err
	})
	return present(out, err)
}

// List implements scim.Backend.
func (b *batch) List(ctx context.Context, q scim.Query) (p *scim.Page, err error) {
	err = b.all(ctx, func() error {
		b.queueCounts()
		if p, err = b.list(ctx, q); err != nil {
			return err
		}
		return b.flush(ctx)
	})
	return present(p, err)
}

// Update implements scim.Backend.
func (b *batch) Update(ctx context.Context, c scim.Change) (out *scim.Resource, err error) {
	err = b.all(ctx, func() error {
		out, err = b.update(ctx, c)
		return err
	})
	return present(out, err)
}

// UpdateMembers implements scim.MemberUpdater.
func (b *batch) UpdateMembers(ctx context.Context, c scim.Change) (out *scim.Resource, err error) {
	err = b.all(ctx, func() error {
		out, err = b.updateMembers(ctx, c)
		return err
	})
	return present(out, err)
}

// Delete implements scim.Backend. What a great many rows refer to is finished
// after the batch.
func (b *batch) Delete(ctx context.Context, ref scim.Ref, version string) error {
	return b.all(ctx, func() error {
		tombstone, err := b.delete(ctx, ref, version)
		if err == nil {
			err = b.flush(ctx)
		}
		b.left = b.left || err == nil && tombstone != 0
		return err
	})
}

// Import implements scim.Importer.
func (b *batch) Import(ctx context.Context, r *scim.Resource) error {
	c, err := b.db.imported(ctx, r)
	if err != nil {
		return err
	}
	return b.all(ctx, func() error { return b.create(ctx, c) })
}
