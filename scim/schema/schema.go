// Package schema holds the standard schemas and applies them: it reads schemas
// and resource types, and decodes, checks, encodes, loads and renders resources.
//
// On the way in: [Decode] or [Value], then [Defaults] or [Replace], [Check] and
// [Encode]. On the way out: [Render], and [Load] where the attributes
// themselves are needed. Nothing here does I/O or keeps state.
//
// An application calls [Core] and [Read], which give engine.Config its types;
// a backend [Load], and [Encode] where it changes a document itself, as when a
// reference goes with its target. The rest is the engine's. Uniqueness and the
// existence of what is referred to are not judged here: they need the store,
// and are a scim.Backend's.
package schema

// Options are the tolerances a caller may allow; the zero value is the RFC to
// the letter. Each that was made use of is reported with the rule id behind it.
type Options struct {
	StringBooleans bool // BODY-01, PATCH-09: "True", "false" … for a boolean; "" is as if not sent
	EmptyUnassigns bool // BODY-02: "" on an optional attribute unassigns; on a writeOnly one it is as if not sent
	AnySchemas     bool // BODY-03: no schemas, or URNs this server does not know
	IgnoreUnknown  bool // BODY-04: attributes no schema defines are dropped, and what is under the base schema's own URN is taken out of it; else 400 invalidSyntax
	WrapSingles    bool // BODY-07: one value where an array belongs
	UnwrapSingles  bool // PATCH-18: [x] or {"value":x} where one simple value belongs
	BareReferences bool // BODY-08, GRP-15, PATCH-11: "id" for {"value":"id"}, [{…}] for {…}
	FreeFormats    bool // BODY-09: locale, timezone, country, canonical values and user names need not have their form (USR-009, USR-010, USR-020, SCH-031, SEC-013)

	OwnRequired bool // required attributes are the backend's to check

	// Named is called with the canonical path of each sub-attribute of a
	// single-valued complex attribute that a resource names, null included; nil:
	// not told.
	Named func(path string)

	MaxValues int // of a multi-valued attribute that is no Membership; 0: no bound

	// Served reports whether urn belongs to another resource type of this
	// server, which AnySchemas never lets pass; nil: only RFC 7643's own do.
	Served func(urn string) bool

	Report func(rule string) // called with each rule id that bent the input; nil: not told
}
