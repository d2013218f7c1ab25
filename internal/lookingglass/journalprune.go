package lookingglass

import (
	"errors"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// prune forgets what is too much or too old; of lookups only with all.
func (j *journal) prune(all bool) {
	err := j.forget(all)
	if err != nil && !errors.Is(err, errClosed) {
		j.log.Warn("the Looking Glass can't prune its journal", "journal", j.path, "error", err)
	}
}

func (j *journal) forget(all bool) (err error) {
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
func (j *journal) surplus() (floor int64, err error) {
	kept, enough := 0, false
	err = sqlitex.Execute(j.write, `SELECT count, deflated, body FROM blocks ORDER BY first DESC`, &sqlitex.ExecOptions{ResultFunc: func(st *sqlite.Stmt) error {
		if enough {
			return nil
		}
		kept += st.ColumnInt(0)
		if kept <= j.keep {
			return nil
		}
		enough = true
		surplus := kept - j.keep
		return eachHead(st, 1, func(x *Exchange) {
			if surplus--; surplus >= 0 {
				floor = x.Seq
			}
		})
	}})
	return floor, err
}

// shrink gives back what is not used of the file, if that is much.
func (j *journal) shrink() error {
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
func (j *journal) measure(c *sqlite.Conn) error {
	var count, oldest int64
	err := sqlitex.Execute(c, `SELECT coalesce(sum(count), 0), coalesce(min(oldest), 0) FROM blocks`, &sqlitex.ExecOptions{ResultFunc: func(st *sqlite.Stmt) error {
		count, oldest = st.ColumnInt64(0), st.ColumnInt64(1)
		return nil
	}})
	if err != nil {
		return err
	}
	floor, found := j.floor.Load(), false
	err = sqlitex.Execute(c, `SELECT deflated, body FROM blocks WHERE first <= ?1 AND last > ?1`, &sqlitex.ExecOptions{Args: []any{floor}, ResultFunc: func(st *sqlite.Stmt) error {
		return eachHead(st, 0, func(x *Exchange) {
			switch {
			case x.Seq <= floor:
				count--
			case !found:
				oldest, found = x.Time.UnixMilli(), true
			}
		})
	}})
	j.count.Store(count)
	j.oldest.Store(oldest)
	return err
}

// eachHead goes through the exchanges of a block, of which deflated and body are
// that column and the next, as far as a Query asks about them.
func eachHead(st *sqlite.Stmt, column int, f func(*Exchange)) error {
	text, err := blockText(st, column)
	if err != nil {
		return err
	}
	starts, err := (&unpacker{s: text}).starts()
	for _, at := range starts {
		var x Exchange
		if err := (&unpacker{s: text, at: at}).head(&x); err != nil {
			return err
		}
		f(&x)
	}
	return err
}
