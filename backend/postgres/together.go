package postgres

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

// A convoy takes creates of one type in one tenant that come at the same time
// to the database in one statement and one commit, since most of what a create
// costs there is paid by the statement. Nobody waits for company: a create leaves
// at once if fewer statements than there are lanes are under way, and else with
// all others that have come when one of these is done. Each is stored or refused
// by itself.
//
// A create may have to wait for another transaction, which claims the same. Then
// it goes by itself, beside the lanes, so that the others need not wait with it.
type convoy struct {
	mu      sync.Mutex
	waiting []*rider
	lanes   int // how many statements may be under way, besides as many that are held up
	busy    int // how many are under way, of both
	held    int // how many of these are held up
}

// mostTogether and mostTogetherBytes bound what one statement creates.
const (
	mostTogether      = 64
	mostTogetherBytes = 1 << 20
)

// A group waits for a lock this long, each of it by itself then very briefly, and
// those that are held up as long as anybody.
const (
	heldUpAfter  = 200 * time.Millisecond
	waitTogether = `SET LOCAL lock_timeout = '200ms'`
	waitBriefly  = `SET LOCAL lock_timeout = '20ms'`
	waitAsUsual  = ""
)

// rider is a create with its caller.
type rider struct {
	c    *creation
	ctx  context.Context
	lead chan struct{} // receives when the caller is to take all that wait to the database
	late chan struct{} // closed when its caller has waited long enough
	done chan struct{} // closed when c is stored, or err says why not
	err  error
	over bool // done is closed
	held bool // it is held up: it goes by itself
}

type convoyKey struct {
	tenant, typ string
	pk          int32 // as in Store: a tenant and another one that has its name later do not travel together
}

func (s *Store) convoy(typ string) *convoy {
	key := convoyKey{s.tenant, typ, s.pk}
	if v, ok := s.db.convoys.Load(key); ok {
		return v.(*convoy)
	}
	v, _ := s.db.convoys.LoadOrStore(key, &convoy{lanes: max(2, s.db.o.MaxConns/8)})
	return v.(*convoy)
}

// together stores a resource without members, along with others.
func (s *Store) together(ctx context.Context, c *creation) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	v := s.convoy(c.row.typ)
	r := &rider{c: c, ctx: ctx, lead: make(chan struct{}, 1), late: make(chan struct{}), done: make(chan struct{})}
	v.mu.Lock()
	v.waiting = append(v.waiting, r)
	v.next()
	v.mu.Unlock()
	for left := ctx.Done(); ; {
		select {
		case <-r.lead:
			go v.drive(s, r) // which may last longer than its caller stays
		case <-r.done:
			return r.err
		case <-left:
			if v.leave(r) {
				return ctx.Err()
			}
			left = nil // it is on its way, and may be stored
			end := time.AfterFunc(grace, func() { close(r.late) })
			defer end.Stop()
		case <-r.late:
			return ctx.Err()
		}
	}
}

// next lets the first that waits lead, if a lane is free, and one that is held up
// go beside the lanes.
func (v *convoy) next() {
	if v.busy-min(v.held, v.lanes) < v.lanes {
		v.send(false)
	}
	if v.held < v.lanes && v.send(true) {
		v.held++
	}
}

// send lets the first of those lead that are, or are not, held up, and reports
// whether there is one.
func (v *convoy) send(held bool) bool {
	i := slices.IndexFunc(v.waiting, func(r *rider) bool { return r.held == held })
	if i < 0 {
		return false
	}
	first := v.waiting[i]
	v.waiting = slices.Delete(v.waiting, i, i+1)
	v.busy++
	first.lead <- struct{}{}
	return true
}

// leave takes r out of those that wait, and reports whether it was among them.
func (v *convoy) leave(r *rider) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, other := range v.waiting {
		if other == r {
			v.waiting = append(v.waiting[:i:i], v.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// drive takes r, and those that wait and want nothing that another one wants,
// to the database.
func (v *convoy) drive(s *Store, r *rider) {
	group := v.board(r)
	defer v.depart(r, len(group) == 1)()
	defer func() {
		if p := recover(); p != nil {
			s.db.o.Logger.Error("postgres: a bug: creating resources panicked", "panic", p, "stack", string(debug.Stack()))
			for _, r := range group {
				r.end(fmt.Errorf("postgres: creating the resource panicked: %v", p))
			}
		}
	}()
	if len(group) == 1 {
		r.end(s.insertTogether(group, waitAsUsual))
		return
	}
	err := s.insertTogether(group, waitTogether)
	if !ofOne(err) {
		for _, r := range group {
			r.end(err)
		}
		return
	}
	// What one of them made fail must not fail the others.
	for ; len(group) > 0; group = group[1:] {
		r := group[0]
		if err := s.insertTogether(group[:1], waitBriefly); waited(err) {
			v.holdUp(r)
		} else {
			r.end(err)
		}
	}
}

// board returns r and those that go with it.
func (v *convoy) board(r *rider) []*rider {
	v.mu.Lock()
	defer v.mu.Unlock()
	group, size := []*rider{r}, len(r.c.row.r.Text)
	if r.held {
		return group
	}
	wanted := map[[2]string]bool{}
	r.c.wants(wanted)
	var stay []*rider
	for _, other := range v.waiting {
		if size += len(other.c.row.r.Text); !other.held && len(group) < mostTogether && size <= mostTogetherBytes && other.c.wants(wanted) {
			group = append(group, other)
		} else {
			stay = append(stay, other)
		}
	}
	v.waiting = stay
	return group
}

// depart returns what frees the lane of r. If r goes by itself and is not back
// soon, it frees the lane before.
func (v *convoy) depart(r *rider, single bool) (back func()) {
	held, over := r.held, false
	var late *time.Timer
	if single && !held {
		late = time.AfterFunc(heldUpAfter, func() {
			v.mu.Lock()
			defer v.mu.Unlock()
			if !over {
				held = true
				v.held++
				v.next()
			}
		})
	}
	return func() {
		if late != nil {
			late.Stop()
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		over = true
		v.busy--
		if held {
			v.held--
		}
		v.next()
	}
}

// holdUp puts r, which went with others, back among those that wait.
func (v *convoy) holdUp(r *rider) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := r.ctx.Err(); err != nil { // it may have tried to leave, and would not again
		r.end(err)
		return
	}
	r.held = true
	v.waiting = append(v.waiting, r)
	v.next()
}

// ofOne reports whether an error may be due to a single one of a group.
func ofOne(err error) bool {
	c := code(err)
	return collided(err) || waited(err) || strings.HasPrefix(c, "22") || strings.HasPrefix(c, "54")
}

// waited reports whether a statement was given up because it took too long.
func waited(err error) bool {
	c := code(err)
	return c == "55P03" || c == "57014"
}

func (r *rider) end(err error) {
	if r.over {
		return
	}
	if r.err = err; err == nil {
		r.err = r.c.refused
	}
	r.over = true
	close(r.done)
}

// wants adds what c claims to all, and reports true, unless it is wanted already.
func (c *creation) wants(all map[[2]string]bool) bool {
	if all[[2]string{"", c.row.r.ID}] {
		return false
	}
	for _, l := range c.claims {
		if all[[2]string{l.path, l.text}] {
			return false
		}
	}
	all[[2]string{"", c.row.r.ID}] = true
	for _, l := range c.claims {
		all[[2]string{l.path, l.text}] = true
	}
	return true
}

// insertTogether stores what a group brings in one transaction, which is given up
// only when all callers have left. wait, if any, bounds its wait for locks.
func (s *Store) insertTogether(group []*rider, wait string) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(group[0].ctx))
	defer cancel()
	trace := scim.TraceOf(ctx)
	if len(group) > 1 {
		trace = nil
		if slices.ContainsFunc(group, func(r *rider) bool { return scim.TraceOf(r.ctx) != nil }) {
			trace = &scim.Trace{}
		}
		ctx = scim.WithTrace(ctx, trace)
	}
	var staying atomic.Int64
	staying.Store(int64(len(group)))
	for _, r := range group {
		defer context.AfterFunc(r.ctx, func() {
			if staying.Add(-1) == 0 {
				cancel()
			}
		})()
	}
	list := make([]*creation, len(group))
	alone := true // no references must be looked up
	for i, r := range group {
		list[i] = r.c
		alone = alone && len(r.c.links) == 0
	}
	err := s.write(ctx, func(t *session) error {
		if wait != waitAsUsual {
			t.later(wait)
		}
		t.queueInsert(list, t.slot)
		if alone {
			t.finish()
		}
		if err := t.flush(ctx); err != nil {
			return err
		}
		var rows []*entry
		for _, c := range list {
			if c.refused == nil {
				rows = append(rows, c.row)
			}
		}
		t.complete(ctx, rows, list[0].row.r.Type, scim.Selection{}, fresh)
		return nil
	})
	if err == nil {
		s.db.grew(int64(len(group)))
	}
	if len(group) == 1 {
		return err
	}
	for _, step := range trace.Steps() {
		if step.Text == "COMMIT" {
			step.Text = fmt.Sprintf("COMMIT (shared with %d creates)", len(group)-1)
		}
		step.Start = 0
		for _, r := range group {
			scim.TraceOf(r.ctx).Add(step)
		}
	}
	return err
}
