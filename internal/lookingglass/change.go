package lookingglass

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// mostMembers is how many members of a change are named.
const mostMembers = 100

// changes adds to list what a write changed, without secrets: the differences that
// the engine found, or the whole of what came or went.
func (r *redaction) changes(list []Change, n *scim.TraceNotes, known func(id string) string) []Change {
	membership := "members"
	for i := range n.Deltas {
		d := &n.Deltas[i]
		c := Change{Path: d.Path.String()}
		switch {
		case d.Path.Attr != nil && d.Path.Attr.Membership:
			membership = c.Path
			if count(n.Members) > 0 {
				continue // the backend knows better who really came and went
			}
			c.Before, c.After = memberNames(memberIDs(d.Removed), 0, known), memberNames(memberIDs(d.Added), 0, known)
			if d.Reset {
				c.Before = `"all earlier members"`
			}
		case r.word(c.Path).secret || d.Path.Leaf() != nil && !d.Path.Leaf().Filterable():
			c.Before, c.After = masked(len(d.Removed) > 0), masked(len(d.Added) > 0)
		default:
			many := d.Path.Leaf() != nil && d.Path.Leaf().MultiValued
			c.Before, c.After = r.json(d.Removed, many), r.json(d.Added, many)
		}
		list = append(list, c)
	}
	if len(n.Deltas) == 0 {
		switch {
		case n.Before == nil && n.After != nil:
			list = r.whole(list, n.After, func(text string) Change { return Change{After: text} })
		case n.Before != nil && n.After == nil:
			list = r.whole(list, n.Before, func(text string) Change { return Change{Before: text} })
		}
		list = slices.DeleteFunc(list, func(c Change) bool { return c.Path == membership && count(n.Members) > 0 })
	}
	if m := n.Members; count(m) > 0 {
		list = append(list, Change{Path: membership, Before: memberNames(m.Removed, m.MoreRemoved, known), After: memberNames(m.Added, m.MoreAdded, known)})
	}
	return list
}

// count is how many members a write moved.
func count(m scim.Members) int {
	return len(m.Added) + len(m.Removed) + m.MoreAdded + m.MoreRemoved
}

// masked is what stands for a secret, if it is there.
func masked(there bool) string {
	if there {
		return `"` + mask + `"`
	}
	return ""
}

// json returns values as JSON without secrets: as an array if there may be
// many, else the one.
func (r *redaction) json(values []any, many bool) string {
	if len(values) == 0 {
		return ""
	}
	var v any = values
	if !many {
		v = values[0]
	}
	r.scratch = scim.AppendValue(r.scratch[:0], v)
	if err := r.tape.read(string(r.scratch), false, r.word); err != nil {
		return masked(true)
	}
	r.value(r.tape, 0)
	r.scratch = r.tape.append(r.scratch[:0], 0)
	return string(r.scratch)
}

// whole adds all that a resource holds to list, as changes.
func (r *redaction) whole(list []Change, res *scim.Resource, change func(string) Change) []Change {
	b := append(r.scratch[:0], '{')
	if res.ExternalID != "" {
		b = append(scim.AppendString(append(b, `"externalId":`...), res.ExternalID), ',')
	}
	members := map[string]string{} // by the attributes that have them
	switch {
	case res.Attrs == nil && res.Text != nil:
		b = append(b, res.Text...)
	default:
		for _, m := range res.Attrs {
			b = append(scim.AppendString(b, m.Name), ':')
			if refs, is := m.Value.([]scim.MemberRef); is {
				ids := make([]string, len(refs))
				for i := range refs {
					ids[i] = refs[i].ID
				}
				members[m.Name] = memberNames(ids, 0, func(string) string { return "" })
				b = append(b, "null"...)
			} else {
				b = scim.AppendValue(b, m.Value)
			}
			b = append(b, ',')
		}
	}
	b = append(bytes.TrimSuffix(b, []byte(",")), '}')
	r.scratch = b
	if err := r.tape.read(string(b), false, r.word); err != nil {
		return list
	}
	for name, v := range r.tape.at(0).members() {
		c := Change{}
		switch ids, isMembers := members[name]; {
		case r.word(name).secret:
			c = change(masked(true))
		case isMembers:
			c = change(ids)
		default:
			r.value(v.t, v.i)
			r.scratch = v.t.append(r.scratch[:0], v.i)
			c = change(string(r.scratch))
		}
		c.Path = strings.Clone(name)
		list = append(list, c)
	}
	return list
}

// memberIDs returns the ids of the values of a membership's Delta.
func memberIDs(values []any) []string {
	ids := make([]string, 0, len(values))
	for _, v := range values {
		if m, ok := v.(scim.MemberRef); ok {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// memberNames returns members as a JSON array of their names, or ids where the
// name is not at hand.
func memberNames(ids []string, more int, known func(string) string) string {
	if len(ids)+more == 0 {
		return ""
	}
	shown := ids[:min(len(ids), mostMembers)]
	list := make([]any, 0, len(shown)+1)
	for _, id := range shown {
		if name := known(id); name != "" {
			id = name
		}
		list = append(list, id)
	}
	if more += len(ids) - len(shown); more > 0 {
		list = append(list, "and "+strconv.Itoa(more)+" more")
	}
	return string(scim.AppendValue(nil, list))
}

// stepsOf adds the steps of a trace to list.
func stepsOf(list []Step, t *scim.Trace) []Step {
	steps := t.Steps()
	for _, s := range steps {
		list = append(list, Step{Kind: s.Kind, Text: s.Text, Start: s.Start.Microseconds(), Took: s.Took.Microseconds(), Rows: s.Rows,
			Times: s.Times, Failed: s.Failed})
		if s.Skipped > 0 {
			list = append(list, Step{Kind: s.Kind, Text: fmt.Sprintf("… and %d more", s.Skipped), Start: (s.Start + s.Took).Microseconds(), Rows: -1})
		}
	}
	return list
}
