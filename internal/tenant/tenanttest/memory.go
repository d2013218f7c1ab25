package tenanttest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-scim/rollcall/internal/tenant"
)

// Memory is a tenant.Store that keeps everything in memory, for tests. It has no
// resources, so that a removal is done at once. Safe for concurrent use.
type Memory struct {
	mu       sync.Mutex
	calls    map[string]int
	fault    error
	revision int64
	next     int64
	tenants  map[string]tenant.Tenant
	tokens   map[string]tenant.Token
}

var _ tenant.Store = (*Memory)(nil)

// NewMemory returns a store with the default tenant.
func NewMemory() *Memory {
	m := &Memory{calls: map[string]int{}, tenants: map[string]tenant.Tenant{}, tokens: map[string]tenant.Token{}}
	_, _ = m.AddTenant(context.Background(), tenant.Default, tenant.Settings{}) // it is the first
	return m
}

// Calls returns how often a method was called since it was asked last.
func (m *Memory) Calls(method string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.calls[method]
	delete(m.calls, method)
	return n
}

// Break makes all calls fail with an error, or succeed again with nil.
func (m *Memory) Break(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = err
}

// enter locks the store for a call.
func (m *Memory) enter(method string) (leave func(), err error) {
	m.mu.Lock()
	m.calls[method]++
	return m.mu.Unlock, m.fault
}

// Revision implements tenant.Store.
func (m *Memory) Revision(context.Context) (int64, error) {
	leave, err := m.enter("Revision")
	defer leave()
	return m.revision, err
}

// Index implements tenant.Store.
func (m *Memory) Index(context.Context) (tenant.Index, error) {
	leave, err := m.enter("Index")
	defer leave()
	i := tenant.Index{Revision: m.revision}
	for name := range m.tenants {
		i.Tenants = append(i.Tenants, name)
	}
	for _, t := range m.tokens {
		i.Tokens = append(i.Tokens, t.Hash.Short())
	}
	return i, err
}

// ListTenants implements tenant.Store.
func (m *Memory) ListTenants(context.Context) (list []tenant.Tenant, err error) {
	leave, err := m.enter("ListTenants")
	defer leave()
	for _, t := range m.tenants {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b tenant.Tenant) int { return strings.Compare(a.Name, b.Name) })
	return list, err
}

// FindTenant implements tenant.Store.
func (m *Memory) FindTenant(_ context.Context, name string) (tenant.Tenant, error) {
	leave, err := m.enter("FindTenant")
	defer leave()
	if err != nil {
		return tenant.Tenant{}, err
	}
	return m.find(name)
}

func (m *Memory) find(name string) (tenant.Tenant, error) {
	t, ok := m.tenants[name]
	if !ok {
		return t, fmt.Errorf("%w: %q", tenant.ErrNoTenant, name)
	}
	return t, nil
}

// AddTenant implements tenant.Store.
func (m *Memory) AddTenant(_ context.Context, name string, s tenant.Settings) (tenant.Tenant, error) {
	leave, err := m.enter("AddTenant")
	defer leave()
	if err != nil {
		return tenant.Tenant{}, err
	}
	for have := range m.tenants {
		if strings.EqualFold(have, name) {
			return tenant.Tenant{}, fmt.Errorf("%w: there is a tenant called %q", tenant.ErrTaken, have)
		}
	}
	m.next++
	m.revision++
	t := tenant.Tenant{ID: m.next, Name: name, Created: time.Now().UTC().Truncate(time.Millisecond), Revision: m.revision, Settings: s}
	m.tenants[name] = t
	return t, nil
}

// ChangeTenant implements tenant.Store.
func (m *Memory) ChangeTenant(_ context.Context, name string, f func(tenant.Settings) (tenant.Settings, error)) (tenant.Tenant, error) {
	leave, err := m.enter("ChangeTenant")
	defer leave()
	if err != nil {
		return tenant.Tenant{}, err
	}
	t, err := m.find(name)
	if err == nil {
		t.Settings, err = f(t.Settings)
	}
	if err != nil {
		return tenant.Tenant{}, err
	}
	m.revision++
	t.Revision = m.revision
	m.tenants[name] = t
	return t, nil
}

// RemoveTenant implements tenant.Store.
func (m *Memory) RemoveTenant(_ context.Context, name string) error {
	leave, err := m.enter("RemoveTenant")
	defer leave()
	if err != nil {
		return err
	}
	if _, err := m.find(name); err != nil {
		return err
	}
	m.revision++
	delete(m.tenants, name)
	for id, t := range m.tokens {
		if t.Tenant == name {
			delete(m.tokens, id)
		}
	}
	return nil
}

// ListTokens implements tenant.Store.
func (m *Memory) ListTokens(_ context.Context, name string) ([]tenant.Token, error) {
	leave, err := m.enter("ListTokens")
	defer leave()
	if err != nil {
		return nil, err
	}
	return m.list(name)
}

func (m *Memory) list(name string) (list []tenant.Token, err error) {
	if _, err := m.find(name); err != nil {
		return nil, err
	}
	for _, t := range m.tokens {
		if t.Tenant == name {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b tenant.Token) int { return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID)) })
	return list, nil
}

// FindToken implements tenant.Store.
func (m *Memory) FindToken(_ context.Context, h tenant.Hash) (tenant.Token, error) {
	leave, err := m.enter("FindToken")
	defer leave()
	if err != nil {
		return tenant.Token{}, err
	}
	for _, t := range m.tokens {
		if t.Hash == h {
			return t, nil
		}
	}
	return tenant.Token{}, tenant.ErrNoToken
}

// ChangeTokens implements tenant.Store.
func (m *Memory) ChangeTokens(_ context.Context, name string, f func([]tenant.Token) (put []tenant.Token, drop []string, err error)) error {
	leave, err := m.enter("ChangeTokens")
	defer leave()
	if err != nil {
		return err
	}
	have, err := m.list(name)
	if err != nil {
		return err
	}
	put, drop, err := f(have)
	if err != nil {
		return err
	}
	mine := func(id string) bool { t, ok := m.tokens[id]; return !ok || t.Tenant == name }
	for _, id := range drop {
		if mine(id) {
			delete(m.tokens, id)
		}
	}
	for _, t := range put {
		if t.Tenant = name; mine(t.ID) {
			if used := m.tokens[t.ID].LastUsed; used.After(t.LastUsed) {
				t.LastUsed = used
			}
			m.tokens[t.ID] = t
		}
	}
	m.revision++
	return nil
}

// Orphan stores a token as it is, whatever tenant it says.
func (m *Memory) Orphan(t tenant.Token) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tokens[t.ID] = t
	m.revision++
}

// NoteUse implements tenant.Store.
func (m *Memory) NoteUse(_ context.Context, uses []tenant.Use) error {
	leave, err := m.enter("NoteUse")
	defer leave()
	if err != nil {
		return err
	}
	for _, u := range uses {
		if t, ok := m.tokens[u.Token]; ok && t.Tenant == u.Tenant && t.LastUsed.Before(u.At) {
			t.LastUsed, t.LastClient = u.At, cmp.Or(u.Client, t.LastClient)
			m.tokens[u.Token] = t
		}
	}
	return nil
}

// ExpiringTokens implements tenant.Store.
func (m *Memory) ExpiringTokens(_ context.Context, after, before time.Time) (list []tenant.Token, err error) {
	leave, err := m.enter("ExpiringTokens")
	defer leave()
	followed := map[[2]string]bool{}
	for _, t := range m.tokens {
		if t.Revoked.IsZero() {
			followed[[2]string{t.Tenant, t.Replaces}] = true
		}
	}
	for _, t := range m.tokens {
		if t.Revoked.IsZero() && !followed[[2]string{t.Tenant, t.ID}] && t.Expires.After(after) && !t.Expires.After(before) {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b tenant.Token) int { return a.Expires.Compare(b.Expires) })
	return list, err
}

// LiveTokens implements tenant.Store.
func (m *Memory) LiveTokens(_ context.Context, now time.Time) (count int, oldest time.Time, err error) {
	leave, err := m.enter("LiveTokens")
	defer leave()
	for _, t := range m.tokens {
		if t.State(now) == tenant.Live {
			if count++; count == 1 || t.Created.Before(oldest) {
				oldest = t.Created
			}
		}
	}
	return count, oldest, err
}

// PruneTokens implements tenant.Store.
func (m *Memory) PruneTokens(_ context.Context, before time.Time) error {
	leave, err := m.enter("PruneTokens")
	defer leave()
	if err != nil {
		return err
	}
	old := func(t time.Time) bool { return !t.IsZero() && t.Before(before) }
	for id, t := range m.tokens {
		if old(t.Revoked) || old(t.Expires) {
			delete(m.tokens, id)
			m.revision++
		}
	}
	return nil
}
