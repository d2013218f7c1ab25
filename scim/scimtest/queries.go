package scimtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// reference returns a tenant of package memory, which says what is right. It
// does not use UpdateMembers.
func (s *suite) reference(t *testing.T) *tenant {
	plain := *s
	plain.whole = true
	return plain.tenant(t, new(memory.Store))
}

// testRandomQueries asks the backend and the reference the same random
// questions about the same random resources.
func testRandomQueries(t *testing.T, s *suite) {
	populations, questions := 4, 400
	if s.Short {
		populations, questions = 1, 250
	}
	for i := range populations {
		seed := s.seed + uint64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			g := newGenerator(seed)
			d := &duel{got: s.one(t), want: s.reference(t)}
			types := d.populate(g)
			for range questions {
				typ := pickOne(g, types)
				d.ask(g, typ)
				if t.Failed() {
					t.Logf("Harness{Seed: %d} repeats this", seed)
					return
				}
			}
		})
	}
}

// duel is the backend under test and the reference, with the same resources.
type duel struct {
	got, want *tenant
	documents map[string]string // by name, for messages
}

func (d *duel) both(f func(c *tenant)) {
	f(d.got)
	f(d.want)
}

// populate creates users, groups and widgets, and changes and deletes some.
func (d *duel) populate(g *generator) []*scim.ResourceType {
	d.documents = map[string]string{}
	types := []*scim.ResourceType{d.got.user, d.got.group}
	if d.got.Lacks.stores(d.got.widget) == "" {
		types = append(types, d.got.widget)
	}
	for i := range 75 {
		typ := types[i%len(types)]
		name := fmt.Sprintf("%s%d", strings.ToLower(typ.Name[:1]), i)
		text := g.document(typ, name)
		if typ == d.got.group {
			text = d.group(g, name)
		}
		d.documents[name] = text
		d.both(func(c *tenant) { c.called(name, c.create(typ, "%s", c.resolve(text))) })
		g.names = append(g.names, name)
	}
	for range 15 {
		name := pickOne(g, g.names)
		typ := types[slices.Index([]string{"u", "g", "w"}, name[:1])]
		if g.chance(1, 3) {
			d.both(func(c *tenant) {
				c.must(c.b.Delete(c.Context(), scim.Ref{Type: typ, ID: c.names[name]}, ""), "delete")
			})
			g.names = slices.DeleteFunc(g.names, func(n string) bool { return n == name })
			delete(d.documents, name)
			continue
		}
		text := g.document(typ, name)
		if typ == d.got.group {
			text = d.group(g, name)
		}
		d.documents[name] = text
		d.both(func(c *tenant) {
			before := c.get(&scim.Resource{Type: typ, ID: c.names[name]})
			want := c.decode(typ, c.resolve(text))
			if len(c.change(before, want).Deltas) > 0 {
				c.replace(before, "%s", c.resolve(text))
			}
		})
	}
	return types
}

// group returns the JSON of a group with random members that exist.
func (d *duel) group(g *generator, name string) string {
	var members []string
	for range g.IntN(6) {
		if m := pickOne(g, append([]string{name}, g.names...)); m != name && m[0] != 'w' && !(m[0] == 'g' && d.got.Lacks.Nesting) {
			members = append(members, fmt.Sprintf(`{"value":"{%s}"}`, m))
		}
	}
	return fmt.Sprintf(`{"displayName":%s,"externalId":%q,"members":[%s]}`,
		scim.AppendString(nil, pickOne(g, words[:5])+name), name, strings.Join(members, ","))
}

// question is one list request, its filter not yet bound.
type question struct {
	typ        *scim.ResourceType
	filter     scim.Filter
	sortBy     string
	descending bool
	start      int
	count      int
	keyset     bool
}

// String returns the question as it would be asked.
func (q question) String() string {
	f := "none"
	if q.filter != nil {
		f = q.filter.String()
	}
	return fmt.Sprintf("%s: filter %s\nsortBy %q descending %v startIndex %d count %d by keyset %v", q.typ.Name, f, q.sortBy, q.descending, q.start, q.count, q.keyset)
}

func (d *duel) ask(g *generator, typ *scim.ResourceType) {
	d.got.Helper()
	q := question{typ: typ, start: 1, count: everything}
	if g.chance(9, 10) {
		about := typ
		if g.chance(1, 8) {
			about = pickOne(g, []*scim.ResourceType{d.got.user, d.got.group, d.got.widget}) // as a search of all types asks
		}
		text := g.filter(about, 2)
		f, err := filter.Parse(text, filter.Options{})
		if err != nil {
			d.got.Fatalf("the suite's own filter %s: %v", text, err)
		}
		if d.got.Lacks.filter(text) {
			return
		}
		q.filter = f
	}
	if g.chance(1, 2) && !d.got.Lacks.Sorting {
		q.sortBy, q.descending = g.sortBy(typ), g.chance(1, 2)
	}
	if g.chance(1, 3) {
		q.start, q.count = 1+g.IntN(30), 1+g.IntN(10)
		q.keyset = g.chance(1, 2) && !d.got.Lacks.Keysets
	}
	if d.agree(q) {
		return
	}
	q = d.smallest(q)
	got, want := d.got.answer(q), d.want.answer(q)
	d.got.broken("the answer to a Query is that of package memory", "%s\nfinds %s\nwant  %s\n%s", q, got, want, d.difference(got, want))
}

func (d *duel) agree(q question) bool { return d.got.answer(q) == d.want.answer(q) }

// answer returns the names that a question finds and the total.
func (c *tenant) answer(q question) string {
	text := ""
	if q.filter != nil {
		text = q.filter.String()
	}
	query := c.sorted(c.queryWith(q.typ, text, filter.Options{UnknownAbsent: true}), q.sortBy, q.descending)
	query.StartIndex, query.Count = q.start, q.count
	if c.Lacks.Order {
		query.StartIndex, query.Count = 1, everything
	} else if q.keyset {
		return c.byKeyset(query)
	}
	p, err := c.b.List(c.Context(), query)
	if err != nil {
		return "error: " + err.Error()
	}
	if !c.Lacks.Order {
		return fmt.Sprintf("%s of %d", c.found(p), p.Total)
	}
	answer := fmt.Sprintf("%s of %d", c.ordered(c.found(p)), p.Total)
	for _, r := range p.Resources { // ties aside, the order is everybody's
		if query.SortBy == nil {
			break
		}
		key, ok := filter.SortKey(c.load(r), query.SortBy)
		answer += fmt.Sprintf(" %q%v", key.Text, ok)
	}
	return answer
}

// smallest returns the least question of which the answers still differ.
func (d *duel) smallest(q question) question {
	for {
		smaller := q
		smaller.start, smaller.count, smaller.keyset = 1, everything, false
		if smaller != q && !d.agree(smaller) {
			q = smaller
			continue
		}
		smaller = q
		smaller.sortBy, smaller.descending = "", false
		if smaller != q && !d.agree(smaller) {
			q = smaller
			continue
		}
		i := slices.IndexFunc(parts(q.filter), func(f scim.Filter) bool {
			smaller = q
			smaller.filter = f
			return !d.agree(smaller)
		})
		if i < 0 {
			return q
		}
		q = smaller
	}
}

// parts returns filters that are like f, but simpler.
func parts(f scim.Filter) []scim.Filter {
	switch f := f.(type) {
	case *scim.AttrExp:
		return []scim.Filter{nil}
	case *scim.LogExp:
		list := []scim.Filter{f.Left, f.Right}
		for _, l := range parts(f.Left) {
			if l != nil {
				list = append(list, &scim.LogExp{Op: f.Op, Left: l, Right: f.Right})
			}
		}
		for _, r := range parts(f.Right) {
			if r != nil {
				list = append(list, &scim.LogExp{Op: f.Op, Left: f.Left, Right: r})
			}
		}
		return list
	case *scim.NotExp:
		list := []scim.Filter{f.Filter}
		for _, p := range parts(f.Filter) {
			if p != nil {
				list = append(list, &scim.NotExp{Filter: p})
			}
		}
		return list
	case *scim.ValuePath:
		var list []scim.Filter
		for _, p := range parts(f.Filter) {
			if p != nil {
				list = append(list, &scim.ValuePath{Path: f.Path, Filter: p})
			}
		}
		return list
	}
	return nil
}

// difference returns the documents of the resources that only one answer has.
func (d *duel) difference(got, want string) string {
	var b strings.Builder
	x, y := strings.Fields(got), strings.Fields(want)
	for _, name := range sortedKeys(d.documents) {
		if slices.Contains(x, name) != slices.Contains(y, name) {
			fmt.Fprintf(&b, "%s is %.2000s\n", name, d.documents[name])
		}
	}
	return b.String()
}
