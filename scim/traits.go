package scim

import "context"

// Capable is an optional interface of backends that are another application in
// disguise, a façade: they can't promise all that a directory can. The engine
// asks once, when it is made for a backend, obeys the answer and says it in
// discovery (RFC 7643 §5).
type Capable interface {
	Traits() Traits
}

// Traits are what a backend does otherwise than a directory would. The zero
// value is a directory.
type Traits struct {
	PutMerges    bool // a PUT keeps what it does not mention, sub-attributes of complex attributes included
	OwnRequired  bool // the backend checks required attributes itself: they depend on the resource
	NoVersions   bool // there are no versions: no ETag, no meta.version; conditions on them are ignored
	NoBulk       bool // /Bulk answers 501
	WholeSeconds bool // meta.created and lastModified are shown without a fraction
	RelativeRefs bool // $ref is "Users/{id}", relative to the base
	ShortLists   bool // a list says startIndex and itemsPerPage only where asked for one of them, or cut short

	// Unstored are attributes of the core schemas, and sub-attributes such as
	// "emails.type", that the types lack because the application has no place
	// for them. Clients may send and filter by them: what is sent is dropped
	// without being looked at, a filter finds no value, a PATCH of one changes
	// nothing. /Schemas does not list them.
	//
	// A path is that of an attribute ("title"), of a sub-attribute of one that
	// the types have ("emails.type"), or the URN of an extension, alone or before
	// an attribute. Those that the types have, or the core schemas have not, are
	// ignored.
	Unstored []string
}

// Shaper is an optional interface of backends that keep less, or otherwise,
// than what they are sent.
type Shaper interface {
	// Shape brings c.After to what Create or Update would leave, as far as that
	// can be said beforehand, so that the engine's difference is a true one and
	// a request that changes nothing costs nothing. On a create Before is nil
	// and Method "POST". It is called after c's resources were made and before
	// they are checked and compared; c.Deltas is not set yet, c.After not
	// encoded, and without its members on an update of a [MemberUpdater].
	// c.After and its values are Shape's to change, those of c.Before are not.
	// An [*Error] refuses the request, and nothing is written.
	Shape(ctx context.Context, c *Change) error
}
