package scim

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Trace collects what became of one request, for a console that explains it.
// The parts that do something add what they did; without a Trace in the context
// they do nothing but look. The zero value is ready; nil is no trace, and its
// methods do nothing. Safe for concurrent use.
type Trace struct {
	mu      sync.Mutex
	began   time.Time
	steps   []Step
	skipped int
	notes   TraceNotes
}

// Step is one statement or call that a backend made.
type Step struct {
	Kind    string        // "sql" or "call"
	Text    string        // with placeholders, never arguments; of a call method and path
	Start   time.Duration // since the trace began
	Took    time.Duration // of all Times together
	Rows    int64         // read or written; of a call its status, 0 without an answer; -1: not known
	Times   int           // how often a statement ran in a row, if more than once
	Failed  string        // why, in the backend's words; "" if it worked
	Skipped int           // of the last Step: how many more there were, above MaxSteps
}

// MaxSteps bounds the steps that a Trace keeps, and MaxTouched each list of ids.
const (
	MaxSteps   = 200
	MaxTouched = 1000
)

// TraceNotes are what the engine and the backend say of a request. What they
// point to must not be modified, and may hold what no client is shown, such as
// the hash of a password.
//
// Of a Bulk message they are those of its operations together, without Before,
// After, Deltas, Members and Query.
type TraceNotes struct {
	// Parse is the time until the request was understood, Backend what the
	// backend took of the rest, Encode the making of the answer's body.
	Parse, Backend, Encode time.Duration

	Filter        Filter    // bound; nil: none
	Query         *Query    // of a list
	Before, After *Resource // of a write that changed something; of a delete Before, if the backend had it at hand
	Deltas        []Delta   // of an update, as the backend was given them
	Members       Members   // who became or ceased to be a member, if the backend says so
	Touched       []string  // ids of resources that the request read or changed, besides its own; see Touch

	seen map[string]bool // Touched
}

// Members are ids of members that a write added and removed: at most MaxTouched
// each, and how many more there were.
type Members struct {
	Added, Removed         []string
	MoreAdded, MoreRemoved int
}

type traceKey struct{}

// WithTrace returns a context that carries t, which begins now if it has not
// begun yet.
func WithTrace(ctx context.Context, t *Trace) context.Context {
	if t != nil {
		t.mu.Lock()
		t.begin(time.Now())
		t.mu.Unlock()
	}
	return context.WithValue(ctx, traceKey{}, t)
}

func (t *Trace) begin(now time.Time) {
	if t.began.IsZero() {
		t.began = now
	}
}

// TraceOf returns the context's Trace, or nil.
func TraceOf(ctx context.Context) *Trace {
	t, _ := ctx.Value(traceKey{}).(*Trace)
	return t
}

// Add notes a step that has just ended; without a Start, it began s.Took ago.
// The first MaxSteps are kept. A statement that is run again and again, as one
// for each member of a group, is one step.
func (t *Trace) Add(s Step) {
	if t == nil {
		return
	}
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.steps); n > 0 && t.skipped == 0 && t.steps[n-1].repeated(s) {
		last := &t.steps[n-1]
		last.Times = max(last.Times, 1) + max(s.Times, 1)
		last.Took += s.Took
		if last.Rows += s.Rows; s.Rows < 0 || last.Rows < s.Rows {
			last.Rows = -1
		}
		return
	}
	if len(t.steps) == MaxSteps {
		t.skipped++
		return
	}
	t.begin(now.Add(-s.Took))
	if s.Start == 0 {
		s.Start = max(now.Sub(t.began)-s.Took, 0)
	}
	t.steps = append(t.steps, s)
}

// repeated reports whether next is the same statement once more.
func (s *Step) repeated(next Step) bool {
	return s.Kind == "sql" && next.Kind == "sql" && s.Text == next.Text && s.Failed == "" && next.Failed == ""
}

// Note lets f add to what is known of the request. f must be short, and not use
// the Trace.
func (t *Trace) Note(f func(*TraceNotes)) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.notes)
}

// Age returns how long ago the trace began; 0 if it has not begun.
func (t *Trace) Age() time.Duration {
	if t == nil {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.began.IsZero() {
		return 0
	}
	return time.Since(t.began)
}

// Steps returns the steps so far, in the order in which they were added.
func (t *Trace) Steps() []Step {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	list := slices.Clone(t.steps)
	if t.skipped > 0 {
		list[len(list)-1].Skipped = t.skipped
	}
	return list
}

// Notes returns what is known of the request so far.
func (t *Trace) Notes() TraceNotes {
	if t == nil {
		return TraceNotes{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.notes
	n.Deltas = slices.Clone(n.Deltas)
	n.Members.Added, n.Members.Removed = slices.Clone(n.Members.Added), slices.Clone(n.Members.Removed)
	n.Touched, n.seen = slices.Clone(n.Touched), nil
	return n
}

// Touch adds ids to Touched, each once, until they are MaxTouched.
func (n *TraceNotes) Touch(ids ...string) {
	for _, id := range ids {
		if len(n.Touched) == MaxTouched {
			return
		}
		if n.seen[id] {
			continue
		}
		if n.seen == nil {
			n.seen = map[string]bool{}
		}
		n.seen[id] = true
		n.Touched = append(n.Touched, id)
	}
}

// Join adds the ids of members that came and went.
func (m *Members) Join(added, removed []string) {
	m.Added, m.MoreAdded = join(m.Added, added, m.MoreAdded)
	m.Removed, m.MoreRemoved = join(m.Removed, removed, m.MoreRemoved)
}

func join(list, more []string, beyond int) ([]string, int) {
	room := min(len(more), MaxTouched-len(list))
	return append(list, more[:room]...), beyond + len(more) - room
}
