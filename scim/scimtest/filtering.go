package scimtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

// everything is a Count that no list of this suite reaches.
const everything = 1 << 20

// resolve puts ids in the place of {name}.
func (c *tenant) resolve(text string) string {
	for name, id := range c.names {
		text = strings.ReplaceAll(text, "{"+name+"}", id)
	}
	return text
}

// called remembers r by a name, for {name} in filters.
func (c *tenant) called(name string, r *scim.Resource) *scim.Resource {
	if c.names == nil {
		c.names = map[string]string{}
	}
	c.names[name] = r.ID
	return r
}

// nameOf is the reverse of resolve, for show.
func (c *tenant) nameOf() func(string) string {
	back := map[string]string{}
	for name, id := range c.names {
		back[id] = "{" + name + "}"
	}
	return func(id string) string {
		if name := back[id]; name != "" {
			return name
		}
		return id
	}
}

// query returns the Query for a filter's text; "" is no filter.
func (c *tenant) query(typ *scim.ResourceType, text string) scim.Query {
	c.Helper()
	return c.queryWith(typ, text, filter.Options{})
}

func (c *tenant) queryWith(typ *scim.ResourceType, text string, o filter.Options) scim.Query {
	c.Helper()
	q := scim.Query{Type: typ, StartIndex: 1, Count: everything}
	if text == "" {
		return q
	}
	f, err := filter.Parse(c.resolve(text), filter.Options{})
	if err == nil {
		q.Filter, err = filter.Bind(typ, f, o)
	}
	if err != nil {
		c.Fatalf("the suite's own filter %s: %v", text, err)
	}
	return q
}

// sorted returns q with an order.
func (c *tenant) sorted(q scim.Query, sortBy string, descending bool) scim.Query {
	c.Helper()
	q.SortBy, q.Descending = nil, descending
	if sortBy == "" {
		return q
	}
	p, err := filter.BindSort(q.Type, sortBy)
	if err != nil {
		c.Fatalf("the suite's own sortBy %s: %v", sortBy, err)
	}
	q.SortBy = p
	return q
}

// found returns the names of a page's resources, with blanks between.
func (c *tenant) found(p *scim.Page) string {
	name := c.nameOf()
	list := make([]string, len(p.Resources))
	for i, r := range p.Resources {
		list[i] = strings.Trim(name(r.ID), "{}")
	}
	return strings.Join(list, " ")
}

// finds checks how many resources match a filter, unless the backend lacks
// something that the filter needs.
func (c *tenant) finds(want int, typ *scim.ResourceType, rule, format string, args ...any) {
	c.Helper()
	text := fmt.Sprintf(format, args...)
	if c.Lacks.filter(text) {
		return
	}
	if p := c.list(c.query(typ, text)); p.Total != want || len(p.Resources) != want {
		c.broken(rule, "%s finds %d, total %d, want %d", text, len(p.Resources), p.Total, want)
	}
}

// listed returns a resource as List does.
func (c *tenant) listed(r *scim.Resource) *scim.Resource {
	c.Helper()
	text := fmt.Sprintf("id eq %q", r.ID)
	if c.Lacks.filter(text) {
		text = ""
	}
	for _, got := range c.list(c.query(r.Type, text)).Resources {
		if got.ID == r.ID {
			return got
		}
	}
	c.Fatalf("%s is not listed", r.Ref())
	return nil
}

func testFilters(t *testing.T, s *suite) {
	if s.Lacks.Nesting { // what is asked about groups is about nested ones
		flat := *s
		flat.Lacks.Paths = append(slices.Clone(s.Lacks.Paths), "groups", "members")
		s = &flat
	}
	c := s.one(t)
	var right *tenant // says what is right where the backend keeps other things than it is given
	if s.other() {
		right = s.reference(t)
		right.filterable()
	}
	users, groups := c.filterable()
	c.filterCases(c.user, FilterCases, users, right)
	c.filterCases(c.group, FilterGroupCases, groups, right)
}

// filterable creates what the filters of the suite are about, and returns the
// names.
func (c *tenant) filterable() (users, groups []string) {
	for _, u := range FilterUsers {
		c.called(u.Name, c.create(c.user, "%s", c.resolve(u.JSON)))
		users = append(users, u.Name)
	}
	for _, g := range FilterGroups {
		var members []*scim.Resource
		for _, name := range g.Members {
			if name != "Guides" || !c.Lacks.Nesting {
				members = append(members, &scim.Resource{ID: c.names[name]})
			}
		}
		c.called(g.Name, c.groupOf(g.Name, members...))
		groups = append(groups, g.Name)
	}
	return users, groups
}

func (c *tenant) filterCases(typ *scim.ResourceType, cases []FilterCase, all []string, right *tenant) {
	for _, f := range cases {
		if c.Lacks.filter(f.Filter) {
			continue
		}
		want := f.Want
		if want == "*" {
			want = strings.Join(all, " ")
		}
		if right != nil {
			want = right.ordered(right.found(right.list(right.query(typ, f.Filter))))
		}
		q := c.query(typ, f.Filter)
		p := c.list(q)
		if got := c.ordered(c.found(p)); got != want {
			c.broken("a filter finds all that match and nothing else (RFC 7644 §3.4.2.2)", "%s\nfinds %s\nwant  %s", f.Filter, got, want)
		}
		if p.Total != len(strings.Fields(want)) {
			c.broken("Total counts what matches", "%s: %d, want %d", f.Filter, p.Total, len(strings.Fields(want)))
		}
		q.Count = 0
		if n := c.list(q).Total; n != p.Total {
			c.broken("Count 0 asks for the total alone", "%s: %d, want %d", f.Filter, n, p.Total)
		}
	}
}
