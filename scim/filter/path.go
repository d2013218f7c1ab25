package filter

import (
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// ParsePath parses the path of a PATCH operation (RFC 7644 §3.5.2, Figure 7):
// an attribute, a sub-attribute, the URN of an extension, or the values of an
// attribute that a filter selects, with or without a sub-attribute after it.
// Errors are of type invalidPath, or invalidFilter for what is between the
// brackets.
func ParsePath(s string, o Options) (scim.Path, error) {
	invalid := func(format string, args ...any) (scim.Path, error) {
		return scim.Path{}, scim.Errorf(scim.TypeInvalidPath, format, args...)
	}
	if limit := o.withDefaults().MaxLength; len(s) > limit {
		return invalid("the path has %d bytes; at most %d are accepted", len(s), limit)
	}
	head, _, found := strings.Cut(s, "[")
	if !found {
		path, err := ParseAttrPath(s)
		return scim.Path{AttrPath: path}, err
	}
	p, err := newParser(s, o)
	if err != nil {
		return scim.Path{}, err
	}
	t := p.next()
	path, ok := splitPath(t.text)
	switch {
	case t.kind != 'w' || p.peek().kind != '[' || !ok:
		return invalid("%s is no attribute: a path begins with the name of one, as in emails[type eq \"work\"] (RFC 7644 §3.5.2)", shown(strings.TrimSpace(head)))
	case path.Sub != "":
		return invalid("%s: brackets follow an attribute, not a sub-attribute (RFC 7644 §3.5.2)", shown(t.text))
	case p.last(']') < 0:
		return invalid("the path %s has no closing bracket (RFC 7644 §3.5.2)", shown(s))
	}
	if i := p.tokens[p.at+1]; i.kind == 'w' && number(i.text) && p.tokens[p.at+2].kind == ']' {
		return invalid("values are selected by a filter, as in emails[type eq \"work\"], and not by number (RFC 7644 §3.5.2)")
	}
	f, err := p.valFilter(0)
	if err != nil {
		return scim.Path{}, err
	}
	out := scim.Path{AttrPath: path, Filter: f}
	t = p.next()
	if t.kind == 0 {
		return out, nil
	}
	sub, dotted := strings.CutPrefix(t.text, ".")
	if t.kind != 'w' || !t.glued || !dotted || !attrName(sub) || p.peek().kind != 0 {
		return invalid("the path %s: after the closing bracket only a dot and the name of a sub-attribute may follow (RFC 7644 §3.5.2)", shown(s))
	}
	out.Sub = sub
	return out, nil
}

// last returns where the last token of a kind is, or -1.
func (p *parser) last(kind byte) int {
	for i := len(p.tokens) - 1; i >= 0; i-- {
		if p.tokens[i].kind == kind {
			return i
		}
	}
	return -1
}

// ParseAttrPath parses the name of an attribute, as sortBy, attributes and
// excludedAttributes hold it (RFC 7644 §3.10). Errors are of type invalidPath.
func ParseAttrPath(s string) (scim.AttrPath, error) {
	p, ok := splitPath(s)
	if !ok {
		return scim.AttrPath{}, scim.Errorf(scim.TypeInvalidPath,
			"%s is not the name of an attribute: [URN:]name[.sub-attribute], as in name.familyName (RFC 7644 §3.10)", shown(s))
	}
	return p, nil
}

// splitPath cuts [URN ":"] name ["." sub]. After a URN the name may be the
// URN's own last part, a version such as "1.0" included; which it is only the
// schemas can tell, see [scim.ResourceType.Resolve].
func splitPath(s string) (scim.AttrPath, bool) {
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		p := scim.AttrPath{URN: s[:i]}
		p.Name, p.Sub, _ = strings.Cut(s[i+1:], ".")
		tail := s[i+1:]
		if strings.HasSuffix(tail, ".") || tail == "" || tail[0] == '.' || !uri(p.URN) {
			return scim.AttrPath{}, false
		}
		version := tail[0] >= '0' && tail[0] <= '9'
		if version {
			return p, uri(tail)
		}
		return p, attrName(p.Name) && (p.Sub == "" || attrName(p.Sub))
	}
	p := scim.AttrPath{}
	var dotted bool
	p.Name, p.Sub, dotted = strings.Cut(s, ".")
	return p, attrName(p.Name) && (!dotted || attrName(p.Sub))
}

// attrName reports whether s is an ATTRNAME of RFC 7643 §2.1; names may begin
// with a dollar sign, as $ref does.
func attrName(s string) bool {
	name := strings.TrimPrefix(s, "$")
	for i := range len(name) {
		c := name[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || c != '-' && c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return name != ""
}

// uri reports whether s holds only characters of a URI (RFC 3986 §2), without
// brackets, quotes and parentheses.
func uri(s string) bool {
	for i := range len(s) {
		c := s[i]
		alnum := c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9'
		if !alnum && strings.IndexByte("-._~:/?#@!$&*+,;=%", c) < 0 {
			return false
		}
	}
	return s != ""
}

// reserved reports whether a word can't be an attribute because the grammar
// uses it between expressions.
func reserved(s string) bool {
	return strings.EqualFold(s, scim.And) || strings.EqualFold(s, scim.Or) || strings.EqualFold(s, "not")
}
