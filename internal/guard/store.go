package guard

import (
	"context"
	"time"
)

// Store keeps what the breaker of one tenant knows, in the database of its
// resources. What is counted, and for how long, goes by the store's clock: that of
// the database where several programs use it. Its methods are safe for concurrent
// use, by other programs on the same database too.
type Store interface {
	// BreakerState returns what the breaker knows. People that were changed
	// within the span are counted up to most.
	BreakerState(ctx context.Context, span time.Duration, most int) (State, error)

	// ApproveBreaker lets mass changes pass for so long, in place of what was
	// approved before, and forgets what was held. Until is set, and returned.
	ApproveBreaker(ctx context.Context, lasts time.Duration, a Approval) (until time.Time, err error)

	// ResetBreaker forgets what was counted until now, what was held and what was
	// approved.
	ResetBreaker(ctx context.Context) error

	// NoteHeld adds to what is known of changes that were held, unless operators
	// have decided something since.
	NoteHeld(ctx context.Context, h Hold) error

	// PruneBreaker forgets what was counted before a time.
	PruneBreaker(ctx context.Context, before time.Time) error
}

// State is what the breaker of a tenant knows.
type State struct {
	Now      time.Time // by the store's clock
	People   int       // that were changed, each once
	Oldest   time.Time // the first of these changes; zero if there are none
	Total    int       // people that the tenant has
	Settled  int       // those of them who were there before the span: whoever creates people must not raise the limit
	Floor    time.Time // what was counted until then is forgotten; zero: nothing is
	Approval Approval
	Held     Hold // Requests 0: nothing was since the last approval or reset
}

// Approval lets mass changes pass for a while. What was counted until its end does
// not count any more after it. The zero value approves nothing.
type Approval struct {
	Until  time.Time
	People int    // so many more than the limit; 0: any number
	By     string // who approved it
}

// Covers reports whether so many people, where limit is the breaker's own, are
// approved at a time.
func (a Approval) Covers(now time.Time, people, limit int) bool {
	return now.Before(a.Until) && (a.People == 0 || people <= limit+a.People)
}

// Hold is what is known of changes that were held.
type Hold struct {
	First, Last time.Time
	Requests    int
	People      int    // that the last of them would have made it
	Actor       string // who sent the last
	What        string // what the last would have done: "DELETE Group/2819c223"

	Floor, Until time.Time // the Floor and the end of the Approval that it was held by
}

// as reports whether both were held by what operators had decided until then.
func (h Hold) as(other Hold) bool { return h.Floor.Equal(other.Floor) && h.Until.Equal(other.Until) }

// Since returns from when on people count: what the window reaches and no
// operator has dealt with.
func Since(now time.Time, window time.Duration, floor time.Time, a Approval) time.Time {
	since := now.Add(-window)
	if since.Before(floor) {
		since = floor
	}
	if !now.Before(a.Until) && since.Before(a.Until) {
		since = a.Until
	}
	return since
}
