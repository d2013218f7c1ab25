package sqlite

import (
	"context"
	"errors"

	"github.com/rollcall-scim/rollcall/scim"
)

// batch is the Backend of one call of Store.Batch. Its methods run at once, on
// the writer's goroutine, which is that of the function the caller gave.
type batch struct {
	*session
	open bool // the function has not returned yet
}

var (
	_ scim.Backend       = (*batch)(nil)
	_ scim.MemberUpdater = (*batch)(nil)
	_ scim.Importer      = (*batch)(nil)
)

// Batch implements scim.Batcher. f runs on the writer's goroutine: it must use
// the Backend that it is given, since a write to the Store itself would wait
// for f for ever.
func (s *Store) Batch(ctx context.Context, f func(scim.Backend) error) error {
	left := false
	err := s.write(ctx, func(t *session) error {
		b := &batch{session: t, open: true}
		t.batch = b
		defer func() { b.open, left = false, t.left }()
		if err := f(b); err != nil {
			return err
		}
		return ctx.Err()
	})
	if err == nil && left {
		s.db.spawn(s.db.finishDeletes)
	}
	return err
}

var errBatchOver = errors.New("sqlite: the batch is over")

// all runs f wholly or not at all.
func (b *batch) all(ctx context.Context, f func() error) error {
	if !b.open {
		return errBatchOver
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	defer b.following(ctx)()
	return b.end(ctx, b.w.savepoint(f))
}

// bare is all for an f that refuses before it writes anything.
func (b *batch) bare(ctx context.Context, f func() error) error {
	if !b.open {
		return errBatchOver
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	defer b.following(ctx)()
	return b.end(ctx, b.w.bare(f))
}

func (b *batch) end(ctx context.Context, err error) error {
	if b.AutocommitEnabled() || b.w.lost != nil {
		// The transaction is gone, and with it what the batch did before. The
		// writer sees it too, and fails the batch whatever f returns.
		return scim.Unavailable(err)
	}
	return outward(ctx, err)
}

// Create implements scim.Backend.
func (b *batch) Create(ctx context.Context, r *scim.Resource) (out *scim.Resource, err error) {
	err = b.bare(ctx, func() error {
		out, err = b.create(ctx, r)
		return err
	})
	return present(out, err)
}

// Get implements scim.Backend.
func (b *batch) Get(ctx context.Context, ref scim.Ref, sel scim.Selection) (out *scim.Resource, err error) {
	err = b.all(ctx, func() error {
		out, err = b.get(ctx, ref, sel)
		return err
	})
	return present(out, err)
}

// List implements scim.Backend.
func (b *batch) List(ctx context.Context, q scim.Query) (p *scim.Page, err error) {
	err = b.all(ctx, func() error {
		p, err = b.list(ctx, q)
		return err
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
		left, err := b.delete(ctx, ref, version)
		if left {
			b.left = true
		}
		return err
	})
}

// Import implements scim.Importer.
func (b *batch) Import(ctx context.Context, r *scim.Resource) error {
	return b.all(ctx, func() error { return b.importAs(ctx, r) })
}

// present is v, or nil with the error.
func present[T any](v *T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}
