package postgres_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/internal/pgtest"
	"github.com/rollcall-scim/rollcall/scim"
)

// wire leads to a server, until its connections are cut without a word.
type wire struct {
	to    string
	mu    sync.Mutex
	conns []net.Conn
}

// through returns the wire, and the URL with its address in the place of the
// server's.
func through(t *testing.T, text string) (*wire, string) {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{to: u.Host}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { w.carry(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		w.cut()
		wg.Wait()
	})
	u.Host = l.Addr().String()
	return w, u.String()
}

func (w *wire) carry(c net.Conn) {
	s, err := net.Dial("tcp", w.to)
	if err != nil {
		_ = c.Close()
		return
	}
	w.mu.Lock()
	w.conns = append(w.conns, c, s)
	w.mu.Unlock()
	var wg sync.WaitGroup
	for _, pair := range [][2]net.Conn{{c, s}, {s, c}} {
		wg.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			_, _ = pair[0].Close(), pair[1].Close()
		})
	}
	wg.Wait()
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		_ = c.Close()
	}
	w.conns = nil
}

// TestReadsOnLostConnections cuts all connections without a word: reads, also
// those that need a transaction, do not notice.
func TestReadsOnLostConnections(t *testing.T) {
	t.Parallel()
	w, url := through(t, pgtest.Quick(t))
	s := open(t, url, postgres.Options{}).Tenant("a")
	u := create(t, s, user(t, "u"))
	g := create(t, s, group(t, "g", u.ID))
	for range 3 {
		for name, read := range map[string]func() error{
			"a user":  func() error { _, err := s.Get(t.Context(), u.Ref(), scim.Selection{}); return err },
			"a group": func() error { _, err := s.Get(t.Context(), g.Ref(), scim.Selection{}); return err },
			"a page": func() error {
				_, err := s.List(t.Context(), scim.Query{Type: types[0], StartIndex: 1, Count: 1})
				return err
			},
			"a total": func() error { _, err := s.List(t.Context(), scim.Query{Type: types[0]}); return err },
		} {
			w.cut()
			if err := read(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestReadsEndWithTheirCaller: a read whose caller leaves is cancelled in the
// database too, also the last statement of its transaction.
func TestReadsEndWithTheirCaller(t *testing.T) {
	t.Parallel()
	url := pgtest.Quick(t)
	db := open(t, url, postgres.Options{})
	s := db.Tenant("a")
	g := create(t, s, group(t, "g"))
	get(t, s, g)
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if _, err := c.Exec(t.Context(), `BEGIN; LOCK TABLE members`); err != nil {
		t.Fatal(err)
	}
	waiting := func(want int64) func() bool {
		return func() bool {
			n, err := db.Int(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)
			return err == nil && n == want
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		_, err := s.Get(ctx, g.Ref(), scim.Selection{})
		result <- err
	}()
	until(t, waiting(1))
	began := time.Now()
	cancel()
	// Without that it would wait for the lock as long as a statement may take.
	if err := <-result; !errors.Is(err, context.Canceled) || time.Since(began) > 20*time.Second {
		t.Errorf("the caller has left, %v ago: %v", time.Since(began), err)
	}
	until(t, waiting(0)) // while the lock is still held
}

// TestOldPlans changes the type of a column below statements that are prepared
// on many connections: requests do not notice, but for a batch, which can't
// begin again, and its connection is not used again.
func TestOldPlans(t *testing.T) {
	t.Parallel()
	const conns = 16
	url := pgtest.Quick(t)
	s := open(t, url, postgres.Options{MaxConns: conns}).Tenant("a")
	u := create(t, s, user(t, "u"))
	var all, done sync.WaitGroup
	all.Add(conns)
	for range conns {
		done.Go(func() {
			err := s.Batch(t.Context(), func(b scim.Backend) error {
				_, err := b.Get(t.Context(), u.Ref(), scim.Selection{})
				all.Done()
				all.Wait()
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	pgtest.Exec(t, url, `ALTER TABLE resources ALTER COLUMN digest TYPE varchar`)
	for range 2 {
		err := s.Batch(t.Context(), func(b scim.Backend) error {
			_, err := b.Get(t.Context(), u.Ref(), scim.Selection{})
			return err
		})
		if err != nil && !errors.Is(err, unavailable) {
			t.Errorf("a batch: %v", err)
		}
	}
	get(t, s, u)
}
