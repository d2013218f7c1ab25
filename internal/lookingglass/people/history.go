package people

import (
	"context"
	"time"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/scim"
)

// deed is who did something, and when: when it was asked for, if its exchange is
// known.
type deed struct {
	time   time.Time
	client string
	seq    int64
}

// precedes reports whether it came before an exchange. The numbers of exchanges
// say so: their times are of several machines, and one may be that of both.
func (d deed) precedes(c clue) bool {
	if d.seq > 0 {
		return d.seq < c.seq
	}
	return d.time.Before(c.time)
}

// lastly returns the last change of a resource for which is holds of one of its
// deltas; nil holds of every change.
func (d *Desk) lastly(ctx context.Context, p *Person, is func(path string, added []any) bool) (last deed, err error) {
	if d.s.Changes == nil {
		return d.lastExchange(ctx, p.ID, is)
	}
	var rec scim.Record
	err = d.eachRecord(ctx, scim.ChangeQuery{ID: p.ID}, func(r scim.Record) {
		if is == nil {
			rec = r
		}
		for _, c := range r.Changes {
			if is != nil && is(c.Path, c.Added) {
				rec = r
			}
		}
	})
	if err != nil || rec.Seq == 0 {
		return last, err
	}
	last = deed{rec.Time, actorName(rec.Actor), 0}
	if d.s.Log == nil || rec.RequestID == "" {
		return last, nil
	}
	list, err := d.s.Log.Find(ctx, lookingglass.Query{Touching: []string{p.ID}, Limit: evidencePage})
	for _, x := range list {
		if x.ID == rec.RequestID {
			last = deed{x.Time, clientName(x), x.Seq}
		}
	}
	return last, err
}

// lastExchange is lastly where there is no change log.
func (d *Desk) lastExchange(ctx context.Context, id string, is func(string, []any) bool) (last deed, err error) {
	if d.s.Log == nil {
		return last, nil
	}
	list, err := d.s.Log.Find(ctx, lookingglass.Query{Touching: []string{id}, Limit: evidencePage})
	for _, x := range list { // the newest first
		if x.Status >= 300 || preview(x) || x.Target != id {
			continue
		}
		if x.Op == "delete" { // which deactivates, if the person is there yet
			return deed{x.Time, clientName(x), x.Seq}, nil
		}
		for _, c := range x.Changes {
			if is != nil && is(c.Path, jsonValues(c.After)) {
				return deed{x.Time, clientName(x), x.Seq}, nil
			}
		}
	}
	return last, err
}

// mostRecords bounds the changes of one resource that are looked through.
const mostRecords = 20_000

// eachRecord calls f for the records that q selects, the oldest first.
func (d *Desk) eachRecord(ctx context.Context, q scim.ChangeQuery, f func(scim.Record)) error {
	q.Limit = 500
	for n := 0; n < mostRecords; n += q.Limit {
		list, err := d.s.Changes.Changes(ctx, q)
		if err != nil {
			return err
		}
		for _, r := range list {
			f(r)
		}
		if len(list) < q.Limit {
			return nil
		}
		q.After = list[len(list)-1].Seq
	}
	return nil
}
