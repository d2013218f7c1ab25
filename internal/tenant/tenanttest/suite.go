// Package tenanttest holds every tenant.Store to one set of tests, and has a
// store for tests of what uses one.
package tenanttest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
)

// Rig is a store under test: an empty one.
type Rig struct {
	Store tenant.Store

	// Backend returns the resources of a tenant, by the handle that is bound to
	// it. nil: the store has none, and what is about them is not tested.
	Backend func(tenant.Tenant) scim.Backend

	// Rows returns how many rows each table has that are of a tenant, by its
	// number. Tables without any are left out, and that of the tenants.
	Rows func(t *testing.T, id int64) map[string]int64
}

// Run tests the stores that open makes.
func Run(t *testing.T, open func(t *testing.T) Rig) {
	for name, f := range map[string]func(*testing.T, Rig){
		"tenants":         testTenants,
		"settings":        testSettings,
		"tokens":          testTokens,
		"tokens walls":    testWalls,
		"tokens use":      testUse,
		"tokens expiring": testExpiring,
		"tokens live":     testLive,
		"tokens prune":    testPrune,
		"tokens race":     testRace,
		"revision":        testRevision,
		"two registries":  testTwo,
		"removal":         testRemoval,
		"removal data":    testRemovalOfData,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

var ctx = context.Background()

// must is v, or the end of the test.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func names(list []tenant.Tenant) string {
	var out []string
	for _, t := range list {
		out = append(out, t.Name)
	}
	return strings.Join(out, " ")
}

func testTenants(t *testing.T, rig Rig) {
	s := rig.Store
	if got := names(must(s.ListTenants(ctx))(t)); got != "default" {
		t.Fatalf("a new store has the tenants %q, want the default one", got)
	}
	d := must(s.FindTenant(ctx, "default"))(t)
	if d.ID == 0 || !reflect.DeepEqual(d.Settings, tenant.Settings{}) || d.Fault != nil {
		t.Errorf("the default tenant is %+v, want it without settings", d)
	}
	before := time.Now().Add(-time.Minute)
	b := must(s.AddTenant(ctx, "beta", tenant.Settings{Profile: "strict"}))(t)
	a := must(s.AddTenant(ctx, "alpha-1", tenant.Settings{}))(t)
	if a.ID == 0 || a.ID == b.ID || a.ID == d.ID || a.Created.Before(before) || a.Revision == b.Revision {
		t.Errorf("tenants are not told apart: %+v, %+v", a, b)
	}
	if got := names(must(s.ListTenants(ctx))(t)); got != "alpha-1 beta default" {
		t.Errorf("ListTenants: %q, want them sorted", got)
	}
	if got := must(s.FindTenant(ctx, "beta"))(t); !reflect.DeepEqual(got, b) {
		t.Errorf("FindTenant: %+v, want %+v", got, b)
	}
	for _, name := range []string{"beta", "default", "BETA", "Alpha-1"} {
		_, err := s.AddTenant(ctx, name, tenant.Settings{})
		wantErr(t, "AddTenant "+name, err, tenant.ErrTaken)
	}
	for _, name := range []string{"", "gamma", "BETA", "bet_", "bet%", "beta ", "beta\x00", "' OR 1=1 --"} {
		_, err := s.FindTenant(ctx, name)
		wantErr(t, "FindTenant "+name, err, tenant.ErrNoTenant)
		_, err = s.ListTokens(ctx, name)
		wantErr(t, "ListTokens "+name, err, tenant.ErrNoTenant)
		_, err = s.ChangeTenant(ctx, name, func(s tenant.Settings) (tenant.Settings, error) { return s, nil })
		wantErr(t, "ChangeTenant "+name, err, tenant.ErrNoTenant)
		err = s.ChangeTokens(ctx, name, func([]tenant.Token) ([]tenant.Token, []string, error) {
			t.Errorf("ChangeTokens of %q calls its function", name)
			return nil, nil, nil
		})
		wantErr(t, "ChangeTokens "+name, err, tenant.ErrNoTenant)
		wantErr(t, "RemoveTenant "+name, s.RemoveTenant(ctx, name), tenant.ErrNoTenant)
	}
}

func testSettings(t *testing.T, rig Rig) {
	s := rig.Store
	was := must(s.AddTenant(ctx, "acme", tenant.Settings{}))(t)
	want := tenant.Settings{Profile: "auto,-UniqueGroupNames", BaseURL: "https://é.example.com/x", Limits: tenant.Limits{MaxPage: 7, Deadline: 9 * time.Second},
		Protected: []string{"User:zoë", "Group:\u2028a\"b"}, Rate: tenant.Rate{PerSecond: 3},
		Schemas: []byte(`[{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"]}]`),
		Breaker: tenant.Breaker{Mode: "hold", Percent: 2.5, Window: time.Hour}, Promotion: tenant.Promotion{Roles: tenant.Ceiling{Only: []string{}}}}
	got := must(s.ChangeTenant(ctx, "acme", func(have tenant.Settings) (tenant.Settings, error) {
		if !reflect.DeepEqual(have, tenant.Settings{}) {
			t.Errorf("the settings before: %+v", have)
		}
		return want, nil
	}))(t)
	if got.ID != was.ID || got.Revision == was.Revision || !got.Created.Equal(was.Created) {
		t.Errorf("changed %+v into %+v", was, got)
	}
	if found := must(s.FindTenant(ctx, "acme"))(t); !reflect.DeepEqual(found.Settings, want) || found.Revision != got.Revision {
		t.Errorf("found %+v, want %+v", found, want)
	}
	no := errors.New("no")
	_, err := s.ChangeTenant(ctx, "acme", func(tenant.Settings) (tenant.Settings, error) { return tenant.Settings{}, no })
	wantErr(t, "a change that is refused", err, no)
	if err.Error() != "no" {
		t.Errorf("the error says %q, want it as it is", err)
	}
	if found := must(s.FindTenant(ctx, "acme"))(t); !reflect.DeepEqual(found.Settings, want) {
		t.Errorf("a change that was refused made %+v", found)
	}
	// A change sees what another one has made.
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			_, err := s.ChangeTenant(ctx, "acme", func(s tenant.Settings) (tenant.Settings, error) {
				s.Limits.MaxPage++
				return s, nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := must(s.FindTenant(ctx, "acme"))(t).Limits.MaxPage; n != 27 {
		t.Errorf("20 changes at the same time made 7 into %d", n)
	}
}

// testRevision: every change can be noticed, and use is none.
func testRevision(t *testing.T, rig Rig) {
	s := rig.Store
	r := tenant.NewRegistry(s, tenant.Options{})
	seen := map[int64]string{must(s.Revision(ctx))(t): "the beginning"}
	var made tenant.Issued
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"AddTenant", func() error { _, err := r.AddTenant(ctx, "acme", tenant.Settings{}); return err }},
		{"ChangeTenant", func() error {
			_, err := r.ChangeTenant(ctx, "acme", func(s tenant.Settings) (tenant.Settings, error) { return s.Set("profile", "strict") })
			return err
		}},
		{"AddToken", func() (err error) { made, err = r.AddToken(ctx, "acme", tenant.Spec{Name: "okta"}); return err }},
		{"RotateToken", func() error { _, _, err := r.RotateToken(ctx, "acme", "okta", tenant.Rotation{}); return err }},
		{"RevokeToken", func() error { _, err := r.RevokeToken(ctx, "acme", made.Token.ID); return err }},
		{"PruneTokens", func() error { return s.PruneTokens(ctx, time.Now().Add(time.Hour)) }},
		{"RemoveTenant", func() error { return r.RemoveTenant(ctx, "acme") }},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		n := must(s.Revision(ctx))(t)
		if before, ok := seen[n]; ok {
			t.Errorf("the revision after %s is that after %s", step.name, before)
		}
		seen[n] = step.name
		if i := must(s.Index(ctx))(t); i.Revision != n {
			t.Errorf("%s: the index is of revision %d, not %d", step.name, i.Revision, n)
		}
		if step.name == "RotateToken" {
			if err := s.NoteUse(ctx, []tenant.Use{{Tenant: "acme", Token: made.Token.ID, At: time.Now()}}); err != nil {
				t.Error(err)
			}
			if after := must(s.Revision(ctx))(t); after != n {
				t.Error("that a token is used changes the revision")
			}
			if i := must(s.Index(ctx))(t); len(i.Tokens) != 2 || len(i.Tenants) != 2 {
				t.Errorf("the index is %+v, want two of each", i)
			}
		}
	}
}

// poll waits until f is true.
func poll(t *testing.T, what string, f func() bool) {
	t.Helper()
	// On PostgreSQL a name is free once no transaction of the whole server is older
	// than its removal, and other tests have long ones there.
	for end := time.Now().Add(2 * time.Minute); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain: " + what)
		}
	}
}

// testTwo: what one instance changes holds at once there, and soon elsewhere.
func testTwo(t *testing.T, rig Rig) {
	here := tenant.NewRegistry(rig.Store, tenant.Options{Poll: 50 * time.Millisecond})
	there := tenant.NewRegistry(rig.Store, tenant.Options{Poll: 50 * time.Millisecond})
	run, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { there.Run(run) })
	defer wg.Wait()
	defer stop()
	must(here.AddTenant(ctx, "acme", tenant.Settings{}))(t)
	made := must(here.AddToken(ctx, "acme", tenant.Spec{Name: "okta"}))(t)
	good := func(r *tenant.Registry, secret string) bool {
		g, err := r.Authenticate(ctx, secret)
		var refused *tenant.Refusal
		if err != nil && !errors.As(err, &refused) {
			t.Errorf("Authenticate: %v", err)
		}
		return err == nil && g.Tenant.Name == "acme"
	}
	if !good(here, made.Secret) {
		t.Error("a new token is refused where it was made")
	}
	poll(t, "the token is good elsewhere", func() bool { return good(there, made.Secret) })
	for i := range 5 {
		next, _, err := here.RotateToken(ctx, "acme", "okta", tenant.Rotation{Now: true})
		if err != nil {
			t.Fatal(err)
		}
		revoked := time.Now()
		if good(here, made.Secret) || !good(here, next.Secret) {
			t.Fatalf("rotation %d does not hold at once", i)
		}
		poll(t, "the rotation holds elsewhere", func() bool { return !good(there, made.Secret) && good(there, next.Secret) })
		if d := time.Since(revoked); d > 10*time.Second {
			t.Errorf("it took %v", d)
		}
		made = next
	}
	if err := here.RemoveTenant(ctx, "acme"); err != nil {
		t.Fatal(err)
	}
	if good(here, made.Secret) {
		t.Error("the token of a removed tenant is good")
	}
	poll(t, "the removal holds elsewhere", func() bool { return !good(there, made.Secret) })
	_, err := there.Tenant(ctx, "acme")
	wantErr(t, "the removed tenant elsewhere", err, tenant.ErrNoTenant)
}

// fill makes people, a group of them, and one that is deleted.
func fill(t *testing.T, b scim.Backend, n int) (ids []string) {
	t.Helper()
	for i := range n {
		ids = append(ids, create(t, b, 0, fmt.Sprintf(`{"userName":"u%d","externalId":"x%d","displayName":"Person %d","emails":[{"value":"u%d@example.com"}]}`, i, i, i, i), nil).ID)
	}
	create(t, b, 1, `{"displayName":"all"}`, ids)
	if err := b.Delete(ctx, scim.Ref{Type: types[0], ID: ids[0]}, ""); err != nil {
		t.Fatal(err)
	}
	return ids[1:]
}
