package patch_test

import (
	"errors"
	"testing"
	"testing/fstest"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/patch"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// TestLateImmutable: what a backend may yet shape is refused by schema.Check, and
// only if it stays.
func TestLateImmutable(t *testing.T) {
	t.Parallel()
	types, err := schema.Read(nil, fstest.MapFS{"a.json": {Data: []byte(`[
		{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"urn:x:Thing","attributes":[{"name":"kind","mutability":"immutable"}]},
		{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"name":"Thing","schema":"urn:x:Thing"}]`)}})
	if err != nil {
		t.Fatal(err)
	}
	before := &scim.Resource{Type: types[0], Attrs: scim.Object{{Name: "kind", Value: "a"}}}
	for _, text := range []string{`{"op":"replace","path":"kind","value":"b"}`, `{"op":"remove","path":"kind"}`} {
		message, err := scim.ParseObject([]byte(`{"schemas":["`+scim.PatchOpURN+`"],"Operations":[`+text+`]}`), 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		ops, err := patch.Decode(types[0], message, patch.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var refused *scim.Error
		if _, err := patch.Apply(before, ops, patch.Options{}); !errors.As(err, &refused) || refused.Type != scim.TypeMutability {
			t.Errorf("%s: error is %v", text, err)
		}
		after, err := patch.Apply(before, ops, patch.Options{LateImmutable: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Check(before, after, schema.Options{}); !errors.As(err, &refused) || refused.Type != scim.TypeMutability {
			t.Errorf("%s: Check says %v", text, err)
		}
	}
}
