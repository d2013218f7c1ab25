package lookingglass

import (
	"context"
	"maps"
	"sync"
	"time"
)

// Sought is a value that clients looked for.
type Sought struct {
	Lookup
	Client Client    `json:"client"` // the last
	First  time.Time `json:"first"`
	Last   time.Time `json:"last"`
	Times  int       `json:"times"`
}

// Sought returns the lookups for a value of any attribute, compared folded, the
// latest first; those that found nothing are kept as long as the journal.
func (r *Recorder) Sought(ctx context.Context, value string) ([]Sought, error) {
	return r.soughtOf(ctx, r.o.Tenant, value)
}

func (r *Recorder) soughtOf(ctx context.Context, tenant, value string) ([]Sought, error) {
	if r.journal == nil {
		return r.lookups.of(tenant, foldValue(value)), ctx.Err()
	}
	if err := r.written(ctx); err != nil {
		return nil, err
	}
	return r.journal.soughtBy(ctx, tenant, foldValue(value))
}

// AllSought returns all lookups that are kept, the latest first, at most limit
// (0: 10,000): for who compares many people at once.
func (r *Recorder) AllSought(ctx context.Context, limit int) ([]Sought, error) {
	return r.allSoughtOf(ctx, r.o.Tenant, limit)
}

func (r *Recorder) allSoughtOf(ctx context.Context, tenant string, limit int) ([]Sought, error) {
	if limit <= 0 {
		limit = mostLookups
	}
	if r.journal == nil {
		list := r.lookups.of(tenant, "")
		return list[:min(len(list), limit)], ctx.Err()
	}
	if err := r.written(ctx); err != nil {
		return nil, err
	}
	return r.journal.soughtAll(ctx, tenant, limit)
}

// written waits until what was recorded is in the journal; for a database that
// others use as well only a moment.
func (r *Recorder) written(ctx context.Context) error {
	if r.shared != nil {
		r.shared.own(ctx)
		return ctx.Err()
	}
	return r.journal.flush(ctx)
}

// lookups is what was looked for, in memory.
type lookups struct {
	mu  sync.Mutex
	all map[lookupKey]*Sought
}

type lookupKey struct{ tenant, attribute, folded string }

// add counts the lookup of x, if it is one. When there are too many, those that
// found something go, and then the older half.
func (l *lookups) add(x *Exchange) {
	if x.Lookup == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[lookupKey]*Sought{}
	}
	key := lookupKey{x.Tenant, x.Lookup.Attribute, foldValue(x.Lookup.Value)}
	s := l.all[key]
	if s == nil {
		if len(l.all) >= mostLookups {
			l.thin()
		}
		s = &Sought{First: x.Time}
		l.all[key] = s
	}
	s.Lookup, s.Client, s.Last = *x.Lookup, x.Client, x.Time
	s.Times++
}

func (l *lookups) thin() {
	for key, s := range l.all {
		if s.Found > 0 {
			delete(l.all, key)
		}
	}
	if len(l.all) < mostLookups/2 {
		return
	}
	var list []Sought
	for _, s := range l.all {
		list = append(list, *s)
	}
	middle := latest(list)[len(list)/2].Last
	for key, s := range l.all {
		if !s.Last.After(middle) {
			delete(l.all, key)
		}
	}
}

// forget removes those of a tenant.
func (l *lookups) forget(tenant string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.all, func(k lookupKey, _ *Sought) bool { return k.tenant == tenant })
}

// of returns the lookups of a tenant for a folded value, or all for "".
func (l *lookups) of(tenant, folded string) []Sought {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []Sought
	for key, s := range l.all {
		if key.tenant == tenant && (folded == "" || key.folded == folded) {
			list = append(list, *s)
		}
	}
	return latest(list)
}
