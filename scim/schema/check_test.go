package schema_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// decode decodes the members of a resource, which must be without fault.
func decode(t testing.TB, rt *scim.ResourceType, members string) *scim.Resource {
	t.Helper()
	r, _, err := schema.Decode(rt, parse(t, body(rt, members)), schema.Options{})
	if err != nil {
		t.Fatalf("%s: %v", members, err)
	}
	return r
}

func certificate(t testing.TB) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// TestCheckValues checks what a value alone must be. In lax, rule BODY-09
// forgives the fault.
func TestCheckValues(t *testing.T) {
	t.Parallel()
	der := certificate(t)
	one, two := base64.StdEncoding.EncodeToString(der), base64.StdEncoding.EncodeToString(append(slices.Clone(der), der...))
	const user, widget = `"userName":"a"`, `"reqd":"r"`
	tests := []struct {
		id, rt, in string
		path       string // "": no fault
		lax        bool
	}{
		{"USR-002 none", "User", `"title":"x"`, "userName", false},
		{"USR-002 empty", "User", `"userName":""`, "userName", false},
		{"USR-002 blank", "User", `"userName":"   "`, "userName", false},
		{"GRP-002", "Group", `"members":[{"value":"a"}]`, "displayName", false},
		{"GRP-004", "Group", `"displayName":"g"`, "", false},
		{"SCH-032", "Widget", `"str":"x"`, "reqd", false},
		{"SCH-032 empty", "Widget", `"reqd":""`, "reqd", false},
		{"RST-006", "Gadget", `"name":"x"`, "urn:x:test:2.0:GadgetExt", false},
		{"RST-006 there", "Gadget", `"urn:x:test:2.0:GadgetExt":{"code":"c"}`, "", false},
		{"RST-006 in it", "Gadget", `"urn:x:test:2.0:GadgetExt":{"boss":{"value":"u"}}`, "urn:x:test:2.0:GadgetExt:code", false},
		{"required sub-attribute", "Gadget", `"keys":[{"value":"k"},{"serial":"s"}],"urn:x:test:2.0:GadgetExt":{"code":"c"}`, "keys.value", false},
		{"SCH-015", "Widget", widget + `,"ref":"ht tp://x"`, "ref", false},
		{"SCH-015 relative", "Widget", widget + `,"ref":"../Users/1?a=b#c"`, "", false},
		{"SCH-015 beyond ASCII", "Widget", widget + `,"ref":"https://x/ä"`, "", false},
		{"SCH-021", "User", user + `,"emails":[{"value":"a","primary":true},{"value":"b","primary":true}]`, "emails.primary", false},
		{"SCH-021 one", "User", user + `,"emails":[{"value":"a","primary":true},{"value":"b","primary":false}]`, "", false},
		{"SCH-031", "Widget", widget + `,"canon":"zzz"`, "canon", true},
		{"SCH-031 case", "Widget", widget + `,"canon":"RED"`, "", false},
		{"SCH-031 sub-attribute", "User", user + `,"emails":[{"value":"a","type":"cabin"}]`, "emails.type", true},
		{"USR-008", "User", user + `,"profileUrl":"::"`, "profileUrl", false},
		{"USR-022", "User", user + `,"photos":[{"value":"a b"}]`, "photos.value", false},
		{"USR-009 underscore", "User", user + `,"locale":"en_US"`, "", false},
		{"USR-009", "User", user + `,"locale":"not a tag!"`, "locale", true},
		{"USR-009 unregistered", "User", user + `,"locale":"xx-YY"`, "", false},
		{"USR-010", "User", user + `,"preferredLanguage":"da, en-gb;q=0.8"`, "", false},
		{"USR-010 language", "User", user + `,"preferredLanguage":"!!"`, "preferredLanguage", true},
		{"USR-010 zone", "User", user + `,"timezone":"Mars/X"`, "timezone", true},
		{"USR-010 zone alone", "User", user + `,"timezone":"Vienna"`, "timezone", true},
		{"USR-010 place", "User", user + `,"timezone":"America/Argentina/Buenos_Aires"`, "", false},
		{"USR-010 UTC", "User", user + `,"timezone":"UTC"`, "", false},
		{"USR-020", "User", user + `,"addresses":[{"country":"USA"}]`, "addresses.country", true},
		{"USR-020 code", "User", user + `,"addresses":[{"country":"US"},{"country":"at"}]`, "", false},
		{"USR-023", "User", user + `,"x509Certificates":[{"value":"` + one + `"}]`, "", false},
		{"USR-023 two", "User", user + `,"x509Certificates":[{"value":"` + two + `"}]`, "x509Certificates.value", false},
		{"USR-023 none", "User", user + `,"x509Certificates":[{"value":"aGk="}]`, "x509Certificates.value", false},
		{"SEC-012 invisible", "User", `"userName":"a\u200bb"`, "userName", false},
		{"SEC-012 control", "User", `"userName":"a\u0007b"`, "userName", false},
		{"SEC-012 unassigned", "User", `"userName":"a\u0378"`, "userName", false},
		{"SEC-012 letters", "User", `"userName":"Ünal.ｂ@x"`, "", false},
		{"SEC-013", "User", `"userName":"Jane Doe"`, "userName", true},
		{"SEC-013 symbol", "User", `"userName":"a½"`, "userName", true},
		{"empty reference", "User", user + `,"` + scim.EnterpriseUserURN + `":{"manager":{"value":""}}`, scim.EnterpriseUserURN + ":manager.value", false},
		{"custom schemas have no such forms", "Widget", widget + `,"str":"USA"`, "", false},
	}
	byName := map[string]*scim.ResourceType{}
	for _, rt := range types(t) {
		byName[rt.Name] = rt
	}
	for _, tt := range tests {
		t.Run(tt.id, func(t *testing.T) {
			t.Parallel()
			r := decode(t, byName[tt.rt], tt.in)
			err := schema.Check(nil, r, schema.Options{})
			if tt.path == "" && err != nil {
				t.Error(err)
			}
			if tt.path != "" {
				wantError(t, err, scim.TypeInvalidValue, `"`+tt.path+`": `)
			}
			var rules []string
			err = schema.Check(nil, r, auto(func(s string) { rules = append(rules, s) }))
			if forgiven := tt.path == "" || tt.lax; forgiven != (err == nil) {
				t.Errorf("with FreeFormats: %v", err)
			}
			if tt.lax != slices.Contains(rules, "BODY-09") {
				t.Errorf("rules %v", rules)
			}
		})
	}
}

func TestCheckMaxValues(t *testing.T) { // SEC-022
	t.Parallel()
	widget := typeNamed(t, "Widget")
	tags := func(list string) *scim.Resource { return decode(t, widget, `"reqd":"r","tags":[`+list+`]`) }
	for _, tt := range []struct {
		before, after string
		ok            bool
	}{
		{``, `"a","b"`, true},
		{``, `"a","b","c"`, false},
		{`"a","b"`, `"a","b","c"`, false},
		{`"a","b","c","d"`, `"a","b","c","d"`, true},
		{`"a","b","c","d"`, `"a","b","c"`, true}, // the limit was another one
		{`"a","b","c"`, `"a","b","c","d"`, false},
	} {
		err := schema.Check(tags(tt.before), tags(tt.after), schema.Options{MaxValues: 2})
		if tt.ok && err != nil {
			t.Errorf("%s to %s: %v", tt.before, tt.after, err)
		}
		if !tt.ok {
			wantError(t, err, scim.TypeInvalidValue, `"tags": at most 2 values`)
		}
	}
}

func TestCheckAllFaults(t *testing.T) {
	t.Parallel()
	widget := typeNamed(t, "Widget")
	before := decode(t, widget, `"reqd":"r","imm":"a"`)
	err := schema.Check(before, decode(t, widget, `"imm":"b","ref":"a b"`), schema.Options{})
	wantError(t, err, scim.TypeMutability, `"imm"`, `"ref"`, `"reqd"`)
}

func TestCheckImmutable(t *testing.T) { // SCH-028, PUT-007, PAT-018
	t.Parallel()
	const ext = `"urn:x:test:2.0:GadgetExt":{"code":"c"}`
	tests := []struct{ rt, before, after, path string }{
		{"Widget", `"reqd":"r","imm":"a"`, `"reqd":"r","imm":"a"`, ""},
		{"Widget", `"reqd":"r","imm":"a"`, `"reqd":"r","imm":"b"`, "imm"},
		{"Widget", `"reqd":"r","imm":"a"`, `"reqd":"r"`, "imm"},
		{"Widget", `"reqd":"r"`, `"reqd":"r","imm":"b"`, ""},
		{"Gadget", `"keys":[{"value":"k","serial":"1"}],` + ext, `"keys":[{"value":"k","serial":"2"}],` + ext, "keys.serial"},
		{"Gadget", `"keys":[{"value":"k","serial":"1"}],` + ext, `"keys":[{"value":"k"}],` + ext, "keys.serial"},
		{"Gadget", `"keys":[{"value":"k"}],` + ext, `"keys":[{"value":"k","serial":"2"}],` + ext, ""},
		{"Gadget", `"keys":[{"value":"k","serial":"1"}],` + ext, `"keys":[{"value":"j","serial":"2"}],` + ext, ""},
		{"Gadget", `"keys":[{"value":"k","serial":"1"}],` + ext, ext, ""},
	}
	for _, tt := range tests {
		rt := typeNamed(t, tt.rt)
		err := schema.Check(decode(t, rt, tt.before), decode(t, rt, tt.after), schema.Options{})
		switch {
		case tt.path != "":
			wantError(t, err, scim.TypeMutability, `"`+tt.path+`"`)
		case err != nil:
			t.Errorf("%s to %s: %v", tt.before, tt.after, err)
		}
	}
}

// TestCheckLeavesOldValues: a stored value that would be refused today stops no
// change elsewhere.
func TestCheckLeavesOldValues(t *testing.T) {
	t.Parallel()
	user := schema.Core()[0]
	const old = `"userName":"Jane Doe","timezone":"Mars/X","addresses":[{"country":"USA"}]`
	before, after := decode(t, user, old), decode(t, user, old+`,"title":"x"`)
	if err := schema.Check(before, after, schema.Options{}); err != nil {
		t.Error(err)
	}
	after.Attrs.Set("timezone", "Mars/Y")
	wantError(t, schema.Check(before, after, schema.Options{}), scim.TypeInvalidValue, "timezone")
}

func TestDefaults(t *testing.T) { // USR-012, CRE-006
	t.Parallel()
	user, group := schema.Core()[0], schema.Core()[1]
	for in, want := range map[string]string{
		`"userName":"a","emails":[{"value":"x"}]`: `{"userName":"a","active":true,"emails":[{"value":"x"}]}`,
		`"userName":"a","active":false`:           `{"userName":"a","active":false}`,
		`"userName":"a","active":null`:            `{"userName":"a"}`,
		`"ACTIVE":null`:                           `{}`,
		``:                                        `{"active":true}`,
	} {
		r, named, err := schema.Decode(user, parse(t, body(user, in)), schema.Options{})
		if err != nil {
			t.Fatal(err)
		}
		schema.Defaults(r, named)
		if values(r) != want {
			t.Errorf("%s: %s, want %s", in, values(r), want)
		}
	}
	r := decode(t, group, `"displayName":"g"`)
	schema.Defaults(r, nil)
	if values(r) != `{"displayName":"g"}` {
		t.Errorf("a group got %s", values(r))
	}
}

func TestReplace(t *testing.T) { // PUT-003 to PUT-012, PUT-016, COM-008
	t.Parallel()
	const ext, gext = scim.EnterpriseUserURN, "urn:x:test:2.0:GadgetExt"
	tests := []struct {
		id, rt, before, body, want string
		keepActive                 bool
	}{
		{"PUT-004", "User", `{"userName":"a","title":"t","active":false}`, `"userName":"b"`, `{"userName":"b","active":true}`, false},
		{"LIFE-08", "User", `{"userName":"a","title":"t","active":false}`, `"userName":"b"`, `{"userName":"b","active":false}`, true},
		{"LIFE-08 named", "User", `{"userName":"a","active":false}`, `"userName":"b","active":true`, `{"userName":"b","active":true}`, true},
		{"LIFE-08 null", "User", `{"userName":"a","active":false}`, `"userName":"b","active":null`, `{"userName":"b","active":false}`, true},
		{"PUT-005", "User", `{"userName":"a","password":"p"}`, `"userName":"b","active":true`, `{"userName":"b","active":true,"password":"p"}`, false},
		{"PUT-005 null", "User", `{"userName":"a","password":"p"}`, `"userName":"b","password":null,"active":true`, `{"userName":"b","active":true}`, false},
		{"PUT-011", "User", `{"userName":"a","active":true,"emails":[{"value":"1"},{"value":"2"}]}`, `"userName":"a","emails":[{"value":"3"}]`,
			`{"userName":"a","active":true,"emails":[{"value":"3"}]}`, false},
		{"PUT-012", "User", `{"userName":"a","` + ext + `":{"department":"d"}}`, `"userName":"a"`, `{"userName":"a","active":true}`, false},
		{"GRP-012", "Group", `{"displayName":"g"}`, `"displayName":"h"`, `{"displayName":"h"}`, false},
		{"PUT-006", "Widget", `{"ro":"r","reqd":"x"}`, `"ro":"mine","reqd":"y"`, `{"ro":"r","reqd":"y"}`, false},
		{"PUT-008", "Widget", `{"imm":"i","reqd":"x"}`, `"reqd":"y"`, `{"imm":"i","reqd":"y"}`, false},
		{"PUT-007", "Widget", `{"imm":"i","reqd":"x"}`, `"imm":"j","reqd":"y"`, `{"imm":"j","reqd":"y"}`, false}, // which Check refuses
		{"PUT-008 null", "Widget", `{"imm":"i","reqd":"x"}`, `"imm":null,"reqd":"y"`, `{"reqd":"y"}`, false},
		{"sub-attributes", "Gadget", `{"keys":[{"value":"k","secret":"s","hint":"h","serial":"1"},{"value":"l","secret":"t"}]}`,
			`"keys":[{"value":"k","hint":"n"},{"value":"m"}]`,
			`{"keys":[{"value":"k","secret":"s","hint":"n","serial":"1"},{"value":"m"}]}`, false},
		{"links keep nothing derived", "Gadget", `{"owner":{"value":"1"},"` + gext + `":{"code":"c","boss":{"value":"2"}}}`,
			`"owner":{"value":"3"},"` + gext + `":{"code":"d"}`, `{"owner":{"value":"3"},"` + gext + `":{"code":"d"}}`, false},
	}
	for _, tt := range tests {
		t.Run(tt.id, func(t *testing.T) {
			t.Parallel()
			rt := typeNamed(t, tt.rt)
			before := &scim.Resource{Type: rt, ID: "ID", Text: []byte(strings.TrimSuffix(tt.before[1:], "}")), Meta: scim.Meta{Version: "7"}}
			if err := schema.Load(before); err != nil {
				t.Fatal(err)
			}
			was := scim.Clone(before.Attrs)
			r, named, err := schema.Decode(rt, parse(t, body(rt, tt.body+`,"id":"zzz","meta":{"version":"1"}`)), schema.Options{})
			if err != nil {
				t.Fatal(err)
			}
			schema.Replace(before, r, named, tt.keepActive)
			schema.Defaults(r, named)
			if values(r) != tt.want || r.ID != "ID" || r.Meta.Version != "7" {
				t.Errorf("%s version %s: %s\nwant %s", r.ID, r.Meta.Version, values(r), tt.want)
			}
			if !scim.Equal(was, before.Attrs) {
				t.Error("Replace changed the resource before")
			}
		})
	}
}
