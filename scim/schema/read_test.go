package schema_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

const (
	isSchema = `"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],`
	isType   = `"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],`
)

// one returns a file with a schema of the given attributes and its type.
func one(attributes string) string {
	return `[{` + isSchema + `"id":"urn:x:y:T","attributes":[` + attributes + `]},{` + isType + `"name":"T","schema":"urn:x:y:T"}]`
}

func read(files ...string) ([]*scim.ResourceType, error) {
	fsys := fstest.MapFS{}
	for i, text := range files {
		fsys[string(rune('a'+i))+".json"] = &fstest.MapFile{Data: []byte(text)}
	}
	return schema.Read(schema.Core(), fsys)
}

func TestReadDefaults(t *testing.T) { // SCH-008, RST-010
	t.Parallel()
	all, err := read(one(`{"name":"x"},{"name":"w","mutability":"writeOnly"},{"name":"r","type":"reference"}`))
	if err != nil {
		t.Fatal(err)
	}
	rt := all[2]
	if rt.Name != "T" || rt.Endpoint != "/Ts" || rt.Schema.Name != "urn:x:y:T" {
		t.Errorf("type is %s at %s with schema named %s", rt.Name, rt.Endpoint, rt.Schema.Name)
	}
	got := string(schema.Describe(rt.Schema).AppendJSON(nil))
	for _, want := range []string{
		`{"name":"x","type":"string","multiValued":false,"description":"","required":false,"caseExact":false,` +
			`"mutability":"readWrite","returned":"default","uniqueness":"none"}`,
		`"mutability":"writeOnly","returned":"never"`,
		`"caseExact":true,"mutability":"readWrite","returned":"default","uniqueness":"none","referenceTypes":["uri"]`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("Describe lacks %s:\n%s", want, got)
		}
	}
}

// TestReadFaults checks SCH-007, SCH-018, SCH-020 and that a fault names file
// and attribute.
func TestReadFaults(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, file, want string }{
		{"name", one(`{"name":"1abc"}`), `a.json: "urn:x:y:T:1abc": an attribute's name`},
		{"no name", one(`{"type":"string"}`), `a.json: "urn:x:y:T:": an attribute's name`},
		{"not an object", one(`7`), `a.json: "urn:x:y:T:": an attribute's name`},
		{"twice", one(`{"name":"a"},{"name":"A"}`), `a.json: "urn:x:y:T:A": there are two`},
		{"type", one(`{"name":"a","type":"text"}`), `a.json: "urn:x:y:T:a": "type" must be one of string, boolean`},
		{"mutability", one(`{"name":"a","mutability":"readwrite"}`), `"mutability" must be one of`},
		{"returned", one(`{"name":"a","returned":1}`), `"returned" must be one of`},
		{"flag", one(`{"name":"a","required":"true"}`), `"required" must be true or false`},
		{"characteristic", one(`{"name":"a","mutabilty":"readOnly"}`), `"urn:x:y:T:a": an attribute has no characteristic "mutabilty"`},
		{"writeOnly", one(`{"name":"a","mutability":"writeOnly","returned":"default"}`), `"returned" must be "never"`},
		{"complex sub", one(`{"name":"a","type":"complex","subAttributes":[{"name":"b","type":"complex","subAttributes":[{"name":"c"}]}]}`),
			`"urn:x:y:T:a.b": a sub-attribute can't be complex`},
		{"empty complex", one(`{"name":"a","type":"complex"}`), `"urn:x:y:T:a": needs a list of attributes`},
		{"subs of simple", one(`{"name":"a","subAttributes":[{"name":"b"}]}`), `only a complex attribute has sub-attributes`},
		{"several in one", one(`{"name":"a","type":"complex","subAttributes":[{"name":"b","multiValued":true}]}`),
			`"urn:x:y:T:a.b": a sub-attribute of a resource has one value`},
		{"primary", one(`{"name":"a","type":"complex","multiValued":true,"subAttributes":[{"name":"primary"}]}`),
			`"urn:x:y:T:a.primary": the sub-attribute "primary" is of type boolean`},
		{"ref", one(`{"name":"a","type":"complex","subAttributes":[{"name":"$ref"}]}`), `"$ref" is of type reference`},
		{"display", one(`{"name":"a","type":"complex","subAttributes":[{"name":"display","type":"integer"}]}`), `"display" is of type string`},
		{"common", one(`{"name":"externalId"}`), `"urn:x:y:T:externalId": every resource has this attribute`},
		{"unique complex", one(`{"name":"a","type":"complex","uniqueness":"server","subAttributes":[{"name":"b"}]}`), "can't be unique"},
		{"secret shown", one(`{"name":"a","precis":"opaque"}`), "writeOnly"},
		{"secrets", one(`{"name":"a","precis":"opaque","mutability":"writeOnly","multiValued":true}`), "one writeOnly value"},
		{"secret inside", one(`{"name":"a","type":"complex","subAttributes":[{"name":"b","precis":"opaque","mutability":"writeOnly"}]}`), `"urn:x:y:T:a.b": a password`},
		{"no URN", `{` + isSchema + `"id":"T","attributes":[{"name":"a"}]}`, `a.json: "id": must be a URN`},
		{"message URN", `{` + isSchema + `"id":"` + scim.PatchOpURN + `","attributes":[{"name":"a"}]}`, "RFC 7644 §8.2"},
		{"core", `{` + isSchema + `"id":"` + scim.UserURN + `","attributes":[{"name":"a"}]}`, "exists already"},
		{"unused", `{` + isSchema + `"id":"urn:x:y:T","attributes":[{"name":"a"}]}`, `a.json: "urn:x:y:T": no resource type uses`},
		{"no attributes", `{` + isSchema + `"id":"urn:x:y:T"}`, `"urn:x:y:T": needs a list`},
		{"no schema", `{` + isType + `"name":"T","schema":"urn:x:y:T"}`, `a.json: "T": the schema "urn:x:y:T" is not known`},
		{"no extension", `{` + isType + `"name":"User","schemaExtensions":[{"schema":"urn:x:y:T"}]}`, `the extension "urn:x:y:T" is not known`},
		{"other schema", `{` + isType + `"name":"User","schema":"` + scim.GroupURN + `"}`, "has the schema"},
		{"other endpoint", `{` + isType + `"name":"User","endpoint":"/People"}`, `has the endpoint "/Users" already`},
		{"reserved", `[{` + isSchema + `"id":"urn:x:y:T","attributes":[{"name":"a"}]},{` + isType + `"name":"T","schema":"urn:x:y:T","endpoint":"/bulk"}]`, "is taken"},
		{"same endpoint", `{` + isType + `"name":"T","schema":"` + scim.UserURN + `","endpoint":"/users"}`, "another resource type has the endpoint"},
		{"deep endpoint", `{` + isType + `"name":"T","schema":"` + scim.UserURN + `","endpoint":"/a/b"}`, "one path segment"},
		{"unknown kind", `{"schemas":["urn:x"]}`, `a.json: "schemas" must hold`},
		{"syntax", `{`, "a.json: the file is not valid JSON"},
		{"array syntax", `[{},`, "a.json:"},
		{"after the array", `[] 1`, "a.json:"},
		{"doubled key", `{"id":"a","ID":"b"}`, `"id" and "ID" are the same name`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			all, err := read(tt.file)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want %q in it", err, tt.want)
			}
			if all != nil {
				t.Error("types and an error")
			}
		})
	}
}

func TestReadAllFaults(t *testing.T) {
	t.Parallel()
	_, err := read(one(`{"name":"a","type":"x"},{"name":"b","returned":"x"}`), `{`)
	for _, want := range []string{`a.json: "urn:x:y:T:a"`, `a.json: "urn:x:y:T:b"`, "b.json:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q not in %v", want, err)
		}
	}
}

// TestReadExtendsUser attaches an extension to User and leaves Core alone.
func TestReadExtendsUser(t *testing.T) {
	t.Parallel()
	core := schema.Core()
	before := core[0].Digest
	files := fstest.MapFS{
		"1-type.json": {Data: []byte(`{` + isType + `"name":"User","schemaExtensions":[` +
			`{"schema":"urn:x:y:Badge","required":true},{"schema":"` + scim.EnterpriseUserURN + `","required":true}]}`)},
		"2-schema.json": {Data: []byte("\ufeff{" + isSchema + `"id":"urn:x:y:Badge","attributes":[{"name":"badge","type":"complex","subAttributes":[` +
			`{"name":"value"},{"name":"$ref","type":"reference","referenceTypes":["Group"]}]}]}`)},
		"note.txt": {Data: []byte("not for us")},
	}
	all, err := schema.Read(core, files)
	if err != nil {
		t.Fatal(err)
	}
	user := all[0]
	if len(all) != 2 || len(user.Extensions) != 2 || user.Extensions[0].Schema.ID != scim.EnterpriseUserURN ||
		!user.Extensions[0].Required || user.Extensions[1].Schema.ID != "urn:x:y:Badge" || !user.Extensions[1].Required {
		t.Errorf("extensions are %+v", user.Extensions)
	}
	badge := user.Extensions[1].Schema.Attribute("badge")
	if len(badge.Links) != 1 || badge.Links[0] != "Group" || !badge.Sub("value").CaseExact {
		t.Errorf("badge links %v, caseExact %v", badge.Links, badge.Sub("value").CaseExact)
	}
	if user.Digest == before {
		t.Error("another extension, and the same digest")
	}
	if len(core[0].Extensions) != 1 || core[0].Extensions[0].Required || core[0].Digest != before {
		t.Error("Read changed its argument")
	}
	if user.Schema == core[0].Schema || user.Schema.Attributes[0] == core[0].Schema.Attributes[0] {
		t.Error("the schemas are shared with the argument")
	}
}

func TestReadNothing(t *testing.T) {
	t.Parallel()
	all, err := schema.Read(schema.Core(), fstest.MapFS{})
	if err != nil || len(all) != 2 || all[0].Digest != schema.Core()[0].Digest {
		t.Errorf("Read of no files: %d types, %v", len(all), err)
	}
}

func TestMembershipOfOperators(t *testing.T) {
	t.Parallel()
	all, err := read(one(`{"name":"members","type":"complex","multiValued":true,"subAttributes":[{"name":"value"},` +
		`{"name":"$ref","type":"reference","referenceTypes":["T","User"]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	m := all[2].Membership()
	if m == nil || strings.Join(m.Links, " ") != "User T" || all[2].Groups() != nil {
		t.Errorf("membership %+v", m)
	}
}
