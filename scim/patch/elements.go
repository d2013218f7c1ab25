package patch

import (
	"slices"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

// elements carries out an operation on the elements of a multi-valued
// attribute that the path's filter selects, or on a sub-attribute of them, or
// of all (RFC 7644 §3.5.2.1 to §3.5.2.3).
func (s *state) elements(op Op) error {
	if op.Op == Add && op.Value == nil {
		return nil
	}
	p := op.Path
	before, _ := s.get(p.AttrPath).([]any)
	if err := s.look(len(before)); err != nil {
		return err
	}
	var at []int
	for i, v := range before {
		if p.Filter == nil || filter.MatchValue(p.Filter, v) {
			at = append(at, i)
		}
	}
	value := op.Value
	if op.Op == Remove {
		value = nil
	}
	if len(at) == 0 {
		if op.Op == Remove || value == nil && (p.Filter == nil || s.o.CreateOnNoMatch) {
			return nil
		}
		v, err := s.create(op)
		if err == nil {
			err = s.append(p.AttrPath, before, v)
		}
		return err
	}
	after := slices.Clone(before)
	for _, i := range at {
		v, err := edit(op, after[i], value)
		if err != nil {
			return err
		}
		after[i] = v
	}
	if sets(op, value) {
		if len(at) > 1 {
			return scim.Errorf(scim.TypeInvalidValue, "the path selects %d values, of which only one may be primary (RFC 7643 §2.4)", len(at))
		}
		demote(p.Attr, after, at[0])
	}
	after = slices.DeleteFunc(after, unassigned)
	if p.Attr.Mutability == scim.Immutable && !scim.Equal(before, after) {
		return immutable(p.Name)
	}
	s.put(p.AttrPath, after)
	return nil
}

// edit returns an element after the operation; nil if nothing is left of it.
func edit(op Op, element, value any) (any, error) {
	a, sub := op.Path.Attr, op.Path.SubAttr
	object, isObject := element.(scim.Object)
	given, _ := value.(scim.Object)
	switch {
	case sub != nil && !isObject:
		return element, nil
	case sub != nil:
		return assign(a, object, sub, value)
	case isObject && op.Op == Add:
		return merge(a, object, given)
	}
	return value, nil
}

// sets reports whether the operation makes an element primary.
func sets(op Op, value any) bool {
	if op.Path.SubAttr != nil {
		return op.Path.Sub == "primary" && value == true
	}
	return isPrimary(value)
}

// create returns the element an operation describes whose filter selects none:
// what the filter asks an element to be, with the value of the operation.
func (s *state) create(op Op) (any, error) {
	p := op.Path
	if p.Filter == nil {
		return nil, scim.Errorf(scim.TypeNoTarget, "%q has no value whose %q could be set (RFC 7644 §3.5.2)", p.Name, p.Sub)
	}
	if !s.o.CreateOnNoMatch {
		return nil, scim.Errorf(scim.TypeNoTarget, "no value of %q matches the filter (RFC 7644 §3.5.2.3)", p.Name)
	}
	element, ok := described(p, s.o.OwnReadOnly)
	if !ok {
		return nil, scim.Errorf(scim.TypeNoTarget, `no value of %q matches the filter, and only a filter of "eq" joined by "and" `+
			`says how to create one (RFC 7644 §3.5.2.3)`, p.Name)
	}
	s.o.report("PATCH-06")
	given, isObject := op.Value.(scim.Object)
	switch {
	case p.SubAttr != nil:
		return with(element, p.Sub, op.Value, rankIn(p.Attr.SubAttributes)), nil
	case isObject:
		for _, m := range given {
			element = with(element, m.Name, m.Value, rankIn(p.Attr.SubAttributes))
		}
		return element, nil
	}
	return op.Value, nil
}

// described returns the element that a filter asks for, or false if it is not
// a conjunction of equalities that an element can have.
// What is kept nowhere is left out of it, and so is what is readOnly if the
// backend sets that.
func described(p scim.Path, ownReadOnly bool) (scim.Object, bool) {
	terms, ok := scim.Conjunction(p.Filter)
	if !ok {
		return nil, false
	}
	element := scim.Object{}
	var unkept []string
	for _, e := range terms {
		sub := e.Path.SubAttr
		switch {
		case e.Op != scim.Eq:
			return nil, false
		case sub == nil || e.Value == nil: // a simple value; or one to be absent, as it is
			continue
		case readOnly(sub) && !ownReadOnly, derived(p.Attr, sub):
			return nil, false
		}
		element = with(element, sub.Name, e.Value, rankIn(p.Attr.SubAttributes))
		if sub.Unstored || readOnly(sub) {
			unkept = append(unkept, sub.Name)
		}
	}
	if p.Attr.Type != scim.TypeComplex {
		return element, true
	}
	possible := filter.MatchValue(p.Filter, element) // not so if terms contradict one another
	for _, name := range unkept {
		element.Set(name, nil)
	}
	return element, possible
}

// append adds a new element as it is.
func (s *state) append(p scim.AttrPath, before []any, v any) error {
	if p.Attr.Mutability == scim.Immutable && len(before) > 0 {
		return immutable(p.Name)
	}
	after := append(slices.Clone(before), v)
	if isPrimary(v) {
		demote(p.Attr, after, len(after)-1)
	}
	s.put(p, after)
	return nil
}
