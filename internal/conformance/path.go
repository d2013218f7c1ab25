package conformance

import (
	"fmt"
	"strconv"
	"strings"
)

// lookup returns the values at a path such as $.emails[0].value,
// $.Resources[*].userName or $["urn:…:User"].manager; none if it leads nowhere.
func lookup(root any, path string) ([]any, error) {
	rest, ok := strings.CutPrefix(path, "$")
	if !ok {
		return nil, fmt.Errorf("path %q doesn't begin with $", path)
	}
	at := []any{root}
	for rest != "" {
		var key string
		switch {
		case rest[0] == '.':
			end := strings.IndexAny(rest[1:], ".[")
			if end < 0 {
				end = len(rest) - 1
			}
			key, rest = rest[1:1+end], rest[1+end:]
		case strings.HasPrefix(rest, `["`):
			end := strings.Index(rest, `"]`)
			if end < 0 {
				return nil, fmt.Errorf("path %q: no end of %s", path, rest)
			}
			key, rest = rest[2:end], rest[end+2:]
		case rest[0] == '[':
			end := strings.IndexByte(rest, ']')
			if end < 0 {
				return nil, fmt.Errorf("path %q: no end of %s", path, rest)
			}
			index := rest[1:end]
			rest = rest[end+1:]
			next, err := elements(at, index)
			if err != nil {
				return nil, fmt.Errorf("path %q: %w", path, err)
			}
			at = next
			continue
		default:
			return nil, fmt.Errorf("path %q: can't read %s", path, rest)
		}
		var next []any
		for _, v := range at {
			if m, ok := v.(map[string]any); ok {
				if x, ok := m[key]; ok {
					next = append(next, x)
				}
			}
		}
		at = next
	}
	return at, nil
}

// elements returns element index, or all for "*", of each array in at.
func elements(at []any, index string) ([]any, error) {
	n, err := strconv.Atoi(index)
	if err != nil && index != "*" {
		return nil, fmt.Errorf("[%s] is no index", index)
	}
	var next []any
	for _, v := range at {
		list, ok := v.([]any)
		switch {
		case !ok:
		case index == "*":
			next = append(next, list...)
		case n >= 0 && n < len(list):
			next = append(next, list[n])
		}
	}
	return next, nil
}
