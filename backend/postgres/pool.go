package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
)

// How long a request waits for a free connection, a connection for its server,
// and a statement for a row that another one has locked.
const (
	acquireTimeout = 10 * time.Second
	connectTimeout = 5 * time.Second
	lockTimeout    = 10 * time.Second
)

// errBusy says that all connections are in use.
var errBusy = errors.New("all connections to the database are in use")

// config reads the URL. What it says of time-outs, names and sizes wins.
func (db *DB) config(url string) (*pgxpool.Config, error) {
	if _, err := Address(url); err != nil {
		return nil, fmt.Errorf("the URL of the database %w", err)
	}
	c, err := pgxpool.ParseConfig(url)
	if err != nil { // its text may hold a part of a password
		return nil, errors.New("the URL of the database has a setting that can't be read, such as pool_max_conns; leave it out")
	}
	c.MaxConns = int32(db.o.MaxConns)
	c.MinIdleConns = 1
	c.MaxConnIdleTime = 5 * time.Minute
	c.PingTimeout = connectTimeout
	cc := c.ConnConfig
	cc.ConnectTimeout = orElse(cc.ConnectTimeout, connectTimeout)
	setting := func(name, value string) {
		if _, ok := cc.RuntimeParams[name]; !ok {
			cc.RuntimeParams[name] = value
		}
	}
	setting("application_name", "rollcall")
	setting("statement_timeout", milliseconds(db.o.StatementTimeout))
	setting("lock_timeout", milliseconds(min(lockTimeout, db.o.StatementTimeout)))
	setting("idle_in_transaction_session_timeout", milliseconds(2*db.o.StatementTimeout))
	setting("timezone", "UTC")
	setting("jit", "off") // statements are short: compiling them takes longer than they do
	if cc.ValidateConnect == nil && len(cc.Fallbacks) > 0 && severalHosts(cc) {
		cc.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	cc.OnNotice = noticed
	// A caller who leaves ends the statement, but not the connection.
	cc.BuildContextWatcherHandler = func(pc *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: pc, DeadlineDelay: time.Second}
	}
	c.BeforeConnect = pledged
	c.AfterConnect = func(context.Context, *pgx.Conn) error {
		db.gone.Clear()
		db.tenants.Clear() // it may lead to a database restored to an earlier moment
		return nil
	}
	return c, nil
}

func orElse(d, other time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return other
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func severalHosts(c *pgx.ConnConfig) bool {
	for _, f := range c.Fallbacks {
		if f.Host != c.Host || f.Port != c.Port {
			return true
		}
	}
	return false
}

func (db *DB) connect(ctx context.Context, c *pgxpool.Config) (err error) {
	db.pool, err = pgxpool.NewWithConfig(ctx, c)
	return err
}

// acquire waits for a free connection.
func (db *DB) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	if db.life.Err() != nil && db.isClosed() {
		return nil, errClosed
	}
	if db.away.Load() {
		return nil, errAway
	}
	waiting, cancel := context.WithTimeoutCause(ctx, acquireTimeout, errBusy)
	defer cancel()
	c, err := db.pool.Acquire(waiting)
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		return nil, errBusy
	}
	return c, err
}

func (db *DB) isClosed() bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.closed
}
