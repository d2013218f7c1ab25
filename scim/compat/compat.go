// Package compat knows what real clients get wrong and how it is met.
//
// A [Profile] is chosen per connection and never guessed. It is a value:
// [Switches], which the packages above and below obey without knowing whom
// they are for, and [Rewrite]s of bodies that no switch can describe. The rules
// themselves, with their sources, are in [Rules]. This is the only package in
// which a client's name occurs.
//
// engine.Config takes a Profile: by default [Auto], which meets all known
// clients at once; [Strict] for none; [Lookup] for one by name. Which rules bent
// a request is in engine.Response. A tolerance never widens access, empties a
// group or drops a filter; what is near a known fault and is not it is refused.
package compat

import "github.com/rollcall-scim/rollcall/scim"

// Switches are the named behaviours in which a profile departs from the letter
// of the RFCs. No switch names a client, and the zero value is strict. Whoever
// obeys one reports the rule's id where it bent something.
//
// Each field is documented with its rule ids; the headings say which package
// takes it as an option of its own.
type Switches struct {
	// Package schema.
	StringBooleans bool // BODY-01, PATCH-09: "True" for true; "" is as if not sent
	EmptyUnassigns bool // BODY-02: "" on an optional attribute unassigns; on a writeOnly one it is as if not sent
	AnySchemas     bool // BODY-03, PATCH-02: schemas missing, or with URNs this server does not know
	IgnoreUnknown  bool // BODY-04: attributes no schema defines are dropped
	WrapSingles    bool // BODY-07: one value where an array belongs
	UnwrapSingles  bool // PATCH-18: an array of one where a single value belongs
	BareReferences bool // BODY-08, GRP-15, PATCH-11: an id for {"value": id}
	FreeFormats    bool // BODY-09: locales, time zones, countries and canonical values are kept as sent

	// Package filter.
	UnquotedStrings bool // QRY-02: a bare word after eq, ne, co, sw, ew is a string

	// Package patch.
	CreateOnNoMatch  bool // PATCH-06, PATCH-08: a filter that matches nothing creates the value it describes
	RemoveByValue    bool // GRP-01, GRP-13: remove with a value removes the values listed, never all
	EmptyOperations  bool // PATCH-02: a request without operations changes nothing
	DottedKeys       bool // PATCH-04, PATCH-05, PATCH-05b: keys of a path-less value may be paths; "." after a URN
	IgnoreReadOnly   bool // PATCH-12: read-only keys of a path-less value are ignored
	SkipUnknownPaths bool // PATCH-16: an operation on an unknown attribute is skipped, the others applied

	// Package engine.
	UniqueGroupNames bool // GRP-09: Group.displayName is unique
	KeepActive       bool // LIFE-08: PUT without active keeps it
	UnknownManager   bool // BODY-08: a manager that does not exist is stored
	AllGroups        bool // QRY-12: GET /Groups without count and startIndex gives filter.maxResults
	DecodeTwice      bool // HTTP-05: a filter that does not parse and still holds "%20" or "%22" is decoded again
	GroupPatchBody   bool // RESP-02: PATCH of a group answers 200 with its body, not 204

	// Package scimhttp.
	LaxAccept     bool // HTTP-02: an Accept that excludes JSON is no 406
	MediaByAccept bool // HTTP-02: application/json for an Accept that names it and not application/scim+json
	JSONMediaType bool // HTTP-02: every answer is application/json
}

// Rewrite turns a body of one client into what the RFCs ask for.
type Rewrite struct {
	ID     string // of the Rule
	Source string // where the deviation is documented

	// Body returns what the client meant and true, or false to leave the body
	// as it is. It must not modify its argument. t is the resource type of the
	// endpoint.
	Body func(method string, t *scim.ResourceType, body scim.Object) (scim.Object, bool)
}

// Profile is how the client of one connection is met. The zero value, without
// a name, stands for [Auto] wherever a profile is configured.
type Profile struct {
	Name     string    // "auto", "strict", "okta" …
	Rewrites []Rewrite // in the order in which they are tried
	Switches Switches
}
