package conformance

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/rollcall-scim/rollcall/scim"
)

// names are the variables every fixture has.
var names = map[string]string{
	"User":      scim.UserURN,
	"Group":     scim.GroupURN,
	"EXT":       scim.EnterpriseUserURN,
	"PatchOp":   scim.PatchOpURN,
	"Search":    scim.SearchRequestURN,
	"Bulk":      scim.BulkRequestURN,
	"List":      scim.ListResponseURN,
	"BulkReply": scim.BulkResponseURN,
	"Error":     scim.ErrorURN,
	"Config":    scim.ServiceProviderConfigURN,
	"Type":      scim.ResourceTypeURN,
	"Schema":    scim.SchemaURN,
	"Widget":    "urn:x:test:2.0:Widget",
	"WidgetExt": "urn:x:test:2.0:WidgetExt",
	"Gadget":    "urn:x:test:2.0:Gadget",
	"GadgetExt": "urn:x:test:2.0:GadgetExt",
}

// matchers are the placeholders of expected JSON, see match.go.
var matchers = []string{"any", "absent", "uuid", "time", "etag", "string", "number", "bool", "array", "object",
	"contains", "unordered"}

func reserved(name string) bool {
	_, ok := names[name]
	return ok || name == "B" || name == "origin" || name == "clock" || slices.Contains(matchers, name)
}

// answer is a response as later steps refer to it.
type answer struct {
	status int
	header http.Header
	body   []byte
	json   any
}

// vars are what ${…} stands for. Safe for concurrent use: the server may ask
// who "me" is while a step runs.
type vars struct {
	mu      sync.Mutex
	set     map[string]string
	answers map[string]*answer
}

func (v *vars) put(name, value string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.set[name] = value
}

func (v *vars) keep(label string, a *answer) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.answers[label] = a
}

func (v *vars) answer(label string) (*answer, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	a := v.answers[label]
	if a == nil {
		return nil, fmt.Errorf("no step %q before this", label)
	}
	return a, nil
}

// varRE finds the innermost reference, so that ${u${i}.id} works.
var varRE = regexp.MustCompile(`\$\{([A-Za-z0-9_][^${}]*)\}`)

// expand replaces the references in text, each value as quote leaves it.
// Matchers stay as they are; a reference to nothing is an error.
func (v *vars) expand(text string, own map[string]string, quote func(string) string) (string, error) {
	var fail error
	for range 4 {
		again := false
		text = varRE.ReplaceAllStringFunc(text, func(ref string) string {
			name := ref[2 : len(ref)-1]
			if isMatcher(name) {
				return ref
			}
			val, err := v.value(name, own)
			if err != nil {
				fail = err
				return ref
			}
			again = true
			s, isText := val.(string)
			if !isText {
				b, _ := json.Marshal(val)
				return string(b)
			}
			if nested := strings.HasPrefix(name, "hex:") || strings.HasPrefix(name, "repeat:"); quote == nil || nested {
				return s
			}
			return quote(s)
		})
		if fail != nil || !again {
			break
		}
	}
	return text, fail
}

func isMatcher(name string) bool {
	word, _, _ := strings.Cut(name, ":")
	return slices.Contains(matchers, name) || word == "re" || word == "size"
}

// value returns what one reference stands for: a string, or a JSON value of a
// former answer.
func (v *vars) value(name string, own map[string]string) (any, error) {
	if s, ok := own[name]; ok {
		return s, nil
	}
	if s, ok := names[name]; ok {
		return s, nil
	}
	v.mu.Lock()
	s, ok := v.set[name]
	v.mu.Unlock()
	if ok {
		return s, nil
	}
	if fn, arg, ok := strings.Cut(name, ":"); ok && !strings.ContainsAny(fn, ".[") {
		return call(fn, arg, own)
	}
	end := strings.IndexAny(name, ".[")
	if end < 0 {
		return nil, fmt.Errorf("unknown ${%s}", name)
	}
	a, err := v.answer(name[:end])
	if err != nil {
		return nil, fmt.Errorf("${%s}: %w", name, err)
	}
	if h, ok := strings.CutPrefix(name[end:], ".header."); ok {
		return a.header.Get(h), nil
	}
	found, err := lookup(a.json, "$"+name[end:])
	if err != nil || len(found) != 1 {
		return nil, fmt.Errorf("${%s}: %d values there (%v)", name, len(found), err)
	}
	return found[0], nil
}

// call computes ${hex:fffe}, ${repeat:1000:x} and ${i:03}.
func call(fn, arg string, own map[string]string) (string, error) {
	switch fn {
	case "hex":
		b, err := hex.DecodeString(arg)
		return string(b), err
	case "repeat":
		count, text, _ := strings.Cut(arg, ":")
		n, err := strconv.Atoi(count)
		if err != nil {
			return "", err
		}
		return strings.Repeat(text, n), nil
	}
	n, err := strconv.Atoi(own[fn])
	width, werr := strconv.Atoi(arg)
	if err != nil || werr != nil {
		return "", fmt.Errorf("unknown ${%s:%s}", fn, arg)
	}
	return fmt.Sprintf("%0*d", width, n), nil
}

// inJSON escapes a value for the inside of a JSON string.
func inJSON(s string) string {
	b, _ := json.Marshal(s)
	return string(b[1 : len(b)-1])
}

// sugar turns "@User {…}" into {"schemas":["urn…User"],…}, and
// "@PatchOp […]" into {"schemas":["urn…PatchOp"],"Operations":[…]}.
func sugar(body string) (string, error) {
	rest, ok := strings.CutPrefix(body, "@")
	if !ok {
		return body, nil
	}
	word, rest, _ := strings.Cut(rest, " ")
	var urns []string
	for name := range strings.SplitSeq(word, "+") {
		urn, ok := names[name]
		if !ok {
			return "", fmt.Errorf("unknown @%s", name)
		}
		urns = append(urns, strconv.Quote(urn))
	}
	head := `{"schemas":[` + strings.Join(urns, ",") + `]`
	rest = strings.TrimSpace(rest)
	switch {
	case rest == "":
		return head + "}", nil
	case rest[0] == '[':
		return head + `,"Operations":` + rest + "}", nil
	case rest[0] != '{':
		return "", fmt.Errorf("@%s is followed by neither { nor [", word)
	}
	if inner := strings.TrimSpace(rest[1:]); inner == "}" {
		return head + "}", nil
	}
	return head + "," + rest[1:], nil
}
