package sqlite

import (
	"context"

	"github.com/rollcall-scim/rollcall/scim"
)

// record is an entry of the change log in the making.
type record struct {
	op      string
	row     *entry
	version string // after the change
	deltas  []scim.RecordDelta
	people  []int64 // resources that became or ceased to be members
}

// mostListed bounds the members that one record names. Those beyond are still
// found by person.
const mostListed = 100_000

// members adds what changed in a membership.
func (r *record) members(a *scim.Attribute, added, removed []member) {
	if len(added)+len(removed) == 0 {
		return
	}
	d := scim.RecordDelta{Path: a.Name}
	for i, m := range added {
		if i < mostListed {
			d.Added = append(d.Added, m.id)
		}
		r.people = append(r.people, m.pk)
	}
	for i, m := range removed {
		if i < mostListed {
			d.Removed = append(d.Removed, m.id)
		}
		r.people = append(r.people, m.pk)
	}
	r.deltas = append(r.deltas, d)
}

// record writes an entry of the change log and notes whom it touched.
func (t *session) record(ctx context.Context, r record) error {
	_, err := t.recorded(ctx, r)
	return err
}

func (t *session) recorded(ctx context.Context, r record) (seq int64, err error) {
	o := scim.OriginOf(ctx)
	err = t.exec(`INSERT INTO changes (tenant, time, type, res, id, op, version, actor, request, deltas)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, t.tenant, t.now().UnixMilli(), r.row.typ, r.row.pk, r.row.r.ID, r.op, r.version,
		o.Actor, o.RequestID, string(encodeDeltas(r.deltas)))
	if err != nil {
		return 0, err
	}
	seq = t.LastInsertRowID()
	for _, p := range r.people {
		if err := t.exec(`INSERT OR IGNORE INTO changes_people (tenant, person, change) VALUES (?, ?, ?)`, t.tenant, p, seq); err != nil {
			return 0, err
		}
	}
	return seq, nil
}

func encodeDeltas(deltas []scim.RecordDelta) []byte {
	b := []byte(`{"deltas":[`)
	for i, d := range deltas {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '[')
		b = scim.AppendString(b, d.Path)
		b = append(b, ',')
		b = scim.AppendValue(b, orEmpty(d.Added))
		b = append(b, ',')
		b = scim.AppendValue(b, orEmpty(d.Removed))
		b = append(b, ']')
	}
	return append(b, "]}"...)
}

func orEmpty(list []any) []any {
	if list == nil {
		return []any{}
	}
	return list
}

// ofDelta is a Delta as the log keeps it.
func ofDelta(rt *scim.ResourceType, d scim.Delta) scim.RecordDelta {
	a := d.Path.Leaf()
	out := scim.RecordDelta{Path: d.Path.String()}
	if a == nil {
		if x := rt.Extension(d.Path.URN); x != nil {
			a = &scim.Attribute{Type: scim.TypeComplex, SubAttributes: x.Attributes}
		}
	}
	for _, v := range d.Added {
		out.Added = appendShown(out.Added, a, v)
	}
	for _, v := range d.Removed {
		out.Removed = appendShown(out.Removed, a, v)
	}
	return out
}

// values is a whole document as deltas: all of it added, or all of it removed.
// Members are left out, since they are kept apart.
func values(r *scim.Resource, added bool) []scim.RecordDelta {
	var list []scim.RecordDelta
	put := func(p scim.AttrPath, a *scim.Attribute, v any) {
		d := scim.Delta{Path: p}
		d.Path.Attr = a
		many, ok := v.([]any)
		if !ok {
			many = []any{v}
		}
		if added {
			d.Added = many
		} else {
			d.Removed = many
		}
		list = append(list, ofDelta(r.Type, d))
	}
	if r.ExternalID != "" {
		put(scim.AttrPath{Name: "externalId"}, external, r.ExternalID)
	}
	for _, m := range r.Attrs {
		if x := r.Type.Extension(m.Name); x != nil {
			o, _ := m.Value.(scim.Object)
			for _, m := range o {
				put(scim.AttrPath{URN: x.ID, Name: m.Name}, x.Attribute(m.Name), m.Value)
			}
			continue
		}
		if a := r.Type.Schema.Attribute(m.Name); a != nil && !a.Membership {
			put(scim.AttrPath{Name: m.Name}, a, m.Value)
		}
	}
	return list
}

var external = &scim.Attribute{Name: "externalId", Type: scim.TypeString, CaseExact: true,
	Mutability: scim.ReadWrite, Returned: scim.ReturnedDefault}

// appendShown appends what may be shown of a value: nothing of an attribute
// that can't be filtered by, such as a password (RFC 7643 §7 "returned").
func appendShown(list []any, a *scim.Attribute, v any) []any {
	if a == nil || !a.Filterable() {
		return list
	}
	o, ok := v.(scim.Object)
	if !ok {
		return append(list, v)
	}
	shown := scim.Object{}
	for _, m := range o {
		if sub := a.Sub(m.Name); sub != nil && sub.Filterable() {
			shown = append(shown, m)
		}
	}
	return append(list, shown)
}
