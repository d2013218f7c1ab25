package scimtest

import (
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/patch"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

//go:embed widget.json
var widgetFS embed.FS

// Types returns fresh resource types as the suite uses them: User and Group of
// RFC 7643 §4, and Widget, which has attributes of every kind.
func Types() ([]*scim.ResourceType, error) { return schema.Read(schema.Core(), widgetFS) }

// suite is what the cases of one run share.
type suite struct {
	Harness
	user, group, widget *scim.ResourceType
	seed                uint64
	whole               bool // hide MemberUpdater: groups are updated whole
}

func newSuite(t *testing.T, h Harness) *suite {
	t.Helper()
	types, err := Types()
	if err != nil || len(types) != 3 {
		t.Fatalf("the suite's own schemas: %d types, %v", len(types), err)
	}
	if h.Types != nil {
		types = append(h.Types[:2:2], types[2])
		types = schema.WithUnstored(types, corePaths())
	}
	s := &suite{Harness: h, user: types[0], group: types[1], widget: types[2], seed: h.Seed}
	s.derive(t)
	if s.seed == 0 {
		s.seed = uint64(time.Now().UnixNano())
	}
	return s
}

// open returns the two tenants of a fresh store.
func (s *suite) open(t *testing.T) (a, b *tenant) {
	t.Helper()
	x, y := s.Open(t)
	return s.tenant(t, x), s.tenant(t, y)
}

func (s *suite) one(t *testing.T) *tenant {
	t.Helper()
	a, _ := s.open(t)
	return a
}

func (s *suite) tenant(t *testing.T, b scim.Backend) *tenant {
	return &tenant{suite: s, T: t, b: b, wide: b}
}

// tenant is a backend, and the verbs of an engine over it.
type tenant struct {
	*suite
	*testing.T
	b scim.Backend

	wide  scim.Backend // b with its optional interfaces; in a batch those of the store
	names map[string]string
}

// within returns c for another backend, such as that of a batch.
func (c *tenant) within(b scim.Backend) *tenant {
	d := *c
	d.b, d.wide = b, b
	return &d
}

// updater returns the backend's MemberUpdater, unless there is none to be used.
func (c *tenant) updater() scim.MemberUpdater {
	if c.whole {
		return nil
	}
	m, _ := c.wide.(scim.MemberUpdater)
	return m
}

// broken reports that the backend does not keep to a rule of the contract.
func (c *tenant) broken(rule, format string, args ...any) {
	c.Helper()
	c.Errorf("%s\nrule: %s", fmt.Sprintf(format, args...), rule)
}

// must stops the test if a call that has to work did not.
func (c *tenant) must(err error, rule string) {
	c.Helper()
	if err != nil {
		c.Fatalf("unexpected error: %v\nrule: %s", err, rule)
	}
}

// fails reports an error that is not the one wanted.
func (c *tenant) fails(err, want error, rule string) {
	c.Helper()
	if !errors.Is(err, want) {
		c.broken(rule, "error is %v, want %v", err, want)
	}
}

// same reports two resources, or parts of them, that differ.
func (c *tenant) same(got, want, rule string) {
	c.Helper()
	if got != want {
		c.broken(rule, "got:\n%s\nwant:\n%s", indent(got), indent(want))
	}
}

func indent(s string) string { return "\t" + strings.ReplaceAll(s, "\n", "\n\t") }

// decode makes a resource of JSON as the engine does, but adds no defaults.
func (c *tenant) decode(typ *scim.ResourceType, text string) *scim.Resource {
	c.Helper()
	r, err := c.tryDecode(typ, text)
	if err != nil {
		c.Fatalf("the suite's own resource: %v\n%s", err, text)
	}
	return r
}

func (s *suite) tryDecode(typ *scim.ResourceType, text string) (*scim.Resource, error) {
	raw, err := scim.ParseObject([]byte(text), 0, 0)
	if err != nil {
		return nil, err
	}
	r, _, err := schema.Decode(typ, raw, schema.Options{AnySchemas: true, FreeFormats: true})
	if err != nil {
		return nil, err
	}
	s.fit(r)
	schema.Encode(r)
	return r, nil
}

// create stores a resource made of JSON; it must work.
func (c *tenant) create(typ *scim.ResourceType, format string, args ...any) *scim.Resource {
	c.Helper()
	text := fmt.Sprintf(format, args...)
	r, err := c.tryCreate(typ, text)
	if err != nil {
		c.Fatalf("Create: %v\n%s", err, text)
	}
	return r
}

func (c *tenant) tryCreate(typ *scim.ResourceType, text string) (*scim.Resource, error) {
	c.Helper()
	r, err := c.b.Create(c.Context(), c.decode(typ, text))
	if err != nil {
		return nil, err
	}
	return c.load(r), nil
}

// people creates users called u0, u1 …
func (c *tenant) people(n int) []*scim.Resource {
	c.Helper()
	list := make([]*scim.Resource, n)
	for i := range list {
		list[i] = c.create(c.user, `{"userName":"u%d","displayName":"User %d"}`, i, i)
	}
	return list
}

// groupOf creates a group.
func (c *tenant) groupOf(name string, members ...*scim.Resource) *scim.Resource {
	c.Helper()
	return c.create(c.group, `{"displayName":%q,"members":%s}`, name, memberJSON(members))
}

func memberJSON(members []*scim.Resource) string {
	var b strings.Builder
	for i, m := range members {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"value":%q}`, m.ID)
	}
	return "[" + b.String() + "]"
}

// get reads a resource, whole.
func (c *tenant) get(r *scim.Resource) *scim.Resource {
	c.Helper()
	got, err := c.b.Get(c.Context(), r.Ref(), scim.Selection{})
	if err != nil {
		c.Fatalf("Get %s: %v", r.Ref(), err)
	}
	return c.load(got)
}

// load gives a resource Attrs, members included.
func (c *tenant) load(r *scim.Resource) *scim.Resource {
	c.Helper()
	if r == nil {
		c.Fatal("the backend returned neither a resource nor an error")
	}
	if err := schema.Load(r); err != nil {
		c.Fatalf("what the backend returned cannot be loaded: %v", err)
	}
	if c.Lacks.Order {
		slices.SortStableFunc(r.Groups, func(a, b scim.MemberRef) int { return strings.Compare(a.Display, b.Display) })
	}
	if r.Members != nil {
		var list []scim.MemberRef
		for m, err := range r.Members {
			if err != nil {
				c.Fatalf("reading the members of %s: %v", r.Ref(), err)
			}
			list = append(list, m)
		}
		r.Members = nil
		if list != nil {
			r.Attrs.Set(r.Type.Membership().Name, list)
		}
	}
	return r
}

// copyOf returns a copy of r to edit.
func copyOf(r *scim.Resource) *scim.Resource {
	c := *r
	c.Attrs = scim.Clone(r.Attrs)
	c.Schemas = slices.Clone(r.Schemas)
	return &c
}

// change returns the Change from before to after, as the engine makes it.
func (s *suite) change(before, after *scim.Resource) scim.Change {
	after = copyOf(after)
	s.fit(after)
	deltas := patch.Diff(before, after)
	schema.Encode(after)
	c := scim.Change{Before: before, After: after, Deltas: deltas, Method: "PUT"}
	for _, d := range deltas {
		c.Touched = append(c.Touched, d.Path.String())
	}
	return c
}

// membersApart turns a Change into one for UpdateMembers: only its Deltas say
// how the members change.
func membersApart(c scim.Change) scim.Change {
	without := func(r *scim.Resource) *scim.Resource {
		r = copyOf(r)
		r.Attrs.Set(r.Type.Membership().Name, nil)
		return r
	}
	c.Before, c.After = without(c.Before), without(c.After)
	schema.Encode(c.After)
	return c
}

// update stores what edit makes of r, which must have been read whole. Groups
// go through UpdateMembers where the backend has it. The result is as Get
// returns it.
func (c *tenant) update(r *scim.Resource, edit func(*scim.Resource)) (*scim.Resource, error) {
	c.Helper()
	after := copyOf(r)
	edit(after)
	ch := c.change(r, after)
	if len(ch.Deltas) == 0 {
		c.Fatalf("the suite's own update of %s changes nothing", r.Ref())
	}
	return c.apply(ch)
}

// write hands a Change to the method that is to be tested.
func (c *tenant) write(ch scim.Change) (*scim.Resource, error) {
	if m := c.updater(); m != nil && ch.Before.Type.Membership() != nil {
		return m.UpdateMembers(c.Context(), membersApart(ch))
	}
	return c.b.Update(c.Context(), ch)
}

func (c *tenant) apply(ch scim.Change) (*scim.Resource, error) {
	c.Helper()
	r, err := c.write(ch)
	if err != nil {
		return nil, err
	}
	got := c.get(ch.Before)
	c.load(r)
	if a := ch.Before.Type.Membership(); a != nil && c.updater() != nil {
		apart := copyOf(got)
		apart.Attrs.Set(a.Name, nil)
		c.sameAs(r, apart, "UpdateMembers returns the resource as Get would, without members")
	} else {
		c.sameAs(r, got, "Update returns the resource as Get would")
	}
	return got, nil
}

// replace is update with JSON, as PUT does it; it must work.
func (c *tenant) replace(r *scim.Resource, format string, args ...any) *scim.Resource {
	c.Helper()
	got, err := c.tryReplace(r, fmt.Sprintf(format, args...))
	if err != nil {
		c.Fatalf("Update of %s to %s: %v", r.Ref(), fmt.Sprintf(format, args...), err)
	}
	return got
}

func (c *tenant) tryReplace(r *scim.Resource, text string) (*scim.Resource, error) {
	c.Helper()
	want := c.decode(r.Type, text)
	return c.update(r, func(r *scim.Resource) { r.Attrs, r.ExternalID, r.Schemas = want.Attrs, want.ExternalID, want.Schemas })
}

// rejoin changes the members of a group; it must work.
func (c *tenant) rejoin(group *scim.Resource, add, remove []*scim.Resource) *scim.Resource {
	c.Helper()
	got, err := c.tryRejoin(group, add, remove)
	c.must(err, "members can be added and removed")
	return got
}

func (c *tenant) tryRejoin(group *scim.Resource, add, remove []*scim.Resource) (*scim.Resource, error) {
	c.Helper()
	ch := c.change(group, rejoined(group, add, remove))
	if len(ch.Deltas) == 0 {
		c.Fatalf("the suite's own update of %s changes nothing", group.Ref())
	}
	return c.apply(ch)
}

// rejoined returns a copy of a group with other members.
func rejoined(group *scim.Resource, add, remove []*scim.Resource) *scim.Resource {
	r := copyOf(group)
	name := r.Type.Membership().Name
	list, _ := r.Attrs.Get(name).([]scim.MemberRef)
	list = slices.DeleteFunc(slices.Clone(list), func(m scim.MemberRef) bool { return holds(remove, m.ID) })
	for _, a := range add {
		list = append(list, scim.MemberRef{ID: a.ID})
	}
	r.Attrs.Set(name, nil)
	if len(list) > 0 {
		r.Attrs.Set(name, list)
	}
	return r
}

func holds(list []*scim.Resource, id string) bool {
	return slices.ContainsFunc(list, func(r *scim.Resource) bool { return r.ID == id })
}

// list returns a page; it must work.
func (c *tenant) list(q scim.Query) *scim.Page {
	c.Helper()
	p, err := c.b.List(c.Context(), q)
	if err != nil {
		c.Fatalf("List of %s, filter %v: %v", q.Type.Name, q.Filter, err)
	}
	for _, r := range p.Resources {
		c.load(r)
	}
	return p
}

// total returns how many resources of a type there are.
func (c *tenant) total(typ *scim.ResourceType) int {
	c.Helper()
	return c.list(scim.Query{Type: typ, StartIndex: 1}).Total
}
