package scimhttp

import (
	"net/url"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// parameters are the query parameters that mean something, spelled as the
// engine expects them, by their lower-case form (RFC 7644 §3.4.2, RFC 9865 §2).
var parameters = map[string]string{
	"filter":             "filter",
	"sortby":             "sortBy",
	"sortorder":          "sortOrder",
	"startindex":         "startIndex",
	"count":              "count",
	"cursor":             "cursor",
	"attributes":         "attributes",
	"excludedattributes": "excludedAttributes",
	"dryrun":             "dryRun", // ours: docs/divergences.md
}

// query parses a query string. Unknown parameters are dropped (RFC 7644
// §3.4.2), known ones matched without regard to case, since real clients send
// "startindex". A query that can't be parsed is an error: to go on without the
// part that is broken would be to answer with every user where one was asked
// for. So is a parameter given twice.
func query(raw string) (url.Values, error) {
	if raw == "" {
		return nil, nil
	}
	all, err := url.ParseQuery(raw)
	if err != nil {
		return nil, &scim.Error{Status: 400, Type: scim.TypeInvalidFilter, Err: err,
			Detail: "the query string is not well-formed: a percent sign or semicolon in it is not encoded (RFC 3986 §2.1)"}
	}
	known := url.Values{}
	for name, values := range all {
		canonical, ok := parameters[strings.ToLower(name)]
		if !ok {
			continue
		}
		if len(values) > 1 || known.Has(canonical) {
			return nil, scim.Errorf(scim.TypeInvalidValue, "the query parameter %q is given more than once", canonical)
		}
		known[canonical] = values
	}
	return known, nil
}
