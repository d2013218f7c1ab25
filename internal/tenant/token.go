package tenant

import (
	"crypto/rand"
	"strings"
	"time"
)

// Token is a bearer token (RFC 6750), without its text, which is shown once and
// not kept.
type Token struct {
	ID     string // "tk_" and more, never used twice
	Tenant string // by name; "" opens nothing
	Name   string // one or two live tokens of a tenant share it
	Prefix string // how its text begins
	Hash   Hash
	Scopes Scopes

	Created  time.Time
	Expires  time.Time // zero: never
	Revoked  time.Time // zero: it is not
	LastUsed time.Time // zero: never; it may lag behind by a minute

	LastClient string // that used it last, as far as known
	Replaces   string // ID of the token it is the successor of, or ""
}

// State is what has become of a token.
type State uint8

// The states of a token.
const (
	Live State = iota
	Expired
	Revoked
)

// String returns the state in one word.
func (s State) String() string { return [...]string{"live", "expired", "revoked"}[s] }

// State returns the token's state at a time by the clock of this machine. That a
// token is revoked does not depend on any clock.
func (t *Token) State(now time.Time) State {
	switch {
	case !t.Revoked.IsZero():
		return Revoked
	case !t.Expires.IsZero() && !now.Before(t.Expires):
		return Expired
	}
	return Live
}

// ended returns when a token that is not live ceased to be.
func (t *Token) ended() time.Time {
	if !t.Revoked.IsZero() && (t.Expires.IsZero() || t.Revoked.Before(t.Expires)) {
		return t.Revoked
	}
	return t.Expires
}

const idPrefix = "tk_"

func newID() string { return idPrefix + strings.ToLower(rand.Text()[:16]) }

// checkTokenName returns what is wrong with the name of a token, or nil.
func checkTokenName(name string) error {
	const first = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	if name == "" || len(name) > 63 || strings.IndexByte(first, name[0]) < 0 || strings.Trim(name, first+"._-") != "" {
		return invalidf("the name of a token is 1 to 63 letters, digits and \"._-\", and begins with a letter or digit; %q is not", shown(name))
	}
	if strings.HasPrefix(strings.ToLower(name), idPrefix) {
		return invalidf("the name of a token does not begin with %q, as the ids of tokens do", idPrefix)
	}
	return nil
}

// moment is a time as it is kept: UTC, in milliseconds.
func moment(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Millisecond)
}
