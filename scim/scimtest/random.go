package scimtest

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// generator makes random documents and filters from the schemas. Its words are
// few, so that filters find something; "{name}" stands for the id of a resource.
type generator struct {
	*rand.Rand
	names []string // of resources that can be referred to
}

func newGenerator(seed uint64) *generator { return &generator{Rand: rand.New(rand.NewPCG(seed, 0))} }

var words = []string{"a", "A", "b", "ab", "aB", "abc", "b a", "B", "c", "", " ", "%", "_", "a%", "a_b", "'", `"`, `\`, "é", "É", "e\u0301",
	"ß", "ss", "SS", "İ", "i", "ı", "ﬁ", "日本", "😀", "\u0000", "a\u0000", "10", "9", "true",
	strings.Repeat("x", 255) + "é", strings.Repeat("x", 256) + "y", strings.Repeat("x", 256) + "z", strings.Repeat("X", 300)}

var (
	integers = []string{"0", "1", "-1", "2", "10", "9007199254740992", "9007199254740993", "9223372036854775807", "-9223372036854775808"}
	decimals = []string{"0.0", "0.5", "-0.5", "1.0", "2.5", "10.25", "1e300", "-1e300", "1e-7", "9007199254740992.0"}
	instants = []string{"2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00.500001Z", "2025-12-31T23:59:59-05:00",
		"1969-07-20T20:17:40Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"}
	binaries   = []string{"", "AA==", "aGk=", "aGkh", "/+8="}
	references = []string{"https://example.com/a", "https://example.com/A", "https://example.com/a/b", "urn:x:y"}
)

func pickOne[T any](g *generator, list []T) T { return list[g.IntN(len(list))] }

// chance is true k times in n.
func (g *generator) chance(k, n int) bool { return g.IntN(n) < k }

// literal returns a JSON value for the attribute.
func (g *generator) literal(a *scim.Attribute) string {
	switch a.Type {
	case scim.TypeBoolean:
		return pickOne(g, []string{"true", "false"})
	case scim.TypeInteger:
		return pickOne(g, integers)
	case scim.TypeDecimal:
		return pickOne(g, decimals)
	case scim.TypeDateTime:
		return strconv.Quote(pickOne(g, instants))
	case scim.TypeBinary:
		return strconv.Quote(pickOne(g, binaries))
	case scim.TypeReference:
		return strconv.Quote(pickOne(g, references))
	}
	return string(scim.AppendString(nil, pickOne(g, words)))
}

// reference returns a JSON string: mostly the id of a resource.
func (g *generator) reference() string {
	if len(g.names) == 0 || g.chance(1, 10) {
		return `"nobody"`
	}
	return `"{` + pickOne(g, g.names) + `}"`
}

// document returns the JSON of a resource called name. Values that must be
// unique or are prepared are made of the name, or left out.
func (g *generator) document(t *scim.ResourceType, name string) string {
	fields := g.fields(t.Schema.Attributes, name)
	if g.chance(1, 3) {
		fields = append(fields, `"externalId":`+string(scim.AppendString(nil, pickOne(g, words)+"x")))
	}
	for _, x := range t.Extensions {
		if values := g.fields(x.Schema.Attributes, name); g.chance(1, 2) && len(values) > 0 {
			fields = append(fields, strconv.Quote(x.Schema.ID)+":{"+strings.Join(values, ",")+"}")
		}
	}
	return "{" + strings.Join(fields, ",") + "}"
}

func (g *generator) fields(list []*scim.Attribute, name string) []string {
	var fields []string
	for _, a := range list {
		if a.Mutability == scim.ReadOnly || a.Membership || a.Derived || !a.Required && g.chance(3, 5) {
			continue
		}
		v := ""
		switch {
		case a.Required && a.Type == scim.TypeString && !a.MultiValued || a.Precis != scim.PrecisNone || a.Uniqueness != scim.UniquenessNone && a.Type == scim.TypeString:
			v = strconv.Quote(name)
		case a.Uniqueness != scim.UniquenessNone:
			continue
		case !a.MultiValued:
			v = g.value(a, false)
		default:
			v = g.list(a)
		}
		fields = append(fields, strconv.Quote(a.Name)+":"+v)
	}
	return fields
}

func (g *generator) list(a *scim.Attribute) string {
	var values []string
	primary := g.IntN(5)
	for i := range 1 + g.IntN(3) {
		v := g.value(a, i == primary)
		if seen := fmt.Sprint(values); !strings.Contains(seen, v) { // a value is there once (RFC 7643 §2.4)
			values = append(values, v)
		}
	}
	return "[" + strings.Join(values, ",") + "]"
}

func (g *generator) value(a *scim.Attribute, primary bool) string {
	if a.Type != scim.TypeComplex {
		return g.literal(a)
	}
	if len(a.Links) > 0 {
		return `{"value":` + g.reference() + `}`
	}
	var fields []string
	for i, s := range a.SubAttributes {
		if s.Mutability == scim.ReadOnly || i > 0 && g.chance(1, 2) {
			continue
		}
		v := g.literal(s)
		if s.Name == "primary" {
			v = strconv.FormatBool(primary)
		}
		fields = append(fields, strconv.Quote(s.Name)+":"+v)
	}
	return "{" + strings.Join(fields, ",") + "}"
}

// term is an attribute that a filter can name: the text of its path, and the
// attribute whose type decides what it can be compared with.
type term struct {
	path string
	leaf *scim.Attribute
	ids  bool // its values are ids
}

// terms returns what filters on a type can name, and what value paths can be
// about: the attribute's path, and the terms inside the brackets.
func terms(t *scim.ResourceType) (flat []term, inside map[string][]term) {
	inside = map[string][]term{}
	add := func(prefix string, list []*scim.Attribute) {
		for _, a := range list {
			path := prefix + a.Name
			if !a.Filterable() || a.Name == "meta" {
				continue
			}
			derived := len(a.Links) > 0 || a.Membership || a.Derived
			if a.Type != scim.TypeComplex {
				flat = append(flat, term{path, a, a.Name == "id"})
				if a.MultiValued {
					inside[path] = []term{{"value", a, false}}
				}
				continue
			}
			for _, s := range a.SubAttributes {
				if !s.Filterable() || s.Name == "$ref" || derived && s.Name != "value" && !(s.Name == "type" || s.Name == "display") {
					continue
				}
				if derived && !a.Membership && !a.Derived && s.Name != "value" {
					continue
				}
				flat = append(flat, term{path + "." + s.Name, s, derived && s.Name == "value"})
				inside[path] = append(inside[path], term{s.Name, s, derived && s.Name == "value"})
			}
		}
	}
	add("", scim.Common)
	add("", t.Schema.Attributes)
	for _, x := range t.Extensions {
		add(x.Schema.ID+":", x.Schema.Attributes)
	}
	return flat, inside
}

// filter returns the text of a filter that the type's schemas allow.
func (g *generator) filter(t *scim.ResourceType, depth int) string {
	flat, inside := terms(t)
	switch k := g.IntN(12); {
	case depth > 0 && k < 2:
		return "(" + g.filter(t, depth-1) + " and " + g.filter(t, depth-1) + ")"
	case depth > 0 && k < 4:
		return "(" + g.filter(t, depth-1) + " or " + g.filter(t, depth-1) + ")"
	case depth > 0 && k < 6:
		return "not (" + g.filter(t, depth-1) + ")"
	case k < 8:
		paths := sortedKeys(inside)
		path := pickOne(g, paths)
		return path + "[" + g.valFilter(inside[path], 2) + "]"
	case k == 8:
		return pickOne(g, sortedKeys(inside)) + " pr"
	case k == 9:
		return g.about(t)
	}
	return g.comparison(pickOne(g, flat))
}

// about returns a filter on the metadata of a type.
func (g *generator) about(t *scim.ResourceType) string {
	switch g.IntN(4) {
	case 0:
		return fmt.Sprintf("meta.resourceType %s %q", pickOne(g, []string{"eq", "ne", "sw"}), pickOne(g, []string{t.Name, "User", "us"}))
	case 1:
		return fmt.Sprintf("meta.%s %s %q", pickOne(g, []string{"created", "lastModified"}), pickOne(g, []string{"gt", "lt", "ge", "ne"}),
			pickOne(g, []string{"2000-01-01T00:00:00Z", "9000-01-01T00:00:00Z"}))
	case 2:
		return pickOne(g, []string{"meta.version pr", "meta pr", "schemas pr", "id pr", "externalId pr"})
	}
	urn := t.Schema.ID
	if len(t.Extensions) > 0 && g.chance(2, 3) {
		urn = t.Extensions[0].Schema.ID
	}
	return fmt.Sprintf("schemas %s %q", pickOne(g, []string{"eq", "ne"}), urn)
}

func (g *generator) valFilter(list []term, depth int) string {
	switch k := g.IntN(8); {
	case depth > 0 && k < 2:
		return "(" + g.valFilter(list, depth-1) + " and " + g.valFilter(list, depth-1) + ")"
	case depth > 0 && k == 2:
		return "(" + g.valFilter(list, depth-1) + " or " + g.valFilter(list, depth-1) + ")"
	case depth > 0 && k == 3:
		return "not (" + g.valFilter(list, depth-1) + ")"
	}
	return g.comparison(pickOne(g, list))
}

func (g *generator) comparison(t term) string {
	ops := []string{"eq", "eq", "eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr"}
	switch {
	case t.ids, t.leaf.Type == scim.TypeBoolean, t.leaf.Type == scim.TypeBinary:
		ops = []string{"eq", "ne", "pr"}
	case t.leaf.Type == scim.TypeInteger, t.leaf.Type == scim.TypeDecimal, t.leaf.Type == scim.TypeDateTime:
		ops = []string{"eq", "ne", "gt", "ge", "lt", "le", "pr"}
	}
	op := pickOne(g, ops)
	switch {
	case op == "pr":
		return t.path + " pr"
	case (op == "eq" || op == "ne") && g.chance(1, 10):
		return t.path + " " + op + " null"
	case t.ids:
		return t.path + " " + op + " " + g.reference()
	case t.leaf.Type == scim.TypeString && g.chance(1, 4) && len(g.names) > 0:
		return t.path + " " + op + " " + strconv.Quote(pickOne(g, g.names)) // names are values too
	}
	return t.path + " " + op + " " + g.literal(t.leaf)
}

// sortBy returns an attribute to sort by, or "". Ids are not sorted by: they
// differ from store to store.
func (g *generator) sortBy(t *scim.ResourceType) string {
	flat, _ := terms(t)
	for {
		if g.chance(1, 4) {
			return ""
		}
		if s := pickOne(g, flat); !s.ids && !strings.HasPrefix(s.path, "groups.") && !strings.HasPrefix(s.path, "members.") && s.path != "schemas" {
			return s.path
		}
	}
}
