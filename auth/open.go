package auth

import (
	"net/http"

	"github.com/rollcall-scim/rollcall/scim"
)

// Open lets everyone in, as one client of the tenant: for demonstrations on
// one's own machine.
type Open struct{ Tenant string }

// Authenticate returns the principal "anonymous", whatever the request holds.
func (o Open) Authenticate(*http.Request) (Principal, error) {
	return Principal{Tenant: o.Tenant, Subject: "anonymous"}, nil
}

// Challenge returns "": there is nothing to ask for.
func (o Open) Challenge(error) string { return "" }

// Scheme returns the zero scheme, which is not published.
func (o Open) Scheme() scim.AuthenticationScheme { return scim.AuthenticationScheme{} }
