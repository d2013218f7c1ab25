// Package filter parses, binds and evaluates filters and paths.
package filter

import (
	"iter"

	"github.com/rollcall-scim/rollcall/scim"
)

// Options bound and bend the parser; the zero value is strict with the defaults.
type Options struct {
	MaxLength, MaxNodes, MaxDepth int               // bytes, expressions, nesting; 0: 8192, 200, 20
	UnquotedStrings               bool              // QRY-02
	UnknownAbsent                 bool              // Bind: an attribute the type lacks has no value (root search), instead of an error
	Report                        func(rule string) // nil: not told
}

// Parse parses a filter's text.
func Parse(s string, o Options) (scim.Filter, error) { return nil, nil }

// ParsePath parses a PATCH path. Errors are invalidPath, or invalidFilter inside the brackets.
func ParsePath(s string, o Options) (scim.Path, error) { return scim.Path{}, nil }

// ParseAttrPath parses an attribute's name, as in sortBy and attributes.
func ParseAttrPath(s string) (scim.AttrPath, error) { return scim.AttrPath{}, nil }

// Bind resolves every path in f against t and gives operands their types.
func Bind(t *scim.ResourceType, f scim.Filter, o Options) (scim.Filter, error) { return f, nil }

// BindPath binds a PATCH path; invalidPath if the type has no such attribute.
func BindPath(t *scim.ResourceType, p scim.Path, o Options) (scim.Path, error) { return p, nil }

// BindSort resolves a sortBy (RFC 7644 §3.4.2.3); invalidPath if it can't be sorted by.
func BindSort(t *scim.ResourceType, s string) (*scim.AttrPath, error) { return nil, nil }

// Match reports whether r (with Attrs, and Groups and Members as far as f names them) satisfies the bound filter f; nil matches.
func Match(f scim.Filter, r *scim.Resource) bool { return f == nil }

// MatchValue reports whether one value of a multi-valued attribute satisfies the bound valFilter f.
func MatchValue(f scim.Filter, value any) bool { return f == nil }

// SortKey returns the value of r that sortBy p orders it by, cut by SortText; false if absent.
func SortKey(r *scim.Resource, p *scim.AttrPath) (scim.Key, bool) { return scim.Key{}, false }

// Page answers q from all resources of its type in creation order, for stores that hold them in memory.
func Page(all iter.Seq2[int64, *scim.Resource], q scim.Query) *scim.Page { return nil }
