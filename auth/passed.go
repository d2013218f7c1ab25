package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"

	"github.com/rollcall-scim/rollcall/scim"
)

// Passed takes every well-formed bearer token (RFC 6750 §2.1) as the caller's:
// another application, to which it is passed on, knows whether it is good. It
// compares nothing and keeps nothing.
type Passed struct {
	Realm, Tenant string
	Published     scim.AuthenticationScheme // what Scheme returns
}

// Authenticate returns the caller with the token, named by the first eight
// digits of its SHA-256: enough to tell tokens apart in a log, and nothing to
// find one by.
func (p Passed) Authenticate(r *http.Request) (Principal, error) {
	token, err := TokenOf(r)
	if err != nil {
		return Principal{}, err
	}
	digest := sha256.Sum256([]byte(token))
	return Principal{Tenant: p.Tenant, Subject: "token-" + hex.EncodeToString(digest[:4]), Token: token}, nil
}

// Challenge names the scheme and the realm, and the error invalid_token where
// credentials were sent (RFC 6750 §3).
func (p Passed) Challenge(err error) string { return Challenge(p.Realm, err) }

// Scheme returns what is published of the method (RFC 7643 §5).
func (p Passed) Scheme() scim.AuthenticationScheme { return p.Published }
