package schema_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// FuzzDecode decodes any body for each type, strictly and not. What passes
// Check is stored and read back unchanged, is shown as JSON by every path, and
// decodes to itself from what is shown and kept.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"a","emails":[{"value":"x","primary":true}],"password":"p"}`,
		`{"userName":"Jane Doe","active":"True","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":"m"}}`,
		`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"g","members":[{"value":"a"},"b"]}`,
		`{"schemas":["urn:x:test:2.0:Widget"],"reqd":"r","dec":1e-7,"int":-1,"dt":"2026-01-02T03:04:05Z","bin":"aGk","req":"x",` +
			`"items":[{"value":"v","$ref":"x","n":1,"alw":"y"}],"urn:x:test:2.0:WidgetExt":{"req":"q","marks":["a"]}}`,
		`{"schemas":["urn:x:test:2.0:Gadget"],"owner":{"value":"u"},"keys":[{"value":"k","secret":"s","hint":"h"}],` +
			`"parts":[{"$ref":"../Widgets/1"}],"urn:x:test:2.0:GadgetExt":{"code":"c","boss":{"value":"b"}}}`,
		`{"cplx":[{"a":["x"]}],"dt":"24:00","str":{"value":null}}`,
	} {
		f.Add([]byte(s))
	}
	all := types(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		raw, err := scim.ParseObject(data, 0, 0)
		if err != nil {
			return // what is no object is refused before
		}
		for _, rt := range all {
			for _, o := range []schema.Options{{}, auto(nil)} {
				r, named, err := schema.Decode(rt, raw, o)
				if err != nil {
					var told *scim.Error
					if !errors.As(err, &told) || told.Status != 400 || told.Detail == "" {
						t.Fatalf("Decode: %v", err)
					}
					continue
				}
				schema.Defaults(r, named)
				if schema.Check(nil, r, o) != nil {
					continue
				}
				roundTrip(t, r, o)
			}
		}
	})
}

func roundTrip(t *testing.T, r *scim.Resource, o schema.Options) {
	schema.Encode(r)
	back := stored(r)
	if err := schema.Load(back); err != nil {
		t.Fatal(err)
	}
	kept := scim.Clone(r.Attrs)
	if a := r.Type.Membership(); a != nil {
		kept.Set(a.Name, nil)
	}
	if diff := cmp.Diff(kept, back.Attrs); diff != "" {
		t.Fatalf("Load(Encode) (-want +got):\n%s", diff)
	}
	if err := schema.Check(r, r, o); err != nil {
		t.Fatalf("what passed Check does not pass it again: %v", err)
	}
	tree := *r
	tree.Text, tree.Hidden = nil, nil
	back.Attrs = scim.Clone(r.Attrs)
	fast, slow := render(t, back, schema.View{}), render(t, &tree, schema.View{})
	if fast != slow {
		t.Fatalf("two paths, two answers:\n%s\n%s", fast, slow)
	}
	again, _, err := schema.Decode(r.Type, parse(t, fast), o)
	if err != nil {
		t.Fatalf("our own answer is refused: %v\n%s", err, fast)
	}
	schema.Encode(again)
	if !bytes.Equal(again.Text, r.Text) {
		t.Fatalf("decoded from our own answer:\n%s\nwas\n%s", again.Text, r.Text)
	}
}
