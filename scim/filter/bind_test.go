package filter_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// TestOperatorTable is FLT appendix A: each cell of operator by data type.
func TestOperatorTable(t *testing.T) {
	t.Parallel()
	ops := strings.Fields("eq ne co sw ew gt ge lt le")
	for path, c := range map[string]struct{ literal, allowed string }{
		"str":    {`"a"`, "eq ne co sw ew gt ge lt le"},
		"exact":  {`"a"`, "eq ne co sw ew gt ge lt le"},
		"bool":   {`true`, "eq ne"},
		"int":    {`5`, "eq ne gt ge lt le"},
		"dec":    {`1.5`, "eq ne gt ge lt le"},
		"date":   {`"2026-01-01T00:00:00Z"`, "eq ne gt ge lt le"},
		"bin":    {`"aGk="`, "eq ne"},
		"ref":    {`"https://x"`, "eq ne co sw ew gt ge lt le"},
		"tags":   {`"a"`, "eq ne co sw ew gt ge lt le"},
		"valued": {`"a"`, "eq ne co sw ew gt ge lt le"},
		"plain":  {`"a"`, ""},
	} {
		rt := widget()
		for _, op := range ops {
			text := path + " " + op + " " + c.literal
			f, err := filter.Parse(text, filter.Options{})
			if err != nil {
				t.Fatal(text, err)
			}
			_, err = filter.Bind(rt, f, filter.Options{})
			if want := strings.Contains(c.allowed, op); (err == nil) != want {
				t.Errorf("%s: %v", text, err)
			}
			nullable := op == "eq" || op == "ne"
			_, err = filter.Bind(rt, &scim.AttrExp{Path: scim.AttrPath{Name: path}, Op: scim.CompareOp(op)}, filter.Options{})
			if (err == nil) != nullable {
				t.Errorf("%s %s null: %v", path, op, err)
			}
		}
		bind(t, rt, path+" pr")
	}
}

// FLT-025, FLT-028…FLT-030: operands get the attribute's type.
func TestOperands(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]any{
		`str eq "A"`:                             "A",
		`bool eq true`:                           true,
		`bool eq "False"`:                        false,
		`bool ne "TRUE"`:                         true,
		`int eq 5`:                               int64(5),
		`int eq 5.0`:                             int64(5),
		`int eq 5e0`:                             int64(5),
		`int gt 5.5`:                             5.5,
		`int eq 9223372036854775807`:             int64(9223372036854775807),
		`int lt 9223372036854775808`:             9223372036854775808.0,
		`int eq 9007199254740993.0`:              int64(9007199254740993),
		`dec ge 1.50`:                            1.5,
		`dec eq 5`:                               5.0,
		`date gt "2026-01-01T01:00:00+01:00"`:    dateTime(t, "2026-01-01T01:00:00+01:00"),
		`date gt "0001-01-03T00:00:00.0000000Z"`: dateTime(t, "0001-01-03T00:00:00.0000000Z"),
		`bin eq "aGk="`:                          []byte("hi"),
		`bin eq "aGk"`:                           []byte("hi"),
		`bin eq "_-8="`:                          []byte{0xff, 0xef},
		`ref eq "x"`:                             "x",
		`meta.version eq "W/\"3\""`:              "3",
		`meta.version eq "3"`:                    "3",
	} {
		e, ok := bind(t, widget(), text).(*scim.AttrExp)
		if !ok || !reflect.DeepEqual(e.Value, want) {
			t.Errorf("%s: got %#v, want %#v", text, e.Value, want)
		}
	}
}

// QRY-09: that a text was taken for a boolean is reported.
func TestBooleanTextsAreReported(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{`bool eq "True"`: "QRY-09", `bool eq true`: "", `str eq "true"`: ""} {
		f, err := filter.Parse(text, filter.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if _, err := filter.Bind(widget(), f, filter.Options{Report: func(rule string) { got = rule }}); err != nil || got != want {
			t.Errorf("%s: reported %q, %v", text, got, err)
		}
	}
}

// FLT-014, FLT-016, FLT-032, FLT-039: what several texts say has one form.
func TestBoundForms(t *testing.T) {
	t.Parallel()
	types := schema.Core()
	const ext = scim.EnterpriseUserURN
	for text, want := range map[string]string{
		`USERNAME eq "a"`:                                           `userName eq "a"`,
		scim.UserURN + `:Name.Familyname pr`:                        `name.familyName pr`,
		strings.ToUpper(scim.UserURN) + `:id eq "a"`:                `id eq "a"`,
		`emails co "x"`:                                             `emails.value co "x"`,
		`emails pr`:                                                 `emails pr`,
		`emails eq null`:                                            `emails eq null`,
		`emails[TYPE eq "work"]`:                                    `emails[type eq "work"]`,
		`emails[type eq "work"].value eq "x"`:                       `emails[type eq "work" and value eq "x"]`,
		`manager eq "u"`:                                            ext + `:manager.value eq "u"`,
		`manager.value eq "u"`:                                      ext + `:manager.value eq "u"`,
		strings.ToLower(ext) + `:Manager[value eq "u"]`:             ext + `:manager[value eq "u"]`,
		ext + `.manager eq "u"`:                                     ext + `:manager.value eq "u"`,
		`manager.$ref eq "https://h/scim/v2/Users/u"`:               ext + `:manager.value eq "u"`,
		`manager.$ref ne "../Users/u"`:                              ext + `:manager.value ne "u"`,
		`manager.$ref eq "u"`:                                       ext + `:manager.value eq "u"`,
		`manager.$ref pr`:                                           ext + `:manager.value pr`,
		`manager[$ref eq "Users/u"]`:                                ext + `:manager[value eq "u"]`,
		`groups.$ref eq "https://h/v2/Groups/g"`:                    `groups.value eq "g"`,
		`groups[$ref eq "https://h/Groups/g" and type eq "direct"]`: `groups[value eq "g" and type eq "direct"]`,
		`groups.display co "x"`:                                     `groups.display co "x"`,
		`meta[resourceType eq "User" and not (created pr)]`:         `meta.resourceType eq "User" and not (meta.created pr)`,
		`schemas[value co "x"]`:                                     `schemas[value co "x"]`,
		`EXTERNALID eq "x"`:                                         `externalId eq "x"`,
	} {
		if got := bind(t, types[0], text).String(); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
	for text, want := range map[string]string{
		`members eq "u"`: `members.value eq "u"`,
		`members.$ref eq "https://h/scim/v2/Users/u"`: `members.value eq "u"`,
		`members[type eq "User" and display sw "a"]`:  `members[type eq "User" and display sw "a"]`,
	} {
		if got := bind(t, types[1], text).String(); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

// FLT-015, FLT-026…FLT-029, FLT-035, FLT-040, FLT-047: what is refused, and with
// which words.
func TestBindErrors(t *testing.T) {
	t.Parallel()
	types := append(schema.Core(), widget())
	for _, c := range []struct {
		rt         int
		text, want string
	}{
		{0, `foo eq "1"`, `the resource type "User" has no attribute "foo"`},
		{0, `emails.foo eq "1"`, `"emails" has no sub-attribute "foo"; it has "value"`},
		{0, `userName.foo eq "1"`, `"userName" has no sub-attributes`},
		{0, `emails[foo eq "1"]`, `"emails" has no sub-attribute "foo"`},
		{0, `foo[value eq "1"]`, `has no attribute "foo"`},
		{0, scim.EnterpriseUserURN + `:foo eq "1"`, `has no attribute "foo"; it has "employeeNumber"`},
		{0, scim.EnterpriseUserURN + ` pr`, `is an extension, not an attribute`},
		{0, scim.EnterpriseUserURN + `[department pr]`, `is an extension; brackets follow an attribute`},
		{0, `urn:example:other:foo pr`, `has no schema "urn:example:other"`},
		{2, `both eq "1"`, `urn:example:a:1.0, urn:example:a:1.0:more`},
		{0, `password eq "hunter2"`, `"password" can't be used in a filter: its value is never returned`},
		{0, `password co "hunter2"`, `never returned`},
		{0, `password pr`, `never returned`},
		{2, `wo eq "hunter2"`, `never returned`},
		{2, `wo eq null`, `never returned`},
		{2, `valued.pin eq "hunter2"`, `never returned`},
		{2, `valued[pin eq "hunter2"]`, `never returned`},
		{0, `meta.location eq "x"`, `filter by "id"`},
		{0, `meta[location pr]`, `filter by "id"`},
		{0, `manager.displayName eq "x"`, `:manager.value"`},
		{0, `manager[displayName eq "x"]`, `derived from another resource`},
		{0, `manager.$ref co "x"`, `eq, ne and pr only`},
		{0, `manager.$ref eq 5`, `the URI of a resource`},
		{0, `groups.$ref gt "x"`, `eq, ne and pr only`},
		{0, `name eq "x"`, `"name" is complex and has no sub-attribute "value" to compare; name one of "formatted", "familyName"`},
		{0, `meta eq "x"`, `"meta" is complex`},
		{0, `active gt true`, `"active" is of type boolean, which can be compared with eq and ne only, not with gt`},
		{0, `active co "t"`, `boolean`},
		{0, `active eq "yes"`, `must be true or false`},
		{0, `active eq 1`, `must be true or false`},
		{0, `userName eq 5`, `must be a string in double quotes`},
		{0, `userName eq true`, `must be a string in double quotes`},
		{0, `title gt null`, `null can be compared with eq and ne only`},
		{0, `meta.created sw "2026"`, `dateTime, which can be compared with eq, ne, gt, ge, lt and le only`},
		{0, `meta.created gt "yesterday"`, `dateTime in double quotes`},
		{0, `meta.created gt 2026`, `dateTime in double quotes`},
		{2, `int eq "5"`, `a number without quotes`},
		{2, `int eq true`, `a number without quotes`},
		{2, `dec gt 1e999`, `fits 64 bits`},
		{2, `bin eq "!"`, `base64`},
		{2, `bin eq 5`, `base64`},
		{2, `bin lt "aGk="`, `eq and ne only`},
		{2, `str[value eq "a"]`, `single, simple value`},
		{2, `tags[type eq "a"]`, `called "value"`},
		{2, `plain.part[value eq "a"]`, `is a sub-attribute`},
		{2, `plain[value eq "a"]`, `"plain" has no sub-attribute "value"; it has "part", "list"`},
		{2, `str pr and foo pr`, `"foo"`},
		{2, `str pr or foo pr`, `"foo"`},
		{2, `not (foo pr)`, `"foo"`},
		{2, `foo pr and str pr`, `"foo"`},
	} {
		f, err := filter.Parse(c.text, filter.Options{})
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		bound, err := filter.Bind(types[c.rt], f, filter.Options{})
		var e *scim.Error
		if !errors.As(err, &e) || e.Type != scim.TypeInvalidFilter || bound != nil {
			t.Errorf("%s: got %v, %v", c.text, bound, err)
			continue
		}
		if !strings.Contains(e.Detail, c.want) || strings.Contains(e.Detail, "hunter2") {
			t.Errorf("%s\n got %s\nwant %s", c.text, e.Detail, c.want)
		}
	}
}

// FLT-003, FLT-004: over several types, what one lacks has no value there; what
// no filter may name, it may not name there either.
func TestUnknownAbsent(t *testing.T) {
	t.Parallel()
	group := schema.Core()[1]
	r := &scim.Resource{Type: group, ID: "g", Schemas: []string{scim.GroupURN}, Attrs: scim.Object{{Name: "displayName", Value: "G"}}}
	for text, want := range map[string]bool{
		`userName eq "a"`:                       false,
		`userName ne "a"`:                       true,
		`userName pr`:                           false,
		`userName eq null`:                      true,
		`userName ne null`:                      false,
		`userName co ""`:                        false,
		`not (userName eq "a")`:                 true,
		`emails[type eq "work"]`:                false,
		`emails[not (type eq "work")]`:          false,
		`emails.value ne "x"`:                   true,
		scim.UserURN + `:userName eq "a"`:       false,
		`displayName eq "g"`:                    true,
		`displayName eq "g" or userName eq "a"`: true,
		`meta.resourceType eq "Group"`:          true,
		`meta.resourceType eq "User"`:           false,
	} {
		f, err := filter.Parse(text, filter.Options{})
		if err == nil {
			f, err = filter.Bind(group, f, filter.Options{UnknownAbsent: true})
		}
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := filter.Match(f, r); got != want {
			t.Errorf("%s: got %v", text, got)
		}
	}
	f, err := filter.Parse(`meta.location pr`, filter.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := filter.Bind(group, f, filter.Options{UnknownAbsent: true}); err == nil {
		t.Error("meta.location was accepted")
	}
}

// PAT-010, PAT-011, PAT-014: targets of PATCH.
func TestBindPath(t *testing.T) {
	t.Parallel()
	types := append(schema.Core(), widget())
	for _, c := range []struct {
		rt       int
		in, want string
	}{
		{0, `USERNAME`, `userName`},
		{0, `password`, `password`},
		{0, `name.FAMILYNAME`, `name.familyName`},
		{0, scim.UserURN + `:emails[Type eq "work"].Value`, `emails[type eq "work"].value`},
		{0, `emails[primary eq "True"]`, `emails[primary eq true]`},
		{0, `emails[not (type pr)].display`, `emails[not (type pr)].display`},
		{0, `name[familyName pr].givenName`, `name[familyName pr].givenName`},
		{0, strings.ToUpper(scim.EnterpriseUserURN), scim.EnterpriseUserURN},
		{0, `manager`, scim.EnterpriseUserURN + `:manager`},
		{0, `manager.displayName`, scim.EnterpriseUserURN + `:manager.displayName`},
		{0, scim.EnterpriseUserURN + `.manager.value`, "!invalidPath"},
		{0, `schemas[value eq "x"]`, `schemas[value eq "x"]`},
		{1, `members[value eq "u"]`, `members[value eq "u"]`},
		{1, `members[$ref eq "https://h/Users/u"]`, `members[value eq "u"]`},
		{1, `members.value`, `members.value`},
		{2, `urn:example:a:1.0`, `urn:example:a:1.0`},
		{2, `urn:example:a:1.0:alpha`, `urn:example:a:1.0:alpha`},
		{2, `urn:example:a:1.0:more:beta`, `urn:example:a:1.0:more:beta`},
		{2, `tags[value eq "a"]`, `tags[value eq "a"]`},
		{2, `tags[value eq "a"].value`, "!invalidPath"},
		{2, `str[value eq "a"]`, "!invalidPath"},
		{2, `both`, "!invalidPath"},
		{0, `foo`, "!invalidPath"},
		{0, `name.foo`, "!invalidPath"},
		{0, `foo[type eq "a"]`, "!invalidPath"},
		{0, `emails[type eq "a"].foo`, "!invalidPath"},
		{0, scim.EnterpriseUserURN + `[department pr]`, "!invalidPath"},
		{0, `urn:example:none:foo`, "!invalidPath"},
		{0, `emails[foo eq "a"]`, "!invalidFilter"},
		{0, `emails[type eq 5]`, "!invalidFilter"},
		{0, `emails[primary gt true]`, "!invalidFilter"},
		{2, `valued[pin eq "1"]`, "!invalidFilter"},
	} {
		p, err := filter.ParsePath(c.in, filter.Options{})
		if err == nil {
			p, err = filter.BindPath(types[c.rt], p, filter.Options{UnknownAbsent: true})
		}
		got := p.String()
		var e *scim.Error
		if errors.As(err, &e) {
			got = "!" + string(e.Type)
		}
		if got != c.want {
			t.Errorf("%s\n got %s (%v)\nwant %s", c.in, got, err, c.want)
		}
	}
}

// SRT-002, SRT-004, SRT-008.
func TestBindSort(t *testing.T) {
	t.Parallel()
	types := append(schema.Core(), widget())
	for _, c := range []struct {
		rt       int
		in, want string
	}{
		{0, `USERNAME`, `userName`},
		{0, `emails`, `emails.value`},
		{0, `name.familyName`, `name.familyName`},
		{0, scim.EnterpriseUserURN + `:employeeNumber`, scim.EnterpriseUserURN + `:employeeNumber`},
		{0, `employeenumber`, scim.EnterpriseUserURN + `:employeeNumber`},
		{0, `meta.created`, `meta.created`},
		{0, `id`, `id`},
		{0, `manager`, scim.EnterpriseUserURN + `:manager.value`},
		{0, `name`, "!"},
		{0, `meta`, "!"},
		{0, `foo`, "!"},
		{0, `a..b`, "!"},
		{0, ``, "!"},
		{0, scim.EnterpriseUserURN, "!"},
		{0, `password`, "!"},
		{0, `meta.location`, "!"},
		{0, `manager.displayName`, "!"},
		{0, `manager.$ref`, "!"},
		{0, `groups`, "!"},
		{1, `members.value`, "!"},
		{2, `plain.list`, "!"},
		{2, `valued.pin`, "!"},
		{2, `both`, "!"},
	} {
		p, err := filter.BindSort(types[c.rt], c.in)
		switch {
		case c.want == "!":
			if !errors.Is(err, &scim.Error{Status: 400, Type: scim.TypeInvalidPath}) {
				t.Errorf("%s: got %v, %v", c.in, p, err)
			}
		case err != nil || p.String() != c.want || p.Leaf() == nil:
			t.Errorf("%s: got %v, %v, want %s", c.in, p, err, c.want)
		}
	}
}

func BenchmarkParseAndBind(b *testing.B) {
	user := schema.Core()[0]
	for _, text := range []string{`userName eq "bjensen@example.com"`, `emails[type eq "work" and value co "@example.com"] and (active eq true or not (title pr))`} {
		b.Run(fmt.Sprintf("%dbytes", len(text)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f, err := filter.Parse(text, filter.Options{})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := filter.Bind(user, f, filter.Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
