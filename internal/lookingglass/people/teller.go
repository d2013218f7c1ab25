package people

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/scim"
)

// teller merges what the change log, the recorder and the list of searches have
// of somebody, a bounded part of each at a time.
type teller struct {
	d     *Desk
	ctx   context.Context
	who   *Person
	asked string
	names []string          // of the person: searches are looked up by them
	ids   []string          // of the person, and of the groups that they are in
	known map[string]string // names of groups and people, by id

	at position
	n  int // how much is read at once

	records     []scim.Record
	noRecords   bool // there are no more
	exchanges   []*lookingglass.Exchange
	noExchanges bool
	sought      []lookingglass.Sought

	by       map[string]*lookingglass.Exchange // by request id
	recorded map[string]bool                   // request ids that were seen in the change log
}

// teller returns one for whom a verdict is about.
func (d *Desk) teller(ctx context.Context, v *Verdict, alone bool) (*teller, error) {
	t := &teller{d: d, ctx: ctx, who: v.Person, asked: clean(v.Asked), known: map[string]string{},
		by: map[string]*lookingglass.Exchange{}, recorded: map[string]bool{}}
	if t.who == nil {
		t.who = &Person{Type: "User", Name: t.asked}
	}
	if t.who.ID != "" {
		t.ids = append(t.ids, t.who.ID)
	}
	for i, g := range t.who.Groups {
		t.known[g.ID] = g.Name
		if !alone && i < mostGroups {
			t.ids = append(t.ids, g.ID)
		}
	}
	t.noRecords = d.s.Changes == nil || t.who.ID == ""
	t.noExchanges = d.s.Log == nil
	return t, t.readNames()
}

// readNames finds what the person is called, and was.
func (t *teller) readNames() error {
	add := func(all ...string) {
		for _, name := range all {
			if name = clean(name); name != "" && len(t.names) < mostNames && !slices.ContainsFunc(t.names, func(s string) bool { return foldName(s) == foldName(name) }) {
				t.names = append(t.names, name)
			}
		}
	}
	if t.who.Type != "User" {
		return nil
	}
	if t.who.ID == "" || t.asked != t.who.ID {
		add(t.asked)
	}
	add(t.who.Name, t.who.ExternalID)
	add(t.who.Emails...)
	if t.noRecords {
		return nil
	}
	return t.d.eachRecord(t.ctx, scim.ChangeQuery{ID: t.who.ID}, func(r scim.Record) {
		for _, c := range r.Changes {
			if (c.Path == byName || c.Path == byExt) && len(c.Added) > 0 {
				name, _ := c.Added[0].(string)
				add(name)
			}
		}
	})
}

// called returns the names that a creation may give whom this is about.
func (t *teller) called() []string {
	if t.who.Type == "Group" {
		return some(t.who.Name)
	}
	return t.names
}

// record returns the next entry of the change log, or nil.
func (t *teller) record() (*scim.Record, error) {
	if len(t.records) > 0 || t.noRecords {
		return first(t.records), nil
	}
	seen := map[int64]bool{}
	t.noRecords = true
	for i, id := range t.ids {
		q := scim.ChangeQuery{After: t.at.change, ID: id, Limit: t.n}
		if i == 0 { // groups can be members, too
			q.ID, q.Person = "", id
		}
		list, err := t.d.s.Changes.Changes(t.ctx, q)
		if err != nil {
			return nil, err
		}
		t.noRecords = t.noRecords && len(list) < t.n
		for _, r := range list {
			if !seen[r.Seq] {
				seen[r.Seq] = true
				t.records = append(t.records, r)
			}
		}
	}
	slices.SortFunc(t.records, func(a, b scim.Record) int { return cmp.Compare(a.Seq, b.Seq) })
	if !t.noRecords && len(t.records) > t.n { // beyond, not each source was read
		t.records = t.records[:t.n]
	}
	for _, r := range t.records {
		if r.RequestID != "" {
			t.recorded[r.RequestID] = true
		}
	}
	return first(t.records), nil
}

// exchange returns the next exchange, or nil.
func (t *teller) exchange() (*lookingglass.Exchange, error) {
	if len(t.exchanges) > 0 || t.noExchanges {
		return firstOf(t.exchanges), nil
	}
	beginning := len(t.by) == 0
	all, horizon := map[int64]*lookingglass.Exchange{}, int64(0)
	read := func(q lookingglass.Query, keep func(*lookingglass.Exchange) bool) error {
		q.After, q.Oldest, q.Limit = t.at.exchange, true, t.n
		list, err := t.d.s.Log.Find(t.ctx, q)
		if len(list) == q.Limit && err == nil {
			if last := list[len(list)-1].Seq; horizon == 0 || last < horizon {
				horizon = last
			}
		}
		for _, x := range list {
			if keep(x) {
				all[x.Seq] = x
			}
		}
		return err
	}
	if len(t.ids) > 0 {
		if err := read(lookingglass.Query{Touching: t.ids}, func(*lookingglass.Exchange) bool { return true }); err != nil {
			return nil, err
		}
	} else if err := t.readClues(all); err != nil {
		return nil, err
	}
	for _, name := range t.names {
		err := read(lookingglass.Query{Op: "list", Text: name}, func(x *lookingglass.Exchange) bool {
			return x.Lookup != nil && x.Lookup.Found == 0 && foldName(x.Lookup.Value) == foldName(name)
		})
		if err != nil {
			return nil, err
		}
	}
	for _, name := range t.called() { // a creation that is refused touches nobody
		err := read(lookingglass.Query{Op: "create", Type: t.who.Type, Status: "error", Text: name}, func(x *lookingglass.Exchange) bool {
			return len(t.ids) > 0 && slices.ContainsFunc(sayings(x), func(s saying) bool {
				return slices.ContainsFunc(s.by, func(c called) bool { return c.name == foldName(name) })
			})
		})
		if err != nil {
			return nil, err
		}
	}
	for _, x := range all {
		if horizon == 0 || x.Seq <= horizon {
			t.exchanges = append(t.exchanges, x)
			t.by[x.ID] = x
		}
	}
	slices.SortFunc(t.exchanges, func(a, b *lookingglass.Exchange) int { return cmp.Compare(a.Seq, b.Seq) })
	if t.noExchanges = horizon == 0; !t.noExchanges && len(t.exchanges) == 0 { // none of these is of interest
		t.at.exchange = horizon
		return t.exchange()
	}
	if beginning && t.at.exchange > 0 && len(t.ids) > 0 { // those whose changes come only now
		list, err := t.d.s.Log.Find(t.ctx, lookingglass.Query{Touching: t.ids, Before: t.at.exchange + 1, Limit: 20})
		if err != nil {
			return nil, err
		}
		for _, x := range list {
			t.by[x.ID] = x
		}
	}
	return firstOf(t.exchanges), nil
}

// readClues reads what was refused about somebody who never was there.
func (t *teller) readClues(all map[int64]*lookingglass.Exchange) error {
	clues, err := t.d.clues(t.ctx, t.asked)
	for _, c := range clues {
		if ok, err := t.d.kept(t.ctx, c.seq); err != nil {
			return err
		} else if ok && c.seq > t.at.exchange {
			op := c.op
			if op == lookFor {
				op = "list"
			}
			all[c.seq] = &lookingglass.Exchange{Seq: c.seq, Time: c.time, Op: op, Type: c.typ, Status: c.status, Target: c.target, Name: t.asked,
				Actor: c.actor, Client: lookingglass.Client{Kind: c.kind}, Fault: &lookingglass.Fault{Detail: c.detail}}
		}
	}
	return err
}

// readSought reads the searches that found nobody and of which the recorder has
// no exchange any more.
func (t *teller) readSought() error {
	if t.d.s.Log == nil {
		return nil
	}
	for _, name := range t.names {
		list, err := t.d.s.Log.Sought(t.ctx, name)
		if err != nil {
			return err
		}
		for _, s := range list {
			if s.Found > 0 || s.Last.UnixMicro() <= t.at.time {
				continue
			}
			late, err := t.d.s.Log.Find(t.ctx, lookingglass.Query{Op: "list", Text: s.Value, Limit: 20})
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(late, func(x *lookingglass.Exchange) bool { return !x.Time.Before(s.Last) }) {
				t.sought = append(t.sought, s)
			}
		}
	}
	slices.SortStableFunc(t.sought, func(a, b lookingglass.Sought) int { return a.Last.Compare(b.Last) })
	return nil
}

// next takes the oldest event, and moves the position past it.
func (t *teller) next() (e Event, ok bool, err error) {
	for !ok {
		x, err := t.exchange() // first: it tells when changes were asked for
		if err != nil {
			return e, false, err
		}
		r, err := t.record()
		if err != nil {
			return e, false, err
		}
		s := first(t.sought)
		switch {
		case x == nil && r == nil && s == nil:
			return e, false, nil
		case s != nil && before(s.Last, t.timeOf(r)) && before(s.Last, exchangeTime(x)):
			e, ok, t.sought = t.ofSought(*s), true, t.sought[1:]
		case r != nil && (x == nil || t.precedes(r, x)):
			t.at.change = r.Seq
			e, ok = t.ofRecord(*r), true
			t.records = t.records[1:]
		default:
			t.at.exchange = x.Seq
			e, ok = t.ofExchange(x)
			t.exchanges = t.exchanges[1:]
		}
		t.at.time = max(t.at.time, e.Time.UnixMicro())
	}
	e.Times = max(e.Times, 1)
	return e, true, nil
}

// timeOf returns when a change was asked for, or else the end of the millisecond
// in which it was made, which comes after that.
func (t *teller) timeOf(r *scim.Record) time.Time {
	if r == nil {
		return time.Time{}
	}
	if x := t.by[r.RequestID]; x != nil && r.RequestID != "" {
		return x.Time
	}
	return r.Time.Add(time.Millisecond)
}

// precedes reports whether a change was asked for before an exchange: by their
// numbers, since the times of exchanges are of several machines.
func (t *teller) precedes(r *scim.Record, x *lookingglass.Exchange) bool {
	if own := t.by[r.RequestID]; own != nil && r.RequestID != "" {
		return own.Seq < x.Seq
	}
	return t.timeOf(r).Before(x.Time)
}

func exchangeTime(x *lookingglass.Exchange) time.Time {
	if x == nil {
		return time.Time{}
	}
	return x.Time
}

// before reports whether a comes before b or with it; the zero time is never.
func before(a, b time.Time) bool { return b.IsZero() || !a.After(b) }

func first[T any](list []T) *T {
	if len(list) == 0 {
		return nil
	}
	return &list[0]
}

func firstOf(list []*lookingglass.Exchange) *lookingglass.Exchange {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}
