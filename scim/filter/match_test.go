package filter_test

import (
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

// TestMatchTypes compares values of every type (FLT-017…FLT-035).
func TestMatchTypes(t *testing.T) {
	t.Parallel()
	rt := widget()
	r := &scim.Resource{Type: rt, ID: "w", Schemas: []string{rt.Schema.ID}, Attrs: scim.Object{
		{Name: "str", Value: ""},
		{Name: "exact", Value: "Ab"},
		{Name: "bool", Value: false},
		{Name: "int", Value: int64(10)},
		{Name: "dec", Value: 1.5},
		{Name: "date", Value: dateTime(t, "2026-01-01T00:00:00.5Z")},
		{Name: "bin", Value: []byte("hi")},
		{Name: "tags", Value: []any{"a", "B", ""}},
		{Name: "valued", Value: []any{
			scim.Object{{Name: "value", Value: "one"}, {Name: "type", Value: "x"}, {Name: "at", Value: dateTime(t, "2020-01-01T00:00:00Z")}},
			scim.Object{{Name: "type", Value: "y"}, {Name: "primary", Value: true}},
		}},
		{Name: "plain", Value: scim.Object{{Name: "list", Value: []any{"p", "q"}}}},
	}}
	for text, want := range map[string]bool{
		`str pr`: false, `str eq null`: true, `str eq ""`: true, `str co ""`: true, `str ne ""`: false, `str lt "a"`: true,
		`exact eq "ab"`: false, `exact eq "Ab"`: true, `exact gt "AZ"`: true, `exact sw "A"`: true, `exact ew "B"`: false,
		`bool eq false`: true, `bool ne true`: true, `bool pr`: true, `bool eq null`: false,
		`int gt 9`: true, `int gt 9.5`: true, `int lt 9`: false, `int ge 10.0`: true, `int ne 10`: false, `int le 9223372036854775808`: true,
		`dec ge 1.50`: true, `dec gt 1`: true, `dec eq 1.5e0`: true, `dec lt 1`: false,
		`date eq "2026-01-01T01:00:00.500+01:00"`: true, `date gt "2026-01-01T00:00:00Z"`: true, `date le "2026-01-01T00:00:00.4Z"`: false,
		`bin eq "aGk"`: true, `bin ne "aGk="`: false, `bin pr`: true,
		`ref pr`: false, `ref eq "x"`: false, `ref ne "x"`: true, `ref co ""`: false,
		`tags eq "b"`: true, `tags ne "b"`: true, `tags pr`: true, `tags eq ""`: true, `not (tags co "c")`: true,
		`tags[value eq "b"]`: true, `tags[value eq "b" and value eq "a"]`: false, `tags[value eq null]`: true, `tags[not (value pr)]`: true,
		`valued.value ne "one"`: false, `valued[value ne "one"]`: true, `valued[type eq "x" and primary eq true]`: false,
		`valued[primary eq false]`: true, `valued[primary eq false and type eq "y"]`: false, `valued[primary pr]`: true,
		`valued[not (primary pr)]`: true, `valued.at lt "2021-01-01T00:00:00Z"`: true, `valued[at pr and type eq "y"]`: false,
		`valued pr`: true, `plain pr`: true, `plain.part pr`: false, `plain.list eq "Q"`: true, `plain.list ne "p"`: true,
		`plain[list eq "p" and list eq "q"]`: true, `plain[part eq null]`: true, `plain.part ne "x"`: true,
		`alpha pr`: false, `alpha ne "x"`: true, `schemas eq "urn:example:Widget"`: true,
	} {
		if got := filter.Match(bind(t, rt, text), r); got != want {
			t.Errorf("%s: got %v", text, got)
		}
	}
	if !filter.Match(nil, r) || !filter.MatchValue(nil, "x") {
		t.Error("no filter must match")
	}
}

// TestMatchValue looks at single values, as PATCH does (RFC 7644 §3.5.2).
func TestMatchValue(t *testing.T) {
	t.Parallel()
	group := func(path string) scim.Filter {
		p, err := filter.ParsePath(path, filter.Options{})
		if err != nil {
			t.Fatal(err)
		}
		rt := widget()
		if strings.HasPrefix(path, "members") {
			members := attr("members", scim.TypeComplex, multi, with(attr("value", scim.TypeString, exact), attr("type", scim.TypeString), attr("display", scim.TypeString)))
			members.Membership = true
			rt.Schema.Attributes = append(rt.Schema.Attributes, members)
		}
		if p, err = filter.BindPath(rt, p, filter.Options{}); err != nil {
			t.Fatal(path, err)
		}
		return p.Filter
	}
	member := scim.MemberRef{ID: "u1", Type: "User", Display: "Ann"}
	object := scim.Object{{Name: "value", Value: "V"}, {Name: "type", Value: "work"}}
	for _, c := range []struct {
		path  string
		value any
		want  bool
	}{
		{`members[value eq "u1"]`, member, true},
		{`members[value eq "U1"]`, member, false},
		{`members[value eq "u1"]`, scim.MemberRef{ID: "u2"}, false},
		{`members[type eq "user" and display sw "a"]`, member, true},
		{`members[not (type pr)]`, scim.MemberRef{ID: "u2"}, true},
		{`members[type ne "User"]`, scim.MemberRef{ID: "u2"}, true},
		{`valued[type eq "WORK"]`, object, true},
		{`valued[type eq "home" or value eq "v"]`, object, true},
		{`valued[primary eq false]`, object, true},
		{`valued[primary eq "True"]`, object, false},
		{`valued[type eq "work"]`, scim.Object{}, false},
		{`tags[value sw "x"]`, "Xy", true},
		{`tags[value sw "x"]`, "y", false},
		{`tags[value eq null]`, "", true},
		{`plain[part eq "x"]`, scim.Object{{Name: "part", Value: "X"}}, true},
	} {
		if got := filter.MatchValue(group(c.path), c.value); got != c.want {
			t.Errorf("%s of %v: got %v", c.path, c.value, got)
		}
	}
}
