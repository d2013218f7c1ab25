package server

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/rollcall-scim/rollcall/auth"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
)

// realm is what challenges call the server.
const realm = "rollcall"

// credentialTime bounds how long credentials may take to be judged.
const credentialTime = 15 * time.Second

// caller is who sends a request, and what that may do.
type caller struct {
	Subject string         // a name for the logs, never the credential
	Tenant  *tenant.Tenant // nil: the default one
	Scopes  tenant.Scopes
	Token   *tenant.Token // nil: it is not a managed one
	Passed  string        // the credential, where another application is to judge it
}

// home is the name of the caller's tenant.
func (c *caller) home() string {
	if c.Tenant == nil {
		return tenant.Default
	}
	return c.Tenant.Name
}

// method is one way to know a caller by a bearer token. Of the methods of a
// server the first one that knows the form of a token decides alone. Safe for
// concurrent use.
type method interface {
	// knows reports whether a token, which can stand in a header, has the form of
	// those of the method.
	knows(token string) bool

	// who returns the caller with that token. path is the name in a path
	// /t/{name}/…, of a tenant that need not exist, or "" if the token alone
	// selects the tenant; whether the two agree is the router's business. The
	// error is a *tenant.Refusal, or a *scim.Error of status 401, for a token that
	// opens nothing; any other is a 503.
	who(ctx context.Context, token, path string) (*caller, error)

	// scheme describes the method in ServiceProviderConfig of a tenant; without a
	// Type it is not published there. Of those with the same Name one is.
	scheme(t *tenant.Tenant) scim.AuthenticationScheme
}

// configured is the method of the tokens in the configuration.
type configured struct{ tokens *auth.Bearer }

func (m configured) knows(token string) bool {
	_, ok := m.tokens.Subject(token)
	return ok
}

func (m configured) who(_ context.Context, token, _ string) (*caller, error) {
	subject, _ := m.tokens.Subject(token)
	return &caller{Subject: subject, Scopes: tenant.DefaultScopes()}, nil
}

func (m configured) scheme(t *tenant.Tenant) scim.AuthenticationScheme {
	if t.Name != tenant.Default {
		return scim.AuthenticationScheme{}
	}
	return bearerScheme
}

// bearerScheme is that of tokens that are texts of no meaning.
var bearerScheme = (*auth.Bearer)(nil).Scheme()

// managed is the method of the tokens that "rollcall token" makes.
type managed struct {
	registry *tenant.Registry
	open     bool // the default tenant needs no token
}

func (managed) knows(token string) bool { return tenant.IsManaged(token) }

func (m managed) who(ctx context.Context, token, _ string) (*caller, error) {
	g, err := m.registry.Authenticate(ctx, token)
	if err != nil {
		return nil, err
	}
	return &caller{Subject: subjectOf(g.Token), Tenant: g.Tenant, Scopes: g.Token.Scopes, Token: g.Token}, nil
}

// subjectOf is what the logs call a managed token.
func subjectOf(t *tenant.Token) string { return t.Name + " (" + t.ID + ")" }

func (m managed) scheme(t *tenant.Tenant) scim.AuthenticationScheme {
	if m.open && t.Name == tenant.Default {
		return scim.AuthenticationScheme{}
	}
	return bearerScheme
}

// schemesOf returns what is published of the methods for a tenant.
func schemesOf(methods []method, t *tenant.Tenant) (list []scim.AuthenticationScheme) {
	for _, m := range methods {
		s := m.scheme(t)
		if s.Type == "" || slices.ContainsFunc(list, func(o scim.AuthenticationScheme) bool { return o.Name == s.Name }) {
			continue
		}
		s.Primary = len(list) == 0
		list = append(list, s)
	}
	return list
}

// identify returns who sends a request that is for the tenant in its path, or for
// any if that is "". Its error is a *scim.Error, of status 401 for credentials
// that are not good.
func (d *directory) identify(r *http.Request, path string) (*caller, error) {
	text, err := auth.TokenOf(r)
	at := slices.IndexFunc(d.methods, func(m method) bool { return err == nil && m.knows(text) })
	switch {
	case at < 0 && d.isOpen() && path == "":
		return d.unknown(r, err)
	case err != nil:
		return nil, err
	case at < 0:
		return nil, auth.Invalid("the bearer token is not valid", nil)
	}
	ctx, cancel := context.WithTimeout(r.Context(), credentialTime)
	defer cancel()
	c, err := d.methods[at].who(ctx, text, path)
	var refused *tenant.Refusal
	var e *scim.Error
	switch {
	case err == nil:
		return c, nil
	case errors.As(err, &refused):
		return nil, auth.Invalid("the bearer token is not valid", refused)
	case errors.As(err, &e):
		return nil, e
	}
	return nil, scim.Unavailable(err)
}

// anonymous is the caller who needs no credentials.
func anonymous() *caller { return &caller{Subject: "anonymous", Scopes: tenant.DefaultScopes()} }

// unknown lets in who has no credentials that are known, since the default tenant
// needs none. But once somebody may have some, those that are sent are meant:
// whose token lost its first letter, or lacks /t/ and the tenant in its path, must
// not write into this tenant in the place of its own. wrong is what is wrong with
// the form of what was sent.
func (d *directory) unknown(r *http.Request, wrong error) (*caller, error) {
	if len(r.Header.Values("Authorization")) == 0 {
		return anonymous(), nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), credentialTime)
	defer cancel()
	alone, err := d.registry.Alone(ctx)
	switch {
	case err != nil:
		return nil, scim.Unavailable(err)
	case alone:
		return anonymous(), nil
	case wrong != nil:
		return nil, wrong
	}
	return nil, auth.Invalid("the bearer token is not valid",
		errors.New("without any token this would be let in, but this one is of no tenant"))
}

// errElsewhere refuses a caller at the path of another tenant. It says the same
// whether there is such a tenant or not.
var errElsewhere = &scim.Error{Status: http.StatusForbidden, Detail: "these credentials are not for the tenant that the path names"}
