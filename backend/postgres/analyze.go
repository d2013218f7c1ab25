package postgres

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
)

// A statement is planned once a connection, by what the database knows of the
// tables then. Of tables that are new it knows nothing, and any index that begins
// with the tenant seems as good as another: so what fills a database in its first
// minute, before the server's own service comes round, would read ever more. A
// program therefore has tables measured that have grown a lot: after its first
// few resources, and each time that they have become so many times as many.
const (
	analyzeFirst = 100
	analyzeTimes = 8
)

// grew notes that resources were stored.
func (db *DB) grew(n int64) {
	at := db.nextAnalyze.Load()
	if db.made.Add(n) < at || !db.nextAnalyze.CompareAndSwap(at, at*analyzeTimes) {
		return
	}
	db.spawn(func() {
		if err := db.analyze(db.life); err != nil && db.life.Err() == nil {
			db.o.Logger.Warn("postgres: the tables could not be measured; the first plans may be poor", "err", err)
		}
	})
}

// analyze has those tables measured that are much larger than when they last
// were.
func (db *DB) analyze(ctx context.Context) error {
	return db.Tenant("").peek(ctx, func(t *session) error {
		var names []string
		err := t.each(ctx, `SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
			AND relname = ANY('{resources,attrs,uniq,members,refs,counts,changes,changes_people,deleted,deleted_groups}')
			AND pg_relation_size(oid) > 4 * 8192::bigint * greatest(relpages, 1)`, func(rows pgx.Rows) error {
			name := ""
			err := rows.Scan(&name)
			names = append(names, name)
			return err
		})
		if err != nil || len(names) == 0 {
			return err
		}
		return t.eachFiltered(ctx, "ANALYZE "+strings.Join(names, ", "), nil, func(pgx.Rows) error { return nil })
	})
}
