package scimtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

// feed returns the backend's change log, or skips the test.
func (c *tenant) feed() scim.ChangeFeed {
	f, ok := c.wide.(scim.ChangeFeed)
	if !ok {
		c.Skip("the backend has no ChangeFeed")
	}
	return f
}

func (c *tenant) changes(q scim.ChangeQuery) []scim.Record {
	c.Helper()
	list, err := c.feed().Changes(c.Context(), q)
	c.must(err, "the change log can be read")
	return list
}

// showChanges returns what a record says has changed, attribute by attribute.
func showChanges(r scim.Record, name func(string) string) string {
	lines := []string{r.Op + " " + r.Type + "/" + name(r.ID)}
	for _, d := range r.Changes {
		show := func(values []any) string {
			var out []string
			for _, v := range values {
				out = append(out, renamed(v, name))
			}
			if d.Path == "members" {
				slices.Sort(out)
			}
			return strings.Join(out, " ")
		}
		lines = append(lines, fmt.Sprintf("%s: -[%s] +[%s]", d.Path, show(d.Removed), show(d.Added)))
	}
	slices.Sort(lines[1:])
	return strings.Join(lines, "\n")
}

func testRecords(t *testing.T, s *suite) {
	c := s.one(t)
	c.feed()
	last, count := int64(0), 0
	// logged compares the records since the last call, in any order if several.
	logged := func(rule string, want ...string) {
		t.Helper()
		list := c.changes(scim.ChangeQuery{After: last})
		var got []string
		for _, r := range list {
			if r.Seq <= last {
				c.broken("records come oldest first, each with a greater Seq", "%d after %d", r.Seq, last)
			}
			last = r.Seq
			count++
			if r.Time.Location() != time.UTC || !r.Time.Equal(r.Time.Truncate(time.Millisecond)) || time.Since(r.Time) > time.Hour {
				c.broken("a record's time is that of the change, UTC, ms", "%v", r.Time)
			}
			if r.Op == "delete" != (r.Version == "") {
				c.broken("a record has the version after the change, none after a delete", "%s: %q", r.Op, r.Version)
			}
			if strings.Contains(fmt.Sprint(r), "canary") {
				c.broken("values of attributes that are never returned are in no record", "%+v", r)
			}
			got = append(got, showChanges(r, c.nameOf()))
		}
		slices.Sort(got)
		slices.Sort(want)
		c.same(strings.Join(got, "\n"), strings.Join(want, "\n"), rule)
	}
	u := c.called("u", c.create(c.user, `{"userName":"u","externalId":"x","active":true,"password":"canary","name":{"givenName":"A"},"emails":[{"value":"a@example.com"}]}`))
	logged("a create is the difference from nothing", `create User/{u}
active: -[] +[true]
emails: -[] +[{"value":"a@example.com"}]
externalId: -[] +["x"]
name: -[] +[{"givenName":"A"}]
password: -[] +[]
userName: -[] +["u"]`)
	u = c.replace(u, `{"userName":"u","active":true,"password":"canary2","title":"t","emails":[{"value":"b@example.com"},{"value":"a@example.com"}],
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"d"}}`)
	logged("an update has a change for each attribute that differs, with the values before and after", `update User/{u}
emails: -[{"value":"a@example.com"}] +[{"value":"b@example.com"} {"value":"a@example.com"}]
externalId: -["x"] +[]
name: -[{"givenName":"A"}] +[]
password: -[] +[]
title: -[] +["t"]
urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department: -[] +["d"]`)
	v := c.called("v", c.create(c.user, `{"userName":"v"}`))
	m := c.managed("m", v.ID)
	logged("one record for each resource created", `create User/{v}
userName: -[] +["v"]`, `create User/{m}
urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager: -[] +[{"value":"{v}"}]
userName: -[] +["m"]`)
	g := c.called("g", c.groupOf("G", u, v))
	logged("members are their ids", `create Group/{g}
displayName: -[] +["G"]
members: -[] +["{u}" "{v}"]`)
	g = c.rejoin(g, []*scim.Resource{m}, []*scim.Resource{u})
	logged("of members only those that came and went", `update Group/{g}
members: -["{u}"] +["{m}"]`)
	g = c.replace(g, `{"displayName":"H","members":%s}`, memberJSON([]*scim.Resource{u, v, m}))
	logged("members and document in one record", `update Group/{g}
displayName: -["G"] +["H"]
members: -[] +["{u}"]`)
	if up := c.updater(); up != nil {
		_, err := up.UpdateMembers(c.Context(), c.memberChange(g, "", false, []*scim.Resource{u}, []*scim.Resource{{ID: "none"}}))
		c.must(err, "a change of nothing works")
		logged("what changes nothing is not logged")
		_, err = up.UpdateMembers(c.Context(), c.memberChange(g, "", true, []*scim.Resource{v, m}, nil))
		c.must(err, "members can be reset")
		logged("of members only those that came and went, also with Reset", `update Group/{g}
members: -["{u}"] +[]`)
	}
	// What fails is not logged.
	_, err := c.tryCreate(c.user, `{"userName":"U"}`)
	c.fails(err, scim.ErrUniqueness, "userName is unique")
	c.fails(c.b.Delete(c.Context(), v.Ref(), "other"), scim.ErrVersionMismatch, "Delete of another version")
	logged("what fails is not logged")
	before := c.get(g)
	c.must(c.b.Delete(c.Context(), v.Ref(), ""), "delete")
	logged("a delete is the difference to nothing; what it takes from others is an update of theirs", `delete User/{v}
userName: -["v"] +[]`, `update Group/{g}
members: -["{v}"] +[]`, `update User/{m}
urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager: -[{"value":"{v}"}] +[]`)
	list := c.changes(scim.ChangeQuery{ID: g.ID, After: 0})
	if len(list) == 0 || list[len(list)-1].Version == before.Meta.Version || list[len(list)-1].Version != c.get(g).Meta.Version {
		c.broken("a record has the version after the change", "%+v", list)
	}
	if s.Lacks.stores(c.widget) == "" {
		c.called("w", c.create(c.widget, `{"label":"w","nev":"canary","wo":"canary","req":"r","items":[{"value":"v","hidden":"canary"}]}`))
		logged("values and sub-attributes that are never returned are in no record", `create Widget/{w}
items: -[] +[{"value":"v"}]
label: -[] +["w"]
nev: -[] +[]
req: -[] +["r"]
wo: -[] +[]`)
	}
	if all := c.changes(scim.ChangeQuery{Limit: 1000}); len(all) != count {
		c.broken("every change is logged once", "%d records, want %d", len(all), count)
	}
	// A record is the caller's own.
	for i := range list {
		for _, d := range list[i].Changes {
			defaceValue(d.Added)
			defaceValue(d.Removed)
		}
	}
	if strings.Contains(fmt.Sprint(c.changes(scim.ChangeQuery{ID: g.ID})), "defaced") {
		c.broken("a backend returns no reference to what it keeps", "the change log was changed through a record")
	}
}

func testChangeQueries(t *testing.T, s *suite) {
	c := s.one(t)
	c.feed()
	users := c.people(3)
	for i, u := range users {
		c.called(fmt.Sprintf("u%d", i), u)
	}
	g := c.called("g", c.groupOf("g", users[0]))
	g = c.rejoin(g, users[1:2], users[:1])
	g, err := c.update(g, func(r *scim.Resource) { r.Attrs.Set("displayName", "h") })
	c.must(err, "update")
	r := c.get(users[0])
	c.replace(r, `{"userName":"u0","title":%q}`, users[2].ID) // an id that is no reference
	c.must(c.b.Delete(c.Context(), g.Ref(), ""), "delete")

	for _, k := range []struct {
		q    scim.ChangeQuery
		want string
		rule string
	}{
		{scim.ChangeQuery{}, "create u0, create u1, create u2, create g, update g, update g, update u0, delete g", "the zero query selects all, oldest first"},
		{scim.ChangeQuery{Limit: 2}, "create u0, create u1", "at most Limit records"},
		{scim.ChangeQuery{Limit: 2, Newest: true}, "update u0, delete g", "the last records, oldest first"},
		{scim.ChangeQuery{Limit: 3, Newest: true, ID: g.ID}, "update g, update g, delete g", "the last changes of one resource"},
		{scim.ChangeQuery{Limit: 2, Newest: true, Person: users[0].ID}, "update g, update u0", "the last changes of a person"},
		{scim.ChangeQuery{Limit: 1, Newest: true, Person: users[0].ID, Type: "Group"}, "update g", "the last change of a person's groups"},
		{scim.ChangeQuery{Type: "User", ID: users[0].ID}, "create u0, update u0", "changes of one resource"},
		{scim.ChangeQuery{Type: "Group", ID: users[0].ID}, "", "changes of one resource: the type counts"},
		{scim.ChangeQuery{ID: g.ID}, "create g, update g, update g, delete g", "changes of one resource"},
		{scim.ChangeQuery{Person: users[0].ID}, "create u0, create g, update g, update u0", "changes of a person and of groups that gained or lost them"},
		{scim.ChangeQuery{Person: users[1].ID}, "create u1, update g, delete g", "a group that is deleted loses its members"},
		{scim.ChangeQuery{Person: users[2].ID}, "create u2", "an id that is no membership counts for nothing"},
		{scim.ChangeQuery{Person: users[0].ID, Limit: 3}, "create u0, create g, update g", "at most Limit records"},
		{scim.ChangeQuery{Person: "none"}, "", "nobody's changes"},
	} {
		var got []string
		for _, r := range c.changes(k.q) {
			got = append(got, r.Op+" "+strings.Trim(c.nameOf()(r.ID), "{}"))
		}
		c.same(strings.Join(got, ", "), k.want, k.rule)
	}
	all := c.changes(scim.ChangeQuery{})
	if rest := c.changes(scim.ChangeQuery{After: all[2].Seq}); len(rest) != len(all)-3 || rest[0].Seq != all[3].Seq {
		c.broken("After selects records with a greater Seq", "%d records after the third of %d", len(rest), len(all))
	}

	ctx := scim.WithOrigin(t.Context(), scim.Origin{Actor: "okta", RequestID: "r1"})
	_, err = c.b.Create(ctx, c.decode(c.user, `{"userName":"by"}`))
	c.must(err, "create")
	rest := c.changes(scim.ChangeQuery{After: all[len(all)-1].Seq})
	if len(rest) != 1 || rest[0].Actor != "okta" || rest[0].RequestID != "r1" {
		c.broken("a record says on whose behalf the change was made (Origin)", "%+v", rest)
	}
	for i := range 110 {
		c.create(c.user, `{"userName":"more%d"}`, i)
	}
	if list := c.changes(scim.ChangeQuery{}); len(list) != 100 {
		c.broken("Limit 0 is 100", "%d records", len(list))
	}
}
