// Package lookingglass records SCIM exchanges so that people can understand
// them: redacted, explained, bounded, and off the path of the request.
package lookingglass

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/shared"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// MaxBody is how many bytes of a body are kept.
const MaxBody = 64 << 10

// Options configures a Recorder; the zero value keeps 1,000 exchanges in memory.
type Options struct {
	Tenant  string
	Types   func() []*scim.ResourceType // for redaction; nil: the core schemas
	Journal string                      // path of the journal's file, in a folder that exists; "": memory only
	Keep    int                         // exchanges in the journal; 0: 10,000
	Days    int                         // 0: 7
	Ring    int                         // exchanges in memory; 0: 1,000
	Rate    int                         // exchanges per second above which reads are sampled; 0: 200
	Now     func() time.Time            // nil: time.Now
	Logger  *slog.Logger                // nil: slog.Default()

	// Shared is where all instances of a program keep their exchanges, instead of
	// a Journal of their own; the Recorder closes it. Keep and Days then bound
	// those of all together.
	Shared   shared.Store
	Instance string // name of this one
	ReadOnly bool   // it records nothing, and looks at what is Shared
}

// The bounds of what waits, and of what is in memory.
const (
	mostQueued  = 2048
	queueBytes  = 4 << 20
	ringBytes   = 6 << 20
	mostLookups = 10_000 // without a journal
)

// Recorder keeps exchanges. Safe for concurrent use.
type Recorder struct {
	o       Options
	names   names                 // the worker's
	learnt  atomic.Pointer[names] // to be added to them
	ring    *ring
	subs    subscribers
	journal journal        // nil: memory only
	shared  *sharedJournal // the journal, if it is that of all instances
	alone   atomic.Bool    // which can't be read
	lookups lookups        // without a journal

	reads, writes bucket
	queue         chan task
	queued        atomic.Int64 // bytes
	sampled       atomic.Int64
	dropped       atomic.Int64

	mu      sync.RWMutex // for closing: sends to queue hold it for reading
	closed  bool
	done    chan struct{}
	closing chan struct{}
	polls   sync.WaitGroup
	seq     int64 // the worker's
	clients clients
	words   words
	known   acquaintances

	redaction       redaction // of the exchange at hand
	asked, answered tape
	lists           lists // of the exchange before
}

// task is what the worker does: an exchange, or telling that it came so far.
type task struct {
	seen    *seen
	flushed chan<- struct{}
}

// New returns a Recorder, with what its journal holds. A journal that is damaged,
// of a newer program or can't be opened is no reason to fail: it is set aside,
// or done without, and the log says so. Close the Recorder.
func New(o Options) (*Recorder, error) {
	o.Keep, o.Days = cmp.Or(max(o.Keep, 0), 10_000), cmp.Or(max(o.Days, 0), 7)
	o.Ring, o.Rate = cmp.Or(max(o.Ring, 0), 1000), cmp.Or(max(o.Rate, 0), 200)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	types := schema.Core()
	if o.Types != nil {
		types = o.Types()
	}
	r := &Recorder{o: o, names: secretNames(types), ring: newRing(o.Ring, ringBytes),
		reads: bucket{rate: float64(o.Rate)}, writes: bucket{rate: 5 * float64(o.Rate)},
		queue: make(chan task, mostQueued), done: make(chan struct{}), closing: make(chan struct{}), clients: clients{}, words: words{}, known: acquaintances{}}
	switch {
	case o.Shared != nil:
		r.shared = openShared(o, func(n int) { r.dropped.Add(int64(n)) })
		r.journal = r.shared
	case o.Journal != "":
		j, err := openJournal(o)
		if err != nil {
			o.Logger.Warn("the Looking Glass keeps its exchanges in memory only", "journal", o.Journal, "error", err)
		} else {
			r.journal = j
		}
	}
	go r.work()
	return r, nil
}

// work explains what was observed, one after the other.
func (r *Recorder) work() {
	defer close(r.done)
	for t := range r.queue {
		if t.flushed != nil {
			close(t.flushed)
			continue
		}
		r.queued.Add(-t.seen.size)
		if r.seq++; r.journal != nil {
			r.seq = r.journal.next()
		}
		x := r.careful(t.seen, r.seq)
		if x == nil {
			r.dropped.Add(1)
			continue
		}
		r.ring.add(x)
		if r.journal != nil {
			if !r.journal.add(x) {
				r.dropped.Add(1)
			}
		} else {
			r.lookups.add(x)
		}
		if r.subs.publish(x) {
			r.lists = lists{}
		} else {
			r.lists.of(x)
		}
	}
}

// careful is explain, and nil if that panics: an exchange that can't be
// explained must not end the server that had it.
func (r *Recorder) careful(s *seen, seq int64) (x *Exchange) {
	defer func() {
		if p := recover(); p != nil {
			r.o.Logger.Error("the Looking Glass can't explain an exchange", "id", s.x.RequestID, "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			x = nil
		}
	}()
	return r.explain(s, seq)
}

// Stats says what the recorder has and what it left out.
type Stats struct {
	Kept    int64     `json:"kept"`
	Oldest  time.Time `json:"oldest"`
	Sampled int64     `json:"sampled"`          // reads left out above the rate
	Dropped int64     `json:"dropped"`          // others left out, since there was more than could be kept: a full queue, or writes above five times the rate
	Bytes   int64     `json:"bytes"`            // memory, about
	Queued  int64     `json:"-"`                // bytes of that which wait to be explained
	Shared  bool      `json:"shared,omitempty"` // Kept and Oldest are those of all instances
	Alone   bool      `json:"alone,omitempty"`  // but those of the others can't be read at the moment
}

// Stats returns the present figures.
func (r *Recorder) Stats() Stats {
	s := Stats{Sampled: r.sampled.Load(), Dropped: r.dropped.Load()}
	s.Kept, s.Oldest, s.Bytes = r.ring.stats()
	s.Queued = max(r.queued.Load(), 0)
	s.Bytes += s.Queued
	if r.journal != nil {
		s.Kept, s.Oldest = r.journal.stats()
		s.Bytes += r.journal.memory()
		s.Shared, s.Alone = r.shared != nil, r.alone.Load()
	}
	return s
}

// Flush waits until all that was observed is kept: for tests and downloads.
func (r *Recorder) Flush(ctx context.Context) error {
	done := make(chan struct{})
	r.mu.RLock()
	if r.closed {
		r.mu.RUnlock()
		return nil
	}
	select {
	case r.queue <- task{flushed: done}:
		r.mu.RUnlock()
	case <-ctx.Done():
		r.mu.RUnlock()
		return ctx.Err()
	}
	select {
	case <-done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if r.journal != nil {
		return r.written(ctx)
	}
	return nil
}

// Close ends the worker, after what is queued, and closes the journal.
func (r *Recorder) Close() error {
	r.mu.Lock()
	again := r.closed
	r.closed = true
	if !again {
		close(r.queue)
	}
	r.mu.Unlock()
	<-r.done
	if again {
		return nil
	}
	r.subs.close()
	close(r.closing)
	r.polls.Wait()
	if r.journal != nil {
		return r.journal.close()
	}
	return nil
}
