package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/internal/guard"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// database is where a directory keeps people and groups: the file of SQLite, or
// PostgreSQL.
type database interface {
	tenant.Store
	tenant(name string) store
	bound(t tenant.Tenant) store // of that one for good, whoever has the name later
	// CursorKeys returns the keys that seal what clients and browsers hold.
	CursorKeys(context.Context) ([][]byte, error)
	Close() error
}

// store is one tenant of a database.
type store interface {
	scim.Backend
	scim.MemberUpdater
	scim.Batcher
	scim.Importer
	scim.Pinger
	scim.ChangeFeed
	scim.Undeleter
	guard.Store
}

type sqliteDB struct{ *sqlite.DB }

func (db sqliteDB) tenant(name string) store { return db.Tenant(name) }

func (db sqliteDB) bound(t tenant.Tenant) store { return db.For(t) }

type postgresDB struct{ *postgres.DB }

func (db postgresDB) tenant(name string) store { return db.Tenant(name) }

func (db postgresDB) bound(t tenant.Tenant) store { return db.For(t) }

// sqlitePath is the file of the directory in a data folder.
func sqlitePath(dir string) string { return filepath.Join(dir, "rollcall.db") }

// openDatabase opens what the settings name. It never waits for a database that
// can't be reached: see errNotYet.
func (d *directory) openDatabase(ctx context.Context) (database, error) {
	if d.s.Database == nil {
		return d.openSQLite(ctx, sqlitePath(d.s.DataDir))
	}
	url, err := d.s.Database.secretURL()
	if err != nil {
		return nil, err
	}
	db, err := postgres.Open(ctx, url, postgres.Options{
		Load:             schema.Load,
		Encode:           schema.Encode,
		Type:             d.typeNamed,
		HistoryDays:      d.s.HistoryDays,
		Seal:             d.seals,
		UndeleteDays:     d.s.UndeleteDays,
		Logger:           d.log,
		MaxConns:         d.s.Database.Connections,
		StatementTimeout: d.s.Database.Timeout,
		NoMigrate:        d.s.NoMigrate,
		Migrations:       d.s.migrations,
	})
	if err != nil {
		return nil, d.s.explain(err)
	}
	return postgresDB{db}, nil
}

func (d *directory) openSQLite(ctx context.Context, path string) (database, error) {
	db, err := sqlite.Open(ctx, path, sqlite.Options{
		Load:                      schema.Load,
		Encode:                    schema.Encode,
		Type:                      d.typeNamed,
		HistoryDays:               d.s.HistoryDays,
		Seal:                      d.seals,
		UndeleteDays:              d.s.UndeleteDays,
		Logger:                    d.log,
		NoMigrate:                 d.s.NoMigrate,
		Committed:                 d.s.committed,
		UnsafeSynchronousForTests: d.s.unsafeSynchronous,
	})
	if err != nil {
		return nil, d.s.explain(err)
	}
	return sqliteDB{db}, nil
}

// secretURL returns the URL with its password: never to be shown.
func (d *Database) secretURL() (string, error) {
	if d.PasswordFile == "" {
		return d.url, nil
	}
	text, err := os.ReadFile(d.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("can't read ROLLCALL_DATABASE_PASSWORD_FILE=%q: %w", printable(d.PasswordFile), bare(err))
	}
	password := strings.TrimRight(string(text), "\r\n")
	if password == "" {
		return "", fmt.Errorf("ROLLCALL_DATABASE_PASSWORD_FILE=%q is empty", printable(d.PasswordFile))
	}
	return postgres.WithPassword(d.url, password), nil
}

// errNotYet says that the database can't be reached, and may be there later.
var errNotYet = errors.New("the database can't be reached yet")

// explain puts into one line what came of opening the database.
func (s *Settings) explain(err error) error {
	switch {
	case errors.Is(err, postgres.ErrOlder), errors.Is(err, sqlite.ErrOlder):
		return fmt.Errorf(`%w: run "rollcall migrate up" (ROLLCALL_MIGRATE is off)`, err)
	case s.Database == nil || errors.Is(err, postgres.ErrNewer):
		return err
	}
	line := fmt.Errorf("%s: %s", s.Database, strings.Join(strings.Fields(err.Error()), " "))
	if postgres.Unreachable(err) {
		return fmt.Errorf("%w: %w", errNotYet, line)
	}
	return line
}
