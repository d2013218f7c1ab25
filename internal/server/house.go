package server

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/compat"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// How many tenants are kept ready to be served, and how many engines that differ
// in more than the tenant.
const (
	mostHouses = 2_000
	mostBases  = 64
)

// house is a tenant as it is served.
type house struct {
	tenant *tenant.Tenant // nil: there are none, as in façade mode
	plain  *engine.Engine // for the program itself
	engine *engine.Engine // for callers: it obeys their scopes
	fault  error          // why it can't be served
	base   [sha256.Size]byte
	used   atomic.Int64
}

// houses are the tenants that are being served, each made when it is first asked
// for. They hold for one reading of the schemas. Safe for concurrent use.
type houses struct {
	d     *directory
	types []*scim.ResourceType // of the server
	learn func(types []*scim.ResourceType)

	making sync.Mutex // held while one is made
	clock  atomic.Int64

	mu    sync.RWMutex
	named map[string]*house
	bases map[[sha256.Size]byte]*engine.Engine
}

func newHouses(d *directory, types []*scim.ResourceType, learn func([]*scim.ResourceType)) *houses {
	return &houses{d: d, types: types, learn: learn, named: map[string]*house{}, bases: map[[sha256.Size]byte]*engine.Engine{}}
}

// of returns a tenant as it is served, or why it can't be.
func (hs *houses) of(t *tenant.Tenant) (*house, error) {
	h := hs.ready(t)
	if h == nil {
		hs.making.Lock()
		if h = hs.ready(t); h == nil {
			h = hs.build(t)
			hs.add(h)
		}
		hs.making.Unlock()
	}
	h.used.Store(hs.clock.Add(1))
	return h, h.fault
}

// ready returns a tenant that was made before, with the same settings, or nil.
func (hs *houses) ready(t *tenant.Tenant) *house {
	hs.mu.RLock()
	defer hs.mu.RUnlock()
	if h := hs.named[t.Name]; h != nil && h.tenant.ID == t.ID && h.tenant.Revision == t.Revision {
		return h
	}
	return nil
}

// build makes the engine of a tenant. Tenants that are served alike share all of
// it but the backend.
func (hs *houses) build(t *tenant.Tenant) *house {
	h := &house{tenant: t}
	c, err := hs.config(t)
	if err == nil {
		h.base = keyOf(t, c.Schemes)
		hs.mu.RLock()
		base := hs.bases[h.base]
		hs.mu.RUnlock()
		backend := hs.d.wrap(t, hs.d.db.bound(*t), c.Types)
		if base == nil {
			if base, err = engine.New(backend, c); err == nil && hs.learn != nil {
				hs.learn(base.Types())
			}
		}
		if err == nil {
			hs.mu.Lock()
			hs.bases[h.base] = base
			hs.mu.Unlock()
			h.plain = base.For(backend, sealOf(t))
			h.engine = h.plain.Guarded(permit)
			return h
		}
	}
	hs.d.log.Error("a tenant can't be served with its settings; mend them with rollcall tenant set", "tenant", t.Name, "error", err)
	h.fault = &scim.Error{Status: http.StatusServiceUnavailable, Detail: "this tenant can't be served with its settings; the operator of this server has to mend them", Err: err}
	return h
}

// config is how the engine of a tenant differs from the default of package
// engine.
func (hs *houses) config(t *tenant.Tenant) (engine.Config, error) {
	d := hs.d
	c := engine.Config{Types: hs.types, Profile: d.s.Profile, Limits: engine.Limits(t.Limits), Schemes: schemesOf(d.methods, t), Password: d.hash, CursorKeys: d.cursorKeys}
	var err error
	if t.Profile != "" {
		if c.Profile, err = compat.Parse(t.Profile); err != nil {
			return c, err
		}
	}
	c.Types, err = t.Types(hs.types)
	return c, err
}

// keyOf identifies what an engine is made of, but for the backend.
func keyOf(t *tenant.Tenant, schemes []scim.AuthenticationScheme) [sha256.Size]byte {
	text, _ := json.Marshal(struct { // what is in it can't fail
		Profile string
		Limits  tenant.Limits
		Schemas string
		Schemes []scim.AuthenticationScheme
	}{t.Profile, t.Limits, string(t.Schemas), schemes})
	return sha256.Sum256(text)
}

// sealOf is what cursors of a tenant are bound to. The number tells a tenant from
// one that had its name before.
func sealOf(t *tenant.Tenant) string {
	if t.Name == tenant.Default {
		return tenant.Default
	}
	return t.Name + "#" + strconv.FormatInt(t.ID, 10)
}

// add keeps a house, and lets go of those that were not used for the longest time
// when there are too many.
func (hs *houses) add(h *house) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	hs.named[h.tenant.Name] = h
	h.used.Store(hs.clock.Add(1))
	if len(hs.bases) > mostBases {
		hs.dropBase()
	}
	if len(hs.named) <= mostHouses {
		return
	}
	list := make([]*house, 0, len(hs.named))
	for _, h := range hs.named {
		list = append(list, h)
	}
	slices.SortFunc(list, func(a, b *house) int { return cmp.Compare(a.used.Load(), b.used.Load()) })
	for _, h := range list[:mostHouses/10] {
		delete(hs.named, h.tenant.Name)
	}
}

// dropBase lets go of the engine that was not used for the longest time, with all
// who share it. The caller holds mu.
func (hs *houses) dropBase() {
	last := map[[sha256.Size]byte]int64{}
	for _, h := range hs.named {
		last[h.base] = max(last[h.base], h.used.Load())
	}
	var oldest [sha256.Size]byte
	at := int64(math.MaxInt64)
	for key := range hs.bases {
		if last[key] < at {
			oldest, at = key, last[key]
		}
	}
	delete(hs.bases, oldest)
	for name, h := range hs.named {
		if h.base == oldest {
			delete(hs.named, name)
		}
	}
}

// forget lets go of a tenant, by its name and its number, if that is not 0. It
// reports whether it was there.
func (hs *houses) forget(name string, id int64) bool {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	h := hs.named[name]
	if h == nil || id != 0 && h.tenant.ID != id {
		return false
	}
	delete(hs.named, name)
	return true
}

// all returns the tenants that are being served.
func (hs *houses) all() (list []*tenant.Tenant) {
	hs.mu.RLock()
	defer hs.mu.RUnlock()
	for _, h := range hs.named {
		list = append(list, h.tenant)
	}
	return list
}

// typeNamed returns the resource type of that name of a tenant that is being
// served, or nil.
func (hs *houses) typeNamed(name, typ string) *scim.ResourceType {
	hs.mu.RLock()
	h := hs.named[name]
	hs.mu.RUnlock()
	if h == nil || h.fault != nil {
		return nil
	}
	return typeOf(h, typ)
}

// typeOf returns the resource type of that name, or nil.
func typeOf(h *house, name string) *scim.ResourceType {
	for _, t := range h.plain.Types() {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// house returns the tenant of a caller as it is served; nil: the default one.
func (d *directory) house(ctx context.Context, c *caller) (*house, error) {
	var t *tenant.Tenant
	if c != nil {
		t = c.Tenant
	}
	if t == nil {
		var err error
		if t, err = d.registry.Tenant(ctx, tenant.Default); err != nil {
			return nil, d.untold(err)
		}
	}
	return d.houses.Load().of(t)
}

// untold returns the error for a tenant that the registry can't say anything of.
func (d *directory) untold(err error) error {
	if unfit := d.unfit(); unfit != nil {
		return unfit
	}
	return scim.Unavailable(fmt.Errorf("who is served can't be found out: %w", err))
}

// reload reads the schemas and serves what they say. If that fails, what is
// served stays as it is.
func (d *directory) reload() error {
	types, err := d.s.resourceTypes()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), credentialTime)
	defer cancel()
	home, err := d.registry.Tenant(ctx, tenant.Default)
	if err != nil {
		return fmt.Errorf("the tenant %s: %w", tenant.Default, err)
	}
	next := newHouses(d, types, d.learn)
	h := next.build(home)
	if h.fault != nil {
		return scim.AsError(h.fault).Unwrap()
	}
	next.add(h)
	d.houses.Store(next)
	d.current.Store(h.plain)
	return nil
}

// tend keeps what is served in step with the tenants there are, once: what is
// gone is let go of, and the program's own engine is that of the default tenant
// as it is now.
func (d *directory) tend(ctx context.Context) {
	hs := d.houses.Load()
	if t, err := d.registry.Tenant(ctx, tenant.Default); err == nil {
		if h, err := hs.of(t); err == nil && d.current.Load() != h.plain {
			d.current.Store(h.plain)
		}
	}
	for _, t := range hs.all() {
		now, err := d.registry.Tenant(ctx, t.Name)
		if !errors.Is(err, tenant.ErrNoTenant) && (err != nil || now.ID == t.ID) {
			continue
		}
		if hs.forget(t.Name, t.ID) {
			d.forget(ctx, t.Name)
		}
	}
}

// forget clears what is kept of a tenant that was removed beside its data, which
// the database clears.
func (d *directory) forget(ctx context.Context, name string) {
	if hs := d.houses.Load(); hs != nil {
		hs.forget(name, 0)
	}
	records := d.records.Load()
	if records == nil { // a command that found no server
		stop, err := d.openDesk()
		if err != nil {
			d.log.Warn("what the Looking Glass kept of a tenant that was removed is still there", "tenant", name, "error", err)
			return
		}
		defer func() { d.consult(nil); stop() }()
		if records = d.records.Load(); records == nil {
			return
		}
	}
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	if err := records.Forget(ctx, name); err != nil {
		d.log.Warn("what the Looking Glass kept of a tenant that was removed is still there", "tenant", name, "error", err)
	}
}

// serverTypes are the resource types of the server itself.
func (d *directory) serverTypes() ([]*scim.ResourceType, error) {
	if hs := d.houses.Load(); hs != nil {
		return hs.types, nil
	}
	return d.s.resourceTypes()
}
