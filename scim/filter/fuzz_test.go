package filter_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
	"github.com/rollcall-scim/rollcall/scim/schema"
	"github.com/rollcall-scim/rollcall/scim/scimtest"
)

// wide are limits that the printed form of a filter stays within, if the filter
// itself was within the narrow ones: printing adds blanks, escapes and, for a
// value path with a tail, parentheses.
var wide = filter.Options{MaxLength: 1 << 20, MaxNodes: 1000, MaxDepth: 100}

// FuzzParse: what parses prints as a text that parses to the same, errors are
// invalidFilter, and what binds to a user can be evaluated.
func FuzzParse(f *testing.F) {
	for _, c := range scimtest.FilterCases {
		f.Add(c.Filter, false)
	}
	for _, s := range []string{`userName eq jane`, `emails[type eq "work"].value eq "x"`, `not(a pr)`, `a eq "\ud83d\ude00"`, `((((a pr))))`,
		`urn:x:1.0:a.b gt -1e5`, `emails[a pr or b pr].value ne null`, `"`, `a eq "`, `[`, `not not`} {
		f.Add(s, true)
	}
	user := schema.Core()[0]
	f.Fuzz(func(t *testing.T, s string, lenient bool) {
		parsed, err := filter.Parse(s, filter.Options{UnquotedStrings: lenient})
		if err != nil {
			if !errors.Is(err, &scim.Error{Status: 400, Type: scim.TypeInvalidFilter}) {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		again, err := filter.Parse(parsed.String(), wide)
		if err != nil {
			t.Fatalf("%q prints as %q: %v", s, parsed, err)
		}
		if !reflect.DeepEqual(parsed, again) {
			t.Fatalf("%q prints as %q, which means %q", s, parsed, again)
		}
		bound, err := filter.Bind(user, parsed, filter.Options{})
		if err != nil {
			if !errors.Is(err, &scim.Error{Status: 400, Type: scim.TypeInvalidFilter}) {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		r := &scim.Resource{Type: user, ID: "x", Schemas: []string{scim.UserURN}}
		if filter.Match(bound, r) == filter.Match(&scim.NotExp{Filter: bound}, r) {
			t.Fatalf("%q: not true or false", s)
		}
	})
}

// FuzzParsePath: what parses prints as a path that parses to the same, and
// errors are invalidPath or invalidFilter.
func FuzzParsePath(f *testing.F) {
	for _, s := range []string{`userName`, `name.familyName`, `emails[type eq "work"].value`, `members[value eq "x"]`, scim.EnterpriseUserURN,
		scim.EnterpriseUserURN + `:manager.value`, `urn:x:1.0.2`, `emails[`, `emails[0]`, `a..b`, `/a/b`, `schemas[value eq "x"]`} {
		f.Add(s)
	}
	user := schema.Core()[0]
	f.Fuzz(func(t *testing.T, s string) {
		allowed := func(err error) bool {
			return errors.Is(err, &scim.Error{Status: 400, Type: scim.TypeInvalidPath}) ||
				errors.Is(err, &scim.Error{Status: 400, Type: scim.TypeInvalidFilter})
		}
		p, err := filter.ParsePath(s, filter.Options{})
		if err != nil {
			if !allowed(err) {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		again, err := filter.ParsePath(p.String(), wide)
		if err != nil || !reflect.DeepEqual(p, again) {
			t.Fatalf("%q prints as %q, which means %q, %v", s, p, again, err)
		}
		bound, err := filter.BindPath(user, p, filter.Options{})
		if err != nil {
			if !allowed(err) {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		if bound.Name != "" && bound.Attr == nil {
			t.Fatalf("%q: bound, but to nothing", s)
		}
		if bound.Filter != nil {
			filter.MatchValue(bound.Filter, scim.Object{{Name: "value", Value: "x"}})
		}
	})
}
