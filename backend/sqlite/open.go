package sqlite

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"zombiezen.com/go/sqlite"

	"github.com/rollcall-scim/rollcall/internal/transfer"
)

// Open opens the database file at path, creating it (mode 0600, in a folder
// that exists) or bringing it to this program's schema. Its error is one line
// that says what is wrong with the file; it is ErrNewer for a database of a
// newer program. The caller sees to it that no other process has it open.
func Open(ctx context.Context, path string, o Options) (*DB, error) {
	db := &DB{path: path, o: o.defaults()}
	db.life, db.end = context.WithCancel(context.Background())
	if err := db.open(ctx); err != nil {
		db.end()
		return nil, fmt.Errorf("sqlite: %s: %w", path, explain(err))
	}
	return db, nil
}

func (db *DB) open(ctx context.Context) (err error) {
	if err := prepareFile(db.path); err != nil {
		return err
	}
	if _, err := migrate(ctx, db.path, db.o.NoMigrate); err != nil {
		return err
	}
	w := &writer{db: db, queue: make(chan *job, 4*db.o.CommitMost), settled: map[int64]settled{}, closing: make(chan struct{}), done: make(chan struct{})}
	var readers []*conn
	defer func() {
		if err == nil {
			return
		}
		for _, c := range append(readers, w.conn) {
			if c != nil {
				err = errors.Join(err, c.Close())
			}
		}
	}()
	// The writer touches index pages all over, so it has a third of the cache.
	cache := func(share int64) string { return fmt.Sprintf("cache_size = -%d", max(share/1024, 256)) }
	const flags = sqlite.OpenReadWrite
	w.conn, err = openConn(db.path, flags, "journal_mode = WAL", "synchronous = "+db.o.UnsafeSynchronousForTests,
		"foreign_keys = ON", "temp_store = MEMORY", "wal_autocheckpoint = 4000",
		"journal_size_limit = 67108864", cache(db.o.CacheBytes/3))
	if err != nil {
		return err
	}
	w.conn.SetBusyTimeout(busyTimeout)
	if err := verify(w.conn, db.o.UnsafeSynchronousForTests); err != nil {
		return err
	}
	if n := db.o.MaxPagesForTests; n > 0 {
		if err := w.conn.once(fmt.Sprintf("PRAGMA max_page_count = %d", n)); err != nil {
			return err
		}
	}
	if w.names, err = loadNames(w.conn); err != nil {
		return err
	}
	db.names.Store(w.names.clone())
	if !db.o.still && !db.o.Unfinished {
		half, err := w.conn.text(readState)
		if err != nil {
			return err
		}
		if half != "" {
			return transfer.ErrUnfinished
		}
	}
	if w.seq, _, err = w.conn.one(`SELECT seq FROM sqlite_sequence WHERE name = 'resources'`); err != nil {
		return err
	}
	if err := makeKeys(w.conn); err != nil {
		return err
	}
	for range db.o.Readers {
		c, err := openConn(db.path, flags, "query_only = ON", "temp_store = MEMORY",
			cache(db.o.CacheBytes*2/3/int64(db.o.Readers)))
		if err != nil {
			return err
		}
		c.SetBusyTimeout(busyTimeout)
		c.arm()
		readers = append(readers, c)
	}
	db.readers = newPool(readers)
	db.writer = w
	_, unfinished, err := w.conn.one(`SELECT 1 FROM doomed LIMIT 1`)
	if err != nil {
		return err
	}
	_, removing, err := w.conn.one(`SELECT 1 FROM tenants WHERE removed > 0 LIMIT 1`)
	if err != nil {
		return err
	}
	go w.loop()
	if db.o.still {
		return nil
	}
	if unfinished {
		db.spawn(db.finishDeletes)
	}
	if removing {
		db.spawn(db.finishRemovals)
	}
	db.spawn(db.pruneForever)
	if db.o.Seal {
		db.spawn(db.sealForever)
	}
	return nil
}

// prepareFile creates the file, or checks that it may be written. A file
// without a write bit is refused even to root, who could write it: somebody
// meant it.
func prepareFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("not a regular file")
	case info.Mode().Perm()&0o222 == 0:
		return errReadOnly
	}
	return nil
}

var errReadOnly = errors.New("the file is read-only; the directory must be able to write it")

// verify makes sure that SQLite does what durability rests on.
func verify(c *conn, synchronous string) error {
	want := map[string]int64{"OFF": 0, "NORMAL": 1, "FULL": 2, "EXTRA": 3}[synchronous]
	if got, _, err := c.one(`PRAGMA synchronous`); err != nil || got != want {
		return errors.Join(fmt.Errorf("synchronous is %d, not %s", got, synchronous), err)
	}
	if on, _, err := c.one(`PRAGMA foreign_keys`); err != nil || on != 1 {
		return errors.Join(errors.New("foreign keys are off"), err)
	}
	mode := ""
	err := c.each(`PRAGMA journal_mode`, func(st *sqlite.Stmt) error {
		mode = st.ColumnText(0)
		return nil
	})
	if err != nil || mode != "wal" {
		return errors.Join(fmt.Errorf("the journal mode is %q, not WAL: does the file system lack shared memory?", mode), err)
	}
	return nil
}

// explain puts the cause of a failed start into words.
func explain(err error) error {
	var coded interface{ Code() int } // the driver that migrations use
	code := sqlite.ErrCode(err)
	if errors.As(err, &coded) {
		code = sqlite.ResultCode(coded.Code())
	}
	switch code.ToPrimary() {
	case sqlite.ResultNotADB, sqlite.ResultCorrupt:
		return fmt.Errorf("the file is damaged, or is no database of this program; restore it from a backup: %w", err)
	case sqlite.ResultReadOnly:
		return fmt.Errorf("%w: %w", errReadOnly, err)
	case sqlite.ResultFull:
		return fmt.Errorf("the disk is full: %w", err)
	case sqlite.ResultBusy, sqlite.ResultLocked:
		return fmt.Errorf("another process uses the database: %w", err)
	}
	return err
}

// Close finishes the writes that are under way and closes the file. Calls that
// come later fail.
func (db *DB) Close() error {
	db.mu.Lock()
	again := db.closed
	db.closed = true
	db.mu.Unlock()
	if again {
		return nil
	}
	db.end()
	db.tasks.Wait()
	close(db.writer.closing)
	<-db.writer.done
	return errors.Join(db.readers.Close(), db.writer.conn.Close())
}

// spawn runs f beside the callers, unless the DB is closed; Close waits for it.
func (db *DB) spawn(f func()) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return false
	}
	db.tasks.Go(f)
	return true
}

// CursorKeys returns the keys that seal cursors, 32 random bytes each: the
// first seals, all open. They are made with the database and live in it, so
// that a cursor survives a restart.
func (db *DB) CursorKeys(ctx context.Context) ([][]byte, error) {
	var keys [][]byte
	err := db.Tenant("").peek(ctx, func(t *session) error {
		return t.each(`SELECT value FROM meta WHERE key = 'cursor keys'`, func(st *sqlite.Stmt) error {
			ring := columnBytes(st, 0)
			for len(ring) >= keySize {
				keys, ring = append(keys, ring[:keySize:keySize]), ring[keySize:]
			}
			return nil
		})
	})
	return keys, err
}

const keySize = 32

func makeKeys(c *conn) error {
	key := make([]byte, keySize)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	return c.exec(`INSERT OR IGNORE INTO meta (key, value) VALUES ('cursor keys', ?)`, key)
}
