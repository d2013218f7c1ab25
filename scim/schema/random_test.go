package schema_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/rollcall-scim/rollcall/scim"
)

// random makes resources of any type: the values are what Decode could have
// made, though not what Check would let pass.
type random struct{ *rand.Rand }

func newRandom(seed uint64) random { return random{rand.New(rand.NewPCG(seed, 1))} }

func (g random) resource(rt *scim.ResourceType) *scim.Resource {
	r := &scim.Resource{Type: rt, ID: g.text(), Attrs: g.object(rt.Schema.Attributes)}
	for _, x := range rt.Extensions {
		if o := g.object(x.Schema.Attributes); len(o) > 0 && g.IntN(3) > 0 {
			r.Attrs = append(r.Attrs, scim.Member{Name: x.Schema.ID, Value: o})
		}
	}
	return r
}

func (g random) object(attrs []*scim.Attribute) scim.Object {
	o := scim.Object{}
	for _, a := range attrs {
		if a.Membership || a.Derived || g.IntN(3) == 0 {
			continue
		}
		if v := g.value(a); v != nil {
			o = append(o, scim.Member{Name: a.Name, Value: v})
		}
	}
	return o
}

func (g random) value(a *scim.Attribute) any {
	if !a.MultiValued {
		return g.single(a)
	}
	var list []any
	for range 1 + g.IntN(3) {
		if v := g.single(a); v != nil {
			list = append(list, v)
		}
	}
	if list == nil {
		return nil
	}
	return list
}

func (g random) single(a *scim.Attribute) any {
	switch a.Type {
	case scim.TypeComplex:
		o := scim.Object{}
		for _, s := range a.SubAttributes {
			if a.Links != nil && (s.Name == "$ref" || s.Name == "display" || s.Name == "displayName") || g.IntN(3) == 0 {
				continue
			}
			o = append(o, scim.Member{Name: s.Name, Value: g.single(s)})
		}
		if len(o) == 0 {
			return nil
		}
		return o
	case scim.TypeBoolean:
		return g.IntN(2) == 0
	case scim.TypeInteger:
		return g.Int64() - math.MaxInt64/2
	case scim.TypeDecimal:
		return g.NormFloat64() * math.Pow10(g.IntN(60)-30)
	case scim.TypeDateTime:
		dt, _ := scim.ParseDateTime("20" + strconv.Itoa(10+g.IntN(90)) + "-01-02T03:04:05." + strconv.Itoa(g.IntN(1000000)) + "+02:00")
		return dt
	case scim.TypeBinary:
		return []byte(g.text())
	}
	return g.text()
}

var words = []string{"", "a", `"`, `\`, `"urn:x:test:2.0:WidgetExt":{`, "ä", "😀", "\u2028", "\x00", "</b>", "}", "{", ",", "İ", "long text "}

func (g random) text() string {
	s := ""
	for range g.IntN(5) {
		s += words[g.IntN(len(words))]
	}
	return s
}

// isJSON reports whether b is one JSON value.
func isJSON(b []byte) bool { return json.Valid(b) }
