package sqlite

import (
	"context"
	"errors"
	"time"

	"zombiezen.com/go/sqlite"
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
	return db.inSteps(ctx, func() (int, error) { return db.writer.pruneOnce(oldest) })
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

// pruneOnce removes at most pruneStep rows of records from before oldest, the
// oldest first, and returns how many.
func (w *writer) pruneOnce(oldest int64) (n int, err error) {
	var old []int64
	over := false
	err = w.conn.each(`SELECT seq, time FROM changes ORDER BY seq LIMIT ?`, func(st *sqlite.Stmt) error {
		// A clock that was set back must not let records through out of order.
		if over = over || st.ColumnInt64(1) >= oldest; !over {
			old = append(old, st.ColumnInt64(0))
		}
		return nil
	}, pruneStep)
	if err != nil {
		return 0, err
	}
	for _, seq := range old {
		err := w.conn.exec(`DELETE FROM changes_people WHERE (tenant, person, change) IN (
			SELECT tenant, person, change FROM changes_people WHERE change = ? LIMIT ?)`, seq, pruneStep-n)
		if err != nil {
			return n, err
		}
		if n += w.conn.Changes(); n >= pruneStep {
			return n, nil // more of this record may be left
		}
		if err := w.conn.exec(`DELETE FROM changes WHERE seq = ?`, seq); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
