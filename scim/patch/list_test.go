package patch_test

import (
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
