package scim

import (
	"iter"
	"time"
)

// Resource is a stored resource (RFC 7643 §3).
//
// The document — everything but id, externalId, meta, schemas and the derived
// attributes — is in Attrs, in Text, or in both. The engine sets both before
// it hands a Resource to a backend; a backend returns whichever it has. One
// that returns Text saves the engine from encoding, and one that returns Attrs
// alone is just as correct.
type Resource struct {
	Type       *ResourceType
	ID         string // chosen by the backend; never empty once stored
	ExternalID string // "" if the client gave none
	Meta       Meta
	Schemas    []string // the base URN, then those of extensions that hold values

	// Attrs is the document as a tree; nil when only Text is given. Extension
	// attributes are in an Object named by the extension's URN.
	Attrs Object

	// Text is the canonical JSON of the attributes of returned "always" and
	// "default", without the outer braces and without members, groups and what
	// is derived from other resources. Hidden is the same for those of
	// returned "never" and "request". Both are made by schema.Encode and read
	// by schema.Load; to a backend they are opaque.
	Text, Hidden []byte

	// Digest is the Digest of the ResourceType under which Text was encoded.
	Digest string

	// Links are the references to other resources in the document, in order.
	// The engine gives them to a backend with Pos, Path, Ref.ID and Visible; a
	// backend returns those whose target exists, with Ref.Type and Display of
	// the target. Pos means nothing without Text.
	Links []Link

	// Members are the members of a group as a backend reads them; nil if they
	// are in Attrs under the Membership attribute's name, as []MemberRef, or
	// were not asked for ([Selection]). It may be ranged over once, until the
	// request's context ends; an error ends it.
	Members iter.Seq2[MemberRef, error]

	// Groups are the groups that the resource is in: ID and Display of the
	// group, and "direct" or "indirect" as Type (RFC 7643 §4.1.2). A backend
	// fills it for types with a Derived attribute that the Selection wants: the
	// direct groups first, each part in the order in which the groups were
	// created, up to [MaxGroupDepth] and cut after [MaxGroups].
	Groups []MemberRef
}

// The bounds of [Resource.Groups], the same for every backend. A group counts
// at its shortest distance. One that is nested too deep is left out, in answers
// and in filters alike; the number bounds answers, and a filter may see more.
const (
	MaxGroupDepth = 32    // groups nested in each other; a direct group is 1 deep
	MaxGroups     = 1_000 // groups of one resource, direct and indirect
)

// DisplayName returns the name by which references show a document: its
// displayName, else its userName, else "" (RFC 7643 §4.1.2, §4.2, §4.3).
func DisplayName(attrs Object) string {
	if s, _ := attrs.Get("displayName").(string); s != "" {
		return s
	}
	s, _ := attrs.Get("userName").(string)
	return s
}

// Meta is a resource's metadata (RFC 7643 §3.1). Location is left to the
// engine, which knows the base URI.
type Meta struct {
	Created, LastModified time.Time // UTC, millisecond precision
	Version               string    // opaque; the ETag without W/"" (RFC 7644 §3.14)
}

// MemberRef is one member of a group, or one group of a member.
type MemberRef struct {
	ID      string
	Type    string // resource type name, or "direct"/"indirect" in Resource.Groups; "" if not known
	Display string // derived: never what the client sent
}

// Link is a reference that a document holds (RFC 7643 §2.3.7), such as
// manager.value.
type Link struct {
	Pos     int    // where in Text the derived values belong: after the id, before the closing brace
	Path    string // canonical path of the attribute, "urn:…:User:manager"
	Ref     MemberRef
	Visible bool // the reference is in Text, not in Hidden
}

// Ref names one resource.
type Ref struct {
	Type *ResourceType
	ID   string
}

// String returns "User/2819c223", for logs.
func (r Ref) String() string { return r.Type.Name + "/" + r.ID }

// Ref returns the resource's own Ref.
func (r *Resource) Ref() Ref { return Ref{r.Type, r.ID} }
