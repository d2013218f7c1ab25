package scim

import (
	"slices"
	"strings"
)

// Attribute describes one attribute of a schema (RFC 7643 §2.2, §7). Package
// schema fills in the defaults of §2.2, so that no characteristic is empty.
// Attributes are shared and must not be modified once a schema is loaded.
type Attribute struct {
	Name            string
	Type            AttributeType
	MultiValued     bool
	Description     string
	Required        bool
	CanonicalValues []string
	CaseExact       bool
	Mutability      Mutability
	Returned        Returned
	Uniqueness      Uniqueness
	ReferenceTypes  []string // resource type names, "external" or "uri"
	SubAttributes   []*Attribute

	// Precis names the preparation of RFC 8265 that values go through before
	// they are compared (RFC 7644 §5). It is no part of the published schema.
	Precis Precis

	// Links lists the resource types whose ids this complex attribute holds in
	// its "value" sub-attribute: those its "$ref" names that are served. Their
	// "$ref" and "display" or "displayName" are derived, never stored.
	Links []string

	// Membership marks Group.members and attributes like it: a backend may
	// keep their values apart from the resource, see [MemberUpdater].
	Membership bool

	// Derived marks User.groups: the memberships of the resource, computed
	// by the backend into [Resource.Groups].
	Derived bool

	// Unstored marks what a backend has no place for ([Traits]): clients may
	// name it, but no resource has a value of it, and no schema lists it.
	Unstored bool
}

// Sub returns the sub-attribute called name, without regard to case, or nil.
func (a *Attribute) Sub(name string) *Attribute {
	return find(a.SubAttributes, name)
}

// Filterable reports whether a filter or sortBy may name the attribute: one
// that is never returned may not, lest a filter become an oracle for its value
// (RFC 7643 §7 "returned").
func (a *Attribute) Filterable() bool {
	return a.Returned != ReturnedNever && a.Mutability != WriteOnly
}

func find(list []*Attribute, name string) *Attribute {
	for _, a := range list {
		if a.Name == name {
			return a
		}
	}
	for _, a := range list {
		if strings.EqualFold(a.Name, name) {
			return a
		}
	}
	return nil
}

// AttributeType is a data type of RFC 7643 §2.3.
type AttributeType string

// The data types, and the Go type in which each travels in an [Object].
const (
	TypeString    AttributeType = "string"    // string
	TypeBoolean   AttributeType = "boolean"   // bool
	TypeDecimal   AttributeType = "decimal"   // float64
	TypeInteger   AttributeType = "integer"   // int64
	TypeDateTime  AttributeType = "dateTime"  // DateTime
	TypeBinary    AttributeType = "binary"    // []byte
	TypeReference AttributeType = "reference" // string
	TypeComplex   AttributeType = "complex"   // Object; members: []MemberRef
)

// Mutability, Returned and Uniqueness are characteristics of RFC 7643 §7.
type (
	Mutability string
	Returned   string
	Uniqueness string
)

// The values of the characteristics, spelled as the RFC spells them.
const (
	ReadWrite Mutability = "readWrite"
	ReadOnly  Mutability = "readOnly"
	Immutable Mutability = "immutable"
	WriteOnly Mutability = "writeOnly"

	ReturnedAlways  Returned = "always"
	ReturnedNever   Returned = "never"
	ReturnedDefault Returned = "default"
	ReturnedRequest Returned = "request"

	UniquenessNone   Uniqueness = "none"
	UniquenessServer Uniqueness = "server"
	UniquenessGlobal Uniqueness = "global"
)

// Precis is a string preparation of RFC 8265.
type Precis string

// The preparations in use: none, UsernameCaseMapped (§3.3) for userName, and
// OpaqueString (§4.2) for passwords.
const (
	PrecisNone     Precis = ""
	PrecisUsername Precis = "username"
	PrecisOpaque   Precis = "opaque"
)

// Schema is a named set of attributes, identified by a URN (RFC 7643 §7).
type Schema struct {
	ID          string
	Name        string
	Description string
	Attributes  []*Attribute
}

// Attribute returns the attribute called name, without regard to case
// (RFC 7643 §2.1), or nil.
func (s *Schema) Attribute(name string) *Attribute { return find(s.Attributes, name) }

// ResourceType binds an endpoint to a schema and its extensions (RFC 7643 §6).
// Values are shared by engine and backend and must not be modified.
type ResourceType struct {
	Name        string // "User"; the value of meta.resourceType
	Description string
	Endpoint    string // "/Users"
	Schema      *Schema
	Extensions  []Extension

	// Digest identifies the schemas' content. A stored text that carries
	// another one was written under other schemas: it is decoded and
	// projected, never spliced into an answer.
	Digest string
}

// Extension is a schema extension of a resource type (RFC 7643 §3.3, §6).
type Extension struct {
	Schema   *Schema
	Required bool
}

// Unstored reports whether the schema has nothing but attributes that the
// backend has no place for.
func (s *Schema) Unstored() bool {
	return !slices.ContainsFunc(s.Attributes, func(a *Attribute) bool { return !a.Unstored })
}

// Extension returns the extension whose URN is urn, without regard to case,
// or nil.
func (t *ResourceType) Extension(urn string) *Schema {
	for _, x := range t.Extensions {
		if strings.EqualFold(x.Schema.ID, urn) {
			return x.Schema
		}
	}
	return nil
}

// Membership returns the attribute that holds members, or nil.
func (t *ResourceType) Membership() *Attribute {
	i := slices.IndexFunc(t.Schema.Attributes, func(a *Attribute) bool { return a.Membership })
	if i < 0 {
		return nil
	}
	return t.Schema.Attributes[i]
}

// Groups returns the attribute that holds derived memberships, or nil.
func (t *ResourceType) Groups() *Attribute {
	i := slices.IndexFunc(t.Schema.Attributes, func(a *Attribute) bool { return a.Derived })
	if i < 0 {
		return nil
	}
	return t.Schema.Attributes[i]
}

// Common holds the attributes that every resource has without its schema
// saying so (RFC 7643 §3, §3.1): schemas, id, externalId and meta.
var Common = []*Attribute{
	// A reference would be caseExact, the URN of a schema is not (RFC 7643 §2.1).
	common("schemas", TypeString, func(a *Attribute) { a.MultiValued, a.Returned = true, ReturnedAlways }),
	common("id", TypeString, func(a *Attribute) {
		a.CaseExact, a.Mutability, a.Returned, a.Uniqueness = true, ReadOnly, ReturnedAlways, UniquenessServer
	}),
	common("externalId", TypeString, func(a *Attribute) { a.CaseExact = true }),
	common("meta", TypeComplex, func(a *Attribute) {
		ro := func(s *Attribute) { s.Mutability, s.CaseExact = ReadOnly, true }
		a.Mutability = ReadOnly
		a.SubAttributes = []*Attribute{
			common("created", TypeDateTime, ro),
			common("lastModified", TypeDateTime, ro),
			common("resourceType", TypeString, ro),
			common("location", TypeReference, ro),
			common("version", TypeString, ro),
		}
	}),
}

func common(name string, typ AttributeType, set func(*Attribute)) *Attribute {
	a := &Attribute{Name: name, Type: typ, Mutability: ReadWrite, Returned: ReturnedDefault, Uniqueness: UniquenessNone}
	set(a)
	return a
}

// AuthenticationScheme is one entry of a service provider's
// authenticationSchemes (RFC 7643 §5).
type AuthenticationScheme struct {
	Type             string // oauth, oauth2, oauthbearertoken, httpbasic or httpdigest
	Name             string
	Description      string
	SpecURI          string // may be empty
	DocumentationURI string // may be empty
	Primary          bool
}
