package engine_test

import (
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// speaker makes resources and PATCH requests as clients write them.
type speaker struct {
	*rand.Rand
	bent int // of 100 things, how many are said in a dialect rather than by the RFC
}

// newSpeaker returns the speaker of one case: a third of them keep to the RFC.
func newSpeaker(seed, n uint64) speaker {
	g := speaker{Rand: rand.New(rand.NewPCG(seed, n))}
	g.bent = []int{0, 5, 30}[g.IntN(3)]
	return g
}

func (g speaker) odd() bool             { return g.IntN(100) < g.bent }
func (g speaker) in(n int) bool         { return g.IntN(n) == 0 }
func one[T any](g speaker, list ...T) T { return list[g.IntN(len(list))] }

// resource returns a resource that could have been stored in strict.
func (g speaker) resource(t *scim.ResourceType) *scim.Resource {
	for {
		raw := g.object(t.Schema.Attributes)
		raw = append(raw, scim.Member{Name: "externalId", Value: one(g, "e1", "e2")})
		for _, x := range t.Extensions {
			if o := g.object(x.Schema.Attributes); len(o) > 0 && !g.in(3) {
				raw = append(raw, scim.Member{Name: x.Schema.ID, Value: o})
			}
		}
		r, _, err := schema.Decode(t, raw, schema.Options{AnySchemas: true})
		if err == nil && schema.Check(nil, r, schema.Options{}) == nil {
			r.ID = "r1"
			return r
		}
	}
}

func (g speaker) object(attrs []*scim.Attribute) scim.Object {
	var o scim.Object
	for _, a := range attrs {
		if a.Mutability != scim.ReadOnly && !a.Derived && (a.Required || g.in(2)) {
			o = append(o, scim.Member{Name: a.Name, Value: g.value(a)})
		}
	}
	return o
}

// value returns a value by the RFC.
func (g speaker) value(a *scim.Attribute) any {
	if !a.MultiValued {
		return g.single(a)
	}
	list := []any{}
	for i := range 1 + g.IntN(3) {
		v := g.single(a)
		if o, ok := v.(scim.Object); ok && i > 0 && o.Get("primary") == true {
			o.Set("primary", false)
		}
		list = append(list, v)
	}
	return list
}

var words = []string{"a", "b", "A", "work", "home", "x y", "ä", "1", "True"}

func (g speaker) single(a *scim.Attribute) any {
	switch a.Type {
	case scim.TypeComplex:
		o := scim.Object{}
		for _, s := range a.SubAttributes {
			link := len(a.Links) > 0 && s.Name != "value"
			if s.Mutability != scim.ReadOnly && !link && (s.Required || s.Name == "value" || g.in(2)) {
				o = append(o, scim.Member{Name: s.Name, Value: g.value(s)})
			}
		}
		return o
	case scim.TypeBoolean:
		return g.in(2)
	case scim.TypeInteger:
		return json.Number(strconv.Itoa(g.IntN(4)))
	case scim.TypeDecimal:
		return json.Number(one(g, "0.5", "1.0", "2e3"))
	case scim.TypeDateTime:
		return one(g, "2026-01-02T03:04:05Z", "2026-01-02T04:04:05+01:00")
	case scim.TypeBinary:
		return one(g, "aGk=", "AAAA")
	case scim.TypeReference:
		return one(g, "https://a.example/1", "https://b.example/2")
	}
	switch {
	case len(a.CanonicalValues) > 0:
		return one(g, a.CanonicalValues...)
	case a.Name == "locale" || a.Name == "preferredLanguage":
		return one(g, "en-US", "de-CH")
	case a.Name == "timezone":
		return one(g, "Europe/Berlin", "America/Los_Angeles")
	case a.Name == "country":
		return one(g, "DE", "US")
	case a.Name == "userName":
		return one(g, "ann", "Bob", "c@d.example")
	case !a.Required && g.in(40):
		return ""
	}
	return one(g, words...)
}

// message returns a PATCH request.
func (g speaker) message(t *scim.ResourceType) scim.Object {
	ops := []any{}
	for range 1 + g.IntN(4) {
		ops = append(ops, g.operation(t))
	}
	if g.odd() && g.in(10) {
		ops = []any{}
	}
	urns := []any{scim.PatchOpURN}
	if g.odd() && g.in(3) {
		urns = one(g, nil, []any{}, []any{"urn:example:other"}, []any{strings.ToUpper(scim.PatchOpURN), "urn:example:other"}, []any{t.Schema.ID})
	}
	return scim.Object{{Name: "schemas", Value: urns}, {Name: "Operations", Value: ops}}
}

func (g speaker) operation(t *scim.ResourceType) scim.Object {
	op := one(g, "add", "remove", "replace", "replace")
	pathless := op != "remove" && g.in(3)
	spelled := op
	if g.in(4) {
		spelled = one(g, strings.ToUpper(op), strings.ToUpper(op[:1])+op[1:])
	}
	o := scim.Object{{Name: "op", Value: spelled}}
	if pathless || g.odd() && g.in(10) {
		return append(o, scim.Member{Name: "value", Value: g.whole(t)})
	}
	path, v := g.target(t)
	o = append(o, scim.Member{Name: "path", Value: path})
	if op == "remove" && !(g.odd() && g.in(2)) || g.odd() && g.in(10) {
		return o
	}
	return append(o, scim.Member{Name: "value", Value: v})
}

// whole returns the value of an operation without a path.
func (g speaker) whole(t *scim.ResourceType) any {
	var o scim.Object
	put := func(name string, v any) {
		if _, there := o.Lookup(name); !there {
			o = append(o, scim.Member{Name: name, Value: v})
		}
	}
	for range 1 + g.IntN(3) {
		switch {
		case g.odd():
			put(g.target(t))
		case g.in(5) && len(t.Extensions) > 0:
			x := one(g, t.Extensions...).Schema
			put(g.cased(x.ID), g.keys(x.Attributes))
		case g.odd() && g.in(3):
			put(t.Schema.ID, g.keys(t.Schema.Attributes))
		case g.odd():
			put(one(g, "id", "meta", "schemas", "schemas", "groups", "nonsense", "a.b"), one[any](g, "x", []any{t.Schema.ID}, scim.Object{}))
		default:
			a := one(g, t.Schema.Attributes...)
			put(g.cased(a.Name), g.said(a, a.MultiValued))
		}
	}
	return o
}

// keys returns an object of some attributes.
func (g speaker) keys(list []*scim.Attribute) scim.Object {
	o := scim.Object{}
	for _, a := range list {
		if g.in(len(list)) || g.in(3) && len(list) < 8 {
			o = append(o, scim.Member{Name: g.cased(a.Name), Value: g.said(a, a.MultiValued)})
		}
	}
	return o
}

// target returns a path and a value for it.
func (g speaker) target(t *scim.ResourceType) (string, any) {
	list, prefix := t.Schema.Attributes, ""
	switch {
	case len(t.Extensions) > 0 && g.in(4):
		x := one(g, t.Extensions...).Schema
		list, prefix = x.Attributes, g.cased(x.ID)+":"
		if g.in(10) {
			return x.ID, g.keys(list)
		}
		if g.odd() && g.in(2) {
			prefix = one(g, x.ID+".", "")
		}
	case g.in(6):
		prefix = t.Schema.ID + ":"
		if g.odd() {
			prefix = t.Schema.ID + "."
		}
	case g.in(40):
		return "externalId", one[any](g, "e1", "e3", nil)
	case g.odd() && g.in(4):
		return one(g, "nonsense", "name.nonsense", "schemas", "id", "meta.version", `schemas[value eq "urn:example:x"]`, "emails[", "[a]", ""),
			one[any](g, "x", []any{t.Schema.ID}, []any{"urn:example:other"})
	}
	a := one(g, list...)
	path := prefix + g.cased(a.Name)
	switch complex := a.Type == scim.TypeComplex; {
	case a.MultiValued && g.in(2):
		path += "[" + g.filter(a) + "]"
		if complex && !a.Membership && !g.in(3) {
			s := one(g, a.SubAttributes...)
			return path + "." + g.cased(s.Name), g.said(s, false)
		}
		return path, g.said(a, false)
	case complex && !a.Membership && g.in(2):
		s := one(g, a.SubAttributes...)
		return path + "." + g.cased(s.Name), g.said(s, s.MultiValued)
	}
	return path, g.said(a, a.MultiValued)
}

// filter returns a filter on the elements of a.
func (g speaker) filter(a *scim.Attribute) string {
	s := &scim.Attribute{Name: "value", Type: a.Type}
	if a.Type == scim.TypeComplex {
		s = one(g, a.SubAttributes...)
	}
	literal := string(scim.AppendValue(nil, g.single(s)))
	if g.odd() {
		literal = one(g, strings.Trim(literal, `"`), `"`+strings.Trim(literal, `"`)+`"`, `"True"`, "null")
	}
	text := g.cased(s.Name) + " " + one(g, "eq", "eq", "eq", "Eq", "ne", "co", "gt") + " " + literal
	switch g.IntN(12) {
	case 0:
		return g.cased(s.Name) + " pr"
	case 1:
		return "not (" + text + ")"
	case 2, 3:
		return text + " and " + g.filter(a)
	case 4:
		return text + " or " + g.filter(a)
	}
	return text
}

// said returns a value for a, all of it or one of its values, perhaps in a
// dialect.
func (g speaker) said(a *scim.Attribute, all bool) any {
	var v any
	if v = g.single(a); all && !g.in(4) {
		v = g.value(a)
	}
	if g.in(12) {
		return one[any](g, nil, []any{}, scim.Object{}, "")
	}
	if !g.odd() {
		return v
	}
	if o, ok := v.(scim.Object); ok {
		switch g.IntN(4) {
		case 0:
			return o.Get("value")
		case 1:
			return append(o, scim.Member{Name: "nonsense", Value: "x"})
		case 2:
			return scim.Object{{Name: "nonsense", Value: ""}}
		}
	}
	switch g.IntN(8) {
	case 0:
		return []any{v}
	case 1:
		return []any{""}
	case 2:
		return scim.Object{{Name: "value", Value: v}}
	case 3:
		return []any{scim.Object{{Name: "value", Value: v}}}
	case 4:
		return []any{scim.Object{}}
	case 5:
		return one(g, "True", "False", "true", "", " true", "yes")
	case 6:
		return one[any](g, true, json.Number("1"), "x", []any{"a", ""})
	}
	return string(scim.AppendValue(nil, v))
}

// cased returns a name as some clients write it.
func (g speaker) cased(name string) string {
	if g.in(8) {
		return one(g, strings.ToUpper(name), strings.ToLower(name))
	}
	return name
}
