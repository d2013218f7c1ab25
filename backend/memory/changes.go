package memory

import (
	"context"
	"slices"

	"github.com/rollcall-scim/rollcall/scim"
)

// event is a Record with the members it adds or removes.
type event struct {
	scim.Record
	people []string
}

// Changes returns records of the change log ([scim.ChangeFeed]).
func (s *Store) Changes(ctx context.Context, q scim.ChangeQuery) ([]scim.Record, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if q.Limit <= 0 {
		q.Limit = 100
	}
	var found []scim.Record
	for _, e := range s.log {
		switch {
		case e.Seq <= q.After,
			q.Type != "" && q.Type != e.Type,
			q.ID != "" && q.ID != e.ID,
			q.Person != "" && q.Person != e.ID && !slices.Contains(e.people, q.Person):
			continue
		}
		if len(found) == q.Limit {
			if !q.Newest {
				break
			}
			found = slices.Delete(found, 0, 1)
		}
		r := e.Record
		r.Changes = slices.Clone(r.Changes)
		for i, d := range r.Changes {
			r.Changes[i].Added, r.Changes[i].Removed = scim.Clone(d.Added), scim.Clone(d.Removed)
		}
		found = append(found, r)
	}
	return found, nil
}

// record appends to the log how before became after; either may be nil.
func (s *Store) record(ctx context.Context, op string, before, after *scim.Resource) {
	who := scim.OriginOf(ctx)
	e := event{Record: scim.Record{Seq: int64(len(s.log)) + 1, Actor: who.Actor, RequestID: who.RequestID, Op: op}}
	none := &scim.Resource{}
	if after == nil {
		e.Time, e.Type, e.ID = s.now(), before.Type.Name, before.ID
		none.Type, after = before.Type, none
	} else {
		e.Time, e.Type, e.ID, e.Version = after.Meta.LastModified, after.Type.Name, after.ID, after.Meta.Version
	}
	if before == nil {
		none.Type, before = after.Type, none
	}
	if before.ExternalID != after.ExternalID {
		e.Changes = append(e.Changes, scim.RecordDelta{Path: "externalId", Added: text(after.ExternalID), Removed: text(before.ExternalID)})
	}
	was, is := byPath(before), byPath(after)
	for p, v := range attributes(before, before.Type) {
		if path := p.String(); !scim.Equal(v, is[path]) {
			e.note(p, is[path], v)
		}
	}
	for p, v := range attributes(after, after.Type) {
		if was[p.String()] == nil {
			e.note(p, v, nil)
		}
	}
	s.log = append(s.log, e)
}

// note adds the change of one attribute.
func (e *event) note(p scim.AttrPath, after, before any) {
	d := scim.RecordDelta{Path: p.String(), Added: each(after), Removed: each(before)}
	switch {
	case p.Attr.Membership:
		d.Added, d.Removed = minus(each(after), each(before)), minus(each(before), each(after))
		for _, id := range append(slices.Clone(d.Added), d.Removed...) {
			e.people = append(e.people, id.(string))
		}
	case !p.Attr.Filterable():
		d.Added, d.Removed = nil, nil
	default:
		d.Added, d.Removed = redacted(p.Attr, d.Added), redacted(p.Attr, d.Removed)
	}
	e.Changes = append(e.Changes, d)
}

func byPath(r *scim.Resource) map[string]any {
	m := map[string]any{}
	for p, v := range attributes(r, r.Type) {
		m[p.String()] = v
	}
	return m
}

func text(s string) []any {
	if s == "" {
		return nil
	}
	return []any{s}
}

func minus(a, b []any) []any {
	in := map[any]bool{}
	for _, v := range b {
		in[v] = true
	}
	return slices.DeleteFunc(slices.Clone(a), func(v any) bool { return in[v] })
}

// redacted returns the values without the sub-attributes that are not to be
// shown.
func redacted(a *scim.Attribute, values []any) []any {
	values = scim.Clone(values)
	for i, v := range values {
		o, ok := v.(scim.Object)
		if !ok {
			continue
		}
		for _, sub := range a.SubAttributes {
			if !sub.Filterable() {
				o.Set(sub.Name, nil)
			}
		}
		values[i] = o
	}
	return values
}
