package postgres

import (
	"context"
	"slices"
)

// BuryTenant runs the first transaction of a tenant's removal, but not the
// slices that follow.
func (db *DB) BuryTenant(ctx context.Context, name string) error { return db.bury(ctx, name) }

// RemoveSlice removes one slice of what removed tenants have left.
func (db *DB) RemoveSlice(ctx context.Context, rows int) (int64, error) {
	return db.removeSlice(ctx, rows)
}

// Removals returns all statements that remove a tenant's rows.
func Removals() []string { return slices.Clone(removals) }
