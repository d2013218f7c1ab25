package people

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/scim"
)

// ErrNoValue says that there is nothing to look for.
var ErrNoValue = errors.New("give a userName, an externalId, an e-mail address, an id or the name of a group")

// Find says what became of somebody: a user by userName, externalId, id or
// e-mail address, or a group by name or id, also of what was deleted.
func (d *Desk) Find(ctx context.Context, asked string) (*Verdict, error) {
	value := clean(asked)
	if value == "" || len(value) > maxValue {
		return nil, ErrNoValue
	}
	v, err := d.judge(ctx, asked, nil, true)
	if err != nil || v.Person == nil || v.Cause == Deleted {
		return v, err
	}
	// What the list of one value does not need.
	if whole, err := d.load(ctx, v.Person.Type, v.Person.ID); err == nil && whole != nil {
		v.Person = whole
		v.Words = d.here(v)
	}
	d.addTrouble(ctx, v)
	return v, nil
}

// judge says what became of one value. located is what is known of it by
// locate, nil to ask. One: it is the only value, and may be a group's.
func (d *Desk) judge(ctx context.Context, asked string, located map[string]hit, one bool) (*Verdict, error) {
	value := clean(asked)
	v := &Verdict{Asked: asked}
	var err error
	if located == nil {
		located, err = d.locate(ctx, []string{value})
	}
	hidden := d.s.Facade != "" && notAllowed(err)
	switch {
	case hidden:
		v.Notes = append(v.Notes, sentence(d.s.Facade)+" does not let the token that you logged in with read its people, so whether the person is there can't be said; what follows is what clients asked.")
	case err != nil:
		return nil, err
	}
	if h, ok := located[value]; ok {
		return v, d.found(ctx, v, h)
	}
	if !hidden {
		if ok, err := d.gone(ctx, v, "User", value); ok || err != nil {
			return v, err
		}
		if one {
			if ok, err := d.group(ctx, v, value); ok || err != nil {
				return v, err
			}
		}
		if ok, err := d.formerly(ctx, v, one); ok || err != nil {
			return v, err
		}
		if v.Near, err = d.near(ctx, asked); err != nil {
			return nil, err
		}
	}
	return v, d.absent(ctx, v, hidden, !one)
}

// found fills in the verdict on a user who is there.
func (d *Desk) found(ctx context.Context, v *Verdict, h hit) error {
	v.Person, v.By, v.Cause, v.When = h.Person, h.by, Present, h.Created
	if r := remark(v.Asked, h); r != nil {
		v.Near = append(v.Near, *r)
	}
	for _, p := range h.other {
		v.Near = append(v.Near, Near{NearAttribute, quote(p.Name) + " has the same " + label(h.by), p})
	}
	if !h.Active {
		v.Cause = Inactive
		by, err := d.lastly(ctx, h.Person, func(path string, added []any) bool {
			return path == "active" && len(added) > 0 && isFalse(added[0])
		})
		if err != nil {
			return err
		}
		v.When, v.Client, v.Seq = by.time, by.client, by.seq
	}
	v.Words = d.here(v)
	v.Next = next(v.Cause, v.Client)
	return nil
}

// here is the sentence for who is in the directory.
func (d *Desk) here(v *Verdict) string {
	p := v.Person
	name := quote(p.Name)
	if p.Type == "Group" {
		return "The group " + name + " is here, since " + Moment(p.Created) + "."
	}
	if v.Cause == Present {
		s := name + " is here and active"
		if !p.Created.IsZero() {
			s += ", since " + Moment(p.Created)
		}
		switch n := len(p.Groups); n {
		case 0:
			return s + "."
		case 1:
			return s + ", in the group " + quote(p.Groups[0].Name) + "."
		default:
			return s + fmt.Sprintf(", in %d groups.", n)
		}
	}
	s := name + " is here, but inactive"
	switch {
	case v.When.IsZero() && d.s.Changes != nil:
		return s + "; what is kept of the change log does not say since when."
	case v.When.IsZero():
		return s + "; since when is not known, for there is no change log here."
	}
	return s + " since " + Moment(v.When) + ", by " + v.Client + "."
}

// gone fills in the verdict on a user who was deleted, by name or by id, or on a
// group, by id; and reports whether there is one.
func (d *Desk) gone(ctx context.Context, v *Verdict, typ, value string) (bool, error) {
	t := d.typeNamed("User")
	if t == nil {
		return false, nil
	}
	p := &Person{Type: typ}
	if d.s.Deleted != nil && typ == t.Name {
		list, err := d.s.Deleted.Deleted(ctx, scim.DeletedQuery{Type: t, Name: value, Limit: mostNear})
		if err != nil {
			return false, err
		}
		for i, gone := range list {
			if i == 0 {
				p.ID, p.Name, v.When, v.Until = gone.ID, gone.Name, gone.Time, gone.Until
			} else {
				v.Notes = append(v.Notes, another(gone))
			}
		}
	}
	if p.ID == "" { // who can't be restored is still in the change log
		if err := d.remember(ctx, p, value); err != nil {
			return false, err
		}
	}
	clues, err := d.clues(ctx, clean(v.Asked))
	if err != nil {
		return false, err
	}
	var by deed
	if p.ID != "" {
		if by, err = d.lastly(ctx, p, nil); err != nil {
			return false, err
		}
		if by.time.IsZero() {
			by.time = v.When
		}
	}
	if p.ID == "" && d.s.Changes == nil && value != clean(v.Asked) { // an id, and requests are all there is
		if by, err = d.lastly(ctx, &Person{ID: value}, nil); err != nil {
			return false, err
		}
		if !by.time.IsZero() {
			p.ID, p.Name = value, clean(v.Asked)
		}
	}
	for _, c := range clues {
		if c.typ == p.Type && c.op == "create" && c.status >= 400 && by.precedes(c) {
			if ok, err := d.kept(ctx, c.seq); err != nil {
				return false, err
			} else if !ok {
				continue
			}
			if p.ID != "" {
				v.Notes = append([]string{another(scim.Deleted{ID: p.ID, Name: p.Name, Time: by.time})}, v.Notes...)
			}
			v.When, v.Until = time.Time{}, time.Time{}
			return false, nil // the later try to create tells more
		}
	}
	if p.ID == "" {
		return false, nil
	}
	v.Client, v.Seq = by.client, by.seq
	if v.When.IsZero() {
		v.When = by.time
	}
	v.Person, v.Cause = p, Deleted
	who := ""
	if v.Client != "" {
		who = ", by " + v.Client
	}
	v.Words = quote(p.Name) + " was deleted " + Moment(v.When) + who
	switch {
	case p.Type == "Group":
		v.Words = "The group " + v.Words + "; deleted groups are not kept."
		v.Next = advice(anybody, "Let the identity provider send the group again: it makes a new one, with another id.")
	case v.Until.IsZero():
		v.Words += ", and can't be restored any more."
		v.Next = advice(anybody, "Assign the person in the identity provider again: it creates the person anew, with another id.")
	default:
		v.Words += "; until " + Moment(v.Until) + " “rollcall users restore " + p.ID + "” gives the person back."
		v.Next = next(Deleted, v.Client)
	}
	return true, nil
}

// remember fills in what the change log has of a resource that is no longer
// there, by its id.
func (d *Desk) remember(ctx context.Context, p *Person, id string) error {
	if d.s.Changes == nil {
		return nil
	}
	var last scim.Record
	err := d.eachRecord(ctx, scim.ChangeQuery{ID: id}, func(r scim.Record) {
		for _, c := range r.Changes {
			if (c.Path == byName || r.Type != "User" && c.Path == "displayName") && len(c.Added) > 0 {
				p.Name, _ = c.Added[0].(string)
			}
		}
		last = r
	})
	if err == nil && last.Op == "delete" {
		p.ID, p.Type = id, last.Type
		if p.Name == "" {
			p.Name = id
		}
	}
	return err
}

// group fills in the verdict on a group, and reports whether there is one.
func (d *Desk) group(ctx context.Context, v *Verdict, value string) (bool, error) {
	t := d.typeNamed("Group")
	if t == nil {
		return false, nil
	}
	for _, path := range []string{"displayName", byExt, byID} {
		var f terms
		f.add(path, scim.Eq, value)
		list, err := d.list(ctx, t, f.String(), 1)
		if unsearchable(err) {
			continue
		}
		if err != nil {
			return false, err
		}
		if len(list) > 0 {
			v.Person, v.By, v.Cause, v.When = list[0], path, Present, list[0].Created
			v.Words = d.here(v)
			return true, nil
		}
	}
	return false, nil
}

// absent fills in the verdict on somebody who is not there.
func (d *Desk) absent(ctx context.Context, v *Verdict, hidden, many bool) error {
	value := clean(v.Asked)
	clues, err := d.clues(ctx, value)
	if err != nil {
		return err
	}
	var search *clue // that was refused, the latest
	for i := len(clues) - 1; i >= 0; i-- {
		c := clues[i]
		if c.status < 400 || many && c.typ != "User" || c.op == lookFor && search != nil {
			continue
		}
		switch ok, err := d.kept(ctx, c.seq); {
		case err != nil:
			return err
		case !ok:
		case c.op == lookFor:
			search = &c
		default:
			d.refused(v, c, "tried to "+verb(c.op)+" "+ofType(c.typ)+quote(value))
			return nil
		}
	}
	if hidden {
		if ok, err := d.handled(ctx, v); ok || err != nil {
			return err
		}
	}
	s, err := d.soughtInVain(ctx, value, many)
	if err != nil {
		return err
	}
	if search != nil && (s == nil || s.Last.Before(search.time)) {
		d.refused(v, *search, "looked for "+quote(value))
		return nil
	}
	if s != nil {
		v.Cause, v.When, v.Client = Sought, s.Last, clientName(&lookingglass.Exchange{Client: s.Client})
		v.Words = fmt.Sprintf("%s looked for %s by %s, %s, found nobody and created nobody.", sentence(v.Client), quote(value), label(s.Attribute), times(*s))
		if v.Next = next(Sought, v.Client); s.Attribute == "displayName" {
			v.Next = soughtGroup(v.Client)
		}
		return nil
	}
	if d.s.Log != nil {
		if st := d.s.Log.Stats(); st.Sampled+st.Dropped > 0 {
			v.Notes = append(v.Notes, fmt.Sprintf("%d requests came too fast to be recorded, so one about the person may be among them.", st.Sampled+st.Dropped))
		}
	}
	switch since := d.since(); {
	case hidden:
		v.Cause, v.Words = Unknown, "No client has asked for "+quote(value)+" as far as requests are kept, and whether the person is there can't be seen."
	case d.s.Log == nil:
		v.Cause, v.Words = Unknown, quote(value)+" is not here; what clients asked for is not known."
	case since.IsZero():
		v.Cause, v.Words = Never, "Your identity provider never asked for "+quote(value)+": no request has come yet."
		v.Next = next(Never, "")
	default:
		v.Cause, v.Words = Never, "Your identity provider never asked for "+quote(value)+": not since "+Moment(since)+", which is as far back as requests are kept."
		v.Next = next(Never, "")
	}
	return nil
}

// handled fills in the verdict on somebody whom a client wrote or read while the
// directory itself can't be seen, and reports whether one did.
func (d *Desk) handled(ctx context.Context, v *Verdict) (bool, error) {
	if d.s.Log == nil {
		return false, nil
	}
	value := clean(v.Asked)
	list, err := d.s.Log.Find(ctx, lookingglass.Query{Text: value, Status: "2xx", Type: "User"})
	for _, x := range list { // the newest first
		if preview(x) || x.Target == "" || x.Target != value && foldName(x.Name) != foldName(value) {
			continue
		}
		did := map[string]string{"create": "created", "replace": "changed", "patch": "changed", "delete": "deleted", "get": "read"}[x.Op]
		if did == "" {
			continue
		}
		v.Person = &Person{Type: x.Type, ID: x.Target, Name: cmp.Or(x.Name, value)}
		v.Cause, v.When, v.Client, v.Seq = Unknown, x.Time, clientName(x), x.Seq
		v.Words = fmt.Sprintf("%s %s %s %s; what is there now can't be seen.", sentence(v.Client), did, quote(v.Person.Name), Moment(x.Time))
		return true, nil
	}
	return false, err
}

func times(s lookingglass.Sought) string {
	if s.Times <= 1 {
		return Moment(s.Last)
	}
	return fmt.Sprintf("%d times, the last %s", s.Times, Moment(s.Last))
}

func verb(op string) string {
	switch op {
	case "create", "delete":
		return op
	}
	return "change"
}

// ofType is the type of what is no user, before its name.
func ofType(typ string) string {
	if typ == "Group" {
		return "the group "
	}
	return ""
}

// notAllowed reports whether the application behind a façade refused the token.
func notAllowed(err error) bool {
	var refused *scim.Error
	return errors.As(err, &refused) && (refused.Status == 401 || refused.Status == 403)
}

func isFalse(v any) bool {
	s, _ := v.(string)
	return v == false || strings.EqualFold(s, "false")
}
