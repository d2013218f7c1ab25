package scimtest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
)

func testUpdateRace(t *testing.T, s *suite) {
	c := s.one(t)
	if s.Lacks.Versions {
		c.lastWins()
		return
	}
	const writers = 50
	first := c.create(c.user, `{"userName":"a"}`)
	errs := race(writers, func(i int) error {
		after := copyOf(first)
		after.Attrs.Set("displayName", fmt.Sprint(i))
		_, err := c.b.Update(c.Context(), c.change(copyOf(first), after))
		return err
	})
	c.oneWins(errs, scim.ErrVersionMismatch, "of many updates of one version exactly one succeeds")

	// Each writer adds one value, and reads and writes again until it has.
	u := c.replace(c.get(first), `{"userName":"a"}`)
	errs = race(writers, func(i int) error {
		return again(func() error {
			before, err := c.b.Get(c.Context(), u.Ref(), scim.Selection{})
			if err != nil {
				return err
			}
			c.load(before)
			after := copyOf(before)
			list, _ := after.Attrs.Get("emails").([]any)
			after.Attrs.Set("emails", append(list, scim.Object{{Name: "value", Value: fmt.Sprintf("%d@example.com", i)}}))
			_, err = c.b.Update(c.Context(), c.change(before, after))
			return err
		})
	})
	c.must(errors.Join(errs...), "an update of the version just read works in the end")
	list, _ := c.get(u).Attrs.Get("emails").([]any)
	if len(list) != writers {
		c.broken("no update that succeeded is lost", "%d of %d values are there", len(list), writers)
	}
}

// lastWins lets many write one resource of a backend without versions.
func (c *tenant) lastWins() {
	first := c.create(c.user, `{"userName":"a"}`)
	states := make([]string, 20)
	errs := race(len(states), func(i int) error {
		after := copyOf(first)
		after.Attrs.Set("displayName", fmt.Sprint("writer ", i))
		r, err := c.b.Update(c.Context(), c.change(copyOf(first), after))
		if err == nil {
			states[i] = show(c.load(r), nil)
		}
		return err
	})
	const rule = "without versions every update is carried out, and one of them is the last"
	c.must(errors.Join(errs...), rule)
	if now := show(c.get(first), nil); !slices.Contains(states, now) {
		c.broken(rule, "nobody wrote\n%s", now)
	}
}

// again repeats f while it fails because another writer came first.
func again(f func() error) error {
	for {
		if err := f(); !errors.Is(err, scim.ErrVersionMismatch) {
			return err
		}
	}
}

func testMemberRace(t *testing.T, s *suite) {
	c := s.one(t)
	if s.Lacks.Versions && c.updater() == nil {
		t.Skip("without versions, groups that are written whole can't be written by many")
	}
	const writers = 50
	users := c.people(2 * writers)
	g := c.groupOf("g", users[writers:]...)
	errs := race(2*writers, func(i int) error {
		add, remove := users[i:i+1], []*scim.Resource(nil)
		if i >= writers {
			add, remove = nil, users[i:i+1]
		}
		if m := c.updater(); m != nil {
			read, err := c.b.Get(c.Context(), g.Ref(), scim.Selection{})
			if err != nil {
				return err
			}
			_, err = m.UpdateMembers(c.Context(), c.memberChange(c.load(read), "", false, add, remove))
			return err
		}
		return again(func() error {
			read, err := c.b.Get(c.Context(), g.Ref(), scim.Selection{})
			if err != nil {
				return err
			}
			_, err = c.write(c.change(c.load(read), rejoined(read, add, remove)))
			return err
		})
	})
	c.must(errors.Join(errs...), "a change of members alone never fails for a version, unless one is asked for")
	want := c.groupOf("want", users[:writers]...)
	c.same(showMembers(c.get(g)), showMembers(want), "racing changes of members all survive")
}

// memberChange returns the Change that adds and removes members of a group
// read whole, for UpdateMembers.
func (c *tenant) memberChange(g *scim.Resource, ifVersion string, reset bool, add, remove []*scim.Resource) scim.Change {
	refs := func(list []*scim.Resource) []any {
		var out []any
		for _, r := range list {
			out = append(out, scim.MemberRef{ID: r.ID})
		}
		return out
	}
	a := g.Type.Membership()
	ch := membersApart(scim.Change{Before: g, After: g, IfVersion: ifVersion, Method: "PATCH", Touched: []string{a.Name}})
	ch.Deltas = []scim.Delta{{Path: scim.AttrPath{Name: a.Name, Attr: a}, Reset: reset, Added: refs(add), Removed: refs(remove)}}
	return ch
}

func testDeleteRace(t *testing.T, s *suite) {
	c := s.one(t)
	const rounds = 10
	for range rounds {
		users := c.people(2)
		g := c.groupOf("g", users[0])
		errs := race(10, func(i int) error {
			if i == 0 {
				return c.b.Delete(c.Context(), users[1].Ref(), "")
			}
			return again(func() error {
				read, err := c.b.Get(c.Context(), g.Ref(), scim.Selection{})
				if err != nil {
					return err
				}
				after := copyOf(c.load(read))
				after.Attrs.Set("members", []scim.MemberRef{{ID: users[0].ID}, {ID: users[1].ID}})
				ch := c.change(read, after)
				if len(ch.Deltas) == 0 {
					return nil
				}
				_, err = c.write(ch)
				return err
			})
		})
		for i, err := range errs {
			if err != nil && (i == 0 || !errors.Is(err, scim.InvalidReference("members"))) {
				c.broken("a member that is being deleted is either added before or refused (InvalidReference)", "%v", err)
			}
		}
		c.same(showMembers(c.get(g)), "User:User 0", "a group never holds a deleted member")
		c.must(c.b.Delete(c.Context(), g.Ref(), ""), "delete")
		c.must(c.b.Delete(c.Context(), users[0].Ref(), ""), "delete")
	}
}
