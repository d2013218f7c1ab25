package postgres

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/internal/transfer"
	"github.com/rollcall-scim/rollcall/scim"
)

// Open opens the database at url, in the form of libpq
// (postgres://user:password@host,host/name?sslmode=verify-full, with
// target_session_attrs and the like), and brings it to this program's schema
// unless Options.NoMigrate. Any number of instances may do so at the same time.
// Its error is one line that says what is wrong, without the password; it is
// ErrNewer for a database that this program is too old for.
func Open(ctx context.Context, url string, o Options) (*DB, error) {
	db := &DB{o: o.defaults()}
	db.nextAnalyze.Store(analyzeFirst)
	db.life, db.end = context.WithCancel(context.Background())
	if err := db.open(ctx, url); err != nil {
		db.end()
		if db.pool != nil {
			db.pool.Close()
		}
		return nil, explain(err)
	}
	return db, nil
}

func (db *DB) open(ctx context.Context, url string) error {
	config, err := db.config(url)
	if err != nil {
		return err
	}
	if err := db.prepare(ctx, config.ConnConfig); err != nil {
		return err
	}
	if err := db.connect(ctx, config); err != nil {
		return err
	}
	unfinished, removing := false, false
	err = db.Tenant("").peek(ctx, func(t *session) (err error) {
		if err := t.makeKeys(ctx); err != nil {
			return err
		}
		if _, half, err := t.one(ctx, `SELECT 1 FROM meta WHERE tenant = 0 AND key = 'transfer'`); err != nil || half && !db.o.Unfinished {
			return cmp.Or(err, transfer.ErrUnfinished)
		}
		if _, removing, err = t.one(ctx, `SELECT 1 FROM tenants WHERE removed IS NOT NULL LIMIT 1`); err == nil {
			unfinished, err = t.unfinished(ctx)
		}
		return err
	})
	if err != nil {
		return err
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
	db.spawn(func() { db.watch(config.ConnConfig.Copy()) })
	return nil
}

// Close waits for what is under way and closes the connections. Calls that come
// later fail.
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
	db.pool.Close()
	return nil
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

// Ping returns nil if the database answers, can be written to, and may still be
// served by this program.
func (db *DB) Ping(ctx context.Context) error {
	return db.Tenant("").peek(ctx, func(t *session) error {
		from, err := t.servesFrom(ctx)
		if err != nil {
			return err
		}
		if from > db.version {
			return unavailable(tooOld(from, db.version), tooOld(from, db.version).Error())
		}
		// A copy that begins sees only instances that have announced themselves.
		if _, half, err := t.one(ctx, `SELECT 1 FROM meta WHERE tenant = 0 AND key = 'transfer'`); err != nil || half && !db.o.Unfinished {
			return cmp.Or(err, unavailable(transfer.ErrUnfinished, transfer.ErrUnfinished.Error()))
		}
		_, readOnly, err := t.one(ctx, `SELECT 1 WHERE current_setting('transaction_read_only')::boolean`)
		if err == nil && readOnly {
			err = scim.Unavailable(errors.New("postgres: the database is read-only"))
		}
		return err
	})
}

// Ping implements scim.Pinger.
func (s *Store) Ping(ctx context.Context) error { return s.db.Ping(ctx) }

// CursorKeys returns the keys that seal cursors, 32 random bytes each: the
// first seals, all open. They are made with the database and live in it, so
// that a cursor is good on every instance. If somebody removes them, new ones are
// made.
func (db *DB) CursorKeys(ctx context.Context) ([][]byte, error) {
	var keys [][]byte
	err := db.Tenant("").peek(ctx, func(t *session) (err error) {
		if keys, err = t.keys(ctx); err != nil || len(keys) > 0 {
			return err
		}
		if err = t.makeKeys(ctx); err == nil {
			keys, err = t.keys(ctx)
		}
		return err
	})
	return keys, err
}

func (t *session) keys(ctx context.Context) (keys [][]byte, err error) {
	err = t.each(ctx, `SELECT value FROM meta WHERE tenant = 0 AND key = 'cursor keys'`, func(r pgx.Rows) error {
		var ring []byte
		err := r.Scan(&ring)
		for len(ring) >= keySize {
			keys, ring = append(keys, ring[:keySize:keySize]), ring[keySize:]
		}
		return err
	})
	return keys, err
}

const keySize = 32

// makeKeys makes the keys of cursors, if another instance has not.
func (t *session) makeKeys(ctx context.Context) error {
	_, there, err := t.one(ctx, `SELECT 1 FROM meta WHERE tenant = 0 AND key = 'cursor keys'`)
	if err != nil || there {
		return err
	}
	key := make([]byte, keySize)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	_, err = t.exec(ctx, `INSERT INTO meta (tenant, key, value) VALUES (0, 'cursor keys', $1) ON CONFLICT DO NOTHING`, key)
	return err
}
