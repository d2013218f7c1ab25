package sqlite

import (
	"cmp"
	"log/slog"
	"runtime"
	"time"

	"github.com/google/uuid"
	"github.com/rollcall-scim/rollcall/scim"
)

// Options configures a DB. The zero value works.
type Options struct {
	// Load and Encode are schema.Load and schema.Encode, which this package
	// must not import. It needs them in one place: a delete takes the
	// references to its resource out of other documents, and records in the
	// change log what the resource held. Without them such documents keep the
	// reference, which leads nowhere and is never shown as a Link.
	Load   func(*scim.Resource) error
	Encode func(*scim.Resource)

	// Type finds a resource type by name, for documents that refer to a
	// deleted resource of another type. nil, or a nil result: the type that
	// calls for this tenant last named, if any.
	Type func(tenant, name string) *scim.ResourceType

	Now          func() time.Time // nil: time.Now
	NewID        func() string    // nil: UUIDs of version 7 (RFC 9562)
	HistoryDays  int              // how long the change log is kept; 0: for ever. The program's default is 400
	UndeleteDays int              // how long what is deleted can be restored; 0: not at all. The program's default is 30
	Logger       *slog.Logger     // nil: slog.Default()

	Readers      int           // connections that read; 0: 4, or one per processor if that is more
	CacheBytes   int64         // page cache of all connections together; 0: 16 MiB
	CommitWindow time.Duration // how long a commit waits for more writes; 0: not at all, those that queued up meanwhile share the next
	CommitMost   int           // writes that share a commit, at most; 0: 64
	SliceRows    int           // rows that one transaction of a delete touches, at most; 0: 10,000

	// Seal makes entries of the audit log of what is committed, once a second. Who
	// serves the database does so.
	Seal bool

	// Committed is told of each commit, and with how many writes, on the writer's
	// own time: it must return at once. nil: nobody is.
	Committed func(writes int, took time.Duration)

	// NoMigrate leaves the tables as they are: Open then fails, with ErrOlder, if
	// they are not those of this program. A new file is made all the same.
	NoMigrate bool

	// UnsafeSynchronousForTests replaces synchronous=FULL, "OFF" or "NORMAL".
	// Acknowledged writes can then be lost: it exists to show that the tests
	// of durability notice.
	UnsafeSynchronousForTests string

	// MaxPagesForTests makes a disk full at so many pages; 0: no bound.
	MaxPagesForTests int64

	// Unfinished opens a copy that is not finished ([Target]), for who goes on
	// with it.
	Unfinished bool

	still bool // for a Target: nothing goes on by itself
}

func (o Options) defaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = func() string { return uuid.Must(uuid.NewV7()).String() }
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.Readers = cmp.Or(o.Readers, max(4, runtime.GOMAXPROCS(0)))
	o.CacheBytes = cmp.Or(o.CacheBytes, 16<<20)
	o.CommitMost = cmp.Or(o.CommitMost, 64)
	o.SliceRows = cmp.Or(o.SliceRows, 10_000)
	o.UnsafeSynchronousForTests = cmp.Or(o.UnsafeSynchronousForTests, "FULL")
	return o
}
