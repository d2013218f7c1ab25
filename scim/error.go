package scim

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ErrorType is a scimType of RFC 7644 §3.12, Table 9, or of RFC 9865 §2.1.
type ErrorType string

// The registered scimTypes. All go with status 400, except TypeUniqueness
// (409) and TypeSensitive (403).
const (
	TypeInvalidFilter ErrorType = "invalidFilter"
	TypeTooMany       ErrorType = "tooMany"
	TypeUniqueness    ErrorType = "uniqueness"
	TypeMutability    ErrorType = "mutability"
	TypeInvalidSyntax ErrorType = "invalidSyntax"
	TypeInvalidPath   ErrorType = "invalidPath"
	TypeNoTarget      ErrorType = "noTarget"
	TypeInvalidValue  ErrorType = "invalidValue"
	TypeInvalidVers   ErrorType = "invalidVers"
	TypeSensitive     ErrorType = "sensitive"
	TypeInvalidCursor ErrorType = "invalidCursor"
	TypeExpiredCursor ErrorType = "expiredCursor"
	TypeInvalidCount  ErrorType = "invalidCount"
)

// Error is a failure the client is told of (RFC 7644 §3.12).
//
// A shared value such as [ErrNotFound] is never modified; code that has more
// to say makes a new Error of the same status and type, which [errors.Is]
// still recognises.
type Error struct {
	Status     int           // HTTP status
	Type       ErrorType     // may be empty
	Detail     string        // for the administrator of the client
	RetryAfter time.Duration // how long to wait before a retry; 0: not said
	Err        error         // the cause: logged, never sent
}

// Error returns the status, the type, the detail and the cause, for logs.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(e.Status))
	if e.Type != "" {
		b.WriteString(" " + string(e.Type))
	}
	if e.Detail != "" {
		b.WriteString(": " + e.Detail)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is an *Error of the same status and type.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Status == e.Status && t.Type == e.Type
}

// MarshalJSON writes the error message of RFC 7644 §3.12. The cause is left
// out: what happens below the protocol is for our log alone.
func (e *Error) MarshalJSON() ([]byte, error) {
	b := append([]byte(`{"schemas":["`), ErrorURN...)
	b = append(b, `"],"status":"`...)
	b = strconv.AppendInt(b, int64(e.Status), 10)
	b = append(b, '"')
	if e.Type != "" {
		b = append(b, `,"scimType":`...)
		b = AppendString(b, string(e.Type))
	}
	if e.Detail != "" {
		b = append(b, `,"detail":`...)
		b = AppendString(b, e.Detail)
	}
	return append(b, '}'), nil
}

// The errors a Backend returns. Any other error becomes a 500 whose text the
// client does not see.
var (
	ErrNotFound        = &Error{Status: 404, Detail: "resource not found"}
	ErrUniqueness      = &Error{Status: 409, Type: TypeUniqueness, Detail: "a value that must be unique is already in use"}
	ErrVersionMismatch = &Error{Status: 412, Detail: "the resource has changed since the version given (RFC 7644 §3.14)"}
)

// Errorf returns an Error of status 400 and the given type.
func Errorf(t ErrorType, format string, args ...any) *Error {
	return &Error{Status: 400, Type: t, Detail: fmt.Sprintf(format, args...)}
}

// NotUnique returns an error that is ErrUniqueness and names the attribute
// (RFC 7644 §3.3). It does not say who holds the value.
func NotUnique(path string) *Error {
	return &Error{Status: 409, Type: TypeUniqueness, Detail: strconv.Quote(path) + ": this value is already in use (RFC 7644 §3.3)"}
}

// InvalidReference returns the error for references to resources that do not
// exist (RFC 7643 §2.3.7): status 400, invalidValue. At most ten ids are named.
func InvalidReference(path string, ids ...string) *Error {
	const most = 10
	quoted := make([]string, 0, most)
	for _, id := range ids[:min(len(ids), most)] {
		if len(id) > 64 {
			id = id[:64] + "…"
		}
		quoted = append(quoted, strconv.Quote(id))
	}
	more := ""
	if len(ids) > most {
		more = fmt.Sprintf(" and %d more", len(ids)-most)
	}
	return Errorf(TypeInvalidValue, "%q: no such resource: %s%s (RFC 7643 §2.3.7)", path, strings.Join(quoted, ", "), more)
}

// Unavailable returns the error for a store that can't answer now: status 503
// with a Retry-After of one second (RFC 9110 §15.6.4).
func Unavailable(cause error) *Error {
	return &Error{Status: 503, Detail: "the service can't answer at the moment; try again", RetryAfter: time.Second, Err: cause}
}

// AsError returns err as an *Error: itself where it is one, 503 where its
// context ended, and otherwise a 500 with a fixed text and err as its cause.
func AsError(err error) *Error {
	var e *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return Unavailable(err)
	}
	return &Error{Status: 500, Detail: "internal error; the server's log has the request's id", Err: err}
}
