package tenant

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Options configures a Registry. The zero value works.
type Options struct {
	Now    func() time.Time // what expiry is compared with; nil: time.Now
	Poll   time.Duration    // how often the store is asked whether something changed; 0: 1 s
	Logger *slog.Logger     // nil: slog.Default()

	Tokens  int // kept in memory, at most; 0: 10,000
	Tenants int // kept in memory, at most; 0: 2,000
}

// Registry answers who may call, and how a tenant is served, and changes both.
// Safe for concurrent use.
//
// What was asked for before is answered from memory, as long as it is certain
// that the store's revision was the same at most two polls ago: what another
// program changes holds here by then, and what is changed through the Registry
// at once. Texts that are no token never reach the store, however many there
// are: it is asked once, after each change, for the beginnings of all hashes.
type Registry struct {
	store Store
	o     Options

	asking chan struct{} // held by who asks the store whether something changed

	mu         sync.Mutex
	generation uint64    // of what follows: another one whenever it is dropped
	revision   int64     // of the store
	polled     time.Time // when that was so; zero: not known
	index      *Index    // sorted; nil: not loaded
	tokens     *lru[Hash, *Token]
	tenants    *lru[string, *Tenant]
	usage      usage
}

// heaviestTenants bounds what the settings in memory weigh, in bytes.
const heaviestTenants = 32 << 20

// NewRegistry returns a Registry over a store. It does nothing by itself: a
// server calls Run beside it, a program that changes something and ends need not.
func NewRegistry(store Store, o Options) *Registry {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.Poll = cmp.Or(o.Poll, time.Second)
	o.Tokens = cmp.Or(o.Tokens, 10_000)
	return &Registry{store: store, o: o, asking: make(chan struct{}, 1),
		tokens:  newLRU[Hash](o.Tokens, o.Tokens, func(*Token) int { return 1 }),
		tenants: newLRU[string](cmp.Or(o.Tenants, 2_000), heaviestTenants, func(t *Tenant) int { return len(t.Schemas) + 1<<10 }),
		usage:   newUsage(o.Tokens),
	}
}

// Grant is what a token opens. Both are shared and must not be modified.
type Grant struct {
	Tenant *Tenant
	Token  *Token
}

// Authenticate returns what the text of a token opens. The error is a *Refusal,
// or the store's if it has to be asked and can't be.
func (r *Registry) Authenticate(ctx context.Context, text string) (Grant, error) {
	now := r.o.Now()
	h, err := hashOf(text)
	if err != nil {
		return Grant{}, &Refusal{Reason: Malformed, At: now, Cause: err}
	}
	t, err := r.token(ctx, h)
	switch {
	case errors.Is(err, ErrNoToken):
		return Grant{}, &Refusal{Reason: Unknown, At: now}
	case err != nil:
		return Grant{}, err
	case t.Tenant == "":
		return Grant{}, &Refusal{Reason: WithoutHome, At: now, Token: t}
	}
	switch t.State(now) {
	case Revoked:
		return Grant{}, &Refusal{Reason: WasRevoked, At: now, Token: t}
	case Expired:
		return Grant{}, &Refusal{Reason: HasExpired, At: now, Token: t}
	}
	home, err := r.Tenant(ctx, t.Tenant)
	if errors.Is(err, ErrNoTenant) {
		return Grant{}, &Refusal{Reason: WithoutHome, At: now, Token: t}
	}
	return Grant{home, t}, err
}

func (r *Registry) token(ctx context.Context, h Hash) (*Token, error) {
	return find(ctx, r, r.tokens, h, ErrNoToken, func(i *Index) bool {
		_, ok := slices.BinarySearch(i.Tokens, h.Short())
		return ok
	}, func() (*Token, error) {
		t, err := r.store.FindToken(ctx, h)
		if err == nil && t.Hash != h {
			err = ErrNoToken
		}
		return &t, err
	})
}

// Tenant returns a tenant by its name, or ErrNoTenant, or the Fault of its
// settings. It is shared and must not be modified.
func (r *Registry) Tenant(ctx context.Context, name string) (*Tenant, error) {
	t, err := find(ctx, r, r.tenants, name, ErrNoTenant, func(i *Index) bool {
		_, ok := slices.BinarySearch(i.Tenants, name)
		return ok
	}, func() (*Tenant, error) {
		t, err := r.store.FindTenant(ctx, name)
		return &t, err
	})
	if err == nil && t.Fault != nil {
		return nil, t.Fault
	}
	return t, err
}

// find returns what the cache has of key, else what load gets from the store,
// else absent, which is all there is to say if the index does not list it.
func find[K comparable, V any](ctx context.Context, r *Registry, cache *lru[K, *V], key K, absent error,
	listed func(*Index) bool, load func() (*V, error)) (*V, error) {
	for {
		r.mu.Lock()
		current := r.current()
		v, ok := cache.get(key)
		index, generation := r.index, r.generation
		r.mu.Unlock()
		switch {
		case !current, !ok && index == nil:
			if err := r.catchUp(ctx); err != nil {
				return nil, err
			}
			continue
		case ok:
			return v, nil
		case !listed(index):
			return nil, absent
		}
		v, err := load()
		if err != nil {
			return nil, err
		}
		r.mu.Lock()
		if generation == r.generation { // else it may be as it was before a change
			cache.put(key, v)
		}
		r.mu.Unlock()
		return v, nil
	}
}

// current reports whether what is in memory may be relied upon. The caller holds
// mu.
func (r *Registry) current() bool {
	return !r.polled.IsZero() && time.Since(r.polled) < 2*r.o.Poll
}

// catchUp asks the store whether something changed, and for the index if there
// is none.
func (r *Registry) catchUp(ctx context.Context) error {
	select {
	case r.asking <- struct{}{}:
		defer func() { <-r.asking }()
	case <-ctx.Done():
		return ctx.Err()
	}
	r.mu.Lock()
	current, loaded := r.current(), r.index != nil
	r.mu.Unlock()
	if !current {
		if err := r.poll(ctx); err != nil {
			return err
		}
		r.mu.Lock()
		loaded = r.index != nil
		r.mu.Unlock()
	}
	if loaded {
		return nil
	}
	generation, started := r.now()
	index, err := r.store.Index(ctx)
	if err != nil {
		return err
	}
	slices.Sort(index.Tenants)
	slices.Sort(index.Tokens)
	r.learn(generation, started, index.Revision, &index)
	return nil
}

// poll asks the store for its revision.
func (r *Registry) poll(ctx context.Context) error {
	generation, started := r.now()
	revision, err := r.store.Revision(ctx)
	if err == nil {
		r.learn(generation, started, revision, nil)
	}
	return err
}

func (r *Registry) now() (generation uint64, started time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.generation, time.Now()
}

// learn takes what the store has said in answer to a question of that
// generation, asked at that time. It drops what is in memory if that is of
// another revision.
func (r *Registry) learn(generation uint64, asked time.Time, revision int64, index *Index) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if generation != r.generation {
		return // the question was asked before a change: ask again
	}
	if revision != r.revision || r.polled.IsZero() {
		r.drop()
		r.revision = revision
	}
	if asked.After(r.polled) {
		r.polled = asked
	}
	if index != nil {
		r.index = index
	}
}

// drop forgets what is in memory. The caller holds mu.
func (r *Registry) drop() {
	r.generation++
	r.index = nil
	r.tokens.clear()
	r.tenants.clear()
}

// changed makes what the Registry itself has changed, or may have, hold at once.
func (r *Registry) changed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop()
	r.polled = time.Time{}
}

// Run keeps the Registry up to date, writes down when tokens were used, warns in
// the log of those that expire and forgets those that did long ago, until ctx
// ends.
func (r *Registry) Run(ctx context.Context) {
	poll, write, hourly := time.NewTicker(r.o.Poll), time.NewTicker(10*time.Second), time.NewTicker(time.Hour)
	defer poll.Stop()
	defer write.Stop()
	defer hourly.Stop()
	said := reminded{}
	tried := func(what string, err error) {
		if err != nil && ctx.Err() == nil {
			r.o.Logger.Warn("tenants: "+what, "error", err)
		}
	}
	r.tend(ctx, said, tried)
	for {
		select {
		case <-poll.C:
			limited, cancel := context.WithTimeout(ctx, 5*time.Second)
			select {
			case r.asking <- struct{}{}:
				// If it fails, the next request asks, and is told.
				_ = r.poll(limited)
				<-r.asking
			default: // somebody asks already
			}
			cancel()
		case <-write.C:
			tried("when tokens were used was not noted; it is tried again", r.writeUses(ctx))
		case <-hourly.C:
			r.tend(ctx, said, tried)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			if err := r.writeUses(last); err != nil {
				r.o.Logger.Warn("tenants: when tokens were last used was not noted", "error", err)
			}
			cancel()
			return
		}
	}
}

// tend does what is done every hour.
func (r *Registry) tend(ctx context.Context, said reminded, tried func(string, error)) {
	list, err := r.Expiring(ctx)
	tried("which tokens are about to expire is not known", err)
	if err == nil {
		for _, m := range said.due(list) {
			r.o.Logger.Warn("a token is about to expire; rotate it, or the client will be refused",
				"tenant", m.Token.Tenant, "token", m.Token.Name, "prefix", m.Token.Prefix, "expires", m.Token.Expires.Format(time.RFC3339),
				"within_days", m.Stage, "client", m.Token.LastClient)
		}
	}
	tried("tokens that ended long ago were not forgotten", r.store.PruneTokens(ctx, moment(r.o.Now().Add(-keepDead))))
}

// Expiring returns the tokens of all tenants that expire within 30 days, the
// first to expire first, but for those that have a successor.
func (r *Registry) Expiring(ctx context.Context) ([]Reminder, error) {
	now := r.o.Now()
	tokens, err := r.store.ExpiringTokens(ctx, moment(now), moment(now.Add(horizon)))
	return Reminders(tokens, now), err
}

// Live returns how many tokens of all tenants are live, and when the oldest of
// them was made; the zero time if there is none.
func (r *Registry) Live(ctx context.Context) (count int, oldest time.Time, err error) {
	return r.store.LiveTokens(ctx, moment(r.o.Now()))
}
