// Package tenant says who a server serves and with what credentials: tenants,
// their settings, and the bearer tokens that select them.
//
// A [Store] keeps them, in the database of the directory; each SQL backend is
// one. A [Registry] answers what requests ask, out of memory, and is where
// tenants and tokens are made and changed. There is no HTTP and no SQL here.
//
// A token that has no tenant, or one whose tenant is not there, opens nothing.
package tenant

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Default is the tenant that always exists. The tokens that the server is
// configured with are its own, and no [Store] knows them.
const Default = "default"

// Tenant is a customer: a directory of its own, with its own credentials,
// rules and limits (RFC 7644 §6).
type Tenant struct {
	ID       int64 // the store's number, which is never given to another
	Name     string
	Created  time.Time // zero: before tenants were managed
	Revision int64     // another one whenever Settings has changed
	Settings

	// Fault says why Settings can't be understood; nil if they can. Such a
	// tenant is listed, and not served.
	Fault error
}

// Errors of a [Store] and a [Registry]; those that are returned say more.
var (
	ErrNoTenant = errors.New("there is no such tenant")
	ErrNoToken  = errors.New("there is no such token")
	ErrTaken    = errors.New("the name is taken")
	ErrRemoving = errors.New("a tenant of that name is being removed; try again in a while")
	ErrInvalid  = errors.New("not valid")
	ErrTooMany  = errors.New("too many")
)

// invalid is an error that is ErrInvalid and says nothing of it.
type invalid struct{ text string }

func (e *invalid) Error() string        { return e.text }
func (e *invalid) Is(target error) bool { return target == ErrInvalid }

func invalidf(format string, args ...any) error { return &invalid{fmt.Sprintf(format, args...)} }

// reserved are names that a person would take for something else.
var reserved = []string{"admin", "all", "any", "none", "null", "rollcall", "root", "self", "system", "undefined"}

// CheckName returns an error that says what is wrong with the name of a tenant,
// or nil. There are no capitals, so no two names differ by case alone.
func CheckName(name string) error {
	ok := len(name) >= 1 && len(name) <= 63 && name[0] != '-'
	for i := 0; ok && i < len(name); i++ {
		c := name[i]
		ok = c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-'
	}
	if !ok {
		return invalidf("the name of a tenant is 1 to 63 letters from a to z, digits and hyphens, and does not begin with a hyphen; %q is not", shown(name))
	}
	if slices.Contains(reserved, name) {
		return invalidf("%q is reserved; choose another name for the tenant", name)
	}
	return nil
}

// shown is text as an error may quote it.
func shown(text string) string {
	if len(text) > 80 {
		return text[:80] + "…"
	}
	return text
}
