package sqlite

import (
	"context"
	"errors"
	"time"
)

// pruneStep bounds the rows that one transaction removes of what is too old, and
// pruneEvery is how often that is looked for.
const (
	pruneStep  = 2_000
	pruneEvery = time.Hour
)

// pruneForever keeps the change log as long as Options.HistoryDays says, and
// what was deleted as long as Options.UndeleteDays does.
func (db *DB) pruneForever() {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		if err := db.prune(db.life); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, errOver) {
			db.o.Logger.Warn("sqlite: what is too old was not removed; it is tried again later", "err", err)
		}
		select {
		case <-tick.C:
		case <-db.life.Done():
			return
		}
	}
}

// prune removes what is too old, in small steps between which others write.
func (db *DB) prune(ctx context.Context) error {
	if err := db.purge(ctx); err != nil || db.o.HistoryDays <= 0 {
		return err
	}
	oldest := db.o.Now().AddDate(0, 0, -db.o.HistoryDays).UnixMilli()
	return db.expire(ctx, oldest)
}

// inSteps runs step on the writer until it removes fewer than pruneStep rows.
func (db *DB) inSteps(ctx context.Context, step func() (int, error)) error {
	for {
		n := 0
		err := db.writer.do(ctx, func() (err error) {
			n, err = step()
			return err
		})
		if err != nil || n < pruneStep {
			return err
		}
	}
}
