package postgres_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/internal/pgtest"
	"github.com/rollcall-scim/rollcall/scim"
)

// own are the program's migrations, with others after them.
func own(t testing.TB, more map[string]string) fs.FS {
	t.Helper()
	files := fstest.MapFS{}
	entries, err := os.ReadDir("migrations")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile("migrations/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = &fstest.MapFile{Data: data}
	}
	for name, text := range more {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}

// TestOpenAtOnce lets instances start at the same time on an empty database.
func TestOpenAtOnce(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	const instances = 4
	var wg sync.WaitGroup
	keys := make([]string, instances)
	for i := range instances {
		wg.Go(func() {
			db, err := postgres.Open(t.Context(), url, postgres.Options{MaxConns: 2})
			if err != nil {
				t.Error(err)
				return
			}
			defer db.Close()
			ring, err := db.CursorKeys(t.Context())
			if err != nil || len(ring) != 1 || len(ring[0]) != 32 {
				t.Errorf("CursorKeys = %x, %v", ring, err)
				return
			}
			keys[i] = string(ring[0])
		})
	}
	wg.Wait()
	for _, k := range keys {
		if k != keys[0] {
			t.Error("instances have different keys")
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	newer := `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)`
	serves := func(v string) string {
		return `INSERT INTO meta VALUES (0, 'serves from', '` + v + `') ON CONFLICT (tenant, key) DO UPDATE SET value = excluded.value`
	}
	for _, tt := range []struct {
		name, want string
		is         error
		spoil      func(t *testing.T, url string) string
		o          postgres.Options
	}{
		{"no URL", "URL", nil, func(*testing.T, string) string { return "sqlite:rollcall.db" }, postgres.Options{}},
		{"no server", "can't be reached", nil, func(_ *testing.T, url string) string {
			at := strings.LastIndex(url, "@")
			return url[:at] + "@127.0.0.1:1/nothing"
		}, postgres.Options{}},
		{"no database", "no such database", nil, func(_ *testing.T, url string) string { return strings.Replace(url, "/rollcall_", "/gone_", 1) }, postgres.Options{}},
		{"wrong password", "role or its password", nil, func(_ *testing.T, url string) string {
			at := strings.LastIndex(url, "@")
			begin := strings.LastIndex(url[:at], ":")
			return url[:begin] + ":secret-4711" + url[at:]
		}, postgres.Options{}},
		{"encoding", "ENCODING 'UTF8'", nil, func(t *testing.T, url string) string {
			name := "latin" + strings.ToLower(t.Name()[len(t.Name())-8:])
			pgtest.Exec(t, url, `CREATE DATABASE `+name+` TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`)
			t.Cleanup(func() { pgtest.Exec(t, url, `DROP DATABASE `+name) })
			return url[:strings.LastIndex(url, "/")] + "/" + name + "?sslmode=disable"
		}, postgres.Options{}},
		{"newer", "newer version of this program", postgres.ErrNewer, func(t *testing.T, url string) string {
			pgtest.Exec(t, migrated(t, url), newer, serves("9999"))
			return url
		}, postgres.Options{}},
		{"newer, and may serve", "", nil, func(t *testing.T, url string) string {
			pgtest.Exec(t, migrated(t, url), newer, serves("1"))
			return url
		}, postgres.Options{}},
		{"not migrated", "migrate it first", nil, func(_ *testing.T, url string) string { return url }, postgres.Options{NoMigrate: true}},
		{"migrated before", "", nil, migrated, postgres.Options{NoMigrate: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			url := tt.spoil(t, pgtest.Database(t))
			db, err := postgres.Open(t.Context(), url, tt.o)
			if err == nil {
				defer db.Close()
			}
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want == "":
			case err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "4711"):
				t.Errorf("Open: %v; want one line with %q", err, tt.want)
			case tt.is != nil && !errors.Is(err, tt.is):
				t.Errorf("Open: %v; want %v", err, tt.is)
			}
		})
	}
}

// migrated migrates a database and returns its URL.
func migrated(t *testing.T, url string) string {
	t.Helper()
	if from, to, err := postgres.Migrate(t.Context(), url, postgres.Options{}); err != nil || from != 0 || to < 1 {
		t.Fatalf("Migrate: from %d to %d, %v", from, to, err)
	}
	return url
}

// TestWithoutRights opens a database as a role that owns it, one that may not
// create extensions, and one that may not create anything.
func TestWithoutRights(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgtest.Options{NoFsync: true})
	admin := s.URL("postgres")
	pgtest.Exec(t, admin, `CREATE ROLE owner LOGIN PASSWORD 'x'`, `CREATE ROLE guest LOGIN PASSWORD 'x'`, `CREATE DATABASE a OWNER owner`,
		`CREATE DATABASE b`, `CREATE DATABASE c`, `CREATE DATABASE d`)
	pgtest.Exec(t, s.URL("b"), `GRANT CREATE ON SCHEMA public TO guest`)
	pgtest.Exec(t, s.URL("d"), `GRANT CREATE ON SCHEMA public TO guest`, `CREATE EXTENSION pg_trgm`, `CREATE EXTENSION btree_gin`)
	for _, tt := range []struct{ role, database, want string }{
		{"owner", "a", ""}, {"guest", "b", "CREATE EXTENSION pg_trgm"}, {"guest", "c", "may not make or change the tables"}, {"guest", "d", ""},
	} {
		db, err := postgres.Open(t.Context(), s.URLAs(tt.role, "x", tt.database), postgres.Options{})
		if err == nil {
			if err := db.Close(); err != nil || tt.want != "" {
				t.Errorf("%s opens %s: %v", tt.role, tt.database, err)
			}
			continue
		}
		if tt.want == "" || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s opens %s: %v; want %q", tt.role, tt.database, err, tt.want)
		}
	}
}

// TestInterruptedMigration ends the connection of a migration in its middle, and
// then migrates again.
func TestInterruptedMigration(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	slow := own(t, map[string]string{"00099_slow.sql": "-- +goose Up\nCREATE TABLE half (n integer);\nSELECT pg_sleep(600);\nCREATE TABLE whole (n integer);\n"})
	failed := make(chan error, 1)
	go func() {
		_, _, err := postgres.Migrate(context.Background(), url, postgres.Options{Migrations: slow})
		failed <- err
	}()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	await(t, "the migration sleeps", func() bool {
		n := 0
		err := c.QueryRow(t.Context(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE datname = current_database() AND state = 'active' AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()`).Scan(&n)
		return err == nil && n == 1
	})
	if err := <-failed; err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("Migrate: %v", err)
	}
	s, err := postgres.SchemaStatus(t.Context(), url)
	if err != nil || s.Have != s.Want || s.Have > 98 || len(s.Pending) != 0 {
		t.Errorf("after the interruption: %+v, %v", s, err)
	}
	again := own(t, map[string]string{"00099_slow.sql": "-- +goose Up\nCREATE TABLE half (n integer);\nCREATE TABLE whole (n integer);\n"})
	if _, to, err := postgres.Migrate(t.Context(), url, postgres.Options{Migrations: again}); err != nil || to != 99 {
		t.Errorf("the second time: to %d, %v", to, err)
	}
}

// TestRollingUpgrade migrates under an instance that knows the schema before:
// it goes on, until a migration says that it must not.
func TestRollingUpgrade(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	old := open(t, url, postgres.Options{})
	const declare = "INSERT INTO meta (tenant, key, value) VALUES (0, 'serves from', '%') ON CONFLICT (tenant, key) DO UPDATE SET value = excluded.value;\n"
	harmless := map[string]string{"00098_harmless.sql": "-- +goose Up\nALTER TABLE resources ADD COLUMN extra text;\n"}
	next := open(t, url, postgres.Options{Migrations: own(t, harmless)})
	for _, db := range []*postgres.DB{old, next} {
		if err := db.Ping(t.Context()); err != nil {
			t.Errorf("after a migration that both can serve: %v", err)
		}
	}
	open(t, url, postgres.Options{}) // the old version may start, too
	harmless["00099_not.sql"] = "-- +goose Up\nALTER TABLE resources ADD COLUMN more text;\n" + strings.Replace(declare, "%", "99", 1)
	last := open(t, url, postgres.Options{Migrations: own(t, harmless)})
	if err := last.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	for _, db := range []*postgres.DB{old, next} {
		err := db.Ping(t.Context())
		if !errors.Is(err, postgres.ErrNewer) || !errors.Is(err, &scim.Error{Status: 503}) {
			t.Errorf("after a migration that it can't serve: %v", err)
		}
	}
	if _, err := postgres.Open(t.Context(), url, postgres.Options{}); !errors.Is(err, postgres.ErrNewer) {
		t.Errorf("Open: %v", err)
	}
}

func TestSchemaStatus(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	s, err := postgres.SchemaStatus(t.Context(), url)
	if err != nil || s.Have != 0 || s.Want < 1 || len(s.Pending) != int(s.Want) {
		t.Errorf("of an empty database: %+v, %v", s, err)
	}
	migrated(t, url)
	if s, err = postgres.SchemaStatus(t.Context(), url); err != nil || s.Have != s.Want || s.ServesFrom < 1 || len(s.Pending) != 0 {
		t.Errorf("after the migration: %+v, %v", s, err)
	}
	if from, to, err := postgres.Migrate(t.Context(), url, postgres.Options{}); err != nil || from != to {
		t.Errorf("once more: from %d to %d, %v", from, to, err)
	}
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after a minute it is not so that %s", what)
		}
	}
}
