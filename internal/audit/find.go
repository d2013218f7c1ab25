package audit

import (
	"math"
	"time"
)

// Reader reads a tenant's log at one moment, for [Find].
type Reader interface {
	// Rows returns rows of the change log with a number smaller than before, the
	// newest first, at most limit: of all resources, or those that are about one or
	// touched it.
	Rows(person string, before int64, limit int) ([]Event, error)

	// Notes returns the notes of erasures, of all or of one resource, the newest
	// first, at most limit. Their Seq is that of the newest row before them, which
	// is at least from and smaller than before.
	Notes(person string, from, before int64, limit int) ([]Entry, error)

	// At returns the first row with that number or a greater one, and its time in
	// milliseconds; 0 if there is none. Last returns the number of the last row.
	At(seq int64) (found, ms int64, err error)
	Last() (int64, error)
}

// rowsAtOnce is how many rows are read at once.
const rowsAtOnce = 500

// OpErase is the Op of the event that a person was erased.
const OpErase = "erase"

// Find answers a query. It looks at [MostRows] rows at most.
func Find(r Reader, q Query) (page Page, err error) {
	q = q.Bounded()
	top := q.Before
	if top <= 0 {
		top = math.MaxInt64
	}
	cursor := top
	if q.Person == "" && !q.Until.IsZero() {
		if cursor, err = behind(r, q.Until.Add(Slack), top); err != nil {
			return page, err
		}
	}
	notes := q.Op == "" || q.Op == OpErase
	over := false
	for looked, taken := 0, 0; !over && looked < MostRows && taken < q.Limit; {
		step := min(rowsAtOnce, max(2*(q.Limit-taken), 20))
		rows, err := r.Rows(q.Person, cursor, step)
		if err != nil {
			return page, err
		}
		over = len(rows) < step
		looked += len(rows)
		var found []Event
		low := cursor
		for i := range rows {
			c := &rows[i].Change
			if c.Time.Before(q.Since.Add(-Slack)) {
				over = true
				break
			}
			low = c.Seq
			if q.Wants(c) {
				found = append(found, rows[i])
				if taken++; taken == q.Limit {
					over = over && i == len(rows)-1
					break
				}
			}
		}
		if over {
			low = 0
		}
		if notes {
			if found, err = withNotes(r, q, found, low, cursor); err != nil {
				return page, err
			}
		}
		page.Events = append(page.Events, found...)
		cursor = low
	}
	if !over {
		page.Next = cursor
	}
	return page, nil
}

// withNotes adds to the events, which are of rows from one number up to before
// another, the notes between them.
func withNotes(r Reader, q Query, rows []Event, from, before int64) ([]Event, error) {
	list, err := r.Notes(q.Person, from, before, MostEvents)
	if err != nil || len(list) == 0 {
		return rows, err
	}
	var all []Event
	for i := range list {
		e := &list[i]
		n, err := e.Says()
		if err != nil {
			return nil, err
		}
		for len(rows) > 0 && rows[0].Change.Seq > e.Seq {
			all, rows = append(all, rows[0]), rows[1:]
		}
		c := Change{Time: e.Time, ID: n.ID, Op: OpErase, Actor: n.Actor, Address: n.Address}
		if q.Wants(&c) {
			all = append(all, Event{N: e.N, Change: c, Rows: n.Rows})
		}
	}
	return append(all, rows...), nil
}

// behind returns a number behind all rows from before a time, as far as their
// times are in order, and not behind top.
func behind(r Reader, t time.Time, top int64) (int64, error) {
	last, err := r.Last()
	if err != nil {
		return 0, err
	}
	ms := t.UnixMilli()
	low, high := int64(0), min(last+1, top)
	for low < high { // the first row at t or later is behind low, and not behind high
		middle := low + (high-low)/2
		found, at, err := r.At(middle)
		switch {
		case err != nil:
			return 0, err
		case found == 0 || found >= high || at >= ms:
			high = middle
		default:
			low = found + 1
		}
	}
	if low > last {
		return top, nil
	}
	return low, nil
}
