package scimtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
)

// Lacks says what a backend cannot do. The suite prints each thing as skipped,
// and checks that the backend refuses it with the right error instead of doing
// it by halves. The zero value lacks nothing.
type Lacks struct {
	// Types are names of resource types that the backend does not keep: their
	// resources are refused with an Error of status 4xx or 501. User and Group
	// can't be among them.
	Types []string

	// Paths are the beginnings of filters that it does not honour, such as
	// "emails" or "groups.": a filter that names one is refused as invalidFilter.
	Paths []string

	// Operators are those that it does not honour in filters, with the same error.
	Operators []scim.CompareOp

	Sorting  bool // a list with SortBy is refused with an Error of status 4xx or 501
	Keysets  bool // lists are paged by index alone: Page.Last is nil, After refused as invalidCursor
	Versions bool // Meta.Version is "", nothing is compared (Traits.NoVersions)
	Times    bool // the application's own: whole seconds, LastModified moves when it likes (Traits.WholeSeconds)
	Order    bool // lists and groups without an order, and ties, come in one of the backend's own
	Nesting  bool // groups are no members of groups: refused as invalidValue
}

// stores returns why resources of a type are not kept, or "".
func (l Lacks) stores(t *scim.ResourceType) string {
	if slices.Contains(l.Types, t.Name) {
		return "the backend lacks resources of type " + t.Name
	}
	return ""
}

// filter reports whether the backend lacks something that a filter's text
// needs. It may take too much for lacking, as in a string literal.
func (l Lacks) filter(text string) bool {
	for _, p := range l.Paths {
		if strings.HasPrefix(text, p) || strings.Contains(text, " "+p) || strings.Contains(text, "("+p) {
			return true
		}
	}
	if l.Versions && strings.Contains(text, "meta.version") {
		return true
	}
	for _, op := range l.Operators {
		if strings.Contains(text, " "+string(op)+" ") || strings.HasSuffix(text, " "+string(op)) {
			return true
		}
	}
	return false
}

// refused checks for an Error that tells the client what can't be done.
func (c *tenant) refused(err error, typ scim.ErrorType, what string) {
	c.Helper()
	var e *scim.Error
	if !errors.As(err, &e) || e.Status != 501 && e.Status/100 != 4 || typ != "" && e.Type != typ {
		c.broken("what a backend lacks it refuses with a 4xx or 501 Error, "+string(typ), "%s: %v", what, err)
	}
}

// lacking checks that the backend refuses what it lacks.
func (s *suite) lacking(t *testing.T) {
	skipped := func(name string, check func(c *tenant)) {
		t.Run(name, func(t *testing.T) {
			check(s.one(t))
			if !t.Failed() {
				t.Skip("the backend lacks this, and says so")
			}
		})
	}
	for _, name := range s.Lacks.Types {
		skipped("Types/"+name, func(c *tenant) {
			typ := map[string]*scim.ResourceType{"Widget": c.widget}[name]
			if typ == nil {
				c.Fatalf("the suite has no type %q that a backend may lack", name)
			}
			_, err := c.tryCreate(typ, `{"label":"a"}`)
			c.refused(err, "", "Create of a "+name)
			_, err = c.b.List(c.Context(), c.query(typ, ""))
			c.refused(err, "", "List of "+name)
		})
	}
	var filters []string
	for _, p := range s.Lacks.Paths {
		filters = append(filters, strings.TrimSuffix(p, ".")+" pr")
	}
	for _, op := range s.Lacks.Operators {
		filters = append(filters, strings.TrimSuffix(fmt.Sprintf(`displayName %s "a"`, op), map[bool]string{true: ` "a"`}[op == scim.Pr]))
	}
	for _, f := range filters {
		skipped("Filters/"+f, func(c *tenant) {
			_, err := c.b.List(c.Context(), c.query(c.user, f))
			c.refused(err, scim.TypeInvalidFilter, f)
			q := c.query(c.user, `userName eq "a" or `+f)
			q.Count = 0
			_, err = c.b.List(c.Context(), q)
			c.refused(err, scim.TypeInvalidFilter, q.Filter.String())
		})
	}
	if s.Lacks.Sorting {
		skipped("Sorting", func(c *tenant) {
			_, err := c.b.List(c.Context(), c.sorted(c.query(c.user, ""), "displayName", false))
			c.refused(err, "", "sortBy displayName")
		})
	}
	if s.Lacks.Keysets {
		skipped("Keysets", func(c *tenant) {
			c.people(2)
			q := c.query(c.user, "")
			q.Count = 1
			if p := c.list(q); p.Last != nil {
				c.broken("a backend that lacks keysets gives none", "Last is %+v", p.Last)
			}
			q.After = &scim.Keyset{Seq: 1}
			_, err := c.b.List(c.Context(), q)
			c.refused(err, scim.TypeInvalidCursor, "After")
		})
	}
	if s.Lacks.Nesting {
		skipped("Nesting", func(c *tenant) {
			inner := c.groupOf("inner")
			_, err := c.tryCreate(c.group, `{"displayName":"outer","members":`+memberJSON([]*scim.Resource{inner})+`}`)
			c.refused(err, scim.TypeInvalidValue, "a group as a member")
		})
	}
}
