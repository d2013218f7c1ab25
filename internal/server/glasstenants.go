package server

import (
	"context"
	"net/http"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/console"
	"github.com/rollcall-scim/rollcall/internal/tenant"
)

// consoleTenants are the tenants of a directory as the console shows them.
func (srv *Server) consoleTenants(d *directory) *console.Tenants {
	return &console.Tenants{
		Open:   func(ctx context.Context, name string) (console.Realm, error) { return srv.realm(ctx, d, name) },
		Names:  d.registry.Names,
		Guest:  d.guest,
		Tokens: d.registry,
	}
}

// realm returns a tenant as the console shows it. What it shows is for people, so
// the engine obeys no scopes.
func (srv *Server) realm(ctx context.Context, d *directory, name string) (console.Realm, error) {
	ctx, cancel := context.WithTimeout(ctx, credentialTime)
	defer cancel()
	t, err := d.registry.Tenant(ctx, name)
	if err != nil {
		return console.Realm{}, err
	}
	h, err := d.houses.Load().of(t)
	if err != nil {
		return console.Realm{}, err
	}
	s := d.db.bound(*t)
	log, err := audited(s)
	if err != nil {
		return console.Realm{}, err
	}
	base := func(r *http.Request) string {
		if t.Name == tenant.Default {
			return srv.baseOf(r)
		}
		return srv.baseIn(t, t.Name)
	}
	return console.Realm{Tenant: t, Engine: h.plain, Base: base, Store: s, Audit: log, Export: func(ctx context.Context, line func([]byte) error) error {
		return exportAudit(ctx, log, 0, func(l auditLine) error { return line(l.Entry) })
	}}, nil
}

// guest returns the tenant that a managed token may read all of.
func (d *directory) guest(token string) (name string, ok bool) {
	g, ok := d.managed(token)
	if !ok || !g.Token.Scopes.Allows(tenant.Read, "") {
		return "", false
	}
	d.registry.Used(g.Token, "browser")
	return g.Tenant.Name, true
}

// managed returns what a managed token opens.
func (d *directory) managed(token string) (g tenant.Grant, ok bool) {
	if !tenant.IsManaged(token) {
		return g, false
	}
	ctx, cancel := context.WithTimeout(context.Background(), credentialTime)
	defer cancel()
	g, err := d.registry.Authenticate(ctx, token)
	return g, err == nil
}
