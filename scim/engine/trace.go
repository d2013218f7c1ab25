package engine

import (
	"context"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

// mostNoted bounds the ids that one page or one change of members adds to what
// a request touched.
const mostNoted = 100

// watched returns the engine over a backend that notes in t what it is asked
// for and how long it takes. Without a Trace it is the engine itself.
func (e *Engine) watched(t *scim.Trace) *Engine {
	if t == nil || e.trace != nil {
		return e
	}
	w := *e
	w.trace = t
	b := &watch{b: e.backend, members: e.members, batcher: e.batcher, shaper: e.shaper, t: t}
	w.backend = b
	if e.members != nil {
		w.members = b
	}
	if e.batcher != nil {
		w.batcher = b
	}
	if e.shaper != nil {
		w.shaper = b
	}
	return &w
}

// spent returns the time that t accounts for so far.
func spent(t *scim.Trace) (sum time.Duration) {
	t.Note(func(n *scim.TraceNotes) { sum = n.Parse + n.Backend + n.Encode })
	return sum
}

// own notes what a request took beside what is accounted for: the engine's own
// work, which is to understand and to check it.
func (c *call) own(started time.Time, before time.Duration) {
	took := time.Since(started)
	c.e.trace.Note(func(n *scim.TraceNotes) {
		n.Parse += max(0, took-(n.Parse+n.Backend+n.Encode-before))
	})
}

// encoded notes what the making of a body took.
func encoded(t *scim.Trace, took time.Duration) {
	t.Note(func(n *scim.TraceNotes) { n.Encode += took })
}

// encoding begins the making of a body; what it returns ends it.
func (c *call) encoding() (end func()) {
	if c.e.trace == nil {
		return func() {}
	}
	started := time.Now()
	return func() { encoded(c.e.trace, time.Since(started)) }
}

// touch notes resources that an answer shows.
func (c *call) touch(list []*scim.Resource) {
	if c.e.trace == nil {
		return
	}
	c.e.trace.Note(func(n *scim.TraceNotes) {
		for _, r := range list[:min(len(list), mostNoted)] {
			n.Touch(r.ID)
		}
	})
}

// together makes the notes of an operation of a Bulk message those of the
// message: of what changed, only whom it touched.
func (c *call) together(op Response) {
	if c.e.trace == nil {
		return
	}
	c.e.trace.Note(func(n *scim.TraceNotes) {
		n.Before, n.After, n.Deltas, n.Members = nil, nil, nil, scim.Members{}
		if op.ID != "" {
			n.Touch(op.ID)
		}
	})
}

// watch is a backend of one request that is traced.
type watch struct {
	b       scim.Backend
	members scim.MemberUpdater
	batcher scim.Batcher
	shaper  scim.Shaper
	t       *scim.Trace
}

func (w *watch) took(started time.Time) {
	d := time.Since(started)
	w.t.Note(func(n *scim.TraceNotes) { n.Backend += d })
}

// Get implements scim.Backend.
func (w *watch) Get(ctx context.Context, ref scim.Ref, sel scim.Selection) (*scim.Resource, error) {
	defer w.took(time.Now())
	return w.b.Get(ctx, ref, sel)
}

// List implements scim.Backend.
func (w *watch) List(ctx context.Context, q scim.Query) (*scim.Page, error) {
	w.t.Note(func(n *scim.TraceNotes) {
		if n.Query == nil {
			n.Query, n.Filter = &q, q.Filter
		}
	})
	defer w.took(time.Now())
	return w.b.List(ctx, q)
}

// Create implements scim.Backend.
func (w *watch) Create(ctx context.Context, r *scim.Resource) (*scim.Resource, error) {
	started := time.Now()
	stored, err := w.b.Create(ctx, r)
	took := time.Since(started)
	w.t.Note(func(n *scim.TraceNotes) {
		n.Backend += took
		if err != nil {
			return
		}
		n.After = noted(stored, r)
		if m := r.Type.Membership(); m != nil {
			refs, _ := r.Attrs.Get(m.Name).([]scim.MemberRef)
			for _, ref := range refs[:min(len(refs), mostNoted)] {
				n.Touch(ref.ID)
			}
		}
	})
	return stored, err
}

// Update implements scim.Backend.
func (w *watch) Update(ctx context.Context, ch scim.Change) (*scim.Resource, error) {
	return w.change(ctx, ch, w.b.Update)
}

// UpdateMembers implements scim.MemberUpdater.
func (w *watch) UpdateMembers(ctx context.Context, ch scim.Change) (*scim.Resource, error) {
	return w.change(ctx, ch, w.members.UpdateMembers)
}

func (w *watch) change(ctx context.Context, ch scim.Change, update func(context.Context, scim.Change) (*scim.Resource, error)) (*scim.Resource, error) {
	started := time.Now()
	stored, err := update(ctx, ch)
	took := time.Since(started)
	w.t.Note(func(n *scim.TraceNotes) {
		n.Backend += took
		if err != nil {
			return
		}
		n.Before, n.After, n.Deltas = ch.Before, noted(stored, ch.After), ch.Deltas
		for _, ids := range [][]string{n.Members.Added, n.Members.Removed} { // those that the backend says
			n.Touch(ids[:min(len(ids), mostNoted)]...)
		}
		for _, d := range ch.Deltas {
			if d.Path.Attr == nil || !d.Path.Attr.Membership {
				continue
			}
			for _, list := range [][]any{d.Added, d.Removed} {
				for _, v := range list[:min(len(list), mostNoted)] {
					if ref, ok := v.(scim.MemberRef); ok {
						n.Touch(ref.ID)
					}
				}
			}
		}
	})
	return stored, err
}

// noted returns what was stored of sent, for the notes: whoever reads them does
// so when the request is over, and its members can't be read any more.
func noted(stored, sent *scim.Resource) *scim.Resource {
	r := *stored
	r.Type, r.Members = sent.Type, nil
	if r.Attrs == nil {
		r.Attrs = sent.Attrs
	}
	return &r
}

// Delete implements scim.Backend.
func (w *watch) Delete(ctx context.Context, ref scim.Ref, version string) error {
	defer w.took(time.Now())
	return w.b.Delete(ctx, ref, version)
}

// Batch implements scim.Batcher. What f does is accounted for by itself.
func (w *watch) Batch(ctx context.Context, f func(scim.Backend) error) error {
	started, inside := time.Now(), time.Duration(0)
	err := w.batcher.Batch(ctx, func(b scim.Backend) error {
		began := time.Now()
		defer func() { inside += time.Since(began) }()
		return f(b)
	})
	took := time.Since(started)
	w.t.Note(func(n *scim.TraceNotes) { n.Backend += took - inside })
	return err
}

// Shape implements scim.Shaper.
func (w *watch) Shape(ctx context.Context, ch *scim.Change) error {
	defer w.took(time.Now())
	return w.shaper.Shape(ctx, ch)
}
