package server_test

import (
	"errors"
	"net/http/httptest"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/server"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/internal/tenant/tenanttest"
	"github.com/rollcall-scim/rollcall/scim"
)

// someJWT is a token that nobody signed.
const someJWT = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlLmNvbSJ9.AAAA"

// identify is the status that credentials get, and whom they are of.
func identify(registry *tenant.Registry, authorization, path string) (string, int) {
	r := httptest.NewRequest("GET", "/", nil)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	subject, err := server.Identify(registry, r, path)
	if err != nil {
		return "", scim.AsError(err).Status
	}
	return subject, 200
}

// TestIdentifyWithoutDatabase: that a tenant's issuers can't be found out is not
// that a token is wrong.
func TestIdentifyWithoutDatabase(t *testing.T) {
	t.Parallel()
	store := tenanttest.NewMemory()
	registry := tenant.NewRegistry(store, tenant.Options{})
	if _, err := registry.AddTenant(t.Context(), "acme", tenant.Settings{}); err != nil {
		t.Fatal(err)
	}
	if _, status := identify(registry, "Bearer "+someJWT, "acme"); status != 401 {
		t.Errorf("with the database: %d", status)
	}
	made, err := registry.AddToken(t.Context(), "acme", tenant.Spec{Name: "okta"})
	if err != nil {
		t.Fatal(err)
	}
	store.Break(errors.New("connection refused"))
	for name, token := range map[string]string{"an access token": someJWT, "a managed one": made.Secret} {
		for _, path := range []string{"acme", "nobody", ""} {
			if _, status := identify(registry, "Bearer "+token, path); status != 503 {
				t.Errorf("%s at %q: %d", name, path, status)
			}
		}
	}
}

// TestOpenBesideTenants: while there is nothing but an open directory, what
// clients send as credentials is passed over. Once somebody may have credentials,
// only who sends none is anonymous: a wrong one is not taken for none.
func TestOpenBesideTenants(t *testing.T) {
	t.Parallel()
	store := tenanttest.NewMemory()
	registry := tenant.NewRegistry(store, tenant.Options{})
	ask := func(when string, want int) {
		t.Helper()
		if who, status := identify(registry, "", ""); who != "anonymous" {
			t.Errorf("%s, without credentials: %d", when, status)
		}
		for _, sent := range []string{"Bearer " + someJWT, "Bearer c_0123456789", "Bearer", "Basic YTpi", "Bearer x y"} {
			if who, status := identify(registry, sent, ""); status != want || want == 200 && who != "anonymous" {
				t.Errorf("%s, %s: %q, %d, want %d", when, sent, who, status, want)
			}
		}
		if _, status := identify(registry, "", "acme"); status != 401 {
			t.Errorf("%s, at the path of a tenant: %d", when, status)
		}
	}
	ask("alone", 200)
	if _, err := registry.AddTenant(t.Context(), "acme", tenant.Settings{}); err != nil {
		t.Fatal(err)
	}
	ask("beside a tenant", 401)
	if err := registry.RemoveTenant(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	ask("alone again", 200)
	if _, err := registry.AddToken(t.Context(), tenant.Default, tenant.Spec{Name: "okta"}); err != nil {
		t.Fatal(err)
	}
	ask("with a token of its own", 401)
	store.Break(errors.New("connection refused"))
	registry = tenant.NewRegistry(store, tenant.Options{})
	ask("without the database", 503)
}
