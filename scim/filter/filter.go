// Package filter parses, binds and evaluates filters and paths (RFC 7644
// §3.4.2.2, §3.5.2), sorts and pages (§3.4.2.3, §3.4.2.4).
//
// A text becomes a [scim.Filter] by [Parse], which knows the grammar alone.
// [Bind] resolves its names against a resource type and gives its operands
// their types; from there on a filter can't fail. [Match] and [Page] evaluate
// bound filters on resources in memory; backends with a query language of
// their own compile them instead, those that speak SQL with package sqlfilter.
//
// A backend is given filters that are bound. It never parses one, and calls
// Match or Page or neither; but what it answers must be what they answer, and
// package scimtest compares.
package filter

// The limits that the zero value of [Options] stands for.
const (
	DefaultMaxLength = 8192
	DefaultMaxNodes  = 200
	DefaultMaxDepth  = 20
)

// Options bound and bend the parser; the zero value is the RFC to the letter
// with the default limits.
type Options struct {
	MaxLength int // bytes of text; 0: DefaultMaxLength
	MaxNodes  int // expressions; 0: DefaultMaxNodes
	MaxDepth  int // nesting of parentheses and brackets; 0: DefaultMaxDepth

	// UnquotedStrings takes a bare word after eq, ne, co, sw and ew for a
	// string (QRY-02).
	UnquotedStrings bool

	// UnknownAbsent makes Bind treat an attribute that the type lacks as one
	// without a value, as searches over several types need it (RFC 7644
	// §3.4.2.1), instead of refusing it.
	UnknownAbsent bool

	// Report is called with the id of each rule that bent the input; nil: not
	// told.
	Report func(rule string)
}

func (o Options) withDefaults() Options {
	if o.MaxLength <= 0 {
		o.MaxLength = DefaultMaxLength
	}
	if o.MaxNodes <= 0 {
		o.MaxNodes = DefaultMaxNodes
	}
	if o.MaxDepth <= 0 {
		o.MaxDepth = DefaultMaxDepth
	}
	return o
}

func (o Options) report(rule string) {
	if o.Report != nil {
		o.Report(rule)
	}
}
