// Package sqlite is the embedded backend: every tenant in one SQLite file.
//
// A [DB] is the file, with one connection that writes and several that read; a
// [Store] is one tenant in it, and implements scim.Backend. Concurrent writes
// share a transaction and its fsync, each all or nothing by itself and
// acknowledged only once it is durable; readers never wait for the writer.
//
// Documents are stored as the text that the engine encoded and returned as
// such. Beside them stand the rows that filters, uniqueness, membership,
// references and the change log need.
//
// The file is this package's own, which makes and migrates its tables. For
// people in tables of an application's own, see package sqlfilter and
// examples/saas.
package sqlite

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/rollcall-scim/rollcall/scim"
)

// DB is an open database. Safe for concurrent use.
type DB struct {
	path    string
	o       Options
	writer  *writer
	readers *pool
	names   atomic.Pointer[names] // as last committed
	types   sync.Map              // typeKey → *scim.ResourceType, as last used
	life    context.Context       // ends with Close
	end     context.CancelFunc
	tasks   sync.WaitGroup
	mu      sync.Mutex
	closed  bool // under mu
}

// Store is one tenant of a DB. Safe for concurrent use.
type Store struct {
	db     *DB
	tenant string
	pk     int64 // of the tenant it is for, if that was found; 0: whoever has the name
}

var (
	_ scim.Backend       = (*Store)(nil)
	_ scim.MemberUpdater = (*Store)(nil)
	_ scim.Batcher       = (*Store)(nil)
	_ scim.Importer      = (*Store)(nil)
	_ scim.Pinger        = (*Store)(nil)
	_ scim.ChangeFeed    = (*Store)(nil)
	_ scim.Undeleter     = (*Store)(nil)
)

// Tenant returns the store of the tenant called name. A tenant comes into
// being with its first resource. A server serves those that are there: [DB.For].
func (db *DB) Tenant(name string) *Store { return &Store{db: db, tenant: name} }

// Ping returns nil if the database can be read and its writer runs.
func (s *Store) Ping(ctx context.Context) error {
	return s.read(ctx, func(t *session) error {
		return t.exec(`SELECT count(*) FROM meta`)
	})
}
