package people

import (
	"context"
	"fmt"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/scim"
)

// refused fills in the verdict on somebody of whom the last that is known was
// refused: what the client did, in words.
func (d *Desk) refused(v *Verdict, c clue, did string) {
	v.Cause, v.When, v.Client, v.Seq = Refused, c.time, c.client, c.seq
	v.Words = fmt.Sprintf("%s %s %s and was refused with %d: %s", sentence(c.client), did, Moment(c.time), c.status, c.why())
	if v.Next = fit(c.advice, c.client); len(v.Next) == 0 {
		v.Next = next(Refused, c.client)
	}
}

func (c clue) why() string {
	if c.detail == "" {
		return "no reason was given"
	}
	return c.detail
}

// addTrouble notes that the last request about somebody was refused, and who else
// had the name.
func (d *Desk) addTrouble(ctx context.Context, v *Verdict) {
	if t := d.typeNamed(v.Person.Type); d.s.Deleted != nil && t != nil && t.Name == "User" {
		list, err := d.s.Deleted.Deleted(ctx, scim.DeletedQuery{Type: t, Name: v.Person.Name, Limit: mostNear})
		if err != nil {
			d.s.Logger.Warn("people: who was deleted can't be read", "error", err)
		}
		for _, gone := range list {
			v.Notes = append(v.Notes, another(gone))
		}
	}
	if d.s.Log == nil {
		return
	}
	last, err := d.lastWrite(ctx, v.Person.ID)
	if err != nil {
		d.s.Logger.Warn("people: the exchanges of a person can't be read", "error", err)
		return
	}
	clues, err := d.clues(ctx, v.Person.Name)
	if err != nil {
		d.s.Logger.Warn("people: what was refused can't be read", "error", err)
		return
	}
	for i := len(clues) - 1; i >= 0; i-- {
		c := clues[i]
		if c.op == "create" && c.status == 409 && c.typ == v.Person.Type && (last == nil || last.Seq < c.seq) {
			if ok, err := d.kept(ctx, c.seq); !ok || err != nil {
				continue
			}
			v.Notes = append(v.Notes, fmt.Sprintf("%s tried to create %s%s again, %s, and was refused with 409: %s", sentence(c.client), ofType(c.typ), quote(v.Person.Name), Moment(c.time), c.why()))
			if steps := fit(c.advice, c.client); v.Cause == Present && len(steps) > 0 {
				v.Next = steps
			}
			return
		}
	}
	if last != nil && last.Status >= 400 {
		c := clue{status: last.Status}
		if last.Fault != nil {
			c.detail = last.Fault.Detail
		}
		v.Notes = append(v.Notes, fmt.Sprintf("The last change that %s asked for, %s, was refused with %d: %s", clientName(last), Moment(last.Time), last.Status, c.why()))
	}
}

// lastWrite returns the last request to change a resource, of the latest that
// touched it, or nil.
func (d *Desk) lastWrite(ctx context.Context, id string) (*lookingglass.Exchange, error) {
	list, err := d.s.Log.Find(ctx, lookingglass.Query{Touching: []string{id}, Limit: 20})
	for _, x := range list { // the newest first
		if x.Writes() && !preview(x) {
			return x, err
		}
	}
	return nil, err
}

// another says that somebody of a name was deleted.
func another(gone scim.Deleted) string {
	return "Another " + quote(gone.Name) + " was deleted " + Moment(gone.Time) + ": " + gone.ID
}
