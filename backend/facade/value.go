package facade

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// value is what a resource can be looked up by: one value of a unique attribute,
// or its externalId, as it is compared.
type value struct{ path, text string }

const externalID = "externalId"

// values returns all values by which r, of type t, can be looked up.
func values(t *scim.ResourceType, r *scim.Resource) []value {
	list := uniques(t, r)
	if r.ExternalID != "" {
		a, _ := t.Resolve(scim.AttrPath{Name: externalID})
		list = append(list, valueOf(a, r.ExternalID))
	}
	return list
}

// uniques returns the values of r that only one resource may have.
func uniques(t *scim.ResourceType, r *scim.Resource) []value {
	var list []value
	note := func(p scim.AttrPath, v any) {
		if v == nil || !isUnique(p.Leaf()) {
			return
		}
		if u := valueOf(p, v); !slices.Contains(list, u) {
			list = append(list, u)
		}
	}
	add := func(urn string, attrs []*scim.Attribute, in scim.Object) {
		for _, a := range attrs {
			p := scim.AttrPath{URN: urn, Name: a.Name, Attr: a}
			v := in.Get(a.Name)
			many, ok := v.([]any)
			if !ok {
				many = []any{v}
			}
			for _, v := range many {
				o, complex := v.(scim.Object)
				if !complex {
					note(p, v)
				}
				for _, sub := range a.SubAttributes {
					p.Sub, p.SubAttr = sub.Name, sub
					note(p, o.Get(sub.Name))
				}
				p.Sub, p.SubAttr = "", nil
			}
		}
	}
	add("", t.Schema.Attributes, r.Attrs)
	for _, x := range t.Extensions {
		o, _ := r.Attrs.Get(x.Schema.ID).(scim.Object)
		add(x.Schema.ID, x.Schema.Attributes, o)
	}
	return list
}

func isUnique(a *scim.Attribute) bool {
	return a.Type != scim.TypeComplex && (a.Uniqueness == scim.UniquenessServer || a.Uniqueness == scim.UniquenessGlobal)
}

func valueOf(p scim.AttrPath, v any) value {
	k := scim.KeyOf(p.Leaf(), v)
	if k.Num != nil {
		k.Text = fmt.Sprint(k.Num)
	}
	return value{p.String(), k.Text}
}

// lookup returns the value that a filter asks for if all that match it have
// one: userName eq "x", alone or joined with others by "and".
func lookup(t *scim.ResourceType, f scim.Filter) (value, bool) {
	switch f := f.(type) {
	case *scim.LogExp:
		if !strings.EqualFold(f.Op, scim.And) {
			return value{}, false
		}
		if v, ok := lookup(t, f.Left); ok {
			return v, true
		}
		return lookup(t, f.Right)
	case *scim.AttrExp:
		if f.Op != scim.Eq || f.Value == nil || f.Path.Attr == nil {
			return value{}, false
		}
		p, ok := t.Resolve(f.Path)
		if !ok || p.Leaf().CaseExact != f.Path.Leaf().CaseExact || p.Name != "id" && p.Name != externalID && !isUnique(p.Leaf()) {
			return value{}, false
		}
		v := valueOf(p, f.Value)
		return v, v.text != ""
	}
	return value{}, false
}
