package scimtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
)

// valueCase is a document for each type, with %s where its name belongs.
type valueCase struct{ name, user, widget string }

// values are documents whose every value must come back as it went in.
var values = []valueCase{
	{name: "least", widget: `{"label":"%s"}`, user: `{"userName":"%s","active":true}`},
	{name: "booleans", widget: `{"label":"%s","bool":false,"items":[{"value":"a","primary":true},{"value":"b","primary":false}]}`, user: `{"userName":"%s","active":false}`},
	{name: "integers", widget: `{"label":"%s","int":9223372036854775807,"nums":[0,-1,-9223372036854775808,9007199254740993,9007199254740992]}`},
	{name: "decimals", widget: `{"label":"%s","dec":0.1,"decs":[0.0,-1.5,1e300,5e-324,1.7976931348623157e308,123456789.123456789]}`},
	{name: "instants", widget: `{"label":"%s","dt":"2026-01-01T01:00:00+01:00","dates":["2026-01-01T00:00:00Z","1969-12-31T23:59:59.999999Z","2011-05-13T04:42:34.5-05:00","0001-01-01T00:00:00Z","9999-12-31T23:59:59Z"]}`},
	{name: "bytes", widget: `{"label":"%s","bin":"aGVsbG8=","bins":["AA==","AAEC","/+8="]}`, user: `{"userName":"%s","x509Certificates":[{"value":"aGVsbG8="}]}`},
	{name: "references", widget: `{"label":"%s","ref":"https://example.com/a?b=c#d","refs":["urn:x:y","https://example.com/%%7Ea"]}`, user: `{"userName":"%s","profileUrl":"https://example.com/%%C3%%BC","photos":[{"value":"https://photos.example.com/F","type":"photo"}]}`},
	{name: "complex", widget: `{"label":"%s","cplx":{"a":"x","n":-3,"d":2.5}}`, user: `{"userName":"%s","name":{"formatted":"Dr. A B","familyName":"B","givenName":"A","middleName":"","honorificPrefix":"Dr."}}`},
	{name: "lists", widget: `{"label":"%s","tags":["b","a","B",""],"items":[{"value":"z","type":"t","n":1},{"value":"z","type":"u","at":"2026-02-03T04:05:06Z"},{"exact":"only"}]}`,
		user: `{"userName":"%s","emails":[{"value":"b@example.com","type":"work"},{"value":"a@example.com","type":"home","primary":true}],"addresses":[{"formatted":"1 Way\nTown","country":"NO"}]}`},
	{name: "empty strings", widget: `{"label":"%s","str":"","strX":"","cplx":{"a":""},"tags":[""]}`, user: `{"userName":"%s","title":"","name":{"givenName":""}}`},
	{name: "Unicode", widget: `{"label":"%s","str":"日本語 👩‍👩‍👧 Zoë Zoe\u0308 \u202eabc\ufeff","strX":"ﬁ ｗｉｄｅ ß İı","tags":["😀","\ud83d\ude00x","é","e\u0301"]}`, user: `{"userName":"%s","displayName":"Şükrü Ö. 李明 \u0301"}`},
	{name: "control characters", widget: `{"label":"%s","str":"a\u0000b\u0001\t\n\r\u007f\u2028","strX":"\\ \" ' %% _ [ ] { } ; --","tags":["\u0000","a\u0000","a\u0000b"]}`, user: `{"userName":"%s","displayName":"Robert'); DROP TABLE users;--"}`},
	{name: "long", widget: `{"label":"%s","str":"` + strings.Repeat("long ", 40_000) + `"}`, user: `{"userName":"%s","displayName":"` + strings.Repeat("é", 5000) + `"}`},
	{name: "hidden", widget: `{"label":"%s","nev":"never","wo":"write","req":"request","alw":"always","items":[{"value":"v","hidden":"h"}]}`, user: `{"userName":"%s","password":"t1meMa$heen"}`},
	{name: "extension", widget: `{"label":"%s","urn:x:scimtest:2.0:WidgetExt":{"color":"red","level":7,"marks":[{"value":"a","type":"b"}]}}`,
		user: `{"userName":"%s","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"701984","department":"Tour"}}`},
}

func testValues(t *testing.T, s *suite) {
	for _, v := range values {
		for _, typ := range []*scim.ResourceType{s.user, s.widget} {
			form := v.form(s, typ)
			if form == "" || s.Lacks.stores(typ) != "" {
				continue
			}
			t.Run(typ.Name+"/"+v.name, func(t *testing.T) {
				c := s.one(t)
				text := fmt.Sprintf(form, "a")
				want := c.decode(typ, text)
				c.sameValues(c.create(typ, "%s", text), want, "Create returns every value as it was given (RFC 7643 §2.3)")
				least := c.create(typ, values[0].form(s, typ), "b")
				full := c.replace(least, "%s", fmt.Sprintf(form, "c"))
				c.sameValues(c.get(full), c.decode(typ, fmt.Sprintf(form, "c")), "Update stores every value as it was given (RFC 7643 §2.3)")
				if v.name != "least" {
					bare := c.replace(full, values[0].form(s, typ), "d")
					c.sameValues(c.get(bare), c.decode(typ, fmt.Sprintf(values[0].form(s, typ), "d")), "an attribute without a value is absent (RFC 7643 §2.5)")
				}
				for _, r := range c.list(scim.Query{Type: typ, StartIndex: 1, Count: 10}).Resources {
					c.sameValues(r, c.get(r), "List returns resources as Get does")
				}
			})
		}
	}
}

func (v valueCase) form(s *suite, typ *scim.ResourceType) string {
	if typ == s.widget {
		return v.widget
	}
	return v.user
}

// sameValues compares two documents value by value and type by type.
func (c *tenant) sameValues(got, want *scim.Resource, rule string) {
	c.Helper()
	c.same(show(got, nil), show(want, nil), rule)
	if !scim.Equal(got.Attrs, want.Attrs) {
		c.broken(rule+", as the same Go type", "got  %#v\nwant %#v", got.Attrs, want.Attrs)
	}
}

func testManyValues(t *testing.T, s *suite) {
	n := 10_000
	if s.Short {
		n = 1_000
	}
	c := s.one(t)
	var emails strings.Builder
	for i := range n {
		fmt.Fprintf(&emails, `,{"value":"user%d@example.com","type":"t%d"}`, i, i)
	}
	text := `{"userName":"a","emails":[` + emails.String()[1:] + `]}`
	if list, _ := c.decode(c.user, text).Attrs.Get("emails").([]any); len(list) < n {
		t.Skip("the backend keeps fewer values")
	}
	r := c.create(c.user, "%s", text)
	c.sameValues(c.get(r), c.decode(c.user, text), fmt.Sprintf("%d values are stored, in their order", n))
	last := fmt.Sprintf(`emails[value eq "USER%d@example.com" and type eq "t%d"]`, n-1, n-1)
	c.finds(1, c.user, "a filter sees every value", "%s", last)
	least := c.replace(r, `{"userName":"a"}`)
	if least.Attrs.Get("emails") != nil {
		c.broken("an attribute without a value is absent (RFC 7643 §2.5)", "emails is %v", least.Attrs.Get("emails"))
	}
	c.finds(0, c.user, "a filter sees no value that is gone", "%s", last)
}

func testExternalID(t *testing.T, s *suite) {
	c := s.one(t)
	a := c.create(c.user, `{"userName":"a","externalId":"X 1"}`)
	b := c.create(c.user, `{"userName":"b"}`)
	if a.ExternalID != "X 1" || b.ExternalID != "" {
		c.broken("externalId is stored as given", "%q and %q", a.ExternalID, b.ExternalID)
	}
	b = c.replace(b, `{"userName":"b","externalId":"X 1"}`) // unique to its client, not to the server (RFC 7643 §3.1)
	a = c.replace(a, `{"userName":"a"}`)
	if got := c.get(a); got.ExternalID != "" {
		c.broken("externalId can be unassigned", "%q", got.ExternalID)
	}
	if got := c.get(b); got.ExternalID != "X 1" {
		c.broken("externalId can be assigned", "%q", got.ExternalID)
	}
	for filter, want := range map[string]int{`externalId eq "X 1"`: 1, `externalId eq "x 1"`: 0, `externalId pr`: 1, `externalId ne "X 1"`: 1} {
		c.finds(want, c.user, "externalId is filtered as a caseExact string (RFC 7643 §3.1)", "%s", filter)
	}
}

func testDigest(t *testing.T, s *suite) {
	c := s.one(t)
	u := c.create(c.user, `{"userName":"a","title":"t"}`)
	other := *c.user
	other.Digest = "another"
	r, err := c.b.Get(c.Context(), scim.Ref{Type: &other, ID: u.ID}, scim.Selection{})
	c.must(err, "a resource written under other schemas can be read")
	if r.Text != nil && r.Digest != c.user.Digest {
		c.broken("Digest is that of the type under which Text was encoded, not of the type asked for", "digest %q, want %q", r.Digest, c.user.Digest)
	}
	c.same(show(c.load(r), nil), show(u, nil), "a resource written under other schemas can be read")
}
