package lookingglass

import (
	"context"
	"sync"
)

// Event is an exchange and how many before it were left out.
type Event struct {
	Exchange *Exchange
	Missed   int
}

// waiting is how many exchanges a subscriber may be behind before it misses
// some.
const waiting = 256

// subscribers are told of exchanges.
type subscribers struct {
	mu     sync.Mutex
	all    map[*subscriber]bool
	closed bool
	polled bool // somebody looks for what other instances recorded
}

type subscriber struct {
	tenant string
	ch     chan Event
	missed int
}

// Subscribe returns a channel of exchanges as they come, of which a slow reader
// misses some, and how many it missed. It is closed when ctx ends or the
// Recorder closes.
func (r *Recorder) Subscribe(ctx context.Context) <-chan Event { return r.subscribe(ctx, r.o.Tenant) }

func (r *Recorder) subscribe(ctx context.Context, tenant string) <-chan Event {
	s := &subscriber{tenant: tenant, ch: make(chan Event, waiting)}
	l := &r.subs
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		close(s.ch)
		return s.ch
	}
	if l.all == nil {
		l.all = map[*subscriber]bool{}
	}
	l.all[s] = true
	if r.shared != nil && !l.polled {
		l.polled = true
		r.polls.Add(1)
		go r.poll(r.shared)
	}
	context.AfterFunc(ctx, func() { l.remove(s) })
	return s.ch
}

// wanted reports whether there are subscribers; if not, polling is over.
func (l *subscribers) wanted() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.polled = len(l.all) > 0 && !l.closed
	return l.polled
}

func (l *subscribers) remove(s *subscriber) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all[s] {
		delete(l.all, s)
		close(s.ch)
	}
}

// publish never waits. It reports whether anybody was told.
func (l *subscribers) publish(x *Exchange) (told bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.all {
		if s.tenant != x.Tenant && s.tenant != AllTenants {
			continue
		}
		told = true
		select {
		case s.ch <- Event{x, s.missed}:
			s.missed = 0
		default:
			s.missed++
		}
	}
	return told
}

func (l *subscribers) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for s := range l.all {
		delete(l.all, s)
		close(s.ch)
	}
}
