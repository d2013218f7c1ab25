package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// statement is one that waits to be sent.
type statement struct {
	sql  string
	args []any
	row  func(pgx.Rows) error // called for each row; nil: they are dropped
	done func(rows int64)     // told how many rows it read or wrote; nil: nobody
	once bool                 // planned for its arguments and not kept, as a filter is
}

// A statement waits in the session's queue until something needs its result, or
// the transaction ends: what is queued goes to the server in one round trip.

// later queues one of the package's own statements, whose text must not depend
// on a request: it is sent, together with others, when the next one that is
// waited for is sent, or the transaction ends. It is prepared once a connection.
func (t *session) later(sql string, args ...any) {
	t.queue = append(t.queue, statement{sql: sql, args: args})
}

// laterEach is later with a function that is called for each row, once the
// statement has been sent.
func (t *session) laterEach(sql string, row func(pgx.Rows) error, args ...any) {
	t.queue = append(t.queue, statement{sql: sql, args: args, row: row})
}

// laterExec is later with a function that is told how many rows it changed.
func (t *session) laterExec(sql string, done func(rows int64), args ...any) {
	t.queue = append(t.queue, statement{sql: sql, args: args, done: done})
}

// exec sends what is queued and this statement, and returns how many rows this
// one changed.
func (t *session) exec(ctx context.Context, sql string, args ...any) (n int64, err error) {
	t.laterExec(sql, func(rows int64) { n = rows }, args...)
	return n, t.flush(ctx)
}

// each sends what is queued and this statement, and calls f for each of its
// rows. f must not use the session.
func (t *session) each(ctx context.Context, sql string, f func(pgx.Rows) error, args ...any) error {
	t.laterEach(sql, f, args...)
	return t.flush(ctx)
}

// one is each for a statement that gives at most one row of one integer, and
// reports whether it did.
func (t *session) one(ctx context.Context, sql string, args ...any) (n int64, ok bool, err error) {
	err = t.each(ctx, sql, func(r pgx.Rows) error {
		ok = true
		return r.Scan(&n)
	}, args...)
	return n, ok, err
}

// eachFiltered is each for a statement whose text depends on a request. It is
// not kept prepared, and planned for its arguments: tenants differ too much for
// a plan that suits all.
func (t *session) eachFiltered(ctx context.Context, sql string, args []any, f func(pgx.Rows) error) error {
	t.queue = append(t.queue, statement{sql: sql, args: args, row: f, once: true})
	return t.flush(ctx)
}

// flush sends what is queued in one round trip. The first error ends it: what
// follows the statement that failed is not carried out.
func (t *session) flush(ctx context.Context) error {
	err := t.send(ctx)
	// Whatever the caller makes of it.
	t.useless = t.useless || gone(err) || outdated(err)
	return err
}

func (t *session) send(ctx context.Context) (err error) {
	queue := t.queue
	t.queue = nil
	if len(queue) == 0 {
		return nil
	}
	last := queue[len(queue)-1].sql == "COMMIT" && !t.readOnly
	if last {
		longer, stop := graced(ctx)
		defer stop()
		ctx = longer
	}
	// A server that vanished without a word does not end a statement by itself.
	ctx, cancel := context.WithTimeoutCause(ctx, t.db.o.StatementTimeout+silence, errSilent)
	defer cancel()
	if t.db.flushed != nil {
		t.db.flushed()
	}
	described := make([]*pgconn.StatementDescription, len(queue))
	for i, s := range queue {
		if s.once {
			continue
		}
		if described[i], err = t.conn.Prepare(ctx, s.sql, s.sql); err != nil {
			return silent(ctx, err)
		}
	}
	promise := pledgeOf(t.conn.PgConn())
	promise.sent.Store(last)
	p := t.conn.PgConn().StartPipeline(ctx)
	defer func() {
		// What happens to the connection after a commit does not undo it.
		if e := p.Close(); err == nil && e != nil && t.stage != committed {
			err = e
		}
		err = silent(ctx, err)
		// To close a connection is to cancel what it does: not a commit, even so.
		if promise.alone = false; !t.conn.IsClosed() {
			promise.sent.Store(false)
		}
	}()
	var b pgx.ExtendedQueryBuilder
	for i, s := range queue {
		if t.db.note != nil {
			t.db.note(s.sql, s.args, s.once)
		}
		sd := described[i]
		if err := b.Build(t.conn.TypeMap(), sd, s.args); err != nil {
			// Nothing has been sent; but the protocol has begun to be spoken.
			return errors.Join(fmt.Errorf("%s: %w", s.sql, err), t.conn.Close(ctx))
		}
		if sd == nil {
			p.SendQueryParams(s.sql, b.ParamValues, nil, b.ParamFormats, b.ResultFormats)
		} else {
			// The pipeline keeps the formats until it reads; the builder uses them again.
			p.SendQueryStatement(sd, b.ParamValues, b.ParamFormats, slices.Clone(b.ResultFormats))
		}
	}
	if err := p.Sync(); err != nil {
		return err
	}
	started := time.Now()
	for _, s := range queue {
		n, err := t.result(p, s)
		if t.trace != nil {
			now := time.Now()
			t.traced(s.sql, now.Sub(started), n, err)
			started = now
		}
		if err != nil {
			return err
		}
		if s.done != nil {
			s.done(n)
		}
	}
	return nil
}

// result reads what one statement of a pipeline gives.
func (t *session) result(p *pgconn.Pipeline, s statement) (n int64, err error) {
	answer, err := p.GetResults()
	if err != nil {
		return 0, err
	}
	reader, ok := answer.(*pgconn.ResultReader)
	if !ok {
		return 0, fmt.Errorf("postgres: the answer to %q is a %T", s.sql, answer)
	}
	rows := pgx.RowsFromResultReader(t.conn.TypeMap(), reader)
	for rows.Next() {
		n++
		if s.row != nil && err == nil {
			err = s.row(rows)
		}
	}
	rows.Close()
	if e := rows.Err(); e != nil {
		err = e
	}
	tag := rows.CommandTag()
	if !tag.Select() {
		n = tag.RowsAffected()
	}
	if err == nil && s.sql == "COMMIT" {
		switch {
		case tag.String() != "COMMIT":
			err = errAborted
		case pledgeOf(t.conn.PgConn()).alone: // see replica.go
			err = errAlone
		}
	}
	return n, err
}

// errAborted is the error of a commit after a statement that failed.
var errAborted = errors.New("postgres: a transaction that had failed was rolled back")

// silence is how much longer than a statement may take a server may say nothing.
const silence = 2 * time.Second

var errSilent = errors.New("the database has not answered for too long")

// silent gives the error its cause, if it is that the database kept silent.
func silent(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errSilent) {
		return errSilent
	}
	return err
}
