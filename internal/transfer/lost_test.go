package transfer_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/transfer"
	"github.com/rollcall-scim/rollcall/scim"
)

// TestLost: a document that was written under other schemas is refused where a
// value of it would be lost, and nowhere else.
func TestLost(t *testing.T) {
	t.Parallel()
	s := schemas(t)
	const enterprise = `"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"`
	for _, c := range []struct{ text, hidden, path, why string }{
		{text: `"userName":"a"`},
		{text: `"userName":"a","emails":[{"value":"x","type":"work","primary":true}],"active":true`},
		{text: `"userName":"a","nickname2":"n"`, path: "nickname2", why: "no schema given here defines"},
		{text: `"userName":"a","nickname":"n"`, path: "nickname", why: `spelled "nickName"`},
		{text: `"userName":"a","active":"yes"`, path: "active", why: "not one of the type"},
		{text: `"userName":"a","title":["x"]`, path: "title", why: "not one of the type"},
		{text: `"userName":"a","emails":{"value":"x"}`, path: "emails", why: "not one of the type"},
		{text: `"userName":"a","emails":[{"value":"x","since":2}]`, path: "emails.since", why: "no schema"},
		{text: `"userName":"a","emails":[{"value":"x"},{"value":7}]`, path: "emails", why: "not one of the type"},
		{text: `"userName":"a","emails":[{"value":"x"},{"value":7,"type":"work"}]`, path: "emails.value", why: "not one of the type"},
		{text: `"userName":"a","emails":[{"value":"x"},{"since":7}]`, path: "emails.since", why: "no schema"},
		{text: `"userName":"a","emails":[{"value":"x"},"y"]`, path: "emails", why: "not one of the type"},
		{text: `"userName":"a","name":{"familyName":"x","nameFamily":"y"}`, path: "name.nameFamily"},
		{text: `"userName":"a","name":{"nameFamily":"y"}`, path: "name.nameFamily"},
		{text: `"userName":"a",` + enterprise + `:{"department":"d","floor":3}`, path: strings.Trim(enterprise, `"`) + ":floor"},
		{text: `"userName":"a",` + strings.ToUpper(enterprise) + `:{"department":"d"}`, path: strings.Trim(strings.ToUpper(enterprise), `"`), why: "spelled"},
		{text: `"userName":"a"`, hidden: `"password":"secret-of-the-test","pin":"secret-of-the-test"`, path: "pin"},
		{text: `"userName":"a"`, hidden: `"password":["secret-of-the-test"]`, path: "password"},
		// What is empty is nothing, and what is derived is made anew.
		{text: `"userName":"a","nickname2":null,"others":[],"more":{"of":[]},"emails":[{"value":"x","since":null}]`},
		{text: `"userName":"a","groups":[{"value":"g"}],"schemas":["x"],"id":"y","meta":{"version":"1"}`},
		{text: `"userName":"a",` + enterprise + `:{"manager":{"value":"m","$ref":"../Users/m","displayName":"M","display":"M"}}`},
		// What is not shown is whole in the second text, and shown in the first without it.
		{text: `"userName":"a","urn:example:2.0:Locker":{"keys":[{"value":"v"}]}`, hidden: `"urn:example:2.0:Locker":{"code":"c","keys":[{"value":"v","copy":"h"},{"copy":"i"}]}`},
		{text: `"userName":"a"`, hidden: `"urn:example:2.0:Locker":{"keys":[{"value":"v","copies":"h"}]}`, path: "urn:example:2.0:Locker:keys.copies"},
	} {
		for what, f := range map[string]func(*transfer.Record) error{"prepare": s.Prepare, "renew": s.Renew} {
			r := transfer.Record{Tenant: "x", Kind: transfer.Resources, Resource: &transfer.Resource{TypeName: "User", Resource: scim.Resource{
				ID: "1", Schemas: []string{scim.UserURN}, Text: []byte(c.text), Hidden: []byte(c.hidden), Digest: "of other schemas"}}}
			err := f(&r)
			var lost *transfer.Lost
			switch {
			case c.path == "" && err != nil:
				t.Errorf("%s %s %s: %v", what, c.text, c.hidden, err)
			case c.path == "":
			case !errors.As(err, &lost) || lost.Path != c.path || !strings.Contains(err.Error(), c.why) || !strings.Contains(err.Error(), "ROLLCALL_SCHEMAS"):
				t.Errorf("%s %s %s: %v, want %s", what, c.text, c.hidden, err, c.path)
			case strings.Contains(err.Error(), "secret-of-the-test"):
				t.Errorf("%s tells a secret: %v", what, err)
			}
		}
	}
}

// TestLostAlready: a file whose digest is ours is looked at all the same, and an
// export leaves out no secret that it does not know.
func TestLostAlready(t *testing.T) {
	t.Parallel()
	s := schemas(t)
	record := func(digest, text, hidden string) *transfer.Record {
		return &transfer.Record{Tenant: "x", Kind: transfer.Deleted, Resource: &transfer.Resource{TypeName: "User", Resource: scim.Resource{
			ID: "1", Schemas: []string{scim.UserURN}, Text: []byte(text), Hidden: []byte(hidden), Digest: digest}}}
	}
	ours := s.Type("x", "User").Digest
	var lost *transfer.Lost
	if err := s.Renew(record(ours, `"userName":"a","nickname2":"n"`, "")); !errors.As(err, &lost) {
		t.Errorf("renew: %v", err)
	}
	if err := s.Redact(record("other", `"userName":"a","nickname2":"n"`, `"password":"p"`)); err != nil {
		t.Errorf("what is shown stays in an export: %v", err)
	}
	if err := s.Redact(record("other", `"userName":"a"`, `"pin":"p"`)); !errors.As(err, &lost) || lost.Path != "pin" {
		t.Errorf("redact: %v", err)
	}
}
