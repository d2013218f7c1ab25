package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver that goose uses
)

//go:embed migrations/*.sql
var migrations embed.FS

// ErrNewer is returned by Open for a database that a newer program has written.
var ErrNewer = errors.New("the database was written by a newer version of this program; use that version, or another data folder")

// ErrOlder is returned for a database that must be migrated, by who may not.
var ErrOlder = errors.New("the database has an older schema; migrate it first")

// Status is how far a database has been migrated.
type Status struct {
	Have, Want int64    // schema versions: the file's, and this program's
	Pending    []string // migrations that are to come, in their order
}

// SchemaStatus looks how far the file at path has been migrated. It changes
// nothing, and works while another process has the file open.
func SchemaStatus(ctx context.Context, path string) (s Status, err error) {
	err = provided(path, "mode=ro", func(db *sql.DB, p *goose.Provider) error {
		s, err = status(ctx, db, p)
		return err
	})
	return s, named(path, err)
}

// Migrate brings the file at path to this program's schema, and returns the
// versions before and after. The caller sees to it that no other process has it
// open.
func Migrate(ctx context.Context, path string) (from, to int64, err error) {
	if err := prepareFile(path); err != nil {
		return 0, 0, named(path, err)
	}
	before, err := migrate(ctx, path, false)
	return before.Have, before.Want, named(path, err)
}

func named(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("sqlite: %s: %w", path, explain(err))
}

// migrate brings the file at path, which it creates, to the newest schema,
// unless it only may look, and returns what was there before. It is the only
// user of database/sql, and is done before the store opens.
func migrate(ctx context.Context, path string, look bool) (before Status, err error) {
	const pragmas = "_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_pragma=synchronous(full)&_pragma=foreign_keys(1)"
	err = provided(path, pragmas, func(db *sql.DB, p *goose.Provider) error {
		if before, err = status(ctx, db, p); err != nil {
			return err
		}
		switch {
		case before.Have > before.Want:
			return fmt.Errorf("schema %d, this program knows %d: %w", before.Have, before.Want, ErrNewer)
		case look && before.Have > 0 && before.Have < before.Want:
			return fmt.Errorf("schema %d, this program needs %d: %w", before.Have, before.Want, ErrOlder)
		}
		_, err := p.Up(ctx)
		return err
	})
	return before, err
}

// provided runs f with goose, on a connection of its own.
func provided(path, options string, f func(*sql.DB, *goose.Provider) error) (err error) {
	dsn := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: options}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	return f(db, p)
}

func status(ctx context.Context, db *sql.DB, p *goose.Provider) (s Status, err error) {
	there := 0
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE name = 'goose_db_version'`).Scan(&there); err != nil {
		return s, err
	}
	if there > 0 {
		if err := db.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&s.Have); err != nil {
			return s, err
		}
	}
	for _, source := range p.ListSources() {
		s.Want = max(s.Want, source.Version)
		if source.Version > s.Have {
			s.Pending = append(s.Pending, source.Path)
		}
	}
	return s, nil
}
