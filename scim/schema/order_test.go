package schema_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// TestRenderOrder: groups stand where their schema has them, whether the
// document is at hand as a text or as a tree.
func TestRenderOrder(t *testing.T) {
	t.Parallel()
	types, err := schema.Read(nil, fstest.MapFS{"a.json": {Data: []byte(`[
		{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"urn:x:User","attributes":[
			{"name":"userName"},
			{"name":"groups","type":"complex","multiValued":true,"mutability":"readOnly","subAttributes":[
				{"name":"value","mutability":"readOnly"},{"name":"display","mutability":"readOnly"},
				{"name":"$ref","type":"reference","referenceTypes":["User"],"mutability":"readOnly"}]},
			{"name":"title"}]},
		{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"name":"User","schema":"urn:x:User"}]`)}})
	if err != nil {
		t.Fatal(err)
	}
	r := &scim.Resource{Type: types[0], ID: "1", Groups: []scim.MemberRef{{ID: "2", Display: "G"}},
		Attrs: scim.Object{{Name: "userName", Value: "u"}, {Name: "title", Value: "t"}}}
	encoded := *r
	schema.Encode(&encoded)
	encoded.Attrs = nil
	const want = `"userName":"u","groups":[{"value":"2","display":"G","$ref":"Users/2"}],"title":"t"}`
	for _, r := range []*scim.Resource{r, &encoded} {
		var b bytes.Buffer
		if err := schema.Render(&b, r, schema.View{Endpoints: func(string) string { return "/Users" }, RelativeRefs: true}); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(b.String(), want) {
			t.Errorf("got %s", b.String())
		}
	}
}
