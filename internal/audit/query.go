package audit

import (
	"time"
)

// Query asks for what happened in a tenant. The zero value asks for the newest
// 100.
type Query struct {
	Person string    // id: what was done to this resource, or touched it
	Actor  string    // who did it, exactly
	Op     string    // "create", "update", "delete" …, or "erase"
	Since  time.Time // at that time or later; zero: ever
	Until  time.Time // before that time; zero: now
	Before int64     // Page.Next of the page before; 0: the first page
	Limit  int       // rows of the change log; erasures come on top; 0: 100, 1,000 at most
}

// Page is what a Query finds. A page may have fewer events than were asked for,
// and even none, while there are more: to look through the log takes no longer
// than a page does.
type Page struct {
	Events []Event
	Next   int64 // asks for the next page; 0: this is the last one
}

// Event is something that happened: a row of the change log, or the erasure of
// a person.
type Event struct {
	N      int64  // of its entry; 0: it is not sealed yet
	Change Change // Op "erase": of a note, without Seq
	Rows   int64  // Op "erase": how many rows were erased
}

// The bounds of a page: rows, and those that are looked at to find them.
const (
	MostEvents = 1_000
	MostRows   = 20_000
)

// Slack is by how much the times of rows may be out of their order: clocks of
// several instances differ, and clocks are set.
const Slack = time.Hour

// Bounded returns the query with a limit that may be.
func (q Query) Bounded() Query {
	if q.Limit <= 0 {
		q.Limit = 100
	}
	q.Limit = min(q.Limit, MostEvents)
	return q
}

// Wants reports whether the query wants c, whose resource is the right one.
func (q *Query) Wants(c *Change) bool {
	return (q.Actor == "" || c.Actor == q.Actor) && (q.Op == "" || c.Op == q.Op) && !c.Time.Before(q.Since) && (q.Until.IsZero() || c.Time.Before(q.Until))
}
