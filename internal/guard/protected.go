package guard

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// entry is a resource that clients may not touch.
type entry struct {
	typ, name, alike string
	found            []Named // how a store finds it: what [scim.UniqueName] may be is one of these
}

// TypeOf returns the type that an entry of the setting protected means by its name,
// which is compared without case, or nil.
func TypeOf(types []*scim.ResourceType, name string) *scim.ResourceType {
	name = strings.TrimSpace(name)
	i := slices.IndexFunc(types, func(t *scim.ResourceType) bool { return strings.EqualFold(t.Name, name) })
	if i < 0 {
		return nil
	}
	return types[i]
}

// entryOf reads what the settings say. Of a type that is not served there is
// nothing to protect.
func entryOf(types []*scim.ResourceType, typ, name string) entry {
	e := entry{typ: typ, name: name, alike: alike(name)}
	t := TypeOf(types, typ)
	if t == nil {
		return e
	}
	e.typ = t.Name
	for _, a := range scim.NamedBy(t) {
		e.found = append(e.found, Named{Type: t.Name, ID: name, Path: a.Name, Text: scim.Fold(a, name)})
	}
	if e.found == nil { // it has no name: its id is all
		e.found = []Named{{Type: t.Name, ID: name}}
	}
	return e
}

// is reports whether r is the resource.
func (e entry) is(r *scim.Resource, id string) bool {
	return r.Type.Name == e.typ && (id != "" && id == e.name || alike(scim.UniqueName(r)) == e.alike)
}

// protect refuses what touches a protected resource: to change or delete it, to
// take its name, and whatever makes it a member of a group or ends that, nested
// groups included; and of a group, whatever changes who is in it.
func (w *Watch) protect(ctx context.Context, tx Tx, e Effect) error {
	if len(w.rules.protected) == 0 {
		return nil
	}
	if err := w.spare(e); err != nil {
		return err
	}
	moved := slices.Concat(e.Added, e.Removed)
	if len(moved) == 0 && e.After != nil {
		return nil
	}
	var named []Named
	for _, p := range w.rules.protected {
		named = append(named, p.found...)
	}
	list, err := tx.Find(ctx, named)
	if err != nil || len(list) == 0 {
		return err
	}
	for _, m := range moved {
		if i := slices.IndexFunc(list, func(p Member) bool { return p.PK == m.PK }); i >= 0 {
			return w.refuse(list[i], "it can neither be added to a group nor removed from one")
		}
	}
	if e.PK != 0 { // what is in a protected group, and changes or goes
		above, err := tx.Above(ctx, []int64{e.PK})
		if err != nil {
			return err
		}
		for _, g := range above {
			if i := slices.IndexFunc(list, func(p Member) bool { return p.PK == g.PK }); i >= 0 {
				return w.refuse(list[i], "this would change who is in it")
			}
		}
	}
	// Groups in which a protected resource is, and that move or go.
	holders := map[int64]bool{}
	for _, m := range moved {
		if m.Holds {
			holders[m.PK] = true
		}
	}
	if e.After == nil && e.Type.Membership() != nil {
		holders[e.PK] = true
	}
	if len(holders) == 0 {
		return nil
	}
	for _, p := range list {
		above, err := tx.Above(ctx, []int64{p.PK})
		if err != nil {
			return err
		}
		if slices.ContainsFunc(above, func(g Group) bool { return holders[g.PK] }) {
			return w.refuse(p, "this would change in which groups it is")
		}
	}
	return nil
}

// spare looks at the resource that is written.
func (w *Watch) spare(e Effect) error {
	for _, p := range w.rules.protected {
		if e.Before != nil && p.is(e.Before, e.Before.ID) {
			return refuse(Protected, w.rules.tenant, fmt.Sprintf("%s %q is protected: SCIM clients can neither change nor delete it; %s",
				p.typ, nameOf(e.Before), w.rules.how("protected")))
		}
		if e.After != nil && p.is(e.After, "") {
			return refuse(Protected, w.rules.tenant, fmt.Sprintf("the name %q is that of a protected %s: SCIM clients can't give it to another; %s",
				nameOf(e.After), p.typ, w.rules.how("protected")))
		}
	}
	return nil
}

func (w *Watch) refuse(p Member, why string) error {
	return refuse(Protected, w.rules.tenant, fmt.Sprintf("%s %s is protected: %s; %s", p.Type, p.ID, why, w.rules.how("protected")))
}
