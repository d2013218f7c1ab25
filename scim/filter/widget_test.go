package filter_test

import (
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

// attr makes an attribute with the defaults of RFC 7643 §2.2.
func attr(name string, typ scim.AttributeType, set ...func(*scim.Attribute)) *scim.Attribute {
	a := &scim.Attribute{Name: name, Type: typ, Mutability: scim.ReadWrite, Returned: scim.ReturnedDefault, Uniqueness: scim.UniquenessNone}
	for _, f := range set {
		f(a)
	}
	return a
}

func multi(a *scim.Attribute) { a.MultiValued = true }
func exact(a *scim.Attribute) { a.CaseExact = true }

func with(subs ...*scim.Attribute) func(*scim.Attribute) {
	return func(a *scim.Attribute) { a.SubAttributes = subs }
}

// widget has an attribute of every type (FLT appendix A), and two extensions
// that share a name.
func widget() *scim.ResourceType {
	extension := func(urn string, names ...string) scim.Extension {
		s := &scim.Schema{ID: urn}
		for _, n := range names {
			s.Attributes = append(s.Attributes, attr(n, scim.TypeString))
		}
		return scim.Extension{Schema: s}
	}
	return &scim.ResourceType{Name: "Widget", Schema: &scim.Schema{ID: "urn:example:Widget", Attributes: []*scim.Attribute{
		attr("str", scim.TypeString),
		attr("exact", scim.TypeString, exact),
		attr("bool", scim.TypeBoolean),
		attr("int", scim.TypeInteger),
		attr("dec", scim.TypeDecimal),
		attr("date", scim.TypeDateTime),
		attr("bin", scim.TypeBinary),
		attr("ref", scim.TypeReference),
		attr("tags", scim.TypeString, multi),
		attr("valued", scim.TypeComplex, multi, with(attr("value", scim.TypeString), attr("type", scim.TypeString), attr("primary", scim.TypeBoolean),
			attr("at", scim.TypeDateTime), attr("pin", scim.TypeString, func(a *scim.Attribute) { a.Returned = scim.ReturnedNever }))),
		attr("plain", scim.TypeComplex, with(attr("part", scim.TypeString), attr("list", scim.TypeString, multi))),
		attr("wo", scim.TypeString, func(a *scim.Attribute) { a.Mutability, a.Returned = scim.WriteOnly, scim.ReturnedNever }),
	}}, Extensions: []scim.Extension{extension("urn:example:a:1.0", "alpha", "both"), extension("urn:example:a:1.0:more", "beta", "both")}}
}

func bind(t *testing.T, rt *scim.ResourceType, text string) scim.Filter {
	t.Helper()
	f, err := filter.Parse(text, filter.Options{})
	if err == nil {
		f, err = filter.Bind(rt, f, filter.Options{})
	}
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return f
}

func dateTime(t *testing.T, s string) scim.DateTime {
	t.Helper()
	d, ok := scim.ParseDateTime(s)
	if !ok {
		t.Fatal(s)
	}
	return d
}
