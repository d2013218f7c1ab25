package guard

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"time"

	"github.com/rollcall-scim/rollcall/internal/tenant"
)

// What the breaker does where the settings of a tenant don't say. The number is
// what Microsoft Entra ID takes for an accident; it is above what a directory of
// 100,000 people loses at the end of a month, and the share above what any does
// in an hour. A tenant that is so small that the share means a handful may lose
// that handful.
const (
	DefaultPeople  = 500
	DefaultPercent = 10.0
	DefaultWindow  = time.Hour
	LeastPeople    = 10 // what the share amounts to, at least
)

// mostRetry bounds the Retry-After of a change that is held: an operator may let
// it pass at any time, and no client has to wait for longer than it waits for an
// answer elsewhere.
const mostRetry = 5 * time.Minute

type mode int

const (
	off mode = iota
	warn
	hold
)

type breaker struct {
	mode    mode
	people  int
	percent float64
	window  time.Duration
}

func breakerOf(b tenant.Breaker) breaker {
	m := map[string]mode{"": warn, "off": off, "warn": warn, "hold": hold}[b.Mode]
	return breaker{m, cmp.Or(b.People, DefaultPeople), cmp.Or(b.Percent, DefaultPercent), cmp.Or(b.Window, DefaultWindow)}
}

// limit is how many people may be changed within the window where there were so
// many before it.
func (b breaker) limit(settled int) int {
	share := math.Ceil(float64(settled) * b.percent / 100)
	return int(min(float64(b.people), max(share, LeastPeople)))
}

// enough is how many people make the limit what it is at most.
func (b breaker) enough() int {
	return int(min(math.Ceil(float64(b.people)*100/b.percent), math.MaxInt32))
}

// Causes for which a person counts, beside the number of the group it left.
const (
	Deactivated int64 = 0
	Deleted     int64 = -1
)

// Tally is what a write takes from people, or gives back.
type Tally struct {
	Cause  int64         // Deactivated, Deleted, or the number of a group
	Lost   []int64       // people that it is taken from
	Under  []int64       // groups, all of whose people it is taken from, nested ones too
	Back   []int64       // resources that have it again: what was counted is not any more
	Span   time.Duration // how far back people count
	Most   int           // beyond which nobody is counted, but for so many people as the present approval says
	Enough int           // beyond which those who were there before need not be counted: State.Settled
	Exact  bool          // see [Tx.Tally]
}

// Count is what a Tally amounts to.
type Count struct {
	New   int // people that did not count before; not 0 where a write takes something from more than are counted
	State     // with them; Total and Settled as before the write
}

// count counts whom a write takes something from, and holds it if these are too
// many.
func (w *Watch) count(ctx context.Context, tx Tx, e Effect) error {
	b := w.rules.breaker
	t := Tally{Cause: e.PK, Span: b.window, Most: b.people + 1, Enough: b.enough(), Exact: b.mode == hold}
	switch {
	case b.mode == off || e.Before == nil:
		return nil
	case e.Type.Membership() != nil:
		t.members(e)
	case e.Type.Name != People:
		return nil
	case e.After == nil:
		t.Cause, t.Lost = Deleted, []int64{e.PK}
	default:
		t.Cause = Deactivated
		switch was, is := activity(e.Before), activity(e.After); {
		case is < was:
			t.Lost = []int64{e.PK}
		case is > was:
			t.Back = []int64{e.PK}
		}
	}
	if len(t.Lost)+len(t.Under)+len(t.Back) == 0 {
		return nil
	}
	c, err := tx.Tally(ctx, t)
	if err != nil || len(t.Lost)+len(t.Under) == 0 {
		return err
	}
	limit := b.limit(c.Settled)
	if c.New == 0 || c.People <= limit || c.Approval.Covers(c.Now, c.People, limit) {
		return nil
	}
	return w.tooMany(e, c, limit)
}

// members says whom a write takes from a group, or all who are in it.
func (t *Tally) members(e Effect) {
	if e.After == nil {
		t.Under = []int64{e.PK}
		return
	}
	for _, m := range e.Removed {
		switch {
		case m.Holds:
			t.Under = append(t.Under, m.PK)
		case m.Type == People:
			t.Lost = append(t.Lost, m.PK)
		}
	}
	for _, m := range e.Added {
		if m.Type == People {
			t.Back = append(t.Back, m.PK)
		}
	}
}

// tooMany is what comes of a write that an approval, if there is one, lets pass no
// more than the limit does.
func (w *Watch) tooMany(e Effect, c Count, limit int) error {
	b := w.rules.breaker
	counted, bound := b.people, fmt.Sprintf("the limit is %d", limit)
	if more := c.Approval.People; c.Now.Before(c.Approval.Until) {
		counted, limit = counted+more, limit+more
		bound = fmt.Sprintf("the limit is %d, %d of which are approved until %s", limit, more, c.Approval.Until.UTC().Format(time.RFC3339))
	}
	many := fmt.Sprint(c.People)
	if c.People > counted {
		many = "more than " + fmt.Sprint(counted)
	}
	event := Event{Kind: Over, Tenant: w.rules.tenant, People: c.People, Limit: limit,
		Detail: fmt.Sprintf("with %s, %s people were deactivated, deleted or removed from groups within %s; %s", e.Name, many, tenant.Age(b.window), bound)}
	if b.mode == warn {
		w.over = &event
		return nil
	}
	event.Kind = Held
	event.Detail = fmt.Sprintf("held: with this change %s people would have been deactivated, deleted or removed from groups within %s, and %s. "+
		"Nothing was changed. An operator lets it pass with: rollcall breaker approve --tenant %s; "+
		"without that it can be sent again, and is accepted once so many fewer were changed in that time",
		many, tenant.Age(b.window), bound, w.rules.tenant)
	return heldError(event, min(mostRetry, max(time.Second, c.Oldest.Add(b.window).Sub(c.Now))), e.Name, c.State)
}
