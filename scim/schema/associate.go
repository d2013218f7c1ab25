package schema

import (
	"iter"

	"github.com/rollcall-scim/rollcall/scim"
)

// flushAt is how many bytes of members are collected before they are written.
const flushAt = 16 << 10

// associates appends the members of a group, or the groups of a member.
func (o *output) associates(s *show) {
	for _, a := range o.r.Type.Schema.Attributes {
		o.associated(s, a)
	}
}

// associated appends the values of a, if they are kept apart from the document.
func (o *output) associated(s *show, a *scim.Attribute) {
	switch {
	case a.Membership && s.members.any():
		o.members(s)
	case a.Derived && s.groups.any() && len(o.r.Groups) > 0:
		group := "" // a group's resource type: the first that has one
		if len(a.Links) > 0 {
			group = a.Links[0]
		}
		o.begin(a)
		filled := false
		for _, g := range o.r.Groups {
			filled = o.associate(a, s.groups, g, group, filled) || filled
		}
		o.end(a, filled)
	}
}

// associatesLast reports whether what is kept apart from the document comes
// after all of the base schema that is in it.
func associatesLast(t *scim.ResourceType) bool {
	apart := false
	for _, a := range t.Schema.Attributes {
		if a.Membership || a.Derived {
			apart = true
		} else if apart && !a.Unstored {
			return false
		}
	}
	return true
}

// members appends the members, from where they are.
func (o *output) members(s *show) {
	a := o.r.Type.Membership()
	members := o.r.Members
	if members == nil {
		refs, _ := o.r.Attrs.Get(a.Name).([]scim.MemberRef)
		if len(refs) == 0 {
			return
		}
		members = all(refs)
	}
	o.begin(a)
	filled := false
	for m, err := range members {
		if err != nil {
			o.err = err
			return
		}
		filled = o.associate(a, s.members, m, m.Type, filled) || filled
		if filled && len(o.b) >= flushAt {
			if o.flush(); o.err != nil {
				return
			}
			o.room(flushAt + 1024)
		}
	}
	o.end(a, filled)
}

func all(refs []scim.MemberRef) iter.Seq2[scim.MemberRef, error] {
	return func(yield func(scim.MemberRef, error) bool) {
		for _, m := range refs {
			if !yield(m, nil) {
				return
			}
		}
	}
}

func (o *output) begin(a *scim.Attribute) {
	o.b = scim.AppendString(append(o.b, ','), a.Name)
	o.b = append(o.b, `:[`...)
}

// end ends the array, or takes its beginning back where it is empty: nothing
// has been written then.
func (o *output) end(a *scim.Attribute, filled bool) {
	if !filled {
		o.b = o.b[:len(o.b)-len(`,"":[`)-len(a.Name)]
		return
	}
	o.b = append(o.b, ']')
}

// associate appends one value: its id, and what is derived from the resource
// that has it. resourceType is the type the $ref leads to.
func (o *output) associate(a *scim.Attribute, s associateShow, m scim.MemberRef, resourceType string, more bool) bool {
	start := len(o.b)
	if more {
		o.b = append(o.b, ',')
	}
	o.b = append(o.b, '{')
	first := len(o.b)
	for _, part := range s {
		switch {
		case part == noPart:
		case part == partValue:
			o.b = scim.AppendString(key(o.b, "value"), m.ID)
		case part == partRef:
			o.ref(a, resourceType, m.ID)
		case part == partType && m.Type != "":
			o.b = scim.AppendString(key(o.b, "type"), m.Type)
		case part == partDisplay && m.Display != "":
			o.b = scim.AppendString(key(o.b, displayOf(a)), m.Display)
		}
	}
	if len(o.b) == first {
		o.b = o.b[:start]
		return false
	}
	o.b = append(o.b, '}')
	return true
}
