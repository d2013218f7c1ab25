package guard_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/guard"
	"github.com/rollcall-scim/rollcall/internal/tenant"
)

// clock is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// shared is a Leaser in memory, and counts how often it is asked.
type shared struct {
	clock *clock
	mu    sync.Mutex
	at    time.Time
	had   float64
	asked int
	down  bool
}

func (s *shared) Lease(_ context.Context, _ string, r guard.Rate, want int) (guard.Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked++; s.down {
		return guard.Lease{}, errors.New("down")
	}
	now := s.clock.Now()
	if s.at.IsZero() {
		s.had = r.Burst
	} else {
		s.had = min(r.Burst, s.had+now.Sub(s.at).Seconds()*r.PerSecond)
	}
	s.at = now
	l := guard.Lease{Granted: min(want, int(s.had))}
	s.had -= float64(l.Granted)
	if l.Left = int(s.had); l.Granted == 0 {
		l.Wait = time.Duration((1 - s.had) / r.PerSecond * float64(time.Second))
	}
	return l, nil
}

var ctx = context.Background()

func TestRateOf(t *testing.T) {
	t.Parallel()
	for want, in := range map[string]tenant.Rate{
		"{50 200} true":     {},
		"{10 200} true":     {PerSecond: 10},
		"{1000 1000} true":  {PerSecond: 1000},
		"{5 7} true":        {PerSecond: 5, Burst: 7},
		"{50 200} false":    {Off: true},
		"{50 100000} true":  {Burst: 100000},
		"{50 200} true\x00": {PerSecond: 50},
	} {
		r, on := guard.RateOf(in)
		if got := fmt.Sprint(r, on); got != want && got+"\x00" != want {
			t.Errorf("%+v: %s", in, got)
		}
	}
}

func TestLimiter(t *testing.T) {
	t.Parallel()
	c := newClock()
	l, r := guard.NewLimiter(c.Now), guard.Rate{PerSecond: 2, Burst: 3}
	for want := 2; want >= 0; want-- {
		if v := l.Allow(ctx, "a", r, nil); v.Wait != 0 || v.Remaining != want || v.Limit != 3 {
			t.Errorf("%+v", v)
		}
	}
	if v := l.Allow(ctx, "a", r, nil); v.Wait != 500*time.Millisecond || v.Full != 1500*time.Millisecond || v.Remaining != 0 {
		t.Errorf("one too many: %+v", v)
	}
	if v := l.Allow(ctx, "b", r, nil); v.Wait != 0 {
		t.Errorf("another credential: %+v", v)
	}
	c.pass(500 * time.Millisecond)
	if v := l.Allow(ctx, "a", r, nil); v.Wait != 0 {
		t.Errorf("after half a second: %+v", v)
	}
	if v := l.Allow(ctx, "a", r, nil); v.Wait == 0 {
		t.Errorf("and one more: %+v", v)
	}
	if v := l.Allow(ctx, "a", guard.Rate{PerSecond: 1000, Burst: 3}, nil); v.Wait == 0 {
		t.Errorf("another rate fills from now on: %+v", v)
	}
	c.pass(time.Millisecond)
	if v := l.Allow(ctx, "a", guard.Rate{PerSecond: 1000, Burst: 3}, nil); v.Wait != 0 {
		t.Errorf("with another rate: %+v", v)
	}
}

// TestLimiterShared counts what three instances let through in ten seconds of far
// too many requests: a burst and what came in, but no instance has a burst of its
// own; and the store is not asked for each.
func TestLimiterShared(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := &shared{clock: c}
	r := guard.Rate{PerSecond: 50, Burst: 200}
	var instances []*guard.Limiter
	for range 3 {
		instances = append(instances, guard.NewLimiter(c.Now))
	}
	let, sent := 0, 0
	const steps = 1000
	for range steps {
		for _, l := range instances {
			sent++
			switch v := l.Allow(ctx, "tk", r, s); {
			case v.Wait == 0:
				let++
			case v.Wait > 4*time.Second:
				t.Fatalf("%+v", v)
			}
		}
		c.pass(10 * time.Millisecond)
	}
	want := 200 + 50*10
	if let > want || let < want*9/10 {
		t.Errorf("%d of %d were let through, not %d", let, sent, want)
	}
	if s.asked > let {
		t.Errorf("the store was asked %d times for %d requests", s.asked, let)
	}
	if s.asked = 0; true { // a client within its bound
		c.pass(time.Minute)
		for range 400 {
			c.pass(25 * time.Millisecond)
			if v := instances[0].Allow(ctx, "tk", r, s); v.Wait != 0 {
				t.Fatalf("%+v", v)
			}
		}
	}
	if s.asked > 400/20 {
		t.Errorf("the store was asked %d times for 400 requests", s.asked)
	}
}

// TestLimiterAlone goes on by itself while the store does not answer, and does not
// ask it for each request.
func TestLimiterAlone(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := &shared{clock: c, down: true}
	l, r := guard.NewLimiter(c.Now), guard.Rate{PerSecond: 1, Burst: 10}
	let := 0
	for range 30 {
		if l.Allow(ctx, "tk", r, s).Wait == 0 {
			let++
		}
	}
	if let != 10 || s.asked != 1 {
		t.Errorf("%d were let through, and the store was asked %d times", let, s.asked)
	}
}

// TestLimiterBounded sees that made-up names don't fill the memory.
func TestLimiterBounded(t *testing.T) {
	t.Parallel()
	c := newClock()
	l := guard.NewLimiter(c.Now)
	for i := range 50_000 {
		l.Allow(ctx, fmt.Sprint(i), guard.Rate{PerSecond: 1, Burst: 1}, nil)
	}
	if n := l.Known(); n > 20_000 {
		t.Errorf("%d are remembered", n)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	c := newClock()
	f := guard.NewFailures(0, c.Now)
	a := netip.MustParseAddr
	for i := range guard.FailuresAtOnce {
		if d := f.Failed(a("192.0.2.7")); d != 0 {
			t.Fatalf("the %d. failure: %s", i+1, d)
		}
	}
	for _, same := range []string{"192.0.2.7", "::ffff:192.0.2.7"} {
		if d := f.Failed(a(same)); d < time.Second || d > guard.FailureEvery {
			t.Errorf("too many from %s: %s", same, d)
		}
	}
	if d := f.Failed(a("192.0.2.8")); d != 0 {
		t.Errorf("a neighbour: %s", d)
	}
	for i := range guard.FailuresAtOnce {
		f.Failed(a(fmt.Sprintf("2001:db8:1:2::%x", i+1)))
	}
	if f.Failed(a("2001:db8:1:2:ffff::9")) == 0 || f.Failed(a("2001:db8:1:3::9")) != 0 {
		t.Error("a /64 of IPv6 is one subscriber, the next another")
	}
	c.pass(guard.FailureEvery)
	if d := f.Failed(a("192.0.2.7")); d != 0 {
		t.Errorf("after a while: %s", d)
	}
	if f.Failed(netip.Addr{}) != 0 {
		t.Error("no address")
	}
}

// TestFailuresBounded makes up addresses: they push each other out, and not one
// that goes on failing.
func TestFailuresBounded(t *testing.T) {
	t.Parallel()
	f := guard.NewFailures(0, newClock().Now)
	bad := netip.MustParseAddr("203.0.113.1")
	for range guard.FailuresAtOnce {
		f.Failed(bad)
	}
	for i := range uint32(math.MaxUint16) {
		f.Failed(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})) //nolint:gosec // bytes of it
		if i%1000 == 0 && f.Failed(bad) == 0 {
			t.Fatalf("forgotten after %d others", i)
		}
	}
	if n := f.Known(); n > 16_384 {
		t.Errorf("%d are remembered", n)
	}
}
