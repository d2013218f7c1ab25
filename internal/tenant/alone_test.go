package tenant_test

import (
	"errors"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/internal/tenant/tenanttest"
)

// TestAlone: another tenant, a token or an issuer each ends it at once, and what
// can't be found out is no answer.
func TestAlone(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for name, change := range map[string]func(*tenant.Registry) error{
		"":         func(*tenant.Registry) error { return nil },
		"a tenant": func(r *tenant.Registry) error { _, err := r.AddTenant(ctx, "acme", tenant.Settings{}); return err },
		"a token": func(r *tenant.Registry) error {
			_, err := r.AddToken(ctx, tenant.Default, tenant.Spec{Name: "okta"})
			return err
		},
		"an issuer":   func(r *tenant.Registry) error { _, err := r.ChangeTenant(ctx, tenant.Default, trusting); return err },
		"no settings": func(r *tenant.Registry) error { _, err := r.ChangeTenant(ctx, tenant.Default, same); return err },
	} {
		store := tenanttest.NewMemory()
		r := tenant.NewRegistry(store, tenant.Options{})
		if alone, err := r.Alone(ctx); err != nil || !alone {
			t.Fatalf("at first: %v, %v", alone, err)
		}
		if err := change(r); err != nil {
			t.Fatal(err)
		}
		want := name == "" || name == "no settings"
		if alone, err := r.Alone(ctx); err != nil || alone != want {
			t.Errorf("with %s: %v, %v", name, alone, err)
		}
	}
	store := tenanttest.NewMemory()
	lost := errors.New("the database is gone")
	store.Break(lost)
	if alone, err := tenant.NewRegistry(store, tenant.Options{}).Alone(ctx); !errors.Is(err, lost) || alone {
		t.Errorf("without the store: %v, %v", alone, err)
	}
}

func same(s tenant.Settings) (tenant.Settings, error) { return s, nil }

func trusting(s tenant.Settings) (tenant.Settings, error) {
	s.Issuers = []tenant.Issuer{{URL: "https://idp.example.com", Audience: "rollcall"}}
	return s, nil
}
