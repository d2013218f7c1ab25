package facade

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

// Reason says how a call failed.
type Reason string

// The reasons.
const (
	Refused   Reason = "refused"   // the application answered with another status than 2xx or 3xx
	Unreached Reason = "unreached" // no connection: refused, no such host, TLS; nothing was sent
	Broken    Reason = "broken"    // the connection ended before the answer did
	TimedOut  Reason = "timed out" // no answer in time, or the client went away
	Busy      Reason = "busy"      // no turn within QueueTimeout; nothing was sent
	Nonsense  Reason = "nonsense"  // an answer that can't be: a redirect, no JSON, another shape, too large, a foreign link
)

// Failure is a call that did not succeed. Its Error is for the log; SCIM makes
// of it what a client may see.
type Failure struct {
	Reason     Reason
	Name       string        // of the application
	Call       string        // "PUT /admin/users/…", without a query
	Status     int           // the application's; 0: no answer
	Problem    string        // last segment of a problem type (RFC 9457), such as "already-exists"; "" if none
	Text       string        // what the application says, at most 512 characters, without control characters and tokens
	RequestID  string        // the application's X-Request-Id
	RetryAfter time.Duration // 0: not given
	Sent       bool          // this or an earlier try may have been carried out, in part or whole
	Err        error         // the cause, for the log; may be nil
}

// Error says which call failed and how.
func (f *Failure) Error() string {
	var b strings.Builder
	b.WriteString(f.Name + ": " + f.Call + ": " + string(f.Reason))
	if f.Status != 0 {
		b.WriteString(", status " + strconv.Itoa(f.Status))
	}
	if f.Problem != "" {
		b.WriteString(", " + f.Problem)
	}
	if f.Text != "" {
		b.WriteString(": " + f.Text)
	}
	if f.RequestID != "" {
		b.WriteString(" (request id " + f.RequestID + ")")
	}
	if f.Err != nil {
		b.WriteString(": " + clean(f.Err.Error(), "", maxText))
	}
	return b.String()
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

var (
	taken   = regexp.MustCompile(`(?i)already (exists|been taken|taken|in use)`)
	badJSON = regexp.MustCompile(`(?i)(invalid|malformed|pars\w+) (the )?json|json (is )?(invalid|malformed|pars)`)
)

// Taken reports whether the application refuses because something of that name
// is there: by status, problem type or words, since not all have a status for it.
func (f *Failure) Taken() bool {
	switch f.Status {
	case http.StatusConflict:
		return true
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return f.Problem == "already-exists" || taken.MatchString(f.Text)
	}
	return false
}

// unreadable reports whether the application says that what it was sent is no
// JSON: the fault is ours.
func (f *Failure) unreadable() bool {
	return f.Reason == Refused && f.Status == http.StatusBadRequest && !f.Taken() && badJSON.MatchString(f.Text)
}

// The Retry-After of clients where the application does not say.
const (
	patience = 30 * time.Second // 429
	soon     = 5 * time.Second  // 503
)

// SCIM returns the error that a client gets where the application's own rules
// say no more: 401, 403, 404 (and 410), 409 uniqueness (also of a 400 or 422
// that says "already exists"), 400 invalidValue, 429 with Retry-After, 502 for
// 500 and nonsense, 503 with Retry-After, 504 "outcome unknown" for writes.
func (f *Failure) SCIM() *scim.Error {
	e := &scim.Error{Status: http.StatusBadGateway, Err: f}
	detail := ""
	switch f.Reason {
	case Refused:
		detail = f.refused(e)
	case Unreached:
		detail = f.Name + " can't be reached"
	case Broken:
		detail = f.Name + " ended the connection before its answer was complete"
	case TimedOut:
		e.Status = http.StatusGatewayTimeout
		detail = f.Name + " did not answer in time"
	case Busy:
		e.Status, e.RetryAfter = http.StatusServiceUnavailable, soon
		detail = "too many requests to " + f.Name + " are waiting; try again"
	case Nonsense:
		detail = f.Name + " gave an answer that can't be used"
	}
	if method, _, _ := strings.Cut(f.Call, " "); f.Sent && e.Status >= 500 && method != http.MethodGet && method != http.MethodHead {
		detail += "; the outcome is unknown: it may have been carried out"
	}
	switch {
	case f.Text == "":
	case e.Status == http.StatusUnauthorized: // "the token: …" would be taken for one, and masked where it is shown
		detail += "; it says: " + f.Text
	default:
		detail += ": " + f.Text
	}
	if f.RequestID != "" {
		detail += " (" + f.Name + "'s request id " + f.RequestID + ")"
	}
	e.Detail = detail
	return e
}

// refused gives e the status for the application's, and returns the sentence.
func (f *Failure) refused(e *scim.Error) string {
	deletes := strings.HasPrefix(f.Call, http.MethodDelete+" ")
	switch {
	case f.Status == http.StatusUnauthorized:
		e.Status, e.Type = f.Status, scim.TypeInvalidValue // as every 401 of ours
		return f.Name + " does not accept the token"
	case f.Status == http.StatusForbidden:
		e.Status = f.Status
		return f.Name + " does not let this token do that"
	case f.Status == http.StatusNotFound, f.Status == http.StatusGone:
		e.Status = http.StatusNotFound
		return f.Name + " has no such resource"
	case f.Taken() && !deletes:
		e.Status, e.Type = http.StatusConflict, scim.TypeUniqueness
		return f.Name + " has a resource with this value already"
	case f.Status == http.StatusConflict, f.Status == http.StatusUnprocessableEntity && deletes:
		e.Status = http.StatusConflict
		return f.Name + " refuses to delete it"
	case f.unreadable():
		e.Status, e.Type = http.StatusBadRequest, scim.TypeInvalidSyntax
		return f.Name + " can't read what it was sent"
	case f.Status == http.StatusBadRequest, f.Status == http.StatusUnprocessableEntity:
		e.Status, e.Type = http.StatusBadRequest, scim.TypeInvalidValue
		return f.Name + " refuses a value"
	case f.Status == http.StatusTooManyRequests:
		e.Status, e.RetryAfter = f.Status, orElse(f.RetryAfter, patience)
		return f.Name + " has had too many requests; try again later"
	case f.Status == http.StatusBadGateway, f.Status == http.StatusServiceUnavailable, f.Status == http.StatusGatewayTimeout:
		e.Status, e.RetryAfter = http.StatusServiceUnavailable, orElse(f.RetryAfter, soon)
		return f.Name + " is not available at the moment; try again"
	}
	return f.Name + " failed with status " + strconv.Itoa(f.Status)
}

func orElse(d, other time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return other
}
