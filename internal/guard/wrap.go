package guard

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

// guarded is a directory whose writes are watched.
type guarded struct {
	Directory
	g     *Guard
	rules *rules
}

// Unwrap returns the directory itself, for what operators do.
func (d *guarded) Unwrap() Directory { return d.Directory }

// Create implements scim.Backend. What can be told without the store is told at
// once: creates share transactions.
func (d *guarded) Create(ctx context.Context, r *scim.Resource) (*scim.Resource, error) {
	return d.watched(ctx, false, func(ctx context.Context) (*scim.Resource, error) { return d.create(ctx, d.Directory, r) })
}

// Update implements scim.Backend.
func (d *guarded) Update(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	if !d.rules.needed(c) {
		return d.Directory.Update(ctx, c)
	}
	return d.watched(ctx, false, func(ctx context.Context) (*scim.Resource, error) { return d.Directory.Update(ctx, c) })
}

// UpdateMembers implements scim.MemberUpdater.
func (d *guarded) UpdateMembers(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	return d.watched(ctx, false, func(ctx context.Context) (*scim.Resource, error) { return d.Directory.UpdateMembers(ctx, c) })
}

// Delete implements scim.Backend.
func (d *guarded) Delete(ctx context.Context, ref scim.Ref, version string) error {
	_, err := d.watched(ctx, false, func(ctx context.Context) (*scim.Resource, error) {
		return nil, d.Directory.Delete(ctx, ref, version)
	})
	return err
}

// Batch implements scim.Batcher.
func (d *guarded) Batch(ctx context.Context, f func(scim.Backend) error) error {
	return d.Directory.Batch(with(ctx, &Watch{rules: d.rules}), func(b scim.Backend) error {
		return f(&inside{Backend: b, d: d})
	})
}

// inside is the backend of a batch.
type inside struct {
	scim.Backend
	d *guarded
}

func (b *inside) Create(ctx context.Context, r *scim.Resource) (*scim.Resource, error) {
	return b.d.watched(ctx, true, func(ctx context.Context) (*scim.Resource, error) { return b.d.create(ctx, b.Backend, r) })
}

func (b *inside) Update(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	return b.d.watched(ctx, true, func(ctx context.Context) (*scim.Resource, error) { return b.Backend.Update(ctx, c) })
}

// UpdateMembers implements scim.MemberUpdater: what a Directory batches has it.
func (b *inside) UpdateMembers(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	m, ok := b.Backend.(scim.MemberUpdater)
	if !ok {
		return nil, errors.New("guard: a batch can't update members")
	}
	return b.d.watched(ctx, true, func(ctx context.Context) (*scim.Resource, error) { return m.UpdateMembers(ctx, c) })
}

func (b *inside) Delete(ctx context.Context, ref scim.Ref, version string) error {
	_, err := b.d.watched(ctx, true, func(ctx context.Context) (*scim.Resource, error) {
		return nil, b.Backend.Delete(ctx, ref, version)
	})
	return err
}

// create stores a resource that nobody can change before it is there: only its
// members have to be looked at in the transaction.
func (d *guarded) create(ctx context.Context, b scim.Backend, r *scim.Resource) (*scim.Resource, error) {
	w, e := &Watch{rules: d.rules}, Effect{Type: r.Type, After: r}
	if err := w.spare(e); err != nil {
		return nil, err
	}
	if err := w.promote(ctx, nil, e); err != nil {
		return nil, err
	}
	return b.Create(ctx, r)
}

// watched sends a Watch with a write, and tells what came of it, unless it is only
// tried out.
func (d *guarded) watched(ctx context.Context, inBatch bool, write func(context.Context) (*scim.Resource, error)) (*scim.Resource, error) {
	if scim.IsUndo(ctx) { // it takes from nobody what he had before the request
		return write(ctx)
	}
	w := &Watch{rules: d.rules}
	out, err := write(with(ctx, w))
	if scim.IsPreview(ctx) {
		return out, err
	}
	if err == nil {
		if w.over != nil {
			d.g.happened(ctx, *w.over)
		}
		return out, nil
	}
	var why *refusal
	if errors.As(err, &why) {
		d.g.happened(ctx, why.Event)
	}
	var h *held
	if errors.As(err, &h) {
		d.g.held(ctx, d.Directory, h, inBatch)
	}
	return nil, err
}

// held is the cause of the error of a change that is held.
type held struct {
	refusal
	what string
	by   State
}

func (h *held) Unwrap() error { return &h.refusal }

func heldError(e Event, retry time.Duration, what string, by State) error {
	return &scim.Error{Status: 429, Detail: e.Detail, RetryAfter: retry, Err: &held{refusal{e}, what, by}}
}
