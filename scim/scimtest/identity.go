package scimtest

import (
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

func testCreate(t *testing.T, s *suite) {
	c := s.one(t)
	ids := map[string]bool{}
	for i, text := range []string{`{"userName":"a"}`, `{"userName":"b","externalId":"x"}`, `{"userName":"c","externalId":"x"}`} {
		in := c.decode(c.user, text)
		given := show(in, nil)
		r, err := c.b.Create(c.Context(), in)
		c.must(err, "Create stores the resource")
		if in.ID != "" || in.Meta != (scim.Meta{}) || show(in, nil) != given {
			c.broken("Create keeps and changes no caller's Resource", "the resource given has become %+v", in)
		}
		if r.ID == "" || ids[r.ID] {
			c.broken("Create chooses an id, a new one each time (RFC 7643 §3.1)", "id %q of resource %d", r.ID, i)
		}
		ids[r.ID] = true
		if r.Type == nil || r.Type.Name != "User" {
			c.broken("a Resource says its type", "type %v", r.Type)
		}
		c.checkMeta(r.Meta)
		if !r.Meta.Created.Equal(r.Meta.LastModified) && !(c.Lacks.Times && r.Meta.LastModified.After(r.Meta.Created)) {
			c.broken("Create: Created equals LastModified", "%v and %v", r.Meta.Created, r.Meta.LastModified)
		}
		if age := time.Since(r.Meta.Created); age < -time.Minute || age > time.Hour {
			c.broken("Created is the time of creation", "%v, which was %v ago", r.Meta.Created, age)
		}
		c.load(r)
		c.same(show(r, nil), given, "Create returns what it stored, which is what it was given")
		c.sameAs(r, c.get(r), "Create returns the resource as Get would")
	}
}

// checkMeta looks at what must hold of every Meta.
func (c *tenant) checkMeta(m scim.Meta) {
	c.Helper()
	for _, t := range []time.Time{m.Created, m.LastModified} {
		if t.IsZero() || t.Location() != time.UTC || !t.Equal(t.Truncate(time.Millisecond)) {
			c.broken("times are UTC with millisecond precision", "%v", t)
		}
	}
	if c.Lacks.Versions {
		if m.Version != "" {
			c.broken("a backend that lacks versions has none", "version %q", m.Version)
		}
		return
	}
	if m.Version == "" || strings.ContainsAny(m.Version, "\" \t\r\n") {
		c.broken("a stored resource has a version that can be an ETag (RFC 9110 §8.8.3)", "version %q", m.Version)
	}
}

// sameAs compares two reads of one resource.
func (c *tenant) sameAs(got, want *scim.Resource, rule string) {
	c.Helper()
	if got.ID != want.ID || got.Meta != want.Meta {
		c.broken(rule, "got  %s %+v\nwant %s %+v", got.ID, got.Meta, want.ID, want.Meta)
	}
	c.same(show(got, nil), show(want, nil), rule)
}

// strangeIDs are ids that nothing can have.
var strangeIDs = []string{"", "none", "a/b", "..", "%", "_", "'", `"`, "\x00", "ü", strings.Repeat("x", 5000),
	"00000000-0000-0000-0000-000000000000"}

func testGet(t *testing.T, s *suite) {
	c := s.one(t)
	u := c.create(c.user, `{"userName":"a"}`)
	for _, id := range append(strangeIDs, strings.ToUpper(u.ID)+"x", u.ID+" ", u.ID[:len(u.ID)-1]) {
		_, err := c.b.Get(c.Context(), scim.Ref{Type: c.user, ID: id}, scim.Selection{})
		c.fails(err, scim.ErrNotFound, "Get of an id that no resource has")
	}
	_, err := c.b.Get(c.Context(), scim.Ref{Type: c.group, ID: u.ID}, scim.Selection{})
	c.fails(err, scim.ErrNotFound, "Get of an id that is another type's")

	g := c.groupOf("g", u)
	r, err := c.b.Get(c.Context(), g.Ref(), scim.Selection{Excluded: []scim.AttrPath{{Name: "members", Attr: c.group.Membership()}}})
	c.must(err, "Get without members")
	if c.load(r).Attrs.Get("displayName") != "g" {
		c.broken("a Selection leaves out nothing but what it names", "displayName is %v", r.Attrs.Get("displayName"))
	}
	clone := *c.user
	r, err = c.b.Get(c.Context(), scim.Ref{Type: &clone, ID: u.ID}, scim.Selection{})
	c.must(err, "types are told apart by name, not by pointer")
	c.same(show(c.load(r), nil), show(c.get(u), nil), "types are told apart by name, not by pointer")
}

func testUpdate(t *testing.T, s *suite) {
	c := s.one(t)
	first := c.create(c.user, `{"userName":"a","displayName":"t"}`)
	other := c.create(c.user, `{"userName":"b","displayName":"t"}`)
	seen := map[string]bool{first.Meta.Version: true}
	last := first
	for i := range 5 {
		before := copyOf(last)
		after := copyOf(last)
		after.Attrs.Set("displayName", strings.Repeat("x", i+1))
		s.fit(after)
		ch := c.change(before, after)
		r, err := c.b.Update(c.Context(), ch)
		c.must(err, "Update of the version just read")
		c.load(r)
		c.checkMeta(r.Meta)
		if ch.After.Attrs.Get("displayName") != after.Attrs.Get("displayName") || before.Meta != last.Meta {
			c.broken("Update keeps and changes no caller's Resource", "the resource given has become %+v", ch.After)
		}
		if seen[r.Meta.Version] && !c.Lacks.Versions {
			c.broken("the version changes whenever the content does (RFC 7644 §3.14)", "version %q again", r.Meta.Version)
		}
		seen[r.Meta.Version] = true
		c.changed(r.Meta, last.Meta, "the version changes, and LastModified moves forward by at least a millisecond")
		if r.ID != first.ID || !r.Meta.Created.Equal(first.Meta.Created) {
			c.broken("id and created never change (RFC 7643 §3.1)", "%s %v, was %s %v", r.ID, r.Meta.Created, first.ID, first.Meta.Created)
		}
		c.same(show(r, nil), show(after, nil), "Update stores After")
		c.sameAs(r, c.get(r), "Update returns the resource as Get would")
		last = r
	}
	if !c.Lacks.Versions {
		_, err := c.update(first, func(r *scim.Resource) { r.Attrs.Set("displayName", "late") })
		c.fails(err, scim.ErrVersionMismatch, "Update of a version that is not the stored one")
	}
	c.sameAs(c.get(first), last, "an Update that fails leaves everything as it was")
	c.sameAs(c.get(other), other, "an Update changes no other resource")

	gone := copyOf(last)
	for _, gone.ID = range strangeIDs {
		_, err := c.update(gone, func(r *scim.Resource) { r.Attrs.Set("displayName", "x") })
		c.fails(err, scim.ErrNotFound, "Update of an id that no resource has")
	}
	wrong := c.decode(c.group, `{"displayName":"g"}`)
	wrong.ID, wrong.Meta = last.ID, last.Meta
	_, err := c.b.Update(c.Context(), c.change(wrong, func() *scim.Resource {
		r := copyOf(wrong)
		r.Attrs.Set("displayName", "h")
		return r
	}()))
	c.fails(err, scim.ErrNotFound, "Update of an id that is another type's")
	c.sameAs(c.get(last), last, "an Update that fails leaves everything as it was")
}

func testDelete(t *testing.T, s *suite) {
	c := s.one(t)
	old := c.create(c.user, `{"userName":"a"}`)
	u := c.replace(old, `{"userName":"a","displayName":"t"}`)
	keep := c.create(c.user, `{"userName":"b"}`)
	if !c.Lacks.Versions {
		c.fails(c.b.Delete(c.Context(), u.Ref(), old.Meta.Version), scim.ErrVersionMismatch, "Delete of a version that is not the stored one")
	}
	c.fails(c.b.Delete(c.Context(), scim.Ref{Type: c.group, ID: u.ID}, ""), scim.ErrNotFound, "Delete of an id that is another type's")
	for _, id := range strangeIDs {
		c.fails(c.b.Delete(c.Context(), scim.Ref{Type: c.user, ID: id}, ""), scim.ErrNotFound, "Delete of an id that no resource has")
	}
	c.sameAs(c.get(u), u, "a Delete that fails leaves everything as it was")
	if n := c.total(c.user); n != 2 {
		c.broken("a Delete that fails leaves everything as it was", "%d users, want 2", n)
	}

	c.must(c.b.Delete(c.Context(), u.Ref(), u.Meta.Version), "Delete of the stored version")
	_, err := c.b.Get(c.Context(), u.Ref(), scim.Selection{})
	c.fails(err, scim.ErrNotFound, "Get of a deleted resource")
	c.fails(c.b.Delete(c.Context(), u.Ref(), ""), scim.ErrNotFound, "Delete of a deleted resource")
	_, err = c.update(u, func(r *scim.Resource) { r.Attrs.Set("displayName", "x") })
	c.fails(err, scim.ErrNotFound, "Update of a deleted resource")
	if p := c.list(scim.Query{Type: c.user, StartIndex: 1, Count: 10}); p.Total != 1 || len(p.Resources) != 1 || p.Resources[0].ID != keep.ID {
		c.broken("List shows no deleted resource", "%d of %d resources", len(p.Resources), p.Total)
	}
	again := c.create(c.user, `{"userName":"a"}`)
	if again.ID == u.ID {
		c.broken("an id is never used again (RFC 7643 §3.1)", "id %s", u.ID)
	}
	c.must(c.b.Delete(c.Context(), again.Ref(), ""), "an empty version matches any")
}
