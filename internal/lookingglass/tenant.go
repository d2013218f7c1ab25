package lookingglass

import (
	"cmp"
	"context"
	"slices"
)

// AllTenants is the Query.Tenant that selects the exchanges of every tenant.
const AllTenants = "*"

type tenantKey struct{}

// WithTenant returns a context that says whose the exchanges are that are observed
// with it. Without it they are of Options.Tenant.
func WithTenant(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, tenantKey{}, name)
}

func tenantOf(ctx context.Context) string {
	name, _ := ctx.Value(tenantKey{}).(string)
	return name
}

// View is what a Recorder keeps of one tenant: nobody sees anything of another by
// it. A Recorder itself is the View of Options.Tenant. Safe for concurrent use.
type View struct {
	r      *Recorder
	tenant string
}

// Of returns what is kept of a tenant, "" being Options.Tenant.
func (r *Recorder) Of(tenant string) *View { return &View{r, cmp.Or(tenant, r.o.Tenant)} }

// Find is Recorder.Find for the tenant.
func (v *View) Find(ctx context.Context, q Query) ([]*Exchange, error) {
	q.Tenant = v.tenant
	return v.r.Find(ctx, q)
}

// Get is Recorder.Get for the tenant: what is of another one is not there.
func (v *View) Get(ctx context.Context, seq int64) (*Exchange, error) {
	x, err := v.r.any(ctx, seq)
	if x == nil || x.Tenant != v.tenant {
		return nil, err
	}
	return x, err
}

// Sought is Recorder.Sought for the tenant.
func (v *View) Sought(ctx context.Context, value string) ([]Sought, error) {
	return v.r.soughtOf(ctx, v.tenant, value)
}

// AllSought is Recorder.AllSought for the tenant.
func (v *View) AllSought(ctx context.Context, limit int) ([]Sought, error) {
	return v.r.allSoughtOf(ctx, v.tenant, limit)
}

// Subscribe is Recorder.Subscribe for the tenant.
func (v *View) Subscribe(ctx context.Context) <-chan Event { return v.r.subscribe(ctx, v.tenant) }

// Stats is Recorder.Stats: the figures are those of all tenants together.
func (v *View) Stats() Stats { return v.r.Stats() }

// Settled is Recorder.Settled.
func (v *View) Settled() int64 { return v.r.Settled() }

// Forget removes all that is kept of a tenant that was removed, in memory and in
// the journal. What is observed of it later is kept: whoever calls sees to it
// that there is no such thing, or calls again.
func (r *Recorder) Forget(ctx context.Context, tenant string) error {
	if err := r.Flush(ctx); err != nil {
		return err
	}
	r.ring.drop(func(x *Exchange) bool { return x.Tenant == tenant })
	if r.journal == nil {
		r.lookups.forget(tenant)
		return nil
	}
	return r.journal.drop(ctx, tenant)
}

// drop removes exchanges.
func (r *ring) drop(gone func(*Exchange) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pieces := r.closed
	if len(r.began) > 0 {
		pieces = append(pieces, piece{string(r.open.b), slices.Clone(r.began), 0})
	}
	fresh := newRing(r.number, r.most)
	all := newMatcher(Query{Tenant: AllTenants, Oldest: true, Limit: -1})
	for _, p := range pieces {
		list, err := all.pick(nil, p.text)
		if err != nil {
			continue // it is not kept then
		}
		for _, x := range list[min(p.gone, len(list)):] {
			if !gone(x) {
				fresh.put(x)
			}
		}
	}
	r.closed, r.bytes, r.open, r.began, r.count = fresh.closed, fresh.bytes, fresh.open, fresh.began, fresh.count
}

// without returns a block without exchanges that are to go, or nil if it has none
// of them. What is left may be empty.
func without(text string, gone func(*Exchange) bool) (*block, error) {
	list, err := newMatcher(Query{Tenant: AllTenants, Oldest: true, Limit: -1}).pick(nil, text)
	if err != nil {
		return nil, err
	}
	left := slices.DeleteFunc(slices.Clone(list), gone)
	if len(left) == len(list) {
		return nil, nil
	}
	b := new(block)
	for _, x := range left {
		b.keep(x)
	}
	return b, nil
}

// tenantHash is what a block has of a tenant that has an exchange in it, among
// the hashes of ids.
func tenantHash(name string) uint32 { return idHash("tenant " + name) }
