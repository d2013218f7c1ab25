package patch

import (
	"iter"
	"slices"
	"strconv"

	"github.com/rollcall-scim/rollcall/scim"
)

// key returns the text by which a value of the attribute compares for
// equality: that of filters, so that what a filter finds is what is there.
func key(a *scim.Attribute, v any) string {
	switch v := v.(type) {
	case []any, scim.Object:
		return string(scim.AppendValue(nil, v))
	case scim.DateTime:
		return strconv.FormatInt(scim.Instant(v.Time), 10)
	}
	return scim.KeyOf(a, v).Text
}

// covers reports whether element has all that given has. A boolean that is
// false is as good as none (RFC 7643 §2.4, "primary").
func covers(a *scim.Attribute, element, given any) bool {
	want, ok := given.(scim.Object)
	if !ok {
		return key(a, element) == key(a, given)
	}
	have, _ := element.(scim.Object)
	for _, m := range want {
		sub := a.Sub(m.Name)
		if sub == nil {
			continue
		}
		v := have.Get(m.Name)
		if v == nil && m.Value != false || v != nil && key(sub, v) != key(sub, m.Value) {
			return false
		}
	}
	return true
}

// finder finds elements of a multi-valued attribute. Above a size it keeps the
// positions of each sub-value, so that adding many to many is not quadratic.
type finder struct {
	a     *scim.Attribute
	at    map[string][]int // nil: look at each
	looks *int             // counts down
}

func newFinder(a *scim.Attribute, list []any, given int, looks *int) *finder {
	const small, few = 4096, 8
	f := &finder{a: a, looks: looks}
	if given < few || (len(list)+given)*given <= small {
		return f
	}
	f.at = make(map[string][]int, len(list))
	for i := range list {
		f.add(list, i)
	}
	return f
}

// add takes note of what element i is now. What it was before stays noted,
// since candidates are looked at again.
func (f *finder) add(list []any, i int) {
	if f.at == nil {
		return
	}
	o, ok := list[i].(scim.Object)
	if !ok {
		f.note(key(f.a, list[i]), i)
		return
	}
	for _, m := range o {
		if sub := f.a.Sub(m.Name); sub != nil && sub.Type != scim.TypeBoolean {
			f.note(sub.Name+"\x00"+key(sub, m.Value), i)
		}
	}
}

func (f *finder) note(k string, i int) {
	at := f.at[k]
	if j, found := slices.BinarySearch(at, i); !found {
		f.at[k] = slices.Insert(at, j, i)
	}
}

// candidates yields the positions of the elements that may cover v.
func (f *finder) candidates(list []any, v any) iter.Seq[int] {
	var few []int
	found := false
	if f.at != nil {
		o, ok := v.(scim.Object)
		if !ok {
			few, found = f.at[key(f.a, v)], true
		}
		for _, m := range o {
			sub := f.a.Sub(m.Name)
			if sub == nil || sub.Type == scim.TypeBoolean {
				continue
			}
			if at := f.at[sub.Name+"\x00"+key(sub, m.Value)]; !found || len(at) < len(few) {
				few, found = at, true
			}
		}
	}
	return func(yield func(int) bool) {
		if found {
			for _, i := range few {
				if *f.looks--; !yield(i) {
					return
				}
			}
			return
		}
		for i := range list {
			if *f.looks--; !yield(i) {
				return
			}
		}
	}
}

// covering returns the position of the first element that covers v, or -1.
func (f *finder) covering(list []any, v any) int {
	for i := range f.candidates(list, v) {
		if covers(f.a, list[i], v) {
			return i
		}
	}
	return -1
}

// kin returns the position of the element that has the same "value" as v, and
// not another "type", or -1. One of the very same type is preferred.
func (f *finder) kin(list []any, v any) int {
	o, _ := v.(scim.Object)
	value := o.Get("value")
	if value == nil {
		return -1
	}
	same := scim.Object{{Name: "value", Value: value}}
	kind := o.Get("type")
	best := -1
	for i := range f.candidates(list, same) {
		if !covers(f.a, list[i], same) {
			continue
		}
		have, _ := list[i].(scim.Object)
		switch other := have.Get("type"); {
		case kind != nil && other != nil:
			if covers(f.a, have, scim.Object{{Name: "type", Value: kind}}) {
				return i
			}
		case best < 0:
			best = i
		}
	}
	return best
}
