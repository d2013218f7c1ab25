package server

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/internal/oidc"
	"github.com/rollcall-scim/rollcall/internal/outbound"
	"github.com/rollcall-scim/rollcall/internal/tenant"
)

// SignIn is how people sign in to the console by OpenID Connect.
type SignIn struct {
	oidc.Client
	SecretFile string // "": the secret is in Client, or there is none
	Name       string // of the issuer, on the button
	// Operators and Viewers are the values of the roles' claim that let change
	// things, and look; "*" is everybody who can sign in.
	Operators, Viewers []string
}

// oidc checks what is about OpenID Connect and about calls to elsewhere. fault
// takes what is wrong.
func (c *Config) oidc(s *Settings, fault func(*problem)) {
	bad := func(name, value, allowed string) {
		fault(&problem{c.source(name), `="` + printable(value) + `": ` + allowed})
	}
	var err error
	if s.Outbound, err = outbound.ParsePolicy(c.OutboundAllow); err != nil {
		bad("OutboundAllow", c.OutboundAllow, err.Error())
	}
	s.OutboundCA = c.OutboundCA
	issuer := func(name, text string) {
		u, err := url.Parse(text)
		switch {
		case err != nil:
			bad(name, redactURL(text), "is no URL")
		case u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "/.well-known/"):
			bad(name, redactURL(text), "must be the issuer's URL alone, as its tokens have it in iss, without a query and without /.well-known/…")
		default:
			if err := s.Outbound.CheckURL(u); err != nil {
				bad(name, redactURL(text), err.Error())
			}
		}
	}
	needs := func(names []string, what string) {
		for _, name := range names {
			if c.sources[name] != "" {
				fault(&problem{c.source(name), " needs " + what})
			}
		}
	}
	if c.OIDCIssuer == "" {
		needs([]string{"OIDCAudience", "OIDCScopeClaim", "OIDCScopePrefix", "OIDCScopes", "OIDCClients", "OIDCTenantClaim", "OIDCLeeway"}, "ROLLCALL_OIDC_ISSUER")
	} else {
		issuer("OIDCIssuer", c.OIDCIssuer)
		t := oidc.Trust{Tenant: tenant.Default, Issuer: tenant.Issuer{URL: c.OIDCIssuer, Audience: c.OIDCAudience, ScopeClaim: c.OIDCScopeClaim,
			ScopePrefix: c.OIDCScopePrefix, Scopes: c.OIDCScopes, Clients: commaList(c.OIDCClients), TenantClaim: c.OIDCTenantClaim}}
		if t.TenantClaim != "" {
			t.Tenant = "" // the claim names it
		}
		if t.Audience == "" {
			fault(&problem{c.source("OIDCIssuer"), " needs ROLLCALL_OIDC_AUDIENCE: whom tokens must be for (aud)"})
		}
		if _, err := tenant.ParseScopes(t.Scopes); err != nil {
			bad("OIDCScopes", c.OIDCScopes, err.Error())
		}
		if strings.ContainsAny(t.ScopePrefix, " ,") {
			bad("OIDCScopePrefix", c.OIDCScopePrefix, "must have no blank and no comma")
		}
		var ok bool
		if t.Leeway, ok = duration(cmp.Or(c.OIDCLeeway, "1m")); !ok || t.Leeway <= 0 || t.Leeway > 10*time.Minute {
			bad("OIDCLeeway", c.OIDCLeeway, "must be a duration from 1s to 10m0s")
		}
		s.Issuer = &t
	}
	rest := []string{"SignInID", "SignInSecret", "SignInSecretFile", "SignInName", "SignInRoles", "SignInOperators", "SignInViewers"}
	if c.SignInIssuer == "" {
		needs(rest, "ROLLCALL_CONSOLE_OIDC_ISSUER")
		return
	}
	issuer("SignInIssuer", c.SignInIssuer)
	in := &SignIn{Client: oidc.Client{Issuer: c.SignInIssuer, ID: c.SignInID, Secret: c.SignInSecret, Roles: cmp.Or(c.SignInRoles, "roles")},
		SecretFile: c.SignInSecretFile, Name: c.SignInName, Operators: commaList(c.SignInOperators), Viewers: commaList(c.SignInViewers)}
	if in.Name == "" {
		if u, err := url.Parse(c.SignInIssuer); err == nil {
			in.Name = u.Hostname()
		}
	}
	if in.ID == "" {
		fault(&problem{c.source("SignInIssuer"), " needs ROLLCALL_CONSOLE_OIDC_CLIENT_ID"})
	}
	if in.Secret != "" && in.SecretFile != "" {
		fault(&problem{c.source("SignInSecret") + " and " + c.source("SignInSecretFile"), ": one of both at most"})
	}
	if len(in.Operators)+len(in.Viewers) == 0 {
		fault(&problem{c.source("SignInIssuer"), " needs ROLLCALL_CONSOLE_OIDC_OPERATORS or ROLLCALL_CONSOLE_OIDC_VIEWERS: without them nobody may do anything"})
	}
	if slices.Contains(in.Operators, "*") {
		bad("SignInOperators", c.SignInOperators, `must name values: "*" would let everybody who can sign in change the directory`)
	}
	s.SignIn = in
}
