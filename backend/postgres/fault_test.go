package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/internal/pgtest"
	"github.com/rollcall-scim/rollcall/scim"
)

var unavailable = &scim.Error{Status: 503}

// TestServerRestarts stops the server under load, twice as if it crashed, and
// starts it again: who is refused meanwhile is told to come back, nobody hangs,
// what was acknowledged is there, and nothing was done twice.
func TestServerRestarts(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{})
	pgtest.Exec(t, server.URL("postgres"), `CREATE DATABASE d`)
	db := open(t, server.URL("d"), postgres.Options{MaxConns: 8})
	s := db.Tenant("a")
	g := create(t, s, group(t, "g"))
	var stop atomic.Bool
	var mu sync.Mutex
	var acked []*scim.Resource
	var added, refused atomic.Int64
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for n := 0; !stop.Load(); n++ {
				began := time.Now()
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				r, err := s.Create(ctx, resource(t, types[0], `{"userName":"w%d-%d"}`, w, n))
				if err == nil {
					mu.Lock()
					acked = append(acked, r)
					mu.Unlock()
					if _, err = s.UpdateMembers(ctx, change(g, []string{r.ID}, nil)); err == nil {
						added.Add(1)
					}
				}
				if err == nil {
					_, err = s.Get(ctx, r.Ref(), scim.Selection{})
				}
				cancel()
				var e *scim.Error
				switch {
				case err == nil:
				case !errors.As(err, &e) || e.Status != 503 || e.RetryAfter <= 0:
					t.Errorf("while the server restarts: %v", err)
				default:
					refused.Add(1)
				}
				if took := time.Since(began); took > 20*time.Second {
					t.Errorf("a request took %v", took)
				}
			}
		})
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(acked)
	}
	more := func() {
		before := count()
		await(t, "writes succeed", func() bool { return count() > before+20 })
	}
	for _, mode := range []string{"immediate", "fast", "immediate"} {
		more()
		before := refused.Load()
		if err := server.Stop(mode); err != nil {
			t.Error(err)
			break
		}
		await(t, "writes are refused", func() bool { return refused.Load() > before })
		if err := s.Ping(t.Context()); !errors.Is(err, unavailable) {
			t.Errorf("Ping without a server: %v", err)
		}
		if err := server.Resume(); err != nil {
			t.Error(err)
			break
		}
	}
	more()
	stop.Store(true)
	wg.Wait()
	for _, r := range acked {
		get(t, s, r)
	}
	n, err := db.Int(t.Context(), `SELECT count(*) FROM resources WHERE type = 'User'`)
	if err != nil || int(n) < len(acked) {
		t.Errorf("%d users, %v; %d were acknowledged", n, err, len(acked))
	}
	// A commit whose answer was lost may have happened: the user is then there,
	// and nobody was told so. But each counts once.
	for _, query := range []string{
		`SELECT sum(n)::bigint FROM counts WHERE type = 'User'`, `SELECT count(*) FROM changes WHERE type = 'User' AND op = 'create'`,
		`SELECT count(*) FROM uniq WHERE type = 'User'`,
	} {
		if m, err := db.Int(t.Context(), query); err != nil || m != n {
			t.Errorf("%s: %d, %v; there are %d users", query, m, err, n)
		}
	}
	list := len(memberIDs(t, get(t, s, g)))
	kept, err := db.Int(t.Context(), `SELECT members FROM resources WHERE type = 'Group'`)
	if err != nil || list < int(added.Load()) || list != int(kept) {
		t.Errorf("the group has %d members, and says %d, %v; %d were acknowledged", list, kept, err, added.Load())
	}
}

// TestConnectionsKilled ends all connections, as an administrator or a fail-over
// does: reads do not notice, and writes only if they were committing.
func TestConnectionsKilled(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	s := open(t, url, postgres.Options{}).Tenant("a")
	u := create(t, s, user(t, "u"))
	for range 5 {
		pgtest.Exec(t, url, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		if _, err := s.Get(t.Context(), u.Ref(), scim.Selection{}); err != nil {
			t.Errorf("Get: %v", err)
		}
		pgtest.Exec(t, url, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		if _, err := s.List(t.Context(), scim.Query{Type: types[0], StartIndex: 1, Count: 10}); err != nil {
			t.Errorf("List: %v", err)
		}
	}
}

// TestBusyPool takes all connections: others wait as long as their request may
// take, and no longer.
func TestBusyPool(t *testing.T) {
	t.Parallel()
	db := fresh(t, postgres.Options{MaxConns: 2})
	s := db.Tenant("a")
	u := create(t, s, user(t, "u"))
	held, release := make(chan bool, 2), make(chan bool)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			err := s.Batch(context.Background(), func(scim.Backend) error {
				held <- true
				<-release
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	<-held
	<-held
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := s.Get(ctx, u.Ref(), scim.Selection{})
	if e := scim.AsError(err); e.Status != 503 || time.Since(began) > 5*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
	waiting := make(chan error)
	go func() {
		_, err := s.Get(context.Background(), u.Ref(), scim.Selection{})
		waiting <- err
	}()
	close(release)
	if err := <-waiting; err != nil {
		t.Errorf("who waited for a connection: %v", err)
	}
	wg.Wait()
}

// TestTimeouts: a statement that takes too long, and one that waits for a lock
// too long, end by themselves, and the connections remain good.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	db, patient := open(t, url, postgres.Options{StatementTimeout: 300 * time.Millisecond}), open(t, url, postgres.Options{})
	s := db.Tenant("a")
	g, u := create(t, patient.Tenant("a"), group(t, "g")), create(t, patient.Tenant("a"), user(t, "u"))
	if _, err := db.Int(t.Context(), `SELECT 1 FROM pg_sleep(60)`); !errors.Is(err, unavailable) || !strings.Contains(err.Error(), "too long") {
		t.Errorf("a slow statement: %v", err)
	}
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if _, err := c.Exec(t.Context(), `BEGIN; SELECT 1 FROM resources FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	if _, err := s.UpdateMembers(t.Context(), change(g, []string{u.ID}, nil)); !errors.Is(err, unavailable) {
		t.Errorf("while somebody holds the row: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := patient.Tenant("a").UpdateMembers(ctx, change(g, []string{u.ID}, nil))
		left <- err
	}()
	blocked(t, patient, 1)
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("when the caller leaves: %v", err)
	}
	if _, err := c.Exec(t.Context(), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	await(t, "the row is free", func() bool { // in time, on a machine that is busy
		_, err := s.UpdateMembers(t.Context(), change(g, []string{u.ID}, nil))
		if err != nil && !errors.Is(err, unavailable) {
			t.Errorf("when the row is free: %v", err)
		}
		return err == nil
	})
	n, err := patient.Int(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'`)
	if err != nil || n != 0 {
		t.Errorf("%d connections are left in a transaction, %v", n, err)
	}
}

// TestReadOnly makes the database read-only for a while, as a standby is.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	s := open(t, url, postgres.Options{}).Tenant("a")
	u := create(t, s, user(t, "u"))
	name := url[strings.LastIndex(url, "/")+1 : strings.LastIndex(url, "?")]
	only := func(v string) {
		pgtest.Exec(t, url, fmt.Sprintf(`ALTER DATABASE %s SET default_transaction_read_only = %s`, name, v),
			`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	}
	only("on")
	var e *scim.Error
	if _, err := s.Create(t.Context(), user(t, "v")); !errors.As(err, &e) || e.Status != 503 || !strings.Contains(e.Detail, "read-only") {
		t.Errorf("a write: %v", err)
	}
	if got := get(t, s, u); got.ID != u.ID {
		t.Errorf("a read finds %s", got.ID)
	}
	pgtest.Exec(t, url, `SET default_transaction_read_only = off`, `ALTER DATABASE `+name+` SET default_transaction_read_only = off`)
	create(t, s, user(t, "v")) // the connections that were read-only are not used again
}

func TestClosed(t *testing.T) {
	t.Parallel()
	db, err := postgres.Open(t.Context(), pgtest.Database(t), postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := db.Tenant("a")
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}
	r := create(t, s, user(t, "u"))
	if err := errors.Join(db.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), r.Ref(), scim.Selection{}); !errors.Is(err, unavailable) {
		t.Errorf("Get after Close: %v", err)
	}
	if err := s.Delete(context.Background(), r.Ref(), ""); !errors.Is(err, unavailable) {
		t.Errorf("Delete after Close: %v", err)
	}
	if err := s.Ping(t.Context()); !errors.Is(err, unavailable) {
		t.Errorf("Ping after Close: %v", err)
	}
}
