package people

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// evidence is what the recorder saw of people by the names that clients gave
// them: writes that failed, and deletions, but for previews. It grows with what the recorder
// keeps, not with the directory, and is read on from where it was.
type evidence struct {
	last   int64          // Seq up to which exchanges were looked at
	later  map[int64]bool // Seq of those beyond that were too: more may come between them
	oldest time.Time
	by     map[string][]clue // folded names and addresses
}

// clue is one such exchange.
type clue struct {
	seq     int64
	time    time.Time
	client  string
	kind    string
	actor   string
	op      string
	target  string
	status  int
	detail  string
	section string
	advice  []lookingglass.Advice
}

// mostClues bounds what is kept of one name: the latest.
const mostClues = 10

// evidencePage is how many exchanges are read at once.
const evidencePage = 200

// clues returns what is known of a name, the oldest first.
func (d *Desk) clues(ctx context.Context, name string) ([]clue, error) {
	if d.s.Log == nil {
		return nil, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.gather(ctx); err != nil {
		return nil, err
	}
	oldest := d.since()
	return slices.DeleteFunc(slices.Clone(d.evidence.by[foldName(name)]), func(c clue) bool { return c.time.Before(oldest) }), nil
}

// gather reads what came since it was called last.
func (d *Desk) gather(ctx context.Context) error {
	e := &d.evidence
	if e.by == nil {
		e.by, e.later = map[string][]clue{}, map[int64]bool{}
	}
	var fresh []*lookingglass.Exchange
	last := e.last
	for _, q := range []lookingglass.Query{{Status: "error"}, {Op: "delete", Status: "2xx"}} {
		q.After, q.Oldest, q.Limit = e.last, true, evidencePage
		for {
			list, err := d.s.Log.Find(ctx, q)
			if err != nil {
				return err
			}
			fresh = append(fresh, list...)
			if len(list) > 0 {
				q.After = list[len(list)-1].Seq
				last = max(last, q.After)
			}
			if len(list) < evidencePage {
				break
			}
		}
	}
	settled := d.s.Log.Settled()
	fresh = slices.DeleteFunc(fresh, func(x *lookingglass.Exchange) bool { return e.later[x.Seq] })
	slices.SortFunc(fresh, func(a, b *lookingglass.Exchange) int { return int(a.Seq - b.Seq) })
	for _, x := range fresh {
		e.note(x)
	}
	e.last = max(e.last, min(last, settled))
	maps.DeleteFunc(e.later, func(seq int64, _ bool) bool { return seq <= e.last })
	for _, x := range fresh {
		if x.Seq > e.last {
			e.later[x.Seq] = true
		}
	}
	e.forget(d.since())
	return nil
}

// note keeps what an exchange says under every name that it gives.
func (e *evidence) note(x *lookingglass.Exchange) {
	switch x.Op {
	case "create", "replace", "patch", "delete":
	default:
		return
	}
	if x.Type != "" && x.Type != "User" || preview(x) {
		return
	}
	c := clue{seq: x.Seq, time: x.Time, client: clientName(x), kind: x.Client.Kind, actor: x.Actor, op: x.Op, target: x.Target, status: x.Status}
	if x.Fault != nil {
		c.detail, c.section, c.advice = x.Fault.Detail, x.Fault.Section, x.Fault.Advice
	}
	for _, name := range namesIn(x) {
		list := append(e.by[name], c)
		e.by[name] = list[max(0, len(list)-mostClues):]
	}
}

// forget removes, now and then, what the recorder no longer has.
func (e *evidence) forget(oldest time.Time) {
	if oldest.Sub(e.oldest) < time.Hour {
		return
	}
	e.oldest = oldest
	for name, list := range e.by {
		if list = slices.DeleteFunc(list, func(c clue) bool { return c.time.Before(oldest) }); len(list) == 0 {
			delete(e.by, name)
		} else {
			e.by[name] = list
		}
	}
}

// namesIn returns, folded, what an exchange calls its person.
func namesIn(x *lookingglass.Exchange) (names []string) {
	add := func(s string) {
		if s = foldName(s); s != "" && len(s) <= maxValue && !slices.Contains(names, s) {
			names = append(names, s)
		}
	}
	add(x.Name)
	if body, err := scim.ParseObject([]byte(x.Request.Body), 0, 0); err == nil && x.Op != "delete" && x.Op != "patch" {
		add(text(body, "userName"))
		add(text(body, "externalId"))
		for _, v := range values(body.Get("emails")) {
			add(v)
		}
	}
	return names
}

var userName = func() *scim.Attribute {
	for _, t := range schema.Core() {
		if a := t.Schema.Attribute(byName); a != nil {
			return a
		}
	}
	return &scim.Attribute{Name: byName, Type: scim.TypeString}
}()

// foldName returns the form in which names are compared, whatever attribute
// they are of.
func foldName(s string) string { return scim.Fold(userName, clean(s)) }
