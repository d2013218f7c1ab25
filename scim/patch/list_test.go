package patch_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/patch"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// TestManyValues shows that many values given at once, which are found by an
// index, do what they do one at a time.
func TestManyValues(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 2))
	draw := func() string {
		var parts []string
		for _, s := range []string{`"value":"V%d"`, `"type":"t%d"`, `"n":%d`} {
			if rnd.IntN(4) > 0 {
				parts = append(parts, fmt.Sprintf(s, rnd.IntN(12)))
			}
		}
		return "{" + strings.ToLower(strings.Join(append(parts, `"display":"d"`), ",")) + "}"
	}
	many := func(n int) []string { // no two the same, since a list holds a value once
		var list []string
		for len(list) < n {
			if v := draw(); !slices.Contains(list, v) {
				list = append(list, v)
			}
		}
		return list
	}
	for _, op := range []string{"add", "remove"} {
		for range 10 {
			before := r + `"items":[` + strings.Join(many(200), ",") + `]`
			given := many(200)
			var each []string
			for _, v := range given {
				each = append(each, fmt.Sprintf(`{"op":%q,"path":"items","value":[%s]}`, op, v))
			}
			atOnce := fmt.Sprintf(`{"op":%q,"path":"items","value":[%s]}`, op, strings.Join(given, ","))
			got, err := carryOut(t, widget(), before, atOnce, tolerant(nil))
			if err != nil {
				t.Fatal(err)
			}
			want, err := carryOut(t, widget(), before, strings.Join(each, ","), tolerant(nil))
			if err != nil {
				t.Fatal(err)
			}
			if got != want {
				t.Fatalf("seed %d, %s: at once\n%s\none at a time\n%s", seed, op, got, want)
			}
		}
	}
	tags := `"` + strings.Join(strings.Fields(strings.Repeat("a B c D ", 100)), `","`) + `"`
	got, err := carryOut(t, widget(), r+`"tags":["b","e"],"dt":"2026-01-01T00:00:00Z"`, `{"op":"add","path":"tags","value":[`+tags+`]}`, patch.Options{})
	if want := r + `"dt":"2026-01-01T00:00:00Z","tags":["B","e","a","c","D"]`; err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

// TestLooks shows that the work of a message is bounded, whatever it does many
// times with very many values.
func TestLooks(t *testing.T) {
	t.Parallel()
	items := func(n int, value string) string {
		list := make([]string, n)
		for i := range list {
			list[i] = strings.ReplaceAll(value, "#", fmt.Sprint(i))
		}
		return strings.Join(list, ",")
	}
	refs := make([]scim.MemberRef, 400)
	for i := range refs {
		refs[i] = scim.MemberRef{ID: fmt.Sprint("m", i), Type: "User"}
	}
	many := resource(t, widget(), r+`"items":[`+items(400, `{"value":"v#"}`)+`]`)
	large := &scim.Resource{Type: core(t, "Group"), Attrs: scim.Object{{Name: "displayName", Value: "g"}, {Name: "members", Value: refs}}}
	for _, tt := range []struct {
		name string
		on   *scim.Resource
		ops  string
		ok   bool
	}{
		{"a few by filter", many, items(20, `{"op":"replace","path":"items[value eq \"v#\"].type","value":"t"}`), true},
		{"by filter", many, items(40, `{"op":"replace","path":"items[value eq \"v#\"].type","value":"t"}`), false},
		{"on each", many, items(40, `{"op":"replace","path":"items.type","value":"t#"}`), false},
		{"add one by one", many, items(40, `{"op":"add","path":"items","value":{"value":"w#"}}`), false},
		{"remove one by one", many, items(40, `{"op":"remove","path":"items","value":[{"value":"v#"}]}`), false},
		{"keys", many, `{"op":"add","value":{` + items(40, `"items[type eq \"t#\"].value":"w"`) + `}}`, false},
		{"the same value", many, `{"op":"add","path":"items","value":[` + items(200, `{"value":"w","type":"t#"}`) + `]}`, false},
		{"many at once", many, `{"op":"add","path":"items","value":[` + items(400, `{"value":"w#","type":"t"}`) + `]}`, true},
		{"members by id", large, items(100, `{"op":"remove","path":"members[value eq \"m#\"]"}`), true},
		{"members by type", large, items(40, `{"op":"remove","path":"members[type eq \"Group\"]"}`), false},
	} {
		list, err := patch.Decode(tt.on.Type, object(t, message(tt.ops)), tolerant(nil))
		if err != nil {
			t.Fatal(err)
		}
		o := tolerant(nil)
		o.MaxLooks = 10_000
		_, err = patch.Apply(tt.on, list, o)
		var e *scim.Error
		switch {
		case tt.ok && err != nil, !tt.ok && (!errors.As(err, &e) || e.Status != 413 || !strings.Contains(e.Detail, "Operations[")):
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestStoredText shows that Apply and Diff read a resource that a backend gave
// as text alone.
func TestStoredText(t *testing.T) {
	t.Parallel()
	tree := resource(t, widget(), r+`"str":"s","wo":"w"`)
	stored := *tree
	schema.Encode(&stored)
	stored.Attrs = nil
	ops := []patch.Op{{Op: patch.Remove, Path: path(t, tree.Type, "str")}}
	after, err := patch.Apply(&stored, ops, patch.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := show(after), r+`"wo":"w"`; got != want || stored.Attrs != nil || after.Text != nil {
		t.Errorf("got %s, want %s, not encoded", got, want)
	}
	if d := patch.Diff(&stored, tree); len(d) > 0 {
		t.Errorf("Diff of text and tree: %v", d)
	}
	if d := patch.Diff(&stored, after); len(d) != 1 || d[0].Path.Name != "str" {
		t.Errorf("Diff: %v, want str alone", d)
	}
}

func path(t *testing.T, typ *scim.ResourceType, name string) scim.Path {
	t.Helper()
	p, ok := typ.Resolve(scim.AttrPath{Name: name})
	if !ok {
		t.Fatalf("no attribute %q", name)
	}
	return scim.Path{AttrPath: p}
}
