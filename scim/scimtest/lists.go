package scimtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
)

// sorts are attributes to sort by, and the widgets of testListOrder in that
// order.
var sorts = []struct{ by, ascending string }{
	{"str", "w2 w0 w3 w1 w4 w5 w6"}, // w1 and w4 differ beyond SortLength
	{"strX", "w0 w3 w2 w1 w4 w5 w6"},
	{"int", "w3 w0 w1 w2 w5 w4 w6"},
	{"dec", "w3 w2 w0 w1 w4 w5 w6"},
	{"bool", "w1 w0 w2 w3 w4 w5 w6"},
	{"dt", "w1 w0 w2 w3 w4 w5 w6"},
	{"items", "w2 w0 w1 w3 w4 w5 w6"},
	{"items.n", "w2 w1 w0 w3 w4 w5 w6"},
	{"tags", "w3 w1 w0 w2 w4 w5 w6"},
	{"cplx.a", "w0 w1 w2 w3 w4 w5 w6"},
	{"urn:x:scimtest:2.0:WidgetExt:level", "w2 w1 w0 w3 w4 w5 w6"},
	{"externalId", "w1 w0 w2 w3 w4 w5 w6"},
	{"meta.created", "w0 w1 w2 w3 w4 w5 w6"},
}

func testListOrder(t *testing.T, s *suite) {
	if why := s.Lacks.stores(s.widget); why != "" {
		t.Skip(why)
	}
	if s.Lacks.Sorting {
		t.Skip("the backend lacks sorting")
	}
	c := s.one(t)
	long := strings.Repeat("l", scim.SortLength)
	for i, text := range []string{
		`"str":"b","strX":"B","int":1,"dec":2.0,"bool":true,"dt":"2026-01-01T00:00:00Z","tags":["m","a"],"cplx":{"a":"x"},"externalId":"a",
			"items":[{"value":"y","n":9},{"value":"b","n":3,"primary":true}]`,
		`"str":"` + long + `b","strX":"b","int":9007199254740992,"dec":1e300,"bool":false,"dt":"2026-01-01T00:30:00+01:00","tags":["B"],"cplx":{"a":"É"},"externalId":"B",
			"items":[{"value":"c","n":2},{"value":"a","n":1}],"urn:x:scimtest:2.0:WidgetExt":{"level":-1}`,
		`"str":"A","strX":"a","int":9007199254740992,"dec":-0.5,"bool":true,"dt":"2026-01-01T00:00:00.000+00:00",
			"items":[{"value":"A","n":-7}],"urn:x:scimtest:2.0:WidgetExt":{"level":-2}`,
		`"str":"B","strX":"B","int":-5,"dec":-1e300,"tags":["a"]`,
		`"str":"` + long + `a"`,
		`"int":9007199254740993`,
		`"items":[{"n":1,"type":"no value"}]`,
	} {
		name := fmt.Sprintf("w%d", i)
		if i == 6 {
			text = `"alw":"nothing to sort by"`
		}
		c.called(name, c.create(c.widget, `{"label":%q,%s}`, name, text))
	}
	for _, o := range sorts {
		q := c.sorted(c.query(c.widget, ""), o.by, false)
		c.same(c.found(c.list(q)), o.ascending, "sortBy "+o.by+": values in the order of Key.Compare, the primary or first of many, absent last, "+
			"ties in order of creation (Query, RFC 7644 §3.4.2.3)")
		q.Descending = true
		names := strings.Fields(o.ascending)
		slices.Reverse(names)
		c.same(c.found(c.list(q)), strings.Join(names, " "), "sortBy "+o.by+": descending, everything is the other way round, absent values and ties too (Query)")
	}
	c.same(c.found(c.list(c.query(c.widget, ""))), "w0 w1 w2 w3 w4 w5 w6", "without SortBy the order is that of creation (Query)")
}

// pageOrders are the orders in which testListPages walks.
var pageOrders = []string{"", "label", "str", "int", "dec", "dt", "bool", "items.value", "tags"}

func testListPages(t *testing.T, s *suite) {
	c := s.one(t)
	typ, n := c.widget, 25
	if s.Lacks.stores(typ) != "" {
		typ = c.user
	}
	for i := range n {
		name := fmt.Sprintf("n%02d", (i*7)%n)
		if typ == c.user {
			c.called(name, c.create(typ, `{"userName":%q,"displayName":%q}`, name, "tie"))
			continue
		}
		value := fmt.Sprintf(`,"str":"s%d","int":%d,"dec":%d.5,"bool":%v,"dt":"2026-01-0%dT00:00:00Z","tags":["t%d"],"items":[{"value":"v%d"}]`,
			i%3, i%4, i%5, i%2 == 0, 1+i%3, i%2, i%3)
		if i%6 == 5 {
			value = "" // nothing to sort by
		}
		c.called(name, c.create(typ, `{"label":%q%s}`, name, value))
	}
	c.create(c.group, `{"displayName":"another type"}`)
	for _, by := range pageOrders {
		if by != "" && (s.Lacks.Sorting || typ == c.user) {
			continue
		}
		for _, descending := range []bool{false, true} {
			q := c.sorted(c.query(typ, ""), by, descending)
			all := c.found(c.list(q))
			if got := len(strings.Fields(all)); got != n {
				c.broken("List without a filter finds every resource of its type", "%d of %d", got, n)
			}
			for _, size := range []int{1, 7, n, 100} {
				q.Count = size
				c.same(c.byIndex(q), all, fmt.Sprintf("pages of %d by index are the whole list, once each (sortBy %q, descending %v)", size, by, descending))
				if !s.Lacks.Keysets {
					c.same(c.byKeyset(q), all, fmt.Sprintf("pages of %d by keyset are the whole list, once each (sortBy %q, descending %v)", size, by, descending))
				}
			}
		}
	}
	q := c.query(typ, "")
	for _, k := range []struct{ start, count, want int }{{1, 0, 0}, {n + 1, 10, 0}, {1 << 30, 10, 0}, {n, 10, 1}, {1, n, n}, {2, n, n - 1}} {
		q.StartIndex, q.Count = k.start, k.count
		p := c.list(q)
		if len(p.Resources) != k.want || p.Total != n {
			c.broken("a page holds at most Count resources from StartIndex on, and Total counts all", "startIndex %d count %d: %d resources of %d, want %d of %d",
				k.start, k.count, len(p.Resources), p.Total, k.want, n)
		}
	}
	q.StartIndex, q.Count, q.NoTotal = 1, 5, true
	if p := c.list(q); len(p.Resources) != 5 {
		c.broken("NoTotal leaves out the total alone", "%d resources, want 5", len(p.Resources))
	}
}

// byIndex walks a list by StartIndex and returns the names of what it finds.
func (c *tenant) byIndex(q scim.Query) string {
	c.Helper()
	var all []string
	for q.StartIndex = 1; ; q.StartIndex += q.Count {
		p := c.list(q)
		if len(p.Resources) == 0 || len(all) > everything {
			return strings.Join(all, " ")
		}
		all = append(all, c.found(p))
		if last := q.StartIndex+q.Count > p.Total; last != (p.Last == nil) && !c.Lacks.Keysets {
			c.broken("Last is nil if no resource follows the page", "startIndex %d count %d of %d: Last is %v", q.StartIndex, q.Count, p.Total, p.Last)
		}
	}
}

// byKeyset walks a list by After and returns the names of what it finds.
func (c *tenant) byKeyset(q scim.Query) string {
	c.Helper()
	var all []string
	total := -1
	for pages := 0; pages < everything; pages++ {
		p := c.list(q)
		if total >= 0 && p.Total != total {
			c.broken("Total is that of all pages, whichever is asked for", "%d after %d", p.Total, total)
		}
		total = p.Total
		if len(p.Resources) > 0 {
			all = append(all, c.found(p))
		}
		if p.Last == nil {
			return strings.Join(all, " ")
		}
		if len(p.Resources) != q.Count {
			c.broken("a page that others follow is full", "%d resources, count %d", len(p.Resources), q.Count)
			break
		}
		at := *p.Last
		q.After = &at
	}
	return strings.Join(all, " ")
}

// testListMoving walks lists while others create and delete.
func testListMoving(t *testing.T, s *suite) {
	if s.Lacks.filter(`userName sw "u"`) || s.Lacks.Keysets {
		t.Skip("the backend lacks keysets or filters on userName")
	}
	c := s.one(t)
	const n = 40
	for i, u := range c.people(n) {
		c.called(fmt.Sprintf("p%02d", i), u)
	}
	all := c.found(c.list(c.query(c.user, `userName sw "u"`)))
	done := make(chan struct{})
	var others sync.WaitGroup
	var fault error
	others.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			r, err := c.b.Create(c.Context(), c.decode(c.user, fmt.Sprintf(`{"userName":"moving%d","displayName":"User 1%d"}`, i, i)))
			if err == nil && i%2 == 0 {
				err = c.b.Delete(c.Context(), r.Ref(), "")
			}
			if err != nil {
				fault = errors.Join(fault, err)
				return
			}
		}
	})
	rounds := 10
	if s.Short {
		rounds = 3
	}
	for range rounds {
		for _, by := range []string{"", "displayName"} {
			if by != "" && s.Lacks.Sorting {
				continue
			}
			q := c.sorted(c.query(c.user, `userName sw "u"`), by, false)
			q.Count = 7
			got := c.byKeyset(q)
			if by == "" {
				c.same(got, all, "by keyset each resource comes once, also while others are created and deleted")
				continue
			}
			for _, name := range strings.Fields(all) {
				if strings.Count(got+" ", name+" ") != 1 {
					c.broken("by keyset each resource comes once, also while others are created and deleted", "%s comes %d times", name, strings.Count(got+" ", name+" "))
				}
			}
		}
		q := c.query(c.user, "")
		if p := c.list(q); len(p.Resources) != p.Total {
			c.broken("page and Total are of one moment", "%d resources of %d", len(p.Resources), p.Total)
		}
	}
	close(done)
	others.Wait()
	c.must(fault, "lists do not stop writers")

	// A position stays good when the resource that was there is gone.
	q := c.query(c.user, `userName sw "u"`)
	q.Count = 5
	p := c.list(q)
	c.must(c.b.Delete(c.Context(), p.Resources[4].Ref(), ""), "delete")
	q.After, q.Count = p.Last, everything
	c.same(c.found(c.list(q)), strings.Join(strings.Fields(all)[5:], " "), "a keyset position outlives its resource")
}
