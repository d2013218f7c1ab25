package scimtest

import (
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

func testTenants(t *testing.T, s *suite) {
	a, b := s.open(t)
	u := a.create(a.user, `{"userName":"same","externalId":"x"}`)
	g := a.groupOf("same", u)
	u = a.get(u)
	const rule = "a backend shows nothing of another tenant"
	for _, r := range []*scim.Resource{u, g} {
		_, err := b.b.Get(b.Context(), r.Ref(), scim.Selection{})
		b.fails(err, scim.ErrNotFound, rule)
		b.fails(b.b.Delete(b.Context(), r.Ref(), ""), scim.ErrNotFound, rule)
		_, err = b.update(r, func(r *scim.Resource) { r.Attrs.Set("displayName", "stolen") })
		b.fails(err, scim.ErrNotFound, rule)
		if n := b.total(r.Type); n != 0 {
			b.broken(rule, "%d resources listed", n)
		}
	}
	_, err := b.tryCreate(b.group, `{"displayName":"g","members":`+memberJSON([]*scim.Resource{u})+`}`)
	b.fails(err, scim.InvalidReference("members"), "a member must exist in the same tenant")
	mine := b.create(b.user, `{"userName":"same","externalId":"x","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":%q}}}`, u.ID)
	if len(mine.Links) != 0 {
		b.broken(rule, "a reference shows %v", mine.Links)
	}
	for _, c := range []*tenant{a, b} { // a tenant may come into being only when it has something
		if n := c.total(c.user); n != 1 {
			c.broken(rule, "%d users counted, of whom 1 is its own", n)
		}
	}
	if f, ok := b.wide.(scim.ChangeFeed); ok {
		records, err := f.Changes(b.Context(), scim.ChangeQuery{ID: u.ID})
		b.must(err, "the change log can be read")
		if len(records) != 0 {
			b.broken(rule, "the change log shows %+v", records)
		}
	}
	b.must(b.b.Delete(b.Context(), mine.Ref(), ""), "each tenant has its own resources")
	a.sameAs(a.get(u), u, "a tenant's writes change nothing of another's")
	a.sameAs(a.get(g), g, "a tenant's writes change nothing of another's")
}

func testCopies(t *testing.T, s *suite) {
	if why := s.Lacks.stores(s.widget); why != "" {
		t.Skip(why)
	}
	c := s.one(t)
	const text = `{"label":"w","str":"s","bin":"aGk=","tags":["a","b"],"items":[{"value":"v","n":1}],"cplx":{"a":"x"},"nev":"n"}`
	in := c.decode(c.widget, text)
	r, err := c.b.Create(c.Context(), in)
	c.must(err, "Create stores the resource")
	want := show(c.get(r), nil)
	const rule = "a backend keeps or returns no reference to a caller's Resource"
	deface(in)
	c.same(show(c.get(r), nil), want, rule+": Create's argument")
	deface(c.load(r))
	c.same(show(c.get(r), nil), want, rule+": Create's result")
	got := c.get(r)
	deface(got)
	c.same(show(c.get(r), nil), want, rule+": Get's result")
	for _, r := range c.list(scim.Query{Type: c.widget, StartIndex: 1, Count: 1}).Resources {
		deface(r)
	}
	c.same(show(c.get(r), nil), want, rule+": List's result")

	before := c.get(r)
	after := copyOf(before)
	after.Attrs.Set("str", "changed")
	ch := c.change(before, after)
	r, err = c.b.Update(c.Context(), ch)
	c.must(err, "Update of the version just read")
	want = show(c.get(r), nil)
	deface(ch.After)
	deface(ch.Before)
	c.same(show(c.get(r), nil), want, rule+": Update's argument")
	deface(c.load(r))
	c.same(show(c.get(r), nil), want, rule+": Update's result")
	if err := schema.Load(r); err != nil {
		c.Fatal(err)
	}
}

// deface changes everything that r holds by reference.
func deface(r *scim.Resource) {
	for i := range r.Text {
		r.Text[i] = ' '
	}
	for i := range r.Hidden {
		r.Hidden[i] = ' '
	}
	for i := range r.Schemas {
		r.Schemas[i] = "defaced"
	}
	for i := range r.Links {
		r.Links[i].Ref.ID = "defaced"
	}
	defaceValue(r.Attrs)
}

func defaceValue(v any) {
	switch v := v.(type) {
	case scim.Object:
		for i := range v {
			defaceValue(v[i].Value)
			if _, ok := v[i].Value.(string); ok {
				v[i].Value = "defaced"
			}
		}
	case []any:
		for i := range v {
			defaceValue(v[i])
			if _, ok := v[i].(string); ok {
				v[i] = "defaced"
			}
		}
	case []byte:
		for i := range v {
			v[i] = 'X'
		}
	case []scim.MemberRef:
		for i := range v {
			v[i].ID = "defaced"
		}
	}
}
