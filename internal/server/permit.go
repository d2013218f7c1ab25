package server

import (
	"context"
	"errors"
	"net/http"

	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

var errHidden = &scim.Error{Status: http.StatusForbidden, Detail: "these credentials do not permit to read"}

// permit lets the engine do what the scopes of the caller allow (RFC 6750 §3.1),
// and nothing without a caller. Of a Bulk message each operation is asked for.
func permit(ctx context.Context, a engine.Access) error {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	if x == nil || x.caller == nil {
		return errors.New("server: a request without a caller")
	}
	need := tenant.Scope{Verb: verbOf(a.Operation), Type: a.Type}
	if need.Verb == tenant.Bulk {
		need.Type = ""
	}
	if x.caller.Scopes.Allows(need.Verb, need.Type) {
		return nil
	}
	if a.Answer { // which is no refusal
		return errHidden
	}
	x.challenge = `Bearer realm="` + realm + `", error="insufficient_scope", scope="` + need.String() + `"`
	return &scim.Error{Status: http.StatusForbidden, Detail: "the scopes of these credentials do not permit this; it needs " + need.String() + " (RFC 6750 §3.1)"}
}

// verbOf returns what an operation of the engine is as far as scopes are
// concerned. What it does not know is a Write.
func verbOf(operation string) tenant.Verb {
	switch operation {
	case "discovery", "options":
		return tenant.Discover
	case "get", "list", "search":
		return tenant.Read
	case "bulk":
		return tenant.Bulk
	}
	return tenant.Write
}
