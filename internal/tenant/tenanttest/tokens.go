package tenanttest

import (
	"errors"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/tenant"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// token is one that a store may be given.
func token(home, id string, n byte) tenant.Token {
	k := tenant.Token{ID: id, Tenant: home, Name: "name-" + id, Prefix: "rc_abcd", Scopes: tenant.DefaultScopes(), Created: noon.Add(time.Duration(n) * time.Second)}
	k.Hash[0], k.Hash[31] = n, 255-n
	return k
}

// put stores tokens of one tenant.
func put(t *testing.T, s tenant.Store, home string, tokens ...tenant.Token) {
	t.Helper()
	err := s.ChangeTokens(ctx, home, func([]tenant.Token) ([]tenant.Token, []string, error) { return tokens, nil, nil })
	if err != nil {
		t.Fatal(err)
	}
}

func testTokens(t *testing.T, rig Rig) {
	s := rig.Store
	must(s.AddTenant(ctx, "acme", tenant.Settings{}))(t)
	a, b := token("acme", "tk_a", 2), token("acme", "tk_b", 1)
	a.Scopes, _ = tenant.ParseScopes("read write:User")
	a.Expires, a.Revoked, a.LastUsed = noon.Add(time.Hour), noon.Add(time.Minute), noon.Add(time.Second)
	a.LastClient, a.Replaces = "Entra «ID» 'x'", "tk_b"
	b.Scopes = nil
	put(t, s, "acme", a, b)
	if got := must(s.ListTokens(ctx, "acme"))(t); !reflect.DeepEqual(got, []tenant.Token{b, a}) {
		t.Errorf("ListTokens:\n%+v, want the older first:\n%+v", got, []tenant.Token{b, a})
	}
	if got := must(s.FindToken(ctx, a.Hash))(t); !reflect.DeepEqual(got, a) {
		t.Errorf("FindToken:\n%+v, want\n%+v", got, a)
	}
	near := a.Hash
	near[31]++
	for _, h := range []tenant.Hash{{}, near} {
		_, err := s.FindToken(ctx, h)
		wantErr(t, "FindToken of a hash that is none", err, tenant.ErrNoToken)
	}
	no := errors.New("no")
	err := s.ChangeTokens(ctx, "acme", func(have []tenant.Token) ([]tenant.Token, []string, error) {
		return []tenant.Token{token("acme", "tk_c", 3)}, []string{"tk_a"}, no
	})
	wantErr(t, "a change that is refused", err, no)
	if got := must(s.ListTokens(ctx, "acme"))(t); len(got) != 2 {
		t.Errorf("a change that was refused made %+v", got)
	}
	b.Name, b.Expires = "renamed", noon
	listed := must(s.ListTokens(ctx, "acme"))(t)
	err = s.ChangeTokens(ctx, "acme", func(have []tenant.Token) ([]tenant.Token, []string, error) {
		if !reflect.DeepEqual(have, listed) {
			t.Errorf("a change sees %+v, listed are %+v", have, listed)
		}
		return []tenant.Token{b}, []string{"tk_a", "tk_nope"}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := must(s.ListTokens(ctx, "acme"))(t); !reflect.DeepEqual(got, []tenant.Token{b}) {
		t.Errorf("ListTokens:\n%+v, want\n%+v", got, b)
	}
}

// testWalls: nothing that is done to one tenant's tokens reaches another's (T3).
func testWalls(t *testing.T, rig Rig) {
	s := rig.Store
	must(s.AddTenant(ctx, "acme", tenant.Settings{}))(t)
	must(s.AddTenant(ctx, "other", tenant.Settings{}))(t)
	theirs := token("other", "tk_x", 1)
	put(t, s, "other", theirs)
	stolen := token("other", "tk_x", 2)
	_ = s.ChangeTokens(ctx, "acme", func(have []tenant.Token) ([]tenant.Token, []string, error) {
		if len(have) != 0 {
			t.Errorf("a tenant is shown another one's tokens: %+v", have)
		}
		return []tenant.Token{stolen}, []string{"tk_x"}, nil
	})
	if got := must(s.ListTokens(ctx, "other"))(t); !reflect.DeepEqual(got, []tenant.Token{theirs}) {
		t.Errorf("a change of one tenant's tokens made another's %+v", got)
	}
	if got := must(s.FindToken(ctx, theirs.Hash))(t); got.Tenant != "other" {
		t.Errorf("a tenant has taken over the token %+v", got)
	}
	put(t, s, "other", token("other", "tk_z", 4))
	// Whose a token is follows from where it is put, not from what it says.
	put(t, s, "acme", token("other", "tk_y", 3))
	if got := must(s.FindToken(ctx, token("", "", 3).Hash))(t); got.Tenant != "acme" {
		t.Errorf("a token put into acme is %s's", got.Tenant)
	}
	r := tenant.NewRegistry(s, tenant.Options{})
	_, err := r.RevokeToken(ctx, "acme", "tk_z")
	wantErr(t, "revoking another tenant's token", err, tenant.ErrNoToken)
	_, _, err = r.RotateToken(ctx, "acme", "name-tk_z", tenant.Rotation{})
	wantErr(t, "rotating another tenant's token", err, tenant.ErrNoToken)
}

func testUse(t *testing.T, rig Rig) {
	s := rig.Store
	put(t, s, "default", token("default", "tk_a", 1), token("default", "tk_b", 2))
	at := func(d time.Duration, client string) tenant.Use {
		return tenant.Use{Tenant: "default", Token: "tk_a", At: noon.Add(d), Client: client}
	}
	if err := s.NoteUse(ctx, []tenant.Use{at(time.Minute, "Okta"), {Tenant: "default", Token: "tk_nope", At: noon}, {Tenant: "nobody", Token: "tk_b", At: noon}, {Token: "tk_b", At: noon}}); err != nil {
		t.Fatal(err)
	}
	if err := s.NoteUse(ctx, []tenant.Use{at(2*time.Minute, "")}); err != nil {
		t.Fatal(err)
	}
	if err := s.NoteUse(ctx, []tenant.Use{at(time.Second, "an older one")}); err != nil {
		t.Fatal(err)
	}
	list := must(s.ListTokens(ctx, "default"))(t)
	if a := list[0]; !a.LastUsed.Equal(noon.Add(2*time.Minute)) || a.LastClient != "Okta" {
		t.Errorf("used at %s by %q, want two minutes past noon by Okta", a.LastUsed, a.LastClient)
	}
	if b := list[1]; !b.LastUsed.IsZero() || b.LastClient != "" {
		t.Errorf("the other token is used too: %+v", b)
	}
	// A change that began before the use was noted does not take it back.
	a := list[0]
	a.LastUsed = time.Time{}
	put(t, s, "default", a)
	if got := must(s.FindToken(ctx, a.Hash))(t); got.LastUsed.IsZero() {
		t.Error("a change of a token has forgotten when it was used")
	}
}

func testExpiring(t *testing.T, rig Rig) {
	s := rig.Store
	must(s.AddTenant(ctx, "acme", tenant.Settings{}))(t)
	at := func(home, id string, n byte, d time.Duration, more func(*tenant.Token)) {
		k := token(home, id, n)
		if d != 0 {
			k.Expires = noon.Add(d)
		}
		if more != nil {
			more(&k)
		}
		put(t, s, home, k)
	}
	at("acme", "tk_never", 1, 0, nil)
	at("acme", "tk_over", 2, -time.Hour, nil)
	at("acme", "tk_late", 3, 2*time.Hour, nil)
	at("default", "tk_soon", 4, time.Hour, nil)
	at("acme", "tk_far", 5, 100*time.Hour, nil)
	at("acme", "tk_revoked", 6, time.Hour, func(k *tenant.Token) { k.Revoked = noon })
	at("acme", "tk_followed", 7, time.Hour, nil)
	at("acme", "tk_next", 8, 0, func(k *tenant.Token) { k.Replaces = "tk_followed" })
	at("acme", "tk_alone", 9, 90*time.Minute, nil)
	at("acme", "tk_gone", 10, 0, func(k *tenant.Token) { k.Replaces, k.Revoked = "tk_alone", noon })
	at("default", "tk_foreign", 11, 0, func(k *tenant.Token) { k.Replaces = "tk_late" })
	var ids []string
	for _, k := range must(s.ExpiringTokens(ctx, noon, noon.Add(3*time.Hour)))(t) {
		ids = append(ids, k.ID+" of "+k.Tenant)
	}
	want := []string{"tk_soon of default", "tk_alone of acme", "tk_late of acme"}
	if !reflect.DeepEqual(ids, want) {
		t.Errorf("ExpiringTokens: %q, want %q", ids, want)
	}
}

func testLive(t *testing.T, rig Rig) {
	s := rig.Store
	if n, oldest, err := s.LiveTokens(ctx, noon); n != 0 || !oldest.IsZero() || err != nil {
		t.Errorf("without tokens: %d, %v, %v", n, oldest, err)
	}
	must(s.AddTenant(ctx, "acme", tenant.Settings{}))(t)
	add := func(home, id string, n byte, made, expires time.Duration, revoked bool) {
		k := token(home, id, n)
		if k.Created = noon.Add(-made); expires != 0 {
			k.Expires = noon.Add(expires)
		}
		if revoked {
			k.Revoked = noon.Add(-time.Minute)
		}
		put(t, s, home, k)
	}
	add("acme", "tk_revoked", 1, 9*time.Hour, 0, true)
	add("acme", "tk_over", 2, 8*time.Hour, -time.Hour, false)
	add("default", "tk_old", 3, 7*time.Hour, time.Hour, false)
	add("acme", "tk_new", 4, 6*time.Hour, 0, false)
	if n, oldest, err := s.LiveTokens(ctx, noon); n != 2 || !oldest.Equal(noon.Add(-7*time.Hour)) || err != nil {
		t.Errorf("%d, %v, %v", n, oldest, err)
	}
}

func testPrune(t *testing.T, rig Rig) {
	s := rig.Store
	for i, k := range []tenant.Token{{}, {Expires: noon.Add(-time.Hour)}, {Expires: noon.Add(time.Hour)}, {Revoked: noon.Add(-time.Hour)}, {Revoked: noon.Add(time.Hour)}} {
		full := token("default", "tk_"+string(rune('a'+i)), byte(i))
		full.Expires, full.Revoked = k.Expires, k.Revoked
		put(t, s, "default", full)
	}
	if err := s.PruneTokens(ctx, noon); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, k := range must(s.ListTokens(ctx, "default"))(t) {
		ids = append(ids, k.ID)
	}
	if want := []string{"tk_a", "tk_c", "tk_e"}; !reflect.DeepEqual(ids, want) {
		t.Errorf("after a prune there are %q, want %q", ids, want)
	}
	before := must(s.Revision(ctx))(t)
	if err := s.PruneTokens(ctx, noon); err != nil || must(s.Revision(ctx))(t) != before {
		t.Errorf("a prune of nothing is a change: %v", err)
	}
}

// testRace: of many that want one name, one gets it; no more tokens are live
// than may be (T3, T16).
func testRace(t *testing.T, rig Rig) {
	must(rig.Store.AddTenant(ctx, "acme", tenant.Settings{}))(t)
	var wg sync.WaitGroup
	var made, rotated atomic.Int64
	for range 30 {
		r := tenant.NewRegistry(rig.Store, tenant.Options{})
		wg.Go(func() {
			_, err := r.AddToken(ctx, "acme", tenant.Spec{Name: "okta"})
			if err == nil {
				made.Add(1)
			} else if !errors.Is(err, tenant.ErrTaken) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for range 30 {
		r := tenant.NewRegistry(rig.Store, tenant.Options{})
		wg.Go(func() {
			_, _, err := r.RotateToken(ctx, "acme", "okta", tenant.Rotation{})
			if err == nil {
				rotated.Add(1)
			} else if !errors.Is(err, tenant.ErrTooMany) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if made.Load() != 1 || rotated.Load() != 1 {
		t.Errorf("%d were made and %d rotations succeeded, want one each", made.Load(), rotated.Load())
	}
	if list := must(rig.Store.ListTokens(ctx, "acme"))(t); len(list) != 2 {
		t.Errorf("there are %d tokens, want two", len(list))
	}
	var tenants atomic.Int64
	for range 20 {
		wg.Go(func() {
			_, err := rig.Store.AddTenant(ctx, "beta", tenant.Settings{})
			if err == nil {
				tenants.Add(1)
			} else if !errors.Is(err, tenant.ErrTaken) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if tenants.Load() != 1 {
		t.Errorf("%d tenants were made of one name", tenants.Load())
	}
}

// testRemoval: a removed tenant is not there from that moment on.
func testRemoval(t *testing.T, rig Rig) {
	s := rig.Store
	must(s.AddTenant(ctx, "acme", tenant.Settings{Profile: "strict"}))(t)
	k := token("acme", "tk_a", 1)
	put(t, s, "acme", k)
	if err := s.RemoveTenant(ctx, "acme"); err != nil {
		t.Fatal(err)
	}
	_, err := s.FindTenant(ctx, "acme")
	wantErr(t, "FindTenant", err, tenant.ErrNoTenant)
	_, err = s.FindToken(ctx, k.Hash)
	wantErr(t, "FindToken", err, tenant.ErrNoToken)
	if err := s.RemoveTenant(ctx, "acme"); !errors.Is(err, tenant.ErrNoTenant) && !errors.Is(err, tenant.ErrRemoving) {
		t.Errorf("a second removal: %v", err)
	}
	if got := names(must(s.ListTenants(ctx))(t)); got != "default" {
		t.Errorf("ListTenants: %q", got)
	}
	if i := must(s.Index(ctx))(t); len(i.Tokens) != 0 || len(i.Tenants) != 1 {
		t.Errorf("the index has %+v", i)
	}
	poll(t, "the name is free again", func() bool {
		_, err := s.AddTenant(ctx, "acme", tenant.Settings{})
		if err != nil && !errors.Is(err, tenant.ErrRemoving) {
			t.Fatal(err)
		}
		return err == nil
	})
	if list := must(s.ListTokens(ctx, "acme"))(t); len(list) != 0 {
		t.Errorf("the new tenant has the tokens of the old one: %+v", list)
	}
	if found := must(s.FindTenant(ctx, "acme"))(t); found.Profile != "" {
		t.Errorf("the new tenant has the settings of the old one: %+v", found)
	}
}
