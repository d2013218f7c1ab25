package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

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
func (db *DB) Spy(note func(query string), trips func()) {
	if note == nil {
		db.SpyAll(nil, trips)
		return
	}
	db.SpyAll(func(query string, _ []any, _ bool) { note(query) }, trips)
}

// SpyAll is Spy with the arguments, and whether the statement is planned for them
// and not kept.
func (db *DB) SpyAll(note func(query string, args []any, once bool), trips func()) {
	db.note, db.flushed = note, trips
}

// Explain returns how a statement with arguments is carried out, a step a line:
// as one that is planned for its arguments, or as one that is prepared once for
// all.
func (db *DB) Explain(ctx context.Context, once bool, query string, args []any) (steps []string, err error) {
	add := func(r pgx.Rows) error {
		step := ""
		err := r.Scan(&step)
		steps = append(steps, step)
		return err
	}
	const explain = "EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF) "
	err = db.Tenant("").peek(ctx, func(t *session) error {
		steps = nil
		if once {
			return t.eachFiltered(ctx, explain+query, args, add)
		}
		if err := t.eachFiltered(ctx, "SET plan_cache_mode = force_generic_plan", nil, nil); err != nil {
			return err
		}
		if err := t.eachFiltered(ctx, "PREPARE explained AS "+query, nil, nil); err != nil {
			return err
		}
		values, separator := "", "("
		for _, a := range args {
			values, separator = values+separator+literal(a), ", "
		}
		err := t.eachFiltered(ctx, explain+"EXECUTE explained"+values+")", nil, add)
		for _, q := range []string{"DEALLOCATE explained", "RESET plan_cache_mode"} {
			err = errors.Join(err, t.eachFiltered(ctx, q, nil, nil))
		}
		return err
	})
	return steps, err
}

// literal is an argument as SQL.
func literal(a any) string {
	switch a := a.(type) {
	case nil:
		return "NULL"
	case []int64:
		return "'" + strings.NewReplacer("[", "{", "]", "}", " ", ",").Replace(fmt.Sprint(a)) + "'"
	case []string:
		return "'{\"" + strings.Join(a, `","`) + "\"}'"
	}
	return "'" + strings.ReplaceAll(fmt.Sprint(a), "'", "''") + "'"
}

// Analyze has tables measured that have grown a lot.
func (db *DB) Analyze(ctx context.Context) error { return db.analyze(ctx) }

// Prepared is how often a statement that one connection keeps was carried out with
// the plan that it keeps, and how often with one made for its arguments.
type Prepared struct {
	SQL             string
	Generic, Custom int
}

// PreparedStatements are those of a connection: of the only one, with MaxConns 1.
func (db *DB) PreparedStatements(ctx context.Context) (list []Prepared, err error) {
	err = db.Tenant("").peek(ctx, func(t *session) error {
		list = nil
		return t.eachFiltered(ctx, `SELECT statement, generic_plans, custom_plans FROM pg_prepared_statements`, nil, func(r pgx.Rows) error {
			var p Prepared
			err := r.Scan(&p.SQL, &p.Generic, &p.Custom)
			list = append(list, p)
			return err
		})
	})
	return list, err
}
