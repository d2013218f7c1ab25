package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rollcall-scim/rollcall/scim"
)

// errClosed is the error of calls after Close, and errOver its cause, which tells
// it from others.
var (
	errOver   = errors.New("postgres: the database is closed")
	errClosed = scim.Unavailable(errOver)
)

// code returns the SQLSTATE of an error that the server sent, or "".
func code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// collided reports whether the server gave a transaction up in favour of
// another one: it may succeed when it is run again. So may one that another has
// overtaken, so that a key is taken or gone that was not when it was looked for:
// when run again it sees that, and says what is wrong.
func collided(err error) bool {
	switch code(err) {
	case "40001", "40P01", "23503", "23505":
		return true
	}
	return false
}

// outdated reports whether a statement was prepared before a migration, so that
// its connection can't be used for it any more.
func outdated(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "0A000" && e.Routine == "RevalidateCachedQuery" // the text depends on the server's language
}

// gone reports whether the connection was lost, or leads to a server that can't
// do what is asked for.
func gone(err error) bool {
	c := code(err)
	switch {
	case c == "57P01", c == "57P02", c == "57P03", c == "25006", strings.HasPrefix(c, "08"):
		return true
	case c != "":
		return false
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) && !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, errSilent) || pgconn.SafeToRetry(err)
}

// outward turns an error of the database into what callers of a Backend expect.
func outward(ctx context.Context, err error) error {
	var e *scim.Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	cause := fmt.Errorf("postgres: %w", err)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	c := code(err)
	var commit *unknown
	switch {
	case errors.As(err, &commit):
		return unavailable(cause, "the connection to the database was lost, and it is not known whether the change was made; look before trying again")
	case c == "53100":
		return unavailable(cause, "the database's disk is full")
	case c == "25006":
		return unavailable(cause, "the database is read-only at the moment; try again")
	case c == "57014":
		return unavailable(cause, "the request took the database too long; ask for less at once, or try again")
	case c == "40001", c == "40P01", c == "55P03", strings.HasPrefix(c, "53"), strings.HasPrefix(c, "57P"), strings.HasPrefix(c, "58"),
		errors.Is(err, errBusy), gone(err), outdated(err):
		return scim.Unavailable(cause)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return scim.Unavailable(cause)
	}
	return cause
}

func unavailable(cause error, detail string) error {
	return &scim.Error{Status: 503, Detail: detail, RetryAfter: time.Second, Err: cause}
}
