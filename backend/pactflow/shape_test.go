package pactflow_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/pactflow"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/patch"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// The roles that are on every PactFlow.
const (
	administrator     = "cf75d7c2-416b-11ea-af5e-53c3b1a4efd8"
	userRole          = "e9282e22-416b-11ea-a16e-57ee1bb61d18"
	ciRole            = "c1878b8e-d09e-11ea-8fde-af02c4677eb7"
	teamAdministrator = "d635f960-88f2-4f13-8043-4641a02dffa0"
)

func object(tb testing.TB, text string) scim.Object {
	tb.Helper()
	o, err := scim.ParseObject([]byte(text), 0, 0)
	if err != nil {
		tb.Fatal(err)
	}
	return o
}

// decoded returns what a body says, and what it names.
func decoded(tb testing.TB, t *scim.ResourceType, body string) (*scim.Resource, []string) {
	tb.Helper()
	var subs []string
	r, named, err := schema.Decode(t, object(tb, body), schema.Options{AnySchemas: true, IgnoreUnknown: true, EmptyUnassigns: true,
		OwnRequired: true, FreeFormats: true, StringBooleans: true, Named: func(p string) { subs = append(subs, p) }})
	if err != nil {
		tb.Fatal(err)
	}
	return r, append(named, subs...)
}

// stored returns a resource as PactFlow shows it: what is derived included.
func stored(tb testing.TB, t *scim.ResourceType, attrs string) *scim.Resource {
	tb.Helper()
	r := &scim.Resource{Type: t, ID: "one", Text: []byte(attrs), Digest: t.Digest}
	if err := schema.Load(r); err != nil {
		tb.Fatal(err)
	}
	r.Text = nil
	return r
}

// shaped carries out the shaping of a request as the engine does.
func shaped(tb testing.TB, o pactflow.Options, t *scim.ResourceType, method, before, body string) (*scim.Resource, error) {
	tb.Helper()
	var err error
	if o.URL, err = pactflow.ParseURL("http://pactflow.example"); err != nil {
		tb.Fatal(err)
	}
	b := pactflow.New(o)
	c := scim.Change{Method: method}
	switch method {
	case "POST":
		c.After, c.Touched = decoded(tb, t, body)
		schema.Defaults(c.After, c.Touched)
	case "PUT":
		c.Before = stored(tb, t, before)
		c.After, c.Touched = decoded(tb, t, body)
		schema.Merge(c.Before, c.After, c.Touched, true)
	case "PATCH":
		c.Before = stored(tb, t, before)
		po := patch.Options{CreateOnNoMatch: true, OwnReadOnly: true, LateImmutable: true, Values: schema.Options{EmptyUnassigns: true, OwnRequired: true, AnySchemas: true}}
		ops, err := patch.Decode(t, object(tb, `{"Operations":[`+body+`]}`), po)
		if err != nil {
			tb.Fatal(err)
		}
		c.Touched = patch.Named(ops)
		if c.After, err = patch.Apply(c.Before, ops, po); err != nil {
			return nil, err
		}
		c.After.Attrs = scim.Clone(c.After.Attrs)
	}
	c.After.Type = t
	was := ""
	if c.Before != nil {
		was = show(c.Before)
	}
	err = b.Shape(context.Background(), &c)
	if c.Before != nil && show(c.Before) != was {
		tb.Errorf("Shape changed Before to %s", show(c.Before))
	}
	return c.After, err
}

// show returns externalId and attributes, in the order of the schema.
func show(r *scim.Resource) string {
	var o scim.Object
	if r.ExternalID != "" {
		o = append(o, scim.Member{Name: "externalId", Value: r.ExternalID})
	}
	for _, a := range r.Type.Schema.Attributes {
		if v := r.Attrs.Get(a.Name); v != nil {
			o = append(o, scim.Member{Name: a.Name, Value: v})
		}
	}
	return string(o.AppendJSON(nil))
}

const (
	roleA    = `{"value":"` + administrator + `","display":"Administrator","type":"Administrator"}`
	roleU    = `{"value":"` + userRole + `","display":"User","type":"User"}`
	roleT    = `{"value":"` + teamAdministrator + `","display":"Team Administrator","type":"Team Administrator"}`
	adaRest  = `"name":{"formatted":"Ada L","givenName":"Ada","familyName":"L"},"displayName":"Ada L","userType":"User","active":true,"emails":[{"value":"ada@x","primary":true}]`
	ada      = `"userName":"ada",` + adaRest
	robot    = `"name":{"formatted":"CI"},"displayName":"CI","userType":"System Account","active":true`
	nameless = `"userType":"User","active":true,"emails":[{"value":"u1@x","primary":true}]`
)

// TestShapeUser is the table of mapping 1.2 and 1.3, and the rules of PATCH.
func TestShapeUser(t *testing.T) {
	t.Parallel()
	types := pactflow.Types()
	const mail = `"emails":[{"value":"ada@x","primary":true}]`
	for _, tt := range []struct {
		name, method, before, body, want string
	}{
		{"POST: formatted wins", "POST", "", `{"userName":"u","name":{"formatted":"F"},"displayName":"D",` + mail + `}`,
			`{"userName":"u","name":{"formatted":"F"},"displayName":"F","userType":"User","active":true,` + mail + `}`},
		{"POST: then displayName", "POST", "", `{"userName":"u","displayName":"D",` + mail + `}`,
			`{"userName":"u","name":{"formatted":"D"},"displayName":"D","userType":"User","active":true,` + mail + `}`},
		{"POST: then the parts", "POST", "", `{"userName":"u","name":{"givenName":"G","familyName":"H"},` + mail + `}`,
			`{"userName":"u","name":{"formatted":"G H","givenName":"G","familyName":"H"},"displayName":"G H","userType":"User","active":true,` + mail + `}`},
		{"POST: one part", "POST", "", `{"userName":"u","name":{"familyName":"H"},` + mail + `}`,
			`{"userName":"u","name":{"formatted":"H","familyName":"H"},"displayName":"H","userType":"User","active":true,` + mail + `}`},
		{"POST: then userName, kept as it is", "POST", "", `{"userName":" U ",` + mail + `}`,
			`{"userName":" U ","name":{"formatted":" U "},"displayName":" U ","userType":"User","active":true,` + mail + `}`},
		{"POST: of several addresses the primary", "POST", "", `{"userName":"u","emails":[{"value":"a@x"},{"value":"b@x","primary":true}]}`,
			`{"userName":"u","name":{"formatted":"u"},"displayName":"u","userType":"User","active":true,"emails":[{"value":"b@x","primary":true}]}`},
		{"POST: else the first with a value", "POST", "", `{"userName":"u","emails":[{"value":"","primary":true},{"value":"a@x"},{"value":"b@x"}]}`,
			`{"userName":"u","name":{"formatted":"u"},"displayName":"u","userType":"User","active":true,"emails":[{"value":"a@x","primary":true}]}`},
		{"POST: inactive, with an externalId", "POST", "", `{"userName":"u","externalId":"e","active":"False",` + mail + `}`,
			`{"externalId":"e","userName":"u","name":{"formatted":"u"},"displayName":"u","userType":"User","active":false,` + mail + `}`},
		{"POST: a free text is no type", "POST", "", `{"userName":"u","userType":"Contractor",` + mail + `}`,
			`{"userName":"u","name":{"formatted":"u"},"displayName":"u","userType":"User","active":true,` + mail + `}`},
		{"POST: system account", "POST", "", `{"userName":"u","externalId":"e","userType":" system_ACCOUNT ","displayName":"CI",` + mail + `}`,
			`{"name":{"formatted":"CI"},"displayName":"CI","userType":"System Account","active":true}`},
		{"POST: system account by number, named by userName", "POST", "", `{"userName":"u","userType":"1"}`,
			`{"name":{"formatted":"u"},"displayName":"u","userType":"System Account","active":true}`},
		{"POST: roles once each, empty ones and Team Administrator skipped", "POST", "",
			`{"userName":"u",` + mail + `,"roles":[{"type":"X","value":""},` + roleA + `,{"value":"` + administrator + `"},` + roleT + `]}`,
			`{"userName":"u","name":{"formatted":"u"},"displayName":"u","userType":"User","active":true,` + mail + `,"roles":[{"value":"` + administrator + `"}]}`},
		{"POST: no roles, which is not the default", "POST", "", `{"userName":"u",` + mail + `,"roles":[]}`,
			`{"userName":"u","name":{"formatted":"u"},"displayName":"u","userType":"User","active":true,` + mail + `,"roles":[]}`},

		{"PUT: the same", "PUT", ada + `,"roles":[` + roleU + `,` + roleA + `]`, `{` + ada + `,"roles":[` + roleA + `,` + roleU + `]}`,
			`{` + ada + `,"roles":[` + roleU + `,` + roleA + `]}`},
		{"PUT: formatted wins, even if it is the same", "PUT", ada, `{"userName":"ada",` + mail + `,"name":{"formatted":"Ada L"},"displayName":"D"}`, `{` + ada + `}`},
		{"PUT: displayName alone", "PUT", ada, `{"userName":"ada",` + mail + `,"displayName":"D"}`,
			`{"userName":"ada","name":{"formatted":"D","givenName":"Ada","familyName":"L"},"displayName":"D","userType":"User","active":true,` + mail + `}`},
		{"PUT: formatted empty, displayName given", "PUT", ada, `{"userName":"ada",` + mail + `,"name":{"formatted":""},"displayName":"D"}`,
			`{"userName":"ada","name":{"formatted":"D","givenName":"Ada","familyName":"L"},"displayName":"D","userType":"User","active":true,` + mail + `}`},
		{"PUT: neither", "PUT", ada, `{"userName":"ada",` + mail + `}`, `{` + ada + `}`},
		{"PUT: parts kept or cleared", "PUT", ada, `{"userName":"ada",` + mail + `,"name":{"givenName":""}}`,
			`{"userName":"ada","name":{"formatted":"Ada L","familyName":"L"},"displayName":"Ada L","userType":"User","active":true,` + mail + `}`},
		{"PUT: no type, no active", "PUT", ada, `{"userName":"ada",` + mail + `,"userType":"Employee"}`, `{` + ada + `}`},
		{"PUT: the type in other words", "PUT", ada, `{"userName":"ada",` + mail + `,"userType":"0"}`, `{` + ada + `}`},
		{"PUT: another name", "PUT", ada, `{"userName":"ADA",` + mail + `}`, `{"userName":"ADA",` + adaRest + `}`},
		{"PUT: one without a userName may stay so", "PUT", nameless, `{"emails":[{"value":"u1@x"}]}`, `{` + nameless + `}`},
		{"PUT: or get one", "PUT", nameless, `{"userName":"u1","emails":[{"value":"u1@x"}]}`, `{"userName":"u1",` + nameless + `}`},
		{"PUT: a system account needs nothing", "PUT", robot, `{"active":false}`,
			`{"name":{"formatted":"CI"},"displayName":"CI","userType":"System Account","active":false}`},
		{"PUT: roles not named stay", "PUT", ada + `,"roles":[` + roleU + `]`, `{` + ada + `}`, `{` + ada + `,"roles":[` + roleU + `]}`},
		{"PUT: no roles", "PUT", ada + `,"roles":[` + roleU + `]`, `{` + ada + `,"roles":[]}`, `{` + ada + `}`},
		{"PUT: no roles but Team Administrator", "PUT", ada + `,"roles":[` + roleU + `,` + roleT + `]`, `{` + ada + `,"roles":[]}`, `{` + ada + `,"roles":[` + roleT + `]}`},
		{"PUT: only Team Administrator left out", "PUT", ada + `,"roles":[` + roleT + `,` + roleU + `]`, `{` + ada + `,"roles":[` + roleU + `]}`, `{` + ada + `,"roles":[` + roleT + `,` + roleU + `]}`},
		{"PUT: a role by the name of one that is held", "PUT", ada + `,"roles":[` + roleU + `]`, `{` + ada + `,"roles":[{"value":"user"}]}`, `{` + ada + `,"roles":[` + roleU + `]}`},
		{"PUT: a role more", "PUT", ada + `,"roles":[` + roleU + `]`, `{` + ada + `,"roles":[{"type":"CI","value":"` + ciRole + `"},` + roleU + `]}`,
			`{` + ada + `,"roles":[{"value":"` + ciRole + `"},` + roleU + `]}`},

		{"PATCH: only displayName", "PATCH", ada, `{"op":"replace","path":"displayName","value":"D"}`,
			`{"userName":"ada","name":{"formatted":"D","givenName":"Ada","familyName":"L"},"displayName":"D","userType":"User","active":true,` + mail + `}`},
		{"PATCH: only formatted", "PATCH", ada, `{"op":"replace","path":"name.formatted","value":"F"}`,
			`{"userName":"ada","name":{"formatted":"F","givenName":"Ada","familyName":"L"},"displayName":"F","userType":"User","active":true,` + mail + `}`},
		{"PATCH: both", "PATCH", ada, `{"op":"replace","path":"displayName","value":"D"},{"op":"add","path":"name","value":{"formatted":"F"}}`,
			`{"userName":"ada","name":{"formatted":"F","givenName":"Ada","familyName":"L"},"displayName":"F","userType":"User","active":true,` + mail + `}`},
		{"PATCH: a part", "PATCH", ada, `{"op":"remove","path":"name.familyName"}`,
			`{"userName":"ada","name":{"formatted":"Ada L","givenName":"Ada"},"displayName":"Ada L","userType":"User","active":true,` + mail + `}`},
		{"PATCH: displayName can't be taken away", "PATCH", ada, `{"op":"remove","path":"displayName"}`, `{` + ada + `}`},
		{"PATCH: active can't be taken away", "PATCH", ada, `{"op":"remove","path":"active"}`, `{` + ada + `}`},
		{"PATCH: another address in place", "PATCH", ada, `{"op":"replace","path":"emails.value","value":"b@x"}`,
			`{"userName":"ada",` + adaMail("b@x") + `}`},
		{"PATCH: the primary address", "PATCH", ada, `{"op":"replace","path":"emails[primary eq true].value","value":"b@x"}`,
			`{"userName":"ada",` + adaMail("b@x") + `}`},
		{"PATCH: one more is the one", "PATCH", ada, `{"op":"add","path":"emails","value":[{"value":"b@x"}]}`,
			`{"userName":"ada",` + adaMail("b@x") + `}`},
		{"PATCH: the same address again", "PATCH", ada, `{"op":"add","path":"emails","value":[{"value":"ada@x"}]}`, `{` + ada + `}`},
		{"PATCH: other addresses", "PATCH", ada, `{"op":"replace","path":"emails","value":[{"value":"c@x"},{"value":"d@x","primary":true}]}`,
			`{"userName":"ada",` + adaMail("d@x") + `}`},
		{"PATCH: who has no address keeps none", "PATCH", `"userName":"u","userType":"User","active":true`, `{"op":"replace","path":"active","value":false}`,
			`{"userName":"u","userType":"User","active":false}`},
		{"PATCH: a role by its name", "PATCH", ada + `,"roles":[` + roleU + `,` + roleA + `]`, `{"op":"remove","path":"roles[type eq \"User\"]"}`,
			`{` + ada + `,"roles":[` + roleA + `]}`},
		{"PATCH: a role in the place of another", "PATCH", ada + `,"roles":[` + roleU + `]`, `{"op":"replace","path":"roles[type eq \"User\"].value","value":"` + ciRole + `"}`,
			`{` + ada + `,"roles":[{"value":"` + ciRole + `"}]}`},
		{"PATCH: a role in the place of none", "PATCH", ada + `,"roles":[` + roleU + `]`, `{"op":"replace","path":"roles[type eq \"CI/CD\"].value","value":"` + ciRole + `"}`,
			`{` + ada + `,"roles":[` + roleU + `,{"value":"` + ciRole + `"}]}`},
		{"PATCH: a role cleared", "PATCH", ada + `,"roles":[` + roleU + `,` + roleA + `]`, `{"op":"replace","path":"roles[type eq \"User\"].value","value":""}`,
			`{` + ada + `,"roles":[` + roleA + `]}`},
		{"PATCH: a role that is there", "PATCH", ada + `,"roles":[` + roleU + `]`, `{"op":"add","path":"roles","value":[{"value":"` + userRole + `"}]}`, `{` + ada + `,"roles":[` + roleU + `]}`},
		{"PATCH: a free text is no type", "PATCH", ada, `{"op":"replace","value":{"userType":"Contractor","active":false}}`,
			`{"userName":"ada","name":{"formatted":"Ada L","givenName":"Ada","familyName":"L"},"displayName":"Ada L","userType":"User","active":false,` + mail + `}`},
		{"PATCH: externalId", "PATCH", ada, `{"op":"add","path":"externalId","value":"e"}`, `{"externalId":"e",` + ada + `}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := shaped(t, pactflow.Options{}, types[0], tt.method, tt.before, tt.body)
			if err != nil {
				t.Fatal(err)
			}
			if got := show(r); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func adaMail(address string) string {
	return `"name":{"formatted":"Ada L","givenName":"Ada","familyName":"L"},"displayName":"Ada L","userType":"User","active":true,` +
		`"emails":[{"value":"` + address + `","primary":true}]`
}

func TestShapeRefuses(t *testing.T) {
	t.Parallel()
	types := pactflow.Types()
	const mail = `"emails":[{"value":"a@x"}]`
	for _, tt := range []struct {
		name         string
		kind         int
		method       string
		before, body string
		want         scim.ErrorType
	}{
		{"POST without userName", 0, "POST", "", `{` + mail + `}`, scim.TypeInvalidValue},
		{"POST with a blank userName", 0, "POST", "", `{"userName":"  ",` + mail + `}`, scim.TypeInvalidValue},
		{"POST without e-mail", 0, "POST", "", `{"userName":"u"}`, scim.TypeInvalidValue},
		{"POST with an empty e-mail", 0, "POST", "", `{"userName":"u","emails":[{"value":"","primary":true}]}`, scim.TypeInvalidValue},
		{"POST with two primaries", 0, "POST", "", `{"userName":"u","emails":[{"value":"a@x","primary":true},{"value":"b@x","primary":true}]}`, scim.TypeInvalidValue},
		{"POST of a system account without any name", 0, "POST", "", `{"userType":"system"}`, scim.TypeInvalidValue},
		{"POST with the name of a role", 0, "POST", "", `{"userName":"u",` + mail + `,"roles":[{"value":"Administrator"}]}`, scim.TypeInvalidValue},
		{"PUT without userName", 0, "PUT", ada, `{` + mail + `}`, scim.TypeInvalidValue},
		{"PUT with an empty userName", 0, "PUT", ada, `{"userName":"",` + mail + `}`, scim.TypeInvalidValue},
		{"PUT without e-mail", 0, "PUT", ada, `{"userName":"ada"}`, scim.TypeInvalidValue},
		{"PUT that makes a person a system account", 0, "PUT", ada, `{"userName":"ada",` + mail + `,"userType":"System Account"}`, scim.TypeMutability},
		{"PUT that makes a system account a person", 0, "PUT", robot, `{"userType":"user"}`, scim.TypeMutability},
		{"PUT with a role that is not held, by name", 0, "PUT", ada, `{"userName":"ada",` + mail + `,"roles":[{"value":"Nobody"}]}`, scim.TypeInvalidValue},
		{"PATCH of the type", 0, "PATCH", ada, `{"op":"replace","path":"userType","value":"1"}`, scim.TypeMutability},
		{"PATCH that removes userName", 0, "PATCH", ada, `{"op":"remove","path":"userName"}`, scim.TypeMutability},
		{"PATCH that removes the e-mail", 0, "PATCH", ada, `{"op":"remove","path":"emails"}`, scim.TypeInvalidValue},
		{"group without a name", 1, "POST", "", `{}`, scim.TypeInvalidValue},
		{"group with a blank name", 1, "PUT", `"displayName":"d"`, `{"displayName":" \t"}`, scim.TypeInvalidValue},
		{"group with an id that can be none", 1, "POST", "", `{"displayName":"d","members":[{"value":"../x"}]}`, scim.TypeInvalidValue},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := shaped(t, pactflow.Options{}, types[tt.kind], tt.method, tt.before, tt.body)
			var e *scim.Error
			if !errors.As(err, &e) || e.Status != 400 || e.Type != tt.want {
				t.Errorf("error is %v, want a 400 %s", err, tt.want)
			}
		})
	}
}

// A group has a name and no externalId.
func TestShapeGroup(t *testing.T) {
	t.Parallel()
	r, err := shaped(t, pactflow.Options{}, pactflow.Types()[1], "POST", "", `{"displayName":" d ","externalId":"e"}`)
	if err != nil {
		t.Fatal(err)
	}
	if got := show(r); got != `{"displayName":" d "}` {
		t.Errorf("got %s", got)
	}
}

// A userName that stands for none is no userName: PUT may leave it out, and
// sending it back changes nothing.
func TestShapeFallback(t *testing.T) {
	t.Parallel()
	users := pactflow.Types()[0]
	for mode, name := range map[string]string{"email": "u1@x", "id": "one"} {
		o := pactflow.Options{UserNameFallback: mode}
		before := `"userName":"` + name + `",` + nameless
		for _, body := range []string{`{"emails":[{"value":"u1@x"}]}`, `{` + before + `}`} {
			r, err := shaped(t, o, users, "PUT", before, body)
			if err != nil {
				t.Fatalf("%s: %v", mode, err)
			}
			if got := show(r); got != `{`+before+`}` {
				t.Errorf("%s: got %s", mode, got)
			}
		}
	}
}

func TestTypes(t *testing.T) {
	t.Parallel()
	types := pactflow.Types()
	if len(types) != 2 || types[0].Name != "User" || types[1].Name != "Group" {
		t.Fatalf("types: %v", types)
	}
	var names []string
	for _, rt := range types {
		for _, a := range rt.Schema.Attributes {
			names = append(names, a.Name)
			for _, s := range a.SubAttributes {
				names = append(names, "."+s.Name)
			}
		}
	}
	want := []string{"userName", "name", ".formatted", ".givenName", ".familyName", "displayName", "userType", "active",
		"emails", ".value", ".primary", "groups", ".value", ".display", ".type", ".$ref", "roles", ".value", ".display", ".type",
		"displayName", "members", ".value", ".display", ".type", ".$ref"}
	if !slices.Equal(names, want) {
		t.Errorf("attributes: %v\nwant %v", names, want)
	}
	if types[1].Membership() == nil || types[0].Groups() == nil {
		t.Error("members and groups are not known for what they are")
	}
}
