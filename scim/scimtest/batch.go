package scimtest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
)

func testBatch(t *testing.T, s *suite) {
	c := s.one(t)
	batcher, ok := c.b.(scim.Batcher)
	if !ok {
		t.Skip("the backend has no Batcher")
	}
	users := c.people(3)
	g := c.groupOf("g", users[0])
	state := func() string {
		t.Helper()
		var text string
		for _, typ := range []*scim.ResourceType{c.user, c.group} {
			p := c.list(c.query(typ, ""))
			text += fmt.Sprintf("%d %s\n", p.Total, typ.Name)
			for _, r := range p.Resources {
				text += fmt.Sprintf("%s %+v %s\n", r.ID, r.Meta, show(r, nil))
			}
		}
		if f, ok := c.wide.(scim.ChangeFeed); ok {
			list, err := f.Changes(c.Context(), scim.ChangeQuery{Limit: 1000})
			c.must(err, "the change log can be read")
			text += fmt.Sprintf("%d changes\n", len(list))
		}
		return text
	}

	before := state()
	stop := errors.New("stop")
	work := func(end error) func(scim.Backend) error {
		return func(b scim.Backend) error {
			d := c.within(b)
			r := d.create(d.user, `{"userName":"new"}`)
			d.sameAs(d.get(r), r, "a batch sees its own writes at once")
			_, err := d.tryCreate(d.user, `{"userName":"NEW"}`)
			d.fails(err, scim.ErrUniqueness, "a batch sees its own writes at once")
			now := d.get(g)
			_, err = d.update(now, func(r *scim.Resource) {
				r.Attrs.Set("displayName", "renamed")
				r.Attrs.Set("members", []scim.MemberRef{{ID: r.ID}, {ID: "none"}})
			})
			d.fails(err, scim.InvalidReference("members"), "a member must exist")
			d.sameAs(d.get(g), now, "each write of a batch is all or nothing")
			d.rejoin(now, []*scim.Resource{r, users[1]}, users[:1])
			d.replace(d.get(users[1]), `{"userName":"u1","title":"t"}`)
			d.must(b.Delete(d.Context(), users[2].Ref(), ""), "delete")
			if n := d.total(d.user); n != 3 {
				d.broken("a batch sees its own writes at once", "%d users, want 3", n)
			}
			return end
		}
	}
	err := batcher.Batch(c.Context(), work(stop))
	c.fails(err, stop, "Batch returns the error of its function")
	c.same(state(), before, "of a Batch that returns an error nothing happened")
	func() {
		defer func() { _ = recover() }()
		_ = batcher.Batch(c.Context(), func(b scim.Backend) error {
			c.within(b).create(c.user, `{"userName":"panicked"}`)
			panic("stop")
		})
	}()
	c.same(state(), before, "of a Batch that panics nothing happened")
	ctx, cancel := context.WithCancel(c.Context())
	err = batcher.Batch(ctx, func(b scim.Backend) error {
		c.within(b).create(c.user, `{"userName":"cancelled"}`)
		cancel()
		return nil
	})
	if err == nil {
		c.broken("Batch returns ctx's error once ctx is done", "no error")
	}
	c.same(state(), before, "of a Batch that returns an error nothing happened")

	c.must(batcher.Batch(c.Context(), work(nil)), "Batch works")
	c.same(showMembers(c.get(g)), "User:new User:u1", "the writes of a Batch that returns nil are done")
	_, err = c.b.Get(c.Context(), users[2].Ref(), scim.Selection{})
	c.fails(err, scim.ErrNotFound, "the writes of a Batch that returns nil are done")

	// Batches and single writes side by side.
	errs := race(20, func(i int) error {
		if i%2 == 0 {
			_, err := c.b.Create(c.Context(), c.decode(c.user, fmt.Sprintf(`{"userName":"side%d"}`, i)))
			return err
		}
		return batcher.Batch(c.Context(), func(b scim.Backend) error {
			for _, k := range []string{"a", "b"} {
				if _, err := b.Create(c.Context(), c.decode(c.user, fmt.Sprintf(`{"userName":"side%d%s"}`, i, k))); err != nil {
					return err
				}
			}
			return nil
		})
	})
	c.must(errors.Join(errs...), "batches and single writes stand side by side")
	c.finds(30, c.user, "nothing that succeeded is lost", `userName sw "side"`)
}
