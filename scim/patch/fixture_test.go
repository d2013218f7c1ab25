package patch_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
	"github.com/rollcall-scim/rollcall/scim/patch"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

const (
	widgetURN = "urn:x:test:2.0:Widget"
	extraURN  = "urn:x:test:extra:2.0:Widget"
	ent       = scim.EnterpriseUserURN
)

// attr returns an attribute with the defaults of RFC 7643 §2.2.
func attr(name string, typ scim.AttributeType, set ...func(*scim.Attribute)) *scim.Attribute {
	a := &scim.Attribute{Name: name, Type: typ, Mutability: scim.ReadWrite, Returned: scim.ReturnedDefault, Uniqueness: scim.UniquenessNone}
	for _, f := range set {
		f(a)
	}
	return a
}

func multi(a *scim.Attribute)     { a.MultiValued = true }
func exact(a *scim.Attribute)     { a.CaseExact = true }
func required(a *scim.Attribute)  { a.Required = true }
func immutable(a *scim.Attribute) { a.Mutability = scim.Immutable }
func readOnly(a *scim.Attribute)  { a.Mutability = scim.ReadOnly }

func subs(list ...*scim.Attribute) func(*scim.Attribute) {
	return func(a *scim.Attribute) { a.SubAttributes = list }
}

// widget is a resource type with an attribute of every kind.
func widget() *scim.ResourceType {
	return &scim.ResourceType{
		Name: "Widget", Endpoint: "/Widgets",
		Schema: &scim.Schema{ID: widgetURN, Name: "Widget", Attributes: []*scim.Attribute{
			attr("reqd", scim.TypeString, required),
			attr("str", scim.TypeString),
			attr("strX", scim.TypeString, exact),
			attr("bool", scim.TypeBoolean),
			attr("dec", scim.TypeDecimal),
			attr("int", scim.TypeInteger),
			attr("dt", scim.TypeDateTime),
			attr("bin", scim.TypeBinary),
			attr("ref", scim.TypeReference),
			attr("cplx", scim.TypeComplex, subs(
				attr("a", scim.TypeString),
				attr("n", scim.TypeInteger),
				attr("fix", scim.TypeString, immutable),
				attr("ro", scim.TypeString, readOnly))),
			attr("tags", scim.TypeString, multi),
			attr("nums", scim.TypeInteger, multi),
			attr("items", scim.TypeComplex, multi, subs(
				attr("value", scim.TypeString),
				attr("type", scim.TypeString),
				attr("primary", scim.TypeBoolean),
				attr("display", scim.TypeString),
				attr("n", scim.TypeInteger),
				attr("fix", scim.TypeString, immutable))),
			attr("strict", scim.TypeComplex, multi, subs(
				attr("value", scim.TypeString, required),
				attr("note", scim.TypeString))),
			attr("ro", scim.TypeString, readOnly),
			attr("imm", scim.TypeString, immutable),
			attr("imms", scim.TypeString, immutable, multi),
			attr("wo", scim.TypeString, func(a *scim.Attribute) { a.Mutability, a.Returned = scim.WriteOnly, scim.ReturnedNever }),
			attr("nev", scim.TypeString, func(a *scim.Attribute) { a.Returned = scim.ReturnedNever }),
			attr("alw", scim.TypeString, func(a *scim.Attribute) { a.Returned = scim.ReturnedAlways }),
			attr("req", scim.TypeString, func(a *scim.Attribute) { a.Returned = scim.ReturnedRequest }),
		}},
		Extensions: []scim.Extension{{Schema: &scim.Schema{ID: extraURN, Attributes: []*scim.Attribute{
			attr("note", scim.TypeString),
			attr("level", scim.TypeInteger),
			attr("owner", scim.TypeComplex, subs(attr("name", scim.TypeString), attr("rank", scim.TypeInteger))),
			attr("marks", scim.TypeString, multi),
		}}}},
	}
}

// core returns the resource type of RFC 7643 §4 called name.
func core(tb testing.TB, name string) *scim.ResourceType {
	tb.Helper()
	types := schema.Core()
	i := slices.IndexFunc(types, func(t *scim.ResourceType) bool { return t.Name == name })
	if i < 0 {
		tb.Fatalf("schema.Core has no %s", name)
	}
	return types[i]
}

// typeOf returns a resource type by name.
func typeOf(tb testing.TB, name string) *scim.ResourceType {
	if name == "Widget" {
		return widget()
	}
	return core(tb, name)
}

// tolerant returns the options with every tolerance on.
func tolerant(report func(string)) patch.Options {
	return patch.Options{
		CreateOnNoMatch: true, RemoveByValue: true, EmptyOperations: true, DottedKeys: true,
		IgnoreReadOnly: true, SkipUnknownPaths: true, Report: report,
		Values: schema.Options{
			StringBooleans: true, EmptyUnassigns: true, AnySchemas: true, IgnoreUnknown: true, WrapSingles: true,
			UnwrapSingles: true, BareReferences: true, FreeFormats: true, Report: report,
		},
		Filters: filter.Options{UnquotedStrings: true, Report: report},
	}
}

func object(tb testing.TB, text string) scim.Object {
	tb.Helper()
	o, err := scim.ParseObject([]byte(text), 0, 0)
	if err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return o
}

// resource decodes the members of a resource.
func resource(tb testing.TB, t *scim.ResourceType, members string) *scim.Resource {
	tb.Helper()
	r, _, err := schema.Decode(t, object(tb, `{`+members+`}`), schema.Options{AnySchemas: true})
	if err != nil {
		tb.Fatalf("%s: %v", members, err)
	}
	r.ID = "r1"
	return r
}

// message returns a PatchOp message with the operations, in JSON.
func message(operations string) string {
	return `{"schemas":["` + scim.PatchOpURN + `"],"Operations":[` + operations + `]}`
}

// show returns the members of a resource as JSON.
func show(r *scim.Resource) string {
	text := string(r.Attrs.AppendMembers(nil))
	if r.ExternalID != "" {
		text = strings.TrimSuffix(`"externalId":`+string(scim.AppendString(nil, r.ExternalID))+","+text, ",")
	}
	return text
}

// carryOut applies operations to a resource given as members.
func carryOut(tb testing.TB, t *scim.ResourceType, before, operations string, o patch.Options) (string, error) {
	tb.Helper()
	r := resource(tb, t, before)
	was := scim.Clone(r.Attrs)
	ops, err := patch.Decode(t, object(tb, message(operations)), o)
	if err != nil {
		return "", err
	}
	after, err := patch.Apply(r, ops, o)
	if !scim.Equal(was, r.Attrs) {
		tb.Errorf("Apply changed its argument to %s", show(r))
	}
	if err != nil {
		return "", err
	}
	return show(after), nil
}

// result is what a request does: the members after it, or an error.
type result struct {
	after string         // or
	err   scim.ErrorType // the type of the error
}

// check compares what a request did with what it should do.
func check(tb testing.TB, want result, after string, err error) {
	tb.Helper()
	var e *scim.Error
	switch {
	case want.err != "":
		if !errors.As(err, &e) || e.Type != want.err || e.Status != 400 {
			tb.Errorf("got %s, %v; want error %s", after, err, want.err)
		}
	case err != nil:
		tb.Errorf("unexpected error: %v", err)
	case after != want.after:
		tb.Errorf("got  %s\nwant %s", after, want.after)
	}
}

// row is one request under both profiles.
type row struct {
	name    string // with the rule it shows
	typ     string // "": Widget
	before  string
	ops     string
	strict  result
	lenient *result // nil: as strict
}

func ok(after string) result      { return result{after: after} }
func bad(t scim.ErrorType) result { return result{err: t} }
func or(r result) *result         { return &r }
func runRows(t *testing.T, rows []row) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if row.typ == "" {
				row.typ = "Widget"
			}
			if row.lenient == nil {
				row.lenient = &row.strict
			}
			typ := typeOf(t, row.typ)
			after, err := carryOut(t, typ, row.before, row.ops, patch.Options{})
			check(t, row.strict, after, err)
			after, err = carryOut(t, typ, row.before, row.ops, tolerant(nil))
			check(t, *row.lenient, after, err)
		})
	}
}
