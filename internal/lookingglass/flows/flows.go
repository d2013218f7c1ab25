// Package flows is SCIM told in steps: requests with the reason for each, to
// be run one after the other against a directory of their own, in memory, that
// is thrown away afterwards.
package flows

import "slices"

// Flow is a story of requests.
type Flow struct {
	ID    string // in addresses
	Title string
	About string   // what one learns, in a sentence or two
	Seed  []string // requests that come before the first step: "POST /Users", then a body, and so on
	Steps []Step
}

// Step is one request of a Flow. Path, Filter, Body and IfMatch may refer to
// earlier answers: {{name.member}} is a member of the answer to the step called
// name, {{name.etag}} its ETag.
type Step struct {
	Name    string // for later steps; "" if none refers to it
	Title   string
	Why     string // what is asked for, and who does so in practice
	Section string // "RFC 7644 §3.3"

	Method  string
	Path    string // relative to the base URI, with all of the query but the filter
	Filter  string // "" for none
	Body    string
	IfMatch string // header value, or ""
	Strict  bool   // asked of a server without tolerances, over the same resources

	Status int    // that the answer has unless the request was edited
	Look   string // what to see in the answer
}

// All returns the flows in the order in which one would read them.
func All() []*Flow { return slices.Clone(all) }

// Lookup returns the flow of that id, or nil.
func Lookup(id string) *Flow {
	i := slices.IndexFunc(all, func(f *Flow) bool { return f.ID == id })
	if i < 0 {
		return nil
	}
	return all[i]
}

var all = []*Flow{lifeCycle, membership, filters, discovery, bulk, dialect}
