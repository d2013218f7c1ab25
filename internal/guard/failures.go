package guard

import (
	"cmp"
	"container/list"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How many refused credentials an address may send: so many at once, and one more
// each while.
const (
	FailuresAtOnce = 20
	FailureEvery   = 6 * time.Second
)

// mostAddresses bounds the addresses that are remembered, whoever makes them up.
const mostAddresses = 16_384

// Failures bounds how many requests with refused credentials come from an address:
// an IPv4 address, or a /64 of IPv6, which is what one subscriber has. Requests
// with good credentials are not its business, whatever else comes from there. Safe
// for concurrent use.
type Failures struct {
	now    func() time.Time
	atOnce int

	mu    sync.Mutex
	known map[netip.Prefix]*list.Element
	order *list.List // of *address, the last to fail first
}

type address struct {
	at    netip.Prefix
	count *rate.Limiter
}

// NewFailures returns a Failures that knows of none, and bears so many at once; 0 is
// FailuresAtOnce. now nil is time.Now.
func NewFailures(atOnce int, now func() time.Time) *Failures {
	if now == nil {
		now = time.Now
	}
	return &Failures{now: now, atOnce: cmp.Or(atOnce, FailuresAtOnce), known: map[netip.Prefix]*list.Element{}, order: list.New()}
}

// Failed notes a refused credential, and returns how long its address has to wait
// until it is told of another refusal, 0 if it is told of this one.
func (f *Failures) Failed(from netip.Addr) time.Duration {
	now := f.now()
	f.mu.Lock()
	defer f.mu.Unlock()
	a := f.of(subscriber(from))
	if a.count.AllowN(now, 1) {
		return 0
	}
	return max(time.Second, time.Duration((1-a.count.TokensAt(now))*float64(FailureEvery)))
}

// Known is how many addresses are remembered.
func (f *Failures) Known() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.known)
}

// of returns an address, in place of the one that has not failed for the longest
// time if there are too many.
func (f *Failures) of(at netip.Prefix) *address {
	if e := f.known[at]; e != nil {
		f.order.MoveToFront(e)
		return e.Value.(*address)
	}
	if len(f.known) >= mostAddresses {
		last := f.order.Back()
		delete(f.known, last.Value.(*address).at)
		f.order.Remove(last)
	}
	a := &address{at: at, count: rate.NewLimiter(rate.Every(FailureEvery), f.atOnce)}
	f.known[at] = f.order.PushFront(a)
	return a
}

// subscriber is what belongs to one: the address or, of IPv6, its /64.
func subscriber(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil { // no address at all: all of those are one
		return netip.Prefix{}
	}
	return p
}
