package engine

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

// onlyID selects the minimum: id, and the schemas that always come along.
var onlyID = scim.Selection{Attributes: []scim.AttrPath{{Name: "id", Attr: commonAttribute("id")}}}

func commonAttribute(name string) *scim.Attribute {
	for _, a := range scim.Common {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// projection is the attributes and excludedAttributes of a request, parsed
// (RFC 7644 §3.9). Names that are none are left out already.
type projection struct {
	attributes, excluded []scim.AttrPath
	asked                bool     // attributes were named, known or not
	names                []string // as sent, for the digest of a cursor
}

// projection reads the parameters from the URL. An empty one counts as absent.
func (c *call) projection() (projection, error) {
	var lists [2][]string
	for i, name := range []string{"attributes", "excludedAttributes"} {
		for _, v := range c.values(name) {
			lists[i] = append(lists[i], strings.Split(v, ",")...)
		}
	}
	return newProjection(lists[0], lists[1])
}

func newProjection(attributes, excluded []string) (projection, error) {
	var p projection
	in, askedIn := attrPaths(attributes)
	out, askedOut := attrPaths(excluded)
	if askedIn && askedOut {
		return p, scim.Errorf(scim.TypeInvalidValue, "attributes and excludedAttributes exclude each other (RFC 7644 §3.9)")
	}
	p.attributes, p.excluded, p.asked = in, out, askedIn
	p.names = append(append(append(p.names, attributes...), "\x00"), excluded...)
	return p, nil
}

func attrPaths(names []string) (paths []scim.AttrPath, asked bool) {
	for _, name := range names {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		asked = true
		if p, err := filter.ParseAttrPath(name); err == nil {
			paths = append(paths, p)
		}
	}
	return paths, asked
}

// bind resolves the names against a resource type, each once, since every
// resource that is shown is compared with all of them. Those the type lacks are
// ignored; where all are, the minimum is what was asked for.
func (p projection) bind(t *scim.ResourceType) scim.Selection {
	bound := func(list []scim.AttrPath) (out []scim.AttrPath) {
		seen := map[scim.AttrPath]bool{}
		for _, a := range list {
			if b, ok := t.Resolve(a); ok && !seen[b] {
				seen[b] = true
				out = append(out, b)
			}
		}
		return out
	}
	s := scim.Selection{Attributes: bound(p.attributes), Excluded: bound(p.excluded)}
	if p.asked && len(s.Attributes) == 0 {
		return onlyID
	}
	return s
}

// values returns the values of a query parameter. Names are matched without
// regard to case, since clients spell them in several (HTTP-04).
func (c *call) values(name string) []string {
	if v, ok := c.req.Query[name]; ok {
		return v
	}
	for k, v := range c.req.Query {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return nil
}

// value returns the value of a parameter that may be given once.
func (c *call) value(name string) (v string, given bool, err error) {
	list := c.values(name)
	if len(list) > 1 {
		return "", false, scim.Errorf(scim.TypeInvalidValue, "%s: one value expected, %d given", name, len(list))
	}
	if len(list) == 0 {
		return "", false, nil
	}
	return list[0], true, nil
}

// params is a list request before it is bound to a type, from a URL (RFC 7644
// §3.4.2) or a SearchRequest (§3.4.3).
type params struct {
	filter             string
	hasFilter          bool
	sortBy             string
	descending         bool
	startIndex, count  int
	hasStart, hasCount bool
	cursor             string
	hasCursor          bool
	projection         projection
}

// asked reports whether the request says which page it wants.
func (p *params) asked() bool { return p.hasStart || p.hasCount || p.hasCursor }

func (c *call) params() (p params, err error) {
	if p.projection, err = c.projection(); err != nil {
		return p, err
	}
	if p.filter, p.hasFilter, err = c.value("filter"); err != nil {
		return p, err
	}
	if p.sortBy, _, err = c.value("sortBy"); err != nil {
		return p, err
	}
	order, _, err := c.value("sortOrder")
	if err != nil {
		return p, err
	}
	if err = p.setOrder(order, c.e.c.NoSort); err != nil {
		return p, err
	}
	if p.cursor, p.hasCursor, err = c.value("cursor"); err != nil {
		return p, err
	}
	start, _, err := c.value("startIndex")
	if err != nil {
		return p, err
	}
	count, _, err := c.value("count")
	if err != nil {
		return p, err
	}
	return p, p.setNumbers(start, count, c.e.c.CursorOnly)
}

// setOrder reads sortOrder (RFC 7644 §3.4.2.3). Where sorting is off it means
// nothing, like any unknown parameter.
func (p *params) setOrder(order string, off bool) error {
	switch {
	case off:
		p.sortBy = ""
	case strings.EqualFold(order, "descending"):
		p.descending = true
	case order != "" && !strings.EqualFold(order, "ascending"):
		return scim.Errorf(scim.TypeInvalidValue, "sortOrder: ascending or descending expected, not %s (RFC 7644 §3.4.2.3)", quoteShort(order))
	}
	return nil
}

// setNumbers reads startIndex and count; "" is not given. Too small values
// mean the smallest (RFC 7644 §3.4.2.4).
func (p *params) setNumbers(start, count string, cursorOnly bool) error {
	if start != "" {
		if p.hasCursor {
			return scim.Errorf(scim.TypeInvalidValue, "cursor and startIndex exclude each other (RFC 9865 §2)")
		}
		n, ok := integer(start)
		if !ok {
			return scim.Errorf(scim.TypeInvalidValue, "startIndex: an integer expected, not %s (RFC 7644 §3.4.2.4)", quoteShort(start))
		}
		if cursorOnly && n > 1 {
			return scim.Errorf(scim.TypeInvalidValue, "startIndex: lists are paged by cursor here (RFC 9865 §2.3)")
		}
		p.startIndex, p.hasStart = n, true
	}
	p.startIndex = max(p.startIndex, 1)
	p.hasCursor = p.hasCursor || cursorOnly
	if count != "" {
		n, ok := integer(count)
		switch {
		case !ok && p.hasCursor:
			return scim.Errorf(scim.TypeInvalidCount, "count: an integer expected, not %s (RFC 9865 §2.1)", quoteShort(count))
		case !ok:
			return scim.Errorf(scim.TypeInvalidValue, "count: an integer expected, not %s (RFC 7644 §3.4.2.4)", quoteShort(count))
		}
		p.count, p.hasCount = max(n, 0), true
	}
	return nil
}

// integer reads a decimal integer without plus sign, fraction or exponent.
func integer(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && !strings.HasPrefix(s, "+")
}

// size returns how many resources a page may have: count, else byDefault, at
// most MaxPage (filter.maxResults).
func (c *call) size(p params, byDefault int) int {
	n := byDefault
	if p.hasCount {
		n = p.count
	}
	return min(n, c.e.c.Limits.MaxPage)
}

// searchRequest reads a SearchRequest (RFC 7644 §3.4.3). Parameters of the URL
// are not looked at.
func (c *call) searchRequest() (p params, err error) {
	body, err := c.object()
	if err != nil {
		return p, err
	}
	if err := wantMessage(body, scim.SearchRequestURN); err != nil {
		return p, err
	}
	text := func(name string) (s string, given bool) {
		v, _ := body.Lookup(name)
		if v == nil || err != nil {
			return "", false
		}
		s, ok := v.(string)
		if !ok {
			err = scim.Errorf(scim.TypeInvalidValue, "%s: a string expected (RFC 7644 §3.4.3)", name)
		}
		return s, ok
	}
	list := func(name string) (names []string) {
		v, _ := body.Lookup(name)
		if v == nil || err != nil {
			return nil
		}
		values, ok := v.([]any)
		for _, v := range values {
			s, isString := v.(string)
			ok = ok && isString
			names = append(names, s)
		}
		if !ok {
			err = scim.Errorf(scim.TypeInvalidSyntax, "%s: an array of strings expected (RFC 7644 §3.4.3)", name)
		}
		return names
	}
	number := func(name string) string {
		v, _ := body.Lookup(name)
		switch v := v.(type) {
		case nil:
			return ""
		case json.Number:
			return v.String()
		}
		return "no number" // no integer either: refused with the right type
	}
	attributes, excluded := list("attributes"), list("excludedAttributes")
	p.filter, p.hasFilter = text("filter")
	p.sortBy, _ = text("sortBy")
	order, _ := text("sortOrder")
	p.cursor, p.hasCursor = text("cursor")
	if err != nil {
		return p, err
	}
	if p.projection, err = newProjection(attributes, excluded); err != nil {
		return p, err
	}
	if err = p.setOrder(order, c.e.c.NoSort); err != nil {
		return p, err
	}
	return p, p.setNumbers(number("startIndex"), number("count"), c.e.c.CursorOnly)
}

// wantMessage checks that a message names its own URN (RFC 7644 §3.1).
func wantMessage(body scim.Object, urn string) error {
	v, _ := body.Lookup("schemas")
	list, _ := v.([]any)
	for _, v := range list {
		if s, ok := v.(string); ok && strings.EqualFold(s, urn) {
			return nil
		}
	}
	return scim.Errorf(scim.TypeInvalidSyntax, "schemas: [%q] expected (RFC 7644 §3.1)", urn)
}

// object returns the body as parsed JSON.
func (c *call) object() (scim.Object, error) {
	if c.req.parsed != nil {
		return c.req.parsed, nil
	}
	return scim.ParseObject(c.req.Body, c.e.c.Limits.JSONDepth, c.e.c.Limits.JSONValues)
}

// body returns the body of a resource's write, with the profile's rewrites
// applied to it.
func (c *call) body(t *scim.ResourceType) (scim.Object, error) {
	o, err := c.object()
	if err != nil {
		return nil, err
	}
	for _, r := range c.e.c.Profile.Rewrites {
		if changed, ok := r.Body(c.req.Method, t, o); ok {
			o = changed
			c.report(r.ID)
		}
	}
	return o, nil
}
