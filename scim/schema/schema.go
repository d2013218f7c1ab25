// Package schema holds the standard schemas and applies them: it loads schemas
// and resource types, and decodes, checks, stores, loads and renders resources.
package schema

import (
	"io"
	"io/fs"

	"github.com/rollcall-scim/rollcall/scim"
)

// Options are the tolerances a caller may allow; the zero value is the RFC to
// the letter. Each that was made use of is reported with the rule id behind it.
type Options struct {
	StringBooleans bool              // BODY-01, PATCH-09: "True", "false" … for a boolean; "" unassigns
	EmptyUnassigns bool              // BODY-02: "" on an optional attribute unassigns
	AnySchemas     bool              // BODY-03: no schemas, or URNs this server does not know (rulings 3)
	IgnoreUnknown  bool              // BODY-04: attributes no schema defines are dropped; else 400 invalidSyntax
	WrapSingles    bool              // BODY-07: one value where an array belongs
	UnwrapSingles  bool              // PATCH-18: [x] or {"value":x} where one simple value belongs
	BareReferences bool              // BODY-08, GRP-15, PATCH-11: "id" for {"value":"id"}, [{…}] for {…}
	FreeFormats    bool              // USR-009/010/020, SCH-031, SEC-013: locale, timezone, country, canonical values, userName characters are not enforced
	Report         func(rule string) // called with each rule id that bent the input; nil: not told
}

// Core returns fresh resource types of RFC 7643 §4: User with the Enterprise
// extension, and Group.
func Core() []*scim.ResourceType { return nil }

// Service returns the schemas of RFC 7643 §5–7 (ServiceProviderConfig,
// ResourceType, Schema), which /Schemas lists too.
func Service() []*scim.Schema { return nil }

// Read adds to types the schemas and resource types in the *.json files of fsys.
func Read(types []*scim.ResourceType, fsys fs.FS) ([]*scim.ResourceType, error) { return types, nil }

// Describe returns a Schema as /Schemas serves it (RFC 7643 §7), without meta.
func Describe(s *scim.Schema) scim.Object { return nil }

// Decode reads a resource from parsed JSON. named lists the canonical paths of
// the top-level and extension attributes the client named, null ones included.
func Decode(t *scim.ResourceType, raw scim.Object, o Options) (r *scim.Resource, named []string, err error) {
	return nil, nil, nil
}

// Value decodes the value a PATCH operation gives for the bound path p (an
// attribute, a sub-attribute, or a whole extension).
func Value(t *scim.ResourceType, p scim.AttrPath, v any, o Options) (any, error) { return nil, nil }

// Defaults assigns the defaults of attributes that are not named: User.active.
func Defaults(r *scim.Resource, named []string) {}

// Replace completes a PUT body: what of before stays although not in the body
// (RFC 7644 §3.5.1). keepActive keeps User.active when it is not named.
func Replace(before, body *scim.Resource, named []string, keepActive bool) {}

// Check enforces required, immutable, primary, formats. before is nil on create.
func Check(before, after *scim.Resource, o Options) error { return nil }

// Encode makes Schemas, Text, Hidden, Links and Digest from Attrs.
func Encode(r *scim.Resource) {}

// Load makes Attrs from Text and Hidden, if it is nil.
func Load(r *scim.Resource) error { return nil }

// View says how a resource is shown to a client.
type View struct {
	Base      string                       // base URI for meta.location and $ref, no trailing slash
	Endpoints func(typeName string) string // "/Users" for "User", for $ref; "" if not served
	Selection scim.Selection
	Sent      []string // canonical paths the client sent in this write: returned "request" ones are shown
	NoVersion bool     // ETags are off (ETG-018)
}

// Render writes r as JSON, members as they are read.
func Render(w io.Writer, r *scim.Resource, v View) error { return nil }
