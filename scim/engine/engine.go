// Package engine is the SCIM protocol without a transport: [Engine.Do] takes a
// [Request] and gives a [Response]. Package scimhttp feeds it from HTTP, and a
// Bulk message feeds it from within.
package engine

import (
	"context"
	"io"
	"net/url"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/compat"
)

// Config configures an Engine. The zero value serves the core resource types
// in the profile "auto" with the default limits.
type Config struct {
	Types                           []*scim.ResourceType // nil: schema.Core()
	Profile                         compat.Profile       // zero: compat.Auto()
	Limits                          Limits
	Schemes                         []scim.AuthenticationScheme // of ServiceProviderConfig; nil: none
	DocumentationURI                string
	Password                        func(clear string) (string, error)           // hashes a password to keep; nil: passwords are discarded
	Me                              func(context.Context) (id string, err error) // nil: /Me is 501; ErrNotFound: 404
	CursorKeys                      func() [][]byte                              // 32-byte keys, the first seals, all open; nil: a random key of this process
	CursorTimeout                   time.Duration                                // 0: 1 hour
	CursorOnly                      bool                                         // CUR-014
	NoTotals                        bool                                         // CUR-015: totalResults left out of cursor pages
	NoBulk, NoPatch, NoSort, NoETag bool                                         // features switched off: 501, ignored
	MultiTypeMax                    int                                          // FLT-005: root searches that match more are refused as tooMany; 0: no bound
	Tenant                          string                                       // sealed into cursors
	Now                             func() time.Time                             // nil: time.Now
	StrictReferences                bool                                         // reserved
}

// Limits bound what one request may ask. Zero fields take their default.
type Limits struct {
	DefaultPage, MaxPage                   int           // resources: 100, 1,000
	Body, LargeBody                        int64         // bytes: 2 MiB; group and Bulk bodies 32 MiB
	BulkOperations                         int           // 1,000
	PatchOperations                        int           // 1,000
	FilterLength, FilterNodes, FilterDepth int           // 8 KiB, 200, 20
	JSONDepth                              int           // 64
	Deadline                               time.Duration // 25 s
}

// Engine serves the resources of one backend: one tenant. Safe for concurrent use.
type Engine struct{}

// New returns an Engine, or an error if the schemas of c do not agree.
func New(b scim.Backend, c Config) (*Engine, error) { return &Engine{}, nil }

// Request is one SCIM request, however it came (RFC 7644 §3.2, §3.7).
type Request struct {
	Method                                                   string     // GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS
	Base                                                     string     // base URI, for meta.location; no trailing slash
	Path                                                     string     // escaped, relative to Base: "/Users/2819c223"
	Query                                                    url.Values // filter, sortBy, startIndex, attributes, …
	IfMatch, IfNoneMatch, IfModifiedSince, IfUnmodifiedSince string     // header values, or ""
	Prefer                                                   string
	Body                                                     []byte
}

// Response is the answer to a Request.
type Response struct {
	Status         int
	Location, ETag string // header values or ""
	LastModified   time.Time
	Allow          []string // with 405 and OPTIONS
	RetryAfter     time.Duration
	Body           io.WriterTo // nil: none. Written once, until the request's context ends
	Size           int64       // of Body in bytes, if known; -1: not known
	Rules          []string    // ids of the compat rules that bent the request
	Err            error       // why Status is 4xx or 5xx; for the log
	Operation      string      // "create", "get", "list", "search", "replace", "patch", "delete", "bulk", "discovery", …; for logs
	Type, ID       string      // of the resource concerned, if any
}

// Do carries out req. It never panics and never returns a zero Status.
func (e *Engine) Do(ctx context.Context, req Request) Response { return Response{Status: 501} }

// BodyLimit returns how many bytes a request's body may have.
func (e *Engine) BodyLimit(method, path string) int64 { return 2 << 20 }
