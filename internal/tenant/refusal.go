package tenant

import (
	"fmt"
	"time"
)

// Reason is why a token is refused. There are few, so that they can be labels of
// metrics.
type Reason string

// The reasons. The client is told none of them.
const (
	Malformed   Reason = "malformed" // by its form or checksum: never looked for
	Unknown     Reason = "unknown"
	WasRevoked  Reason = "revoked"
	HasExpired  Reason = "expired"
	WithoutHome Reason = "tenantless"
)

// Refusal is the error of a token that opens nothing. Its text is for the log
// and the console, not for the client, and holds nothing of an unknown token.
type Refusal struct {
	Reason Reason
	Token  *Token // for the reasons revoked, expired and tenantless; else nil
	At     time.Time
	Cause  error // what is wrong with a malformed one; else nil
}

// Error says what the token is, since when it is not good, and who used it.
func (r *Refusal) Error() string {
	switch r.Reason {
	case Malformed:
		return "the bearer token is malformed: " + r.Cause.Error()
	case Unknown:
		return "the bearer token is not known: it was never made here, was forgotten long after its end, or its tenant is gone"
	case WithoutHome:
		return fmt.Sprintf("the token %s (%s) belongs to no tenant", r.Token.Name, r.Token.Prefix)
	}
	text := fmt.Sprintf("the token %s (%s…) of tenant %s %s %s ago", r.Token.Name, r.Token.Prefix, r.Token.Tenant, verbOf(r.Reason), Age(r.At.Sub(r.Token.ended())))
	if r.Token.LastClient != "" {
		text += ", used by " + r.Token.LastClient
	}
	return text
}

// Unwrap returns the cause, if there is one.
func (r *Refusal) Unwrap() error { return r.Cause }

func verbOf(r Reason) string {
	if r == WasRevoked {
		return "was revoked"
	}
	return "expired"
}

// Age is a span of time in its largest unit: "3 days", "1 hour".
func Age(d time.Duration) string {
	for _, u := range []struct {
		name string
		unit time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}} {
		switch n := d / u.unit; {
		case n == 1:
			return "1 " + u.name
		case n > 1:
			return fmt.Sprintf("%d %ss", n, u.name)
		}
	}
	return "less than a minute"
}
