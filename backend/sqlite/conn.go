package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/rollcall-scim/rollcall/scim"
)

// conn is one connection with its prepared statements. One goroutine at a time
// may use it.
type conn struct {
	*sqlite.Conn
	recent map[string]*sqlite.Stmt // statements made for filters
	order  []string                // their texts, the least recently used first
	halt   chan struct{}           // closed to interrupt what is running; nil in the connection that writes
	writes int                     // statements run by exec
	note   func(query string)      // for tests: told of each statement; nil: nobody
	trace  *scim.Trace             // of the request that is being served, if it has one
}

// busyTimeout is how long a connection waits for a lock. Only a checkpoint, or a
// tool that somebody runs on the file, ever holds one.
const busyTimeout = 5 * time.Second

// mostRecent is how many statements made for filters a connection keeps.
const mostRecent = 32

func openConn(path string, flags sqlite.OpenFlags, pragmas ...string) (*conn, error) {
	sc, err := sqlite.OpenConn(path, flags)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: sc, recent: map[string]*sqlite.Stmt{}}
	for _, p := range pragmas {
		if err := c.once("PRAGMA " + p); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return c, nil
}

// Close finalizes the statements and closes the connection.
func (c *conn) Close() error {
	for _, st := range c.recent {
		_ = st.Finalize()
	}
	c.recent = nil
	return c.Conn.Close()
}

// arm makes halt good for one interrupt.
func (c *conn) arm() {
	c.halt = make(chan struct{})
	c.SetInterrupt(c.halt)
}

// guard lets the end of ctx interrupt what the connection does, until the
// function that it returns is called. Handing ctx itself to the connection
// would cost two goroutine switches for each request.
func (c *conn) guard(ctx context.Context) (release func()) {
	stop := context.AfterFunc(ctx, func() { close(c.halt) })
	return func() {
		if !stop() {
			<-c.halt
			c.arm()
		}
	}
}

// once runs a statement that is not kept.
func (c *conn) once(query string) error {
	st, _, err := c.PrepareTransient(query)
	if err != nil {
		return err
	}
	defer st.Finalize()
	return drain(st, nil)
}

// exec runs one of the package's own statements and drops its rows.
func (c *conn) exec(query string, args ...any) error {
	c.writes++
	return c.each(query, nil, args...)
}

// each runs one of the package's own statements and calls f for each row.
func (c *conn) each(query string, f func(*sqlite.Stmt) error, args ...any) error {
	st, err := c.Prepare(query)
	if err != nil {
		return err
	}
	if c.note != nil {
		c.note(query)
	}
	return c.run(query, st, f, args)
}

// one runs a statement that gives at most one row of one integer, and reports
// whether it did.
func (c *conn) one(query string, args ...any) (n int64, ok bool, err error) {
	err = c.each(query, func(st *sqlite.Stmt) error {
		n, ok = st.ColumnInt64(0), true
		return nil
	}, args...)
	return n, ok, err
}

// eachFiltered is each for a statement whose text depends on a request: only
// the most recent ones are kept prepared.
func (c *conn) eachFiltered(query string, args []any, f func(*sqlite.Stmt) error) error {
	if c.note != nil {
		c.note(query)
	}
	st := c.recent[query]
	if st == nil {
		var err error
		if st, _, err = c.PrepareTransient(query); err != nil {
			return err
		}
		if len(c.order) == mostRecent {
			_ = c.recent[c.order[0]].Finalize()
			delete(c.recent, c.order[0])
			c.order = c.order[1:]
		}
		c.recent[query] = st
		c.order = append(c.order, query)
	} else if last := len(c.order) - 1; c.order[last] != query {
		for i := range c.order {
			if c.order[i] == query {
				copy(c.order[i:], c.order[i+1:])
				c.order[last] = query
				break
			}
		}
	}
	return c.run(query, st, f, args)
}

func (c *conn) run(query string, st *sqlite.Stmt, f func(*sqlite.Stmt) error, args []any) error {
	if c.trace != nil {
		return c.timed(query, st, f, args)
	}
	return step(st, f, args)
}

func step(st *sqlite.Stmt, f func(*sqlite.Stmt) error, args []any) error {
	if n := st.BindParamCount(); n != len(args) {
		return fmt.Errorf("statement takes %d arguments, got %d", n, len(args))
	}
	for i, a := range args {
		switch a := a.(type) {
		case nil:
			st.BindNull(i + 1)
		case int64:
			st.BindInt64(i+1, a)
		case int:
			st.BindInt64(i+1, int64(a))
		case bool:
			st.BindBool(i+1, a)
		case float64:
			st.BindFloat(i+1, a)
		case string:
			st.BindText(i+1, a)
		case []byte:
			st.BindBytes(i+1, a)
		default:
			return fmt.Errorf("can't bind a %T", a)
		}
	}
	return drain(st, f)
}

func drain(st *sqlite.Stmt, f func(*sqlite.Stmt) error) (err error) {
	// A statement that is not reset holds its snapshot, and its arguments.
	defer func() {
		if e := st.Reset(); err == nil && e != nil {
			err = e
		}
		_ = st.ClearBindings()
	}()
	for {
		row, err := st.Step()
		if err != nil || !row {
			return err
		}
		if f != nil {
			if err := f(st); err != nil {
				return err
			}
		}
	}
}

// outward turns an error of SQLite into what callers of a Backend expect.
func outward(ctx context.Context, err error) error {
	var e *scim.Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	switch code := sqlite.ErrCode(err); code.ToPrimary() {
	case sqlite.ResultInterrupt:
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return scim.Unavailable(err)
	case sqlite.ResultFull, sqlite.ResultIOErr, sqlite.ResultBusy, sqlite.ResultLocked, sqlite.ResultNoMem,
		sqlite.ResultReadOnly, sqlite.ResultCantOpen:
		return scim.Unavailable(fmt.Errorf("sqlite: %w", err))
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("sqlite: %w", err)
}

func columnBytes(st *sqlite.Stmt, col int) []byte {
	n := st.ColumnLen(col)
	if n == 0 {
		return nil
	}
	b := make([]byte, n)
	st.ColumnBytes(col, b)
	return b
}
