package postgres

import (
	"context"
	"errors"

	"github.com/rollcall-scim/rollcall/scim"
)

var errPending = errors.New("postgres: not written yet")

type batch struct {
	*session
	open bool
}

func (s *Store) Create(context.Context, *scim.Resource) (*scim.Resource, error) {
	return nil, errPending
}
func (s *Store) Import(context.Context, *scim.Resource) error                { return errPending }
func (s *Store) Update(context.Context, scim.Change) (*scim.Resource, error) { return nil, errPending }
func (s *Store) UpdateMembers(context.Context, scim.Change) (*scim.Resource, error) {
	return nil, errPending
}
func (s *Store) Delete(context.Context, scim.Ref, string) error { return errPending }
func (s *Store) Batch(context.Context, func(scim.Backend) error) error {
	return errPending
}
func (s *Store) Deleted(context.Context, scim.DeletedQuery) ([]scim.Deleted, error) {
	return nil, errPending
}
func (s *Store) Restore(context.Context, scim.Ref, func(*scim.Resource) error) (*scim.Resource, error) {
	return nil, errPending
}
func (t *session) unfinished(context.Context) (bool, error) { return false, nil }
func (db *DB) finishDeletes()                               {}
func (db *DB) pruneForever()                                {}
