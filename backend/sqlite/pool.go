package sqlite

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// pool holds the connections that read. The one that was used last is taken
// first, so that few of them do most of the work, with warm caches.
type pool struct {
	places chan struct{} // one for each free connection
	mu     sync.Mutex
	free   []*conn // under mu

	waits, waited atomic.Int64 // nanoseconds
}

func newPool(conns []*conn) *pool {
	p := &pool{places: make(chan struct{}, len(conns))}
	for _, c := range conns {
		p.put(c)
	}
	return p
}

// take waits for a free connection until ctx or the database's life ends.
func (p *pool) take(ctx, life context.Context) (*conn, error) {
	select {
	case <-p.places:
	default:
		since := time.Now()
		p.waits.Add(1)
		defer func() { p.waited.Add(int64(time.Since(since))) }()
		select {
		case <-p.places:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-life.Done():
			return nil, errClosed
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.free) - 1
	c := p.free[last]
	p.free = p.free[:last]
	return c, nil
}

func (p *pool) put(c *conn) {
	p.mu.Lock()
	p.free = append(p.free, c)
	p.mu.Unlock()
	p.places <- struct{}{}
}

// Close waits for each connection to be put back, and closes it.
func (p *pool) Close() (err error) {
	for range cap(p.places) {
		<-p.places
		p.mu.Lock()
		c := p.free[0]
		p.free = p.free[1:]
		p.mu.Unlock()
		err = errors.Join(err, c.Close())
	}
	return err
}
