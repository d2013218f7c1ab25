package scimtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
)

// A nest is groups and their members by name; u0, u1 … are users. A group is
// made when all its members are there, so a nest may not go in circles.
func (c *tenant) nest(groups ...string) (users, made map[string]*scim.Resource) {
	c.Helper()
	users, made = map[string]*scim.Resource{}, map[string]*scim.Resource{}
	for _, g := range groups {
		name, list, _ := strings.Cut(g, "=")
		var members []*scim.Resource
		for _, m := range strings.Fields(list) {
			r := made[m]
			if r == nil {
				r = users[m]
			}
			if r == nil {
				r = c.create(c.user, `{"userName":%q}`, m)
				users[m] = r
			}
			members = append(members, r)
		}
		made[name] = c.groupOf(name, members...)
	}
	return users, made
}

func (c *tenant) groupsAre(u *scim.Resource, want, rule string) {
	c.Helper()
	if got := showGroups(c.get(u)); got != want {
		c.broken(rule, "Get: groups of %s are %q, want %q", scim.DisplayName(u.Attrs), got, want)
	}
	if got := showGroups(c.listed(u)); got != want {
		c.broken(rule, "List: groups of %s are %q, want %q", scim.DisplayName(u.Attrs), got, want)
	}
}

func testDerived(t *testing.T, s *suite) {
	if s.Lacks.Nesting {
		t.Skip("the backend lacks nested groups")
	}
	c := s.one(t)
	users, groups := c.nest("A=u0 u1", "B=A u2", "C=B u0", "D=", "E=C A u2")
	const rule = "groups: direct ones first, then those above them, each in order of creation (Resource.Groups, RFC 7643 §4.1.2)"
	c.groupsAre(users["u0"], "A/direct C/direct B/indirect E/indirect", rule)
	c.groupsAre(users["u1"], "A/direct B/indirect C/indirect E/indirect", rule)
	c.groupsAre(users["u2"], "B/direct E/direct C/indirect", rule)
	c.groupsAre(c.create(c.user, `{"userName":"u3"}`), "", rule)
	c.same(showMembers(c.get(groups["B"])), "Group:A User:u2", "members have the type and the name of their target (RFC 7643 §4.2)")

	// A name shown elsewhere follows its resource, and that changes no version.
	before := c.get(groups["B"])
	c.replace(c.get(users["u2"]), `{"userName":"u2","displayName":"Two"}`)
	c.replace(c.get(groups["A"]), `{"displayName":"Alpha","members":%s}`, memberJSON([]*scim.Resource{users["u0"], users["u1"]}))
	after := c.get(groups["B"])
	c.same(showMembers(after), "Group:Alpha User:Two", "display is derived from the target as it is now: its displayName, else its userName")
	if before.Meta != after.Meta {
		c.broken("a name shown elsewhere changes nothing there", "meta %+v, was %+v", after.Meta, before.Meta)
	}
	c.groupsAre(users["u1"], "Alpha/direct B/indirect C/indirect E/indirect", "display of a group follows its displayName")

	// Create and Update return groups too.
	u := c.get(users["u0"])
	u, err := c.update(u, func(r *scim.Resource) { r.Attrs.Set("displayName", "t") })
	c.must(err, "update")
	if got := showGroups(u); got != "Alpha/direct C/direct B/indirect E/indirect" {
		c.broken("Update returns groups, as Get would", "%q", got)
	}
}

func testMembers(t *testing.T, s *suite) {
	c := s.one(t)
	users := c.people(6)
	g := c.groupOf("g", users[0], users[1], users[0])
	wants := 0
	members := func(want ...int) {
		t.Helper()
		wants++
		c.same(showMembers(c.get(g)), showMembers(c.groupOf(fmt.Sprint("want", wants), pick(users, want)...)), "the members of a group are those written, each once (RFC 7643 §2.4)")
		for i, u := range users {
			found := 0
			if slices.Contains(want, i) {
				found = 1
			}
			c.finds(found, c.group, "filters and answers agree on members", "displayName eq %q and members.value eq %q", c.get(g).Attrs.Get("displayName"), u.ID)
		}
	}
	members(0, 1)
	g = c.rejoin(g, pick(users, []int{2, 3}), pick(users, []int{0}))
	members(1, 2, 3)
	g = c.rejoin(g, nil, pick(users, []int{1, 2, 3}))
	members()
	if c.get(g).Attrs.Get("members") != nil {
		c.broken("an attribute without a value is absent (RFC 7643 §2.5)", "members is %v", c.get(g).Attrs.Get("members"))
	}
	g = c.rejoin(g, users, nil)
	members(0, 1, 2, 3, 4, 5)

	// Members and document in one write.
	g = c.replace(g, `{"displayName":"G","members":%s}`, memberJSON(users[4:]))
	members(4, 5)
	if got := c.get(g).Attrs.Get("displayName"); got != "G" {
		c.broken("both parts of a write of members and document are stored", "displayName is %v", got)
	}
	stale := g
	g = c.replace(g, `{"displayName":"g","members":%s}`, memberJSON(users[3:]))
	if !c.Lacks.Versions {
		_, err := c.tryReplace(stale, `{"displayName":"late","members":[]}`)
		c.fails(err, scim.ErrVersionMismatch, "a write of members and document is refused for a version that is not the stored one")
	}
	members(3, 4, 5)
	stale = c.get(g)
	stale.Meta.Version = "stale"

	m := c.updater()
	if m == nil {
		return
	}
	for _, k := range []struct {
		name        string
		reset       bool
		add, remove []int
		want        []int
		unchanged   bool
	}{
		{name: "add one that is there", add: []int{3}, want: []int{3, 4, 5}, unchanged: true},
		{name: "remove one that is not", remove: []int{0, 1}, want: []int{3, 4, 5}, unchanged: true},
		{name: "both", add: []int{4}, remove: []int{2}, want: []int{3, 4, 5}, unchanged: true},
		{name: "one new among old", add: []int{5, 0, 0}, want: []int{0, 3, 4, 5}},
		{name: "add and remove", add: []int{1}, remove: []int{0, 2}, want: []int{1, 3, 4, 5}},
		{name: "reset to what is there", reset: true, add: []int{5, 4, 3, 1}, want: []int{1, 3, 4, 5}, unchanged: true},
		{name: "reset to others", reset: true, add: []int{0, 1}, want: []int{0, 1}},
		{name: "reset to none", reset: true, want: nil},
		{name: "reset of none", reset: true, want: nil, unchanged: true},
	} {
		before := c.get(g)
		r, err := m.UpdateMembers(c.Context(), c.memberChange(stale, "", k.reset, pick(users, k.add), pick(users, k.remove)))
		c.must(err, "a change of members alone never fails for a version, unless one is asked for")
		members(k.want...)
		after := c.get(g)
		if moved := r.Meta != before.Meta || after.Meta != before.Meta; moved && k.unchanged ||
			!k.unchanged && (r.Meta == before.Meta || after.Meta == before.Meta) && !(c.Lacks.Versions && c.Lacks.Times) {
			c.broken("if no member comes or goes, version and LastModified stay; else they move", "%s: %+v, was %+v", k.name, r.Meta, before.Meta)
		}
		if r.Attrs.Get("members") != nil || r.Members != nil {
			c.broken("UpdateMembers returns the resource as Get would, without members", "%s: members %v", k.name, r.Attrs.Get("members"))
		}
	}
	var err error
	if !c.Lacks.Versions {
		_, err = m.UpdateMembers(c.Context(), c.memberChange(stale, stale.Meta.Version, false, users[:1], nil))
		c.fails(err, scim.ErrVersionMismatch, "with IfVersion, UpdateMembers compares and swaps")
	}
	now := c.get(g)
	_, err = m.UpdateMembers(c.Context(), c.memberChange(stale, now.Meta.Version, false, users[:1], nil))
	c.must(err, "with IfVersion, UpdateMembers compares it with the stored version")
	gone := copyOf(now)
	gone.ID = "none"
	_, err = m.UpdateMembers(c.Context(), c.memberChange(gone, "", false, users[:1], nil))
	c.fails(err, scim.ErrNotFound, "UpdateMembers of an id that no resource has")
	members(0)
}

func pick(list []*scim.Resource, at []int) []*scim.Resource {
	var out []*scim.Resource
	for _, i := range at {
		out = append(out, list[i])
	}
	return out
}

func testUnknownMembers(t *testing.T, s *suite) {
	c := s.one(t)
	u := c.create(c.user, `{"userName":"a"}`)
	g := c.groupOf("g", u)
	unknown := []*scim.Resource{{ID: "none"}, {ID: ""}, {ID: strings.ToUpper(u.ID) + " "}}
	if s.Lacks.stores(c.widget) == "" {
		unknown = append(unknown, c.create(c.widget, `{"label":"w"}`))
	}
	const rule = "InvalidReference if a member does not exist, or is of a type that cannot be one (RFC 7643 §2.3.7)"
	for _, m := range unknown {
		in := c.decode(c.group, `{"displayName":"other"}`)
		in.Attrs.Set("members", []scim.MemberRef{{ID: u.ID}, {ID: m.ID}})
		_, err := c.b.Create(c.Context(), in)
		c.fails(err, scim.InvalidReference("members", m.ID), rule)
		_, err = c.update(g, func(r *scim.Resource) {
			r.Attrs.Set("displayName", "renamed")
			r.Attrs.Set("members", []scim.MemberRef{{ID: m.ID}})
		})
		c.fails(err, scim.InvalidReference("members", m.ID), rule)
		if err != nil && m.ID != "" && m.ID == strings.TrimSpace(m.ID) && !strings.Contains(err.Error(), m.ID) {
			c.broken("InvalidReference names the members that do not exist", "%v", err)
		}
	}
	c.sameAs(c.get(g), g, "an Update that fails leaves everything as it was: members and document")
	if n := c.total(c.group); n != 1 {
		c.broken("a Create that fails leaves everything as it was", "%d groups", n)
	}
}

func testCycle(t *testing.T, s *suite) {
	if s.Lacks.Nesting {
		t.Skip("the backend lacks nested groups")
	}
	c := s.one(t)
	users, groups := c.nest("A=u0", "B=A", "C=B")
	c.rejoin(c.get(groups["A"]), []*scim.Resource{groups["C"]}, nil)
	c.rejoin(c.get(groups["B"]), []*scim.Resource{groups["B"]}, nil)
	const rule = "groups that hold each other, or themselves, are accepted and end no computation"
	c.groupsAre(users["u0"], "A/direct B/indirect C/indirect", rule)
	c.finds(1, c.user, rule, "groups.value eq %q", groups["C"].ID)
	c.must(c.b.Delete(c.Context(), groups["B"].Ref(), ""), "a group in a circle can be deleted")
	c.groupsAre(users["u0"], "A/direct", "a deleted group holds nobody")
	c.same(showMembers(c.get(groups["A"])), "Group:C User:u0", "a deleted group is in no other group")
}

func testDepth(t *testing.T, s *suite) {
	if s.Lacks.Nesting {
		t.Skip("the backend lacks nested groups")
	}
	c := s.one(t)
	u := c.create(c.user, `{"userName":"u"}`)
	below := u
	var all []*scim.Resource
	for i := range scim.MaxGroupDepth + 2 {
		below = c.groupOf(fmt.Sprintf("g%02d", i+1), below)
		all = append(all, below)
	}
	got := c.get(u).Groups
	if len(got) != scim.MaxGroupDepth || got[len(got)-1].ID != all[scim.MaxGroupDepth-1].ID {
		c.broken("groups nested MaxGroupDepth deep are shown, and no deeper ones", "%d groups, want %d", len(got), scim.MaxGroupDepth)
	}
	for i, want := range map[int]int{0: 1, scim.MaxGroupDepth - 1: 1, scim.MaxGroupDepth: 0} {
		c.finds(want, c.user, "filters see groups as deep as answers show them", "groups.value eq %q", all[i].ID)
	}
	// A short cut counts: the shortest distance decides.
	c.rejoin(c.get(all[len(all)-1]), []*scim.Resource{u}, nil)
	if n := len(c.get(u).Groups); n != scim.MaxGroupDepth+1 {
		c.broken("a group counts at its shortest distance", "%d groups, want %d", n, scim.MaxGroupDepth+1)
	}
}

func testMemberDelete(t *testing.T, s *suite) {
	c := s.one(t)
	users := c.people(3)
	g, other := c.groupOf("g", users...), c.groupOf("other", users[2])
	empty := c.groupOf("empty", users[0])
	c.must(c.b.Delete(c.Context(), users[0].Ref(), ""), "a member can be deleted")
	const rule = "Delete removes the memberships of what it deletes, and the groups' versions change (RFC 7643 §2.3.7)"
	for _, before := range []*scim.Resource{g, empty} {
		c.changed(c.get(before).Meta, before.Meta, rule)
	}
	if c.updater() != nil || !c.Lacks.Versions {
		_, err := c.tryRejoin(g, nil, users[1:2])
		if c.updater() == nil {
			c.fails(err, scim.ErrVersionMismatch, rule)
		}
	}
	c.sameAs(c.get(other), other, "Delete leaves the groups of others alone")
	want := "User:User 1 User:User 2"
	if c.updater() != nil {
		want = "User:User 2" // the change of members alone went through
	}
	c.same(showMembers(c.get(g)), want, rule)
	if c.get(empty).Attrs.Get("members") != nil {
		c.broken(rule, "members is %v", c.get(empty).Attrs.Get("members"))
	}
	c.finds(0, c.group, rule, "members.value eq %q", users[0].ID)
	c.must(c.b.Delete(c.Context(), g.Ref(), ""), "a group with members can be deleted")
	c.groupsAre(users[2], "other/direct", "a deleted group holds nobody")
}

func testMemberVersions(t *testing.T, s *suite) {
	c := s.one(t)
	users := c.people(2)
	g := c.groupOf("g", users[0])
	after := c.rejoin(g, users[1:], users[:1])
	c.changed(after.Meta, g.Meta, "a change of members is a change of the group")
	for _, u := range users {
		if got := c.get(u); got.Meta != u.Meta {
			c.broken("a change of members is no change of the member", "meta is %+v, was %+v", got.Meta, u.Meta)
		}
	}
	c.must(c.b.Delete(c.Context(), g.Ref(), after.Meta.Version), "delete")
	for _, u := range users {
		if got := c.get(u); got.Meta != u.Meta {
			c.broken("the end of a group is no change of its members", "meta is %+v, was %+v", got.Meta, u.Meta)
		}
	}
}

func testLargeGroup(t *testing.T, s *suite) {
	n := 10_000
	if s.Short {
		n = 500
	}
	c := s.one(t)
	users := c.people(n + 1)
	g := c.groupOf("large", users[:n]...)
	size := func(want int) {
		t.Helper()
		list, _ := c.get(g).Attrs.Get("members").([]scim.MemberRef)
		seen := map[string]bool{}
		for _, m := range list {
			seen[m.ID] = true
		}
		if len(list) != want || len(seen) != want {
			c.broken("a large group holds every member once", "%d members, %d of them different, want %d", len(list), len(seen), want)
		}
	}
	size(n)
	g = c.rejoin(g, users[n:], nil)
	size(n + 1)
	g = c.rejoin(g, nil, users[:n/2])
	size(n + 1 - n/2)
	c.groupsAre(users[n], "large/direct", "a member of a large group is in it")
	c.groupsAre(users[0], "", "a former member of a large group is not in it")
	c.must(c.b.Delete(c.Context(), users[n].Ref(), ""), "delete")
	size(n - n/2)
	c.must(c.b.Delete(c.Context(), g.Ref(), ""), "a large group can be deleted")
	c.groupsAre(users[n-1], "", "a deleted group holds nobody")
}
