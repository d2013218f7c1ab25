// Package lookingglass records SCIM exchanges so that people can understand
// them: redacted, explained, bounded, and off the path of the request.
package lookingglass

import (
	"context"
	"log/slog"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// Options configures a Recorder; the zero value keeps 1,000 exchanges in memory.
type Options struct {
	Tenant  string
	Types   func() []*scim.ResourceType // for redaction; nil: the core schemas
	Journal string                      // path of the journal's file; "": memory only
	Keep    int                         // exchanges in the journal; 0: 10,000
	Days    int                         // 0: 7
	Ring    int                         // exchanges in memory; 0: 1,000
	Rate    int                         // exchanges per second above which reads are sampled; 0: 200
	Now     func() time.Time            // nil: time.Now
	Logger  *slog.Logger                // nil: slog.Default()
}

// Recorder keeps exchanges. Safe for concurrent use.
type Recorder struct{}

// New returns a Recorder, with what its journal holds. Close it.
func New(o Options) (*Recorder, error) { panic("not written yet") }

// Observe takes an exchange; it is what scimhttp.Options.Observe wants. It
// returns at once: all work is done beside the request, and what is too much is
// dropped and counted.
func (r *Recorder) Observe(x scimhttp.Exchange) { panic("not written yet") }

// Query selects exchanges. The zero value selects the newest 100.
type Query struct {
	Before   int64  // with a smaller Seq; 0: from the newest
	After    int64  // with a greater Seq; 0: all
	Client   string // kind
	Op       string
	Type     string
	Status   string   // "2xx", "4xx", "5xx", "error" (4xx and 5xx) or a number
	Text     string   // in path, query, name, target, detail or actor, without regard to case
	Touching []string // ids of resources, any of them
	Oldest   bool     // oldest first
	Limit    int      // 0: 100
}

// Find returns exchanges, the newest first.
func (r *Recorder) Find(ctx context.Context, q Query) ([]*Exchange, error) { panic("not written yet") }

// Get returns one exchange, or nil.
func (r *Recorder) Get(ctx context.Context, seq int64) (*Exchange, error) { panic("not written yet") }

// Subscribe returns a channel of exchanges as they come, of which a slow reader
// misses some, and how many it missed. It is closed when ctx ends or the
// Recorder closes.
func (r *Recorder) Subscribe(ctx context.Context) <-chan Event { panic("not written yet") }

// Event is an exchange and how many before it were left out.
type Event struct {
	Exchange *Exchange
	Missed   int
}

// Sought is a value that clients looked for.
type Sought struct {
	Lookup
	Client Client    `json:"client"` // the last
	First  time.Time `json:"first"`
	Last   time.Time `json:"last"`
	Times  int       `json:"times"`
}

// Sought returns the lookups for a value of any attribute, compared folded, the
// latest first; those that found nothing are kept as long as the journal.
func (r *Recorder) Sought(ctx context.Context, value string) ([]Sought, error) {
	panic("not written yet")
}

// Stats says what the recorder has and what it left out.
type Stats struct {
	Kept    int64     `json:"kept"`
	Oldest  time.Time `json:"oldest"`
	Sampled int64     `json:"sampled"` // reads left out above the rate
	Dropped int64     `json:"dropped"` // left out because the queue was full
	Bytes   int64     `json:"bytes"`   // memory, about
}

// Stats returns the present figures.
func (r *Recorder) Stats() Stats { panic("not written yet") }

// Flush waits until all that was observed is kept: for tests and downloads.
func (r *Recorder) Flush(ctx context.Context) error { panic("not written yet") }

// Close ends the worker, after what is queued, and closes the journal.
func (r *Recorder) Close() error { panic("not written yet") }
