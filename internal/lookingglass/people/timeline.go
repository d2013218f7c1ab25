package people

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

// Event is a line of a timeline.
type Event struct {
	Time    time.Time `json:"time"`
	Until   time.Time `json:"until,omitzero"` // the last of several alike
	Times   int       `json:"times"`          // how many of these there were, one after the other
	Client  string    `json:"client"`
	Kind    string    `json:"kind"` // "change", "group", "read", "lookup", "refused", "preview"
	Words   string    `json:"words"`
	Details []string  `json:"details,omitempty"`
	Change  int64     `json:"change,omitempty"`   // Seq in the change log
	Seq     int64     `json:"exchange,omitempty"` // of the recorder
	Status  int       `json:"status,omitempty"`
}

// TimelineQuery selects a part of a timeline. The zero value is the beginning.
type TimelineQuery struct {
	After string // Timeline.Next of the page before
	Limit int    // 0: 50; 200 at most
	Alone bool   // without what became of the groups themselves
}

// Timeline is a page of what happened to a person or a group.
type Timeline struct {
	Events []Event   `json:"events"` // the oldest first
	Next   string    `json:"next,omitempty"`
	Since  time.Time `json:"since,omitzero"` // from when on exchanges are known
	Log    bool      `json:"changeLog"`      // there is a change log
}

// mostGroups bounds the groups whose own changes are shown with a person's.
const mostGroups = 20

// mostNames bounds the names of a person that searches are looked up by.
const mostNames = 6

// ErrCursor says that a TimelineQuery has an After that is none.
var ErrCursor = errors.New("this page of the timeline does not exist")

// position is where a page of a timeline ends: in the change log, in the
// recorder and in time.
type position struct{ change, exchange, time int64 }

func parsePosition(s string) (p position, err error) {
	if s == "" {
		return p, nil
	}
	if n, err := fmt.Sscanf(s, "%d.%d.%d", &p.change, &p.exchange, &p.time); err != nil || n != 3 || p.change < 0 || p.exchange < 0 {
		return p, ErrCursor
	}
	return p, nil
}

// Timeline returns what happened to whom a verdict is about: changes, requests,
// and searches that found nobody.
func (d *Desk) Timeline(ctx context.Context, v *Verdict, q TimelineQuery) (*Timeline, error) {
	if q.Limit = min(cmp.Or(max(q.Limit, 0), 50), 200); v == nil {
		return &Timeline{}, nil
	}
	from, err := parsePosition(q.After)
	if err != nil {
		return nil, err
	}
	t, err := d.teller(ctx, v, q.Alone)
	if err != nil {
		return nil, err
	}
	t.at, t.n = from, q.Limit+1
	if err := t.readSought(); err != nil {
		return nil, err
	}
	page := &Timeline{Since: d.since(), Log: d.s.Changes != nil}
	for {
		at := t.at
		e, ok, err := t.next()
		if err != nil {
			return nil, err
		}
		n := len(page.Events)
		switch {
		case !ok:
			return page, nil
		case n > 0 && alikeEvents(page.Events[n-1], e):
			last := &page.Events[n-1]
			last.Times += e.Times
			last.Until = e.Time
		case n == q.Limit:
			page.Next = fmt.Sprintf("%d.%d.%d", at.change, at.exchange, at.time)
			return page, nil
		default:
			page.Events = append(page.Events, e)
		}
	}
}

func alikeEvents(a, b Event) bool {
	return a.Words == b.Words && a.Kind == b.Kind && (a.Kind == "read" || a.Kind == "lookup") && a.Details == nil && b.Details == nil
}
