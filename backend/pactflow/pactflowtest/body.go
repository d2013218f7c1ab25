package pactflowtest

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// fields are the members of a JSON object in a request.
type fields map[string]json.RawMessage

// object reads the body as a JSON object.
func (c *call) object() (fields, *refusal) {
	var f fields
	if bad := c.decode(&f); bad != nil {
		return nil, bad
	}
	if f == nil {
		return nil, invalid("", "The request body must be a JSON object")
	}
	return f, nil
}

// decode reads the body, whatever JSON it must be.
func (c *call) decode(into any) *refusal {
	switch {
	case !strings.Contains(strings.ToLower(c.r.Header.Get("Content-Type")), "json"):
		return refuse(415, "unsupported-media-type", "The Content-Type must be application/json")
	case !utf8.Valid(c.body):
		return malformed("The request body is not valid UTF-8")
	case !json.Valid(c.body):
		return malformed("The request body is not valid JSON")
	}
	if err := json.Unmarshal(c.body, into); err != nil {
		return malformed("The request body has the wrong structure")
	}
	return nil
}

func isNull(raw json.RawMessage) bool { return string(bytes.TrimSpace(raw)) == "null" }

// text returns a member that is a string or null, and whether it is there.
func (f fields) text(name string) (value string, there bool, bad *refusal) {
	raw, there := f[name]
	if !there || isNull(raw) {
		return "", there, nil
	}
	if json.Unmarshal(raw, &value) != nil {
		return "", true, invalid(name, "must be a string")
	}
	return value, true, nil
}

// boolean sets *to to a member that is there.
func (f fields) boolean(name string, to *bool) *refusal {
	raw, there := f[name]
	if !there {
		return nil
	}
	if isNull(raw) || json.Unmarshal(raw, to) != nil {
		return invalid(name, "must be a boolean")
	}
	return nil
}

// list returns a member that is an array of strings, each once; there is false
// for an absent one and for null.
func (f fields) list(name string) (values []string, there bool, bad *refusal) {
	raw, there := f[name]
	if !there || isNull(raw) {
		return nil, false, nil
	}
	if json.Unmarshal(raw, &values) != nil {
		return nil, true, invalid(name, "must be an array of strings")
	}
	return values, true, nil
}

// distinct keeps the first of equal values.
func distinct(values []string) []string {
	seen := make(map[string]bool, len(values))
	out := make([]string, 0, len(values))
	for _, v := range values {
		if !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}
