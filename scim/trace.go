package scim

import (
	"context"
	"sync"
	"time"
)

// Trace collects what became of one request, for a console that explains it.
// The parts that do something add what they did; without a Trace in the context
// they do nothing but look. The zero value is ready; nil is no trace, and its
// methods do nothing. Safe for concurrent use.
type Trace struct {
	mu    sync.Mutex
	steps []Step
	notes TraceNotes
}

// Step is one statement or call that a backend made.
type Step struct {
	Kind    string        // "sql" or "call"
	Text    string        // with placeholders, never arguments; of a call method and path
	Start   time.Duration // since the trace began
	Took    time.Duration
	Rows    int64  // read or written; of a call its status; -1: not known
	Failed  string // why, in the backend's words; "" if it worked
	Skipped int    // of the last Step: how many more there were, above MaxSteps
}

// MaxSteps bounds the steps that a Trace keeps.
const MaxSteps = 200

// TraceNotes are what the engine says of a request.
type TraceNotes struct {
	Parse, Backend, Encode time.Duration
	Filter                 Filter    // bound; nil: none
	Query                  *Query    // of a list
	Before, After          *Resource // of a write that changed something; not to be modified
	Deltas                 []Delta
	Touched                []string // ids of resources that the request read or changed, besides its own
}

type traceKey struct{}

// WithTrace returns a context that carries t.
func WithTrace(ctx context.Context, t *Trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

// TraceOf returns the context's Trace, or nil.
func TraceOf(ctx context.Context) *Trace {
	t, _ := ctx.Value(traceKey{}).(*Trace)
	return t
}

// Add notes a step. The first MaxSteps are kept.
func (t *Trace) Add(s Step) { panic("not written yet") }

// Note lets f add to what is known of the request. f must be short.
func (t *Trace) Note(f func(*TraceNotes)) { panic("not written yet") }

// Steps returns the steps so far, in the order in which they were added.
func (t *Trace) Steps() []Step { panic("not written yet") }

// Notes returns what is known of the request so far.
func (t *Trace) Notes() TraceNotes { panic("not written yet") }
