package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// pruneStep bounds the rows that one transaction removes of what is too old,
// pruneEvery is how often that is looked for, and finishEvery how often deletes
// that an instance has left half done are.
const (
	pruneStep   = 2_000
	pruneEvery  = time.Hour
	finishEvery = 30 * time.Second
)

// pruneForever keeps the change log as long as Options.HistoryDays says, and
// what was deleted as long as Options.UndeleteDays does, and finishes deletes.
// Every instance does so: what another one has removed is not there any more.
func (db *DB) pruneForever() {
	tick := time.NewTicker(finishEvery)
	defer tick.Stop()
	var pruned time.Time
	for {
		select {
		case <-tick.C:
		case <-db.life.Done():
			return
		}
		db.finishDeletes()
		db.finishRemovals()
		if time.Since(pruned) < pruneEvery {
			continue
		}
		pruned = time.Now()
		if err := db.prune(db.life); err != nil && db.life.Err() == nil && !errors.Is(err, errOver) {
			db.o.Logger.Warn("postgres: what is too old was not removed; it is tried again later", "err", err)
		}
	}
}

// prune removes what is too old, in small steps between which others write.
func (db *DB) prune(ctx context.Context) error {
	oldest := db.o.Now().AddDate(0, 0, -db.o.HistoryDays).UnixMilli()
	return db.each(ctx, `SELECT tenant FROM tenants WHERE removed IS NULL`, func(s *Store) error {
		undeletable := db.undeletable()
		if err := s.inSteps(ctx, func(t *session) (int64, error) { return t.purgeOnce(ctx, undeletable) }); err != nil || db.o.HistoryDays <= 0 {
			return err
		}
		return s.expire(ctx, oldest)
	})
}

// inSteps runs step in transactions until it removes fewer than pruneStep rows.
func (s *Store) inSteps(ctx context.Context, step func(*session) (int64, error)) error {
	for {
		var n int64
		err := s.write(ctx, func(t *session) (err error) {
			n, err = step(t)
			return err
		})
		if err != nil || n < pruneStep {
			return err
		}
	}
}

// purgeOnce removes for good what was deleted up to oldest, in a step that
// touches about pruneStep rows, and returns how many it touched.
func (t *session) purgeOnce(ctx context.Context, oldest int64) (n int64, err error) {
	var old []int64
	err = t.each(ctx, `SELECT pk FROM deleted WHERE tenant = $1 AND time <= $2 ORDER BY time LIMIT $3 FOR UPDATE SKIP LOCKED`, func(rows pgx.Rows) error {
		var pk int64
		err := rows.Scan(&pk)
		old = append(old, pk)
		return err
	}, t.tenant, oldest, pruneStep)
	if err != nil || len(old) == 0 {
		return 0, err
	}
	n, err = t.exec(ctx, `DELETE FROM deleted_groups WHERE tenant = $1 AND (res, grp) IN (
		SELECT g.res, g.grp FROM deleted_groups g WHERE g.tenant = $1 AND g.res = ANY($2::bigint[]) LIMIT $3)`, t.tenant, old, pruneStep)
	if err != nil || n >= pruneStep {
		return n, err // more of these may be left
	}
	m, err := t.exec(ctx, `DELETE FROM deleted WHERE tenant = $1 AND pk = ANY($2::bigint[])`, t.tenant, old)
	return n + m, err
}
