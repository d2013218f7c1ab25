package bench

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// bound is when a round ends: after so many requests or so much time,
// whichever comes first. Both are always set.
type bound struct {
	requests int
	time     time.Duration
}

// maxRequests bounds what nobody bounded.
const maxRequests = 10_000_000

// Fault is a kind of answer that was no success, or a wrong one.
type Fault struct {
	Status string `json:"status"` // "503"; "network"; "wrong answer"
	Count  int    `json:"count"`
	Sample string `json:"sample"` // the first one's body, or what was wrong
}

// tally is what was measured of one class of requests.
type tally struct {
	Histogram
	faults []Fault
	bytes  int64 // of answers' bodies
	sent   int64 // of requests' bodies
}

func (t *tally) fault(status, text string, n int) {
	for i := range t.faults {
		if t.faults[i].Status == status {
			t.faults[i].Count += n
			return
		}
	}
	t.faults = append(t.faults, Fault{status, n, text})
}

func (t *tally) merge(other *tally) {
	t.Histogram.Merge(&other.Histogram)
	t.bytes += other.bytes
	t.sent += other.sent
	for _, f := range other.faults {
		t.fault(f.Status, f.Sample, f.Count)
	}
}

// failed returns how many requests went wrong.
func (t *tally) failed() (n int) {
	for _, f := range t.faults {
		n += f.Count
	}
	return n
}

// round is what one round of a scenario measured.
type round struct {
	classes  map[int]*tally
	all      int // requests, those that are not measured too
	workers  int
	elapsed  time.Duration
	busy     time.Duration // of all workers, in measured requests
	unmixed  bool          // one class and nothing unmeasured: the rate is that of the clock
	failures error         // what ended it before its time
}

// rate returns how many successes a second there were of a class: by the clock
// or, where requests of several kinds took turns, by the time these took.
func (r *round) rate(class int) float64 {
	t := r.classes[class]
	if t == nil || t.n == 0 {
		return 0
	}
	if r.unmixed {
		return float64(t.n) / r.elapsed.Seconds()
	}
	return float64(t.n) * float64(r.workers) / max(t.sum.Seconds(), 1e-9)
}

// load lets workers send next's requests, each one after the other, until the
// bound is reached, next has none left (its method is ""), or ctx ends. A worker
// that meets nothing but faults gives up.
func load(ctx context.Context, c *client, workers int, b bound, next func(worker, n int) request) *round {
	const patience = 50 // faults of a worker, one after the other
	if b.requests <= 0 || b.requests > maxRequests {
		b.requests = maxRequests
	}
	workers = min(workers, b.requests)
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		sent atomic.Int64
		r    = &round{classes: map[int]*tally{}, workers: workers}
		free atomic.Bool
	)
	begin := time.Now()
	for w := range workers {
		wg.Go(func() {
			mine := map[int]*tally{}
			all, row := 0, 0
			for n := 0; time.Since(begin) < b.time && ctx.Err() == nil && row < patience; n++ {
				req := next(w, n)
				if req.method == "" {
					break
				}
				if req.free {
					free.Store(true)
				} else if sent.Add(1) > int64(b.requests) {
					break
				}
				t := mine[req.class]
				if t == nil {
					t = new(tally)
					mine[req.class] = t
				}
				started := time.Now()
				a, err := c.do(ctx, w, req)
				took := time.Since(started)
				all++
				row++
				switch {
				case err != nil:
					if ctx.Err() == nil {
						t.fault("network", printable(err.Error()), 1)
					}
					continue
				case !a.ok():
					t.fault(strconv.Itoa(a.status), sample(a.body), 1)
					continue
				case req.then != nil:
					if err := req.then(a); err != nil {
						t.fault("wrong answer", printable(err.Error()), 1)
						continue
					}
				}
				row = 0
				if !req.free {
					t.Add(took)
					t.bytes += a.bytes
					t.sent += int64(len(req.body))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			r.all += all
			if row >= patience {
				r.failures = errors.New("nothing but errors")
			}
			for class, t := range mine {
				if r.classes[class] == nil {
					r.classes[class] = t
				} else {
					r.classes[class].merge(t)
				}
				r.busy += t.sum
			}
		})
	}
	wg.Wait()
	r.elapsed = time.Since(begin)
	r.unmixed = len(r.classes) == 1 && !free.Load()
	return r
}

// median returns the middle of the values, or 0 of none.
func median[T cmp.Ordered](values []T) (m T) {
	if len(values) == 0 {
		return m
	}
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}

// merged returns the faults of several tallies, the most frequent first.
func merged(list []Fault) []Fault {
	by := map[string]Fault{}
	for _, f := range list {
		if have, ok := by[f.Status]; ok {
			have.Count += f.Count
			by[f.Status] = have
		} else {
			by[f.Status] = f
		}
	}
	return slices.SortedFunc(maps.Values(by), func(a, b Fault) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Status, b.Status))
	})
}
