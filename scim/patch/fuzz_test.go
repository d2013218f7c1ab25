package patch_test

import (
	"errors"
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/patch"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// FuzzPatch decodes a message and applies it. Whatever the message: Apply
// leaves its input alone; its errors are the client's; its result passes
// schema.Check and is in schema order; and Diff tells whether it changed.
func FuzzPatch(f *testing.F) {
	const before = `"reqd":"r","str":"s","bool":true,"cplx":{"a":"x","n":1,"fix":"f"},"tags":["a","b"],` +
		`"items":[{"value":"a","type":"x","primary":true},{"value":"b","type":"y","fix":"f"}],"imm":"i","wo":"w",` +
		`"` + extraURN + `":{"note":"n","marks":["m"]},"externalId":"e"`
	for _, ops := range []string{
		`{"op":"replace","path":"str","value":"x"}`,
		`{"op":"add","value":{"cplx":{"a":null,"n":2},"items":[{"value":"c","primary":true}],"` + extraURN + `":{"level":1}}}`,
		`{"op":"Add","path":"items[type eq \"z\" and primary eq \"True\"].value","value":"v"},{"op":"remove","path":"items[type eq \"z\"].type"}`,
		`{"op":"replace","value":{"cplx.a":"q","` + extraURN + `:note":"n","items[value pr].display":"d","foo":1,"id":"x"}}`,
		`{"op":"remove","path":"schemas[value eq \"` + extraURN + `\"]"},{"op":"add","path":"note","value":"n"}`,
		`{"op":"remove","path":"tags","value":["A"]},{"op":"remove","path":"items","value":[{"value":"b"}]}`,
		`{"op":"replace","path":"` + extraURN + `.owner.name","value":""},{"op":"remove","path":"` + extraURN + `"}`,
		`{"op":"replace","path":"items","value":null},{"op":"add","path":"items","value":{"value":"b","type":"y"}}`,
		`{"op":"remove","path":"reqd"},{"op":"add","path":"reqd","value":"again"}`,
		`{"op":"remove","path":"not (items eq 1)"}`,
		`{"op":"replace","path":"items[not (n gt 1)]","value":{"n":5,"fix":"g"}}`,
		`{"op":"replace","path":"dt","value":"2026-01-02T03:04:05.5Z"},{"op":"add","path":"bin","value":"aGk"},{"op":"add","path":"dec","value":1e3}`,
	} {
		f.Add(message(ops))
	}
	typ := widget()
	// An element that was removed and added again has lost what was immutable;
	// only Check, which sees the two ends, can know.
	typ.Schema.Attribute("items").Sub("fix").Mutability = scim.ReadWrite
	f.Fuzz(func(t *testing.T, body string) {
		raw, err := scim.ParseObject([]byte(body), 0, 0)
		if err != nil {
			return // what is no object is refused before
		}
		for _, o := range []patch.Options{{}, tolerant(nil)} {
			r := resource(t, typ, before)
			was := *r
			was.Attrs = scim.Clone(r.Attrs)
			ops, err := patch.Decode(typ, raw, o)
			var after *scim.Resource
			if err == nil {
				after, err = patch.Apply(r, ops, o)
			}
			if err != nil {
				var e *scim.Error
				if !errors.As(err, &e) || e.Status != 400 && e.Status != 413 || e.Detail == "" {
					t.Fatalf("not an error for a client: %v", err)
				}
			}
			if string(r.Attrs.AppendJSON(nil)) != string(was.Attrs.AppendJSON(nil)) || r.ExternalID != was.ExternalID {
				t.Fatalf("Apply changed its argument to %s", show(r))
			}
			if err != nil {
				continue
			}
			if err := schema.Check(r, after, o.Values); err != nil {
				t.Errorf("the result does not pass Check: %v\n%s", err, show(after))
			}
			if again, err := patch.Apply(after, nil, o); err != nil || len(patch.Diff(after, again)) > 0 {
				t.Errorf("no operations change something: %v", err)
			}
			same := show(r) == show(after)
			if changed := len(patch.Diff(r, after)) > 0; changed == same && changed {
				t.Errorf("Diff finds %v between equal resources", patch.Diff(r, after))
			} else if !changed && !scim.Equal(r.Attrs, after.Attrs) {
				t.Errorf("Diff misses a change to %s", show(after))
			}
			inOrder(t, after)
		}
	})
}

// inOrder checks that the attributes are in schema order: encoding and loading
// them, which makes that order, changes nothing.
func inOrder(t *testing.T, r *scim.Resource) {
	encoded := *r
	schema.Encode(&encoded)
	encoded.Attrs = nil
	if err := schema.Load(&encoded); err != nil {
		t.Fatalf("the encoded result can't be loaded: %v", err)
	}
	if got, want := show(r), show(&encoded); got != want {
		t.Errorf("not in schema order:\n%s\nwant\n%s", got, want)
	}
}
