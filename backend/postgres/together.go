package postgres

import (
	"context"
	"fmt"
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
type convoy struct {
	mu      sync.Mutex
	waiting []*rider
	lanes   int // that are free
}

// mostTogether and mostTogetherBytes bound what one statement creates.
const (
	mostTogether      = 64
	mostTogetherBytes = 1 << 20
)

// rider is a create with its caller.
type rider struct {
	c    *creation
	ctx  context.Context
	lead chan struct{} // receives when the caller is to take all that wait to the database
	late chan struct{} // closed when its caller has waited long enough
	done chan struct{} // closed when c is stored, or err says why not
	err  error
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

// next lets the first that waits lead, if a lane is free.
func (v *convoy) next() {
	if v.lanes > 0 && len(v.waiting) > 0 {
		v.lanes--
		first := v.waiting[0]
		v.waiting = v.waiting[1:]
		first.lead <- struct{}{}
	}
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
	v.mu.Lock()
	group, size := []*rider{r}, len(r.c.row.r.Text)
	wanted := map[[2]string]bool{}
	r.c.wants(wanted)
	var stay []*rider
	for _, other := range v.waiting {
		if size += len(other.c.row.r.Text); len(group) < mostTogether && size <= mostTogetherBytes && other.c.wants(wanted) {
			group = append(group, other)
		} else {
			stay = append(stay, other)
		}
	}
	v.waiting = stay
	v.mu.Unlock()
	defer func() {
		v.mu.Lock()
		v.lanes++
		v.next()
		v.mu.Unlock()
		for _, r := range group {
			close(r.done)
		}
	}()
	err := s.insertTogether(group)
	// What one of them made fail must not fail the others.
	if c := code(err); len(group) > 1 && (strings.HasPrefix(c, "22") || strings.HasPrefix(c, "54")) {
		for _, r := range group {
			r.end(s.insertTogether([]*rider{r}))
		}
		return
	}
	for _, r := range group {
		r.end(err)
	}
}

func (r *rider) end(err error) {
	if r.err = err; err == nil {
		r.err = r.c.refused
	}
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
// only when all callers have left.
func (s *Store) insertTogether(group []*rider) error {
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
