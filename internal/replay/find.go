package replay

import (
	"fmt"
	"regexp"
	"strconv"
)

// segment matches one step of a path: .name, ['name'], [0], [*] or
// [?(@.name=='value')].
var segment = regexp.MustCompile(`^(?:\.(\w+)|\['([^']*)'\]|\[(\d+)\]|(\[\*\])|\[\?\(@\.(\w+)=='([^']*)'\)\])`)

// find returns the nodes of doc that the path selects.
func find(doc any, path string) ([]any, error) {
	if path == "" || path[0] != '$' {
		return nil, fmt.Errorf("%w: %q", errPath, path)
	}
	nodes := []any{doc}
	if doc == nil {
		nodes = nil
	}
	for rest := path[1:]; rest != ""; {
		m := segment.FindStringSubmatch(rest)
		if m == nil {
			return nil, fmt.Errorf("%w: %q at %q", errPath, path, rest)
		}
		rest = rest[len(m[0]):]
		var next []any
		for _, n := range nodes {
			next = append(next, children(n, m)...)
		}
		nodes = next
	}
	return nodes, nil
}

func children(node any, m []string) []any {
	if name := m[1] + m[2]; name != "" {
		object, _ := node.(map[string]any)
		if v, ok := object[name]; ok {
			return []any{v}
		}
		return nil
	}
	list, _ := node.([]any)
	switch {
	case m[3] != "":
		if i, err := strconv.Atoi(m[3]); err == nil && i < len(list) {
			return list[i : i+1]
		}
		return nil
	case m[4] != "":
		return list
	}
	var hits []any
	for _, e := range list {
		if object, ok := e.(map[string]any); ok && object[m[5]] == m[6] {
			hits = append(hits, e)
		}
	}
	return hits
}
