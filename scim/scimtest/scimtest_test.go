package scimtest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/scimtest"
)

// modest is a backend that refuses some things.
type modest struct{ scim.Backend }

func (m modest) Create(ctx context.Context, r *scim.Resource) (*scim.Resource, error) {
	if r.Type.Name == "Widget" {
		return nil, &scim.Error{Status: 501}
	}
	if err := m.flat(ctx, r); err != nil {
		return nil, err
	}
	return m.Backend.Create(ctx, r)
}

func (m modest) Update(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	if err := m.flat(ctx, c.After); err != nil {
		return nil, err
	}
	return m.Backend.Update(ctx, c)
}

// flat refuses groups as members.
func (m modest) flat(ctx context.Context, r *scim.Resource) error {
	members, _ := r.Attrs.Get("members").([]scim.MemberRef)
	for _, ref := range members {
		if _, err := m.Get(ctx, scim.Ref{Type: r.Type, ID: ref.ID}, scim.Selection{}); err == nil {
			return scim.Errorf(scim.TypeInvalidValue, "groups do not nest")
		}
	}
	return nil
}

func (m modest) List(ctx context.Context, q scim.Query) (*scim.Page, error) {
	var refused *scim.Error
	scim.Walk(q.Filter, func(f scim.Filter) {
		if e, ok := f.(*scim.AttrExp); ok && (e.Op == scim.Co || e.Path.Name == "emails" || e.Path.Name == "groups") {
			refused = scim.Errorf(scim.TypeInvalidFilter, "not this one")
		}
	})
	switch {
	case refused != nil:
		return nil, refused
	case q.SortBy != nil, q.Type.Name == "Widget":
		return nil, &scim.Error{Status: 501}
	case q.After != nil:
		return nil, scim.Errorf(scim.TypeInvalidCursor, "by index only")
	}
	p, err := m.Backend.List(ctx, q)
	if err == nil {
		p.Last = nil
	}
	return p, err
}

// TestLacks runs the suite over a backend that lacks much, and says so.
func TestLacks(t *testing.T) {
	t.Parallel()
	scimtest.Run(t, scimtest.Harness{
		Open: func(*testing.T) (a, b scim.Backend) { return modest{new(memory.Store)}, modest{new(memory.Store)} },
		Lacks: scimtest.Lacks{Types: []string{"Widget"}, Paths: []string{"emails", "groups"}, Operators: []scim.CompareOp{scim.Co},
			Sorting: true, Keysets: true, Nesting: true},
		Short: true,
	})
}

// mutant is a backend with one fault, the case of the suite that must notice
// it, and words of the rule that it must name.
type mutant struct {
	name, notice, rule string
	open               func() (a, b scim.Backend)
	h                  scimtest.Harness // what else it declares
}

func one(wrap func(*memory.Store) scim.Backend) func() (a, b scim.Backend) {
	return func() (a, b scim.Backend) { return wrap(new(memory.Store)), wrap(new(memory.Store)) }
}

var mutants = []mutant{
	{"no fault", "Identity", "", one(func(s *memory.Store) scim.Backend { return s }), scimtest.Harness{}},
	{"one tenant for all", "Isolation/Tenants", "nothing of another tenant", func() (a, b scim.Backend) {
		s := new(memory.Store)
		return s, s
	}, scimtest.Harness{}},
	{"versions stand still", "Identity/Update", "version changes", one(func(s *memory.Store) scim.Backend { return frozen{s} }), scimtest.Harness{}},
	{"lost updates", "Concurrency/Update", "exactly one succeeds", one(func(s *memory.Store) scim.Backend { return forgiving{s} }), scimtest.Harness{}},
	{"filters ignored", "Filters", "finds all that match and nothing else", one(func(s *memory.Store) scim.Backend { return superset{s} }), scimtest.Harness{}},
	{"total of the page", "Lists/Pages", "Total counts", one(func(s *memory.Store) scim.Backend { return short{s} }), scimtest.Harness{}},
	{"keysets ignored", "Lists/Pages", "by keyset", one(func(s *memory.Store) scim.Backend { return dizzy{s} }), scimtest.Harness{}},
	{"no groups", "Membership/Derived", "direct ones first", one(func(s *memory.Store) scim.Backend { return lonely{s} }), scimtest.Harness{}},
	{"context ignored", "Context", "once ctx is done", one(func(s *memory.Store) scim.Backend { return deaf{s} }), scimtest.Harness{}},
	{"a goroutine left", "Context", "no goroutine", one(func(s *memory.Store) scim.Backend { return leaky{s} }), scimtest.Harness{}},
	{"batch that only looks it", "Batch", "nothing happened", one(func(s *memory.Store) scim.Backend { return eager{s} }), scimtest.Harness{}},
	{"members compared with a version", "Concurrency/Members", "never fails for a version", one(func(s *memory.Store) scim.Backend { return jealous{s} }), scimtest.Harness{}},
	{"a second truth", "Random/Histories", "holds what package memory holds", one(func(s *memory.Store) scim.Backend { return forgetful{s} }), scimtest.Harness{}},
	{"gt that is ge", "Random/Queries", "is that of package memory", one(func(s *memory.Store) scim.Backend { return sloppy{s} }), scimtest.Harness{}},
	{"a façade", "RoundTrip/Values", "", many(func(f *facade) {}), narrow},
	{"versions nobody can use", "Identity/Create", "lacks versions has none", many(func(f *facade) { f.versions = true }), narrow},
	{"a name that is lost", "RoundTrip/Values", "Update stores every value", many(func(f *facade) { f.forget = "displayName" }), narrow},
	{"a name that is lost at once", "Identity/Update", "Update stores After", many(func(f *facade) { f.forget = "displayName" }), narrow},
	{"nothing is primary", "Filters", "finds all that match and nothing else", many(func(f *facade) { f.bare = true }), narrow},
	{"writes that are only answered", "Concurrency/Update", "one of them is the last", many(func(f *facade) { f.answers = true }), narrow},
	{"a façade that ignores filters", "Filters", "finds all that match and nothing else", many(func(f *facade) { f.superset = true }), narrow},
	{"a façade with a second truth", "Random/Histories", "holds what package memory holds", many(func(f *facade) { f.keeps = true }), narrow},
}

type frozen struct{ *memory.Store }

func (b frozen) Update(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	r, err := b.Store.Update(ctx, c)
	if err == nil {
		r.Meta.Version = c.Before.Meta.Version
	}
	return r, err
}

type forgiving struct{ *memory.Store }

func (b forgiving) Update(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	before := *c.Before
	now, err := b.Get(ctx, before.Ref(), scim.Selection{})
	if err != nil {
		return nil, err
	}
	before.Meta, c.Before = now.Meta, &before
	return b.Store.Update(ctx, c)
}

type superset struct{ *memory.Store }

func (b superset) List(ctx context.Context, q scim.Query) (*scim.Page, error) {
	q.Filter = nil
	return b.Store.List(ctx, q)
}

type short struct{ *memory.Store }

func (b short) List(ctx context.Context, q scim.Query) (*scim.Page, error) {
	p, err := b.Store.List(ctx, q)
	if err == nil {
		p.Total = len(p.Resources)
	}
	return p, err
}

type dizzy struct{ *memory.Store }

func (b dizzy) List(ctx context.Context, q scim.Query) (*scim.Page, error) {
	if q.After != nil && q.SortBy != nil {
		after := *q.After
		after.Seq = 0
		q.After = &after
	}
	p, err := b.Store.List(ctx, q)
	if err == nil && q.After != nil && q.SortBy != nil && len(p.Resources) > 0 {
		p.Last = nil
	}
	return p, err
}

type lonely struct{ *memory.Store }

func (b lonely) Get(ctx context.Context, ref scim.Ref, sel scim.Selection) (*scim.Resource, error) {
	r, err := b.Store.Get(ctx, ref, sel)
	if err == nil {
		r.Groups = nil
	}
	return r, err
}

type deaf struct{ *memory.Store }

func (b deaf) Delete(ctx context.Context, ref scim.Ref, version string) error {
	return b.Store.Delete(context.WithoutCancel(ctx), ref, version)
}

type leaky struct{ *memory.Store }

func (b leaky) Get(ctx context.Context, ref scim.Ref, sel scim.Selection) (*scim.Resource, error) {
	go func() { select {} }()
	return b.Store.Get(ctx, ref, sel)
}

type eager struct{ *memory.Store }

func (b eager) Batch(ctx context.Context, f func(scim.Backend) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return f(b.Store)
}

type jealous struct{ *memory.Store }

func (b jealous) UpdateMembers(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	c.IfVersion = c.Before.Meta.Version
	return b.Store.UpdateMembers(ctx, c)
}

type forgetful struct{ *memory.Store }

func (b forgetful) UpdateMembers(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	for i := range c.Deltas {
		c.Deltas[i].Reset = false
	}
	return b.Store.UpdateMembers(ctx, c)
}

type sloppy struct{ *memory.Store }

func (b sloppy) List(ctx context.Context, q scim.Query) (*scim.Page, error) {
	scim.Walk(q.Filter, func(f scim.Filter) {
		if e, ok := f.(*scim.AttrExp); ok && e.Op == scim.Gt {
			e.Op = scim.Ge
		}
	})
	return b.Store.List(ctx, q)
}

const mutantVariable = "SCIMTEST_MUTANT"

// TestMutant runs the suite over the mutant that the environment names.
// TestMutants calls it in a process of its own, where it may fail.
func TestMutant(t *testing.T) {
	for _, m := range mutants {
		if m.name == os.Getenv(mutantVariable) {
			m.h.Seed, m.h.Short, m.h.Open = 1, true, func(*testing.T) (a, b scim.Backend) { return m.open() }
			scimtest.Run(t, m.h)
		}
	}
}

// TestMutants shows that the suite finds faults, and says which rule is broken.
func TestMutants(t *testing.T) {
	t.Parallel()
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMutant$/^"+strings.ReplaceAll(m.notice, "/", "$/^")+"$")
			cmd.Env = append(os.Environ(), mutantVariable+"="+m.name)
			out, err := cmd.CombinedOutput()
			switch {
			case m.rule == "" && err != nil:
				t.Errorf("%s fails without a fault: %v\n%s", m.notice, err, out)
			case m.rule != "" && err == nil:
				t.Errorf("%s does not notice", m.notice)
			case m.rule != "" && !strings.Contains(string(out), m.rule):
				t.Errorf("%s does not say that the rule with %q is broken:\n%s", m.notice, m.rule, out)
			}
		})
	}
}
