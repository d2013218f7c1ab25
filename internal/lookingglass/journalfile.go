package lookingglass

import (
	"errors"
	"fmt"
	"os"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// journalVersion is the user_version of a journal that this program reads.
const journalVersion = 3

// blocksDDL makes the table of exchanges: those that were written at the same
// time, without a gap from first to last, are one row, which has the hashes of
// all that they touched.
const blocksDDL = `
CREATE TABLE blocks (
	first INTEGER PRIMARY KEY, last INTEGER NOT NULL, oldest INTEGER NOT NULL, newest INTEGER NOT NULL,
	ids BLOB NOT NULL, deflated INTEGER NOT NULL, body BLOB NOT NULL);
`

// lookupsDDL makes the table of what clients looked for. "" is the program's own
// tenant.
const lookupsDDL = `
CREATE TABLE lookups (
	tenant TEXT NOT NULL, folded TEXT NOT NULL, attribute TEXT NOT NULL, value TEXT NOT NULL, found INTEGER NOT NULL, client TEXT NOT NULL, how TEXT NOT NULL,
	first INTEGER NOT NULL, last INTEGER NOT NULL, times INTEGER NOT NULL, PRIMARY KEY (tenant, folded, attribute)) WITHOUT ROWID;
CREATE INDEX lookups_by_time ON lookups (last);
PRAGMA user_version = 3;
`

// ownedLookups brings the lookups of versions 1 and 2, when there was one tenant.
const ownedLookups = `
DROP INDEX lookups_by_time;
ALTER TABLE lookups RENAME TO lookups_before;
` + lookupsDDL + `
INSERT INTO lookups SELECT '', folded, attribute, value, found, client, how, first, last, times FROM lookups_before;
DROP TABLE lookups_before;
`

// ddl makes the rest of a journal.
const ddl = `
CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL);
INSERT INTO state VALUES (1, 0);
`

// forgetV1 drops the exchanges of version 1, which had a row for each.
const forgetV1 = `
UPDATE state SET seq = max(seq, (SELECT coalesce(max(seq), 0) FROM exchanges));
DROP TABLE exchanges;
DROP TABLE touched;
`

var errNewer = errors.New("it was written by a newer version of this program")

func (j *fileJournal) open() (err error) {
	defer func() {
		if err != nil {
			j.closeConns()
		}
	}()
	f, err := os.OpenFile(j.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o600), f.Close()); err != nil {
		return err
	}
	if j.write, err = connect(j.path, "page_size = 8192", "journal_mode = WAL", "synchronous = NORMAL", "auto_vacuum = INCREMENTAL", "journal_size_limit = 16777216"); err != nil {
		return err
	}
	version, err := number(j.write, `PRAGMA user_version`)
	switch {
	case err != nil:
		return err
	case version > journalVersion:
		return errNewer
	case version == 0:
		if n, err := number(j.write, `SELECT count(*) FROM sqlite_schema`); err != nil || n > 0 {
			return errors.Join(errors.New("it is no journal of this program"), err)
		}
		if err := sqlitex.ExecuteScript(j.write, ddl+blocksDDL+lookupsDDL, nil); err != nil {
			return err
		}
	case version == 1:
		if err := sqlitex.ExecuteScript(j.write, forgetV1+blocksDDL+ownedLookups, nil); err != nil {
			return err
		}
		j.log.Warn("the Looking Glass forgets the exchanges of an earlier version's journal", "journal", j.path)
	case version == 2:
		if err := sqlitex.ExecuteScript(j.write, ownedLookups, nil); err != nil {
			return err
		}
	}
	if j.start, err = number(j.write, `SELECT max(seq, (SELECT coalesce(max(last), 0) FROM blocks)) FROM state`); err != nil {
		return err
	}
	if err := j.measure(j.write); err != nil {
		return err
	}
	j.read, err = connect(j.path, "query_only = ON")
	return err
}

// connect opens a connection with a small cache.
func connect(path string, pragmas ...string) (*sqlite.Conn, error) {
	c, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, err
	}
	c.SetBusyTimeout(5 * time.Second)
	for _, p := range append(pragmas, fmt.Sprintf("cache_size = -%d", sqliteCacheKB)) {
		if err := sqlitex.ExecuteTransient(c, "PRAGMA "+p, nil); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return c, nil
}

func number(c *sqlite.Conn, query string, args ...any) (n int64, err error) {
	err = sqlitex.Execute(c, query, &sqlitex.ExecOptions{Args: args, ResultFunc: func(st *sqlite.Stmt) error {
		n = st.ColumnInt64(0)
		return nil
	}})
	return n, err
}

// setAside moves a journal that can't be used out of the way, over the one that
// was moved there before, and begins a new one.
func (j *fileJournal) setAside(cause error) error {
	aside := j.path + ".damaged"
	if errors.Is(cause, errNewer) {
		aside = j.path + ".newer"
	}
	if err := os.Rename(j.path, aside); err != nil {
		return errors.Join(cause, err)
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		err := errors.Join(ignoreMissing(os.Remove(aside+suffix)), ignoreMissing(os.Rename(j.path+suffix, aside+suffix)))
		if err != nil {
			return errors.Join(cause, err)
		}
	}
	j.log.Warn("the Looking Glass begins a new journal; the old one is set aside", "journal", j.path, "aside", aside, "cause", cause)
	return j.open()
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
