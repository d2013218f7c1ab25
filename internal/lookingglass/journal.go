package lookingglass

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// journalVersion is the user_version of a journal that this program reads.
const journalVersion = 1

// ddl makes a journal. Exchanges are JSON, deflated where that pays.
const ddl = `
CREATE TABLE exchanges (
	seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, client TEXT NOT NULL, op TEXT NOT NULL, type TEXT NOT NULL,
	status INTEGER NOT NULL, text TEXT NOT NULL, deflated INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX exchanges_by_time ON exchanges (time);
CREATE TABLE touched (seq INTEGER NOT NULL, id TEXT NOT NULL, PRIMARY KEY (seq, id)) WITHOUT ROWID;
CREATE INDEX touched_by_id ON touched (id, seq);
CREATE TABLE lookups (
	folded TEXT NOT NULL, attribute TEXT NOT NULL, value TEXT NOT NULL, found INTEGER NOT NULL, client TEXT NOT NULL, how TEXT NOT NULL,
	first INTEGER NOT NULL, last INTEGER NOT NULL, times INTEGER NOT NULL, PRIMARY KEY (folded, attribute)) WITHOUT ROWID;
CREATE INDEX lookups_by_time ON lookups (last);
CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL);
INSERT INTO state VALUES (1, 0);
PRAGMA user_version = 1;
`

// The journal's bounds.
const (
	deflateFrom   = 16 << 10 // bytes of JSON; to pack what is shorter costs more than it saves
	batchMost     = 500      // exchanges
	batchWait     = 200 * time.Millisecond
	pendingMost   = 4096
	pendingBytes  = 4 << 20
	lookupsMost   = 100_000
	sqliteCacheKB = 4 << 10
)

// journal keeps exchanges on disk, in a SQLite file of its own, so that nobody
// who writes the directory waits for it.
type journal struct {
	path       string
	keep, days int
	now        func() time.Time
	log        *slog.Logger

	mu      sync.Mutex
	pending []*Exchange
	bytes   int64
	taken   int64         // Seq of the newest that was added
	stored  int64         // Seq of the newest that is written, or lost
	moved   chan struct{} // closed and made anew when stored moves
	failing bool          // the last batch was lost
	count   atomic.Int64  // exchanges
	oldest  atomic.Int64  // ms
	start   int64

	wake, stop, done chan struct{}

	write *sqlite.Conn // of the writer
	reads sync.Mutex
	read  *sqlite.Conn
}

var errNewer = errors.New("it was written by a newer version of this program")

// openJournal opens the journal, or makes it. One that can't be read is set
// aside.
func openJournal(o Options) (*journal, error) {
	j := &journal{path: o.Journal, keep: o.Keep, days: o.Days, now: o.Now, log: o.Logger, moved: make(chan struct{}),
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	if err := j.open(); err != nil {
		if err := j.setAside(err); err != nil {
			return nil, err
		}
	}
	j.stored = j.start
	j.taken = j.start
	go j.loop()
	return j, nil
}

func (j *journal) open() (err error) {
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
	if j.write, err = connect(j.path, "journal_mode = WAL", "synchronous = NORMAL", "auto_vacuum = INCREMENTAL", "journal_size_limit = 16777216"); err != nil {
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
		if err := sqlitex.ExecuteScript(j.write, ddl, nil); err != nil {
			return err
		}
	}
	if j.start, err = number(j.write, `SELECT max(seq, (SELECT coalesce(max(seq), 0) FROM exchanges)) FROM state`); err != nil {
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
func (j *journal) setAside(cause error) error {
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

// measure counts what is there.
func (j *journal) measure(c *sqlite.Conn) error {
	n, err := number(c, `SELECT count(*) FROM exchanges`)
	if err != nil {
		return err
	}
	oldest, err := number(c, `SELECT coalesce(min(time), 0) FROM exchanges`)
	j.count.Store(n)
	j.oldest.Store(oldest)
	return err
}

// last returns the greatest Seq that was ever used.
func (j *journal) last() int64 { return j.start }

// add takes an exchange, unless too many wait. It does not wait itself.
func (j *journal) add(x *Exchange) bool {
	size := x.memory()
	j.mu.Lock()
	j.taken = x.Seq
	fits := len(j.pending) < pendingMost && j.bytes+size <= pendingBytes
	if fits {
		j.pending = append(j.pending, x)
		j.bytes += size
	}
	full := len(j.pending) >= batchMost
	j.mu.Unlock()
	if full {
		j.nudge()
	}
	return fits
}

func (j *journal) nudge() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// loop writes what waits, several times a second, and prunes.
func (j *journal) loop() {
	defer close(j.done)
	timer := time.NewTicker(batchWait)
	defer timer.Stop()
	j.prune()
	hourly := j.now()
	for {
		select {
		case <-timer.C:
		case <-j.wake:
		case <-j.stop:
			j.batch()
			return
		}
		j.batch()
		if now := j.now(); j.count.Load() > int64(j.keep+j.keep/20) || now.Sub(hourly) > time.Hour {
			hourly = now
			j.prune()
		}
	}
}

// batch writes what waits in one transaction. What can't be written is lost to
// the journal, and the log says so once.
func (j *journal) batch() {
	j.mu.Lock()
	list, upTo := j.pending, j.taken
	j.pending, j.bytes = nil, 0
	j.mu.Unlock()
	if len(list) > 0 {
		err := j.store(list)
		if code := sqlite.ErrCode(err).ToPrimary(); err != nil && (code == sqlite.ResultCorrupt || code == sqlite.ResultNotADB) {
			if err = j.renew(err); err == nil {
				err = j.store(list)
			}
		}
		if err != nil && !j.failing {
			j.log.Error("the Looking Glass can't write its journal", "journal", j.path, "error", err, "lost", len(list))
		}
		j.failing = err != nil
	}
	j.mu.Lock()
	if j.stored != upTo {
		j.stored = upTo
		close(j.moved)
		j.moved = make(chan struct{})
	}
	j.mu.Unlock()
}

// renew begins a new journal in place of one that turned out to be damaged.
func (j *journal) renew(cause error) error {
	j.reads.Lock()
	defer j.reads.Unlock()
	j.closeConns()
	return j.setAside(cause)
}

func (j *journal) closeConns() {
	for _, c := range []**sqlite.Conn{&j.write, &j.read} {
		if *c != nil {
			if err := (*c).Close(); err != nil {
				j.log.Debug("closing the journal", "error", err)
			}
			*c = nil
		}
	}
}

var errClosed = errors.New("the journal is closed")

func (j *journal) store(list []*Exchange) (err error) {
	if j.write == nil {
		return errClosed
	}
	end, err := sqlitex.ImmediateTransaction(j.write)
	if err != nil {
		return err
	}
	defer end(&err)
	exchange := j.write.Prep(`INSERT OR REPLACE INTO exchanges VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`)
	touch := j.write.Prep(`INSERT OR IGNORE INTO touched VALUES (?, ?)`)
	look := j.write.Prep(`INSERT INTO lookups VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, 1)
		ON CONFLICT DO UPDATE SET value = ?3, found = ?4, client = ?5, how = ?6, last = ?7, times = times + 1`)
	for _, x := range list {
		body, deflated, err := pack(x)
		if err != nil {
			return err
		}
		at := x.Time.UnixMilli()
		if err := run(exchange, x.Seq, at, x.Client.Kind, x.Op, x.Type, x.Status, haystack(x), deflated, body); err != nil {
			return err
		}
		for _, id := range x.Touched {
			if err := run(touch, x.Seq, id); err != nil {
				return err
			}
		}
		if l := x.Lookup; l != nil {
			if err := run(look, foldValue(l.Value), l.Attribute, l.Value, l.Found, x.Client.Kind, x.Client.How, at); err != nil {
				return err
			}
		}
	}
	if err := run(j.write.Prep(`UPDATE state SET seq = ?`), list[len(list)-1].Seq); err != nil {
		return err
	}
	if j.count.Add(int64(len(list))) == int64(len(list)) {
		j.oldest.Store(list[0].Time.UnixMilli())
	}
	return nil
}

// run executes a statement that returns nothing.
func run(st *sqlite.Stmt, args ...any) error {
	for i, a := range args {
		switch a := a.(type) {
		case int64:
			st.BindInt64(i+1, a)
		case int:
			st.BindInt64(i+1, int64(a))
		case bool:
			st.BindBool(i+1, a)
		case string:
			st.BindText(i+1, a)
		case []byte:
			st.BindBytes(i+1, a)
		}
	}
	_, err := st.Step()
	return errors.Join(err, st.Reset())
}

var deflaters = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.BestSpeed) // the level is one there is
	return w
}}

// pack returns an exchange as it is stored.
func pack(x *Exchange) (body []byte, deflated bool, err error) {
	text, err := json.Marshal(x)
	if err != nil || len(text) < deflateFrom {
		return text, false, err
	}
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	var b bytes.Buffer
	b.Grow(len(text) / 3)
	w.Reset(&b)
	if _, err := w.Write(text); err != nil {
		return nil, false, err
	}
	err = w.Close() // which writes the rest
	return b.Bytes(), true, err
}

// prune forgets what is too much or too old.
func (j *journal) prune() {
	err := j.forget()
	if err != nil && !errors.Is(err, errClosed) {
		j.log.Warn("the Looking Glass can't prune its journal", "journal", j.path, "error", err)
	}
}

func (j *journal) forget() (err error) {
	if j.write == nil {
		return errClosed
	}
	since := j.now().AddDate(0, 0, -j.days).UnixMilli()
	first, err := number(j.write, `SELECT max(
		coalesce((SELECT seq FROM exchanges ORDER BY time DESC, seq DESC LIMIT 1 OFFSET ?1), 0),
		coalesce((SELECT seq FROM exchanges WHERE time < ?2 ORDER BY time DESC, seq DESC LIMIT 1), 0))`, j.keep, since)
	if err != nil {
		return err
	}
	end, err := sqlitex.ImmediateTransaction(j.write)
	if err != nil {
		return err
	}
	err = errors.Join(
		run(j.write.Prep(`DELETE FROM touched WHERE seq <= ?`), first),
		run(j.write.Prep(`DELETE FROM exchanges WHERE seq <= ?`), first),
		run(j.write.Prep(`DELETE FROM lookups WHERE last < max(?1, coalesce((SELECT last FROM lookups ORDER BY last DESC LIMIT 1 OFFSET ?2), 0))`), since, lookupsMost))
	if end(&err); err != nil {
		return err
	}
	if err := sqlitex.ExecuteTransient(j.write, `PRAGMA incremental_vacuum`, nil); err != nil {
		return err
	}
	return j.measure(j.write)
}

// flush waits until all that was added is written, or lost.
func (j *journal) flush(ctx context.Context) error {
	j.mu.Lock()
	upTo := j.taken
	j.mu.Unlock()
	return j.wait(ctx, upTo)
}

// wait is flush for what has a Seq up to upTo.
func (j *journal) wait(ctx context.Context, upTo int64) error {
	for {
		j.mu.Lock()
		reached, moved := j.stored >= min(upTo, j.taken), j.moved
		j.mu.Unlock()
		if reached {
			return ctx.Err()
		}
		j.nudge()
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		case <-j.done:
			return errClosed
		}
	}
}

func (j *journal) stats() (kept int64, oldest time.Time) {
	if ms := j.oldest.Load(); ms > 0 {
		oldest = time.UnixMilli(ms).UTC()
	}
	return j.count.Load(), oldest
}

// memory is about what the journal takes of it.
func (j *journal) memory() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.bytes + 2*sqliteCacheKB<<10
}

// close writes what waits and closes the file.
func (j *journal) close() error {
	close(j.stop)
	<-j.done
	j.reads.Lock()
	defer j.reads.Unlock()
	var err error
	for _, c := range []*sqlite.Conn{j.read, j.write} {
		if c != nil {
			err = errors.Join(err, c.Close())
		}
	}
	j.read, j.write = nil, nil
	return err
}
