package scimtest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// derive adds to Lacks what the backend says of itself.
func (s *suite) derive(t *testing.T) {
	a, _ := s.Open(t)
	c, ok := a.(scim.Capable)
	if !ok {
		return
	}
	traits := c.Traits()
	s.Lacks.Versions = s.Lacks.Versions || traits.NoVersions
	s.Lacks.Times = s.Lacks.Times || traits.WholeSeconds
}

// corePaths returns the path of everything in the core schemas.
func corePaths() (paths []string) {
	for _, t := range schema.Core() {
		for _, a := range t.Schema.Attributes {
			paths = append(paths, a.Name)
			for _, sub := range a.SubAttributes {
				paths = append(paths, a.Name+"."+sub.Name)
			}
		}
		for _, x := range t.Extensions {
			paths = append(paths, x.Schema.ID)
		}
	}
	return paths
}

// fit makes of a resource what the backend would leave of it.
func (s *suite) fit(r *scim.Resource) {
	if s.Fit != nil {
		s.Fit(r)
	}
}

// other reports whether the backend keeps less than it is given, or otherwise:
// package memory then says what is right.
func (s *suite) other() bool { return s.Types != nil || s.Fit != nil || s.Lacks.Order }

// keeps reports whether the backend has a place for an attribute of users.
func (s *suite) keeps(path string) bool {
	i := strings.LastIndexByte(path, ':')
	if i < 0 {
		a := s.user.Schema.Attribute(path)
		return a != nil && !a.Unstored
	}
	x := s.user.Extension(path[:i])
	if x == nil {
		return false
	}
	a := x.Attribute(path[i+1:])
	return a != nil && !a.Unstored
}

// changed checks that the version and LastModified of a resource moved, as far
// as the backend has them.
func (c *tenant) changed(after, before scim.Meta, rule string) {
	c.Helper()
	switch {
	case !c.Lacks.Versions && after.Version == before.Version,
		c.Lacks.Times && after.LastModified.Before(before.LastModified),
		!c.Lacks.Times && after.LastModified.Sub(before.LastModified) < time.Millisecond:
		c.broken(rule, "meta is %+v, was %+v", after, before)
	}
}

// ordered returns names in the order in which answers of two stores compare.
func (c *tenant) ordered(names string) string {
	if !c.Lacks.Order {
		return names
	}
	list := strings.Fields(names)
	slices.Sort(list)
	return strings.Join(list, " ")
}
