package patch

import (
	"maps"
	"slices"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// Diff lists what differs between two resources of one type, attribute by
// attribute: externalId, the core attributes and those of each extension, in
// schema order. Members are compared as a set, and those that came and went
// are the Delta. It is empty if the resources are the same state (RFC 7643
// §2.5), so that a write may be left out (RFC 7644 §3.5.2.1).
func Diff(before, after *scim.Resource) []scim.Delta {
	var deltas []scim.Delta
	if before.ExternalID != after.ExternalID {
		p, _ := after.Type.Resolve(scim.AttrPath{Name: "externalId"})
		deltas = append(deltas, delta(p, text(before.ExternalID), text(after.ExternalID)))
	}
	compare := func(urn string, list []*scim.Attribute, x, y scim.Object) {
		for _, a := range list {
			v, w := x.Get(a.Name), y.Get(a.Name)
			if v == nil && w == nil || scim.Equal(v, w) {
				continue
			}
			d := delta(scim.AttrPath{URN: urn, Name: a.Name, Attr: a}, v, w)
			if !a.Membership || len(d.Added) > 0 || len(d.Removed) > 0 {
				deltas = append(deltas, d)
			}
		}
	}
	x, y := attrs(before), attrs(after)
	compare("", after.Type.Schema.Attributes, x, y)
	for _, ext := range after.Type.Extensions {
		v, _ := x.Get(ext.Schema.ID).(scim.Object)
		w, _ := y.Get(ext.Schema.ID).(scim.Object)
		compare(ext.Schema.ID, ext.Schema.Attributes, v, w)
	}
	return deltas
}

// attrs returns the document as a tree.
func attrs(r *scim.Resource) scim.Object {
	if r.Attrs != nil || r.Text == nil {
		return r.Attrs
	}
	loaded := *r
	if schema.Load(&loaded) != nil {
		return nil
	}
	return loaded.Attrs
}

func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func delta(p scim.AttrPath, before, after any) scim.Delta {
	if p.Attr.Membership {
		x, _ := before.([]scim.MemberRef)
		y, _ := after.([]scim.MemberRef)
		return scim.Delta{Path: p, Added: absent(x, y), Removed: absent(y, x)}
	}
	return scim.Delta{Path: p, Added: list(after), Removed: list(before)}
}

// absent returns the members of list that are not in from.
func absent(from, list []scim.MemberRef) []any {
	var out []any
	in := newMemberSet(from)
	for _, ref := range list {
		if _, ok := in.at[ref.ID]; !ok {
			out = append(out, ref)
		}
	}
	return out
}

// list returns a value as the values of a Delta.
func list(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

// Touched returns the canonical paths of the attributes the operations name,
// their sub-attributes and filters aside, each once (RFC 7644 §3.10).
func Touched(ops []Op) []string {
	var paths []string
	seen := map[scim.AttrPath]bool{}
	for _, op := range ops {
		p := scim.AttrPath{URN: op.Path.URN, Name: op.Path.Name}
		if !seen[p] {
			seen[p] = true
			paths = append(paths, p.String())
		}
	}
	return slices.Clip(paths)
}

// Named is Touched and, of attributes with one complex value, the sub-attributes
// that the operations name (RFC 7644 §3.10). Of one that is unassigned whole
// there are none.
//
// Of a multi-valued attribute it names a sub-attribute that is Unstored where the
// last operation takes away what that selects, as "emails.type" for a remove of
// emails[type eq "work"]: no value matches, but what was meant may be the one
// that there is.
func Named(ops []Op) []string {
	paths := Touched(ops)
	for _, op := range ops {
		p := op.Path.AttrPath
		if p.Attr == nil || p.Attr.MultiValued {
			continue
		}
		add := func(sub string) {
			at := scim.AttrPath{URN: p.URN, Name: p.Name, Sub: sub}.String()
			if !slices.Contains(paths, at) {
				paths = append(paths, at)
			}
		}
		if p.Sub != "" {
			add(p.Sub)
		}
		given, _ := op.Value.(scim.Object)
		for _, m := range given {
			add(m.Name)
		}
	}
	return append(paths, unmatched(ops)...)
}

// unmatched returns the sub-attributes by which values are selected to be taken
// away that are kept nowhere.
func unmatched(ops []Op) []string {
	last := map[string][]string{} // by attribute
	for _, op := range ops {
		p := op.Path
		if p.Attr == nil || !p.Attr.MultiValued {
			continue
		}
		last[p.Name] = nil
		if op.Value != nil || op.Op == Add || p.Filter == nil {
			continue
		}
		terms, _ := scim.Conjunction(p.Filter)
		for _, e := range terms {
			if e.Op == scim.Eq && e.Path.SubAttr != nil && e.Path.SubAttr.Unstored {
				last[p.Name] = append(last[p.Name], scim.AttrPath{URN: p.URN, Name: p.Name, Sub: e.Path.SubAttr.Name}.String())
			}
		}
	}
	return slices.Sorted(slices.Values(slices.Concat(slices.Collect(maps.Values(last))...)))
}
