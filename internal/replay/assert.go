package replay

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// test returns what is wrong with the nodes, or "".
func (a Assertion) test(nodes []any, want any) string {
	got := fmt.Sprintf("got %s, want %s", show(nodes...), show(want))
	holds := false
	switch a.Op {
	case "exists":
		holds = slices.ContainsFunc(nodes, func(n any) bool { return n != nil })
	case "absent":
		holds = !slices.ContainsFunc(nodes, func(n any) bool { return !empty(n) })
	case "equals":
		holds = len(nodes) == 1 && reflect.DeepEqual(nodes[0], want)
	case "notEquals":
		holds = len(nodes) == 1 && !reflect.DeepEqual(nodes[0], want)
	case "equalsFold":
		holds = len(nodes) == 1 && strings.EqualFold(fmt.Sprint(nodes[0]), fmt.Sprint(want))
	case "in":
		list, _ := want.([]any)
		holds = len(nodes) == 1 && slices.ContainsFunc(list, func(w any) bool { return reflect.DeepEqual(nodes[0], w) })
	case "matches":
		re, err := regexp.Compile(fmt.Sprint(want))
		if err != nil {
			return err.Error()
		}
		holds = len(nodes) == 1 && re.MatchString(fmt.Sprint(nodes[0]))
	case "type":
		holds = len(nodes) == 1 && kind(nodes[0]) == want
	case "count":
		holds = fmt.Sprint(len(nodes)) == fmt.Sprint(want)
	case "minCount":
		n, ok := number(want)
		holds = ok && int64(len(nodes)) >= n
	case "length":
		list, ok := first(nodes).([]any)
		holds = len(nodes) == 1 && ok && fmt.Sprint(len(list)) == fmt.Sprint(want)
	case "contains", "notContains":
		list, ok := first(nodes).([]any)
		in := slices.ContainsFunc(list, func(e any) bool { return superset(e, want) })
		holds = ok && in
		if a.Op == "notContains" {
			holds = !in
		}
	case "setEquals":
		list, _ := want.([]any)
		holds = len(nodes) == len(list)
		for _, w := range list {
			holds = holds && slices.ContainsFunc(nodes, func(n any) bool { return reflect.DeepEqual(n, w) })
		}
	default:
		return "unknown op"
	}
	if holds {
		return ""
	}
	return got
}

func first(nodes []any) any {
	if len(nodes) == 0 {
		return nil
	}
	return nodes[0]
}

// empty reports whether a node is the unassigned state of RFC 7643 §2.5 in any
// of its spellings.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// superset reports whether got has all that want has.
func superset(got, want any) bool {
	w, ok := want.(map[string]any)
	if !ok {
		return reflect.DeepEqual(got, want)
	}
	g, ok := got.(map[string]any)
	if !ok {
		return false
	}
	for name, v := range w {
		if !superset(g[name], v) {
			return false
		}
	}
	return true
}

func kind(v any) string {
	switch v := v.(type) {
	case string:
		return "string"
	case bool:
		return "boolean"
	case json.Number:
		if _, err := v.Int64(); err == nil {
			return "integer"
		}
		return "decimal"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return "null"
}

func number(v any) (int64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := n.Int64()
	return i, err == nil
}

func show(values ...any) string {
	texts := make([]string, len(values))
	for i, v := range values {
		b, err := json.Marshal(v)
		if err != nil {
			b = []byte(err.Error())
		}
		texts[i] = string(b)
		if len(texts[i]) > 300 {
			texts[i] = texts[i][:300] + "…"
		}
	}
	return strings.Join(texts, ", ")
}
