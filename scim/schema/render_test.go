package schema_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

const base = "https://h/scim/v2"

func endpoints(name string) string {
	return map[string]string{"User": "/Users", "Group": "/Groups", "Widget": "/Widgets"}[name]
}

func render(t testing.TB, r *scim.Resource, v schema.View) string {
	t.Helper()
	v.Base, v.Endpoints = base, endpoints
	var b bytes.Buffer
	if err := schema.Render(&b, r, v); err != nil {
		t.Fatal(err)
	}
	if !isJSON(b.Bytes()) {
		t.Fatalf("not JSON: %s", b.String())
	}
	return b.String()
}

// selection binds names as the engine does; an unknown one stays unbound.
func selection(t testing.TB, rt *scim.ResourceType, names string) []scim.AttrPath {
	t.Helper()
	var list []scim.AttrPath
	for name := range strings.SplitSeq(names, ",") {
		if name == "foo" {
			list = append(list, scim.AttrPath{Name: name})
		} else if name != "" {
			list = append(list, resolve(t, rt, name))
		}
	}
	return list
}

// person is a User with all that is derived.
func person(t testing.TB) *scim.Resource {
	t.Helper()
	r := decode(t, schema.Core()[0], `"userName":"bjensen","externalId":"7\"1","name":{"familyName":"J","givenName":"B"},`+
		`"password":"secret","emails":[{"value":"a@x","type":"work"},{"value":"b@x"}],`+
		`"`+scim.EnterpriseUserURN+`":{"department":"D","manager":{"value":"M"}}`)
	schema.Encode(r)
	r.ID = "U1"
	r.Meta = scim.Meta{Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600)),
		LastModified: time.Date(2026, 1, 2, 3, 4, 5, 678_999_999, time.UTC), Version: "3"}
	r.Links[0].Ref.Type, r.Links[0].Ref.Display = "User", `The "Boss"`
	r.Groups = []scim.MemberRef{{ID: "G1", Type: "direct", Display: "One"}, {ID: "G 2", Type: "indirect"}}
	return r
}

const (
	personHead = `{"schemas":["` + scim.UserURN + `","` + scim.EnterpriseUserURN + `"],"id":"U1"`
	personMeta = `"meta":{"created":"2026-01-02T02:04:05.000Z","lastModified":"2026-01-02T03:04:05.678Z","resourceType":"User",` +
		`"location":"https://h/scim/v2/Users/U1","version":"W/\"3\""}`
	personBody = `"userName":"bjensen","name":{"familyName":"J","givenName":"B"},"emails":[{"value":"a@x","type":"work"},{"value":"b@x"}]`
	personIn   = `"groups":[{"value":"G1","$ref":"https://h/scim/v2/Groups/G1","type":"direct","display":"One"},` +
		`{"value":"G 2","$ref":"https://h/scim/v2/Groups/G%202","type":"indirect"}]`
	personExt = `"` + scim.EnterpriseUserURN + `":{"department":"D","manager":{"value":"M","$ref":"https://h/scim/v2/Users/M","displayName":"The \"Boss\""}}`
)

// forms returns the resource as backends give it: encoded, encoded under other
// schemas, and as a tree. All must be shown alike.
func forms(r *scim.Resource) map[string]*scim.Resource {
	text, old, tree := stored(r), stored(r), *r
	old.Digest = "other"
	tree.Text, tree.Hidden, tree.Schemas = nil, nil, nil
	return map[string]*scim.Resource{"text": text, "old text": old, "tree": &tree}
}

func TestRenderUser(t *testing.T) { // COM-009 to COM-017, SCH-026, USR-013, USR-024, ENT-003, ENT-008, PRJ-001 to PRJ-016, ETG-018
	t.Parallel()
	r := person(t)
	const ext = scim.EnterpriseUserURN
	tests := []struct{ id, attributes, excluded, want string }{
		{"all", "", "", personHead + `,"externalId":"7\"1",` + personMeta + `,` + personBody + `,` + personIn + `,` + personExt + `}`},
		{"PRJ-003", "userName", "", personHead + `,"userName":"bjensen"}`},
		{"PRJ-004", "", "id,schemas,meta,externalId,emails", personHead + `,"userName":"bjensen","name":{"familyName":"J","givenName":"B"},` +
			personIn + `,` + personExt + `}`},
		{"PRJ-005", "password", "", personHead + `}`},
		{"PRJ-007", "emails.value,name.givenName", "", personHead + `,"name":{"givenName":"B"},"emails":[{"value":"a@x"},{"value":"b@x"}]}`},
		{"PRJ-007 whole", "name", "", personHead + `,"name":{"familyName":"J","givenName":"B"}}`},
		{"PRJ-007 lacking", "emails.type", "", personHead + `,"emails":[{"type":"work"}]}`},
		{"PRJ-008", "", "emails.type,emails.value,name.familyName,meta,externalId,groups," + ext, personHead + `,"userName":"bjensen","name":{"givenName":"B"}}`},
		{"PRJ-009", ext + ":manager.displayName,userName", "", personHead + `,"userName":"bjensen","` + ext + `":{"manager":{"displayName":"The \"Boss\""}}}`},
		{"PRJ-009 ref", ext + ":manager.$ref", "", personHead + `,"` + ext + `":{"manager":{"$ref":"https://h/scim/v2/Users/M"}}}`},
		{"PRJ-010", ext, "", personHead + `,` + personExt + `}`},
		{"PRJ-010 excluded", "", ext + ",meta,groups", personHead + `,"externalId":"7\"1",` + personBody + `}`},
		{"PRJ-011", "foo", "", personHead + `}`},
		{"PRJ-014", "id", "", personHead + `}`},
		{"PRJ-015", "meta.version", "", personHead + `,"meta":{"version":"W/\"3\""}}`},
		{"PRJ-015 excluded", "", "meta.created,meta.lastModified,meta.resourceType,meta.version,name,emails,userName,externalId,groups," + ext,
			personHead + `,"meta":{"location":"https://h/scim/v2/Users/U1"}}`},
		{"PRJ-015 whole", "meta", "", personHead + `,` + personMeta + `}`},
		{"PRJ-021", ext + ":costCenter", "", personHead + `}`},
		{"external id", "externalId", "", personHead + `,"externalId":"7\"1"}`},
		{"groups", "groups.display", "", personHead + `,"groups":[{"display":"One"}]}`},
		{"groups excluded", "", "groups,meta", personHead + `,"externalId":"7\"1",` + personBody + `,` + personExt + `}`},
		{"groups in part", "", "groups.$ref,groups.type,groups.display,meta," + ext, personHead + `,"externalId":"7\"1",` + personBody + `,"groups":[{"value":"G1"},{"value":"G 2"}]}`},
	}
	for _, tt := range tests {
		for form, r := range forms(r) {
			v := schema.View{Selection: scim.Selection{Attributes: selection(t, r.Type, tt.attributes), Excluded: selection(t, r.Type, tt.excluded)}}
			if got := render(t, r, v); got != tt.want {
				t.Errorf("%s as %s:\n got %s\nwant %s", tt.id, form, got, tt.want)
			}
		}
	}
	if got := render(t, r, schema.View{NoVersion: true}); strings.Contains(got, "version\"") { // ETG-018
		t.Errorf("a version is in %s", got)
	}
}

func TestRenderEmpty(t *testing.T) { // SCH-026
	t.Parallel()
	r := &scim.Resource{Type: schema.Core()[0], ID: "7", Attrs: scim.Object{}}
	schema.Encode(r)
	sel := scim.Selection{Excluded: selection(t, r.Type, "meta")}
	r.Groups = []scim.MemberRef{{ID: "g", Type: "direct"}}
	for form, r := range forms(r) {
		got := render(t, r, schema.View{Selection: sel})
		if want := `{"schemas":["` + scim.UserURN + `"],"id":"7","groups":[{"value":"g","$ref":"https://h/scim/v2/Groups/g","type":"direct"}]}`; got != want {
			t.Errorf("%s:\n got %s\nwant %s", form, got, want)
		}
	}
	only := decode(t, r.Type, `"`+scim.EnterpriseUserURN+`":{"manager":{"value":"m"}}`)
	schema.Encode(only)
	only.ID, only.Groups, only.Links = "7", r.Groups, nil // m does not exist
	for form, r := range forms(only) {
		got := render(t, r, schema.View{Selection: sel})
		if want := `"id":"7","groups":[{"value":"g","$ref":"https://h/scim/v2/Groups/g","type":"direct"}],"` + scim.EnterpriseUserURN + `":{"manager":{"value":"m"}}}`; !strings.HasSuffix(got, want) {
			t.Errorf("%s:\n got %s\nwant %s", form, got, want)
		}
	}
}

func TestRenderReturned(t *testing.T) { // GET-004, CRE-007, PRJ-004, PRJ-006, PRJ-016, SCH-029
	t.Parallel()
	widget, gadget := typeNamed(t, "Widget"), typeNamed(t, "Gadget")
	w := decode(t, widget, `"str":"s","alw":"A","req":"R","nev":"N","wo":"W","items":[{"value":"v","alw":"i"},{"type":"t"}],`+
		`"urn:x:test:2.0:WidgetExt":{"note":"n","req":"r"}`)
	g := decode(t, gadget, `"keys":[{"value":"k","secret":"s","hint":"h"},{"value":"l"}],"urn:x:test:2.0:GadgetExt":{"code":"c"}`)
	const alw, it = `,"alw":"A"`, `,"items":[{"value":"v","alw":"i"},{"type":"t"}]`
	const wx, gx = `,"urn:x:test:2.0:WidgetExt":{"note":"n"}`, `,"urn:x:test:2.0:GadgetExt":{"code":"c"}`
	tests := []struct {
		id                   string
		r                    *scim.Resource
		attributes, excluded string
		sent                 string
		want                 string // after the id, without meta
	}{
		{"GET-004", w, "", "meta", "", `,"str":"s"` + it + alw + wx},
		{"PRJ-003", w, "str", "", "", `,"str":"s"` + alw},
		{"PRJ-003 always alone", w, "id", "", "", alw},
		{"PRJ-004", w, "", "meta,alw,str,items,urn:x:test:2.0:WidgetExt", "", alw},
		{"PRJ-005", w, "nev,wo", "", "", alw},
		{"PRJ-006", w, "req", "", "", alw + `,"req":"R"`},
		{"PRJ-006 extension", w, "urn:x:test:2.0:WidgetExt:req", "", "", alw + `,"urn:x:test:2.0:WidgetExt":{"req":"r"}`},
		{"PRJ-010", w, "urn:x:test:2.0:WidgetExt", "", "", alw + wx},
		{"CRE-007", w, "", "meta,items", "str req", `,"str":"s"` + alw + `,"req":"R"` + wx},
		{"CRE-007 extension", w, "", "meta,items", "urn:x:test:2.0:WidgetExt:req", `,"str":"s"` + alw + `,"urn:x:test:2.0:WidgetExt":{"note":"n","req":"r"}`},
		{"CRE-007 whole extension", w, "", "meta,items", "urn:x:test:2.0:WidgetExt", `,"str":"s"` + alw + `,"urn:x:test:2.0:WidgetExt":{"note":"n","req":"r"}`},
		{"CRE-007 never", w, "", "meta,items", "nev wo password", `,"str":"s"` + alw + wx},
		{"CRE-007 excluded", w, "", "meta,items,req", "req", `,"str":"s"` + alw + wx},
		{"PRJ-016", w, "items.value", "", "", `,"items":[{"value":"v","alw":"i"}]` + alw},
		{"PRJ-016 excluded", w, "", "meta,str,urn:x:test:2.0:WidgetExt,items.alw,items.value,items.type", "", `,"items":[{"alw":"i"}]` + alw},
		{"hidden sub-attributes", g, "", "meta", "", `,"keys":[{"value":"k"},{"value":"l"}]` + gx},
		{"asked for", g, "keys.hint", "", "", `,"keys":[{"hint":"h"}]`},
		{"asked for in whole", g, "keys", "", "", `,"keys":[{"value":"k"},{"value":"l"}]`},
		{"secret asked for", g, "keys.secret", "", "", ``},
		{"sent", g, "", "meta", "keys", `,"keys":[{"value":"k","hint":"h"},{"value":"l"}]` + gx},
		{"sent in part", g, "", "meta", `keys[value eq "k"].hint`, `,"keys":[{"value":"k","hint":"h"},{"value":"l"}]` + gx},
		{"sent another", g, "", "meta", `keys[value eq "k"].serial`, `,"keys":[{"value":"k"},{"value":"l"}]` + gx},
		{"sent a value", g, "", "meta", `keys[value eq "a.b"]`, `,"keys":[{"value":"k","hint":"h"},{"value":"l"}]` + gx},
	}
	for _, tt := range tests {
		schema.Encode(tt.r)
		for form, r := range forms(tt.r) {
			v := schema.View{Sent: strings.Fields(tt.sent), Selection: scim.Selection{
				Attributes: selection(t, r.Type, tt.attributes), Excluded: selection(t, r.Type, tt.excluded)}}
			if strings.Contains(tt.sent, "[") {
				v.Sent = []string{tt.sent}
			}
			got := render(t, r, v)
			_, got, _ = strings.Cut(got, `"id":""`)
			if want := tt.want + "}"; got != want {
				t.Errorf("%s as %s:\n got %s\nwant %s", tt.id, form, got, want)
			}
		}
	}
}

func TestRenderMembers(t *testing.T) { // GRP-004, GRP-005, GRP-007, GRP-013
	t.Parallel()
	group := schema.Core()[1]
	r := decode(t, group, `"displayName":"g"`)
	schema.Encode(r)
	list := []scim.MemberRef{{ID: "a", Type: "User", Display: "A"}, {ID: "b", Type: "Group"}, {ID: "c"}}
	const all = `,"displayName":"g","members":[{"value":"a","$ref":"https://h/scim/v2/Users/a","type":"User","display":"A"},` +
		`{"value":"b","$ref":"https://h/scim/v2/Groups/b","type":"Group"},{"value":"c"}]}`
	for _, tt := range []struct{ attributes, excluded, want string }{
		{"", "meta", all},
		{"", "members,meta", `,"displayName":"g"}`},
		{"displayName", "", `,"displayName":"g"}`},
		{"members", "", `,` + all[len(`,"displayName":"g",`):]},
		{"members.value", "", `,"members":[{"value":"a"},{"value":"b"},{"value":"c"}]}`},
		{"members.display", "", `,"members":[{"display":"A"}]}`},
		{"", "members.$ref,members.type,meta", `,"displayName":"g","members":[{"value":"a","display":"A"},{"value":"b"},{"value":"c"}]}`},
	} {
		for form, r := range forms(r) {
			for _, streamed := range []bool{true, false} {
				if streamed {
					r.Members = func(yield func(scim.MemberRef, error) bool) {
						for _, m := range list {
							if !yield(m, nil) {
								return
							}
						}
					}
				} else {
					r.Members = nil
					if r.Attrs == nil {
						if err := schema.Load(r); err != nil {
							t.Fatal(err)
						}
					}
					r.Attrs = append(scim.Clone(r.Attrs), scim.Member{Name: "members", Value: list})
				}
				got := render(t, r, schema.View{Selection: scim.Selection{Attributes: selection(t, group, tt.attributes), Excluded: selection(t, group, tt.excluded)}})
				if _, got, _ = strings.Cut(got, `"id":""`); got != tt.want {
					t.Errorf("attributes %q excluded %q as %s, streamed %v:\n got %s\nwant %s", tt.attributes, tt.excluded, form, streamed, got, tt.want)
				}
			}
		}
	}
	r.Members = func(func(scim.MemberRef, error) bool) {}
	if got := render(t, r, schema.View{}); strings.Contains(got, "members") {
		t.Errorf("an empty group shows members: %s", got)
	}
}

// writes counts writes and the largest of them.
type writes struct{ bytes, number, largest int }

func (w *writes) Write(b []byte) (int, error) {
	w.bytes += len(b)
	w.number++
	w.largest = max(w.largest, len(b))
	return len(b), nil
}

func many(n int) func(func(scim.MemberRef, error) bool) {
	return func(yield func(scim.MemberRef, error) bool) {
		for i := range n {
			if !yield(scim.MemberRef{ID: "id-" + strconv.Itoa(i), Type: "User", Display: "Member"}, nil) {
				return
			}
		}
	}
}

func TestRenderLargeGroup(t *testing.T) { // bounded memory, whatever the writer
	t.Parallel()
	r := decode(t, schema.Core()[1], `"displayName":"g"`)
	schema.Encode(r)
	const n = 20_000
	r.Members = many(n)
	var w writes
	if err := schema.Render(&w, r, schema.View{Base: base, Endpoints: endpoints}); err != nil {
		t.Fatal(err)
	}
	if w.largest > 20<<10 || w.bytes < n*50 {
		t.Errorf("%d bytes in %d writes, the largest %d", w.bytes, w.number, w.largest)
	}
	want := render(t, r, schema.View{})
	for _, size := range []int{16, 4096, 1 << 20} {
		var b bytes.Buffer
		out := bufio.NewWriterSize(&b, size)
		if err := schema.Render(out, r, schema.View{Base: base, Endpoints: endpoints}); err != nil {
			t.Fatal(err)
		}
		if err := out.Flush(); err != nil || b.String() != want {
			t.Errorf("through a buffer of %d: %d bytes, want %d, %v", size, b.Len(), len(want), err)
		}
	}
}

func TestRenderErrors(t *testing.T) {
	t.Parallel()
	r := decode(t, schema.Core()[1], `"displayName":"g"`)
	schema.Encode(r)
	fault := errors.New("lost")
	for _, after := range []int{0, 5, 5000} {
		r.Members = func(yield func(scim.MemberRef, error) bool) {
			for m := range many(after) {
				if !yield(m, nil) {
					return
				}
			}
			yield(scim.MemberRef{}, fault)
		}
		var b bytes.Buffer
		if err := schema.Render(&b, r, schema.View{}); !errors.Is(err, fault) {
			t.Errorf("after %d members: %v", after, err)
		}
		if after < 100 && b.Len() > 0 {
			t.Errorf("%d bytes were written before the fault", b.Len())
		}
	}
	r.Members = many(5000)
	if err := schema.Render(failing{fault}, r, schema.View{}); !errors.Is(err, fault) {
		t.Errorf("of the writer: %v", err)
	}
	damaged := &scim.Resource{Type: r.Type, Text: []byte(`}`)}
	if err := schema.Render(io.Discard, damaged, schema.View{}); err == nil {
		t.Error("a damaged text was shown")
	}
}

type failing struct{ err error }

func (w failing) Write([]byte) (int, error) { return 0, w.err }

// TestRenderRandom: each path shows the same, and it is JSON.
func TestRenderRandom(t *testing.T) {
	t.Parallel()
	for _, rt := range types(t) {
		for seed := range uint64(200) {
			g := newRandom(seed)
			r := g.resource(rt)
			schema.Encode(r)
			for i := range r.Links {
				r.Links[i].Ref.Type, r.Links[i].Ref.Display = "User", g.text()
			}
			r.Groups = []scim.MemberRef{{ID: g.text(), Type: "direct", Display: g.text()}}
			want := ""
			for form, r := range forms(r) {
				got := render(t, r, schema.View{})
				if want == "" {
					want = got
				}
				if got != want {
					t.Fatalf("%s %d as %s:\n%s\n%s", rt.Name, seed, form, got, want)
				}
			}
		}
	}
}

func TestLocation(t *testing.T) { // COM-012, COM-013, COM-014
	t.Parallel()
	if got := schema.Location(base, "/Users", "a/../b"); got != base+"/Users/a%2F..%2Fb" {
		t.Errorf("location %s", got)
	}
	if got := schema.ETag("12"); got != `W/"12"` {
		t.Errorf("entity tag %s", got)
	}
}

func BenchmarkRender(b *testing.B) {
	r := stored(person(b))
	excluded := selection(b, r.Type, "groups")
	one := selection(b, r.Type, "userName")
	for _, bb := range []struct {
		name string
		sel  scim.Selection
	}{{"default", scim.Selection{}}, {"excluded", scim.Selection{Excluded: excluded}}, {"projected", scim.Selection{Attributes: one}}} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			var w bytes.Buffer
			w.Grow(4096)
			v := schema.View{Base: base, Endpoints: func(string) string { return "/Users" }, Selection: bb.sel}
			for b.Loop() {
				w.Reset()
				if err := schema.Render(&w, r, v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("members", func(b *testing.B) {
		g := decode(b, schema.Core()[1], `"displayName":"g"`)
		schema.Encode(g)
		b.ReportAllocs()
		for b.Loop() {
			g.Members = many(10_000)
			if err := schema.Render(io.Discard, g, schema.View{Base: base, Endpoints: func(string) string { return "/Users" }}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	user, group := schema.Core()[0], schema.Core()[1]
	u := parse(b, body(user, `"userName":"bjensen","externalId":"7","name":{"familyName":"J","givenName":"B"},"emails":[{"value":"a@x","type":"work"}]`))
	var members strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&members, `,{"value":"2819c223-7f76-453a-919d-%012d"}`, i)
	}
	g := parse(b, body(group, `"displayName":"g","members":[`+members.String()[1:]+`]`))
	for _, bb := range []struct {
		name string
		rt   *scim.ResourceType
		raw  scim.Object
	}{{"user", user, u}, {"group of 10000", group, g}} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r, _, err := schema.Decode(bb.rt, bb.raw, schema.Options{})
				if err != nil {
					b.Fatal(err)
				}
				schema.Encode(r)
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	r := stored(person(b))
	b.ReportAllocs()
	for b.Loop() {
		r.Attrs = nil
		if err := schema.Load(r); err != nil {
			b.Fatal(err)
		}
	}
}

// Each of very many references is shown for the same price (SEC-022).
func TestRenderManyReferences(t *testing.T) {
	t.Parallel()
	const n = 60_000
	gadget := typeNamed(t, "Gadget")
	parts := make([]any, n)
	for i := range parts {
		parts[i] = scim.Object{{Name: "value", Value: fmt.Sprintf("00000000-0000-4000-8000-%012d", i)}, {Name: "count", Value: int64(i)}}
	}
	r := &scim.Resource{Type: gadget, ID: "1", Attrs: scim.Object{{Name: "parts", Value: parts}}}
	schema.Encode(r)
	for i := range r.Links {
		r.Links[i].Ref.Type = "Widget"
	}
	p, _ := gadget.Resolve(scim.AttrPath{Name: "parts"})
	start := time.Now()
	text := render(t, r, schema.View{Selection: scim.Selection{Attributes: []scim.AttrPath{p}}})
	if took := time.Since(start); took > 60*time.Second {
		t.Errorf("%d references took %s", n, took)
	}
	if got := strings.Count(text, `"$ref":"https://h/scim/v2/Widgets/`); got != n {
		t.Errorf("%d references are shown, want %d", got, n)
	}
}
