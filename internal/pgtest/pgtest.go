//go:build unix

// Package pgtest gives tests a real PostgreSQL: one throw-away server for each
// test process, started when the first test asks for it, which ends with the
// process however that ends.
//
// ROLLCALL_TEST_POSTGRES, the URL of a role that may create databases, makes the
// tests use a server that runs already. ROLLCALL_TEST_POSTGRES_BIN names the
// folder of the programs where they are in no usual place.
package pgtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

var shared struct {
	sync.Once
	server *Server // nil: one that runs already
	url    string  // of the database to create others from
	err    error
}

// Database returns the URL of an empty database that is the test's own. It is
// dropped when the test ends.
func Database(t testing.TB) string {
	t.Helper()
	shared.Do(func() {
		if shared.url = os.Getenv("ROLLCALL_TEST_POSTGRES"); shared.url != "" {
			return
		}
		if shared.server, shared.err = New(Options{NoFsync: true}); shared.err == nil {
			shared.url = shared.server.URL("postgres")
		}
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	name := "rollcall_" + strings.ToLower(rand.Text())
	Exec(t, shared.url, `CREATE DATABASE `+name+` TEMPLATE template0 ENCODING 'UTF8'`)
	t.Cleanup(func() { Exec(t, shared.url, `DROP DATABASE `+name+` WITH (FORCE)`) })
	return to(t, shared.url, name)
}

// Quick is [Database] for tests of what a database holds, not of whether it lasts:
// its commits don't wait for the disk.
func Quick(t testing.TB) string {
	t.Helper()
	u, err := url.Parse(Database(t))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("synchronous_commit", "off")
	u.RawQuery = q.Encode()
	return u.String()
}

// to is a URL with another database.
func to(t testing.TB, text, name string) string {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal("ROLLCALL_TEST_POSTGRES: must be a URL")
	}
	u.Path = "/" + name
	return u.String()
}

// Exec runs statements at the database behind url.
func Exec(t testing.TB, url string, statements ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, url, statements); err != nil {
		t.Fatal(err)
	}
}

func run(ctx context.Context, url string, statements []string) error {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	for _, s := range statements {
		if _, err := c.Exec(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}
