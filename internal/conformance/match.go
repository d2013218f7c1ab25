package conformance

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	uuidRE = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	timeRE = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)
	etagRE = regexp.MustCompile(`^W/"[^"]+"$`)
)

// comparer collects where an answer differs from what was expected.
type comparer struct {
	vars  *vars
	own   map[string]string
	exact bool
	diffs []string
}

func (c *comparer) differ(path, format string, args ...any) {
	c.diffs = append(c.diffs, path+": "+fmt.Sprintf(format, args...))
}

// match compares got with want. Objects may hold more than is wanted unless
// the comparison is exact; arrays have the same length and order, unless their
// first wanted element is "${contains}" or "${unordered}".
func (c *comparer) match(path string, want, got any) {
	switch want := want.(type) {
	case map[string]any:
		c.object(path, want, got)
	case []any:
		c.array(path, want, got)
	case string:
		c.text(path, want, got)
	default:
		if !equal(want, got) {
			c.differ(path, "got %s, want %s", show(got), show(want))
		}
	}
}

func (c *comparer) object(path string, want map[string]any, got any) {
	g, ok := got.(map[string]any)
	if !ok {
		c.differ(path, "got %s, want an object", show(got))
		return
	}
	seen := map[string]bool{}
	for _, k := range slices.Sorted(maps.Keys(want)) {
		key, err := c.vars.expand(k, c.own, nil)
		if err != nil {
			c.differ(path, "%v", err)
			return
		}
		seen[key] = true
		at := path + "." + key
		if strings.ContainsAny(key, ":.") {
			at = path + `["` + key + `"]`
		}
		x, has := g[key]
		switch {
		case want[k] == "${absent}":
			if has {
				c.differ(at, "got %s, want it absent", show(x))
			}
		case !has:
			c.differ(at, "absent, want %s", show(want[k]))
		default:
			c.match(at, want[k], x)
		}
	}
	if c.exact {
		for _, k := range slices.Sorted(maps.Keys(g)) {
			if !seen[k] {
				c.differ(path+"."+k, "got %s, want nothing here", show(g[k]))
			}
		}
	}
}

func (c *comparer) array(path string, want []any, got any) {
	g, ok := got.([]any)
	if !ok {
		c.differ(path, "got %s, want an array", show(got))
		return
	}
	loose, contains := false, false
	if len(want) > 0 && (want[0] == "${contains}" || want[0] == "${unordered}") {
		loose, contains = true, want[0] == "${contains}"
		want = want[1:]
	}
	if len(want) != len(g) && !contains {
		c.differ(path, "%d elements, want %d: %s", len(g), len(want), show(got))
		return
	}
	if !loose {
		for i, w := range want {
			c.match(fmt.Sprintf("%s[%d]", path, i), w, g[i])
		}
		return
	}
	left := slices.Clone(g)
	for _, w := range want {
		i := slices.IndexFunc(left, func(x any) bool {
			try := comparer{vars: c.vars, own: c.own, exact: c.exact}
			try.match("", w, x)
			return len(try.diffs) == 0
		})
		if i < 0 {
			c.differ(path, "no element like %s in %s", show(w), show(got))
			continue
		}
		left = slices.Delete(left, i, i+1)
	}
}

// text compares with a string, which may be a matcher or hold references.
func (c *comparer) text(path, want string, got any) {
	if ref, ok := strings.CutPrefix(want, "${"); ok && strings.HasSuffix(ref, "}") && isMatcher(ref[:len(ref)-1]) {
		c.matcher(path, ref[:len(ref)-1], got)
		return
	}
	if m := varRE.FindStringSubmatch(want); m != nil && m[0] == want {
		v, err := c.vars.value(m[1], c.own)
		if err != nil {
			c.differ(path, "%v", err)
		} else if !equal(v, got) {
			c.differ(path, "got %s, want %s (%s)", show(got), show(v), want)
		}
		return
	}
	s, err := c.vars.expand(want, c.own, nil)
	if err != nil {
		c.differ(path, "%v", err)
	} else if got != any(s) {
		c.differ(path, "got %s, want %s", show(got), show(s))
	}
}

func (c *comparer) matcher(path, name string, got any) {
	word, arg, _ := strings.Cut(name, ":")
	s, isText := got.(string)
	list, isList := got.([]any)
	ok := false
	switch word {
	case "any":
		ok = true
	case "uuid":
		ok = isText && uuidRE.MatchString(s)
	case "time":
		ok = isText && timeRE.MatchString(s)
	case "etag":
		ok = isText && etagRE.MatchString(s)
	case "string":
		ok = isText && s != ""
	case "number":
		_, ok = got.(json.Number)
	case "bool":
		_, ok = got.(bool)
	case "array":
		ok = isList
	case "object":
		_, ok = got.(map[string]any)
	case "size":
		n, err := strconv.Atoi(arg)
		ok = err == nil && isList && len(list) == n
	case "re":
		pattern, err := c.vars.expand(arg, c.own, regexp.QuoteMeta)
		if err != nil {
			c.differ(path, "%v", err)
			return
		}
		re, err := regexp.Compile(pattern)
		if err != nil {
			c.differ(path, "%v", err)
			return
		}
		ok = isText && re.MatchString(s)
	}
	if !ok {
		c.differ(path, "got %s, want ${%s}", show(got), name)
	}
}

// equal compares two JSON values, numbers by value.
func equal(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		if !ok {
			return false
		}
		x, okX := new(big.Rat).SetString(a.String())
		y, okY := new(big.Rat).SetString(b.String())
		return okX && okY && x.Cmp(y) == 0
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equal)
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, equal)
	}
	return a == b
}

// show prints a JSON value for a failure message, cut to a readable length.
func show(v any) string {
	b, _ := json.Marshal(v)
	const most = 300
	if len(b) > most {
		return string(b[:most]) + "…"
	}
	return string(b)
}
