// Package guard keeps clients with good credentials from doing great harm:
// people and groups that they may not touch, power that they may not give, a
// breaker for changes that take something from many people at once, and bounds
// on how many requests they may send.
//
// What a write may do is decided inside the transaction of the store, on the
// resources as they are there: [Guard.Wrap] sends a [Watch] along with each
// write, and the store asks it, see [Tx]. What operators do goes past it.
package guard

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
)

// Directory is a tenant's store whose writes can be guarded.
type Directory interface {
	scim.Backend
	scim.MemberUpdater
	scim.Batcher
	scim.Importer
	scim.Pinger
	scim.ChangeFeed
	scim.Undeleter
	Store
}

// Kind is what a guard has done. There are few, so that they can be labels of
// metrics.
type Kind string

// The kinds of events.
const (
	Protected Kind = "protected" // a change of what is protected was refused
	Promoted  Kind = "promotion" // power that clients may not give was refused
	Held      Kind = "held"      // the breaker refused a change
	Over      Kind = "over"      // the breaker would have refused one, and only warns
)

// Kinds are all kinds of events.
func Kinds() []Kind { return []Kind{Protected, Promoted, Held, Over} }

// Event is something that a guard has done.
type Event struct {
	Kind   Kind
	Tenant string
	Origin scim.Origin // who asked for it
	Detail string      // what the client was told, or would have been
	People int         // that were changed within the window, with this change; of the breaker
	Limit  int         // of the breaker
}

// Options configures a Guard. The zero value works.
type Options struct {
	Logger *slog.Logger // nil: slog.Default()

	// Observe is told of each event. It must not block, and not use the store.
	// nil: nobody is.
	Observe func(Event)

	// Now is the clock of the log's own brakes; what is counted has that of the
	// store. nil: time.Now.
	Now func() time.Time
}

// Guard guards the directories of a server's tenants. Safe for concurrent use.
type Guard struct {
	o Options

	mu    sync.Mutex
	holds map[string]*holds // by tenant
	said  map[string]time.Time
}

// New returns a Guard.
func New(o Options) *Guard {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Guard{o: o, holds: map[string]*holds{}, said: map[string]time.Time{}}
}

// Wrap returns the directory with what the tenant's settings say about its
// writes; t nil is the default tenant without settings, and types are those that
// it is served with. Where they say nothing it is the directory itself. Reads go
// past it, and so do Import and Restore, which are not for clients.
func (g *Guard) Wrap(t *tenant.Tenant, d Directory, types []*scim.ResourceType) Directory {
	r := rulesOf(t, types)
	if r == nil {
		return d
	}
	return &guarded{Directory: d, g: g, rules: r}
}

// sayEvery is how often the log tells of one kind of event of one tenant: a mass
// change has thousands.
const sayEvery = time.Minute

// happened logs an event and tells the observer.
func (g *Guard) happened(ctx context.Context, e Event) {
	e.Origin = scim.OriginOf(ctx)
	if g.o.Observe != nil {
		g.o.Observe(e)
	}
	now, key := g.o.Now(), string(e.Kind)+" "+e.Tenant
	g.mu.Lock()
	quiet := now.Sub(g.said[key]) < sayEvery && !g.said[key].IsZero()
	if !quiet {
		if len(g.said) > 10_000 {
			clear(g.said)
		}
		g.said[key] = now
	}
	g.mu.Unlock()
	if quiet {
		return
	}
	attrs := []any{"kind", string(e.Kind), "tenant", e.Tenant, "actor", e.Origin.Actor, "id", e.Origin.RequestID}
	if e.Limit > 0 {
		attrs = append(attrs, "people", e.People, "limit", e.Limit)
	}
	text := map[Kind]string{
		Protected: "a change of what is protected was refused; more within a minute are not logged",
		Promoted:  "power that clients may not give was refused; more within a minute are not logged",
		Held:      "a mass change is held: rollcall breaker show tells more, rollcall breaker approve lets it pass",
		Over:      "a mass change is under way; with breaker.mode=hold it would have been held",
	}[e.Kind]
	g.o.Logger.Warn("guard: "+text, attrs...)
}

// pruneEvery is how often what no window reaches is forgotten, and longestWindow
// the longest that settings permit.
const (
	pruneEvery    = time.Hour
	longestWindow = 7 * 24 * time.Hour
)

// Run writes down what was held, and forgets what is too old, until ctx ends.
// stores are asked for each time: the tenants that there are.
func (g *Guard) Run(ctx context.Context, stores func(context.Context) ([]Store, error)) {
	write, prune := time.NewTicker(holdEvery), time.NewTicker(pruneEvery)
	defer write.Stop()
	defer prune.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			g.writeHolds(last, true)
			cancel()
			return
		case <-write.C:
			g.writeHolds(ctx, false)
		case <-prune.C:
			if err := prunes(ctx, stores, g.o.Now().Add(-longestWindow)); err != nil && ctx.Err() == nil {
				g.o.Logger.Warn("guard: what is too old was not forgotten; it is tried again later", "error", err)
			}
		}
	}
}

func prunes(ctx context.Context, stores func(context.Context) ([]Store, error), before time.Time) error {
	list, err := stores(ctx)
	for _, s := range list {
		if err == nil {
			err = s.PruneBreaker(ctx, before)
		}
	}
	return err
}
