package scimtest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// show returns all that a client could see of a resource but its id and meta,
// as text to compare: the order of members, which means nothing, is made even.
// Ids become names, where name knows them, so that the same history in two
// stores reads the same.
func show(r *scim.Resource, name func(id string) string) string {
	if name == nil {
		name = func(id string) string { return id }
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %v externalId=%q", r.Type.Name, r.Schemas, r.ExternalID)
	for _, m := range r.Attrs {
		list, ok := m.Value.([]scim.MemberRef)
		if !ok {
			fmt.Fprintf(&b, "\n%s: %s", m.Name, renamed(m.Value, name))
			continue
		}
		refs := make([]string, len(list))
		for i, m := range list {
			refs[i] = showRef(m, name)
		}
		slices.Sort(refs)
		fmt.Fprintf(&b, "\n%s: %s", m.Name, strings.Join(refs, " "))
	}
	for _, l := range r.Links {
		fmt.Fprintf(&b, "\nlink %s -> %s", l.Path, showRef(l.Ref, name))
	}
	for _, g := range r.Groups {
		fmt.Fprintf(&b, "\nin %s", showRef(g, name))
	}
	return b.String()
}

// showRef returns `User/ID "Display"`.
func showRef(m scim.MemberRef, name func(string) string) string {
	return fmt.Sprintf("%s/%s %q", m.Type, name(m.ID), m.Display)
}

// renamed returns a value's JSON, with names for the ids in it.
func renamed(v any, name func(string) string) string {
	return string(scim.AppendValue(nil, rename(v, name)))
}

func rename(v any, name func(string) string) any {
	switch v := v.(type) {
	case string:
		return name(v)
	case scim.Object:
		c := scim.Clone(v)
		for i := range c {
			c[i].Value = rename(c[i].Value, name)
		}
		return c
	case []any:
		c := slices.Clone(v)
		for i := range c {
			c[i] = rename(c[i], name)
		}
		return c
	}
	return v
}

// showGroups returns the groups of a resource as `Name/direct Name/indirect`.
func showGroups(r *scim.Resource) string {
	list := make([]string, len(r.Groups))
	for i, g := range r.Groups {
		list[i] = g.Display + "/" + g.Type
	}
	return strings.Join(list, " ")
}

// showMembers returns the sorted members of a group as `User:Display Group:Display`.
func showMembers(r *scim.Resource) string {
	refs, _ := r.Attrs.Get("members").([]scim.MemberRef)
	list := make([]string, len(refs))
	for i, m := range refs {
		list[i] = m.Type + ":" + m.Display
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}
