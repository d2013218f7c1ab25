package server

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/auth"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/console"
	"github.com/rollcall-scim/rollcall/internal/oidc"
	"github.com/rollcall-scim/rollcall/internal/outbound"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
)

// newVerifier returns what judges the tokens of issuers, and reads what the
// settings name while it can be read: it may be root's.
func newVerifier(s *Settings, log *slog.Logger) (*oidc.Verifier, error) {
	var roots *x509.CertPool
	if s.OutboundCA != "" {
		var err error
		if roots, err = authorities("ROLLCALL_OUTBOUND_CA", s.OutboundCA); err != nil {
			return nil, err
		}
	}
	if in := s.SignIn; in != nil && in.SecretFile != "" {
		text, err := os.ReadFile(in.SecretFile)
		if err != nil {
			return nil, fmt.Errorf("can't read ROLLCALL_CONSOLE_OIDC_CLIENT_SECRET_FILE=%q: %w", printable(in.SecretFile), bare(err))
		}
		with := *in
		if with.Secret = strings.TrimSpace(string(text)); with.Secret == "" {
			return nil, fmt.Errorf("ROLLCALL_CONSOLE_OIDC_CLIENT_SECRET_FILE=%q is empty", printable(in.SecretFile))
		}
		s.SignIn = &with
	}
	return oidc.NewVerifier(oidc.Options{Client: outbound.New(outbound.Options{Policy: s.Outbound, Roots: roots}), Logger: log}), nil
}

// accessTokens is the method of JWTs that an issuer signed: one of the server's
// configuration, or of a tenant's settings.
type accessTokens struct {
	verifier *oidc.Verifier
	registry *tenant.Registry
	server   *oidc.Trust // of the configuration; nil: none
	open     bool        // the default tenant needs no token
}

func (accessTokens) knows(token string) bool { return oidc.IsJWT(token) }

// who counts on the issuers of the path's tenant, or without one of the default
// tenant, and on the server's. Of a tenant that is not there, and of one whose
// settings can't be understood, there are none.
func (m accessTokens) who(ctx context.Context, token, path string) (*caller, error) {
	at := cmp.Or(path, tenant.Default)
	var trusts []oidc.Trust
	t, err := m.registry.Tenant(ctx, at)
	switch {
	case err == nil:
		for _, is := range t.Issuers {
			trusts = append(trusts, oidc.Trust{Issuer: is, Tenant: t.Name})
		}
	case !errors.Is(err, tenant.ErrNoTenant) && !errors.Is(err, tenant.ErrInvalid):
		return nil, err // who is trusted is not known: that is not the client's fault
	}
	if m.server != nil {
		trusts = append(trusts, *m.server)
	}
	if len(trusts) == 0 && m.open && path == "" {
		if alone, err := m.registry.Alone(ctx); err != nil || alone {
			return anonymous(), err
		}
	}
	access, err := m.verifier.Verify(ctx, token, trusts)
	var refused *oidc.Refusal
	var down *oidc.Unavailable
	switch {
	case errors.As(err, &refused):
		return nil, auth.Invalid("the bearer token is not valid", refused)
	case errors.As(err, &down):
		return nil, &scim.Error{Status: http.StatusServiceUnavailable, RetryAfter: down.RetryAfter, Err: down,
			Detail: "whether the bearer token is valid can't be found out for now: the keys of its issuer can't be fetched"}
	case err != nil:
		return nil, err
	}
	t, err = m.registry.Tenant(ctx, access.Tenant)
	if errors.Is(err, tenant.ErrNoTenant) { // the client learns no more than that of any token
		return nil, auth.Invalid("the bearer token is not valid", &oidc.Refusal{Reason: oidc.BadTenant, Cause: err})
	}
	if err != nil {
		return nil, err
	}
	return &caller{Subject: access.Actor(), Tenant: t, Scopes: access.Scopes}, nil
}

func (m accessTokens) scheme(t *tenant.Tenant) scim.AuthenticationScheme {
	if len(t.Issuers) == 0 && (m.server == nil || m.server.Tenant != "" && m.server.Tenant != t.Name) {
		return scim.AuthenticationScheme{}
	}
	return scim.AuthenticationScheme{
		Type:        "oauth2",
		Name:        "OAuth 2.0 access token",
		Description: "A JWT access token of an issuer that is trusted here, in the Authorization header: Authorization: Bearer <token>",
		SpecURI:     "https://www.rfc-editor.org/info/rfc9068",
	}
}

// believed are the issuers whose access tokens somebody accepts here.
type believed struct {
	known      bool
	generation uint64 // of the registry
	issuers    []string
}

// prepare has their keys ready before a token comes.
func (d *directory) prepare(ctx context.Context, t *believed) {
	if now := d.registry.Generation(); !t.known || now != t.generation {
		ctx, cancel := context.WithTimeout(ctx, credentialTime)
		defer cancel()
		list, err := d.registry.Tenants(ctx)
		if err != nil {
			return // it is tried again
		}
		var urls []string
		if d.s.Issuer != nil {
			urls = append(urls, d.s.Issuer.URL)
		}
		for i := range list {
			for _, is := range list[i].Issuers {
				urls = append(urls, is.URL)
			}
		}
		slices.Sort(urls)
		*t = believed{true, now, slices.Compact(urls)}
	}
	d.verifier.Prepare(t.issuers)
}

// closed is the authenticator of a server whose configuration has no token, and
// which is not open all the same.
type closed struct{}

func (closed) Authenticate(*http.Request) (auth.Principal, error) {
	return auth.Principal{}, auth.Invalid("the bearer token is not valid", nil)
}
func (closed) Challenge(err error) string        { return auth.Challenge(realm, err) }
func (closed) Scheme() scim.AuthenticationScheme { return scim.AuthenticationScheme{} }

// signIn is how people sign in to the console by OpenID Connect, or nil. In
// façade mode they may look: changing things takes a token of the application.
func (srv *Server) signIn() *console.SignIn {
	in := srv.s.SignIn
	if in == nil {
		return nil
	}
	at := srv.verifier.SignIn(in.Client)
	back := strings.TrimSuffix(strings.TrimSuffix(srv.base, "/v2"), srv.s.Mount) + console.Path + "/login/callback"
	return &console.SignIn{
		Name:  in.Name,
		Begin: func(ctx context.Context) (string, []byte, error) { return at.Begin(ctx, back) },
		Finish: func(ctx context.Context, secret []byte, query map[string][]string) (string, []string, error) {
			p, err := at.Finish(ctx, secret, query)
			switch {
			case errors.Is(err, oidc.ErrDenied), errors.Is(err, oidc.ErrState):
				return "", nil, fmt.Errorf("%w: %w", console.ErrSignIn, err)
			case err != nil:
				return "", nil, err
			}
			known := append(slices.Clone(in.Operators), in.Viewers...)
			roles := slices.DeleteFunc(p.Roles, func(r string) bool { return !slices.Contains(known, r) })
			slices.Sort(roles)
			return p.Name, slices.Compact(roles), nil
		},
		Role: func(roles []string) (admin, known bool) {
			for _, r := range roles {
				admin = admin || slices.Contains(in.Operators, r)
				known = known || slices.Contains(in.Viewers, r)
			}
			known = known || admin || slices.Contains(in.Viewers, "*")
			return admin && srv.s.PactFlow == nil, known
		},
		Context: func(ctx context.Context, name string) context.Context {
			origin := scim.OriginOf(ctx)
			origin.Actor = name + " by console"
			return scim.WithOrigin(ctx, origin)
		},
	}
}
