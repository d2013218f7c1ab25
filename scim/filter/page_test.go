package filter_test

import (
	"cmp"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

// SRT-003, SRT-006, SRT-007: what a resource is sorted by.
func TestSortKey(t *testing.T) {
	t.Parallel()
	rt := widget()
	long := strings.Repeat("x", 255) + "éz"
	values := func(list ...scim.Object) scim.Object {
		var v []any
		for _, o := range list {
			v = append(v, o)
		}
		return scim.Object{{Name: "valued", Value: v}}
	}
	value := func(s string, primary any) scim.Object {
		o := scim.Object{{Name: "value", Value: s}}
		o.Set("primary", primary)
		return o
	}
	for _, c := range []struct {
		by    string
		attrs scim.Object
		want  scim.Key
		ok    bool
	}{
		{"str", scim.Object{{Name: "str", Value: "ÀB"}}, scim.Key{Text: "àb"}, true},
		{"str", scim.Object{{Name: "str", Value: ""}}, scim.Key{}, true},
		{"str", nil, scim.Key{}, false},
		{"str", scim.Object{{Name: "str", Value: long}}, scim.Key{Text: long[:255]}, true},
		{"exact", scim.Object{{Name: "exact", Value: "Ab"}}, scim.Key{Text: "Ab"}, true},
		{"bool", scim.Object{{Name: "bool", Value: true}}, scim.Key{Text: "true", Num: int64(1)}, true},
		{"int", scim.Object{{Name: "int", Value: int64(7)}}, scim.Key{Text: "7", Num: int64(7)}, true},
		{"dec", scim.Object{{Name: "dec", Value: 0.5}}, scim.Key{Text: "0.5", Num: 0.5}, true},
		{"tags", scim.Object{{Name: "tags", Value: []any{"B", "a"}}}, scim.Key{Text: "b"}, true},
		{"valued", values(value("a", nil), value("b", true)), scim.Key{Text: "b"}, true},
		{"valued", values(value("b", false), value("a", nil)), scim.Key{Text: "b"}, true},
		{"valued", values(scim.Object{{Name: "primary", Value: true}}, value("a", nil)), scim.Key{Text: "a"}, true},
		{"valued.primary", values(value("a", nil)), scim.Key{Text: "false", Num: int64(0)}, true},
		{"valued.type", values(value("a", nil)), scim.Key{}, false},
		{"externalId", nil, scim.Key{}, false},
		{"id", nil, scim.Key{Text: "w"}, true},
		{"meta.created", nil, scim.Key{Text: "2026-01-31T12:00:00.000Z", Num: int64(1769860800000000)}, true},
	} {
		by, err := filter.BindSort(rt, c.by)
		if err != nil {
			t.Fatal(err)
		}
		r := &scim.Resource{Type: rt, ID: "w", Attrs: c.attrs, Meta: scim.Meta{Created: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)}}
		got, ok := filter.SortKey(r, by)
		if got != c.want || ok != c.ok {
			t.Errorf("%s of %v: got %v, %v", c.by, c.attrs, got, ok)
		}
	}
}

// sequence yields resources numbered by tens.
func sequence(list []*scim.Resource) iter.Seq2[int64, *scim.Resource] {
	return func(yield func(int64, *scim.Resource) bool) {
		for i, r := range list {
			if !yield(int64(10*i), r) {
				return
			}
		}
	}
}

// TestPage compares pages, by index and by keyset, with the whole list sorted
// the plain way (SRT-005, SRT-009…SRT-011, PAG-001…PAG-011, CUR-002, CUR-003).
func TestPage(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	g := rand.New(rand.NewPCG(seed, 2))
	rt := widget()
	for round := range 300 {
		var list []*scim.Resource
		for i := range g.IntN(25) {
			r := &scim.Resource{Type: rt, ID: fmt.Sprint(i)}
			if g.IntN(4) > 0 {
				r.Attrs.Set("str", string(rune('a'+g.IntN(4))))
			}
			if g.IntN(4) > 0 {
				r.Attrs.Set("int", int64(g.IntN(5)-2))
			}
			if g.IntN(4) > 0 {
				r.Attrs.Set("dec", float64(g.IntN(5))-2.5)
			}
			list = append(list, r)
		}
		q := scim.Query{Type: rt, Descending: g.IntN(2) == 0}
		by := []string{"", "str", "int", "dec"}[g.IntN(4)]
		var err error
		if by != "" {
			if q.SortBy, err = filter.BindSort(rt, by); err != nil {
				t.Fatal(err)
			}
		}
		if g.IntN(2) == 0 {
			q.Filter = bind(t, rt, `str ne "a"`)
		}
		want := plain(list, q)
		fail := func(what string, got []string) {
			t.Helper()
			t.Fatalf("seed %d, round %d: by %q, descending %v: %s: got %v of %v", seed, round, by, q.Descending, what, got, want)
		}

		start, count := g.IntN(len(list)+3)-1, g.IntN(8)
		q.StartIndex, q.Count = start, count
		p := filter.Page(sequence(list), q)
		from := min(max(start-1, 0), len(want))
		to := min(from+count, len(want))
		if !slices.Equal(ids(p), want[from:to]) || p.Total != len(want) || (p.Last != nil) != (to < len(want) && to > from) {
			fail(fmt.Sprintf("from %d, %d: total %d, last %v", start, count, p.Total, p.Last), ids(p))
		}

		q.StartIndex, q.Count, q.NoTotal = 1, 1+g.IntN(6), true
		var all []string
		for {
			p := filter.Page(sequence(list), q)
			if len(p.Resources) > q.Count || len(p.Resources) == 0 && q.After != nil {
				fail("a page too long, or empty", ids(p))
			}
			all = append(all, ids(p)...)
			if p.Last == nil {
				break
			}
			q.After = p.Last
		}
		if !slices.Equal(all, want) {
			fail("by keyset", all)
		}
	}
}

func ids(p *scim.Page) []string {
	list := []string{}
	for _, r := range p.Resources {
		list = append(list, r.ID)
	}
	return list
}

// plain sorts the whole list by the words of RFC 7644 §3.4.2.3.
func plain(list []*scim.Resource, q scim.Query) []string {
	var matching []*scim.Resource
	for _, r := range list {
		if s, _ := r.Attrs.Get("str").(string); q.Filter == nil || s != "a" {
			matching = append(matching, r)
		}
	}
	if q.SortBy != nil {
		slices.SortStableFunc(matching, func(a, b *scim.Resource) int {
			x, y := a.Attrs.Get(q.SortBy.Name), b.Attrs.Get(q.SortBy.Name)
			switch {
			case x == nil && y == nil:
				return 0
			case x == nil:
				return 1
			case y == nil:
				return -1
			}
			switch x := x.(type) {
			case string:
				return cmp.Compare(x, y.(string))
			case int64:
				return cmp.Compare(x, y.(int64))
			}
			return cmp.Compare(x.(float64), y.(float64))
		})
		if q.Descending {
			slices.Reverse(matching)
		}
	}
	out := []string{}
	for _, r := range matching {
		out = append(out, r.ID)
	}
	return out
}

// Sorting holds no more than the page's end needs, and NoTotal without sorting
// reads no further than the page and one more.
func TestPageReadsLittle(t *testing.T) {
	t.Parallel()
	rt := widget()
	read := 0
	var all iter.Seq2[int64, *scim.Resource] = func(yield func(int64, *scim.Resource) bool) {
		for i := range int64(1000) {
			read++
			if !yield(i, &scim.Resource{Type: rt, ID: fmt.Sprint(i)}) {
				return
			}
		}
	}
	p := filter.Page(all, scim.Query{Type: rt, StartIndex: 3, Count: 5, NoTotal: true})
	if got := ids(p); !slices.Equal(got, []string{"2", "3", "4", "5", "6"}) || read != 8 || p.Last == nil || p.Last.Seq != 6 {
		t.Errorf("got %v, last %v after reading %d", got, p.Last, read)
	}
	if p := filter.Page(all, scim.Query{Type: rt, Count: 0}); p.Total != 1000 || len(p.Resources) != 0 || p.Last != nil {
		t.Errorf("count 0: %+v", p)
	}
}
