package schema_test

import (
	"flag"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

var update = flag.Bool("update", false, "write the golden files")

// types returns the core types and those of testdata/schemas.
func types(t testing.TB) []*scim.ResourceType {
	t.Helper()
	all, err := schema.Read(schema.Core(), os.DirFS("../../testdata/schemas"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func typeNamed(t testing.TB, name string) *scim.ResourceType {
	t.Helper()
	for _, rt := range types(t) {
		if rt.Name == name {
			return rt
		}
	}
	t.Fatalf("no resource type %s", name)
	return nil
}

// schemas returns what /Schemas lists.
func schemas(t testing.TB) []*scim.Schema {
	var list []*scim.Schema
	for _, rt := range schema.Core() {
		list = append(list, rt.Schema)
		for _, x := range rt.Extensions {
			list = append(list, x.Schema)
		}
	}
	return append(list, schema.Service()...)
}

func TestCoreTypes(t *testing.T) { // USR-001, GRP-001, ENT-001, RST-002, RST-003, RST-004, RST-005
	t.Parallel()
	want := []string{
		`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"id":"User","name":"User",` +
			`"description":"User account","endpoint":"/Users","schema":"urn:ietf:params:scim:schemas:core:2.0:User",` +
			`"schemaExtensions":[{"schema":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User","required":false}]}`,
		`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"id":"Group","name":"Group",` +
			`"description":"Group of users and other groups","endpoint":"/Groups",` +
			`"schema":"urn:ietf:params:scim:schemas:core:2.0:Group","schemaExtensions":[]}`,
	}
	core := schema.Core()
	if len(core) != len(want) {
		t.Fatalf("Core has %d types, want %d", len(core), len(want))
	}
	for i, rt := range core {
		if got := string(schema.DescribeType(rt).AppendJSON(nil)); got != want[i] {
			t.Errorf("DescribeType\n got %s\nwant %s", got, want[i])
		}
		if len(rt.Digest) != 16 {
			t.Errorf("%s: digest %q", rt.Name, rt.Digest)
		}
	}
	if core[0].Digest == core[1].Digest || core[0].Digest != schema.Core()[0].Digest {
		t.Error("a digest must tell schemas apart, and be the same each time")
	}
}

// TestSchemasGolden compares all that /Schemas says with a file: SCM-011,
// the corrections of the printed schemas and the errata are in it.
func TestSchemasGolden(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, s := range schemas(t) {
		b.WriteString(s.ID + "\n")
		outline(&b, s.Attributes, "  ")
	}
	const file = "testdata/schemas.golden"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("schemas (-want +got):\n%s", diff)
	}
}

func outline(b *strings.Builder, attrs []*scim.Attribute, indent string) {
	for _, a := range attrs {
		b.WriteString(indent + a.Name + " " + string(a.Type))
		for _, f := range []struct {
			word string
			on   bool
		}{{"[]", a.MultiValued}, {"required", a.Required}, {"caseExact", a.CaseExact},
			{string(a.Mutability), a.Mutability != scim.ReadWrite}, {string(a.Returned), a.Returned != scim.ReturnedDefault},
			{string(a.Uniqueness), a.Uniqueness != scim.UniquenessNone}, {"membership", a.Membership}, {"derived", a.Derived},
			{"precis:" + string(a.Precis), a.Precis != ""}, {"links:" + strings.Join(a.Links, ","), a.Links != nil},
			{"refs:" + strings.Join(a.ReferenceTypes, ","), a.ReferenceTypes != nil},
			{"canonical:" + strings.Join(a.CanonicalValues, ","), a.CanonicalValues != nil}} {
			if f.on {
				b.WriteString(" " + f.word)
			}
		}
		b.WriteString("\n")
		outline(b, a.SubAttributes, indent+"  ")
	}
}

// TestDescribe checks SCM-003, SCM-004, SCM-005 on every attribute there is.
func TestDescribe(t *testing.T) {
	t.Parallel()
	enums := map[string]string{
		"type":       " string boolean decimal integer dateTime binary reference complex ",
		"mutability": " readOnly readWrite immutable writeOnly ",
		"returned":   " always never default request ",
		"uniqueness": " none server global ",
	}
	var check func(t *testing.T, path string, o scim.Object)
	check = func(t *testing.T, path string, o scim.Object) {
		for _, name := range []string{"name", "type", "multiValued", "description", "required", "caseExact", "mutability",
			"returned", "uniqueness"} {
			if o.Get(name) == nil {
				t.Errorf("%s: no %q", path, name)
			}
		}
		for name, words := range enums {
			if word, _ := o.Get(name).(string); !strings.Contains(words, " "+word+" ") {
				t.Errorf("%s: %s is %q", path, name, word)
			}
		}
		if o.Get("type") == "reference" && o.Get("referenceTypes") == nil {
			t.Errorf("%s: no referenceTypes", path)
		}
		subs, _ := o.Get("subAttributes").([]any)
		if (o.Get("type") == "complex") != (len(subs) > 0) {
			t.Errorf("%s: %d sub-attributes", path, len(subs))
		}
		for _, s := range subs {
			sub := s.(scim.Object)
			check(t, path+"."+sub.Get("name").(string), sub)
		}
	}
	all := schemas(t)
	for _, rt := range types(t) {
		all = append(all, rt.Schema)
	}
	for _, s := range all {
		o := schema.Describe(s)
		if text := string(o.AppendJSON(nil)); strings.Contains(text, "null") {
			t.Errorf("%s: null in %s", s.ID, text)
		}
		if o.Get("id") != s.ID || o.Get("name") == "" || o.Get("description") == nil ||
			!scim.Equal(o.Get("schemas"), []any{scim.SchemaURN}) {
			t.Errorf("%s: head is %v", s.ID, o[:4])
		}
		for _, a := range o.Get("attributes").([]any) {
			check(t, s.ID+":"+a.(scim.Object).Get("name").(string), a.(scim.Object))
		}
	}
}

// TestDescribeRead checks that what is published reads back as the same schema.
func TestDescribeRead(t *testing.T) {
	t.Parallel()
	for _, rt := range types(t)[2:] {
		files := fstest.MapFS{"type.json": {Data: schema.DescribeType(rt).AppendJSON(nil)},
			"schema.json": {Data: schema.Describe(rt.Schema).AppendJSON(nil)}}
		for _, x := range rt.Extensions {
			files["x"+x.Schema.Name+".json"] = &fstest.MapFile{Data: schema.Describe(x.Schema).AppendJSON(nil)}
		}
		again, err := schema.Read(types(t)[:2], files)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(rt.Schema.Attributes, again[2].Schema.Attributes, cmp.FilterPath(func(p cmp.Path) bool {
			return p.Last().String() == ".Links" // what the other file links to is not there
		}, cmp.Ignore())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", rt.Name, diff)
		}
	}
}
