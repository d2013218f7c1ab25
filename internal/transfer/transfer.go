// Package transfer moves whole directories: from one database to another, into
// a file and out of it. What it moves is a stream of [Record]s, everything that
// a [Source] holds and in an order in which a [Target] can store it: nothing
// that a record refers to comes after it. Only what is being worked on is in
// memory, whatever the size.
//
// It knows no database: the SQL backends implement Source and Target. Package
// transfer/remote reads SCIM servers, which give less than this.
package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

// Kind says what a Record is.
type Kind string

// The kinds, in the order in which a tenant's records come.
const (
	Resources  Kind = "resource"  // Record.Resource, and Record.Tombstone among them, in the order of creation
	Tombstones Kind = "tombstone" // one that is deleted, but to which rows still lead
	Members    Kind = "members"   // Record.Edges: from a group to its members
	Changes    Kind = "change"    // Record.Change
	People     Kind = "people"    // Record.Edges: from a change to the resources it touched beside its own
	Deleted    Kind = "deleted"   // Record.Resource, one that can be restored
	Left       Kind = "left"      // Record.Edges: from a deleted resource to the groups it was in
)

// order is the order of the kinds. Tombstones come among the resources.
var order = [...]Kind{Resources, Members, Changes, People, Deleted, Left}

// Record is one piece of a directory. Which of the pointers is set depends on
// Kind.
type Record struct {
	Tenant string
	Kind   Kind

	Resource  *Resource
	Tombstone *Tombstone
	Edges     *Edges
	Change    *Change

	Next Position // where the source goes on behind this record
}

// Resource is a resource as a database keeps it: Text and Hidden are set, and
// Links are all references of the document, whether or not their target exists.
// [Prepare] adds Type and Attrs.
type Resource struct {
	scim.Resource
	TypeName string
	Seq      int64 // place in the order of creation, which cursors and other records name it by

	Name string    // of a deleted one: by what people knew it
	Time time.Time // and when it was deleted; UTC, ms
}

// Tombstone is a resource whose delete goes on in slices.
type Tombstone struct {
	Seq            int64
	Type, ID       string
	Change         int64 // the record of the delete in the change log
	Actor, Request string
}

// Edges are rows that lead from one thing to others, by their numbers. A source
// cuts long lists into pieces of at most [MostEdges].
type Edges struct {
	From int64
	To   []int64

	// FromID and IDs name the same by ids, where the source was asked for
	// them; "" is one that does not exist any more.
	FromID string
	IDs    []string
}

// MostEdges bounds one Record's Edges.
const MostEdges = 1_000

// Change is an entry of the change log.
type Change struct {
	Seq            int64
	Time           time.Time // UTC, ms
	Type, ID       string
	Res            int64 // Seq of the resource, which may be gone
	Op, Version    string
	Actor, Request string
	Address        string // of the client
	Deltas         []byte // JSON, as package changelog encodes them
}

// Position is a place in a source's stream of records. The zero value is its
// start. It means something to the kind of source that it came from.
type Position struct {
	Tenant string `json:"tenant,omitempty"`
	Kind   Kind   `json:"kind,omitempty"`
	After  int64  `json:"after,omitempty"`
	Then   int64  `json:"then,omitempty"`
	Done   int64  `json:"done,omitempty"` // things that came before, which [Copy] counts
}

// Header is what a source says of itself.
type Header struct {
	ID      string   // the same for the same content of the same directory
	Tenants []Tenant // in the order of their records
	Last    int64    // the greatest Seq of resources that was ever given
	Changes int64    // the greatest Seq of changes that was ever given
	Keys    []byte   // that seal cursors; nil: it does not tell
}

// Tenant is one tenant of a Header.
type Tenant struct {
	Name    string
	Uniques []Unique        // attributes whose values are held unique, or were once
	Records int64           // how many there are, about, to show progress by; members and people count one each
	Access  json.RawMessage // its settings and tokens, as a database packs them; nil: there are none
}

// Unique names an attribute of a resource type.
type Unique struct {
	Type string `json:"type"`
	Path string `json:"path"`
}

// Source is a directory that can be read from any position. One goroutine at a
// time may use it.
type Source interface {
	// Header describes what Records reads.
	Header(ctx context.Context) (Header, error)

	// Records reads what comes after a position of the same source. All of it
	// is of one moment. A record may be kept by whom it is given to. The
	// iterator may be ranged over once; an error ends it.
	Records(ctx context.Context, from Position) iter.Seq2[Record, error]

	// Since returns how much was changed since the moment that Records reads,
	// in changes of resources.
	Since(ctx context.Context) (int64, error)

	Close() error
}

// Target is a database that a directory is brought into. Until Finish it is of
// no use to anybody else, who is told so.
type Target interface {
	// Begin prepares the target, which must be empty or hold what an earlier
	// copy of the same source has left. It returns the position behind what is
	// there. It returns ErrNotEmpty, ErrDone, ErrOtherSource, or ErrBusy.
	Begin(ctx context.Context, h Header) (Position, error)

	// Put stores records, whose Attrs are set, and their position together:
	// all or nothing. It returns ErrBusy if another copy has moved on.
	Put(ctx context.Context, records []Record, next Position) error

	// Finish makes the target a directory like any other.
	Finish(ctx context.Context) error

	Close() error
}

// What a Target may say.
var (
	ErrNotEmpty    = errors.New("the target holds a directory already")
	ErrDone        = errors.New("the target is a finished copy of this source already")
	ErrOtherSource = errors.New("the target is a half-done copy of another directory, or of this one before it was changed; " +
		"empty it and copy again")
	ErrBusy = errors.New("another copy into the same target is under way")
)

// ErrUnfinished is what opening a half-done copy to serve it gives.
var ErrUnfinished = errors.New("the database is a copy that was not finished; run the same \"rollcall copy\" or \"rollcall import\" again")

// State is what a target keeps of a copy until it is finished.
type State struct {
	Source string   `json:"source"` // Header.ID
	Next   Position `json:"next"`
	Holds  []string `json:"holds,omitempty"` // types of resources that can have members, if the target must know
}
