package server

import (
	"context"

	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
)

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

	// scheme describes the method in ServiceProviderConfig; without a Type it is
	// not published.
	scheme() scim.AuthenticationScheme
}

type callerKey struct{}

// withCaller returns a context that carries the caller.
func withCaller(ctx context.Context, c *caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// callerOf returns the context's caller, or nil: the program itself.
func callerOf(ctx context.Context) *caller {
	c, _ := ctx.Value(callerKey{}).(*caller)
	return c
}
