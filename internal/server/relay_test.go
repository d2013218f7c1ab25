package server_test

import (
	"context"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// relay stands between a server and its database, and can fall silent as a
// machine does that lost its power: connections stay open and nothing comes.
type relay struct {
	listener net.Listener
	to       string
	mute     atomic.Bool
	mu       sync.Mutex
	open     []net.Conn
}

// newRelay returns a relay to the server in a URL, and the URL through it.
func newRelay(t *testing.T, database string) (*relay, string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{to: u.Host}
	if r.listener, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	u.Host = r.listener.Addr().String()
	t.Cleanup(func() {
		_ = r.listener.Close()
		r.cut()
	})
	go func() {
		for {
			here, err := r.listener.Accept()
			if err != nil {
				return
			}
			r.add(here)
			there, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", r.to)
			if err != nil {
				_ = here.Close()
				continue
			}
			r.add(there)
			go r.pass(here, there)
			go r.pass(there, here)
		}
	}()
	return r, u.String()
}

func (r *relay) add(c net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open = append(r.open, c)
}

// cut closes all connections.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.open {
		_ = c.Close()
	}
	r.open = nil
}

// pass hands on what comes, unless the relay is mute: then it is lost.
func (r *relay) pass(from, to net.Conn) {
	defer to.Close()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if n > 0 && !r.mute.Load() {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
