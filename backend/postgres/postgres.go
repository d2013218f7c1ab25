// Package postgres is the backend for more than one machine: every tenant in
// one PostgreSQL database (15 or newer), served by any number of instances.
//
// A [DB] is the database, with a pool of connections; a [Store] is one tenant
// in it, and implements scim.Backend. Nothing that another instance could
// change is kept in memory. Locks, uniqueness and the order of writes are the
// database's: there are no triggers, no notifications and no advisory locks,
// but for the one that lets a single instance migrate.
//
// Documents are stored as the text that the engine encoded and returned as
// such. Beside them stand the rows that filters, uniqueness, membership,
// references and the change log need. Every key begins with the tenant, and
// every statement names the tenant of each table.
//
// While the database can't be reached, calls fail with scim.Unavailable, and
// they succeed again once it can.
package postgres

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rollcall-scim/rollcall/scim"
)

// DB is an open database. Safe for concurrent use.
type DB struct {
	o           Options
	pool        *pgxpool.Pool
	version     int64           // of the schema that this program knows
	tenants     sync.Map        // name → int32, until a connection is made; a number never changes its tenant
	nesting     sync.Map        // numbers of tenants in which groups were seen in groups
	convoys     sync.Map        // convoyKey → *convoy
	gone        sync.Map        // numbers of tenants that were removed through this DB
	types       sync.Map        // typeKey → *scim.ResourceType, as last used
	away        atomic.Bool     // the server does not answer, as watch found last
	made        atomic.Int64    // resources that this program has stored
	nextAnalyze atomic.Int64    // at how many of them the tables are measured
	life        context.Context // ends with Close
	end         context.CancelFunc
	tasks       sync.WaitGroup
	mu          sync.Mutex
	closed      bool                                      // under mu
	note        func(query string, args []any, once bool) // for tests: told of each statement; nil: nobody
	flushed     func()                                    // for tests: told of each round trip; nil: nobody
}

// Store is one tenant of a DB. Safe for concurrent use.
type Store struct {
	db     *DB
	tenant string
	pk     int32 // of the tenant it is for, if that was found; 0: whoever has the name
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
// being with its first write. A server serves those that are there: [DB.For].
func (db *DB) Tenant(name string) *Store { return &Store{db: db, tenant: name} }

// remember keeps a resource type for deletes that reach documents of a type
// which the call does not name.
func (db *DB) remember(tenant string, rt *scim.ResourceType) {
	key := typeKey{tenant, rt.Name}
	if have, ok := db.types.Load(key); !ok || have.(*scim.ResourceType) != rt {
		db.types.Store(key, rt)
	}
}

type typeKey struct{ tenant, name string }

// resourceType finds the schema of a type by its name, or nil.
func (t *session) resourceType(name string) *scim.ResourceType {
	if t.db.o.Type != nil {
		if rt := t.db.o.Type(t.store.tenant, name); rt != nil {
			return rt
		}
	}
	rt, _ := t.db.types.Load(typeKey{t.store.tenant, name})
	found, _ := rt.(*scim.ResourceType)
	return found
}
