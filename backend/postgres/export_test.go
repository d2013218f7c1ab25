package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Escape, Unescape and Place are how texts and paths are stored.
var (
	Escape   = escape
	Unescape = unescape
	Place    = place
	Decimal  = decimal
)

// Int runs a query for one number.
func (db *DB) Int(ctx context.Context, query string, args ...any) (n int64, err error) {
	err = db.Tenant("").peek(ctx, func(t *session) error {
		n = 0
		return t.eachFiltered(ctx, query, args, func(r pgx.Rows) error { return r.Scan(&n) })
	})
	return n, err
}

// Spy tells note of every statement, and trips of every round trip. It must be
// called while nothing uses the DB.
func (db *DB) Spy(note func(query string), trips func()) { db.note, db.flushed = note, trips }

// Explain returns the plan of a statement with arguments, a step a line. It is
// made as for a statement that a filter has become.
func (db *DB) Explain(ctx context.Context, query string, args ...any) (steps []string, err error) {
	err = db.Tenant("").peek(ctx, func(t *session) error {
		steps = nil
		return t.eachFiltered(ctx, "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) "+query, args, func(r pgx.Rows) error {
			step := ""
			err := r.Scan(&step)
			steps = append(steps, step)
			return err
		})
	})
	return steps, err
}
