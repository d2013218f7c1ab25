package patch

import (
	"slices"

	"github.com/rollcall-scim/rollcall/scim"
)

// list carries out an operation on all values of a multi-valued attribute.
func (s *state) list(op Op) error {
	p := op.Path.AttrPath
	before, _ := s.get(p).([]any)
	given, _ := op.Value.([]any)
	var after []any
	var err error
	switch {
	case op.Op == Add:
		after, err = s.join(p.Attr, before, given)
	case op.Op == Remove && op.Value != nil:
		after, err = s.without(p.Attr, before, given)
	case op.Op == Replace:
		after = given
	}
	if err != nil {
		return err
	}
	if p.Attr.Mutability == scim.Immutable && len(before) > 0 && !scim.Equal(before, after) {
		return immutable(p.Name)
	}
	s.put(p, after)
	return nil
}

// join returns list with given added (RFC 7644 §3.5.2.1). A value of which all
// that is given is there already changes nothing; one that agrees in "value",
// and in "type" as far as both have one, is completed; any other is appended.
func (s *state) join(a *scim.Attribute, list, given []any) ([]any, error) {
	if err := s.look(len(list)); err != nil {
		return nil, err
	}
	list = slices.Clone(list)
	find := newFinder(a, list, len(given), &s.looks)
	for _, v := range given {
		i := find.covering(list, v)
		if i < 0 {
			i = find.kin(list, v)
		}
		if err := s.look(1); err != nil {
			return nil, err
		}
		switch {
		case i < 0:
			i = len(list)
			list = append(list, v)
		case a.Type != scim.TypeComplex:
			list[i] = v
		default:
			old, _ := list[i].(scim.Object)
			object, _ := v.(scim.Object)
			merged, err := merge(a, old, told(old, object))
			if err != nil {
				return nil, err
			}
			list[i] = merged
		}
		find.add(list, i)
		if isPrimary(v) {
			demote(a, list, i)
		}
	}
	return list, nil
}

// told returns what given says that the element does not: false says nothing
// of one that has no such boolean.
func told(element, given scim.Object) scim.Object {
	var news scim.Object
	for _, m := range given {
		if old := element.Get(m.Name); !scim.Equal(old, m.Value) && (old != nil || m.Value != false) {
			news = append(news, m)
		}
	}
	return news
}

// without returns list less the elements that have all that one of given has.
func (s *state) without(a *scim.Attribute, list, given []any) ([]any, error) {
	if err := s.look(len(list)); err != nil {
		return nil, err
	}
	gone := make([]bool, len(list))
	find := newFinder(a, list, len(given), &s.looks)
	for _, v := range given {
		for i := range find.candidates(list, v) {
			gone[i] = gone[i] || covers(a, list[i], v)
		}
		if err := s.look(1); err != nil {
			return nil, err
		}
	}
	var left []any
	for i, v := range list {
		if !gone[i] {
			left = append(left, v)
		}
	}
	return left, nil
}

// demote makes every element but one not primary (RFC 7644 §3.5.2), in place:
// the list is the caller's, its elements are not.
func demote(a *scim.Attribute, list []any, keep int) {
	for i, v := range list {
		if i != keep && isPrimary(v) {
			o, _ := v.(scim.Object)
			list[i] = with(o, "primary", false, rankIn(a.SubAttributes))
		}
	}
}
