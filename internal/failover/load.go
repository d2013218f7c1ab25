package failover

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Load writes through several instances at once until it is told to stop.
// People it makes have names that begin with its own.
type Load struct {
	Name      string
	Token     string
	Instances []string      // base URLs, without /scim/v2
	Joiners   int           // clients that create people and put them into groups; 0: 6
	Rivals    int           // clients that update the same few people, if they are as they were read; 0: 4
	Pause     time.Duration // of each client between two requests; 0: 10 ms
	Limit     time.Duration // an answer that takes longer is an offence; 0: 30 s

	Ledger  *Ledger
	History *History
	Record  *Record

	call   *caller
	groups []string
	stop   chan struct{}
	once   sync.Once
	wg     sync.WaitGroup
	marks  atomic.Int64
	turn   atomic.Int64
	slots  []slot
}

// slot holds the user that rivals contend for at the moment.
type slot struct {
	mu       sync.Mutex
	id, name string
}

// Start makes the groups, for which the instances must be well, and then lets
// the clients write.
func (l *Load) Start(ctx context.Context) error {
	if l.Joiners == 0 {
		l.Joiners = 6
	}
	if l.Rivals == 0 {
		l.Rivals = 4
	}
	if l.Pause == 0 {
		l.Pause = 10 * time.Millisecond
	}
	if l.Limit == 0 {
		l.Limit = 30 * time.Second
	}
	l.Ledger, l.History, l.Record = NewLedger(), NewHistory(), NewRecord(l.Instances...)
	l.call = newCaller(l.Token, l.Limit, l.Record)
	l.stop, l.slots = make(chan struct{}), make([]slot, 6)
	for i := range 3 {
		name := fmt.Sprintf("%s group %d", l.Name, i)
		a := l.call.do(ctx, "POST", l.Instances[0], "/Groups", map[string]any{
			"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": name}, "")
		if a.Outcome != Applied {
			return fmt.Errorf("POST of a group: %d %s %w", a.Status, a.Body, a.Err)
		}
		id := read(a).ID
		l.groups = append(l.groups, id)
		l.Ledger.grouped(id, name)
	}
	for i := range l.Joiners {
		l.wg.Go(func() { l.join(ctx, i) })
	}
	for i := range l.Rivals {
		l.wg.Go(func() { l.contend(ctx, i) })
	}
	l.wg.Go(func() { l.beat(ctx) })
	return nil
}

// Stop lets no client begin another request, waits for the answers to those
// under way, and closes the record. It may be called again.
func (l *Load) Stop() {
	l.once.Do(func() {
		l.Record.Close()
		close(l.stop)
		l.wg.Wait()
		l.call.client.CloseIdleConnections()
	})
}

func (l *Load) stopping() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// wait pauses between two requests, longer after one that failed, so that an
// outage does not become a flood.
func (l *Load) wait(o Outcome) {
	d := l.Pause
	if o == Unknown || o == 0 {
		d = 50 * time.Millisecond
	}
	select {
	case <-l.stop:
	case <-time.After(d):
	}
}

// instance is the one whose turn it is.
func (l *Load) instance() string {
	return l.Instances[int(l.turn.Add(1))%len(l.Instances)]
}

// mark is a text that no other request writes.
func (l *Load) mark() string { return fmt.Sprintf("%s mark %d", l.Name, l.marks.Add(1)) }

// resource is what the load reads of an answer.
type resource struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
	Meta        struct {
		Version string `json:"version"`
	} `json:"meta"`
	TotalResults int        `json:"totalResults"`
	Resources    []resource `json:"Resources"`
}

func read(a Answer) resource {
	var r resource
	_ = json.Unmarshal(a.Body, &r) // an answer that is no resource has no id, which shows
	return r
}

// document is that of a new user: mark is in three attributes, so that one
// that was written by halves shows.
func document(name, mark string) map[string]any {
	return map[string]any{
		"schemas":  []string{"urn:ietf:params:scim:schemas:core:2.0:User"},
		"userName": name, "externalId": "x-" + name, "active": true,
		"displayName": mark, "nickName": mark, "title": mark,
		"emails": []any{map[string]any{"value": name + "@example.com", "type": "work", "primary": true}},
	}
}

// patch is the body of a PATCH.
func patch(operations ...any) map[string]any {
	return map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": operations}
}

// remark replaces the three attributes that hold the mark by three operations.
func remark(mark string) map[string]any {
	var ops []any
	for _, path := range []string{"displayName", "nickName", "title"} {
		ops = append(ops, map[string]any{"op": "replace", "path": path, "value": mark})
	}
	return patch(ops...)
}

// create makes a user, as an identity provider does: after an answer that says
// nothing it asks again, until it knows. It returns "" if it stopped before.
func (l *Load) create(ctx context.Context, name string) (id string) {
	mark := l.mark()
	for doubt := false; !l.stopping(); {
		a := l.call.do(ctx, "POST", l.instance(), "/Users", document(name, mark), "")
		switch {
		case a.Outcome == Applied:
			id = read(a).ID
			l.Ledger.created(name, mark, id, Applied)
			return id
		case a.Status == http.StatusConflict && doubt:
			if id = l.find(ctx, name); id != "" {
				l.Ledger.found(name, mark, id)
			}
			return id
		case a.Outcome == Unknown:
			doubt = true
			l.Ledger.created(name, mark, "", Unknown)
		case a.Status != 0:
			l.Record.blame("POST of %s: %d %s", name, a.Status, a.Body)
			return ""
		}
		l.wait(Unknown)
	}
	return ""
}

// find looks a user up by name, until there is an answer.
func (l *Load) find(ctx context.Context, name string) string {
	for !l.stopping() {
		a := l.call.do(ctx, "GET", l.instance(), "/Users?filter=userName+eq+%22"+name+"%22", nil, "")
		if a.Status == http.StatusOK {
			list := read(a)
			if list.TotalResults != 1 || len(list.Resources) != 1 {
				l.Record.blame("%s is refused as a double, and looked up there are %d of it", name, list.TotalResults)
				return ""
			}
			return list.Resources[0].ID
		}
		l.wait(Unknown)
	}
	return ""
}

// seen reads what was just acknowledged from another instance: both are one.
func (l *Load) seen(ctx context.Context, id, mark string) {
	a := l.call.do(ctx, "GET", l.instance(), "/Users/"+id, nil, "")
	switch {
	case a.Status == http.StatusNotFound:
		l.Record.blame("user %s was acknowledged, and 404 after that", id)
	case a.Status == http.StatusOK && read(a).DisplayName != mark:
		l.Record.blame("user %s was acknowledged with %q, and reads %q after that", id, mark, read(a).DisplayName)
	}
}

// join creates people three at a time, adds them to a group in one request,
// and now and then updates, removes or deletes one.
func (l *Load) join(ctx context.Context, client int) {
	for i := 0; !l.stopping(); i++ {
		var names, ids []string
		for k := range 3 {
			name := fmt.Sprintf("%s-%d-%d-%d", l.Name, client, i, k)
			id := l.create(ctx, name)
			if id == "" {
				continue
			}
			names, ids = append(names, name), append(ids, id)
			l.wait(Applied)
		}
		group := l.groups[rand.IntN(len(l.groups))] //nolint:gosec // which one is no secret
		if len(ids) == 0 || !l.enter(ctx, group, names, ids) {
			continue
		}
		switch i % 4 {
		case 0: // the first is removed from the group
			l.until(func() Outcome {
				a := l.call.do(ctx, "PATCH", l.instance(), "/Groups/"+group, patch(map[string]any{"op": "remove", "path": `members[value eq "` + ids[0] + `"]`}), "")
				l.Ledger.belongs(group, false, a.Outcome, names[0])
				return l.expect(a, "PATCH that removes "+names[0])
			})
		case 1: // the first is deleted
			doubt := false
			l.until(func() Outcome {
				a := l.call.do(ctx, "DELETE", l.instance(), "/Users/"+ids[0], nil, "")
				if a.Status == http.StatusNotFound && doubt {
					a.Outcome, a.Status = Applied, http.StatusNoContent
				}
				doubt = doubt || a.Outcome == Unknown
				l.Ledger.deleted(names[0], a.Outcome)
				return l.expect(a, "DELETE of "+names[0])
			})
		default: // the last is updated
			last, doubt := len(ids)-1, false
			l.until(func() Outcome {
				mark := l.mark()
				a := l.call.do(ctx, "PATCH", l.instance(), "/Users/"+ids[last], remark(mark), "")
				l.Ledger.updated(names[last], mark, a.Outcome)
				doubt = doubt || a.Outcome == Unknown
				if a.Outcome == Applied && !doubt { // else one in doubt may have come after it
					l.seen(ctx, ids[last], mark)
				}
				return l.expect(a, "PATCH of "+names[last])
			})
		}
	}
}

// enter adds people to a group in one request and reports whether it knows
// that they are in it. Half of the requests in doubt it leaves there, so that
// it shows afterwards whether any was carried out by halves.
func (l *Load) enter(ctx context.Context, group string, names, ids []string) bool {
	var members []any
	for _, id := range ids {
		members = append(members, map[string]any{"value": id})
	}
	entered := false
	l.until(func() Outcome {
		a := l.call.do(ctx, "PATCH", l.instance(), "/Groups/"+group, patch(map[string]any{"op": "add", "path": "members", "value": members}), "")
		l.Ledger.belongs(group, true, a.Outcome, names...)
		entered = a.Outcome == Applied
		if a.Outcome == Unknown && (l.stopping() || rand.IntN(2) == 0) { //nolint:gosec // as above
			l.Ledger.left(group, names...)
			return Applied
		}
		return l.expect(a, "PATCH that adds members")
	})
	return entered
}

// until repeats what try does until its outcome is known.
func (l *Load) until(try func() Outcome) {
	for !l.stopping() {
		o := try()
		l.wait(o)
		if o == Applied {
			return
		}
	}
}

// expect blames a refusal that nothing explains, and takes it for an answer.
func (l *Load) expect(a Answer, what string) Outcome {
	if a.Outcome == Refused && a.Status != 0 {
		l.Record.blame("%s: %d %s", what, a.Status, a.Body)
		return Applied
	}
	if a.Outcome == Refused {
		return Unknown
	}
	return a.Outcome
}

// beat begins a write at each instance ten times a second, whatever became of
// those before: a client that waits for an answer does not notice how long
// others could have written. Each fifth has the same name at all of them, of
// which one may win. A write in doubt is left there.
func (l *Load) beat(ctx context.Context) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	under := make(chan struct{}, 64*len(l.Instances))
	for i := 0; ; i++ {
		select {
		case <-l.stop:
			return
		case <-tick.C:
		}
		for n, base := range l.Instances {
			name := fmt.Sprintf("%s-beat-%d-%d", l.Name, i, n)
			if i%5 == 0 {
				name = fmt.Sprintf("%s-beat-%d", l.Name, i)
			}
			select {
			case under <- struct{}{}:
			default:
				continue
			}
			l.wg.Go(func() {
				defer func() { <-under }()
				mark := l.mark()
				a := l.call.do(ctx, "POST", base, "/Users", document(name, mark), "")
				l.Ledger.created(name, mark, read(a).ID, a.Outcome)
				if a.Outcome == Refused && a.Status != 0 && a.Status != http.StatusConflict {
					l.Record.blame("POST of %s: %d %s", name, a.Status, a.Body)
				}
			})
		}
	}
}
