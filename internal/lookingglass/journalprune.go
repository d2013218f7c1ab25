package lookingglass

import (
	"errors"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// prune forgets what is too much or too old; of lookups only with all.
func (j *fileJournal) prune(all bool) {
	err := j.forget(all)
	if err != nil && !errors.Is(err, errClosed) {
		j.log.Warn("the Looking Glass can't prune its journal", "journal", j.path, "error", err)
	}
}

func (j *fileJournal) forget(all bool) (err error) {
	if j.write == nil {
		return errClosed
	}
	since := j.now().AddDate(0, 0, -j.days).UnixMilli()
	floor, err := j.surplus()
	if err != nil {
		return err
	}
	end, err := sqlitex.ImmediateTransaction(j.write)
	if err != nil {
		return err
	}
	err = errors.Join(
		run(j.write.Prep(`UPDATE state SET seq = max(seq, (SELECT coalesce(max(last), 0) FROM blocks))`)),
		run(j.write.Prep(`DELETE FROM blocks WHERE last <= ? OR newest < ?`), floor, since))
	if all {
		j.looked = 0
		err = errors.Join(err, run(j.write.Prep(`DELETE FROM lookups
			WHERE last < max(?1, coalesce((SELECT last FROM lookups ORDER BY last DESC LIMIT 1 OFFSET ?2), 0))`), since, lookupsMost))
	}
	if end(&err); err != nil {
		return err
	}
	j.floor.Store(floor)
	if err := j.shrink(); err != nil {
		return err
	}
	return j.measure(j.write)
}

// surplus returns the Seq up to which exchanges are too many, or 0.
func (j *fileJournal) surplus() (floor int64, err error) {
	kept := int64(0)
	err = sqlitex.Execute(j.write, `SELECT first, last FROM blocks ORDER BY first DESC`, &sqlitex.ExecOptions{ResultFunc: func(st *sqlite.Stmt) error {
		first, last := st.ColumnInt64(0), st.ColumnInt64(1)
		if kept += last - first + 1; kept > int64(j.keep) {
			floor = first - 1 + kept - int64(j.keep)
			return errEnough
		}
		return nil
	}})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return floor, err
}

// shrink gives back what is not used of the file, if that is much.
func (j *fileJournal) shrink() error {
	free, err := number(j.write, `PRAGMA freelist_count`)
	if err != nil {
		return err
	}
	pages, err := number(j.write, `PRAGMA page_count`)
	if err != nil || free < pages/2 {
		return err
	}
	return sqlitex.ExecuteTransient(j.write, `PRAGMA incremental_vacuum`, nil)
}

// measure counts what is there.
func (j *fileJournal) measure(c *sqlite.Conn) error {
	return sqlitex.Execute(c, `SELECT coalesce(sum(last - max(first - 1, ?1)), 0), coalesce(min(oldest), 0) FROM blocks WHERE last > ?1`,
		&sqlitex.ExecOptions{Args: []any{j.floor.Load()}, ResultFunc: func(st *sqlite.Stmt) error {
			j.count.Store(st.ColumnInt64(0))
			j.oldest.Store(st.ColumnInt64(1))
			return nil
		}})
}
