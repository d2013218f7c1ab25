package engine

import (
	"slices"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

// conditions are the preconditions of one request (RFC 9110 §13).
type conditions struct {
	match, noneMatch                 []string // opaque tags
	matchAny, noneMatchAny           bool     // "*"
	modifiedSince, unmodifiedSince   time.Time
	hasMatch, hasNone, hasMod, hasUn bool
}

// conditions reads the conditional headers. Entity-tags that are none are
// refused (ETG-013); a date that is none is ignored, and so is one whose header
// has an entity-tag beside it (RFC 9110 §13.1.3, §13.1.4).
func (c *call) conditions() (conditions, error) {
	var k conditions
	if c.e.c.NoETag {
		return k, nil
	}
	var err error
	if c.req.IfMatch != "" {
		if k.match, k.matchAny, err = entityTags("If-Match", c.req.IfMatch); err != nil {
			return k, err
		}
		k.hasMatch = true
	} else {
		k.unmodifiedSince, k.hasUn = httpDate(c.req.IfUnmodifiedSince)
	}
	if c.req.IfNoneMatch != "" {
		if k.noneMatch, k.noneMatchAny, err = entityTags("If-None-Match", c.req.IfNoneMatch); err != nil {
			return k, err
		}
		k.hasNone = true
	} else {
		k.modifiedSince, k.hasMod = httpDate(c.req.IfModifiedSince)
	}
	return k, nil
}

// named reports whether the conditions depend on the resource's state, beyond
// that it exists: what is then written must be what was looked at.
func (k conditions) named() bool { return k.pinned() || k.hasUn || k.hasNone }

// pinned reports whether the client names the versions it means: one that was
// replaced meanwhile is then refused, not looked at again.
func (k conditions) pinned() bool { return k.hasMatch && !k.matchAny }

// failed reports whether a request that reads or writes is to be refused.
// Entity-tags compare weakly, since those of SCIM are weak.
func (k conditions) failed(version string, modified time.Time) bool {
	return k.pinned() && !slices.Contains(k.match, version) ||
		k.hasUn && modified.Truncate(time.Second).After(k.unmodifiedSince)
}

// unchanged reports whether the client already has the version: 304 when it
// reads, 412 when it writes (RFC 9110 §13.1.2). A date counts for reads only.
func (k conditions) unchanged(version string, modified time.Time, read bool) bool {
	if k.hasNone {
		return k.noneMatchAny || slices.Contains(k.noneMatch, version)
	}
	return read && k.hasMod && !modified.Truncate(time.Second).After(k.modifiedSince)
}

// check reads and evaluates the conditions of a write to r.
func (c *call) check(r *scim.Resource) (conditions, error) {
	k, err := c.conditions()
	if err == nil && (k.failed(r.Meta.Version, r.Meta.LastModified) || k.unchanged(r.Meta.Version, r.Meta.LastModified, false)) {
		err = scim.ErrVersionMismatch
	}
	return k, err
}

// entityTags parses "*" or a list of entity-tags (RFC 9110 §8.8.3, §5.6.1).
func entityTags(name, header string) (tags []string, all bool, err error) {
	rest := strings.Trim(header, " \t")
	if rest == "*" {
		return nil, true, nil
	}
	bad := scim.Errorf(scim.TypeInvalidValue, "%s: an entity-tag such as W/\"3\", a list of them or * expected (RFC 9110 §13.1)", name)
	for {
		rest = strings.TrimLeft(rest, " \t,")
		if rest == "" {
			break
		}
		rest = strings.TrimPrefix(rest, "W/")
		if !strings.HasPrefix(rest, `"`) {
			return nil, false, bad
		}
		end := strings.IndexByte(rest[1:], '"')
		if end < 0 || strings.ContainsFunc(rest[1:end+1], func(r rune) bool { return r < 0x21 || r == 0x7f }) {
			return nil, false, bad
		}
		tags = append(tags, rest[1:end+1])
		rest = strings.TrimLeft(rest[end+2:], " \t")
		if rest != "" && rest[0] != ',' {
			return nil, false, bad
		}
	}
	if tags == nil {
		return nil, false, bad
	}
	return tags, false, nil
}

// httpDate parses the three forms of RFC 9110 §5.6.7.
func httpDate(s string) (time.Time, bool) {
	if s == "" {
		return time.Time{}, false
	}
	for _, layout := range []string{"Mon, 02 Jan 2006 15:04:05 GMT", "Monday, 02-Jan-06 15:04:05 GMT", time.ANSIC} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
