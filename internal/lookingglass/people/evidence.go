package people

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// evidence is what the recorder saw of people and groups by the names that
// clients gave them: requests that failed, deletions, and who was called so; but for
// previews. It grows with what the recorder keeps, not with the directory, and is
// read on from where it was.
type evidence struct {
	last   int64          // Seq up to which exchanges were looked at
	later  map[int64]bool // Seq of those beyond that were too: more may come between them
	oldest time.Time
	by     map[string][]clue // folded names and addresses
	had    map[string]bearer // who has such a name, or had it, by type and name
}

// bearer is a resource that a client gave a value.
type bearer struct {
	id, path string
	seq      int64
	time     time.Time
}

// clue is one such exchange.
type clue struct {
	seq     int64
	time    time.Time
	client  string
	kind    string
	actor   string
	op      string
	typ     string // of the resource
	target  string
	status  int
	detail  string
	section string
	advice  []lookingglass.Advice
}

// mostClues bounds what is kept of one name: the latest.
const mostClues = 10

// evidencePage is how many exchanges are read at once.
const evidencePage = 200

// The bounds of what is known of writes that succeeded: how many are read at
// first, the latest, and how many names are kept.
const (
	mostWrites = 20_000
	mostNamed  = 100_000
)

// clues returns what is known of a name, the oldest first.
func (d *Desk) clues(ctx context.Context, name string) ([]clue, error) {
	if d.s.Log == nil {
		return nil, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.gather(ctx); err != nil {
		return nil, err
	}
	oldest := d.since()
	return slices.DeleteFunc(slices.Clone(d.evidence.by[foldName(name)]), func(c clue) bool { return c.time.Before(oldest) }), nil
}

// bearer returns who has a value, or had it, as far as the records go back; the
// zero bearer if nobody is known to.
func (d *Desk) bearer(ctx context.Context, typ, value string) (bearer, error) {
	if d.s.Log == nil {
		return bearer{}, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.gather(ctx); err != nil {
		return bearer{}, err
	}
	b := d.evidence.had[typ+" "+foldName(value)]
	if b.id == "" || b.time.Before(d.since()) {
		return bearer{}, nil
	}
	if ok, err := d.kept(ctx, b.seq); !ok || err != nil {
		return bearer{}, err
	}
	return b, nil
}

// kept reports whether the recorder still has an exchange. What is known of it
// here counts no longer where it was erased, be it by another instance.
func (d *Desk) kept(ctx context.Context, seq int64) (bool, error) {
	list, err := d.s.Log.Find(ctx, lookingglass.Query{After: seq - 1, Before: seq + 1, Limit: 1})
	return len(list) > 0, err
}

// gather reads what came since it was called last.
func (d *Desk) gather(ctx context.Context) error {
	e := &d.evidence
	if e.by == nil {
		e.by, e.had, e.later = map[string][]clue{}, map[string]bearer{}, map[int64]bool{}
	}
	// More comes while it reads: what is not older than this may be read in part.
	newest, err := d.s.Log.Find(ctx, lookingglass.Query{After: e.last, Limit: 1})
	if err != nil {
		return err
	}
	if len(newest) == 0 {
		e.forget(d.since())
		return nil
	}
	settled := min(newest[0].Seq, d.s.Log.Settled())
	fresh, seen := []saying(nil), map[int64]bool{}
	read := func(q lookingglass.Query, most int) error {
		q.Limit = evidencePage
		for n := 0; n < most; n += evidencePage {
			list, err := d.s.Log.Find(ctx, q)
			if err != nil {
				return err
			}
			for _, x := range list {
				if !e.later[x.Seq] && !seen[x.Seq] {
					seen[x.Seq] = true
					fresh = append(fresh, sayings(x)...)
				}
			}
			if len(list) < evidencePage {
				return nil
			}
			if end := list[len(list)-1].Seq; q.Oldest {
				q.After = end
			} else {
				q.Before = end
			}
		}
		return nil
	}
	done := lookingglass.Query{Writes: true, Status: "2xx"}
	most := mostWrites
	if e.last > 0 {
		done.After, done.Oldest, most = e.last, true, math.MaxInt
	}
	if err := errors.Join(read(lookingglass.Query{Status: "error", After: e.last, Oldest: true}, math.MaxInt), read(done, most)); err != nil {
		return err
	}
	slices.SortStableFunc(fresh, func(a, b saying) int { return cmp.Compare(a.seq, b.seq) })
	for _, s := range fresh {
		e.note(s)
	}
	e.last = max(e.last, settled)
	maps.DeleteFunc(e.later, func(seq int64, _ bool) bool { return seq <= e.last })
	for seq := range seen {
		if seq > e.last {
			e.later[seq] = true
		}
	}
	e.forget(d.since())
	return nil
}

// note keeps what was said under every name that it gives.
func (e *evidence) note(s saying) {
	for _, c := range s.by {
		if s.status < 300 && s.target != "" {
			if len(e.had) >= mostNamed {
				e.thin()
			}
			e.had[s.typ+" "+c.name] = bearer{s.target, c.path, s.seq, s.time}
		}
		if s.status >= 400 || s.op == "delete" {
			list := append(e.by[c.name], s.clue)
			e.by[c.name] = list[max(0, len(list)-mostClues):]
		}
	}
}

// thin removes the older half of who had a name.
func (e *evidence) thin() {
	var seqs []int64
	for _, b := range e.had {
		seqs = append(seqs, b.seq)
	}
	slices.Sort(seqs)
	maps.DeleteFunc(e.had, func(_ string, b bearer) bool { return b.seq <= seqs[len(seqs)/2] })
}

// forget removes, now and then, what the recorder no longer has.
func (e *evidence) forget(oldest time.Time) {
	if oldest.Sub(e.oldest) < time.Hour {
		return
	}
	e.oldest = oldest
	maps.DeleteFunc(e.had, func(_ string, b bearer) bool { return b.time.Before(oldest) })
	for name, list := range e.by {
		if list = slices.DeleteFunc(list, func(c clue) bool { return c.time.Before(oldest) }); len(list) == 0 {
			delete(e.by, name)
		} else {
			e.by[name] = list
		}
	}
}

var userName = func() *scim.Attribute {
	for _, t := range schema.Core() {
		if a := t.Schema.Attribute(byName); a != nil {
			return a
		}
	}
	return &scim.Attribute{Name: byName, Type: scim.TypeString}
}()

// foldName returns the form in which names are compared, whatever attribute
// they are of.
func foldName(s string) string { return scim.Fold(userName, clean(s)) }
