package tenant_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/internal/tenant/tenanttest"
)

var ctx = context.Background()

// clock is one that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// rig is a registry over a store in memory, with the tenant acme.
func rig(t *testing.T, o tenant.Options) (*tenant.Registry, *tenanttest.Memory, *clock) {
	t.Helper()
	c, s := newClock(), tenanttest.NewMemory()
	if o.Now == nil {
		o.Now = c.Now
	}
	if o.Poll == 0 {
		o.Poll = time.Hour
	}
	r := tenant.NewRegistry(s, o)
	if _, err := r.AddTenant(ctx, "acme", tenant.Settings{}); err != nil {
		t.Fatal(err)
	}
	return r, s, c
}

func add(t *testing.T, r *tenant.Registry, s tenant.Spec) tenant.Issued {
	t.Helper()
	made, err := r.AddToken(ctx, "acme", s)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// reason is why a token is refused, or "".
func reason(t *testing.T, r *tenant.Registry, secret string) tenant.Reason {
	t.Helper()
	g, err := r.Authenticate(ctx, secret)
	var refused *tenant.Refusal
	switch {
	case errors.As(err, &refused):
		if g != (tenant.Grant{}) {
			t.Errorf("refused with %v, and granted %+v", err, g)
		}
		return refused.Reason
	case err != nil:
		t.Fatal(err)
	}
	return ""
}

func TestAddToken(t *testing.T) {
	t.Parallel()
	r, s, c := rig(t, tenant.Options{})
	made := add(t, r, tenant.Spec{Name: "okta"})
	k := made.Token
	if k.Tenant != "acme" || k.Name != "okta" || !strings.HasPrefix(k.ID, "tk_") || !strings.HasPrefix(made.Secret, k.Prefix) || len(k.Prefix) != 7 ||
		k.Scopes.String() != "read write bulk" || !k.Created.Equal(c.Now()) || !k.Expires.IsZero() || k.State(c.Now()) != tenant.Live {
		t.Errorf("made %+v", k)
	}
	// T13, SEC-009: what is kept does not tell the text.
	stored, err := s.ListTokens(ctx, "acme")
	if err != nil || strings.Contains(fmt.Sprintf("%+v", stored), made.Secret[7:]) {
		t.Errorf("the store has the text: %+v, %v", stored, err)
	}
	for _, name := range []string{"okta", "OKTA", "Okta"} {
		if _, err := r.AddToken(ctx, "acme", tenant.Spec{Name: name}); !errors.Is(err, tenant.ErrTaken) {
			t.Errorf("a second token called %q: %v", name, err)
		}
	}
	for _, name := range []string{"", "-a", "a b", "tk_abc", "TK_abc", "a/b", "é", strings.Repeat("a", 64)} {
		if made, err := r.AddToken(ctx, "acme", tenant.Spec{Name: name}); !errors.Is(err, tenant.ErrInvalid) || made.Secret != "" {
			t.Errorf("a token called %q: %v, %v", name, made, err)
		}
	}
	if _, err := r.AddToken(ctx, "acme", tenant.Spec{Name: "x", Expires: c.Now()}); !errors.Is(err, tenant.ErrInvalid) {
		t.Errorf("a token that is over when it is made: %v", err)
	}
	if _, err := r.AddToken(ctx, "nobody", tenant.Spec{Name: "x"}); !errors.Is(err, tenant.ErrNoTenant) {
		t.Errorf("a token of no tenant: %v", err)
	}
	if _, err := r.AddToken(ctx, "", tenant.Spec{Name: "x"}); !errors.Is(err, tenant.ErrNoTenant) {
		t.Errorf("a token of the tenant without a name: %v", err)
	}
	// Another tenant's may have the name; so may a new one, once the old is over.
	if _, err := r.AddToken(ctx, "default", tenant.Spec{Name: "okta"}); err != nil {
		t.Errorf("the name in another tenant: %v", err)
	}
	if _, err := r.RevokeToken(ctx, "acme", "okta"); err != nil {
		t.Fatal(err)
	}
	add(t, r, tenant.Spec{Name: "Okta"})
	if list, err := r.Tokens(ctx, "acme"); err != nil || len(list) != 2 {
		t.Errorf("the revoked one is not remembered: %+v, %v", list, err)
	}
}

func TestRotate(t *testing.T) {
	t.Parallel()
	r, _, c := rig(t, tenant.Options{})
	scopes, _ := tenant.ParseScopes("read:User")
	first := add(t, r, tenant.Spec{Name: "entra", Scopes: scopes, Expires: c.Now().Add(90 * 24 * time.Hour)})
	c.pass(80 * 24 * time.Hour)
	second, before, err := r.RotateToken(ctx, "acme", "ENTRA", tenant.Rotation{})
	if err != nil {
		t.Fatal(err)
	}
	if k := second.Token; k.Name != "entra" || k.Replaces != first.Token.ID || k.Scopes.String() != "read:User" || !k.Expires.Equal(c.Now().Add(90*24*time.Hour)) {
		t.Errorf("the successor is %+v: want the name, the scopes and the span of the first", k)
	}
	if len(before) != 1 || before[0].ID != first.Token.ID || !before[0].Expires.Equal(c.Now().Add(24*time.Hour)) || !before[0].Revoked.IsZero() {
		t.Errorf("the predecessor is %+v, want an end in a day", before)
	}
	if reason(t, r, first.Secret) != "" || reason(t, r, second.Secret) != "" {
		t.Error("one of the two is refused")
	}
	if _, _, err := r.RotateToken(ctx, "acme", "entra", tenant.Rotation{}); !errors.Is(err, tenant.ErrTooMany) {
		t.Errorf("a third live token of a name: %v", err)
	}
	c.pass(24*time.Hour - time.Millisecond)
	if reason(t, r, first.Secret) != "" {
		t.Error("the predecessor ends too early")
	}
	c.pass(time.Millisecond)
	if got := reason(t, r, first.Secret); got != tenant.HasExpired {
		t.Errorf("the predecessor after its end: %q", got)
	}
	// At once: both of those that are live end.
	third, _, err := r.RotateToken(ctx, "acme", second.Token.ID, tenant.Rotation{Grace: time.Hour, Expires: c.Now().Add(48 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	fourth, before, err := r.RotateToken(ctx, "acme", "entra", tenant.Rotation{Now: true})
	if err != nil || len(before) != 2 || fourth.Token.Replaces != third.Token.ID {
		t.Fatalf("at once: %+v, %+v, %v", fourth, before, err)
	}
	if a, b, d := reason(t, r, second.Secret), reason(t, r, third.Secret), reason(t, r, fourth.Secret); a != tenant.WasRevoked || b != tenant.WasRevoked || d != "" {
		t.Errorf("after a rotation at once: %q, %q, %q", a, b, d)
	}
	if !fourth.Token.Expires.Equal(c.Now().Add(48 * time.Hour)) {
		t.Errorf("the successor of one that lives two days ends %s", fourth.Token.Expires)
	}
	// A token that has expired can be rotated; one that is revoked can't.
	c.pass(72 * time.Hour)
	if got := reason(t, r, fourth.Secret); got != tenant.HasExpired {
		t.Errorf("after three days: %q", got)
	}
	fifth, before, err := r.RotateToken(ctx, "acme", "entra", tenant.Rotation{})
	if err != nil || len(before) != 0 || reason(t, r, fifth.Secret) != "" || reason(t, r, fourth.Secret) != tenant.HasExpired {
		t.Errorf("an expired token is rotated: %+v, %+v, %v", fifth, before, err)
	}
	if gone, err := r.RevokeToken(ctx, "acme", "entra"); err != nil || len(gone) != 1 || gone[0].ID != fifth.Token.ID {
		t.Errorf("RevokeToken: %+v, %v", gone, err)
	}
	if _, _, err := r.RotateToken(ctx, "acme", fifth.Token.ID, tenant.Rotation{}); !errors.Is(err, tenant.ErrInvalid) {
		t.Errorf("a revoked token is rotated: %v", err)
	}
	for _, o := range []tenant.Rotation{{Grace: -1}, {Grace: 91 * 24 * time.Hour}} {
		if _, _, err := r.RotateToken(ctx, "acme", "entra", o); !errors.Is(err, tenant.ErrInvalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, _, err := r.RotateToken(ctx, "acme", "okta", tenant.Rotation{}); !errors.Is(err, tenant.ErrNoToken) {
		t.Errorf("a token that is not there: %v", err)
	}
}

// A rotation never makes a token live longer than it would have.
func TestRotateKeepsEarlierEnd(t *testing.T) {
	t.Parallel()
	r, _, c := rig(t, tenant.Options{})
	end := c.Now().Add(time.Hour)
	first := add(t, r, tenant.Spec{Name: "okta", Expires: end})
	_, before, err := r.RotateToken(ctx, "acme", "okta", tenant.Rotation{Grace: 48 * time.Hour})
	if err != nil || len(before) != 1 || !before[0].Expires.Equal(end) {
		t.Errorf("the predecessor is %+v (%v), want its end at %s", before, err, end)
	}
	_, _, err = r.RotateToken(ctx, "acme", "okta", tenant.Rotation{})
	if err == nil || !strings.Contains(err.Error(), first.Token.ID) {
		t.Errorf("the error names %v, want the one that ends first, %s", err, first.Token.ID)
	}
}

// A token that may nothing but discover has such successors: no scopes never
// become all of them.
func TestRotateWithoutScopes(t *testing.T) {
	t.Parallel()
	r, _, _ := rig(t, tenant.Options{})
	first := add(t, r, tenant.Spec{Name: "probe", Scopes: tenant.Scopes{}})
	if first.Token.Scopes.Allows(tenant.Read, "User") {
		t.Fatalf("the token may %q", first.Token.Scopes)
	}
	next, _, err := r.RotateToken(ctx, "acme", "probe", tenant.Rotation{})
	if err != nil || len(next.Token.Scopes) != 0 {
		t.Errorf("its successor may %q (%v)", next.Token.Scopes, err)
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	r, _, c := rig(t, tenant.Options{})
	first := add(t, r, tenant.Spec{Name: "okta"})
	other := add(t, r, tenant.Spec{Name: "jamf"})
	second, _, err := r.RotateToken(ctx, "acme", "okta", tenant.Rotation{})
	if err != nil {
		t.Fatal(err)
	}
	if gone, err := r.RevokeToken(ctx, "acme", first.Token.ID); err != nil || len(gone) != 1 {
		t.Errorf("by ID: %+v, %v", gone, err)
	}
	if reason(t, r, first.Secret) != tenant.WasRevoked || reason(t, r, second.Secret) != "" {
		t.Error("revoking one of two ends the other, or none")
	}
	// The clock of the machine that looks does not matter.
	c.pass(-time.Hour)
	if got := reason(t, r, first.Secret); got != tenant.WasRevoked {
		t.Errorf("by a clock that is behind: %q", got)
	}
	c.pass(time.Hour)
	if gone, err := r.RevokeToken(ctx, "acme", "okta"); err != nil || len(gone) != 1 || gone[0].ID != second.Token.ID {
		t.Errorf("by name: %+v, %v", gone, err)
	}
	if gone, err := r.RevokeToken(ctx, "acme", "okta"); err != nil || len(gone) != 0 {
		t.Errorf("once more: %+v, %v", gone, err)
	}
	if reason(t, r, other.Secret) != "" {
		t.Error("another token is refused too")
	}
	for _, which := range []string{"", "nope", "tk_nope", "%"} {
		if _, err := r.RevokeToken(ctx, "acme", which); !errors.Is(err, tenant.ErrNoToken) {
			t.Errorf("RevokeToken %q: %v", which, err)
		}
	}
}

func TestTokenCaps(t *testing.T) {
	t.Parallel()
	r, _, _ := rig(t, tenant.Options{})
	for i := range tenant.MostLive {
		add(t, r, tenant.Spec{Name: fmt.Sprint("t", i)})
	}
	if _, err := r.AddToken(ctx, "acme", tenant.Spec{Name: "more"}); !errors.Is(err, tenant.ErrTooMany) {
		t.Errorf("one more than may be: %v", err)
	}
	if _, _, err := r.RotateToken(ctx, "acme", "t1", tenant.Rotation{}); !errors.Is(err, tenant.ErrTooMany) {
		t.Errorf("a successor beside as many as may be: %v", err)
	}
	if _, _, err := r.RotateToken(ctx, "acme", "t1", tenant.Rotation{Now: true}); err != nil {
		t.Errorf("a successor in the place of one: %v", err)
	}
	// The oldest of those that are over are forgotten, and none that is live.
	live := add2(t, r, "default", "live")
	for i := range tenant.MostKept + 50 {
		name := fmt.Sprint("d", i)
		add2(t, r, "default", name)
		if _, err := r.RevokeToken(ctx, "default", name); err != nil {
			t.Fatal(err)
		}
	}
	list, err := r.Tokens(ctx, "default")
	if err != nil || len(list) != tenant.MostKept || reason(t, r, live.Secret) != "" {
		t.Errorf("%d tokens are remembered (%v), want %d and the live one", len(list), err, tenant.MostKept)
	}
	if _, err := r.RevokeToken(ctx, "default", fmt.Sprint("d", tenant.MostKept+49)); err != nil {
		t.Errorf("the last one is forgotten: %v", err)
	}
}

func add2(t *testing.T, r *tenant.Registry, home, name string) tenant.Issued {
	t.Helper()
	made, err := r.AddToken(ctx, home, tenant.Spec{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestManageTenants(t *testing.T) {
	t.Parallel()
	r, _, _ := rig(t, tenant.Options{})
	if _, err := r.AddTenant(ctx, "Acme", tenant.Settings{}); !errors.Is(err, tenant.ErrInvalid) {
		t.Errorf("a name with a capital: %v", err)
	}
	if _, err := r.AddTenant(ctx, "acme", tenant.Settings{}); !errors.Is(err, tenant.ErrTaken) {
		t.Errorf("a name that is taken: %v", err)
	}
	if _, err := r.AddTenant(ctx, "beta", tenant.Settings{Profile: "nope"}); !errors.Is(err, tenant.ErrInvalid) {
		t.Errorf("settings that can't be: %v", err)
	}
	if _, err := r.ChangeTenant(ctx, "acme", func(s tenant.Settings) (tenant.Settings, error) { s.BaseURL = "x"; return s, nil }); !errors.Is(err, tenant.ErrInvalid) {
		t.Errorf("changed into settings that can't be: %v", err)
	}
	if err := r.RemoveTenant(ctx, tenant.Default); !errors.Is(err, tenant.ErrInvalid) {
		t.Errorf("the default tenant is removed: %v", err)
	}
	before, err := r.Tenant(ctx, "acme")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.ChangeTenant(ctx, "acme", func(s tenant.Settings) (tenant.Settings, error) { return s.Set("profile", "strict") }); err != nil {
		t.Fatal(err)
	}
	after, err := r.Tenant(ctx, "acme")
	if err != nil || after.Profile != "strict" || after.Revision == before.Revision || after.ID != before.ID {
		t.Errorf("after a change: %+v, %v; before: %+v", after, err, before)
	}
}
