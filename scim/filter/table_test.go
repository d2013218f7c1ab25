package filter_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
	"github.com/rollcall-scim/rollcall/scim/schema"
	"github.com/rollcall-scim/rollcall/scim/scimtest"
)

// directory is the data of the shared table as a store would hold it.
type directory struct {
	users, groups []*scim.Resource
	ids           map[string]string
}

func load(t *testing.T) directory {
	t.Helper()
	types := schema.Core()
	d := directory{ids: map[string]string{}}
	at := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	display := map[string]string{}
	for i, u := range scimtest.FilterUsers {
		raw, err := scim.ParseObject([]byte(d.expand(u.JSON)), 0, 0)
		if err != nil {
			t.Fatal(u.Name, err)
		}
		r, _, err := schema.Decode(types[0], raw, schema.Options{})
		if err != nil {
			t.Fatal(u.Name, err)
		}
		schema.Encode(r)
		r.ID = fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
		r.Meta = scim.Meta{Created: at, LastModified: at, Version: "1"}
		d.ids[u.Name], display[r.ID] = r.ID, scim.DisplayName(r.Attrs)
		d.users = append(d.users, r)
	}
	byID := map[string]*scim.Resource{}
	for _, r := range d.users {
		byID[r.ID] = r
	}
	for i, g := range scimtest.FilterGroups {
		r := &scim.Resource{Type: types[1], ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", 1000+i),
			Meta: scim.Meta{Created: at, LastModified: at, Version: "1"}, Schemas: []string{scim.GroupURN},
			Attrs: scim.Object{{Name: "displayName", Value: g.Name}}}
		var members []scim.MemberRef
		for _, name := range g.Members {
			m := byID[d.ids[name]]
			members = append(members, scim.MemberRef{ID: m.ID, Type: m.Type.Name, Display: display[m.ID]})
			d.join(byID, r, m, "direct")
		}
		if members != nil {
			r.Attrs.Set("members", members)
		}
		d.ids[g.Name], display[r.ID], byID[r.ID] = r.ID, g.Name, r
		d.groups = append(d.groups, r)
	}
	return d
}

// join puts m, and all that are in m, into the group g.
func (d directory) join(byID map[string]*scim.Resource, g, m *scim.Resource, how string) {
	name, _ := g.Attrs.Get("displayName").(string)
	if m.Type.Name == "User" {
		m.Groups = append(m.Groups, scim.MemberRef{ID: g.ID, Type: how, Display: name})
		return
	}
	inner, _ := m.Attrs.Get("members").([]scim.MemberRef)
	for _, i := range inner {
		d.join(byID, g, byID[i.ID], "indirect")
	}
}

// expand puts ids in the place of {name}.
func (d directory) expand(s string) string {
	for name, id := range d.ids {
		s = strings.ReplaceAll(s, "{"+name+"}", id)
	}
	return s
}

// names returns those of the resources that match.
func (d directory) names(f scim.Filter, list []*scim.Resource) string {
	var names []string
	for _, r := range list {
		if !filter.Match(f, r) {
			continue
		}
		for name, id := range d.ids {
			if id == r.ID {
				names = append(names, name)
			}
		}
	}
	return strings.Join(names, " ")
}

func TestSharedTable(t *testing.T) {
	t.Parallel()
	d := load(t)
	run := func(cases []scimtest.FilterCase, list []*scim.Resource) {
		var all []string
		for _, r := range list {
			for name, id := range d.ids {
				if id == r.ID {
					all = append(all, name)
				}
			}
		}
		for _, c := range cases {
			want := c.Want
			if want == "*" {
				want = strings.Join(all, " ")
			}
			parsed, err := filter.Parse(d.expand(c.Filter), filter.Options{})
			if err != nil {
				t.Errorf("%s: %v", c.Filter, err)
				continue
			}
			f, err := filter.Bind(list[0].Type, parsed, filter.Options{})
			if err != nil {
				t.Errorf("%s: %v", c.Filter, err)
				continue
			}
			if got := d.names(f, list); got != want {
				t.Errorf("%s\n got %s\nwant %s", c.Filter, got, want)
			}
			// What is bound prints as a filter that means the same.
			again, err := filter.Parse(f.String(), filter.Options{})
			if err == nil {
				again, err = filter.Bind(list[0].Type, again, filter.Options{})
			}
			if err != nil {
				t.Errorf("%s: bound, it prints as %s: %v", c.Filter, f, err)
			} else if got := d.names(again, list); got != want {
				t.Errorf("%s: bound, it prints as %s\n got %s\nwant %s", c.Filter, f, got, want)
			}
		}
	}
	run(scimtest.FilterCases, d.users)
	run(scimtest.FilterGroupCases, d.groups)
	if n := len(scimtest.FilterCases); n < 120 {
		t.Errorf("the table has %d rows", n)
	}
	if !slices.ContainsFunc(d.users, func(r *scim.Resource) bool { return len(r.Groups) == 2 }) {
		t.Error("nobody is in two groups")
	}
}
