package transfer

import (
	"context"
	"errors"
	"fmt"

	"github.com/rollcall-scim/rollcall/scim"
)

// Store is what Merge adds to: one tenant of a database.
type Store interface {
	scim.Backend
	scim.Batcher
	scim.Importer
	scim.MemberUpdater
}

// Merged says what Merge did.
type Merged struct {
	Created   int64
	There     int64 // the same resource was there already
	Conflicts int64
	Members   int64 // memberships handed over; those that were there already change nothing
}

// Merge adds to directories in use what they lack of a source's resources and of
// the members of those groups that they then have. Ids, externalIds, documents
// and meta.created are kept. The change log and what is deleted are left out:
// to the change log an added resource is a create. src must name ids, and its
// records be prepared. told is called with each conflict.
func Merge(ctx context.Context, src Source, store func(tenant string) Store, progress Progress, told func(tenant, conflict string)) (Merged, error) {
	h, err := src.Header(ctx)
	if err != nil {
		return Merged{}, err
	}
	m := &merge{ctx: scim.WithOrigin(ctx, scim.Origin{Actor: "rollcall import"}), groups: map[string]*scim.ResourceType{}, told: told}
	done, total := int64(0), h.total()
	for r, err := range src.Records(ctx, Position{}) {
		if err != nil {
			return m.Merged, err
		}
		if r.Tenant != m.tenant || m.store == nil {
			if err := m.flush(); err != nil {
				return m.Merged, err
			}
			m.tenant, m.store = r.Tenant, store(r.Tenant)
			clear(m.groups)
		}
		switch r.Kind {
		case Resources:
			m.waiting = append(m.waiting, r.Resource)
			if len(m.waiting) == mergeStep {
				err = m.flush()
			}
		case Members:
			if err = m.flush(); err == nil {
				err = m.members(r.Edges)
			}
		}
		if err != nil {
			return m.Merged, err
		}
		done += r.things()
		progress(done, total)
	}
	return m.Merged, m.flush()
}

// mergeStep bounds the resources that one transaction adds.
const mergeStep = 200

type merge struct {
	Merged
	ctx     context.Context
	tenant  string
	store   Store
	waiting []*Resource
	groups  map[string]*scim.ResourceType // those whose members are added, by id
	told    func(tenant, conflict string)
}

func (m *merge) conflict(format string, args ...any) {
	m.Conflicts++
	m.told(m.tenant, fmt.Sprintf(format, args...))
}

// flush adds the resources that wait, in one transaction, and then says what
// came of it.
func (m *merge) flush() error {
	list := m.waiting
	m.waiting = nil
	if len(list) == 0 {
		return nil
	}
	results := make([]error, len(list))
	err := m.store.Batch(m.ctx, func(b scim.Backend) error {
		in, ok := b.(scim.Importer)
		if !ok {
			return errors.New("the database can't take resources over")
		}
		for i, r := range list {
			results[i] = in.Import(m.ctx, &r.Resource)
			if e := refusal(results[i]); results[i] != nil && e == nil {
				return results[i]
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, r := range list {
		ours := true
		if refusal(results[i]) == nil {
			m.Created++
		} else if ours, err = m.explain(r, refusal(results[i])); err != nil {
			return err
		}
		if ours && r.Type.Membership() != nil {
			m.groups[r.ID] = r.Type
		}
	}
	return nil
}

// refusal returns what the store has against a resource, or nil.
func refusal(err error) *scim.Error {
	var e *scim.Error
	if errors.As(err, &e) && e.Status < 500 {
		return e
	}
	return nil
}

// explain tells apart the resource that is there already from another one that
// has its id or a value of its.
func (m *merge) explain(r *Resource, refused *scim.Error) (same bool, err error) {
	there, err := m.store.Get(m.ctx, r.Ref(), Bare(r.Type))
	switch {
	case errors.Is(err, scim.ErrNotFound):
		m.conflict("%s %s (%s): %s", r.TypeName, r.ID, scim.DisplayName(r.Attrs), refused.Detail)
		return false, nil
	case err != nil:
		return false, err
	case !there.Meta.Created.Equal(r.Meta.Created):
		m.conflict("%s %s (%s): another one has this id", r.TypeName, r.ID, scim.DisplayName(r.Attrs))
		return false, nil
	case string(there.Text) != string(r.Text) || there.ExternalID != r.ExternalID:
		m.conflict("%s %s (%s): it is there already, and differs", r.TypeName, r.ID, scim.DisplayName(r.Attrs))
		return true, nil
	}
	m.There++
	return true, nil
}

// Bare selects a resource without what other resources add to it.
func Bare(t *scim.ResourceType) (s scim.Selection) {
	for _, a := range []*scim.Attribute{t.Membership(), t.Groups()} {
		if a != nil {
			s.Excluded = append(s.Excluded, scim.AttrPath{Name: a.Name, Attr: a})
		}
	}
	return s
}

// members adds members to a group.
func (m *merge) members(e *Edges) error {
	t := m.groups[e.FromID]
	if t == nil {
		return nil // a conflict that was told
	}
	if len(e.IDs) != len(e.To) {
		return errors.New("the export does not name the members of groups by their ids")
	}
	var ids []string
	for _, id := range e.IDs {
		if id != "" {
			ids = append(ids, id)
		}
	}
	err := m.add(t, e.FromID, ids)
	if refusal(err) == nil || len(ids) == 0 {
		return err
	}
	for _, id := range ids { // which of them is it?
		err := m.add(t, e.FromID, []string{id})
		switch {
		case refusal(err) != nil:
			m.conflict("%s %s lacks the member %s: %s", t.Name, e.FromID, id, refusal(err).Detail)
		case err != nil:
			return err
		}
	}
	return nil
}

func (m *merge) add(t *scim.ResourceType, group string, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	a := t.Membership()
	g := &scim.Resource{Type: t, ID: group}
	added := make([]any, len(ids))
	for i, id := range ids {
		added[i] = scim.MemberRef{ID: id}
	}
	_, err := m.store.UpdateMembers(m.ctx, scim.Change{Before: g, After: g,
		Deltas: []scim.Delta{{Path: scim.AttrPath{Name: a.Name, Attr: a}, Added: added}}})
	if err == nil {
		m.Members += int64(len(ids))
	}
	return err
}
