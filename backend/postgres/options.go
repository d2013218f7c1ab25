package postgres

import (
	"cmp"
	"io/fs"
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
	// calls for this tenant last named to this instance, if any.
	Type func(tenant, name string) *scim.ResourceType

	Now          func() time.Time // nil: time.Now
	NewID        func() string    // nil: UUIDs of version 7 (RFC 9562)
	HistoryDays  int              // how long the change log is kept; 0: for ever. The program's default is 400
	UndeleteDays int              // how long what is deleted can be restored; 0: not at all. The program's default is 30
	Logger       *slog.Logger     // nil: slog.Default()

	SliceRows int // rows that one transaction of a delete touches, at most; 0: 10,000
	MaxConns  int // connections of this instance, at most; 0: 10, or four per processor if that is more

	// StatementTimeout bounds each statement, on the server and, for a server
	// that does not answer any more, here too; 0: 30 seconds.
	StatementTimeout time.Duration

	// Seal makes entries of the audit log of what is committed, once a second. Who
	// serves the database does so: of several instances one.
	Seal bool

	// NoMigrate leaves the tables as they are: Open then fails if they are not
	// those of this program.
	NoMigrate bool

	// Unfinished opens a copy that is not finished ([Target]), for who goes on
	// with it.
	Unfinished bool

	// DatabaseNow is the database's clock, by which the breaker counts, for tests;
	// nil: that.
	DatabaseNow func() time.Time

	// Migrations replaces the program's own, for tests; nil: those.
	Migrations fs.FS
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
	o.SliceRows = cmp.Or(o.SliceRows, 10_000)
	o.MaxConns = cmp.Or(o.MaxConns, max(10, 4*runtime.GOMAXPROCS(0)))
	o.StatementTimeout = cmp.Or(o.StatementTimeout, 30*time.Second)
	if o.Migrations == nil {
		o.Migrations = ownMigrations()
	}
	return o
}
