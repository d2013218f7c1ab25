package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// RawCommit is the rate of durable inserts of a bare SQLite table: 1.5 KB, a
// primary key and two unique indexes, group commit, no HTTP and no SCIM. It is
// what a create is held against.
type RawCommit struct {
	Writers int     `json:"writers"`
	Rate    float64 `json:"rate"` // inserts a second
}

// commitMost is how many inserts share a commit at most, as in backend/sqlite.
const commitMost = 64

// measureRawCommit inserts from so many writers until the bound is reached. It
// uses a file of its own in the folder, which is removed.
func measureRawCommit(ctx context.Context, folder string, writers int, b bound) (r RawCommit, err error) {
	dir, err := os.MkdirTemp(folder, "rollcall-bench-raw-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	conn, err := sqlite.OpenConn(filepath.Join(dir, "raw.db"), sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	for _, sql := range []string{"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA wal_autocheckpoint = 4000",
		"CREATE TABLE users (pk INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE, text TEXT NOT NULL) STRICT"} {
		if err := sqlitex.ExecuteTransient(conn, sql, nil); err != nil {
			return r, err
		}
	}
	return rawCommit(ctx, conn, writers, b)
}

// insert is one write that waits for its commit.
type insert struct {
	n    int64
	done chan error
}

func rawCommit(ctx context.Context, conn *sqlite.Conn, writers int, b bound) (RawCommit, error) {
	queue := make(chan insert, 4*commitMost)
	var made atomic.Int64
	var wg sync.WaitGroup
	text := string(bodies{p: Population{Name: "raw"}, enterprise: true}.person("", 1, false, 0))
	begin := time.Now()
	for range writers {
		wg.Go(func() {
			done := make(chan error, 1)
			for time.Since(begin) < b.time && ctx.Err() == nil {
				n := made.Add(1)
				if n > int64(b.requests) {
					made.Add(-1)
					return
				}
				queue <- insert{n, done}
				if <-done != nil {
					return
				}
			}
		})
	}
	go func() {
		wg.Wait()
		close(queue)
	}()
	var failed error
	for first := range queue {
		group := []insert{first}
		for len(group) < commitMost && len(queue) > 0 {
			group = append(group, <-queue)
		}
		if failed == nil {
			failed = commit(conn, group, text)
		}
		for _, i := range group {
			i.done <- failed
		}
	}
	return RawCommit{writers, float64(made.Load()) / time.Since(begin).Seconds()}, errors.Join(failed, ctx.Err())
}

// commit stores a group in one transaction, each in a savepoint of its own.
func commit(conn *sqlite.Conn, group []insert, text string) (err error) {
	end, err := sqlitex.ImmediateTransaction(conn)
	if err != nil {
		return err
	}
	defer end(&err)
	for _, i := range group {
		save := sqlitex.Save(conn)
		err := sqlitex.Execute(conn, "INSERT INTO users (id, name, text) VALUES (?, ?, ?)", &sqlitex.ExecOptions{
			Args: []any{fmt.Sprintf("%08x-%[1]d", i.n), fmt.Sprintf("user%d@example.com", i.n), text}})
		save(&err)
		if err != nil {
			return err
		}
	}
	return nil
}
