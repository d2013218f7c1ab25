package tenanttest

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// types are those of RFC 7643 §4: User and Group.
var types = schema.Core()

func create(t *testing.T, b scim.Backend, typ int, body string, members []string) *scim.Resource {
	t.Helper()
	r, err := tryCreate(b, typ, body, members)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func tryCreate(b scim.Backend, typ int, body string, members []string) (*scim.Resource, error) {
	raw, err := scim.ParseObject([]byte(body), 0, 0)
	if err != nil {
		return nil, err
	}
	r, _, err := schema.Decode(types[typ], raw, schema.Options{AnySchemas: true})
	if err != nil {
		return nil, err
	}
	var refs []scim.MemberRef
	for _, id := range members {
		refs = append(refs, scim.MemberRef{ID: id})
	}
	if refs != nil {
		r.Attrs.Set("members", refs)
	}
	schema.Encode(r)
	return b.Create(ctx, r)
}

func total(t *testing.T, b scim.Backend) int {
	t.Helper()
	n := 0
	for _, rt := range types {
		p, err := b.List(ctx, scim.Query{Type: rt, Count: 10})
		if err != nil {
			t.Fatal(err)
		}
		n += p.Total
	}
	return n
}

// testRemovalOfData: all rows of a tenant go, and none of another's; a handle of
// the old tenant never reaches a new one of the same name (TEN-008).
func testRemovalOfData(t *testing.T, rig Rig) {
	if rig.Backend == nil {
		t.Log("the store has no resources")
		return
	}
	s := rig.Store
	acme, other := must(s.AddTenant(ctx, "acme", tenant.Settings{}))(t), must(s.AddTenant(ctx, "other", tenant.Settings{}))(t)
	r := tenant.NewRegistry(s, tenant.Options{})
	must(r.AddToken(ctx, "acme", tenant.Spec{Name: "okta"}))(t)
	kept := must(r.AddToken(ctx, "other", tenant.Spec{Name: "okta"}))(t)
	old, neighbour := rig.Backend(acme), rig.Backend(other)
	ids := fill(t, old, 60)
	fill(t, neighbour, 60)
	full, theirs := rig.Rows(t, acme.ID), rig.Rows(t, other.ID)
	if len(full) < 8 {
		t.Fatalf("a tenant with data has rows in %v alone", full)
	}
	if err := s.RemoveTenant(ctx, "acme"); err != nil {
		t.Fatal(err)
	}
	// It is gone for everybody, whatever is left of its rows.
	if n := total(t, old); n != 0 {
		t.Errorf("a handle of the removed tenant sees %d resources", n)
	}
	if _, err := old.Get(ctx, scim.Ref{Type: types[0], ID: ids[0]}, scim.Selection{}); !errors.Is(err, scim.ErrNotFound) {
		t.Errorf("Get of a removed tenant: %v", err)
	}
	refused := func() {
		t.Helper()
		var e *scim.Error
		if _, err := tryCreate(old, 0, `{"userName":"late"}`, nil); !errors.As(err, &e) || e.Status != 404 {
			t.Errorf("a late write to a removed tenant: %v, want a 404", err)
		}
		if err := old.Delete(ctx, scim.Ref{Type: types[0], ID: ids[1]}, ""); !errors.As(err, &e) || e.Status != 404 {
			t.Errorf("a late delete in a removed tenant: %v, want a 404", err)
		}
		if b, ok := old.(scim.Batcher); ok {
			err := b.Batch(ctx, func(b scim.Backend) error {
				_, err := tryCreate(b, 0, `{"userName":"late"}`, nil)
				return err
			})
			if !errors.As(err, &e) || e.Status != 404 {
				t.Errorf("a late batch in a removed tenant: %v, want a 404", err)
			}
		}
	}
	refused()
	var again tenant.Tenant
	poll(t, "the name is free again", func() (ok bool) {
		var err error
		if again, err = s.AddTenant(ctx, "acme", tenant.Settings{}); err != nil && !errors.Is(err, tenant.ErrRemoving) {
			t.Fatalf("AddTenant: %v", err)
		}
		return err == nil
	})
	if rows := rig.Rows(t, acme.ID); len(rows) != 0 {
		t.Errorf("the removed tenant has left rows: %v", rows)
	}
	if rows := rig.Rows(t, other.ID); !maps.Equal(rows, theirs) {
		t.Errorf("a removal has touched another tenant: %v, was %v", rows, theirs)
	}
	if _, err := r.Authenticate(ctx, kept.Secret); err != nil {
		t.Errorf("another tenant's token: %v", err)
	}
	if again.ID == acme.ID {
		t.Error("the new tenant has the number of the removed one")
	}
	refused()
	fresh := rig.Backend(again)
	fill(t, fresh, 3)
	// Writes of the old and the new one at the same time do not mix.
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			if _, err := tryCreate(old, 0, fmt.Sprintf(`{"userName":"old%d"}`, i), nil); err == nil {
				t.Error("a late write to a removed tenant succeeds beside one to the new tenant")
			}
		})
		wg.Go(func() {
			if _, err := tryCreate(fresh, 0, fmt.Sprintf(`{"userName":"new%d"}`, i), nil); err != nil {
				t.Errorf("a write to the new tenant beside a late one to the old: %v", err)
			}
		})
	}
	wg.Wait()
	if n := total(t, old); n != 0 {
		t.Errorf("a handle of the removed tenant sees %d resources of the new one", n)
	}
	if a, b := total(t, fresh), total(t, neighbour); a != 43 || b != 60 {
		t.Errorf("the new tenant has %d resources and the other one %d, want 43 and 60", a, b)
	}
}
