package engine

import (
	"net/url"
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// bulkPrefix begins a reference to a resource that the same message creates
// (RFC 7644 §3.7.2).
const bulkPrefix = "bulkId:"

// substitution gives the text that takes the place of a bulkId reference.
type substitution func(bulkID string) (string, error)

// substitute returns v with the bulkId references in it replaced. They are
// looked for wherever an id may stand: in "value", in "$ref", in the
// attributes of the schemas that hold references, and in the paths of PATCH
// operations; other text is left alone. v is not modified.
func (e *Engine) substitute(v any, s substitution) (any, error) {
	if !holdsReference(v) {
		return v, nil // most bodies: nothing to copy
	}
	return e.substituteAt("", v, s)
}

func holdsReference(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.Contains(v, bulkPrefix)
	case scim.Object:
		for i := range v {
			if strings.Contains(v[i].Name, bulkPrefix) || holdsReference(v[i].Value) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, holdsReference)
	}
	return false
}

func (e *Engine) substituteAt(key string, v any, s substitution) (any, error) {
	switch v := v.(type) {
	case string:
		if !strings.Contains(v, bulkPrefix) {
			return v, nil
		}
		if strings.EqualFold(key, "path") {
			return inPath(v, s)
		}
		if name := lastName(key); name == "value" || name == "$ref" || e.refs[name] {
			return inReference(v, s)
		}
		return v, nil
	case scim.Object:
		out := make(scim.Object, len(v))
		for i, m := range v {
			value, err := e.substituteAt(m.Name, m.Value, s)
			if err != nil {
				return nil, err
			}
			out[i] = scim.Member{Name: m.Name, Value: value}
			if strings.Contains(m.Name, bulkPrefix) { // a value path as a key, PATCH-04
				name, err := inPath(m.Name, s)
				if err != nil {
					return nil, err
				}
				out[i].Name = name
			}
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i := range v {
			var err error
			if out[i], err = e.substituteAt(key, v[i], s); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

// lastName returns the folded name a path or key ends in.
func lastName(key string) string {
	return strings.ToLower(key[strings.LastIndexAny(key, ".:")+1:])
}

// inReference replaces a reference that is the whole text, or the end of a URI,
// where it may be percent-encoded (RFC 3986 §2.1).
func inReference(v string, s substitution) (string, error) {
	if id, ok := strings.CutPrefix(v, bulkPrefix); ok {
		return s(id)
	}
	before, id, ok := strings.Cut(v, "/"+bulkPrefix)
	if !ok {
		return v, nil
	}
	if decoded, err := url.PathUnescape(id); err == nil {
		id = decoded
	}
	id, err := s(id)
	return before + "/" + id, err
}

// inPath replaces the references in the string literals of a path's filter.
func inPath(path string, s substitution) (string, error) {
	const mark = `"` + bulkPrefix
	var b strings.Builder
	for {
		at := strings.Index(path, mark)
		if at < 0 {
			return b.String() + path, nil
		}
		rest := path[at+len(mark):]
		end := strings.IndexByte(rest, '"')
		if end < 0 {
			return b.String() + path, nil
		}
		id, err := s(rest[:end])
		if err != nil {
			return "", err
		}
		b.WriteString(path[:at+1] + id)
		path = rest[end:]
	}
}

// references returns the bulkIds that v refers to, each once.
func (e *Engine) references(v any) []string {
	var list []string
	seen := map[string]bool{}
	_, _ = e.substitute(v, func(id string) (string, error) {
		if !seen[id] {
			seen[id] = true
			list = append(list, id)
		}
		return bulkPrefix + id, nil
	})
	return list
}

// withhold splits what a resource's body says into what can be stored at once
// and what refers to resources that do not exist yet: the PATCH operations
// that put it in afterwards (RFC 7644 §3.7.1).
func (e *Engine) withhold(body scim.Object, pending func(bulkID string) bool) (now scim.Object, later []any) {
	refers := func(key string, v any) (found bool) {
		_, _ = e.substituteAt(key, v, func(id string) (string, error) {
			found = found || pending(id)
			return "", nil
		})
		return found
	}
	var split func(prefix string, o scim.Object) scim.Object
	split = func(prefix string, o scim.Object) (kept scim.Object) {
		for _, m := range o {
			path := prefix + m.Name
			switch v := m.Value.(type) {
			case scim.Object:
				if prefix == "" && strings.Contains(m.Name, ":") { // an extension
					kept = append(kept, scim.Member{Name: m.Name, Value: split(m.Name+":", v)})
					continue
				}
			case []any:
				var stay, wait []any
				for _, el := range v {
					if refers(m.Name, el) {
						wait = append(wait, el)
					} else {
						stay = append(stay, el)
					}
				}
				if wait != nil {
					later = append(later, addition(path, wait))
					if stay != nil {
						kept = append(kept, scim.Member{Name: m.Name, Value: stay})
					}
					continue
				}
			}
			if refers(m.Name, m.Value) {
				later = append(later, addition(path, m.Value))
				continue
			}
			kept = append(kept, m)
		}
		return kept
	}
	return split("", body), later
}

func addition(path string, value any) scim.Object {
	return scim.Object{{Name: "op", Value: "add"}, {Name: "path", Value: path}, {Name: "value", Value: value}}
}

// mentions reports whether v names one of the attributes, as a key or in a
// path: a body that may hold a password.
func mentions(v any, names map[string]bool) bool {
	switch v := v.(type) {
	case scim.Object:
		for _, m := range v {
			if names[lastName(m.Name)] || mentions(m.Value, names) {
				return true
			}
			if path, ok := m.Value.(string); ok && strings.EqualFold(m.Name, "path") && names[lastName(path)] {
				return true
			}
		}
	case []any:
		for _, el := range v {
			if mentions(el, names) {
				return true
			}
		}
	}
	return false
}
