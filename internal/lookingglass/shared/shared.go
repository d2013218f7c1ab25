// Package shared is what the Looking Glass asks of a database in which several
// instances of the program keep their exchanges together.
package shared

import (
	"context"
	"time"
)

// Numbers is how many instances can have a number of their own at the same time.
// The lowest bits of an exchange's number are those of its instance.
const Numbers = 256

// Block is exchanges that one instance recorded, packed, without secrets.
type Block struct {
	First, Last    int64 // numbers of its first and last exchange
	Oldest, Newest int64 // milliseconds since 1970
	Count          int
	Instance       string  // name of the instance
	Touched        []int32 // hashes of the ids that they are about, in order
	Deflated       bool    // Body is
	Body           []byte
}

// Span selects blocks.
type Span struct {
	After, Before int64   // only those with exchanges numbered between
	Touching      []int32 // only those with one of the hashes; nil: all
	Oldest        bool    // in ascending order of First, else in descending order of Last
	Beyond        int64   // only those that come after this First or Last in that order
	Limit         int
}

// Lookup is a value that clients looked for.
type Lookup struct {
	Tenant           string // whose it was; "": that of the Store
	Key              []byte // identifies the value, folded, and the tenant
	Attribute, Value string
	Found            int
	Kind, How        string // of the client that asked last
	First, Last      int64  // milliseconds since 1970
	Times            int
}

// Store keeps the exchanges of a directory, of all its tenants, for one instance among several. Safe for
// concurrent use. None of its calls is waited for by a SCIM request.
type Store interface {
	// Join gives the instance a number below Numbers that no other one has: the
	// one it has, if it still has it. It must be called again every few minutes.
	// now is the time by the clock of the database. A negative number: there is
	// none left.
	Join(ctx context.Context, have int) (number int, now time.Time, err error)
	// Leave gives the number back.
	Leave(ctx context.Context, number int) error
	// Write stores blocks, and counts lookups, all or nothing. It may be called
	// again with what is stored already.
	Write(ctx context.Context, blocks []Block, lookups []Lookup) error
	// Read returns blocks.
	Read(ctx context.Context, s Span) ([]Block, error)
	// Fresh returns blocks that other instances stored in the last moments (30
	// seconds), the latest first, but for those that are known by their First.
	Fresh(ctx context.Context, known []int64, limit int) ([]Block, error)
	// Measure returns how many exchanges there are, and the time of the oldest, in
	// milliseconds since 1970; 0 if there is none.
	Measure(ctx context.Context) (count, oldest int64, err error)
	// Prune forgets blocks that are older than since, and the oldest of those above
	// keep exchanges, and lookups likewise. If another instance is doing so it does
	// nothing.
	Prune(ctx context.Context, keep, lookups int, since time.Time) error
	// Lookups returns the lookups of a tenant with a key, or all of it for nil, the
	// latest first.
	Lookups(ctx context.Context, tenant string, key []byte, limit int) ([]Lookup, error)
	// Forget replaces what is in blocks, which are known by their First, or removes
	// those in which there is nothing, and removes the lookups of a tenant.
	Forget(ctx context.Context, blocks []Block, tenant string) error
	// Erase is Forget, but of lookups it removes those with one of the keys.
	Erase(ctx context.Context, blocks []Block, keys [][]byte) error
	// Close ends the connections.
	Close() error
}
