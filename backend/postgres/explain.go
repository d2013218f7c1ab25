package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rollcall-scim/rollcall/scim"
)

// explain puts the cause of a failed start into words, in one line.
func explain(err error) error {
	var e *scim.Error
	if errors.As(err, &e) && e.Err != nil {
		err = e.Err
	}
	if said := advice(err); said != "" {
		err = fmt.Errorf("%s: %w", said, err)
	}
	return &startError{err}
}

// startError is a failed start: its text has no line breaks and names the
// package.
type startError struct{ cause error }

func (e *startError) Error() string {
	text := strings.TrimPrefix(e.cause.Error(), "postgres: ")
	return "postgres: " + strings.Join(strings.Fields(text), " ")
}

func (e *startError) Unwrap() error { return e.cause }

// advice says what to do about an error of a start, or "".
func advice(err error) string {
	text := err.Error()
	var connect *pgconn.ConnectError
	switch c := code(err); {
	case c == "42501" && strings.Contains(text, "extension"):
		return "this role may not create the extensions pg_trgm and btree_gin; let an owner of the database run " +
			"CREATE EXTENSION pg_trgm; CREATE EXTENSION btree_gin; in it once"
	case c == "42501":
		return "this role may not make or change the tables; let it own the database or a schema of its own, or migrate with a role that does"
	case strings.Contains(text, "extension control file"), strings.Contains(text, "is not available"):
		return "the server lacks PostgreSQL's contrib extensions pg_trgm and btree_gin; install them there"
	case c == "3D000":
		return "there is no such database; create it first"
	case c == "28P01", c == "28000":
		return "the server refuses the role or its password"
	case c == "25006":
		return "the database is read-only; is it a standby? Name all hosts of the group in the URL"
	case errors.As(err, &connect), errors.Is(err, context.DeadlineExceeded):
		return "the database can't be reached"
	}
	return ""
}
