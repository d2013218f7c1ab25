package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/filter"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// Store is what Build fills: a tenant of one of the databases.
type Store interface {
	scim.Backend
	scim.Batcher
	scim.MemberUpdater
}

// What one transaction of Build holds at most.
const (
	buildUsers   = 500
	buildMembers = 5_000
)

// Build creates a population without a server, which is several times as fast
// as over HTTP. A population that is there already is left as it is, and one
// that was interrupted is completed. A store with others in it is left alone,
// unless o.Yes. It says what it does on o.Out.
func Build(ctx context.Context, o Options, store Store) error {
	if err := o.defaults(); err != nil {
		return err
	}
	defer o.progress.clear()
	if !o.named {
		return errors.New("the population needs a name")
	}
	e, err := engine.New(store, engine.Config{}) // for the types as they are served
	if err != nil {
		return err
	}
	b := &builder{o: &o, p: o.Population, store: store, ids: make([]string, o.Population.Users)}
	for _, t := range e.Types() {
		switch t.Name {
		case "User":
			b.user = t
		case "Group":
			b.group = t
		}
	}
	b.bodies = bodies{b.p, true}
	return b.build(scim.WithOrigin(ctx, scim.Origin{Actor: "bench"}))
}

// builder is one call of Build.
type builder struct {
	o           *Options
	p           Population
	bodies      bodies
	store       Store
	user, group *scim.ResourceType
	ids         []string
}

func (b *builder) build(ctx context.Context) error {
	if err := b.alone(ctx); err != nil {
		return err
	}
	marker, err := b.find(ctx, b.store, b.user, "userName", b.p.marker())
	if err != nil {
		return err
	}
	if marker != "" {
		b.o.say("the population %q is there: %s\n", b.p.Name, b.p)
		return nil
	}
	b.o.say("building %s\n", b.p)
	watch := b.o.watch()
	there, err := b.learn(ctx)
	if err != nil {
		return err
	}
	if there > 0 {
		watch.lap("%d people are there from an earlier run", there)
	}
	var missing []int
	for n, id := range b.ids {
		if id == "" {
			missing = append(missing, n)
		}
	}
	begin := time.Now()
	err = b.inParts(ctx, "people", len(missing), buildUsers, func(ctx context.Context, from, to int) error {
		return b.people(ctx, missing[from:to])
	})
	if err != nil {
		return err
	}
	watch.lap("%d people, %.0f a second", len(missing), float64(len(missing))/max(time.Since(begin).Seconds(), .001))
	begin = time.Now()
	n := b.p.others()
	per := max(1, buildMembers/b.p.GroupSize)
	if err := b.inParts(ctx, "groups", n, per, func(ctx context.Context, from, to int) error {
		return b.others(ctx, from, to, there > 0)
	}); err != nil {
		return err
	}
	memberships := n * b.p.GroupSize
	for _, g := range append(b.p.steps(), b.p.largest()) {
		if err := b.large(ctx, g); err != nil {
			return err
		}
		memberships += g.size
	}
	watch.lap("%d memberships, %.0f a second", memberships, float64(memberships)/max(time.Since(begin).Seconds(), .001))
	return b.store.Batch(ctx, func(in scim.Backend) error {
		r, err := b.decode(fmt.Appendf(nil, `{"schemas":[%q],"userName":%q,"active":true}`, userURN, b.p.marker()))
		if err != nil {
			return err
		}
		return put(ctx, in, r)
	})
}

// find returns the id of the resource whose attribute has a value, or "".
func (b *builder) find(ctx context.Context, in scim.Backend, t *scim.ResourceType, attribute, value string) (string, error) {
	p, err := b.matching(ctx, in, t, attribute+` eq "`+value+`"`, true)
	if err != nil || len(p.Resources) == 0 {
		return "", err
	}
	return p.Resources[0].ID, nil
}

// matching returns the first resource that a filter matches.
func (b *builder) matching(ctx context.Context, in scim.Backend, t *scim.ResourceType, text string, noTotal bool) (*scim.Page, error) {
	f, err := filter.Parse(text, filter.Options{})
	if err == nil {
		f, err = filter.Bind(t, f, filter.Options{})
	}
	if err != nil {
		return nil, err
	}
	return in.List(ctx, scim.Query{Type: t, Filter: f, StartIndex: 1, Count: 1, NoTotal: noTotal})
}

// errOthers is why a folder or database is not filled.
var errOthers = errors.New("it holds others than the people of this population; --yes fills it, and changes what is in it, all the same")

// alone returns an error if the store has people or groups that are not of this
// population, unless that was allowed.
func (b *builder) alone(ctx context.Context) error {
	if b.o.Yes {
		return nil
	}
	for t, attribute := range map[*scim.ResourceType]string{b.user: "userName", b.group: "displayName"} {
		p, err := b.matching(ctx, b.store, t, `not (`+attribute+` sw "`+b.p.prefix()+`")`, false)
		if err != nil {
			return err
		}
		if p.Total > 0 {
			return fmt.Errorf("%w (%d %ss)", errOthers, p.Total, strings.ToLower(t.Name))
		}
	}
	return nil
}

// learn finds the people that are there already.
func (b *builder) learn(ctx context.Context) (n int, err error) {
	first, err := b.find(ctx, b.store, b.user, "userName", b.p.userName("", 0))
	if err != nil || first == "" {
		return 0, err
	}
	q := scim.Query{Type: b.user, StartIndex: 1, Count: 1000, NoTotal: true}
	for {
		page, err := b.store.List(ctx, q)
		if err != nil {
			return n, err
		}
		for _, r := range page.Resources {
			if err := schema.Load(r); err != nil {
				return n, err
			}
			name, _ := r.Attrs.Get("userName").(string)
			if at, ok := b.p.number(name); ok {
				b.ids[at] = r.ID
				n++
			}
		}
		if page.Last == nil {
			return n, nil
		}
		q.After = page.Last
	}
}

// decode makes a resource of a user's body.
func (b *builder) decode(body []byte) (*scim.Resource, error) {
	doc, err := scim.ParseObject(body, 0, 0)
	if err != nil {
		return nil, err
	}
	r, named, err := schema.Decode(b.user, doc, schema.Options{})
	if err != nil {
		return nil, err
	}
	schema.Defaults(r, named)
	schema.Encode(r)
	return r, nil
}

// put stores a resource and notes its id in it.
func put(ctx context.Context, in scim.Backend, r *scim.Resource) error {
	made, err := in.Create(ctx, r)
	if err == nil {
		r.ID = made.ID
	}
	return err
}

// people stores some people in one transaction.
func (b *builder) people(ctx context.Context, numbers []int) error {
	list := make([]*scim.Resource, len(numbers))
	for i, n := range numbers {
		var err error
		if list[i], err = b.decode(b.bodies.person("", n, false, 0)); err != nil {
			return err
		}
	}
	err := b.store.Batch(ctx, func(in scim.Backend) error {
		for _, r := range list {
			if err := put(ctx, in, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		for i, n := range numbers {
			b.ids[n] = list[i].ID
		}
	}
	return err
}

// members returns the members from…to of a group.
func (b *builder) members(g group, from, to int) []scim.MemberRef {
	refs := make([]scim.MemberRef, 0, to-from)
	for k := from; k < to; k++ {
		refs = append(refs, scim.MemberRef{ID: b.ids[g.member(k)]})
	}
	return refs
}

// resource makes a group with some of its first members.
func (b *builder) resource(g group, members int) *scim.Resource {
	r := &scim.Resource{Type: b.group, Schemas: []string{groupURN}}
	r.Attrs.Set("displayName", g.name)
	if members > 0 {
		r.Attrs.Set("members", b.members(g, 0, members))
	}
	schema.Encode(r)
	return r
}

// others stores some of the groups of GroupSize in one transaction.
func (b *builder) others(ctx context.Context, from, to int, resumed bool) error {
	return b.store.Batch(ctx, func(in scim.Backend) error {
		for i := from; i < to; i++ {
			g := b.p.other(i)
			if resumed {
				if id, err := b.find(ctx, in, b.group, "displayName", g.name); err != nil {
					return err
				} else if id != "" {
					continue
				}
			}
			if err := put(ctx, in, b.resource(g, g.size)); err != nil {
				return err
			}
		}
		return nil
	})
}

// large stores a large group, part by part.
func (b *builder) large(ctx context.Context, g group) error {
	id, err := b.find(ctx, b.store, b.group, "displayName", g.name)
	if err != nil {
		return err
	}
	if id == "" {
		r := b.resource(g, 0)
		if err := b.store.Batch(ctx, func(in scim.Backend) error { return put(ctx, in, r) }); err != nil {
			return err
		}
		id = r.ID
	}
	a := b.group.Membership()
	empty := &scim.Resource{Type: b.group, ID: id}
	for from := 0; from < g.size; from += buildMembers {
		var added []any
		for _, m := range b.members(g, from, min(from+buildMembers, g.size)) {
			added = append(added, m)
		}
		b.o.progress.show("a group of %d: %d", g.size, from)
		c := scim.Change{Before: empty, After: empty, Deltas: []scim.Delta{{Path: scim.AttrPath{Name: a.Name, Attr: a}, Added: added}}}
		if _, err := b.store.UpdateMembers(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// inParts calls do for the parts of 0…n, with several workers.
func (b *builder) inParts(ctx context.Context, what string, n, part int, do func(ctx context.Context, from, to int) error) error {
	return inParts(ctx, b.o.Fillers, n, part, do, func(done int64) { b.o.progress.show("%d of %d %s", done, n, what) })
}

// inParts calls do for the parts of 0…n, with several workers, and done with
// how much that was in all. The first error ends it.
func inParts(ctx context.Context, workers, n, part int, do func(ctx context.Context, from, to int) error, done func(int64)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next, all atomic.Int64
	var wg sync.WaitGroup
	for range min(workers, (n+part-1)/part) {
		wg.Go(func() {
			for ctx.Err() == nil {
				from := int(next.Add(int64(part))) - part
				if from >= n {
					return
				}
				to := min(from+part, n)
				if err := do(ctx, from, to); err != nil {
					cancel(err)
					return
				}
				done(all.Add(int64(to - from)))
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}
