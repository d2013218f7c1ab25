package failover

import (
	"slices"
	"sync"
)

// fact is what is known of something that is true or not: the last acknowledged
// write of it, and writes in doubt. One in doubt stays so for good: what a
// server was too slow to answer it may carry out after later writes.
type fact struct {
	acked   bool
	maybe   [2]bool // whether a write in doubt would make it false, or true
	written bool
}

// saw notes a write that makes the fact v.
func (f *fact) saw(v bool, o Outcome) {
	switch o {
	case Applied:
		f.acked, f.written = v, true
	case Unknown:
		f.maybe[index(v)] = true
	}
}

// can reports whether the fact may be v.
func (f *fact) can(v bool) bool { return f.acked == v || f.maybe[index(v)] }

func index(v bool) int {
	if v {
		return 1
	}
	return 0
}

// person is a user of the ledger, by its userName.
type person struct {
	exists fact
	id     string
	mark   string          // of the last acknowledged update
	marks  map[string]bool // of updates in doubt
	groups map[string]*fact
	shared bool // several clients update it: any mark may be the last
	births int  // how often a POST of the name was acknowledged, less deletions that may have been carried out
}

// batch is a PATCH in doubt that added several members at once, of whom none
// was touched later.
type batch struct {
	group string
	names []string
}

// Ledger is what writers know of the directory: which writes were acknowledged
// and which are in doubt. Its methods may be called by many at once; each name
// has one writer at a time.
type Ledger struct {
	mu      sync.Mutex
	people  map[string]*person
	groups  map[string]string // id → displayName
	batches []batch
}

// NewLedger returns one that knows of nothing.
func NewLedger() *Ledger {
	return &Ledger{people: map[string]*person{}, groups: map[string]string{}}
}

// Len is how many people were ever written of.
func (l *Ledger) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.people)
}

// with calls fn with the person of that name, who is made if unknown.
func (l *Ledger) with(name string, fn func(*person)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.people[name]
	if p == nil {
		p = &person{marks: map[string]bool{}, groups: map[string]*fact{}}
		l.people[name] = p
	}
	fn(p)
}

// created notes the outcome of a POST of a user with this mark.
func (l *Ledger) created(name, mark, id string, o Outcome) {
	l.with(name, func(p *person) {
		p.exists.saw(true, o)
		switch o {
		case Applied:
			p.id, p.mark = id, mark
			p.births++
		case Unknown:
			p.marks[mark] = true
		}
	})
}

// found notes that the user turned out to exist, after a POST in doubt.
func (l *Ledger) found(name, mark, id string) {
	l.with(name, func(p *person) {
		p.exists.saw(true, Applied)
		p.id, p.mark = id, mark
	})
}

// deleted notes the outcome of a DELETE.
func (l *Ledger) deleted(name string, o Outcome) {
	l.with(name, func(p *person) {
		p.exists.saw(false, o)
		if o != Refused {
			p.births--
		}
	})
}

// updated notes the outcome of an update that writes mark wherever it can.
func (l *Ledger) updated(name, mark string, o Outcome) {
	l.with(name, func(p *person) {
		switch o {
		case Applied:
			p.mark = mark
		case Unknown:
			p.marks[mark] = true
		}
	})
}

// share notes that several clients update the user.
func (l *Ledger) share(name string) {
	l.with(name, func(p *person) { p.shared = true })
}

// grouped notes a group that was made.
func (l *Ledger) grouped(id, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.groups[id] = name
}

// belongs notes the outcome of adding people to a group (in) or of removing
// them from it, in one request.
func (l *Ledger) belongs(group string, in bool, o Outcome, names ...string) {
	for _, name := range names {
		l.with(name, func(p *person) {
			if p.groups[group] == nil {
				p.groups[group] = &fact{}
			}
			p.groups[group].saw(in, o)
		})
	}
}

// left notes a batch that stays in doubt.
func (l *Ledger) left(group string, names ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.batches = append(l.batches, batch{group, slices.Clone(names)})
}
