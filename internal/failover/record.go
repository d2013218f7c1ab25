package failover

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Record is what clients saw of the instances during one load. Its methods may
// be called at any time, by many at once.
type Record struct {
	mu       sync.Mutex
	began    time.Time
	last     map[string]time.Time // by instance, of the last acknowledged write; "" is all of them
	gap      map[string]time.Duration
	acks     int
	answers  map[string]int // "503", "cut", "refused", "late"
	slowest  time.Duration
	offences []string
}

// NewRecord begins a record of the instances at these base URLs.
func NewRecord(bases ...string) *Record {
	r := &Record{began: time.Now(), last: map[string]time.Time{"": time.Now()}, gap: map[string]time.Duration{}, answers: map[string]int{}}
	for _, b := range bases {
		r.last[b] = r.began
	}
	return r
}

// note adds an answer. Each 5xx but a 503 with Retry-After is an offence, and
// each answer that took longer than limit.
func (r *Record) note(method, base string, a Answer, took, limit time.Duration) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.slowest = max(r.slowest, took)
	switch {
	case took > limit:
		r.answers["late"]++
		r.offend("%s at %s took %v, more than %v: %d %v", method, base, took.Round(time.Millisecond), limit, a.Status, a.Err)
	case a.Status >= 500:
		r.answers[fmt.Sprint(a.Status)]++
		if a.Err != nil {
			r.offend("%v", a.Err)
		}
	case a.Status == 0 && a.Outcome == Refused:
		r.answers["refused"]++
	case a.Status == 0:
		r.answers["cut"]++
	}
	if a.Outcome == Applied && method != "GET" {
		r.acks++
		for _, of := range []string{"", base} {
			r.gap[of] = max(r.gap[of], now.Sub(r.last[of]))
			r.last[of] = now
		}
	}
}

// offend notes what no client should see. Callers hold r.mu.
func (r *Record) offend(format string, args ...any) {
	if len(r.offences) < 20 {
		r.offences = append(r.offences, fmt.Sprintf(format, args...))
	}
}

// blame notes an offence found by a load.
func (r *Record) blame(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.offend(format, args...)
}

// Close ends the record: what was not acknowledged since the last write counts
// as a gap as well.
func (r *Record) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for of, last := range r.last {
		r.gap[of] = max(r.gap[of], now.Sub(last))
	}
}

// Acknowledged is how many writes were.
func (r *Record) Acknowledged() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.acks
}

// Since is how many seconds ago a write was last acknowledged by the instance
// at base.
func (r *Record) Since(base string) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Since(r.last[base])
}

// Gap is the longest time in which no write was acknowledged by the instance
// at base, or, if base is empty, by any.
func (r *Record) Gap(base string) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.gap[base]
}

// Slowest is how long the slowest answer took.
func (r *Record) Slowest() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.slowest
}

// Troubles tells how often clients got what kind of answer but a good one:
// "cut" is a connection that was, "refused" one that was never made.
func (r *Record) Troubles() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var s []string
	for _, what := range slices.Sorted(maps.Keys(r.answers)) {
		s = append(s, fmt.Sprintf("%d %s", r.answers[what], what))
	}
	if s == nil {
		return "none"
	}
	return strings.Join(s, ", ")
}

// Offences are answers that no client should see, whatever fails: the first 20.
func (r *Record) Offences() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.offences)
}
