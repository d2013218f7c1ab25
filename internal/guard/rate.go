package guard

import (
	"context"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/rollcall-scim/rollcall/internal/tenant"
)

// What a managed token may send where the settings of its tenant don't say. It is
// twice what Microsoft Entra ID asks of an application.
const (
	DefaultPerSecond = 50
	DefaultBurst     = 200
)

// RateOf returns the bound of each credential of a tenant, and false if there is
// none. A burst that is not set is at least what a second brings.
func RateOf(r tenant.Rate) (Rate, bool) {
	per, burst := float64(r.PerSecond), float64(r.Burst)
	if per == 0 {
		per = DefaultPerSecond
	}
	if burst == 0 {
		burst = max(DefaultBurst, per)
	}
	return Rate{per, burst}, !r.Off
}

// Verdict is what a Limiter says of a request.
type Verdict struct {
	Limit     int           // requests at once, at most
	Remaining int           // as far as this instance knows
	Full      time.Duration // until all of them are there again
	Wait      time.Duration // until the next one is; 0: this one may go on
}

// Bounds of a Limiter.
const (
	mostBuckets = 20_000
	idleBucket  = time.Minute            // after which one may be forgotten
	leaseTime   = 2 * time.Second        // that asking a Leaser may take
	leaseAgain  = time.Second            // after one that failed
	askEvery    = 100 * time.Millisecond // while the store has none
	leaseParts  = 8                      // a lease is such a part of a burst, and a second's requests at most
)

// Limiter bounds how many requests each credential may send. It counts in memory.
// Where instances share a store it also takes requests from there, several at a
// time, so that it asks at most about once for each eighth of a burst; while the
// store does not answer, each instance counts for itself. Safe for concurrent use.
type Limiter struct {
	now func() time.Time

	mu      sync.Mutex
	buckets map[string]*bucket
}

// bucket is one credential.
type bucket struct {
	mu     sync.Mutex
	rate   Rate
	own    *rate.Limiter // of this instance
	leased int           // requests taken from the store and not let through yet; less than 0: let through and not taken yet
	asking bool          // the store, with mu released
	left   int           // there were, then
	until  time.Time     // when what is leased is void
	barred time.Time     // until when there is none
	alone  time.Time     // until when the store is not asked
	used   time.Time     // under Limiter.mu
}

// NewLimiter returns a Limiter. now nil is time.Now.
func NewLimiter(now func() time.Time) *Limiter {
	if now == nil {
		now = time.Now
	}
	return &Limiter{now: now, buckets: map[string]*bucket{}}
}

// Allow takes one request of a credential, whose name is unique among those of all
// tenants. shared is the store of its tenant where other instances use that too,
// or nil.
func (l *Limiter) Allow(ctx context.Context, name string, r Rate, shared Leaser) Verdict {
	now := l.now()
	b := l.bucket(name, r, now)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rate != r { // the settings have changed
		b.rate, b.leased, b.until, b.barred = r, 0, time.Time{}, time.Time{}
		b.own.SetLimitAt(now, rate.Limit(r.PerSecond))
		b.own.SetBurstAt(now, int(r.Burst))
	}
	v := Verdict{Limit: int(r.Burst)}
	if !b.own.AllowN(now, 1) {
		return b.refused(v, now, b.missing(now))
	}
	if shared != nil && !now.Before(b.alone) {
		if wait := b.take(ctx, name, shared, l.now); wait > 0 {
			return b.refused(v, now, wait)
		}
	}
	v.Remaining = b.remaining(now, shared != nil)
	v.Full = seconds((r.Burst - float64(v.Remaining)) / r.PerSecond)
	return v
}

func (b *bucket) refused(v Verdict, now time.Time, wait time.Duration) Verdict {
	v.Wait = max(wait, time.Millisecond)
	v.Full = max(v.Wait, seconds((b.rate.Burst-max(0, b.own.TokensAt(now)))/b.rate.PerSecond))
	return v
}

// missing is how long it is until this instance's own count has one more.
func (b *bucket) missing(now time.Time) time.Duration {
	return seconds((1 - b.own.TokensAt(now)) / b.rate.PerSecond)
}

// remaining is the least that is certain.
func (b *bucket) remaining(now time.Time, shared bool) int {
	n := int(max(0, b.own.TokensAt(now)))
	if shared && !now.Before(b.alone) {
		n = min(n, max(0, b.leased+b.left))
	}
	return n
}

// take takes one request of what is leased, after it has leased more if there is
// none, and returns how long to wait if the store has none either. Requests that
// come while it asks don't wait for the answer: what they take is leased next.
func (b *bucket) take(ctx context.Context, name string, shared Leaser, clock func() time.Time) time.Duration {
	now := clock()
	if now.Before(b.barred) {
		return b.barred.Sub(now)
	}
	if b.asking {
		b.leased--
		return 0
	}
	if now.After(b.until) {
		b.leased = 0
	}
	if b.leased <= 0 {
		if wait := b.lease(ctx, name, shared, clock); wait > 0 {
			return wait
		}
	}
	b.leased--
	return 0
}

// lease takes more from the store, and returns how long to wait if that has none.
func (b *bucket) lease(ctx context.Context, name string, shared Leaser, clock func() time.Time) time.Duration {
	r := b.rate
	want := int(max(1, min(r.Burst/leaseParts, r.PerSecond))) - b.leased
	b.asking = true
	b.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTime)
	got, err := shared.Lease(ctx, name, r, want)
	cancel()
	b.mu.Lock()
	b.asking = false
	now := clock()
	switch {
	case err != nil:
		b.leased, b.alone = 0, now.Add(leaseAgain)
	case got.Granted == 0:
		b.left = 0
		// Requests that come too fast must not ask as fast.
		wait := max(got.Wait, min(askEvery, seconds(r.Burst/r.PerSecond/2)))
		b.barred = now.Add(wait)
		return wait
	default:
		// In the time in which a bucket fills, the store has these again.
		b.leased, b.left, b.until = b.leased+got.Granted, got.Left, now.Add(seconds(r.Burst/r.PerSecond))
	}
	return 0
}

func seconds(s float64) time.Duration {
	return time.Duration(min(max(s, 0), math.MaxInt32) * float64(time.Second))
}

// bucket returns that of a credential, which is full at first.
func (l *Limiter) bucket(name string, r Rate, now time.Time) *bucket {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[name]
	if b == nil {
		if len(l.buckets) >= mostBuckets {
			l.evict(now)
		}
		b = &bucket{rate: r, own: rate.NewLimiter(rate.Limit(r.PerSecond), int(r.Burst))}
		l.buckets[name] = b
	}
	b.used = now
	return b
}

// evict makes room: it forgets those that are idle, and some of the others if that
// is not enough.
func (l *Limiter) evict(now time.Time) {
	for name, b := range l.buckets {
		if now.Sub(b.used) > idleBucket {
			delete(l.buckets, name)
		}
	}
	for name := range l.buckets {
		if len(l.buckets) < mostBuckets*9/10 {
			return
		}
		delete(l.buckets, name)
	}
}

// Known is how many credentials are remembered.
func (l *Limiter) Known() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.buckets)
}
