package failover

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
)

// contend reads one of a few users and updates it if it is still as it was
// read, over and over. Now and then it deletes one, and makes another.
func (l *Load) contend(ctx context.Context, client int) {
	for i := 0; !l.stopping(); i++ {
		s := &l.slots[rand.IntN(len(l.slots))] //nolint:gosec // which one is no secret
		id, name := l.fill(ctx, client, s, fmt.Sprintf("%s-rival-%d-%d", l.Name, client, i))
		if id == "" {
			l.wait(Unknown)
			continue
		}
		called := l.History.now()
		a := l.call.do(ctx, "GET", l.instance(), "/Users/"+id, nil, "")
		mark := read(a).DisplayName
		l.History.add(client, id, called, step{kind: "read"}, result{a.Outcome, a.Status, a.Version, mark})
		if a.Status == http.StatusNotFound {
			s.leave(id)
		}
		if a.Outcome != Applied {
			l.wait(a.Outcome)
			continue
		}
		if i%40 == 39 {
			l.remove(ctx, client, s, id, name, a.Version, mark)
			continue
		}
		now := step{"update", a.Version, mark, l.mark()}
		called = l.History.now()
		a = l.call.do(ctx, "PATCH", l.instance(), "/Users/"+id, remark(now.mark), now.version)
		l.History.add(client, id, called, now, result{a.Outcome, a.Status, a.Version, now.mark})
		l.judge(a, "PATCH of "+id)
		l.wait(a.Outcome)
	}
}

// remove deletes the user if it is as it was read.
func (l *Load) remove(ctx context.Context, client int, s *slot, id, name, version, mark string) {
	called := l.History.now()
	a := l.call.do(ctx, "DELETE", l.instance(), "/Users/"+id, nil, version)
	l.Ledger.deleted(name, a.Outcome)
	l.History.add(client, id, called, step{"delete", version, mark, ""}, result{a.Outcome, a.Status, "", ""})
	l.judge(a, "DELETE of "+id)
	if a.Outcome == Applied {
		s.leave(id)
	}
	l.wait(a.Outcome)
}

// judge blames answers that a write with If-Match can't have.
func (l *Load) judge(a Answer, what string) {
	if a.Outcome == Refused && a.Status != 0 && a.Status != http.StatusPreconditionFailed && a.Status != http.StatusNotFound {
		l.Record.blame("%s: %d %s", what, a.Status, a.Body)
	}
}

// fill returns the id and name of the user of a slot. If there is none it makes
// one, of that name.
func (l *Load) fill(ctx context.Context, client int, s *slot, name string) (string, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id != "" {
		return s.id, s.name
	}
	mark, called := l.mark(), l.History.now()
	a := l.call.do(ctx, "POST", l.instance(), "/Users", document(name, mark), "")
	l.Ledger.created(name, mark, read(a).ID, a.Outcome)
	l.Ledger.share(name)
	if a.Outcome == Applied {
		s.id, s.name = read(a).ID, name
		l.History.add(client, s.id, called, step{kind: "create", mark: mark}, result{Applied, a.Status, a.Version, mark})
	}
	return s.id, s.name
}

// leave empties the slot if id is still in it.
func (s *slot) leave(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id == id {
		s.id = ""
	}
}
