package transfer_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/internal/transfer"
)

// tenants opens the tenants of a database.
func tenants(t *testing.T, d database, place string) (tenant.Store, func()) {
	t.Helper()
	if d.name == "sqlite" {
		db := openSQLite(t, place)
		return db, func() { _ = db.Close() }
	}
	db, err := postgres.Open(t.Context(), place, postgresOptions)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db, func() { _ = db.Close() }
}

// TestAccessMoves covers T29: a copy has the settings and tokens of each tenant,
// live or remembered, and a removed tenant is not in it.
func TestAccessMoves(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	place := inSQLite.place(t)
	from, done := tenants(t, inSQLite, place)
	r := tenant.NewRegistry(from, tenant.Options{})
	settings := tenant.Settings{Profile: "strict", Protected: []string{"User:röot"}, Schemas: []byte(`[]`)}
	if _, err := r.AddTenant(ctx, "acme", settings); err != nil {
		t.Fatal(err)
	}
	if _, err := r.AddTenant(ctx, "gone", tenant.Settings{}); err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{} // token → tenant
	add := func(home, name string) tenant.Issued {
		made, err := r.AddToken(ctx, home, tenant.Spec{Name: name, Expires: time.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	for _, home := range []string{"acme", "default"} {
		for _, name := range []string{"okta", "entra"} {
			secrets[add(home, name).Secret] = home
		}
	}
	revoked := add("acme", "old")
	if _, err := r.RevokeToken(ctx, "acme", "old"); err != nil {
		t.Fatal(err)
	}
	lost := add("gone", "okta")
	if err := r.RemoveTenant(ctx, "gone"); err != nil {
		t.Fatal(err)
	}
	want := everything(t, from)
	done()

	for _, to := range []database{inPostgres, inSQLite} {
		next := to.place(t)
		move(ctx, t, inSQLite, place, to, next)
		if to.name == "postgres" { // and back
			last := inSQLite.place(t)
			move(ctx, t, to, next, inSQLite, last)
			s, done := tenants(t, inSQLite, last)
			if got := everything(t, s); !reflect.DeepEqual(got, want) {
				t.Errorf("to PostgreSQL and back:\n%+v, want\n%+v", got, want)
			}
			done()
		}
		s, done := tenants(t, to, next)
		if got := everything(t, s); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%+v, want\n%+v", to.name, got, want)
		}
		there := tenant.NewRegistry(s, tenant.Options{})
		for secret, home := range secrets {
			if g, err := there.Authenticate(ctx, secret); err != nil || g.Tenant.Name != home {
				t.Errorf("%s: a token of %s: %+v, %v", to.name, home, g, err)
			}
		}
		for _, secret := range []string{revoked.Secret, lost.Secret} {
			if _, err := there.Authenticate(ctx, secret); err == nil {
				t.Errorf("%s: a dead token is good", to.name)
			}
		}
		done()
	}
}

func move(ctx context.Context, t *testing.T, a database, from string, b database, to string) {
	t.Helper()
	src := a.source(t, from)
	dst := b.target(ctx, t, to)
	err := transfer.Copy(ctx, src, dst, func(*transfer.Record) error { return nil }, func(int64, int64) {})
	if err != nil {
		t.Fatalf("from %s to %s: %v", a.name, b.name, err)
	}
	if err := dst.Close(); err != nil {
		t.Fatal(err)
	}
}

// known is a tenant and its tokens as every database has them.
type known struct {
	Created  time.Time
	Settings tenant.Settings
	Tokens   []tenant.Token
}

func everything(t *testing.T, s tenant.Store) map[string]known {
	t.Helper()
	list, err := s.ListTenants(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]known{}
	for _, one := range list {
		tokens, err := s.ListTokens(t.Context(), one.Name)
		if err != nil || one.Fault != nil {
			t.Fatal(err, one.Fault)
		}
		all[one.Name] = known{one.Created, one.Settings, tokens}
	}
	return all
}
