package schema_test

import (
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// auto is every tolerance at once.
func auto(report func(string)) schema.Options {
	return schema.Options{StringBooleans: true, EmptyUnassigns: true, AnySchemas: true, IgnoreUnknown: true, WrapSingles: true,
		UnwrapSingles: true, BareReferences: true, FreeFormats: true, Report: report}
}

func parse(t testing.TB, text string) scim.Object {
	t.Helper()
	o, err := scim.ParseObject([]byte(text), 0, 0)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return o
}

// body puts the right schemas before the members of a resource.
func body(rt *scim.ResourceType, members string) string {
	if members != "" {
		members = "," + members
	}
	return `{"schemas":["` + rt.Schema.ID + `"]` + members + `}`
}

// values returns the attributes as JSON.
func values(r *scim.Resource) string { return string(r.Attrs.AppendJSON(nil)) }

// wantError checks status 400, the type, and that each word is in the detail.
func wantError(t *testing.T, err error, kind scim.ErrorType, words ...string) {
	t.Helper()
	var e *scim.Error
	if !errors.As(err, &e) || e.Status != 400 || e.Type != kind {
		t.Fatalf("error is %v, want 400 %s", err, kind)
	}
	for _, w := range words {
		if !strings.Contains(e.Detail, w) {
			t.Errorf("%q is not in %q", w, e.Detail)
		}
	}
}

func TestDecodeWidget(t *testing.T) {
	t.Parallel()
	widget := typeNamed(t, "Widget")
	const bad = "!"
	tests := []struct{ name, in, strict, lax string }{ // "!path" is an invalidValue that names the path; lax "" is as strict
		{"SCH-009 text", `"str":"ä 😀"`, `{"str":"ä 😀"}`, ""},
		{"SCH-009 empty", `"str":""`, `{"str":""}`, `{}`},
		{"SCH-009 number", `"str":123`, "!str", ""},
		{"SCH-010", `"bool":true`, `{"bool":true}`, ""},
		{"SCH-010 yes", `"bool":"yes"`, "!bool", ""},
		{"BODY-01", `"bool":"True"`, "!bool", `{"bool":true}`},
		{"BODY-01 false", `"bool":"FALSE"`, "!bool", `{"bool":false}`},
		{"BODY-01 empty", `"bool":""`, "!bool", `{}`},
		{"SCH-010 number", `"bool":1`, "!bool", ""},
		{"SCH-011", `"int":42`, `{"int":42}`, ""},
		{"SCH-011 least", `"int":-9223372036854775808`, `{"int":-9223372036854775808}`, ""},
		{"SCH-011 too great", `"int":9223372036854775808`, "!int", ""},
		{"SCH-011 fraction", `"int":1.5`, "!int", ""},
		{"SCH-011 exponent", `"int":1e3`, "!int", ""},
		{"SCH-011 text", `"int":"5"`, "!int", ""},
		{"SCH-012", `"dec":3.25`, `{"dec":3.25}`, ""},
		{"SCH-012 digits", `"dec":0.123456789012345`, `{"dec":0.123456789012345}`, ""},
		{"SCH-012 whole", `"dec":3`, `{"dec":3.0}`, ""},
		{"SCH-012 text", `"dec":"3.25"`, "!dec", ""},
		{"SCH-012 huge", `"dec":1e999`, "!dec", ""},
		{"SCH-013 date", `"dt":"2026-01-02"`, "!dt", ""},
		{"SCH-013", `"dt":"2026-01-02T03:04:05.678+02:00"`, `{"dt":"2026-01-02T03:04:05.678+02:00"}`, ""},
		{"SCH-013 number", `"dt":5`, "!dt", ""},
		{"SCH-014", `"bin":"aGk"`, `{"bin":"aGk="}`, ""},
		{"SCH-014 padded", `"bin":"aGk="`, `{"bin":"aGk="}`, ""},
		{"SCH-014 alphabet", `"bin":"a b!"`, "!bin", ""},
		{"SCH-014 line break", `"bin":"aG\nk="`, "!bin", ""},
		{"SCH-014 url alphabet", `"bin":"__--"`, "!bin", ""},
		{"SCH-015", `"ref":"Users/1"`, `{"ref":"Users/1"}`, ""},
		{"SCH-015 number", `"ref":1`, "!ref", ""},
		{"SCH-018 order", `"cplx":{"n":1,"a":"x"}`, `{"cplx":{"a":"x","n":1}}`, ""},
		{"SCH-018 text", `"cplx":"x"`, "!cplx", ""},
		{"SCH-019 object", `"items":{"value":"x"}`, "!items", `{"items":[{"value":"x"}]}`},
		{"SCH-019 text", `"tags":"x"`, "!tags", `{"tags":["x"]}`},
		{"BODY-07 text", `"items":"x"`, "!items", `{"items":[{"value":"x"}]}`},
		{"SCH-019 nested", `"tags":[["x","y"]]`, "!tags", ""},
		{"SCH-023", `"tags":["x","y","x"],"items":[{"value":"x","type":"t"},{"type":"t","value":"x"}]`,
			`{"tags":["x","y"],"items":[{"value":"x","type":"t"}]}`, ""},
		{"SCH-025", `"str":null,"tags":[],"cplx":{},"items":[{},null,{"value":null}],"nums":null`, `{}`, ""},
		{"SCH-027", `"ro":7,"id":"x","meta":{"created":5}`, `{}`, ""},
		{"COM-002", `"id":["x"],"externalId":"e","meta":0`, `{}`, ""},
		{"order of the schema", `"nums":[2,1],"str":"s","strX":"X"`, `{"str":"s","strX":"X","nums":[2,1]}`, ""},
		{"SCH-005", `"STR":"s","Cplx":{"A":"x"}`, `{"str":"s","cplx":{"a":"x"}}`, ""},
		{"SCH-035", `"URN:X:TEST:2.0:widgetext":{"LEVEL":3}`, `{"urn:x:test:2.0:WidgetExt":{"level":3}}`, ""},
		{"extension null", `"urn:x:test:2.0:WidgetExt":null`, `{}`, ""},
		{"extension empty", `"urn:x:test:2.0:WidgetExt":{"note":null}`, `{}`, ""},
		{"extension text", `"urn:x:test:2.0:WidgetExt":"x"`, "!urn:x:test:2.0:WidgetExt", ""},
		{"extension fault", `"urn:x:test:2.0:WidgetExt":{"level":"3"}`, "!urn:x:test:2.0:WidgetExt:level", ""},
		{"PATCH-18", `"str":["x"],"int":{"value":4}`, "!str", `{"str":"x","int":4}`},
		{"PATCH-18 no value", `"str":[{"name":"x"}]`, "!str", ""},
		{"PATCH-18 two", `"str":["x","y"]`, "!str", ""},
		{"BODY-02 values", `"tags":["","x"],"items":[{"value":""},{"value":"y"}]`,
			`{"tags":["","x"],"items":[{"value":""},{"value":"y"}]}`, `{"tags":["x"],"items":[{"value":"y"}]}`},
		{"SCH-032 empty", `"reqd":""`, `{"reqd":""}`, ""},
		{"$ref is data here", `"items":[{"$ref":"http://x/1","display":"d"}]`, `{"items":[{"display":"d","$ref":"http://x/1"}]}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.lax == "" {
				tt.lax = tt.strict
			}
			for i, want := range []string{tt.strict, tt.lax} {
				o := []schema.Options{{}, auto(nil)}[i]
				r, _, err := schema.Decode(widget, parse(t, body(widget, tt.in)), o)
				if path, isBad := strings.CutPrefix(want, bad); isBad {
					wantError(t, err, scim.TypeInvalidValue, `"`+path+`": `)
				} else if err != nil || values(r) != want {
					t.Errorf("Decode(%s, lax %v) = %s, %v\nwant %s", tt.in, o.FreeFormats, values(r), err, want)
				}
			}
		})
	}
}

func TestDecodeSchemas(t *testing.T) { // SCH-001, SCH-002, SCH-003, SCH-004, SCH-005, CRE-010
	t.Parallel()
	user := schema.Core()[0]
	const u, e, g = `"` + scim.UserURN + `"`, `"` + scim.EnterpriseUserURN + `"`, `"` + scim.GroupURN + `"`
	tests := []struct {
		schemas     string // "" for none
		strict, lax bool
	}{
		{"[" + u + "]", true, true},
		{"[" + u + "," + e + "]", true, true},
		{"[" + e + "," + u + "]", true, true},
		{"[" + strings.ToUpper(u) + "]", true, true},
		{"", false, true},
		{"null", false, true},
		{"[]", false, true},
		{u, false, true}, // BODY-07
		{`"x"`, false, true},
		{"{}", false, false},
		{"[1]", false, false},
		{"[" + u + "," + strings.ToUpper(u) + "]", false, false},
		{"[" + e + "]", false, false},
		{"[" + u + "," + g + "]", false, false},
		{"[" + g + "]", false, false},
		{`["` + scim.PatchOpURN + `"]`, false, false},
		{"[" + u + `,"urn:ietf:params:SCIM:api:x"]`, false, false},
		{`["urn:scim:schemas:core:1.0"]`, false, true},
		{"[" + u + `,"urn:ietf:params:scim:schemas:extension:enterprise:2.0User"]`, false, true},
		{`["urn:x:served"]`, false, false},
	}
	for _, tt := range tests {
		text := `{"userName":"a"}`
		if tt.schemas != "" {
			text = `{"schemas":` + tt.schemas + `,"userName":"a"}`
		}
		check := func(o schema.Options, ok bool) {
			_, _, err := schema.Decode(user, parse(t, text), o)
			if ok && err != nil {
				t.Errorf("schemas %s: %v", tt.schemas, err)
			}
			if !ok {
				wantError(t, err, scim.TypeInvalidSyntax, `"schemas": `)
			}
		}
		check(schema.Options{}, tt.strict)
		rules := 0
		o := auto(func(string) { rules++ })
		o.Served = func(urn string) bool { return urn == "urn:x:served" }
		check(o, tt.lax)
		if tt.lax && !tt.strict && rules == 0 {
			t.Errorf("schemas %s: accepted without a rule", tt.schemas)
		}
	}
}

func TestDecodeUnknown(t *testing.T) { // SCH-034, SCH-037, BODY-04
	t.Parallel()
	user := schema.Core()[0]
	for _, tt := range []struct{ in, path string }{
		{`"dispalyName":"x"`, "dispalyName"},
		{`"employeeNumber":"1"`, "employeeNumber"},
		{`"name":{"first":"x"}`, "name.first"},
		{`"emails":[{"valeu":"x","value":null}]`, "emails.valeu"},
		{`"` + scim.EnterpriseUserURN + `":{"dept":1}`, scim.EnterpriseUserURN + ":dept"},
		{`"urn:x:y":{"a":1}`, "urn:x:y"},
		{`"` + scim.UserURN + `":7`, scim.UserURN},
	} {
		raw := parse(t, body(user, tt.in))
		_, _, err := schema.Decode(user, raw, schema.Options{})
		wantError(t, err, scim.TypeInvalidSyntax, `"`+tt.path+`": no schema`)
		var rules []string
		r, named, err := schema.Decode(user, raw, auto(func(s string) { rules = append(rules, s) }))
		if err != nil || len(r.Attrs) != 0 {
			t.Errorf("%s: %s, named %v, %v", tt.in, values(r), named, err)
		}
		if !slices.Equal(rules, []string{"BODY-04"}) {
			t.Errorf("%s: rules %v", tt.in, rules)
		}
	}
}

// Some clients treat the base schema as an extension: what is under its URN
// counts as if it were not, but for what the body has itself (BODY-04).
func TestDecodeOpened(t *testing.T) {
	t.Parallel()
	user := schema.Core()[0]
	raw := parse(t, body(user, `"title":"own","`+strings.ToUpper(scim.UserURN)+`":{"title":"inner","nickName":"n","externalId":"e"}`))
	if _, _, err := schema.Decode(user, raw, schema.Options{}); err == nil {
		t.Error("strict takes it")
	}
	var rules []string
	r, named, err := schema.Decode(user, raw, auto(func(s string) { rules = append(rules, s) }))
	if err != nil || r.ExternalID != "e" || values(r) != `{"nickName":"n","title":"own"}` || !slices.Equal(rules, []string{"BODY-04"}) {
		t.Errorf("%s, named %v, rules %v, %v", values(r), named, rules, err)
	}
	if len(raw) != 3 {
		t.Errorf("the body has become %v", raw)
	}
}

func TestDecodeNamed(t *testing.T) {
	t.Parallel()
	user := schema.Core()[0]
	r, named, err := schema.Decode(user, parse(t, body(user, `"`+scim.EnterpriseUserURN+`":{"manager":null,"costCenter":"c"},`+
		`"TITLE":null,"groups":[],"id":"x","userName":"a","EXTERNALID":"E"`)), schema.Options{})
	want := []string{"externalId", "userName", "title", scim.EnterpriseUserURN + ":costCenter", scim.EnterpriseUserURN + ":manager"}
	if err != nil || !slices.Equal(named, want) || r.ExternalID != "E" {
		t.Errorf("named %v, want %v; externalId %q; %v", named, want, r.ExternalID, err)
	}
	_, named, _ = schema.Decode(user, parse(t, body(user, `"`+scim.EnterpriseUserURN+`":null`)), schema.Options{})
	if !slices.Equal(named, []string{scim.EnterpriseUserURN}) {
		t.Errorf("named %v", named)
	}
	if _, _, err = schema.Decode(user, parse(t, body(user, `"externalId":5`)), schema.Options{}); err == nil {
		t.Error("externalId 5 was accepted")
	}
}

// TestDecodeAllFaults checks ERR-012: all faults at once, the gravest kind
// first, the same for each order of the body; and ERR-011: no value in it.
func TestDecodeAllFaults(t *testing.T) {
	t.Parallel()
	user := schema.Core()[0]
	_, _, err := schema.Decode(user, parse(t, body(user, `"active":"secret1","zzz":1,"password":["secret2"],"aaa":2`)), schema.Options{})
	wantError(t, err, scim.TypeInvalidSyntax, "aaa", "zzz", "active", "password")
	_, _, again := schema.Decode(user, parse(t, body(user, `"aaa":2,"password":["secret2"],"zzz":1,"active":"secret1"`)), schema.Options{})
	if err.Error() != again.Error() {
		t.Errorf("two orders, two errors:\n%v\n%v", err, again)
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("a value is in %v", err)
	}
	many := ""
	for i := range 40 {
		many += `,"x` + strconv.Itoa(i) + `":1`
	}
	_, _, err = schema.Decode(user, parse(t, body(user, many[1:])), schema.Options{})
	wantError(t, err, scim.TypeInvalidSyntax, "and more")
	if len(err.Error()) > 1500 {
		t.Errorf("the error has %d bytes", len(err.Error()))
	}
}

func TestDecodeMembers(t *testing.T) { // GRP-005, GRP-007, GRP-010, GRP-15
	t.Parallel()
	group := schema.Core()[1]
	refs := func(ids ...string) (list []scim.MemberRef) {
		for _, id := range ids {
			list = append(list, scim.MemberRef{ID: id})
		}
		return list
	}
	tests := []struct {
		name, in string
		strict   []scim.MemberRef // nil: invalidValue
		lax      []scim.MemberRef
	}{
		{"each once, in order", `[{"value":"b"},{"VALUE":"a"},{"value":"b"}]`, refs("b", "a"), refs("b", "a")},
		{"derived ones are ignored", `[{"value":"b","display":5,"type":"x","$ref":"y"}]`, refs("b"), refs("b")},
		{"by $ref", `[{"$ref":"https://h/scim/v2/Users/7"}]`, refs("7"), refs("7")},
		{"null", `[null,{"value":"a"}]`, refs("a"), refs("a")},
		{"bare", `["a"]`, nil, refs("a")},
		{"bare alone", `"a"`, nil, refs("a")},
		{"lone object", `{"value":"a"}`, nil, refs("a")},
		{"empty id", `[{"value":""},{"value":"a"}]`, nil, refs("a")},
		{"empty ids alone", `[{"value":""}]`, nil, nil},
		{"empty objects alone", `[{},null]`, nil, nil},
		{"no id", `[{"display":"x"}]`, nil, nil},
		{"wrong id", `[{"value":7}]`, nil, nil},
		{"not an object", `[7]`, nil, nil},
	}
	for _, tt := range tests {
		for want, o := range map[*[]scim.MemberRef]schema.Options{&tt.strict: {}, &tt.lax: auto(nil)} {
			r, _, err := schema.Decode(group, parse(t, body(group, `"displayName":"g","members":`+tt.in)), o)
			if *want == nil {
				wantError(t, err, scim.TypeInvalidValue, `"members`)
			} else if err != nil || !reflect.DeepEqual(r.Attrs.Get("members"), *want) {
				t.Errorf("%s: %v, %v; want %v", tt.name, r.Attrs.Get("members"), err, *want)
			}
		}
	}
	// Where groups hold no groups, a member that is said to be one is none.
	flat := *group.Schema.Attribute("members")
	flat.Links = []string{"User"}
	flatSchema, flatGroup := *group.Schema, *group
	flatSchema.Attributes = slices.Clone(flatSchema.Attributes)
	flatSchema.Attributes[slices.Index(flatSchema.Attributes, group.Schema.Attribute("members"))] = &flat
	flatGroup.Schema = &flatSchema
	for typ, ok := range map[string]bool{`"Group"`: false, `"group"`: false, `"User"`: true, `"x"`: true, `7`: true, `null`: true} {
		for _, o := range []schema.Options{{}, auto(nil)} {
			_, _, err := schema.Decode(&flatGroup, parse(t, body(group, `"displayName":"g","members":[{"value":"a","type":`+typ+`}]`)), o)
			if ok && err != nil {
				t.Errorf("type %s: %v", typ, err)
			} else if !ok {
				wantError(t, err, scim.TypeInvalidValue, `"members.type`)
			}
		}
	}
	r, _, err := schema.Decode(group, parse(t, body(group, `"displayName":"g","members":[]`)), schema.Options{})
	if err != nil || r.Attrs.Get("members") != nil { // GRP-004
		t.Errorf("no members: %v, %v", r.Attrs, err)
	}
}

func TestDecodeManager(t *testing.T) { // ENT-003, ENT-004, BODY-08
	t.Parallel()
	user := schema.Core()[0]
	const u2 = `{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"U2"}}}`
	tests := []struct{ in, strict, lax string }{
		{`{"value":"U2","displayName":"x","$ref":7}`, u2, u2},
		{`{"$ref":"../Users/U2"}`, u2, u2},
		{`{"value":null,"$ref":"../Users/U2"}`, `{}`, `{}`},
		{`"U2"`, "", u2},
		{`[{"$ref":"x","Value":"U2"}]`, "", u2},
		{`""`, "", `{}`},
		{`[]`, "", `{}`},
		{`{"value":""}`, `{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":""}}}`, `{}`},
		{`7`, "", ""},
		{`[7]`, "", ""},
	}
	for _, tt := range tests {
		for want, o := range map[*string]schema.Options{&tt.strict: {}, &tt.lax: auto(nil)} {
			r, _, err := schema.Decode(user, parse(t, body(user, `"`+scim.EnterpriseUserURN+`":{"manager":`+tt.in+`}`)), o)
			if *want == "" {
				wantError(t, err, scim.TypeInvalidValue, scim.EnterpriseUserURN+":manager")
			} else if err != nil || values(r) != *want {
				t.Errorf("manager %s: %s, %v; want %s", tt.in, values(r), err, *want)
			}
		}
	}
}

func TestDecodePassword(t *testing.T) { // USR-015, SEC-012
	t.Parallel()
	user := schema.Core()[0]
	r, _, err := schema.Decode(user, parse(t, body(user, `"password":"A\u030A\u00a0b"`)), schema.Options{})
	if err != nil || r.Attrs.Get("password") != "Å b" {
		t.Errorf("password %q, %v", r.Attrs.Get("password"), err)
	}
	_, _, err = schema.Decode(user, parse(t, body(user, `"password":"a\u0007"`)), schema.Options{})
	wantError(t, err, scim.TypeInvalidValue, `"password"`)
}

func TestDecodeLeavesInput(t *testing.T) {
	t.Parallel()
	user := schema.Core()[0]
	text := body(user, `"emails":[{"value":"a"},{"value":"a"},null],"name":{"x":1,"givenName":"b"}`)
	raw, same := parse(t, text), parse(t, text)
	if _, _, err := schema.Decode(user, raw, auto(nil)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(same, raw); diff != "" {
		t.Errorf("Decode changed its input:\n%s", diff)
	}
}

func TestValue(t *testing.T) {
	t.Parallel()
	user, group := schema.Core()[0], schema.Core()[1]
	tests := []struct{ rt, path, in, want string }{ // want "!…" is an error
		{"User", "title", `"x"`, `"x"`},
		{"User", "title", `null`, `null`},
		{"User", "active", `"False"`, `!`},
		{"User", "active", `{}`, `!`},
		{"User", "name", `{"givenName":"b","familyName":null}`, `{"givenName":"b"}`},
		{"User", "name.givenName", `"b"`, `"b"`},
		{"User", "emails", `[{"value":"a"}]`, `[{"value":"a"}]`},
		{"User", "emails", `{"value":"a"}`, `[{"value":"a"}]`}, // PAT-026
		{"User", "emails", `[]`, `null`},
		{"User", "emails", `[{"value":null}]`, `null`},
		{"User", "emails", `[{},null]`, `!`},
		{"User", "emails.primary", `true`, `true`},
		{"User", "addresses", `"x"`, `!`}, // PAT-019
		{"User", "externalId", `"e"`, `"e"`},
		{"User", scim.EnterpriseUserURN, `{"department":"d","manager":{"value":"m","displayName":"n"}}`, `{"department":"d","manager":{"value":"m"}}`},
		{"User", scim.EnterpriseUserURN, `"d"`, `!`},
		{"User", scim.EnterpriseUserURN, `null`, `null`},
		{"User", scim.EnterpriseUserURN, `{}`, `null`},
		{"User", scim.EnterpriseUserURN + ":manager", `"m"`, `!`},
		{"User", scim.EnterpriseUserURN + ":manager.value", `"m"`, `"m"`},
		{"Group", "members", `[{"value":"a"},{"value":"a"}]`, `[{"value":"a"}]`},
		{"Group", "members", `{"value":"a"}`, `[{"value":"a"}]`},
	}
	for _, tt := range tests {
		rt := user
		if tt.rt == "Group" {
			rt = group
		}
		v, err := schema.Value(rt, resolve(t, rt, tt.path), parse(t, `{"v":`+tt.in+`}`).Get("v"), schema.Options{})
		if tt.want == "!" {
			wantError(t, err, scim.TypeInvalidValue, `"`+tt.path)
		} else if got := string(scim.AppendValue(nil, v)); err != nil || got != tt.want {
			t.Errorf("Value(%s, %s) = %s, %v; want %s", tt.path, tt.in, got, err, tt.want)
		}
	}
}

func resolve(t testing.TB, rt *scim.ResourceType, path string) scim.AttrPath {
	t.Helper()
	var p scim.AttrPath
	rest := path
	if i := strings.LastIndexByte(path, ':'); i >= 0 {
		p.URN, rest = path[:i], path[i+1:]
	}
	p.Name, p.Sub, _ = strings.Cut(rest, ".")
	bound, ok := rt.Resolve(p)
	if !ok {
		t.Fatalf("no attribute %s", path)
	}
	return bound
}

func TestValueRules(t *testing.T) { // PATCH-09, PATCH-11, PATCH-18, PAT-054, PAT-056
	t.Parallel()
	user := schema.Core()[0]
	for _, tt := range []struct{ path, in, want, rule string }{
		{"active", `"False"`, `false`, "PATCH-09"},
		{"title", `[{"$ref":null,"value":"X"}]`, `"X"`, "PATCH-18"},
		{"title", `""`, `null`, "BODY-02"},
		{scim.EnterpriseUserURN + ":manager", `"m"`, `{"value":"m"}`, "PATCH-11"},
		{scim.EnterpriseUserURN + ":manager", `[{"value":"m"}]`, `{"value":"m"}`, "PATCH-11"},
		{"name", `{"first":"x"}`, `null`, "BODY-04"},
		{"active", `""`, `null`, "PATCH-09"},
		{"password", `""`, `null`, "BODY-02"},
		{"emails", `[{"value":""}]`, `null`, "BODY-02"},
	} {
		var rules []string
		v, err := schema.Value(user, resolve(t, user, tt.path), parse(t, `{"v":`+tt.in+`}`).Get("v"), auto(func(s string) { rules = append(rules, s) }))
		got := string(scim.AppendValue(nil, v))
		if err != nil || got != tt.want || !slices.Equal(rules, []string{tt.rule}) {
			t.Errorf("Value(%s, %s) = %s, %v, rules %v; want %s by %s", tt.path, tt.in, got, err, rules, tt.want, tt.rule)
		}
	}
}
