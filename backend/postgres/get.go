package postgres

import (
	"context"
	"errors"

	"github.com/rollcall-scim/rollcall/scim"
)

func (s *Store) Get(context.Context, scim.Ref, scim.Selection) (*scim.Resource, error) {
	return nil, errors.New("pending")
}
func (s *Store) List(context.Context, scim.Query) (*scim.Page, error) {
	return nil, errors.New("pending")
}
func (s *Store) Changes(context.Context, scim.ChangeQuery) ([]scim.Record, error) {
	return nil, errors.New("pending")
}
