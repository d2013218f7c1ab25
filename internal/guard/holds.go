package guard

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

// holdEvery is how often what was held is written down: a client that is held may
// send thousands of requests.
const holdEvery = time.Second

// writeLimit is how long writing it down may take.
const writeLimit = 2 * time.Second

// holds is what was held of one tenant and is not written down yet.
type holds struct {
	store   Store
	pending Hold
	written time.Time
}

// held notes a change that was held: at once if none was within a second.
func (g *Guard) held(ctx context.Context, s Store, why *held, inBatch bool) {
	tenant := why.Tenant
	now := g.o.Now().UTC().Truncate(time.Millisecond)
	g.mu.Lock()
	h := g.holds[tenant]
	if h == nil {
		h = &holds{}
		g.holds[tenant] = h
	}
	h.store = s
	p := &h.pending
	this := Hold{First: now, Floor: why.by.Floor, Until: why.by.Approval.Until}
	if p.Requests == 0 || !p.as(this) { // what was held before an operator decided is forgotten
		*p = this
	}
	p.Requests++
	p.Last, p.People, p.Actor, p.What = now, why.People, scim.OriginOf(ctx).Actor, why.what
	due := now.Sub(h.written) >= holdEvery
	g.mu.Unlock()
	// Inside a batch the store is busy with it: Run writes it down.
	if due && !inBatch {
		g.writeHold(context.WithoutCancel(ctx), tenant)
	}
}

// writeHolds writes down what is pending.
func (g *Guard) writeHolds(ctx context.Context, all bool) {
	now := g.o.Now()
	var due []string
	g.mu.Lock()
	for name, h := range g.holds {
		switch old := now.Sub(h.written); {
		case h.pending.Requests > 0 && (all || old >= holdEvery):
			due = append(due, name)
		case h.pending.Requests == 0 && old > pruneEvery:
			delete(g.holds, name)
		}
	}
	g.mu.Unlock()
	for _, name := range due {
		g.writeHold(ctx, name)
	}
}

func (g *Guard) writeHold(ctx context.Context, tenant string) {
	g.mu.Lock()
	h := g.holds[tenant]
	if h == nil || h.pending.Requests == 0 {
		g.mu.Unlock()
		return
	}
	p := h.pending
	h.pending, h.written = Hold{}, g.o.Now()
	store := h.store
	g.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	err := store.NoteHeld(ctx, p)
	var refused *scim.Error
	switch {
	case err == nil:
	case errors.As(err, &refused) && refused.Status == 404: // the tenant was removed meanwhile
	default:
		g.o.Logger.Warn("guard: what was held was not written down; it is tried again", "tenant", tenant, "requests", p.Requests, "error", err)
		g.keepHold(tenant, store, p)
	}
}

// keepHold gives back what could not be written down, beside what was held
// meanwhile.
func (g *Guard) keepHold(tenant string, store Store, p Hold) {
	g.mu.Lock()
	defer g.mu.Unlock()
	h := g.holds[tenant]
	if h == nil {
		h = &holds{store: store, written: g.o.Now()}
		g.holds[tenant] = h
	}
	if later := h.pending; later.Requests > 0 {
		first, n, same := p.First, p.Requests, p.as(later)
		if p = later; same {
			p.First, p.Requests = first, later.Requests+n
		}
	}
	h.pending = p
}
