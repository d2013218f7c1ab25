package scimtest

import (
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

func testImport(t *testing.T, s *suite) {
	c := s.one(t)
	im, ok := c.b.(scim.Importer)
	if !ok {
		t.Skip("the backend has no Importer")
	}
	early := time.Date(2020, 1, 2, 3, 4, 5, 678e6, time.UTC)
	foreign := func(typ *scim.ResourceType, id, text string) *scim.Resource {
		t.Helper()
		r := c.decode(typ, text)
		r.ID = id
		r.Meta = scim.Meta{Created: early, LastModified: early.Add(time.Hour), Version: "v-1"}
		return r
	}
	u := foreign(c.user, "Some.Id_1", `{"userName":"a","externalId":"x","title":"t"}`)
	c.must(im.Import(c.Context(), u), "Import stores a resource")
	c.sameAs(c.get(u), u, "Import stores a resource with the ID and Meta it has")
	g := foreign(c.group, "g-1", `{"displayName":"g","members":[{"value":"Some.Id_1"}]}`)
	c.must(im.Import(c.Context(), g), "Import stores a group")
	c.same(showMembers(c.get(g)), "User:a", "Import stores members")
	c.groupsAre(u, "g/direct", "Import stores members")
	if f, ok := c.wide.(scim.ChangeFeed); ok {
		list, err := f.Changes(c.Context(), scim.ChangeQuery{})
		c.must(err, "the change log can be read")
		if len(list) != 2 || list[0].Op != "create" || list[1].ID != g.ID {
			c.broken("to the change log an import is a create", "%+v", list)
		}
	}

	for _, k := range []struct {
		r    *scim.Resource
		want error
		rule string
	}{
		{foreign(c.user, "Some.Id_1", `{"userName":"b"}`), scim.ErrUniqueness, "Import: ErrUniqueness if the ID is taken"},
		{foreign(c.group, "Some.Id_1", `{"displayName":"b"}`), scim.ErrUniqueness, "Import: ErrUniqueness if the ID is taken by a resource of another type"},
		{foreign(c.user, "Some.Id_2", `{"userName":"A"}`), scim.ErrUniqueness, "Import: ErrUniqueness if a unique value is taken"},
		{foreign(c.group, "g-2", `{"displayName":"b","members":[{"value":"none"}]}`), scim.InvalidReference("members"), "Import: InvalidReference if a member does not exist"},
	} {
		c.fails(im.Import(c.Context(), k.r), k.want, k.rule)
	}
	if c.total(c.user) != 1 || c.total(c.group) != 1 {
		c.broken("an Import that fails leaves everything as it was", "%d users, %d groups", c.total(c.user), c.total(c.group))
	}
	before := c.get(u)
	after := c.replace(before, `{"userName":"a"}`)
	if after.Meta.Version == before.Meta.Version || !after.Meta.Created.Equal(early) || !after.Meta.LastModified.After(before.Meta.LastModified) {
		c.broken("an imported resource is updated as any other", "meta %+v, was %+v", after.Meta, before.Meta)
	}
	_, err := c.tryReplace(before, `{"userName":"b"}`)
	c.fails(err, scim.ErrVersionMismatch, "an imported resource is updated as any other")
	later := foreign(c.user, "future", `{"userName":"f"}`)
	later.Meta.LastModified = time.Now().UTC().Truncate(time.Millisecond).Add(24 * time.Hour)
	c.must(im.Import(c.Context(), later), "Import stores a resource")
	if got := c.replace(c.get(later), `{"userName":"f","title":"t"}`); got.Meta.LastModified.Sub(later.Meta.LastModified) < time.Millisecond {
		c.broken("LastModified moves forward by at least a millisecond, also past a clock that was ahead", "%v after %v", got.Meta.LastModified, later.Meta.LastModified)
	}
	c.must(c.b.Delete(c.Context(), u.Ref(), ""), "an imported resource is deleted as any other")
}
