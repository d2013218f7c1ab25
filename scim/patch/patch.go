// Package patch decodes and applies PATCH requests (RFC 7644 §3.5.2).
//
// [Decode] reads a message against a resource type: each path is parsed and
// bound once, each value has its Go type, and what the protocol forbids without
// knowing the resource is refused. [Apply] then computes what the operations
// make of one resource; it is pure. [Split] takes the operations on members
// apart, so that a large group need not be read, and [Diff] says what changed.
//
// Uniqueness, references and required attributes nobody touched are not judged
// here: see package schema and the Backend. Nor is anything stored: the engine
// hands what comes out to a Backend as a [scim.Change], and an application has
// no need of this package.
package patch

import (
	"errors"
	"fmt"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// The limits that the zero value of [Options] stands for.
const (
	DefaultOperations = 1000
	DefaultLooks      = 5_000_000
)

// Options bound and bend PATCH. The zero value is the RFC to the letter, with
// the default limits.
type Options struct {
	MaxOperations    int  // 0: DefaultOperations
	MaxLooks         int  // values that the operations together may look at to find those they mean; 0: DefaultLooks
	CreateOnNoMatch  bool // PATCH-06, PATCH-08: add and replace whose filter matches nothing create the value; else noTarget
	OwnReadOnly      bool // a value created for a filter may lack what is readOnly: the backend sets it
	RemoveByValue    bool // GRP-01, GRP-13: remove with a value removes the values listed; else 400
	EmptyOperations  bool // PATCH-02: no operations change nothing; else 400
	DottedKeys       bool // PATCH-04, PATCH-05, PATCH-05b: keys of a path-less value may be paths; "." after a URN
	IgnoreReadOnly   bool // PATCH-12: readOnly keys of a path-less value, and schemas, are ignored
	SkipUnknownPaths bool // PATCH-16: an operation on an unknown attribute is skipped
	LateImmutable    bool // single immutable attributes may be given another value: schema.Check refuses it, once the backend has shaped it
	Values           schema.Options
	Filters          filter.Options
	Report           func(rule string) // called with each rule id that bent the request; nil: not told
}

func (o *Options) looks() int {
	if o.MaxLooks <= 0 {
		return DefaultLooks
	}
	return o.MaxLooks
}

func (o *Options) report(rule string) {
	if o.Report != nil {
		o.Report(rule)
	}
}

// The operations of RFC 7644 §3.5.2.
const (
	Add     = "add"
	Remove  = "remove"
	Replace = "replace"
)

// Op is one operation, its path bound and its value decoded.
//
// A nil Value with Replace unassigns, with Add does nothing, and with Remove
// stands for all values the path selects. On a path with a Filter and no
// sub-attribute, Value is one element; on an unfiltered multi-valued attribute
// it is a list: []any, or []scim.MemberRef for a Membership attribute.
type Op struct {
	Op    string // Add, Remove or Replace
	Path  scim.Path
	Value any
	Index int // position in the request, for error messages
}

// fault returns err with the operation and its path in front of the detail.
func fault(index int, path string, err error) error {
	var e *scim.Error
	if !errors.As(err, &e) {
		return err
	}
	where := fmt.Sprintf("Operations[%d]", index)
	if path != "" {
		where += fmt.Sprintf(" %q", cut(path))
	}
	named := *e
	named.Detail = where + ": " + e.Detail
	return &named
}

// cut shortens a text of the client for a message to it.
func cut(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
