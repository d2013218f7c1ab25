//go:build unix

package pgtest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/internal/pgtest"
)

func TestDatabase(t *testing.T) {
	t.Parallel()
	a, b := pgtest.Database(t), pgtest.Database(t)
	if a == b {
		t.Error("two tests share a database")
	}
	pgtest.Exec(t, a, `CREATE TABLE t (n integer)`)
	pgtest.Exec(t, b, `CREATE TABLE t (n integer)`, `INSERT INTO t VALUES (4711)`)
	if dump := pgtest.Dump(t, b); !strings.Contains(dump, "4711") || strings.Contains(pgtest.Dump(t, a), "4711") {
		t.Error(dump)
	}
}

func TestServer(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgtest.Options{NoFsync: true, Settings: []string{"work_mem='5MB'"}})
	pgtest.Exec(t, s.URL("postgres"), `CREATE TABLE t (n integer)`, `SELECT 1 / (current_setting('work_mem') = '5MB')::integer`)
	if err := s.Stop("fast"); err != nil {
		t.Fatal(err)
	}
	if _, err := pgx.Connect(t.Context(), s.URL("postgres")); err == nil {
		t.Error("a server that was stopped answers")
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, s.URL("postgres"), `SELECT n FROM t`)
}

// TestKilled ends a test process that uses a server without any chance to clean
// up: the server must end with it.
func TestKilled(t *testing.T) {
	if path := os.Getenv("PGTEST_TELL"); path != "" {
		s := pgtest.Start(t, pgtest.Options{NoFsync: true})
		if err := os.WriteFile(path+".tmp", []byte(s.URL("postgres")), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".tmp", path); err != nil {
			t.Fatal(err)
		}
		select {}
	}
	t.Parallel()
	path := t.TempDir() + "/url"
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, "-test.run=^TestKilled$")
	c.Env = append(os.Environ(), "PGTEST_TELL="+path)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	var url string
	await(t, "the server runs", func() bool {
		text, err := os.ReadFile(path)
		url = string(text)
		return err == nil
	})
	pgtest.Exec(t, url, `SELECT 1`)
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
	await(t, "the server has ended", func() bool {
		conn, err := pgx.Connect(context.Background(), url)
		if err == nil {
			_ = conn.Close(context.Background())
		}
		return err != nil && strings.Contains(err.Error(), "refused")
	})
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after a minute it is not so that %s", what)
		}
	}
}
