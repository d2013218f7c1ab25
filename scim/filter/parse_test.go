package filter_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

// FLT-006…FLT-014: what parses, and to what.
func TestParse(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`title pr`:                                  `title pr`,
		`TITLE PR`:                                  `TITLE pr`,
		`userName eq "bjensen"`:                     `userName eq "bjensen"`,
		`userName Eq"a"`:                            `userName eq "a"`,
		"\tuserName \r\n eq  \"a\" ":                `userName eq "a"`,
		`a eq 1 or b eq 2 and c eq 3`:               `a eq 1 or (b eq 2 and c eq 3)`,
		`(a eq 1 or b eq 2) and c eq 3`:             `(a eq 1 or b eq 2) and c eq 3`,
		`a eq 1 or (b eq 2 and c eq 3)`:             `a eq 1 or (b eq 2 and c eq 3)`,
		`a pr and b pr AND c pr`:                    `a pr and b pr and c pr`,
		`a pr and (b pr and c pr)`:                  `a pr and (b pr and c pr)`,
		`((a pr))`:                                  `a pr`,
		`not (a pr)`:                                `not (a pr)`,
		`NOT( a pr )and(b pr)or(c pr)`:              `not (a pr) and b pr or c pr`,
		`not (not (a pr or b pr))`:                  `not (not (a pr or b pr))`,
		`emails[type eq "work"]`:                    `emails[type eq "work"]`,
		`emails [ not (type eq "w") and value pr ]`: `emails[not (type eq "w") and value pr]`,
		`emails[type eq "work"].value eq "x"`:       `emails[type eq "work" and value eq "x"]`,
		`emails[a pr or b pr].value pr`:             `emails[(a pr or b pr) and value pr]`,
		`members[value eq"U"] and a pr`:             `members[value eq "U"] and a pr`,
		`members.$ref eq "x"`:                       `members.$ref eq "x"`,
		`urn:ietf:params:scim:schemas:core:2.0:User:name.familyName co "O'M"`: `urn:ietf:params:scim:schemas:core:2.0:User:name.familyName co "O'M"`,
		`urn:x:1.0:a[b pr]`:          `urn:x:1.0:a[b pr]`,
		`a eq null`:                  `a eq null`,
		`a eq TRUE and b ne False`:   `a eq true and b ne false`,
		`a gt -1.5e+3`:               `a gt -1.5e+3`,
		`a-b_c1 eq 0`:                `a-b_c1 eq 0`,
		`a eq "\"\\\/\b\f\n\r\t"`:    `a eq "\"\\/\u0008\u000c\n\r\t"`,
		`a eq "\u00e9\u0041"`:        `a eq "éA"`,
		`a eq "\ud83d\ude00"`:        `a eq "😀"`,
		`a eq "(b) and [c] or not"`:  `a eq "(b) and [c] or not"`,
		`order eq "x" or andy eq ""`: `order eq "x" or andy eq ""`,
	} {
		f, err := filter.Parse(in, filter.Options{})
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got := f.String(); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
}

// FLT-007, FLT-008, FLT-010, FLT-013, FLT-049: what does not parse, and what is
// said about it.
func TestParseErrors(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		``:                              "empty",
		`   `:                           "empty",
		`userName`:                      `an operator is expected after "userName", not the end`,
		`userName eq`:                   `ends after "eq"; a value is expected, at character 12`,
		`eq "a"`:                        `an operator is expected after "eq", not a string`,
		`"a" eq userName`:               "the attribute stands on the left",
		`userName eq "a" and`:           `the filter ends after "and"; another expression is expected, at character 20`,
		`userName eq "a" or `:           `ends after "or"`,
		`(userName pr`:                  `the "(" that stands here is never closed, at character 1`,
		`userName pr)`:                  `not ")", at character 12`,
		`userName == "a"`:               `unknown operator "=="; write eq;`,
		`userName regex "a"`:            `unknown operator "regex"; the operators are eq, ne, co, sw, ew, gt, ge, lt, le and pr`,
		`userName = "a"`:                "write eq",
		`userName eq 'a'`:               "double quotes",
		`userName eq “a”`:               "double quotes",
		`userName eq jane`:              "no JSON literal",
		`userName eq +1`:                "no JSON literal",
		`userName eq 01`:                "no JSON literal",
		`userName eq 1.`:                "no JSON literal",
		`userName eq (a)`:               `a value is expected after "eq", not "("`,
		`userName eq "a" "b"`:           "not a string",
		`userName eq "a"and title pr`:   `a blank is missing before "and"`,
		`a pr && b pr`:                  `joined by the words "and" and "or"`,
		`a pr b pr`:                     `not "b", at character 6`,
		`not title pr`:                  `"not" must be followed by an expression in parentheses`,
		`not`:                           `"not" must be followed`,
		`and pr`:                        `an attribute is expected, not "and"`,
		`()`:                            `an attribute is expected, not ")"`,
		`emails[]`:                      `an attribute is expected, not "]"`,
		`emails[type eq "a"`:            `the "[" that stands here is never closed, at character 7`,
		`emails[value[type eq "a"]]`:    "not inside of other brackets",
		`emails[name.type eq "a"]`:      "the name of a sub-attribute alone",
		`emails[urn:x:type eq "a"]`:     "the name of a sub-attribute alone",
		`emails[type eq "a"].`:          "the name of a sub-attribute is expected",
		`emails[type eq "a"].a.b pr`:    "the name of a sub-attribute is expected",
		`emails[type eq "a"] .value pr`: `not ".value"`,
		`emails[type eq "a"].value`:     `an operator is expected after "value"`,
		`(emails)[type eq "a"]`:         `an operator is expected after "emails", not ")"`,
		`(a pr)[b pr]`:                  `"[" must follow the name of an attribute`,
		`a..b pr`:                       `not "a..b"`,
		`.a pr`:                         `not ".a"`,
		`a. pr`:                         `not "a."`,
		`1a pr`:                         `not "1a"`,
		`a.b.c pr`:                      `not "a.b.c"`,
		`urn:x: pr`:                     `not "urn:x:"`,
		`a eq "\x"`:                     "begins no escape of JSON",
		`a eq "\u12"`:                   "begins no escape of JSON",
		`a eq "\ud83d"`:                 "begins no escape of JSON",
		`a eq "\ude00\ud83d"`:           "begins no escape of JSON",
		"a eq \"\n\"":                   `write it as \u000a (RFC 8259 §7), at character 7`,
		`éa eq "b" or a eq "c"`:         `not "éa", at character 1`,
		`a eq "é" or a eq "c`:           "has no closing quote, at character 18",
		"a eq \"\xff\"":                 "UTF-8",
	} {
		f, err := filter.Parse(in, filter.Options{})
		var e *scim.Error
		if !errors.As(err, &e) || e.Type != scim.TypeInvalidFilter || e.Status != 400 {
			t.Errorf("%s: got %v, %v", in, f, err)
			continue
		}
		if !strings.Contains(e.Detail, want) {
			t.Errorf("%s\n got %s\nwant %s", in, e.Detail, want)
		}
	}
}

// What stands in the place of a value may be a secret: no error repeats it.
func TestErrorsKeepSecrets(t *testing.T) {
	t.Parallel()
	for _, in := range []string{`password eq hunter2`, `password eq 'hunter2'`, `password eq "hunter2`, `password eq "hunter2\x"`,
		`password eq "a" "hunter2"`, `password eq "hunter2"and a pr`, "password eq \"hunter2\x01\""} {
		if _, err := filter.Parse(in, filter.Options{}); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", in, err)
		}
	}
}

// FLT-050: limits are checked before the work is done.
func TestParseLimits(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat("(", n) + "a pr" + strings.Repeat(")", n) }
	many := func(n int) string { return strings.TrimSuffix(strings.Repeat("a pr and ", n), " and ") }
	long := func(n int) string { return `a eq "` + strings.Repeat("x", n-len(`a eq ""`)) + `"` }
	for _, c := range []struct {
		name, in string
		o        filter.Options
		want     string
	}{
		{"length", long(8192), filter.Options{}, ""},
		{"length", long(8193), filter.Options{}, "8193 bytes; at most 8192"},
		{"length", long(11), filter.Options{MaxLength: 10}, "at most 10"},
		{"depth", deep(20), filter.Options{}, ""},
		{"depth", deep(21), filter.Options{}, "nested deeper than 20"},
		{"depth", deep(2), filter.Options{MaxDepth: 1}, "nested deeper than 1"},
		{"depth", "(a[b pr])", filter.Options{MaxDepth: 1}, "nested deeper than 1"},
		{"depth", "not (not (a pr))", filter.Options{MaxDepth: 1}, "nested deeper than 1"},
		{"nodes", many(200), filter.Options{}, ""},
		{"nodes", many(201), filter.Options{}, "more than 200"},
		{"nodes", `a[b eq 1].c eq 2`, filter.Options{MaxNodes: 2}, "more than 2"},
		{"parentheses", deep(10_000), filter.Options{}, "bytes"},
		{"parentheses", deep(10_000), filter.Options{MaxLength: 1 << 20}, "nested deeper than 20"},
		{"parentheses", strings.Repeat("(", 1<<20), filter.Options{MaxLength: 1 << 21}, "nested deeper than 20"},
	} {
		start := time.Now()
		_, err := filter.Parse(c.in, c.o)
		if took := time.Since(start); took > 60*time.Second {
			t.Errorf("%s: took %v", c.name, took)
		}
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
}

// QRY-02: bare words as strings, where a profile allows them.
func TestUnquotedStrings(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`userName eq jane.doe`:                `userName eq "jane.doe"`,
		`userName sw jane@x.org and title pr`: `userName sw "jane@x.org" and title pr`,
		`emails[value co jane]`:               `emails[value co "jane"]`,
		`userName eq 12ab`:                    `userName eq "12ab"`,
		`userName eq 12`:                      `userName eq 12`,
		`userName eq true`:                    `userName eq true`,
		`userName eq null`:                    `userName eq null`,
		`userName gt jane`:                    "",
		`userName eq 'jane'`:                  "",
		`userName eq and title pr`:            "",
		`userName eq jane doe`:                "",
		`userName eq jane"doe"`:               "",
		`userName eq (jane)`:                  "",
		`userName eq`:                         "",
	} {
		used := ""
		f, err := filter.Parse(in, filter.Options{UnquotedStrings: true, Report: func(rule string) { used = rule }})
		switch {
		case want == "" && err == nil:
			t.Errorf("%s: parsed as %s", in, f)
		case want == "":
		case err != nil:
			t.Errorf("%s: %v", in, err)
		case f.String() != want:
			t.Errorf("%s\n got %s\nwant %s", in, f, want)
		case (used == "QRY-02") != strings.Contains(want, `"`):
			t.Errorf("%s: reported %q", in, used)
		}
	}
}

// PAT-009…PAT-012: paths of PATCH.
func TestParsePath(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`userName`:                          `userName`,
		`name.familyName`:                   `name.familyName`,
		`members`:                           `members`,
		`members.$ref`:                      `members.$ref`,
		`emails[type eq "work"]`:            `emails[type eq "work"]`,
		`emails[type eq "work"].value`:      `emails[type eq "work"].value`,
		`emails[not (type pr)]. `:           "!invalidPath",
		`addresses[type eq "[a].b"].street`: `addresses[type eq "[a].b"].street`,
		scim.EnterpriseUserURN:              scim.EnterpriseUserURN,
		scim.EnterpriseUserURN + `:manager`: scim.EnterpriseUserURN + `:manager`,
		scim.UserURN + `:Name.GivenName`:    scim.UserURN + `:Name.GivenName`,
		`urn:x:1.0.2`:                       `urn:x:1.0.2`,
		``:                                  "!invalidPath",
		` `:                                 "!invalidPath",
		`emails[`:                           "!invalidPath",
		`emails[type eq "a"`:                "!invalidPath",
		`a..b`:                              "!invalidPath",
		`a.b.c`:                             "!invalidPath",
		`emails[0]`:                         "!invalidPath",
		`/name/givenName`:                   "!invalidPath",
		`[type eq "a"]`:                     "!invalidPath",
		`name.a[type eq "a"]`:               "!invalidPath",
		`emails[type eq "a"]value`:          "!invalidPath",
		`emails[type eq "a"].value.x`:       "!invalidPath",
		`emails[type eq "a"].value eq "b"`:  "!invalidPath",
		`emails[type eq "a"] .value`:        "!invalidPath",
		`emails[type eq "a"][value pr]`:     "!invalidPath",
		`userName eq "a"`:                   "!invalidPath",
		`emails[type regex "x"]`:            "!invalidFilter",
		`emails[]`:                          "!invalidFilter",
		`emails[type eq "a" and]`:           "!invalidFilter",
		`emails[a[b pr]]`:                   "!invalidFilter",
		`emails[type eq "a]`:                "!invalidFilter",
		strings.Repeat("x", 9000):           "!invalidPath",
	} {
		p, err := filter.ParsePath(in, filter.Options{})
		got := p.String()
		var e *scim.Error
		if errors.As(err, &e) {
			got = "!" + string(e.Type)
		}
		if got != want {
			t.Errorf("%s\n got %s (%v)\nwant %s", in, got, err, want)
		}
	}
}
