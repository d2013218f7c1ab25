package scimtest

import (
	"errors"
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// asItWas is what an engine does to a resource that is restored unchanged.
func asItWas(r *scim.Resource) error {
	if err := schema.Load(r); err != nil {
		return err
	}
	schema.Encode(r)
	return nil
}

func testUndelete(t *testing.T, s *suite) {
	c, other := s.open(t)
	u, ok := c.b.(scim.Undeleter)
	if !ok {
		t.Skip("the backend has no Undeleter")
	}
	deleted := func(q scim.DeletedQuery) []scim.Deleted {
		t.Helper()
		list, err := u.Deleted(c.Context(), q)
		c.must(err, "Deleted works")
		return list
	}
	restore := func(r *scim.Resource) (*scim.Resource, error) {
		got, err := u.Restore(c.Context(), r.Ref(), asItWas)
		if err != nil {
			return nil, err
		}
		return c.load(got), nil
	}

	first := c.create(c.user, `{"userName":"first"}`)
	boss := c.create(c.user, `{"userName":"boss"}`)
	bob := c.create(c.user, `{"userName":"Bob","externalId":"E-1","displayName":"Bob B","title":"t","active":false,"password":"secret",
		"emails":[{"value":"b@example.org","type":"work"}],
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"d","manager":{"value":%q}}}`, boss.ID)
	last := c.create(c.user, `{"userName":"last"}`)
	stays := c.groupOf("stays", bob, last)
	goes := c.groupOf("goes", bob)
	c.groupOf("parent", stays)
	before := c.get(bob)

	c.must(c.b.Delete(c.Context(), bob.Ref(), ""), "Delete works")
	if list := deleted(scim.DeletedQuery{Type: c.user}); len(list) != 1 || list[0].ID != bob.ID || list[0].Name != "Bob" ||
		!list[0].Until.After(list[0].Time) || list[0].Time.Before(before.Meta.Created) {
		c.broken("Deleted returns what can be restored", "%+v", list)
	}
	for _, name := range []string{"bOB", bob.ID} {
		if len(deleted(scim.DeletedQuery{Type: c.user, Name: name})) != 1 {
			c.broken("Deleted finds by name, folded, and by id", "%q finds nothing", name)
		}
	}
	for _, q := range []scim.DeletedQuery{{Type: c.user, Name: "Bo"}, {Type: c.group}, {Type: c.group, Name: bob.ID}} {
		if list := deleted(q); len(list) != 0 {
			c.broken("Deleted returns nothing but what it is asked for", "%+v: %+v", q, list)
		}
	}
	if list, err := other.b.(scim.Undeleter).Deleted(c.Context(), scim.DeletedQuery{Type: c.user}); err != nil || len(list) != 0 {
		c.broken("Deleted is of one tenant", "%+v, %v", list, err)
	}
	_, err := other.b.(scim.Undeleter).Restore(c.Context(), bob.Ref(), asItWas)
	c.fails(err, scim.ErrNotFound, "Restore is of one tenant")
	_, err = u.Restore(c.Context(), scim.Ref{Type: c.group, ID: bob.ID}, asItWas)
	c.fails(err, scim.ErrNotFound, "Restore: ErrNotFound if the id is that of another type")
	_, err = c.b.Get(c.Context(), bob.Ref(), scim.Selection{})
	c.fails(err, scim.ErrNotFound, "what is deleted is found by no request")

	// The names are free at once.
	twin := c.create(c.user, `{"userName":"BOB"}`)
	_, err = restore(bob)
	c.fails(err, scim.ErrUniqueness, "Restore: ErrUniqueness if a unique value is taken")
	if len(deleted(scim.DeletedQuery{Type: c.user})) != 1 || c.total(c.user) != 4 {
		c.broken("a Restore that fails leaves everything as it was", "%d users", c.total(c.user))
	}
	stop := errors.New("stop")
	_, err = u.Restore(c.Context(), bob.Ref(), func(*scim.Resource) error { return stop })
	c.fails(err, stop, "Restore returns the error of prepare")

	c.must(c.b.Delete(c.Context(), twin.Ref(), ""), "Delete works")
	c.must(c.b.Delete(c.Context(), goes.Ref(), ""), "Delete works")
	group := c.get(stays)
	got, err := restore(bob)
	c.must(err, "Restore works once the name is free")
	c.sameAs(got, c.get(bob), "Restore returns what Get returns")
	if got.Meta.Version == before.Meta.Version || !got.Meta.Created.Equal(before.Meta.Created) || !got.Meta.LastModified.After(before.Meta.LastModified) {
		c.broken("the version of a restored resource goes on and LastModified is now", "%+v, was %+v", got.Meta, before.Meta)
	}
	want := copyOf(before)
	want.Meta, want.Groups = got.Meta, got.Groups
	c.sameAs(got, want, "Restore gives the document back, hidden attributes and references included")
	c.groupsAre(bob, "stays/direct parent/indirect", "Restore gives back the membership in groups that still exist")
	if now := c.get(stays); now.Meta.Version == group.Meta.Version || !now.Meta.LastModified.After(group.Meta.LastModified) {
		c.broken("the groups that a resource comes back to change", "%+v, was %+v", now.Meta, group.Meta)
	}
	if page := c.list(scim.Query{Type: c.user, StartIndex: 1, Count: 10}); len(page.Resources) != 4 || page.Total != 4 ||
		page.Resources[0].ID != first.ID || page.Resources[2].ID != bob.ID {
		c.broken("a restored resource has its place in the order of creation", "%s", c.found(page))
	}
	_, err = restore(bob)
	c.fails(err, scim.ErrNotFound, "what was restored is deleted no more")
	if f, ok := c.wide.(scim.ChangeFeed); ok {
		list, err := f.Changes(c.Context(), scim.ChangeQuery{Person: bob.ID, Limit: 1000})
		c.must(err, "the change log can be read")
		n := len(list)
		if n < 2 || list[n-2].Op != "create" || list[n-2].ID != bob.ID || list[n-1].Op != "update" || list[n-1].ID != stays.ID {
			c.broken("to the change log a restore is a create, and an update of each group", "%+v", list)
		}
	}

	// All that holds of a resource holds of a restored one.
	_, err = c.tryCreate(c.user, `{"userName":"bob"}`)
	c.fails(err, scim.ErrUniqueness, "a restored unique value is taken again")
	if page := c.list(c.query(c.user, `emails.value eq "b@example.org"`)); page.Total != 1 {
		c.broken("a restored resource is found by its values", "%d", page.Total)
	}
	c.must(c.b.Delete(c.Context(), boss.Ref(), ""), "Delete works")
	if v := c.get(bob).Attrs.Get("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User").(scim.Object).Get("manager"); v != nil {
		c.broken("a reference of a restored resource goes with its target", "%v", v)
	}
	c.must(c.b.Delete(c.Context(), bob.Ref(), ""), "a restored resource can be deleted again")
	got, err = u.Restore(c.Context(), bob.Ref(), func(r *scim.Resource) error {
		if err := schema.Load(r); err != nil {
			return err
		}
		r.Attrs.Set("userName", "robert")
		schema.Encode(r)
		return nil
	})
	c.must(err, "and restored again, changed by prepare")
	if name := c.load(got).Attrs.Get("userName"); name != "robert" {
		c.broken("Restore stores what prepare leaves", "userName %v", name)
	}
	_, err = c.tryCreate(c.user, `{"userName":"robert"}`)
	c.fails(err, scim.ErrUniqueness, "the unique values of a restored resource are those that prepare leaves")
	c.create(c.user, `{"userName":"Bob"}`)

	// Groups are not kept.
	c.must(c.b.Delete(c.Context(), stays.Ref(), ""), "Delete works")
	_, err = u.Restore(c.Context(), stays.Ref(), asItWas)
	c.fails(err, scim.ErrNotFound, "what can have members is not kept")
}
