package facade

import (
	"encoding/json"
	"net/http"
	"slices"
	"sort"
	"strings"
)

// Complaint is what an application says in the body of a refusal.
type Complaint struct {
	Problem string // last segment of a problem type, such as "already-exists"
	Text    string // its own words
}

// ReadComplaint reads the bodies that are in common use: problem details
// (RFC 9457) with their errors, and objects with "error", "errors" or "message",
// whose values are texts, lists of texts, or texts by field. A reference, by
// which the application's log knows the failure, becomes part of the text.
// Anything else, such as HTML, says nothing.
func ReadComplaint(_ http.Header, body []byte) Complaint {
	var o map[string]any
	if json.Unmarshal(body, &o) != nil {
		return Complaint{}
	}
	var c Complaint
	if s, _ := o["type"].(string); s != "" && s != "about:blank" {
		s = strings.TrimRight(s, "/")
		c.Problem = s[strings.LastIndexAny(s, "/:#")+1:]
	}
	var words []string
	say := func(s string) {
		if s = strings.TrimSpace(s); s != "" && !slices.Contains(words, s) {
			words = append(words, s)
		}
	}
	for _, name := range []string{"title", "detail", "message", "error", "errors"} {
		texts(o[name], "", say)
	}
	for _, in := range []any{o, o["error"]} {
		if m, ok := in.(map[string]any); ok {
			if ref, _ := m["reference"].(string); ref != "" {
				say("(reference " + ref + ")")
			}
		}
	}
	c.Text = strings.Join(words, "; ")
	return c
}

// texts says every text that v holds; by field, if it is an object of fields.
func texts(v any, field string, say func(string)) {
	switch v := v.(type) {
	case string:
		if field != "" {
			v = field + ": " + v
		}
		say(v)
	case []any:
		for _, e := range v {
			texts(e, field, say)
		}
	case map[string]any:
		if d, ok := v["detail"].(string); ok {
			at, _ := v["pointer"].(string)
			if at == "" {
				at, _ = v["parameter"].(string)
			}
			texts(d, at, say)
			return
		}
		if m, ok := v["message"].(string); ok {
			texts(m, field, say)
			return
		}
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			if name != "reference" {
				texts(v[name], name, say)
			}
		}
	}
}
