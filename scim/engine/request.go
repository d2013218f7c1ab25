package engine

import (
	"io"
	"net/url"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

// Request is one SCIM request, however it came (RFC 7644 §3.2, §3.7). The
// engine keeps no reference to it.
type Request struct {
	Method string     // GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS
	Base   string     // base URI, for meta.location; no trailing slash
	Path   string     // escaped, relative to Base: "/Users/2819c223"
	Query  url.Values // filter, sortBy, startIndex, attributes, …

	IfMatch, IfNoneMatch, IfModifiedSince, IfUnmodifiedSince string // header values, or ""
	Prefer                                                   string // header value (RFC 7240), or ""

	Body []byte

	// Of a request that came out of a Bulk message:
	parsed scim.Object // the body, instead of Body
	bare   bool        // nobody reads the body of the answer
	repair bool        // the second half of a circular reference: not subject to NoPatch
}

// Response is the answer to a Request.
type Response struct {
	Status         int
	Location, ETag string    // header values, or ""
	LastModified   time.Time // header value, or zero
	Allow          []string  // with 405 and OPTIONS
	RetryAfter     time.Duration

	// Body is nil if there is none. It may be written once, until the
	// request's context ends. An error while it is written means that what
	// was sent so far is incomplete, and the client must be able to tell.
	Body io.WriterTo
	Size int64 // of Body in bytes; -1: not known

	// For logs.
	Rules     []string // ids of the compat rules that bent the request
	Err       error    // why Status is 4xx or 5xx; with Bulk, the 5xx of its operations
	Operation string   // "create", "get", "list", "search", "replace", "patch", "delete", "bulk", "discovery", "options", or "preview" of a write that was only tried out; "" if no endpoint was found
	Type, ID  string   // of the resource concerned, or ""
}
