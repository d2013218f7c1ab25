package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

func ownMigrations() fs.FS {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return migrations
	}
	return files
}

// ErrNewer is returned for a database that a newer program has changed so that
// this one can't serve it any more.
var ErrNewer = errors.New("the database was changed by a newer version of this program, and this one can't serve it any more; use the newer version")

// ErrOlder is returned for a database that must be migrated, by who may not.
var ErrOlder = errors.New("the database has an older schema; migrate it first")

// tooOld says that schemas from a version on can't be served by this program.
func tooOld(from, known int64) error {
	return fmt.Errorf("it asks for a program that knows schema %d, this one knows %d: %w", from, known, ErrNewer)
}

// Status is how far a database has been migrated.
type Status struct {
	Have, Want int64    // schema versions: the database's, and this program's
	Pending    []string // migrations that are to come, in their order

	// ServesFrom is the oldest schema version whose program may serve the
	// database as it is, so that instances can be replaced one after another.
	ServesFrom int64
}

// Migrate brings the database at url to this program's schema, and returns the
// versions before and after. A second call at the same time waits for the first.
func Migrate(ctx context.Context, url string, o Options) (from, to int64, err error) {
	db := &DB{o: o.defaults()}
	c, err := db.config(url)
	if err == nil {
		var s Status
		if s, err = db.status(ctx, c.ConnConfig); err == nil && s.Have > s.Want {
			err = fmt.Errorf("the database has schema %d, this program knows %d: %w", s.Have, s.Want, ErrNewer)
		}
	}
	if err == nil {
		from, to, err = db.migrate(ctx, c.ConnConfig)
	}
	if err != nil {
		return from, to, explain(err)
	}
	return from, to, nil
}

// SchemaStatus looks how far the database at url has been migrated. It changes
// nothing.
func SchemaStatus(ctx context.Context, url string) (Status, error) {
	db := &DB{o: Options{}.defaults()}
	c, err := db.config(url)
	if err != nil {
		return Status{}, explain(err)
	}
	s, err := db.status(ctx, c.ConnConfig)
	if err != nil {
		return Status{}, explain(err)
	}
	return s, nil
}

// prepare sees to it that this program may serve the database.
func (db *DB) prepare(ctx context.Context, c *pgx.ConnConfig) error {
	s, err := db.status(ctx, c)
	if err != nil {
		return err
	}
	db.version = s.Want
	switch {
	case s.ServesFrom > s.Want:
		return tooOld(s.ServesFrom, s.Want)
	case s.Have >= s.Want:
		return nil
	case db.o.NoMigrate:
		return fmt.Errorf("schema %d, this program needs %d: %w", s.Have, s.Want, ErrOlder)
	}
	_, _, err = db.migrate(ctx, c)
	return err
}

// provided runs f with goose, on a connection of its own.
func (db *DB) provided(c *pgx.ConnConfig, f func(*sql.DB, *goose.Provider) error) (err error) {
	c = c.Copy()
	// A migration takes as long as it takes, and waits for the locks it needs.
	c.RuntimeParams["statement_timeout"] = "0"
	c.RuntimeParams["lock_timeout"] = "0"
	pool := stdlib.OpenDB(*c)
	defer func() { err = errors.Join(err, pool.Close()) }()
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, pool, db.o.Migrations,
		goose.WithDisableGlobalRegistry(true), goose.WithSessionLocker(locker))
	if err != nil {
		return err
	}
	return f(pool, p)
}

// oldest is the least version of the server, as it numbers them.
const oldest = 150000

// suits looks whether the server and the database are of the kind that is needed.
func suits(ctx context.Context, pool *sql.DB) error {
	var version int
	var text, encoding string
	err := pool.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::integer, current_setting('server_version'),
		current_setting('server_encoding')`).Scan(&version, &text, &encoding)
	switch {
	case err != nil:
		return err
	case version < oldest:
		return fmt.Errorf("the server is PostgreSQL %s; version 15 or newer is needed", text)
	case encoding != "UTF8":
		return fmt.Errorf("the database's encoding is %s; create one with ENCODING 'UTF8'", encoding)
	}
	return nil
}

func (db *DB) migrate(ctx context.Context, c *pgx.ConnConfig) (from, to int64, err error) {
	err = db.provided(c, func(pool *sql.DB, p *goose.Provider) error {
		done, err := p.Up(ctx)
		if err != nil {
			return err
		}
		from, to, err = versions(ctx, pool, p)
		if len(done) > 0 {
			from = done[0].Source.Version - 1
		}
		return err
	})
	return from, to, err
}

func (db *DB) status(ctx context.Context, c *pgx.ConnConfig) (s Status, err error) {
	err = db.provided(c, func(pool *sql.DB, p *goose.Provider) error {
		if err := suits(ctx, pool); err != nil {
			return err
		}
		if s.Have, s.Want, err = versions(ctx, pool, p); err != nil {
			return err
		}
		for _, source := range p.ListSources() {
			if source.Version > s.Have {
				s.Pending = append(s.Pending, source.Path)
			}
		}
		s.ServesFrom, err = servesFrom(ctx, pool, s.Have)
		return err
	})
	return s, err
}

// versions returns the schema versions of the database, 0 if it is empty, and
// of this program.
func versions(ctx context.Context, pool *sql.DB, p *goose.Provider) (have, want int64, err error) {
	var there bool
	if err := pool.QueryRowContext(ctx, `SELECT to_regclass('goose_db_version') IS NOT NULL`).Scan(&there); err != nil {
		return 0, 0, err
	}
	for _, source := range p.ListSources() {
		want = max(want, source.Version)
	}
	if there {
		err = pool.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&have)
	}
	return have, want, err
}

// servesFrom reads what the last migration has declared.
func servesFrom(ctx context.Context, pool *sql.DB, have int64) (int64, error) {
	if have == 0 {
		return 0, nil
	}
	var text string
	err := pool.QueryRowContext(ctx, servesFromQuery).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(text, 10, 64)
}

const servesFromQuery = `SELECT convert_from(value, 'UTF8') FROM meta WHERE tenant = 0 AND key = 'serves from'`

func (t *session) servesFrom(ctx context.Context) (from int64, err error) {
	err = t.each(ctx, servesFromQuery, func(r pgx.Rows) (err error) {
		text := ""
		if err = r.Scan(&text); err == nil {
			from, err = strconv.ParseInt(text, 10, 64)
		}
		return err
	})
	return from, err
}
