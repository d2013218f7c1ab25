package memory

import (
	"fmt"
	"iter"
	"slices"

	"github.com/rollcall-scim/rollcall/scim"
)

// attributes yields the attributes of type t that have a value in r, those of
// extensions too, with their bound paths.
func attributes(r *scim.Resource, t *scim.ResourceType) iter.Seq2[scim.AttrPath, any] {
	return func(yield func(scim.AttrPath, any) bool) {
		for _, a := range t.Schema.Attributes {
			if v := r.Attrs.Get(a.Name); v != nil && !yield(scim.AttrPath{Name: a.Name, Attr: a}, v) {
				return
			}
		}
		for _, x := range t.Extensions {
			values, _ := r.Attrs.Get(x.Schema.ID).(scim.Object)
			for _, a := range x.Schema.Attributes {
				p := scim.AttrPath{URN: x.Schema.ID, Name: a.Name, Attr: a}
				if v := values.Get(a.Name); v != nil && !yield(p, v) {
					return
				}
			}
		}
	}
}

// each returns the values of an attribute: the elements of a multi-valued one.
func each(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	case []scim.MemberRef:
		ids := make([]any, len(v))
		for i, m := range v {
			ids[i] = m.ID
		}
		return ids
	}
	return []any{v}
}

// check refuses members that do not exist, and values that must be unique and
// belong to another resource. What before held is not asked again.
func (s *Store) check(r, before *scim.Resource) error {
	if a := r.Type.Membership(); a != nil {
		var unknown []string
		for _, m := range members(r) {
			target := s.entries[m.ID]
			if target == nil || len(a.Links) > 0 && !slices.Contains(a.Links, target.Type.Name) {
				unknown = append(unknown, m.ID)
			}
		}
		if unknown != nil {
			return scim.InvalidReference(a.Name, unknown...)
		}
	}
	var held map[unique]bool
	if before != nil {
		held = uniques(before, r.Type)
	}
	owners := s.ownersOf(r.Type)
	for u := range uniques(r, r.Type) {
		if !held[u] && len(owners.ids[u]) > 0 {
			return scim.NotUnique(u.path)
		}
	}
	return nil
}

// unique is a value of an attribute that only one resource may hold.
type unique struct{ path, value string }

// owners says who holds which unique values, by the attributes of one version
// of a resource type: what is unique may depend on who asks.
type owners struct {
	of  *scim.ResourceType
	ids map[unique]map[string]bool
}

func (s *Store) ownersOf(t *scim.ResourceType) owners {
	o := s.owners[t.Name]
	if o.of == t {
		return o
	}
	o = owners{t, map[unique]map[string]bool{}}
	for _, e := range s.entries {
		if e.Type.Name == t.Name {
			o.add(e.Resource)
		}
	}
	if s.owners == nil {
		s.owners = map[string]owners{}
	}
	s.owners[t.Name] = o
	return o
}

func (o owners) add(r *scim.Resource) {
	for u := range uniques(r, o.of) {
		if o.ids[u] == nil {
			o.ids[u] = map[string]bool{}
		}
		o.ids[u][r.ID] = true
	}
}

func (o owners) remove(r *scim.Resource) {
	for u := range uniques(r, o.of) {
		delete(o.ids[u], r.ID)
	}
}

// uniques returns the values of r that t wants to be unique.
func uniques(r *scim.Resource, t *scim.ResourceType) map[unique]bool {
	found := map[unique]bool{}
	note := func(p scim.AttrPath, v any) {
		a := p.Leaf()
		if v == nil || a.Type == scim.TypeComplex || a.Uniqueness != scim.UniquenessServer && a.Uniqueness != scim.UniquenessGlobal {
			return
		}
		k := scim.KeyOf(a, v)
		if k.Num != nil {
			k.Text = fmt.Sprint(k.Num)
		}
		found[unique{p.String(), k.Text}] = true
	}
	for p, v := range attributes(r, t) {
		for _, v := range each(v) {
			note(p, v)
			o, _ := v.(scim.Object)
			for _, sub := range p.Attr.SubAttributes {
				note(scim.AttrPath{URN: p.URN, Name: p.Name, Attr: p.Attr, Sub: sub.Name, SubAttr: sub}, o.Get(sub.Name))
			}
		}
	}
	return found
}

// references reports whether p is an attribute like manager, whose values hold
// the ids of other resources.
func references(p scim.AttrPath) bool {
	return len(p.Attr.Links) > 0 && !p.Attr.Membership && !p.Attr.Derived
}

// links returns the references that a document holds.
func links(r *scim.Resource) []scim.Link {
	var list []scim.Link
	for p, v := range attributes(r, r.Type) {
		if !references(p) {
			continue
		}
		for _, v := range each(v) {
			if id := target(v); id != "" {
				list = append(list, scim.Link{Path: p.String(), Ref: scim.MemberRef{ID: id},
					Visible: p.Attr.Returned == scim.ReturnedAlways || p.Attr.Returned == scim.ReturnedDefault})
			}
		}
	}
	return list
}

// target returns the id that a value of a Links attribute holds.
func target(v any) string {
	o, _ := v.(scim.Object)
	id, _ := o.Get("value").(string)
	return id
}

// refersTo reports whether r has a member or a reference that names id.
func refersTo(r *scim.Resource, id string) bool {
	return slices.ContainsFunc(members(r), func(m scim.MemberRef) bool { return m.ID == id }) ||
		slices.ContainsFunc(links(r), func(l scim.Link) bool { return l.Ref.ID == id })
}

// without returns r without the members and references that name id.
func without(r *scim.Resource, id string) *scim.Resource {
	c := stored(r)
	setMembers(c, slices.DeleteFunc(members(c), func(m scim.MemberRef) bool { return m.ID == id }))
	for p, v := range attributes(r, r.Type) {
		if references(p) {
			assign(c, p, slices.DeleteFunc(slices.Clone(each(v)), func(v any) bool { return target(v) == id }), v)
		}
	}
	return c
}

// assign gives the attribute p, which has the value was, the values left of it.
// With none it goes, and the extension with it if nothing else is in it.
func assign(r *scim.Resource, p scim.AttrPath, left []any, was any) {
	v := was
	switch {
	case len(left) == 0:
		v = nil
	case p.Attr.MultiValued:
		v = left
	}
	if p.URN == "" {
		r.Attrs.Set(p.Name, v)
		return
	}
	x, _ := r.Attrs.Get(p.URN).(scim.Object)
	x.Set(p.Name, v)
	if len(x) > 0 {
		r.Attrs.Set(p.URN, x)
		return
	}
	r.Attrs.Set(p.URN, nil)
	r.Schemas = slices.DeleteFunc(r.Schemas, func(urn string) bool { return urn == p.URN })
}
