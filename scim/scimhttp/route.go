package scimhttp

import (
	"net/http"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// route takes the version segment off an escaped path (RFC 7644 §3.13) and
// returns the rest as the engine knows it: one slash between segments and none
// at the end. Clients are given base URLs with a slash at the end, and a
// redirect would turn their POST into a GET, so such paths are simply taken
// for what they mean. Nothing is decoded and "." and ".." mean nothing here.
func route(escaped string) (path, version string, err error) {
	path = Clean(escaped)
	first, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !isVersion(first) {
		return path, "", nil
	}
	if first != "v2" && first != "V2" {
		return path, "", scim.Errorf(scim.TypeInvalidVers, "this service provider speaks SCIM v2, not %q (RFC 7644 §3.13)", first)
	}
	return "/" + rest, "/v2", nil
}

// Clean returns an escaped path without empty segments: one slash before each
// segment, none at the end, and "/" for the root. Whoever decides by path
// before the handler does (what is public, which tenant) must look at this.
func Clean(path string) string {
	if !strings.Contains(path, "//") {
		path = "/" + strings.Trim(path, "/")
		return path
	}
	var b strings.Builder
	b.Grow(len(path))
	for segment := range strings.SplitSeq(path, "/") {
		if segment != "" {
			b.WriteString("/" + segment)
		}
	}
	if b.Len() == 0 {
		return "/"
	}
	return b.String()
}

// isVersion reports whether a segment is "v" and a number.
func isVersion(s string) bool {
	if len(s) < 2 || len(s) > 8 || s[0]|0x20 != 'v' {
		return false
	}
	for _, c := range s[1:] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// Error writes err as a SCIM error message (RFC 7644 §3.12), for what happens
// before a request reaches the handler: authentication, unknown paths.
func Error(w http.ResponseWriter, err *scim.Error) {
	body, _ := err.MarshalJSON()
	head := w.Header()
	head.Set("Content-Type", scimType+charset)
	head.Set("Cache-Control", "no-store")
	setLength(head, int64(len(body)))
	setRetry(head, err.RetryAfter)
	w.WriteHeader(err.Status)
	_, _ = w.Write(body) // net/http drops it for HEAD; if it fails, nobody is left to tell
}
