package server

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/internal/tenant"
)

// stillOpen is for who gives credentials to a tenant that needs none.
const stillOpen = "the tenant default stays open to everybody: who sends no credentials may read and change it until SCIM_API_TOKEN is set"

// warnOpen says once that the default tenant needs no credentials although
// somebody has some. It returns what to give it the next time.
func (d *directory) warnOpen(ctx context.Context, warned bool) bool {
	if !d.isOpen() {
		return false
	}
	alone, err := d.registry.Alone(ctx)
	if err != nil {
		return warned
	}
	if !alone && !warned {
		d.log.Warn("NO TOKEN IS SET, although there are other tenants, tokens or issuers: everybody who sends no credentials can read and change the tenant default; set SCIM_API_TOKEN")
	}
	return !alone
}

// warnings are what the operator should know of a tenant whose settings were
// changed so.
func (d *directory) warnings(ctx context.Context, t tenant.Tenant, o order) (list []string) {
	if !slices.ContainsFunc(o.Settings, func(s setting) bool { return s.Name == "issuers" || strings.HasPrefix(s.Name, "issuers.") }) || len(t.Issuers) == 0 {
		return nil
	}
	if t.Name == tenant.Default && d.opened.Load() && d.isOpen() {
		list = append(list, stillOpen)
	}
	others, err := d.registry.Tenants(ctx)
	if err != nil {
		return append(list, "whether another tenant accepts the same access tokens can't be found out: "+err.Error())
	}
	for _, is := range t.Issuers {
		for _, other := range others {
			if other.Name != t.Name && slices.ContainsFunc(other.Issuers, func(o tenant.Issuer) bool { return shared(is, t.Name, o, other.Name) }) {
				list = append(list, fmt.Sprintf("the tenants %s and %s accept the same access tokens, of the issuer %s for the audience %s: "+
					"tell them apart by tenantClaim or clients", t.Name, other.Name, printable(is.URL), printable(is.Audience)))
			}
		}
		if s := d.s.Issuer; s != nil && s.Tenant != t.Name && shared(is, t.Name, s.Issuer, s.Tenant) {
			list = append(list, fmt.Sprintf("the tenant %s accepts access tokens that the server's own issuer, %s, makes for other tenants: "+
				"tell them apart by audience, tenantClaim or clients", t.Name, printable(is.URL)))
		}
	}
	return list
}

// shared reports whether a token can be good by both of two issuers, of tenants
// of these names. No name is that of whatever tenant the claim says.
func shared(a tenant.Issuer, of string, b tenant.Issuer, by string) bool {
	if a.URL != b.URL || a.Audience != b.Audience {
		return false
	}
	if len(a.Clients) > 0 && len(b.Clients) > 0 && !slices.ContainsFunc(a.Clients, func(c string) bool { return slices.Contains(b.Clients, c) }) {
		return false
	}
	if a.TenantClaim == "" || a.TenantClaim != b.TenantClaim {
		return true
	}
	value := func(is tenant.Issuer, name string) string {
		if is.TenantValue != "" {
			return is.TenantValue
		}
		return name
	}
	if by == "" {
		return value(a, of) != of
	}
	return value(a, of) == value(b, by)
}
