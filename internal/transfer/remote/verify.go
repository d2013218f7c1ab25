package remote

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// Verify reads the server again and compares each resource, attribute by
// attribute, with what the store holds. Differences are Faults.
func Verify(ctx context.Context, j Job) (*Report, error) {
	r := newRun(j)
	r.whole = true
	r.take = func(ctx context.Context, k kind, res *scim.Resource) error {
		r.known[[16]byte(shortHash(res.ID))] = true
		r.Counts[k.Name]++
		return r.compare(ctx, k, res)
	}
	if err := r.all(ctx); err != nil {
		return r.Report, err
	}
	for _, t := range j.Types {
		page, err := j.Store.List(ctx, scim.Query{Type: t})
		if err != nil {
			return r.Report, err
		}
		if page.Total != r.Counts[t.Name] {
			r.fault("%s: %d in the source, %d in the target", t.Name, r.Counts[t.Name], page.Total)
		}
	}
	return r.Report, nil
}

// compare compares a resource of the server with the store's.
func (r *run) compare(ctx context.Context, k kind, want *scim.Resource) error {
	got, err := r.Store.Get(ctx, want.Ref(), scim.Selection{})
	if errors.Is(err, scim.ErrNotFound) {
		r.fault("%s %s (%s): it is not there", k.Name, want.ID, scim.DisplayName(want.Attrs))
		return nil
	}
	if err != nil {
		return err
	}
	got.Type = k.ResourceType
	if err := schema.Load(got); err != nil {
		return err
	}
	differs := func(path string) {
		r.fault("%s %s (%s): %s differs", k.Name, want.ID, scim.DisplayName(want.Attrs), path)
	}
	if got.ExternalID != want.ExternalID {
		differs("externalId")
	}
	if r.dated && !got.Meta.Created.Equal(want.Meta.Created) {
		differs("meta.created")
	}
	attributes("", differs, withoutMembers(k, got.Attrs), withoutMembers(k, want.Attrs))
	if a := k.Membership(); a != nil {
		refs, _ := want.Attrs.Get(a.Name).([]scim.MemberRef)
		wanted := map[[16]byte]bool{}
		for _, m := range refs {
			wanted[[16]byte(shortHash(m.ID))] = true
		}
		return compareMembers(got, a, wanted, differs)
	}
	return nil
}

// compareMembers compares the members of a group.
func compareMembers(got *scim.Resource, a *scim.Attribute, wanted map[[16]byte]bool, differs func(string)) error {
	each := got.Members
	if each == nil {
		refs, _ := got.Attrs.Get(a.Name).([]scim.MemberRef)
		each = func(yield func(scim.MemberRef, error) bool) {
			for _, m := range refs {
				if !yield(m, nil) {
					return
				}
			}
		}
	}
	for m, err := range each {
		if err != nil {
			return err
		}
		short := [16]byte(shortHash(m.ID))
		if !wanted[short] {
			differs(a.Name + " (" + m.ID + ")")
		}
		delete(wanted, short)
	}
	if len(wanted) > 0 {
		differs(fmt.Sprintf("%s (%d are missing)", a.Name, len(wanted)))
	}
	return nil
}

func withoutMembers(k kind, o scim.Object) scim.Object {
	return slices.DeleteFunc(slices.Clone(o), func(m scim.Member) bool { return derived(k.ResourceType, m.Name) })
}

// attributes compares two documents, and names each attribute that differs.
func attributes(prefix string, differs func(string), got, want scim.Object) {
	for _, m := range want {
		there := got.Get(m.Name)
		inner, extension := m.Value.(scim.Object)
		if one, ok := there.(scim.Object); ok && extension && prefix == "" && len(m.Name) > 4 && m.Name[:4] == "urn:" {
			attributes(m.Name+":", differs, one, inner)
			continue
		}
		if !scim.Equal(there, m.Value) {
			differs(prefix + m.Name)
		}
	}
	for _, m := range got {
		if want.Get(m.Name) == nil {
			differs(prefix + m.Name)
		}
	}
}
