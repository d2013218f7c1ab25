package patch_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/patch"
)

func TestDiff(t *testing.T) {
	t.Parallel()
	x := func(members string) string { return `"` + extraURN + `":{` + members + `}` }
	tests := []struct {
		name, typ, before, after string
		want                     []string // path: removed > added
	}{
		{"same", "Widget", r + `"tags":["a"],"externalId":"e"`, r + `"tags":["a"],"externalId":"e"`, nil},
		{"single", "Widget", r + `"str":"a"`, r + `"str":"b"`, []string{`str: ["a"] > ["b"]`}},
		{"assigned", "Widget", `"reqd":"r"`, r + `"int":1`, []string{`int: [] > [1]`}},
		{"unassigned", "Widget", r + `"bool":false`, `"reqd":"r"`, []string{`bool: [false] > []`}},
		{"complex", "Widget", r + `"cplx":{"a":"x"}`, r + `"cplx":{"a":"x","n":1}`, []string{`cplx: [{"a":"x"}] > [{"a":"x","n":1}]`}},
		{"list", "Widget", r + `"tags":["a","b"]`, r + `"tags":["a","c"]`, []string{`tags: ["a","b"] > ["a","c"]`}},
		{"externalId", "Widget", r + `"externalId":"e"`, `"reqd":"s"`, []string{`externalId: ["e"] > []`, `reqd: ["r"] > ["s"]`}},
		{"extension by attribute", "Widget", r + x(`"note":"n","level":1`), r + x(`"level":2,"marks":["m"]`),
			[]string{extraURN + `:note: ["n"] > []`, extraURN + `:level: [1] > [2]`, extraURN + `:marks: [] > ["m"]`}},
		{"extension gone", "Widget", r + x(`"note":"n"`), `"reqd":"r"`, []string{extraURN + `:note: ["n"] > []`}},
		{"order of the schema", "Widget", `"reqd":"r"`, r + x(`"note":"n"`) + `,"tags":["t"],"str":"s"`,
			[]string{`str: [] > ["s"]`, `tags: [] > ["t"]`, extraURN + `:note: [] > ["n"]`}},
		{"members", "Group", group("a", "b", "c"), group("d", "c", "b"), []string{`members: [{"value":"a"}] > [{"value":"d"}]`}},
		{"members in another order", "Group", group("a", "b"), group("b", "a"), nil},
		{"members gone", "Group", group("a"), group(), []string{`members: [{"value":"a"}] > []`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			typ := typeOf(t, tt.typ)
			before, after := resource(t, typ, strings.TrimSuffix(tt.before, ",")), resource(t, typ, tt.after)
			var got []string
			for _, d := range patch.Diff(before, after) {
				if d.Reset || d.Path.Attr == nil {
					t.Errorf("%s: Reset or not bound", d.Path)
				}
				got = append(got, d.Path.String()+": "+values(d.Removed)+" > "+values(d.Added))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			for _, r := range []*scim.Resource{before, after} {
				if d := patch.Diff(r, r); len(d) > 0 {
					t.Errorf("Diff(r, r) = %v", d)
				}
			}
		})
	}
}

func values(list []any) string {
	if list == nil {
		list = []any{}
	}
	var parts []string
	for _, v := range list {
		if ref, ok := v.(scim.MemberRef); ok {
			v = scim.Object{{Name: "value", Value: ref.ID}}
		}
		parts = append(parts, string(scim.AppendValue(nil, v)))
	}
	return "[" + strings.Join(parts, ",") + "]"
}

func TestTouched(t *testing.T) {
	t.Parallel()
	ops, err := patch.Decode(widget(), object(t, message(
		`{"op":"replace","path":"STR","value":"s"},{"op":"replace","value":{"str":"s","cplx":{"a":"x"}}},`+
			`{"op":"remove","path":"items[type eq \"x\"].value"},{"op":"remove","path":"`+extraURN+`:owner.name"},`+
			`{"op":"remove","path":"`+extraURN+`"},{"op":"remove","path":"externalId"}`)), patch.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"str", "cplx", "items", extraURN + ":owner", extraURN, "externalId"}
	if got := patch.Touched(ops); !slices.Equal(got, want) {
		t.Errorf("Touched = %q, want %q", got, want)
	}
	if got := patch.Touched(nil); len(got) > 0 {
		t.Errorf("Touched(nil) = %q", got)
	}
}
