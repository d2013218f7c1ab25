package sqlfilter_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

// attr makes an attribute with the defaults of RFC 7643 §2.2.
func attr(name string, typ scim.AttributeType, set ...func(*scim.Attribute)) *scim.Attribute {
	a := &scim.Attribute{Name: name, Type: typ, Mutability: scim.ReadWrite, Returned: scim.ReturnedDefault, Uniqueness: scim.UniquenessNone}
	for _, f := range set {
		f(a)
	}
	return a
}

func multi(a *scim.Attribute)  { a.MultiValued = true }
func exact(a *scim.Attribute)  { a.CaseExact = true }
func unique(a *scim.Attribute) { a.Uniqueness = scim.UniquenessServer }
func secret(a *scim.Attribute) { a.Returned = scim.ReturnedNever }

func with(subs ...*scim.Attribute) func(*scim.Attribute) {
	return func(a *scim.Attribute) { a.SubAttributes = subs }
}

func linked(a *scim.Attribute) {
	a.SubAttributes = []*scim.Attribute{attr("value", scim.TypeString, exact), attr("$ref", scim.TypeReference, exact),
		attr("type", scim.TypeString), attr("display", scim.TypeString)}
	a.Links = []string{"Person", "Team"}
}

const extension = "urn:example:extra:1.0"

// person has attributes of every type; team has members.
func person() *scim.ResourceType {
	return &scim.ResourceType{Name: "Person", Endpoint: "/Persons", Digest: "p",
		Schema: &scim.Schema{ID: "urn:example:Person", Attributes: []*scim.Attribute{
			attr("userName", scim.TypeString, unique),
			attr("displayName", scim.TypeString),
			attr("code", scim.TypeString, exact),
			attr("password", scim.TypeString, secret),
			attr("active", scim.TypeBoolean),
			attr("size", scim.TypeInteger),
			attr("weight", scim.TypeDecimal),
			attr("born", scim.TypeDateTime),
			attr("cert", scim.TypeBinary),
			attr("link", scim.TypeReference),
			attr("tags", scim.TypeString, multi),
			attr("sizes", scim.TypeInteger, multi),
			attr("addr", scim.TypeComplex, with(attr("city", scim.TypeString), attr("zip", scim.TypeString, exact),
				attr("codes", scim.TypeString, multi))),
			attr("mails", scim.TypeComplex, multi, with(attr("value", scim.TypeString), attr("type", scim.TypeString, func(a *scim.Attribute) {
				a.CanonicalValues = []string{"a", "b"}
			}), attr("primary", scim.TypeBoolean), attr("since", scim.TypeDateTime), attr("pin", scim.TypeString, secret))),
			attr("keys", scim.TypeComplex, multi, with(attr("value", scim.TypeString, exact), attr("marks", scim.TypeString, multi))),
			attr("boss", scim.TypeComplex, linked),
			attr("groups", scim.TypeComplex, multi, linked, func(a *scim.Attribute) { a.Derived = true }),
		}},
		Extensions: []scim.Extension{{Schema: &scim.Schema{ID: extension, Attributes: []*scim.Attribute{
			attr("dept", scim.TypeString),
			attr("level", scim.TypeInteger, unique),
		}}}},
	}
}

func team() *scim.ResourceType {
	return &scim.ResourceType{Name: "Team", Endpoint: "/Teams", Digest: "t",
		Schema: &scim.Schema{ID: "urn:example:Team", Attributes: []*scim.Attribute{
			attr("displayName", scim.TypeString),
			attr("members", scim.TypeComplex, multi, linked, func(a *scim.Attribute) { a.Membership = true }),
		}},
	}
}

// texts collide, differ in case alone, hold what some query language takes for
// a wildcard or an end, and lie around the length at which rows are cut.
var texts = func() []string {
	list := []string{"", "a", "A", "ab", "AB", "abc", "b", "%", "_", "a%b", "a_b", "é", "É", "e\u0301", "ß", "ss", "SS", "日本", "a\x00b", "a b",
		"'", `"`, `\`, "\U0010FFFF", "a\U0010FFFF", "\uD7FF", "K", "\u212A"}
	for _, n := range []int{251, 252, 253, 254, 255, 256, 257, 300} {
		x := strings.Repeat("x", n)
		list = append(list, x, x+"é", x+"z", x+"日本")
	}
	return list
}()

// generator makes random resources and filters.
type generator struct{ *rand.Rand }

func pick[T any](g generator, list []T) T { return list[g.IntN(len(list))] }

func (g generator) text() string {
	if g.IntN(3) > 0 {
		return texts[1+g.IntN(6)]
	}
	return pick(g, texts)
}

// value makes a value of the attribute, one if it is multi-valued.
func (g generator) value(a *scim.Attribute) any {
	switch a.Type {
	case scim.TypeBoolean:
		return g.IntN(2) == 0
	case scim.TypeInteger:
		return pick(g, []int64{-1, 0, 1, 5, 10, 1 << 53, 1<<53 + 1, 1<<63 - 1})
	case scim.TypeDecimal:
		return pick(g, []float64{-1.5, 0, 0.5, 1, 5, 1e6, 1 << 53, 1e300})
	case scim.TypeDateTime:
		d, _ := scim.ParseDateTime(pick(g, []string{"2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00.5Z",
			"0001-01-03T00:00:00Z", "1969-12-31T23:59:59.9Z", "9999-12-31T23:59:59Z"}))
		return d
	case scim.TypeBinary:
		return []byte(pick(g, []string{"", "hello", "\x00\xff"}))
	case scim.TypeComplex:
		var o scim.Object
		for _, s := range a.SubAttributes {
			if g.IntN(3) > 0 && !(len(a.Links) > 0 && s.Name != "value") {
				o = append(o, scim.Member{Name: s.Name, Value: g.values(s)})
			}
		}
		return o
	}
	return g.text()
}

// values makes a value, or some if the attribute is multi-valued.
func (g generator) values(a *scim.Attribute) any {
	if !a.MultiValued {
		return g.value(a)
	}
	list := make([]any, 1+g.IntN(3))
	seen := false
	for i := range list {
		list[i] = g.value(a)
		if o, ok := list[i].(scim.Object); ok && o.Get("primary") == true {
			if seen {
				o.Set("primary", false)
			}
			seen = true
		}
	}
	return list
}

func (g generator) attrs(list []*scim.Attribute) (o scim.Object) {
	for _, a := range list {
		if !a.Membership && !a.Derived && g.IntN(5) > 1 {
			if v := g.values(a); !scim.Equal(v, scim.Object(nil)) {
				o = append(o, scim.Member{Name: a.Name, Value: v})
			}
		}
	}
	return o
}

// world is the content of one tenant.
type world struct {
	people, teams []*scim.Resource
}

func (w world) all() []*scim.Resource { return append(slices.Clone(w.people), w.teams...) }

func (g generator) resource(t *scim.ResourceType, id string) *scim.Resource {
	r := &scim.Resource{Type: t, ID: id, Schemas: []string{t.Schema.ID}, Attrs: g.attrs(t.Schema.Attributes)}
	at := time.UnixMilli(1767225600000 + int64(g.IntN(4))).UTC()
	r.Meta = scim.Meta{Created: at, LastModified: at.Add(time.Duration(g.IntN(2)) * time.Millisecond), Version: fmt.Sprint(1 + g.IntN(12))}
	if g.IntN(2) == 0 {
		r.ExternalID = g.text()
	}
	for _, x := range t.Extensions {
		if o := g.attrs(x.Schema.Attributes); len(o) > 0 {
			r.Attrs = append(r.Attrs, scim.Member{Name: x.Schema.ID, Value: o})
			r.Schemas = append(r.Schemas, x.Schema.ID)
		}
	}
	return r
}

// world makes people and teams. If teams may nest, they do in circles too.
func (g generator) world(prefix string, people, teams int, nested bool) world {
	var w world
	for i := range people {
		w.people = append(w.people, g.resource(person(), fmt.Sprintf("%sp%d", prefix, i)))
	}
	for i := range teams {
		w.teams = append(w.teams, g.resource(team(), fmt.Sprintf("%st%d", prefix, i)))
	}
	for _, t := range w.teams {
		var members []scim.MemberRef
		for _, r := range w.all() {
			if g.IntN(6) == 0 && r != t && (nested || r.Type.Name == "Person") {
				members = append(members, scim.MemberRef{ID: r.ID, Type: r.Type.Name, Display: scim.DisplayName(r.Attrs)})
			}
		}
		if members != nil {
			t.Attrs.Set("members", members)
		}
	}
	w.ascend()
	return w
}

// ascend gives every person the groups that they are in.
func (w world) ascend() {
	in := map[string][]*scim.Resource{}
	for _, t := range w.teams {
		members, _ := t.Attrs.Get("members").([]scim.MemberRef)
		for _, m := range members {
			in[m.ID] = append(in[m.ID], t)
		}
	}
	for _, p := range w.people {
		p.Groups = nil
		seen := map[string]bool{}
		level := in[p.ID]
		for depth := 1; depth <= scim.MaxGroupDepth && len(level) > 0; depth++ {
			var next []*scim.Resource
			for _, t := range level {
				if seen[t.ID] {
					continue
				}
				seen[t.ID] = true
				how := "indirect"
				if depth == 1 {
					how = "direct"
				}
				p.Groups = append(p.Groups, scim.MemberRef{ID: t.ID, Type: how, Display: scim.DisplayName(t.Attrs)})
				next = append(next, in[t.ID]...)
			}
			level = next
		}
	}
}

// filter makes the text of a filter that can be bound to t.
func (g generator) filter(t *scim.ResourceType, ids []string, depth int) string {
	switch n := g.IntN(10); {
	case depth > 0 && n < 2:
		return "(" + g.filter(t, ids, depth-1) + ") and (" + g.filter(t, ids, depth-1) + ")"
	case depth > 0 && n < 4:
		return "(" + g.filter(t, ids, depth-1) + ") or (" + g.filter(t, ids, depth-1) + ")"
	case depth > 0 && n < 5:
		return "not (" + g.filter(t, ids, depth-1) + ")"
	}
	a, prefix := pick(g, t.Schema.Attributes), ""
	switch {
	case g.IntN(6) == 0:
		a = pick(g, scim.Common)
	case len(t.Extensions) > 0 && g.IntN(8) == 0:
		a, prefix = pick(g, t.Extensions[0].Schema.Attributes), extension+":"
	case g.IntN(4) == 0 && t.Groups() != nil:
		a = t.Groups()
	case g.IntN(3) == 0 && t.Membership() != nil:
		a = t.Membership()
	}
	if !a.Filterable() {
		return g.filter(t, ids, depth)
	}
	path := prefix + a.Name
	if a.Type != scim.TypeComplex {
		if a.MultiValued && g.IntN(2) == 0 {
			return path + "[" + g.inside(a, ids, 2) + "]"
		}
		return path + " " + g.comparison(a, a, ids)
	}
	switch g.IntN(3) {
	case 0:
		return path + pick(g, []string{" pr", " eq null", " ne null"})
	case 1:
		return path + "[" + g.inside(a, ids, 2) + "]"
	}
	sub := g.sub(a)
	return path + "." + sub.Name + " " + g.comparison(a, sub, ids)
}

// sub picks a sub-attribute that a filter may name.
func (g generator) sub(a *scim.Attribute) *scim.Attribute {
	for {
		s := pick(g, a.SubAttributes)
		held := a.Membership || a.Derived
		if s.Filterable() && s.Name != "location" && s.Name != "$ref" && (s.Name != "display" || held || len(a.Links) == 0) {
			return s
		}
	}
}

func (g generator) inside(a *scim.Attribute, ids []string, depth int) string {
	switch n := g.IntN(8); {
	case depth > 0 && n < 3:
		return "(" + g.inside(a, ids, depth-1) + ") and (" + g.inside(a, ids, depth-1) + ")"
	case depth > 0 && n < 4:
		return "(" + g.inside(a, ids, depth-1) + ") or (" + g.inside(a, ids, depth-1) + ")"
	case depth > 0 && n < 5:
		return "not (" + g.inside(a, ids, depth-1) + ")"
	case a.Type != scim.TypeComplex:
		return "value " + g.comparison(a, a, ids)
	}
	s := g.sub(a)
	return s.Name + " " + g.comparison(a, s, ids)
}

func (g generator) comparison(a, leaf *scim.Attribute, ids []string) string {
	ops := []string{"eq", "eq", "ne", "gt", "ge", "lt", "le"}
	switch leaf.Type {
	case scim.TypeString, scim.TypeReference:
		ops = append(ops, "co", "sw", "ew", "co", "sw", "ew")
	case scim.TypeBoolean, scim.TypeBinary:
		ops = ops[:3]
	}
	switch g.IntN(8) {
	case 0:
		return "pr"
	case 1:
		return pick(g, []string{"eq null", "ne null"})
	}
	var v any
	switch {
	case leaf.Name == "id", leaf.Name == "value" && len(a.Links) > 0:
		v = pick(g, ids)
	case leaf.Name == "type" && a.Derived:
		v = pick(g, []string{"direct", "indirect", "i"})
	case leaf.Name == "type" && a.Membership, leaf.Name == "resourceType":
		v = pick(g, []string{"Person", "Team", "person"})
	case leaf.Name == "version":
		v = pick(g, []string{"1", "2", `W/"3"`})
	case leaf.Name == "schemas":
		v = pick(g, []string{extension, "urn:example:Person", "urn:", "extra", "1.0", "urn:example:x y"})
	default:
		v = g.value(leaf)
	}
	if f, ok := v.(float64); ok && g.IntN(2) == 0 {
		v = int64(f)
	}
	return pick(g, ops) + " " + string(scim.AppendValue(nil, v))
}

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }
