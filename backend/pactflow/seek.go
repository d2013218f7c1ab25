package pactflow

import (
	"context"
	"errors"

	"github.com/rollcall-scim/rollcall/scim"
)

// equals returns the text that a filter asks an attribute, or a sub-attribute of
// one, to be equal to, if all that matches has it.
func equals(f scim.Filter, name, sub string) (string, bool) {
	switch f := f.(type) {
	case *scim.AttrExp:
		s, ok := f.Value.(string)
		return s, ok && f.Op == scim.Eq && f.Path.URN == "" && f.Path.Name == name && f.Path.Sub == sub
	case *scim.ValuePath:
		return equals(f.Filter, name, sub)
	case *scim.LogExp:
		if f.Op != scim.And {
			return "", false
		}
		if s, ok := equals(f.Left, name, sub); ok {
			return s, true
		}
		return equals(f.Right, name, sub)
	}
	return "", false
}

// Seek reads the teams of the one user whom a filter asks for among the members
// (facade.Seeker).
func (s *teams) Seek(ctx context.Context, f scim.Filter) ([]*scim.Resource, bool, error) {
	id, ok := equals(f, "members", "value")
	if !ok {
		return nil, false, nil
	}
	u, err := s.users.get(ctx, id)
	switch {
	case errors.Is(err, scim.ErrNotFound):
		return nil, true, nil
	case refused(err) == 403:
		return nil, false, nil // a member that this token sees only in its teams
	case err != nil:
		return nil, true, err
	}
	var list []*scim.Resource
	for _, team := range u.teams() {
		r, err := s.Get(ctx, team.UUID)
		switch {
		case errors.Is(err, scim.ErrNotFound):
		case err != nil:
			return nil, true, err
		default:
			list = append(list, r)
		}
	}
	return list, true, nil
}
