package engine

import (
	"strconv"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// previewURN is the schema of the answer to a write that was only tried out.
const previewURN = "urn:rollcall:params:scim:api:messages:2.0:Preview"

// previewed is what became of a write that was tried out.
type previewed struct {
	method, typ, id string
	err             error
	notes           scim.TraceNotes
	steps           []scim.Step
	checked         string // "engine" or "backend"; "" in an operation

	bulkID string
	parts  []previewed       // the operations of a Bulk message
	bulk   bool              // it is one
	names  map[string]string // ids made for this attempt → how the client calls them
}

// operations adds those of a Bulk message that were carried out.
func (p *previewed) operations(ops []*operation) {
	p.bulk, p.steps = true, nil
	p.names = map[string]string{}
	for _, op := range ops {
		if op.method == "POST" && op.id != "" {
			p.names[op.id] = bulkPrefix + op.bulkID
		}
	}
	for _, op := range ops {
		if !op.done {
			continue
		}
		part := previewed{method: op.method, bulkID: op.bulkID, err: op.err, names: p.names,
			notes: op.trace.Notes(), steps: op.trace.Steps(), checked: p.checked}
		if op.typ != nil {
			part.typ = op.typ.Name
		}
		if op.method != "POST" {
			part.id = op.target
		}
		p.parts = append(p.parts, part)
	}
}

// changes reports whether anything would change.
func (p *previewed) changes() bool {
	if p.bulk {
		for i := range p.parts {
			if p.parts[i].changes() {
				return true
			}
		}
		return false
	}
	switch n := &p.notes; {
	case p.err != nil:
		return false
	case p.method == "POST" || p.method == "DELETE":
		return true
	case n.After == nil || n.Before == nil:
		return false
	default: // a change of members may turn out to be none
		return p.checked == "engine" || n.After.Meta.Version != n.Before.Meta.Version
	}
}

// append appends the answer as JSON.
func (p *previewed) append(b []byte) []byte {
	b = append(b, `{"schemas":["`+previewURN+`"],`...)
	b = p.appendMembers(b)
	b = append(b, `,"checked":"`+p.checked+`"`...)
	return append(p.appendCosts(b), '}')
}

func (p *previewed) appendMembers(b []byte) []byte {
	text := func(name, value string) {
		if value != "" {
			b = append(b, `"`+name+`":`...)
			b = append(scim.AppendString(b, value), ',')
		}
	}
	text("method", p.method)
	text("bulkId", p.bulkID)
	text("resourceType", p.typ)
	text("id", p.called(p.id))
	would := p.changes()
	b = append(b, `"wouldChange":`...)
	b = strconv.AppendBool(b, would)
	if p.bulk {
		b = append(b, `,"Operations":[`...)
		for i := range p.parts {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, '{')
			b = p.parts[i].appendMembers(b)
			b = append(p.parts[i].appendCosts(b), '}')
		}
		return append(b, ']')
	}
	var changes []scim.Delta
	if would {
		changes = p.deltas()
	}
	b = p.appendChanges(b, changes)
	if would && p.method == "DELETE" && len(p.notes.Touched) > 0 { // the groups it is in, and who refers to it
		var others []string
		for _, id := range p.notes.Touched {
			others = append(others, p.called(id))
		}
		b = append(b, `,"alsoChanges":`...)
		b = scim.AppendValue(b, others)
	}
	if e := scim.AsError(p.err); e != nil {
		b = append(b, `,"refused":`...)
		body, _ := e.MarshalJSON()
		b = append(b, body...)
	}
	return b
}

// deltas returns what would change, a create being the difference from nothing
// and a delete that to nothing.
func (p *previewed) deltas() []scim.Delta {
	switch {
	case p.method == "POST" && p.notes.After != nil:
		return whole(p.notes.After, func(d *scim.Delta, values []any) { d.Added = values })
	case p.method == "DELETE" && p.notes.Before != nil:
		return whole(p.notes.Before, func(d *scim.Delta, values []any) { d.Removed = values })
	}
	return p.notes.Deltas
}

func whole(r *scim.Resource, set func(d *scim.Delta, values []any)) (list []scim.Delta) {
	add := func(urn string, a *scim.Attribute, v any) {
		if v == nil || a == nil {
			return
		}
		var values []any
		switch v := v.(type) {
		case []any:
			values = v
		case []scim.MemberRef:
			for _, ref := range v {
				values = append(values, ref)
			}
		default:
			values = []any{v}
		}
		d := scim.Delta{Path: scim.AttrPath{URN: urn, Name: a.Name, Attr: a}}
		set(&d, values)
		list = append(list, d)
	}
	if r.ExternalID != "" {
		add("", commonAttribute("externalId"), r.ExternalID)
	}
	for _, a := range r.Type.Schema.Attributes {
		add("", a, r.Attrs.Get(a.Name))
	}
	for _, x := range r.Type.Extensions {
		o, _ := r.Attrs.Get(x.Schema.ID).(scim.Object)
		for _, a := range x.Schema.Attributes {
			add(x.Schema.ID, a, o.Get(a.Name))
		}
	}
	return list
}

func (p *previewed) appendChanges(b []byte, deltas []scim.Delta) []byte {
	var members scim.Members
	b = append(b, `,"changes":[`...)
	first := true
	for _, d := range deltas {
		a := d.Path.Attr
		if a == nil {
			continue
		}
		if a.Membership {
			members.Join(p.ids(d.Added), p.ids(d.Removed))
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, `{"path":`...)
		b = scim.AppendString(b, d.Path.String())
		if a.Filterable() { // of a password only that it changes
			b = p.appendValues(b, "before", a, d.Removed)
			b = p.appendValues(b, "after", a, d.Added)
		}
		b = append(b, '}')
	}
	b = append(b, ']')
	if m := p.notes.Members; deltas != nil && len(m.Added)+len(m.Removed) > 0 { // the backend knows who was there
		members = scim.Members{MoreAdded: m.MoreAdded, MoreRemoved: m.MoreRemoved}
		for _, id := range m.Added {
			members.Added = append(members.Added, p.called(id))
		}
		for _, id := range m.Removed {
			members.Removed = append(members.Removed, p.called(id))
		}
	}
	if len(members.Added)+len(members.Removed) == 0 {
		return b
	}
	b = append(b, `,"members":{"added":`...)
	b = scim.AppendValue(b, orNone(members.Added))
	b = append(b, `,"removed":`...)
	b = scim.AppendValue(b, orNone(members.Removed))
	for _, more := range []struct {
		name string
		n    int
	}{{"moreAdded", members.MoreAdded}, {"moreRemoved", members.MoreRemoved}} {
		if more.n > 0 {
			b = append(b, `,"`+more.name+`":`...)
			b = strconv.AppendInt(b, int64(more.n), 10)
		}
	}
	return append(b, '}')
}

func orNone(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func (p *previewed) ids(values []any) (list []string) {
	for _, v := range values {
		if ref, ok := v.(scim.MemberRef); ok {
			list = append(list, p.called(ref.ID))
		}
	}
	return list
}

func (p *previewed) appendValues(b []byte, name string, a *scim.Attribute, values []any) []byte {
	if len(values) == 0 {
		return b
	}
	shown := make([]any, len(values))
	for i, v := range values {
		shown[i] = p.shown(a, v)
	}
	b = append(b, `,"`+name+`":`...)
	if a.MultiValued {
		return scim.AppendValue(b, shown)
	}
	return scim.AppendValue(b, shown[0])
}

// shown returns what may be shown of a value, with ids as the client calls them.
func (p *previewed) shown(a *scim.Attribute, v any) any {
	switch v := v.(type) {
	case string:
		return p.called(v)
	case scim.Object:
		out := scim.Object{}
		for _, m := range v {
			sub := a.Sub(m.Name)
			switch {
			case sub == nil && len(a.SubAttributes) > 0, sub != nil && !sub.Filterable():
			case sub == nil:
				out = append(out, m)
			default:
				out = append(out, scim.Member{Name: m.Name, Value: p.shown(sub, m.Value)})
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = p.shown(a, v[i])
		}
		return out
	}
	return v
}

// called returns how the client calls a resource that exists only for this
// attempt.
func (p *previewed) called(id string) string {
	if name, ok := p.names[id]; ok {
		return name
	}
	return id
}

// appendCosts appends the statements that the attempt made, without those of
// the transaction around it. The calls that a façade would make are not known.
func (p *previewed) appendCosts(b []byte) []byte {
	first := true
	if p.checked == "engine" {
		return b
	}
	for _, s := range p.steps {
		verb, _, _ := strings.Cut(s.Text, " ")
		switch verb {
		case "SELECT", "INSERT", "UPDATE", "DELETE", "WITH":
		default:
			continue
		}
		if first {
			b = append(b, `,"costs":[`...)
		} else {
			b = append(b, ',')
		}
		first = false
		b = append(b, `{"kind":`...)
		b = scim.AppendString(b, s.Kind)
		b = append(b, `,"text":`...)
		b = scim.AppendString(b, strings.Join(strings.Fields(s.Text), " "))
		for _, number := range []struct {
			name string
			n    int64
			show bool
		}{{"rows", s.Rows, s.Rows >= 0}, {"times", int64(s.Times), s.Times > 1},
			{"micros", s.Took.Microseconds(), true}, {"skipped", int64(s.Skipped), s.Skipped > 0}} {
			if number.show {
				b = append(b, `,"`+number.name+`":`...)
				b = strconv.AppendInt(b, number.n, 10)
			}
		}
		b = append(b, '}')
	}
	if first {
		return b
	}
	return append(b, ']')
}
