package engine

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rollcall-scim/rollcall/scim"
)

// verb is what one method does at an endpoint.
type verb struct {
	method, operation string
	run               func(*call) (Response, error)
	off               string // the feature it belongs to, if that is switched off
}

// route carries out the request at the endpoint its path names (RFC 7644
// §3.2). A method the endpoint lacks is a 405 that says which it has.
func (c *call) route() (Response, error) {
	v, verbs, err := c.find()
	switch {
	case err != nil:
		return Response{}, err
	case v == nil && c.operation == "options":
		return Response{Status: 204, Allow: allow(verbs)}, nil
	case v == nil:
		return c.methodError(allow(verbs)), nil
	}
	if err := c.allowed(); err != nil {
		return Response{}, err
	}
	if v.off != "" && !c.req.repair {
		return Response{}, notImplemented(v.off)
	}
	if limit := c.e.BodyLimit(c.req.Method, c.req.Path); int64(len(c.req.Body)) > limit {
		return Response{}, tooLarge(limit)
	}
	if dry, err := c.wantsPreview(v.operation); err != nil {
		return Response{}, err
	} else if dry {
		return c.preview()
	}
	return v.run(c)
}

// find returns what the method does at the endpoint that the path names, or nil,
// and what else could be done there.
func (c *call) find() (*verb, []verb, error) {
	var ok bool
	if c.segments, ok = segments(c.req.Path); !ok {
		return nil, nil, c.noEndpoint()
	}
	verbs := c.verbs()
	if verbs == nil {
		return nil, nil, c.noEndpoint()
	}
	method := c.req.Method
	switch method {
	case "HEAD":
		method = "GET"
	case "OPTIONS":
		c.operation = "options"
		return nil, verbs, nil
	}
	for i := range verbs {
		if verbs[i].method == method {
			c.operation = verbs[i].operation
			return &verbs[i], verbs, nil
		}
	}
	return nil, verbs, nil
}

// verbs returns what the path offers, or nil if it is no endpoint. The names
// of endpoints are matched without regard to case.
func (c *call) verbs() []verb {
	s := c.segments
	if len(s) == 0 {
		return []verb{{method: "GET", operation: "list", run: (*call).listAll}}
	}
	switch strings.ToLower(s[0]) {
	case ".search":
		if len(s) == 1 {
			return []verb{{method: "POST", operation: "search", run: (*call).searchAll}}
		}
		return nil
	case "bulk":
		if len(s) == 1 {
			return []verb{{method: "POST", operation: "bulk", run: (*call).bulk, off: feature("Bulk", c.e.c.NoBulk)}}
		}
		return nil
	case "me":
		if len(s) == 1 {
			return c.me()
		}
		return nil
	case "serviceproviderconfig", "serviceproviderconfigs":
		if len(s) == 1 {
			return []verb{{method: "GET", operation: "discovery", run: (*call).discover}}
		}
		return nil
	case "schemas", "resourcetypes":
		switch {
		case len(s) == 2 && strings.EqualFold(s[1], ".search"):
			return []verb{{method: "POST", operation: "discovery", run: (*call).refuseFilter}}
		case len(s) <= 2:
			return []verb{{method: "GET", operation: "discovery", run: (*call).discover}}
		}
		return nil
	}
	t, rest := c.e.typeAt(s)
	if t == nil {
		return nil
	}
	c.typ = t.Name
	switch {
	case len(rest) == 0:
		return []verb{
			{method: "GET", operation: "list", run: func(c *call) (Response, error) { return c.list(t) }},
			{method: "POST", operation: "create", run: func(c *call) (Response, error) { return c.create(t) }},
		}
	case len(rest) == 1 && strings.EqualFold(rest[0], ".search"):
		return []verb{{method: "POST", operation: "search", run: func(c *call) (Response, error) { return c.search(t) }}}
	case len(rest) == 1:
		return c.ofResource(t, func() (string, error) { return rest[0], nil })
	}
	return nil
}

// ofResource returns what can be done with one resource, whose id is found
// when the method is known to be allowed.
func (c *call) ofResource(t *scim.ResourceType, id func() (string, error)) []verb {
	with := func(f func(*call, scim.Ref) (Response, error)) func(*call) (Response, error) {
		return func(c *call) (Response, error) {
			id, err := id()
			if err != nil {
				return Response{}, err
			}
			c.typ = t.Name
			if !plausible(id) {
				return Response{}, scim.ErrNotFound
			}
			c.id = id
			return f(c, scim.Ref{Type: t, ID: id})
		}
	}
	return []verb{
		{method: "GET", operation: "get", run: with((*call).get)},
		{method: "PUT", operation: "replace", run: with((*call).replace)},
		{method: "PATCH", operation: "patch", run: with((*call).patch), off: feature("PATCH", c.e.c.NoPatch)},
		{method: "DELETE", operation: "delete", run: with((*call).remove)},
	}
}

// plausible reports whether a backend may be asked for the id. One that holds
// control characters or is no text never was issued.
func plausible(id string) bool {
	return id != "" && utf8.ValidString(id) && !strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// typeAt returns the resource type at whose endpoint the segments begin, and
// the segments after it.
func (e *Engine) typeAt(segments []string) (*scim.ResourceType, []string) {
	for i, path := range e.paths {
		if len(path) <= len(segments) && slices.EqualFunc(path, segments[:len(path)], strings.EqualFold) {
			return e.types[i], segments[len(path):]
		}
	}
	return nil, nil
}

// segments splits an escaped path and decodes each segment by itself, so that
// an encoded slash stays inside its segment (RFC 3986 §2.2). Empty segments,
// of repeated and trailing slashes, do not count.
func segments(path string) ([]string, bool) {
	list := make([]string, 0, 3)
	for s := range strings.SplitSeq(path, "/") {
		if s == "" {
			continue
		}
		s, err := url.PathUnescape(s)
		if err != nil {
			return nil, false
		}
		list = append(list, s)
	}
	return list, true
}

func allow(verbs []verb) []string {
	var list []string
	for _, v := range verbs {
		if v.off != "" {
			continue
		}
		list = append(list, v.method)
		if v.method == "GET" {
			list = append(list, "HEAD")
		}
	}
	return append(list, "OPTIONS")
}

func (c *call) noEndpoint() error {
	return &scim.Error{Status: 404, Detail: "there is no endpoint at " + quoteShort(c.req.Path) + " (RFC 7644 §3.2)"}
}

// BodyLimit returns how many bytes a request's body may have: LargeBody where
// a group or a Bulk message is expected (RFC 7644 §3.7.4), else Body.
func (e *Engine) BodyLimit(method, path string) int64 {
	if s, ok := segments(path); ok && len(s) > 0 {
		if len(s) == 1 && strings.EqualFold(s[0], "bulk") {
			return e.c.Limits.LargeBody
		}
		if t, _ := e.typeAt(s); t != nil && t.Membership() != nil {
			return e.c.Limits.LargeBody
		}
	}
	return e.c.Limits.Body
}

// tooLarge returns the error for a body of more than limit bytes: status 413,
// naming the limit (RFC 7644 §3.7.4, RFC 9110 §15.5.14).
func tooLarge(limit int64) *scim.Error {
	return &scim.Error{Status: 413, Detail: "the body is larger than maxPayloadSize, here " + itoa(limit) + " bytes (RFC 7644 §3.7.4)"}
}

// feature returns the name of a feature that is off, else "".
func feature(name string, off bool) string {
	if off {
		return name
	}
	return ""
}

func notImplemented(what string) *scim.Error {
	return &scim.Error{Status: 501, Detail: what + " is not offered here; see /ServiceProviderConfig (RFC 7644 §3.12)"}
}
