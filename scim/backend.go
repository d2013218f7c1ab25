package scim

import (
	"context"
	"time"
)

// Backend stores the resources of one tenant. Package scimtest is this
// contract as a test suite, and package memory its plainest implementation.
//
// A Backend never sees protocol: names are in schema spelling, values have the
// Go types of [AttributeType], filters are bound, PATCH has been applied,
// required and mutability have been checked. Of the integrity of the directory
// it owns what needs a transaction: identifiers, versions, uniqueness,
// membership and references.
//
// Methods are safe for concurrent use, keep or return no reference to a
// caller's Resource, leave everything as it was when they return an error, and
// return ctx's error once ctx is done. A method may return any [*Error], which
// the client is sent as it is; any other error becomes a 500 with a fixed
// text. A write that returns nil is durable.
type Backend interface {
	// Create stores r, choosing its ID and Meta, and returns what it stored,
	// as Get would. Created equals LastModified. It returns an ErrUniqueness
	// ([NotUnique]) if a value of an attribute with uniqueness "server" or
	// "global" is taken, compared by [Fold] within the resource type, and
	// [InvalidReference] if a member does not exist.
	Create(ctx context.Context, r *Resource) (*Resource, error)

	// Get returns a resource, or ErrNotFound, also if the id is that of
	// another type. The Selection is a hint: the Members and Groups that it
	// leaves out need not be loaded. The document always is, and whole: what
	// an update reads through Get, it stores again.
	Get(ctx context.Context, ref Ref, sel Selection) (*Resource, error)

	// List returns one page of the resources that match q, and their total,
	// both of one moment. It honours the whole filter or returns an error of
	// type invalidFilter, never a superset.
	List(ctx context.Context, q Query) (*Page, error)

	// Update stores c.After if the stored version is still c.Before's, and
	// returns ErrVersionMismatch if it is not, or ErrNotFound. LastModified
	// moves forward by at least a millisecond and the version changes. It
	// returns what it stored, as Get would. Otherwise it fails as Create does;
	// a unique value that the resource held before is no reason to, even if
	// another one came to hold it too.
	Update(ctx context.Context, c Change) (*Resource, error)

	// Delete removes a resource, its memberships, and the references that
	// other resources hold to it (their versions change, RFC 7643 §2.3.7).
	// The whole value of a Links attribute goes with its target, and so does
	// an extension, URN included, that is left empty. An empty version matches
	// any; another one is compared, and ErrVersionMismatch returned. An id is
	// never used again.
	Delete(ctx context.Context, ref Ref, version string) error
}

// Query is a bound, validated list request (RFC 7644 §3.4.2) for one type.
//
// Without SortBy the order is that of creation. With it: values in the order
// of [Key.Compare] on [SortText]; for a multi-valued attribute the primary
// value, else the first; resources without a value last ascending and first
// descending; ties in order of creation, descending too where Descending.
type Query struct {
	Type       *ResourceType
	Filter     Filter    // bound; nil matches all
	SortBy     *AttrPath // bound, to an attribute that is not complex; nil: order of creation
	Descending bool
	StartIndex int     // 1-based; ignored when After is set
	After      *Keyset // the page after this position (RFC 9865); nil: by StartIndex
	Count      int     // resources, at most; 0 asks for the total alone
	NoTotal    bool    // Total is not needed
	Selection  Selection
}

// Keyset is the position of one resource in a list. Which of Text, Int and
// Float holds the sort value depends on the type of SortBy, by [KeyOf]; Seq
// (the creation order) breaks ties, and a backend without one uses ID.
type Keyset struct {
	Absent bool // the resource has no value to sort by
	Text   string
	Int    int64
	Float  float64
	Seq    int64
	ID     string
}

// Selection is the attributes and excludedAttributes of RFC 7644 §3.9, bound.
// The zero value selects the default set. At most one of the two is set.
type Selection struct{ Attributes, Excluded []AttrPath }

// Wants reports whether an attribute of returned "default" and no extension is
// among what the selection asks for, at least in part.
func (s Selection) Wants(name string) bool {
	for _, p := range s.Excluded {
		if p.URN == "" && p.Name == name && p.Sub == "" {
			return false
		}
	}
	if len(s.Attributes) == 0 {
		return true
	}
	for _, p := range s.Attributes {
		if p.URN == "" && p.Name == name {
			return true
		}
	}
	return false
}

// Page is one page of a list.
type Page struct {
	Resources []*Resource
	Total     int     // of all pages
	Last      *Keyset // position of the last resource; nil if none follow it
}

// Change is an update: the resource as read, as it shall be, and the
// difference between them.
type Change struct {
	Before, After *Resource // both with Attrs; After also encoded
	Deltas        []Delta   // never empty

	IfVersion string // the version the client asked for (If-Match), or ""
	Method    string // "PUT" or "PATCH"

	// Touched are the canonical paths of the attributes that the client named.
	// To a [Capable] backend or [Shaper] they also tell the sub-attributes it
	// named of an attribute with one complex value ("name", "name.formatted"), and
	// the unstored one by which a PATCH selects values to take away
	// ("emails.type" for a remove of emails[type eq "work"]).
	Touched []string
}

// Delta is what changed in one attribute. A backend that stores whole
// resources ignores it, a façade turns it into calls, the change log keeps it.
//
// For a Membership attribute the values are MemberRefs, Added and Removed are
// disjoint, and either may name members that are already, or not, there. For
// any other attribute Removed holds the values before and Added those after;
// for one that is not multi-valued, at most one each.
type Delta struct {
	Path           AttrPath
	Added, Removed []any
	Reset          bool // membership only: all earlier members go; Removed is empty
}

// MemberUpdater is an optional interface of backends that keep membership
// apart from the group, so that a group of a million members can gain one
// without being read.
type MemberUpdater interface {
	// UpdateMembers is Update for a Change whose resources were read without
	// the Membership attribute and whose Deltas alone say how it changes. Both
	// parts are stored or neither. If nothing changes, because every member to
	// add is there and none to remove is, version and LastModified stay.
	//
	// With IfVersion it compares and swaps, as Update does. Without, a Change
	// of members alone never fails for a version; one that changes the
	// document too is still compared with c.Before's version.
	//
	// The result is as Get would return it without members.
	UpdateMembers(ctx context.Context, c Change) (*Resource, error)
}

// Batcher is an optional interface of backends that can commit several writes
// together (RFC 7644 §3.7).
type Batcher interface {
	// Batch calls f with a Backend whose writes are each all or nothing, and
	// visible to its own reads at once, but durable only when Batch returns
	// nil. If f returns an error, which Batch then returns, or panics, none of
	// them happened. f must be short: other writers may be waiting.
	Batch(ctx context.Context, f func(Backend) error) error
}

// Importer is an optional interface of backends that can take over resources
// with their identity, out of reach of any client.
type Importer interface {
	// Import stores r with the ID and Meta it has. It returns ErrUniqueness
	// if the ID (by a resource of any type) or a unique value is taken, and
	// InvalidReference as Create does. To the change log it is a create.
	Import(ctx context.Context, r *Resource) error
}

// Pinger is an optional interface of backends whose health can be asked.
type Pinger interface {
	// Ping returns nil if the backend can answer.
	Ping(ctx context.Context) error
}

// ChangeFeed is an optional interface of backends that keep a change log: one
// Record per committed change of a resource, written in its transaction.
type ChangeFeed interface {
	// Changes returns at most q.Limit records after q.After, oldest first: the
	// first of them, or with q.Newest the last.
	//
	// Records of one resource are committed in the order of their Seq. Those of
	// several need not be: where writers don't wait for each other, a record may
	// appear after others with a greater Seq were returned. So whoever follows the
	// changes of one resource, by After, misses none; whoever follows those of many
	// must look some time back (as long as a transaction may last) and pass over
	// what it knows.
	Changes(ctx context.Context, q ChangeQuery) ([]Record, error)
}

// ChangeQuery selects records of the change log. The zero value selects the
// first 100 of all.
type ChangeQuery struct {
	After  int64  // records with a greater Seq
	Type   string // with ID: changes of this resource
	ID     string
	Person string // changes of the resource with this id and of groups that gained or lost it
	Limit  int    // 0: 100
	Newest bool   // the last Limit records in place of the first
}

// Record is one entry of the change log. Of attributes that are not
// [Attribute.Filterable] it holds no values, only that they changed. A create is
// the difference from nothing, a delete the difference to nothing; the
// resources that a delete takes a member or a reference from have an "update"
// each.
type Record struct {
	Seq       int64
	Time      time.Time // UTC, ms
	Actor     string    // Origin.Actor
	RequestID string    // Origin.RequestID
	Op        string    // "create", "update" or "delete"
	Type, ID  string
	Version   string // after the change; "" after a delete
	Changes   []RecordDelta
}

// RecordDelta is a Delta as the change log keeps it: what really changed. A
// value may have become its JSON form (a dateTime a string).
type RecordDelta struct {
	Path           string // canonical; externalId included
	Added, Removed []any  // string, bool, int64, float64, Object …; ids for members
}

// Origin says on whose behalf a request is made. It travels in the context to
// the change log.
type Origin struct {
	Actor     string // who called: a token's name, never the token
	RequestID string
	Address   string // of the client, without a port; "": not known
}

type originKey struct{}

// WithOrigin returns a context that carries o.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// OriginOf returns the context's Origin, or the zero Origin.
func OriginOf(ctx context.Context) Origin {
	o, _ := ctx.Value(originKey{}).(Origin)
	return o
}
