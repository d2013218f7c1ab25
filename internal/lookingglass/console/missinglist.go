package console

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"
	"unique"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/people"
	"github.com/rollcall-scim/rollcall/scim"
)

// The bounds of what is kept of lists: how many there are, each of another
// session, and how long after they were last looked at.
const (
	mostLists   = 4
	listTime    = 30 * time.Minute
	compareTime = 30 * time.Minute // a comparison may take so long
)

// lists are those that sessions compare, in memory alone.
type lists struct {
	mu sync.Mutex
	by map[string]*list

	instance string // part of their ids
}

// list is one of them: its table until a column is chosen, then what is known of
// each value.
type list struct {
	id    string
	owner *Who   // nil: in open mode
	key   string // of the tenant it is compared with
	used  time.Time
	stop  context.CancelFunc // of the comparison
	timer *time.Timer

	mu      sync.Mutex
	table   *people.Table // nil: a column was chosen
	column  string
	lines   int
	rows    []people.Row
	running bool
	failed  string
}

// add keeps a list in the place of the owner's last one, and of the oldest of
// all where there are too many.
func (ls *lists) add(owner *Who, key string, table *people.Table, now time.Time) *list {
	l := &list{id: newID(ls.instance), owner: owner, key: key, used: now, stop: func() {}, table: table, lines: len(table.Rows)}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.by == nil {
		ls.by = map[string]*list{}
	}
	var oldest *list
	for _, other := range ls.by {
		if other.owner == owner {
			ls.drop(other)
		} else if oldest == nil || other.used.Before(oldest.used) {
			oldest = other
		}
	}
	if len(ls.by) >= mostLists {
		ls.drop(oldest)
	}
	l.timer = time.AfterFunc(listTime, func() { ls.forget(l.id, owner) })
	ls.by[l.id] = l
	return l
}

// get returns a list of its owner's, at the pages of its tenant, or nil.
func (ls *lists) get(id string, owner *Who, key string, now time.Time) *list {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.by[id]
	if l == nil || l.owner != owner || l.key != key {
		return nil
	}
	l.used = now
	l.timer.Reset(listTime)
	return l
}

// forget ends a comparison and drops its list.
func (ls *lists) forget(id string, owner *Who) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l := ls.by[id]; l != nil && l.owner == owner {
		ls.drop(l)
	}
}

// forgetAll drops what a session has, when it ends.
func (ls *lists) forgetAll(owner *Who) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for _, l := range ls.by {
		if l.owner == owner {
			ls.drop(l)
		}
	}
}

func (ls *lists) drop(l *list) {
	l.mu.Lock()
	stop := l.stop
	l.table, l.rows = nil, nil
	l.mu.Unlock()
	stop()
	l.timer.Stop()
	delete(ls.by, l.id)
}

// page is what is known of the list, without its rows.
func (l *list) page() listPage {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := listPage{ID: l.id, Column: l.column, Lines: l.lines, Done: len(l.rows), Running: l.running, Failed: l.failed}
	if l.table != nil {
		p.Columns, p.Guess = l.table.Columns, l.table.Guess
		p.Sample = l.table.Rows[:min(len(l.table.Rows), sampleLines)]
	}
	return p
}

// result returns the rows so far. They don't change any more.
func (l *list) result() []people.Row {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rows[:len(l.rows):len(l.rows)]
}

// compare begins to compare a column, with what the one who asks may see. The
// table is dropped: only the column is needed any more.
func (c *Console) compare(r *http.Request, l *list, column int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.table == nil || column < 0 || column >= len(l.table.Columns) {
		return
	}
	ctx := context.WithoutCancel(c.context(r))
	ctx, stop := context.WithTimeout(ctx, compareTime)
	values := l.table.Values(column)
	for i, v := range values {
		values[i] = strings.Clone(v) // without the line that it is of
	}
	l.table, l.column, l.stop, l.running = nil, l.table.Columns[column], stop, true
	l.rows = make([]people.Row, 0, len(values))
	go func() {
		select {
		case <-c.closed:
			stop()
		case <-ctx.Done():
		}
	}()
	go func() {
		defer stop()
		c.comparing(ctx, l, values)
	}()
}

func (c *Console) comparing(ctx context.Context, l *list, values []string) {
	err := c.desk.Compare(ctx, values, func(i int, v *people.Verdict) error {
		row := people.RowOf(i, v)
		row.Next = unique.Make(row.Next).Value() // most are alike
		l.mu.Lock()
		defer l.mu.Unlock()
		l.rows = append(l.rows, row)
		return ctx.Err()
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running = false
	var refused *scim.Error
	switch {
	case err == nil:
	case errors.Is(err, context.Canceled):
		l.failed = "The comparison was stopped."
	case errors.Is(err, context.DeadlineExceeded):
		l.failed = "The comparison took too long and was stopped. Give the list in parts."
	case errors.As(err, &refused) && refused.Detail != "":
		l.failed = "The comparison was stopped: " + refused.Detail + "."
	default:
		l.failed = "The comparison was stopped by an error; the log says why."
		c.o.Logger.Error("the console can't compare a list", "error", err)
	}
}
