package scimtest

import (
	"fmt"
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
)

const (
	managerPath = scim.EnterpriseUserURN + ":manager"
	makerPath   = "urn:x:scimtest:2.0:WidgetExt:maker"
)

// linksAre compares the references that a resource shows.
func (c *tenant) linksAre(r *scim.Resource, want []string, rule string) {
	c.Helper()
	for verb, got := range map[string]*scim.Resource{"Get": c.get(r), "List": c.listed(r)} {
		var links []string
		for _, l := range got.Links {
			links = append(links, fmt.Sprintf("%s -> %s", l.Path, showRef(l.Ref, c.nameOf())))
		}
		if fmt.Sprint(links) != fmt.Sprint(want) {
			c.broken(rule, "%s: links are %v, want %v", verb, links, want)
		}
	}
}

func (c *tenant) managed(name, manager string) *scim.Resource {
	c.Helper()
	return c.called(name, c.create(c.user, `{"userName":%q,"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":%q}}}`, name, manager))
}

func testLinkDisplay(t *testing.T, s *suite) {
	if !s.keeps(managerPath) {
		t.Skip("the backend keeps no references")
	}
	c := s.one(t)
	boss := c.called("boss", c.create(c.user, `{"userName":"boss"}`))
	u := c.managed("u", boss.ID)
	const rule = "Links are the references whose target exists, with its type and its name (Resource.Links)"
	c.linksAre(u, []string{managerPath + ` -> User/{boss} "boss"`}, rule)
	c.replace(boss, `{"userName":"boss","displayName":"The Boss"}`)
	c.linksAre(u, []string{managerPath + ` -> User/{boss} "The Boss"`}, "the name of a reference is that of its target as it is now: displayName, else userName")
	if got := c.get(u); got.Meta != u.Meta {
		c.broken("a name shown elsewhere changes nothing there", "meta %+v, was %+v", got.Meta, u.Meta)
	}
	lost := c.managed("lost", "nobody")
	c.linksAre(lost, nil, rule)
	x, _ := c.get(lost).Attrs.Get(scim.EnterpriseUserURN).(scim.Object)
	c.same(string(scim.AppendValue(nil, x)), `{"manager":{"value":"nobody"}}`, "a reference to a resource that does not exist is stored as it is")
	self := c.get(boss)
	self, err := c.update(self, func(r *scim.Resource) {
		r.Attrs.Set(scim.EnterpriseUserURN, scim.Object{{Name: "manager", Value: scim.Object{{Name: "value", Value: r.ID}}}})
	})
	c.must(err, "a resource may refer to itself")
	c.linksAre(self, []string{managerPath + ` -> User/{boss} "The Boss"`}, rule)

	if s.Lacks.stores(c.widget) != "" {
		return
	}
	g := c.called("g", c.groupOf("G"))
	w := c.called("w", c.create(c.widget, `{"label":"w"}`))
	many := c.create(c.widget, `{"label":"many","owner":{"value":%q},"parts":[{"value":%q},{"value":"none"},{"value":%q},{"value":%q}],"urn:x:scimtest:2.0:WidgetExt":{"maker":{"value":%q}}}`,
		u.ID, g.ID, w.ID, boss.ID, boss.ID)
	c.linksAre(many, []string{`owner -> User/{u} "u"`, `parts -> Group/{g} "G"`, `parts -> Widget/{w} ""`, `parts -> User/{boss} "The Boss"`, makerPath + ` -> User/{boss} "The Boss"`},
		rule+", in the order of the document")
}

func testLinkDelete(t *testing.T, s *suite) {
	if !s.keeps(managerPath) {
		t.Skip("the backend keeps no references")
	}
	c := s.one(t)
	boss := c.called("boss", c.create(c.user, `{"userName":"boss"}`))
	u := c.managed("u", boss.ID)
	both := c.called("both", c.create(c.user, `{"userName":"both","title":"t","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"d","manager":{"value":%q}}}`, boss.ID))
	other := c.managed("other", u.ID)
	g := c.called("g", c.groupOf("G", boss, u))
	c.must(c.b.Delete(c.Context(), boss.Ref(), ""), "a resource that others refer to can be deleted")
	const rule = "Delete removes the references to what it deletes, and the versions of the resources that hold them change (RFC 7643 §2.3.7)"
	for _, before := range []*scim.Resource{u, both, g} {
		after := c.get(before)
		if after.Meta.Version == before.Meta.Version || !after.Meta.LastModified.After(before.Meta.LastModified) {
			c.broken(rule, "%s: meta is %+v, was %+v", before.Ref(), after.Meta, before.Meta)
		}
		c.linksAre(before, nil, rule)
	}
	c.same(show(c.get(u), c.nameOf()), show(c.decode(c.user, `{"userName":"u"}`), nil)+"\nin direct/{g} \"G\"", rule+"; an extension left empty goes too")
	c.same(show(c.get(both), c.nameOf()), show(c.decode(c.user, `{"userName":"both","title":"t","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"d"}}`), nil),
		rule+"; the rest of the document stays")
	c.sameAs(c.get(other), other, "Delete leaves references to others alone")
	for _, f := range []string{"manager.value eq %q", "manager[value eq %q]"} {
		c.finds(0, c.user, rule, f, boss.ID)
	}
	c.finds(2, c.user, "a filter on schemas finds the resources that hold the extension (RFC 7643 §3.3)", "schemas eq %q", scim.EnterpriseUserURN)
	if s.Lacks.stores(c.widget) != "" {
		return
	}
	w := c.create(c.widget, `{"label":"w","owner":{"value":%q},"parts":[{"value":%q},{"value":%q},{"value":%q}]}`, u.ID, g.ID, u.ID, g.ID)
	c.must(c.b.Delete(c.Context(), g.Ref(), ""), "a group that others refer to can be deleted")
	after := c.get(w)
	c.same(show(after, c.nameOf()), "Widget [urn:x:scimtest:2.0:Widget] externalId=\"\"\nlabel: \"w\"\nowner: {\"value\":\"{u}\"}\nparts: [{\"value\":\"{u}\"}]\n"+
		"link owner -> User/{u} \"u\"\nlink parts -> User/{u} \"u\"", rule+"; of many values only those that name it go")
	c.must(c.b.Delete(c.Context(), u.Ref(), ""), "delete")
	gone := c.get(w)
	c.same(show(gone, nil), "Widget [urn:x:scimtest:2.0:Widget] externalId=\"\"\nlabel: \"w\"", rule+"; an attribute left empty goes")
	if gone.Meta.Version == after.Meta.Version {
		c.broken(rule, "version %s twice", gone.Meta.Version)
	}
}
