package server_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/rollcall-scim/rollcall/internal/pgtest"
)

// says runs a command and checks what it prints and its exit code.
func says(t *testing.T, run func(args ...string) (int, string), code int, want string, args ...string) {
	t.Helper()
	if got, text := run(args...); got != code || !strings.Contains(text, want) {
		t.Errorf("rollcall %s: exit %d, %s\nwant exit %d, %s", strings.Join(args, " "), got, text, code, want)
	}
}

// migrationsOf returns the names of the files of a backend, in their order.
func migrationsOf(t *testing.T, backend string) (names []string) {
	t.Helper()
	files, err := filepath.Glob("../../backend/" + backend + "/migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		names = append(names, filepath.Base(f))
	}
	return names
}

// TestMigratePostgres: who may not migrate refuses an older schema and names the
// command, which works and can be repeated.
func TestMigratePostgres(t *testing.T) {
	t.Parallel()
	db := pgtest.Database(t)
	run := asking(t, "ROLLCALL_DATABASE_URL="+db)
	all := migrationsOf(t, "postgres")
	want := strconv.Itoa(len(all))
	says(t, run, 1, "schema 0; this program's is "+want+": to do:\n  "+strings.Join(all, "\n  ")+"\n", "migrate", "status")
	_, err := tryStart(t, "ROLLCALL_DATABASE_URL="+db, "ROLLCALL_MIGRATE=off")
	if err == nil || !strings.Contains(err.Error(), `run "rollcall migrate up"`) || strings.Contains(err.Error(), "\n") {
		t.Errorf("a start that may not migrate: %v", err)
	}
	says(t, run, 1, `run "rollcall migrate up"`, "users", "deleted")
	says(t, run, 0, "done: schema "+want+"\n", "migrate", "up")
	says(t, run, 0, "nothing to do", "migrate", "up")
	says(t, run, 0, "schema "+want+"; this program's is "+want+": nothing to do", "migrate", "status")
	r, err := tryStart(t, "ROLLCALL_DATABASE_URL="+db, "ROLLCALL_MIGRATE=off")
	if err != nil {
		t.Fatal(err)
	}
	if a := r.do("GET", "/health/ready", ""); a.status != 200 {
		t.Errorf("ready: %d %s", a.status, a.body)
	}
	pgtest.Exec(t, db, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9, true)`)
	says(t, run, 0, "schema 9; this program's is "+want+": a newer program's, which this one may serve too", "migrate", "status")
	says(t, run, 0, "may serve", "migrate", "up")
	pgtest.Exec(t, db, `INSERT INTO meta (tenant, key, value) VALUES (0, 'serves from', '9') ON CONFLICT (tenant, key) DO UPDATE SET value = '9'`)
	says(t, run, 4, "it can only be served by programs that know schema 9", "migrate", "status")
	says(t, run, 4, "only be served", "migrate", "up")
	if _, err := tryStart(t, "ROLLCALL_DATABASE_URL="+db); err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("a start on the database of a newer program: %v", err)
	}
	// So does the one that runs.
	waitFor(t, "not ready", func() bool {
		a := r.do("GET", "/health/ready", "")
		return a.status == 503 && strings.Contains(a.body, "newer version")
	})
	if a := r.do("GET", "/scim/v2/Users", ""); a.status != 503 || a.header.Get("Retry-After") == "" || !strings.Contains(a.body, "newer version") {
		t.Errorf("a request to a program that is too old: %d %s", a.status, a.body)
	}
	if a := r.do("GET", "/looking-glass", ""); a.status != 503 || !strings.Contains(a.body, "newer version") {
		t.Errorf("the console of a program that is too old: %d %s", a.status, a.body)
	}
	pgtest.Exec(t, db, `UPDATE meta SET value = '1' WHERE key = 'serves from'`)
	back(t, r)
	says(t, asking(t, "ROLLCALL_DATABASE_URL=postgres://u@"+freeAddress(t)+"/people"), 3, "can't be reached", "migrate", "status")
	says(t, asking(t, "ROLLCALL_DATABASE_URL=postgres://u@"+freeAddress(t)+"/people"), 1, "can't be reached", "migrate", "up")
}

// TestMigrateSQLite: the same for a file, which only one process may have.
func TestMigrateSQLite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run := asking(t, "ROLLCALL_DATA_DIR="+dir)
	says(t, run, 3, "no directory in the data folder", "migrate", "status")
	says(t, run, 1, "no directory in the data folder", "migrate", "up")
	if code, _ := run("migrate"); code != 2 {
		t.Errorf("migrate without a verb: exit %d", code)
	}
	script, err := os.ReadFile("../../backend/sqlite/migrations/00001_directory.sql")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "rollcall.db")
	execute := func(script string) {
		t.Helper()
		conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := sqlitex.ExecuteScript(conn, script, nil); err != nil {
			t.Fatal(err)
		}
	}
	execute(string(script) + `
		CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL, tstamp TIMESTAMP DEFAULT (datetime('now')));
		INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1), (1, 1);`)
	all := migrationsOf(t, "sqlite")
	says(t, run, 1, "to do:\n  "+strings.Join(all[1:], "\n  ")+"\n", "migrate", "status")
	if _, err := tryStart(t, "ROLLCALL_DATA_DIR="+dir, "ROLLCALL_MIGRATE=off"); err == nil || !strings.Contains(err.Error(), `run "rollcall migrate up"`) {
		t.Errorf("a start that may not migrate: %v", err)
	}
	says(t, run, 0, fmt.Sprintf("done: schema %d\n", len(all)), "migrate", "up")
	says(t, run, 0, "nothing to do", "migrate", "status")
	r, err := tryStart(t, "ROLLCALL_DATA_DIR="+dir, "ROLLCALL_MIGRATE=off")
	if err != nil {
		t.Fatal(err)
	}
	r.create("ada")
	says(t, run, 0, "nothing to do", "migrate", "status") // while it is served
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if fresh := start(t, "ROLLCALL_MIGRATE=off"); fresh.create("ada") == "" {
		t.Error("a new folder needs no migration")
	}
	execute(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9, 1)`)
	says(t, run, 4, "it can only be served by programs that know schema 9", "migrate", "status")
}
