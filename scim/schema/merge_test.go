package schema_test

import (
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// Merge keeps what a body does not name, in extensions too.
func TestMerge(t *testing.T) {
	t.Parallel()
	user := typeNamed(t, "User")
	const old = `"userName":"u","name":{"familyName":"F","givenName":"G"},"title":"t","emails":[{"value":"a@x","type":"work"}],"` + scim.EnterpriseUserURN +
		`":{"department":"D","manager":{"value":"M"}}`
	for _, tt := range []struct{ in, want string }{
		{`"userName":"v"`, strings.Replace("{"+old+"}", `"u"`, `"v"`, 1)},
		{`"name":{"givenName":"H","middleName":"I"}`, strings.Replace("{"+old+"}", `"G"`, `"H","middleName":"I"`, 1)},
		{`"name":{"givenName":null}`, strings.Replace("{"+old+"}", `,"givenName":"G"`, ``, 1)},
		{`"name":null`, strings.Replace("{"+old+"}", `"name":{"familyName":"F","givenName":"G"},`, ``, 1)},
		{`"name":[]`, strings.Replace("{"+old+"}", `"name":{"familyName":"F","givenName":"G"},`, ``, 1)},
		{`"emails":[{"value":"a@x"}]`, strings.Replace("{"+old+"}", `,"type":"work"`, ``, 1)},
		{`"` + scim.EnterpriseUserURN + `":{"department":"E"}`, strings.Replace("{"+old+"}", `"D"`, `"E"`, 1)},
		{`"` + scim.EnterpriseUserURN + `":{"manager":null}`, strings.Replace("{"+old+"}", `,"manager":{"value":"M"}`, ``, 1)},
		{`"` + scim.EnterpriseUserURN + `":{"manager":{"displayName":"Boss"}}`, "{" + old + "}"},
		{`"` + scim.EnterpriseUserURN + `":{}`, "{" + old + "}"},
		{`"` + scim.EnterpriseUserURN + `":null`, strings.Replace("{"+old+"}", `,"`+scim.EnterpriseUserURN+`":{"department":"D","manager":{"value":"M"}}`, ``, 1)},
	} {
		before, _, err := schema.Decode(user, parse(t, body(user, old)), auto(nil))
		if err != nil {
			t.Fatal(err)
		}
		before.ExternalID = "x"
		o := auto(nil)
		var subs []string
		o.Named = func(path string) { subs = append(subs, path) }
		after, named, err := schema.Decode(user, parse(t, body(user, tt.in)), o)
		if err != nil {
			t.Fatal(err)
		}
		schema.Merge(before, after, append(named, subs...), true)
		if values(after) != tt.want || after.ExternalID != "x" {
			t.Errorf("%s, externalId %q\ngot  %s\nwant %s", tt.in, after.ExternalID, values(after), tt.want)
		}
	}
}
