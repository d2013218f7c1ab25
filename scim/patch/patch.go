// Package patch decodes and applies PATCH operations (RFC 7644 §3.5.2).
package patch

import (
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// Options bound and bend PATCH; the zero value is the RFC to the letter with the default limits.
type Options struct {
	MaxOperations    int  // 0: 1,000
	CreateOnNoMatch  bool // PATCH-06: add and replace whose filter matches nothing create the value
	RemoveByValue    bool // GRP-01: remove with a value removes the listed values; else 400
	EmptyOperations  bool // PATCH-02
	DottedKeys       bool // PATCH-04, PATCH-05
	IgnoreReadOnly   bool // PATCH-12: readOnly keys in a path-less value
	SkipUnknownPaths bool // PATCH-16
	Values           schema.Options
	Filters          filter.Options
	Report           func(rule string)
}

// Op is one operation, its path bound and its value decoded.
type Op struct {
	Op    string // "add", "remove" or "replace"
	Path  scim.Path
	Value any
	Index int // position in the request, for error messages
}

// Decode reads a PatchOp message from parsed JSON. An operation without a path becomes one Op per attribute.
func Decode(t *scim.ResourceType, raw scim.Object, o Options) ([]Op, error) { return nil, nil }

// Apply returns r as ops leave it; it does not modify r.
func Apply(r *scim.Resource, ops []Op, o Options) (*scim.Resource, error) { return r, nil }

// Split separates the operations on the Membership attribute, as one Delta in normal form, from the others, and
// reports false if they can't be carried out without reading the members.
func Split(t *scim.ResourceType, ops []Op, o Options) (rest []Op, members *scim.Delta, ok bool) {
	return ops, nil, false
}

// Diff lists what differs between two resources, attribute by attribute.
func Diff(before, after *scim.Resource) []scim.Delta { return nil }

// Touched returns the canonical paths the operations name.
func Touched(ops []Op) []string { return nil }
