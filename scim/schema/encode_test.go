package schema_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// stored returns r as a store gives it back: without Attrs.
func stored(r *scim.Resource) *scim.Resource {
	s := *r
	s.Attrs = nil
	return &s
}

func TestEncodeLoad(t *testing.T) {
	t.Parallel()
	for _, rt := range types(t) {
		for seed := range uint64(500) {
			g := newRandom(seed)
			r := g.resource(rt)
			schema.Encode(r)
			back := stored(r)
			if seed%2 == 1 {
				back.Digest = "other"
			}
			if err := schema.Load(back); err != nil {
				t.Fatalf("%s %d: %v", rt.Name, seed, err)
			}
			if diff := cmp.Diff(r.Attrs, back.Attrs); diff != "" {
				t.Fatalf("%s %d (-encoded +loaded):\n%s\ntext %s\nhidden %s", rt.Name, seed, diff, r.Text, r.Hidden)
			}
			again := *back
			schema.Encode(&again)
			if !bytes.Equal(again.Text, r.Text) || !bytes.Equal(again.Hidden, r.Hidden) || !slices.Equal(again.Links, r.Links) {
				t.Fatalf("%s %d: the second text differs", rt.Name, seed)
			}
			for i, l := range r.Links {
				if l.Visible && (r.Text[l.Pos] != '}' || l.Ref.ID == "") || !l.Visible && l.Pos != 0 {
					t.Fatalf("%s %d: link %d is %+v", rt.Name, seed, i, l)
				}
			}
		}
	}
}

func TestEncode(t *testing.T) { // SCH-029, SCH-036
	t.Parallel()
	const gext = "urn:x:test:2.0:GadgetExt"
	tests := []struct{ name, rt, in, text, hidden, schemas, links string }{
		{"nothing", "User", `{}`, ``, ``, scim.UserURN, ``},
		{"password", "User", `{"userName":"a","password":"p"}`, `"userName":"a"`, `"password":"p"`, scim.UserURN, ``},
		{"request and never", "Widget", `{"req":"1","nev":"2","wo":"3","alw":"4"}`, `"alw":"4"`, `"wo":"3","nev":"2","req":"1"`,
			"urn:x:test:2.0:Widget", ``},
		{"schema order", "User", `{"title":"t","name":{"givenName":"g","familyName":"f"},"userName":"a"}`,
			`"userName":"a","name":{"familyName":"f","givenName":"g"},"title":"t"`, ``, scim.UserURN, ``},
		{"empty", "User", `{"emails":[],"name":{},"addresses":[{}],"` + scim.EnterpriseUserURN + `":{"manager":{}}}`, ``, ``, scim.UserURN, ``},
		{"manager", "User", `{"title":"t","` + scim.EnterpriseUserURN + `":{"manager":{"value":"m","displayName":"d","$ref":"r"}}}`,
			`"title":"t","` + scim.EnterpriseUserURN + `":{"manager":{"value":"m"}}`, ``, scim.UserURN + " " + scim.EnterpriseUserURN,
			scim.EnterpriseUserURN + ":manager=m"},
		{"hidden extension", "Widget", `{"urn:x:test:2.0:WidgetExt":{"req":"r"}}`, ``, `"urn:x:test:2.0:WidgetExt":{"req":"r"}`,
			"urn:x:test:2.0:Widget urn:x:test:2.0:WidgetExt", ``},
		{"hidden sub-attributes", "Gadget", `{"keys":[{"value":"k","secret":"s"},{"hint":"h"},{"value":"l"}]}`,
			`"keys":[{"value":"k"},{"value":"l"}]`, `"keys":[{"value":"k","secret":"s"},{"hint":"h"},{"value":"l"}]`, "urn:x:test:2.0:Gadget", ``},
		{"links", "Gadget", `{"owner":{"value":"o"},"parts":[{"value":"p","count":1},{"count":2}],"` + gext + `":{"boss":{"value":"b"}}}`,
			`"owner":{"value":"o"},"parts":[{"value":"p","count":1},{"count":2}],"` + gext + `":{"boss":{"value":"b"}}`, ``,
			"urn:x:test:2.0:Gadget " + gext, "owner=o parts=p " + gext + ":boss=b"},
	}
	for _, tt := range tests {
		rt := typeNamed(t, tt.rt)
		// ParseObject gives the tree as it stands; strings need no conversion.
		r := &scim.Resource{Type: rt, Attrs: parse(t, tt.in)}
		schema.Encode(r)
		var links []string
		for _, l := range r.Links {
			links = append(links, l.Path+"="+l.Ref.ID)
		}
		if string(r.Text) != tt.text || string(r.Hidden) != tt.hidden || strings.Join(r.Schemas, " ") != tt.schemas ||
			strings.Join(links, " ") != tt.links || r.Digest != rt.Digest || r.Text == nil {
			t.Errorf("%s:\ntext    %s\nhidden  %s\nschemas %v\nlinks   %v", tt.name, r.Text, r.Hidden, r.Schemas, links)
		}
	}
}

// TestEncodeMembers: members are no part of the text.
func TestEncodeMembers(t *testing.T) {
	t.Parallel()
	group := schema.Core()[1]
	r := decode(t, group, `"displayName":"g","members":[{"value":"a"}]`)
	schema.Encode(r)
	if string(r.Text) != `"displayName":"g"` || r.Hidden != nil || r.Links != nil {
		t.Errorf("text %s hidden %s links %v", r.Text, r.Hidden, r.Links)
	}
}

// TestLoadOtherSchemas: a text of other schemas keeps what today's know.
func TestLoadOtherSchemas(t *testing.T) {
	t.Parallel()
	user := schema.Core()[0]
	r := &scim.Resource{Type: user, Digest: "old", Text: []byte(`"gone":"x","title":"t","userName":["two"],"active":"yes",` +
		`"emails":[{"primary":"x","value":"v","gone":1},{"gone":1},7],"name":"N","urn:x:gone":{"a":1}`), Hidden: []byte(`"nickName":"n"`)}
	if err := schema.Load(r); err != nil {
		t.Fatal(err)
	}
	if got, want := values(r), `{"nickName":"n","title":"t","emails":[{"value":"v"}]}`; got != want {
		t.Errorf("loaded %s, want %s", got, want)
	}
}

func TestLoadDamaged(t *testing.T) {
	t.Parallel()
	user := schema.Core()[0]
	for _, r := range []*scim.Resource{{Text: []byte(`"a":`)}, {Text: []byte(`}`)}, {Hidden: []byte(`"a"`)}} {
		r.Type, r.ID = user, "7"
		err := schema.Load(r)
		var told *scim.Error
		if err == nil || errors.As(err, &told) || !strings.Contains(err.Error(), "User/7") || r.Attrs != nil {
			t.Errorf("Load of %s %s: %v", r.Text, r.Hidden, err)
		}
	}
}

func TestLoadKeepsAttrs(t *testing.T) {
	t.Parallel()
	r := &scim.Resource{Type: schema.Core()[0], Attrs: scim.Object{}, Text: []byte(`"title":"t"`)}
	if err := schema.Load(r); err != nil || len(r.Attrs) != 0 {
		t.Errorf("attrs %v, %v", r.Attrs, err)
	}
}

func TestLoadMembers(t *testing.T) {
	t.Parallel()
	group := schema.Core()[1]
	fault := errors.New("lost")
	r := &scim.Resource{Type: group, Attrs: scim.Object{{Name: "displayName", Value: "g"}},
		Members: func(yield func(scim.MemberRef, error) bool) {
			_ = yield(scim.MemberRef{ID: "a"}, nil) && yield(scim.MemberRef{}, fault)
		}}
	if err := schema.LoadMembers(r); !errors.Is(err, fault) {
		t.Errorf("error is %v", err)
	}
	r.Members = func(yield func(scim.MemberRef, error) bool) { yield(scim.MemberRef{ID: "a"}, nil) }
	if err := schema.LoadMembers(r); err != nil || values(r) != `{"displayName":"g","members":[{"value":"a"}]}` || r.Members != nil {
		t.Errorf("%s, %v", values(r), err)
	}
}
