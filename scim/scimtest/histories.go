package scimtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
)

// testRandomHistories lets the backend and the reference live through the same
// random writes, and compares after each what they answer, what they hold and
// what they have logged.
func testRandomHistories(t *testing.T, s *suite) {
	lives, steps := 4, 120
	if s.Short {
		lives, steps = 1, 60
	}
	for i := range lives {
		seed := s.seed + uint64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			h := &history{duel: duel{got: s.one(t), want: s.reference(t)}, g: newGenerator(seed), kind: map[string]*scim.ResourceType{}}
			for range steps {
				h.step()
				if t.Failed() {
					t.Logf("Harness{Seed: %d} repeats this; the last steps were\n%s", seed, strings.Join(h.told[max(0, len(h.told)-12):], "\n"))
					return
				}
			}
		})
	}
}

type history struct {
	duel
	g    *generator
	kind map[string]*scim.ResourceType // the resources there are, by name
	told []string
	made int

	versions [2]map[string]string // by name, of the two stores
	logged   [2]int64
}

// try carries out one write on both stores, and compares how it ends.
func (h *history) try(what string, f func(c *tenant) error) bool {
	h.got.Helper()
	h.told = append(h.told, what)
	got, want := f(h.got), f(h.want)
	if outcome(got) != outcome(want) {
		h.got.broken("a write ends as in package memory", "%s\ngot  %v\nwant %v", what, got, want)
	}
	return want == nil
}

// outcome returns what a client would be told of an error, without its text.
func outcome(err error) string {
	var e *scim.Error
	if errors.As(err, &e) {
		return fmt.Sprintf("%d %s", e.Status, e.Type)
	}
	return fmt.Sprint(err)
}

func (h *history) step() {
	h.got.Helper()
	h.g.names = sortedKeys(h.kind)
	switch k := h.g.IntN(10); {
	case k < 3 || len(h.kind) < 6:
		h.create()
	case k < 5:
		h.replace()
	case k < 8:
		h.rejoin()
	default:
		h.delete()
	}
	h.compare()
}

func (h *history) create() {
	h.made++
	types := []*scim.ResourceType{h.got.user, h.got.group, h.got.widget}
	typ := types[h.g.IntN(len(types))]
	if h.got.Lacks.stores(typ) != "" {
		typ = h.got.user
	}
	name := fmt.Sprintf("%s%d", strings.ToLower(typ.Name[:1]), h.made)
	unique := name
	if h.g.chance(1, 8) && len(h.kind) > 0 {
		unique = strings.ToUpper(pickOne(h.g, h.g.names)) // perhaps taken
	}
	text := h.document(typ, unique)
	if h.try("create "+name+" "+text, func(c *tenant) error {
		r, err := c.tryCreate(typ, c.resolve(text))
		if err == nil {
			c.called(name, r)
		}
		return err
	}) {
		h.kind[name] = typ
	}
}

func (h *history) document(typ *scim.ResourceType, unique string) string {
	if typ == h.got.group {
		return h.group(h.g, unique)
	}
	return h.g.document(typ, unique)
}

func (h *history) replace() {
	name := pickOne(h.g, h.g.names)
	typ := h.kind[name]
	text := h.document(typ, name)
	h.try("replace "+name+" "+text, func(c *tenant) error {
		before := c.get(&scim.Resource{Type: typ, ID: c.names[name]})
		want := c.decode(typ, c.resolve(text))
		if len(c.change(before, want).Deltas) == 0 {
			return nil
		}
		_, err := c.tryReplace(before, c.resolve(text))
		return err
	})
}

// rejoin changes members by Deltas that may name members already there, or
// not there: where the backend has UpdateMembers it gets them as they are.
func (h *history) rejoin() {
	groups := slices.DeleteFunc(slices.Clone(h.g.names), func(n string) bool { return h.kind[n] != h.got.group })
	if len(groups) == 0 {
		return
	}
	name := pickOne(h.g, groups)
	pool := slices.DeleteFunc(slices.Clone(h.g.names), func(n string) bool {
		return h.kind[n] == h.got.widget && h.g.chance(9, 10) || h.kind[n] == h.got.group && h.got.Lacks.Nesting
	})
	if h.g.chance(1, 12) {
		pool = append(pool, "nobody")
	}
	h.g.Shuffle(len(pool), func(i, j int) { pool[i], pool[j] = pool[j], pool[i] })
	cut := h.g.IntN(min(len(pool), 4) + 1)
	add, remove := pool[:cut], pool[cut:min(len(pool), cut+h.g.IntN(4))]
	reset := h.g.chance(1, 6)
	if reset {
		remove = nil
	}
	rename := ""
	if h.g.chance(1, 4) {
		rename = fmt.Sprintf("renamed%d%s", h.made, name)
	}
	h.try(fmt.Sprintf("members of %s: +%v -%v reset %v rename %q", name, add, remove, reset, rename), func(c *tenant) error {
		refs := func(names []string) (list []*scim.Resource) {
			for _, n := range names {
				list = append(list, &scim.Resource{ID: c.names[n]})
			}
			return list
		}
		before := c.get(&scim.Resource{Type: c.group, ID: c.names[name]})
		if m := c.updater(); m != nil {
			ch := c.memberChange(before, "", reset, refs(add), refs(remove))
			if rename != "" {
				after := copyOf(ch.Before)
				after.Attrs.Set("displayName", rename)
				doc := membersApart(c.change(ch.Before, after))
				ch.After, ch.Deltas = doc.After, append(doc.Deltas, ch.Deltas...)
			}
			_, err := m.UpdateMembers(c.Context(), ch)
			return err
		}
		after := rejoined(before, nil, refs(remove))
		if reset {
			after.Attrs.Set("members", nil)
		}
		after = rejoined(after, refs(add), refs(add))
		if rename != "" {
			after.Attrs.Set("displayName", rename)
		}
		ch := c.change(before, after)
		if len(ch.Deltas) == 0 {
			return nil
		}
		_, err := c.b.Update(c.Context(), ch)
		return err
	})
}

func (h *history) delete() {
	name := pickOne(h.g, h.g.names)
	typ := h.kind[name]
	version := pickOne(h.g, []string{"", "current", "another"})
	if h.try("delete "+name+", version "+version, func(c *tenant) error {
		r := c.get(&scim.Resource{Type: typ, ID: c.names[name]})
		if c.Lacks.Versions {
			return c.b.Delete(c.Context(), r.Ref(), "")
		}
		return c.b.Delete(c.Context(), r.Ref(), map[string]string{"current": r.Meta.Version, "another": "another"}[version])
	}) {
		delete(h.kind, name)
	}
}

// compare looks at everything the stores hold.
func (h *history) compare() {
	h.got.Helper()
	if h.got.Failed() {
		return
	}
	var states, logs [2]string
	for i, c := range []*tenant{h.got, h.want} {
		versions := map[string]string{}
		var resources []string
		for _, typ := range []*scim.ResourceType{c.user, c.group, c.widget} {
			if c.Lacks.stores(typ) != "" {
				continue
			}
			p := c.list(c.query(typ, ""))
			for _, r := range p.Resources {
				name := c.nameOf()(r.ID)
				versions[name] = r.Meta.Version
				moved := ""
				if old := h.versions[i][name]; old != "" && old != r.Meta.Version && !c.Lacks.Versions {
					moved = " (new version)"
				}
				resources = append(resources, fmt.Sprintf("%s%s: %s\n", name, moved, show(r, c.nameOf())))
				c.sameAs(c.get(r), r, "List returns resources as Get does")
			}
		}
		if c.Lacks.Order {
			slices.Sort(resources)
		}
		h.versions[i], states[i] = versions, strings.Join(resources, "")
		if f, ok := h.got.wide.(scim.ChangeFeed); ok {
			if i == 1 {
				f = c.wide.(scim.ChangeFeed)
			}
			records, err := f.Changes(c.Context(), scim.ChangeQuery{After: h.logged[i]})
			c.must(err, "the change log can be read")
			var lines []string
			for _, r := range records {
				h.logged[i] = r.Seq
				lines = append(lines, showChanges(r, c.nameOf()))
			}
			slices.Sort(lines)
			logs[i] = strings.Join(lines, "\n")
		}
	}
	h.got.same(states[0], states[1], "after each write a backend holds what package memory holds")
	h.got.same(logs[0], logs[1], "after each write a backend has logged what package memory has logged")
}
