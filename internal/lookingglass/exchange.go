package lookingglass

import "time"

// Exchange is one request and its answer as the recorder keeps it: redacted,
// cut, and explained. Its JSON form is that of the event stream and the
// downloads; the journal packs it. Exchanges are shared and must not be modified.
type Exchange struct {
	Seq    int64     `json:"seq"` // of the recorder, ascending; survives a restart where there is a journal, and is unique over all instances that share one
	ID     string    `json:"id"`  // X-Request-Id
	Time   time.Time `json:"time"`
	Tenant string    `json:"tenant,omitempty"`
	Actor  string    `json:"actor,omitempty"` // a token's name, never the token
	Client Client    `json:"client"`

	// Instance is the program that served it, where several serve one database.
	Instance string `json:"instance,omitempty"`

	Method string `json:"method"`
	Path   string `json:"path"`             // as the client wrote it
	Query  string `json:"query,omitempty"`  // decoded for reading; values that could be secrets masked
	Base   string `json:"base,omitempty"`   // base URI of the service as the client reached it; "" if that was not found out
	Local  string `json:"local,omitempty"`  // the escaped path below Base
	Sent   string `json:"sent,omitempty"`   // Query as it can be sent again: encoded, masked as Query is
	Op     string `json:"op,omitempty"`     // of the engine: get, list, create, replace, patch, delete, search, bulk …
	Type   string `json:"type,omitempty"`   // resource type
	Target string `json:"target,omitempty"` // resource id
	Name   string `json:"name,omitempty"`   // userName or displayName of that resource, where known

	Status int   `json:"status"`
	Micros Split `json:"micros"`

	Request  Message  `json:"request"`
	Response Message  `json:"response"`
	Filter   *Node    `json:"filter,omitempty"` // the parsed filter
	Steps    []Step   `json:"steps,omitempty"`  // SQL or upstream calls
	Changes  []Change `json:"changes,omitempty"`
	Rules    []Rule   `json:"rules,omitempty"` // of package compat, that fired
	Fault    *Fault   `json:"fault,omitempty"`
	Lookup   *Lookup  `json:"lookup,omitempty"`
	Touched  []string `json:"touched,omitempty"` // ids of resources it read or changed, Target included
}

// Writes reports whether it asked for a change: of one resource, or of several by
// a Bulk message.
func (x *Exchange) Writes() bool {
	switch x.Op {
	case "create", "replace", "patch", "delete", "bulk":
		return true
	}
	return false
}

// Client says who sent a request, and how that was recognised.
type Client struct {
	Kind string `json:"kind"` // "okta", "entra", … , "curl", "rollcall", "unknown"
	How  string `json:"how"`  // in words, such as "User-Agent Okta SCIM Client"
}

// Split is where the time went, in microseconds.
type Split struct {
	Total   int64 `json:"total"`
	Parse   int64 `json:"parse,omitempty"`
	Backend int64 `json:"backend,omitempty"`
	Encode  int64 `json:"encode,omitempty"`
}

// Message is a request or an answer.
type Message struct {
	Headers []Header `json:"headers,omitempty"`
	Body    string   `json:"body,omitempty"` // redacted JSON, indented by nobody; "" if there was none or it is not kept
	Size    int64    `json:"size"`           // bytes on the wire
	Cut     bool     `json:"cut,omitempty"`  // Body is only the beginning
	Hash    string   `json:"hash,omitempty"` // of a body that could not be parsed and is not kept: SHA-256, hexadecimal; with Cut, of its beginning
}

// Header is a header field; secrets in it are masked.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Node is a filter as a tree.
type Node struct {
	Text  string  `json:"text"`  // "and", "not", or `userName eq "x"`
	Words string  `json:"words"` // what it means, in a sentence
	Under []*Node `json:"under,omitempty"`
}

// Step is one SQL statement or upstream call.
type Step struct {
	Kind   string `json:"kind"` // "sql" or "call"
	Text   string `json:"text"`
	Start  int64  `json:"start"`           // microseconds since the request began
	Took   int64  `json:"took"`            // microseconds
	Rows   int64  `json:"rows"`            // or the status of a call; -1: not known
	Times  int    `json:"times,omitempty"` // how often it ran in a row, if more than once
	Failed string `json:"failed,omitempty"`
}

// Change is what a write changed in one attribute. For members Before and After
// are what went and what came.
type Change struct {
	Path   string `json:"path"`
	Before string `json:"before,omitempty"` // JSON; "" is absent
	After  string `json:"after,omitempty"`
}

// Rule is a tolerance that bent the request.
type Rule struct {
	ID   string `json:"id"`
	What string `json:"what"`
}

// Fault is why a request was refused, and what to do.
type Fault struct {
	ScimType string   `json:"scimType,omitempty"`
	Detail   string   `json:"detail"`
	Section  string   `json:"section,omitempty"` // "RFC 7644 §3.5.2"
	Advice   []Advice `json:"advice,omitempty"`
}

// Advice is what to change, and where.
type Advice struct {
	Client string `json:"client"` // "Okta", "Entra ID", "anybody" …
	Text   string `json:"text"`
}

// Lookup is a search for one person or group by a unique value.
type Lookup struct {
	Attribute string `json:"attribute"`
	Value     string `json:"value"`
	Found     int    `json:"found"`
}
