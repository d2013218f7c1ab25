package lookingglass

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// The parts of a trace file that are written; docs/traces.md has the format.
type (
	traceStep struct {
		Name    string            `json:"name"`
		Rules   []string          `json:"rules,omitempty"`
		Method  string            `json:"method"`
		Path    string            `json:"path"`
		Headers map[string]string `json:"headers,omitempty"`
		Body    json.RawMessage   `json:"body,omitempty"`
		Expect  traceExpect       `json:"expect"`
		Capture map[string]string `json:"capture,omitempty"`
	}
	traceExpect struct {
		Status []int            `json:"status"`
		JSON   []traceAssertion `json:"json,omitempty"`
	}
	traceAssertion struct {
		Path  string `json:"path"`
		Op    string `json:"op"`
		Value any    `json:"value"`
	}
)

// TraceFile returns exchanges as a file that `rollcall replay` plays, oldest
// first: the same requests, with the ids that the new server gives, and the same
// statuses expected. What was made before the first of the exchanges is not
// there when they are played on an empty server. An exchange is left out if it
// can't be sent again: its body was cut or is not kept, or it was not below the
// base URL. What is masked in the exchanges is masked in the file.
func TraceFile(list []*Exchange) ([]byte, error) {
	list = slices.SortedFunc(slices.Values(list), func(a, b *Exchange) int { return cmp.Compare(a.Seq, b.Seq) })
	steps := []traceStep{}
	vars := variables{}
	for _, x := range list {
		if x.Request.Cut || x.Request.Hash != "" || x.Base == "" || x.Status == 401 {
			continue
		}
		s := traceStep{Name: sentence(x), Method: x.Method, Path: vars.in(strings.ReplaceAll(x.Local, "${", "%24%7B")), Headers: map[string]string{}, Expect: traceExpect{Status: []int{x.Status}}}
		switch {
		case x.Sent != "":
			s.Path += "?" + vars.in(x.Sent)
		case strings.HasSuffix(x.Path, "?"):
			s.Path += "?"
		}
		for _, r := range x.Rules {
			s.Rules = append(s.Rules, r.ID)
		}
		for _, h := range resent(x) {
			if !strings.Contains(h.Value, "${") { // the player would take it for a variable
				s.Headers[h.Name] = h.Value
			}
		}
		s.Headers["Authorization"] = "Bearer ${token}"
		if x.Request.Body != "" {
			s.Body = json.RawMessage(vars.in(strings.ReplaceAll(x.Request.Body, "${", `\u0024{`)))
		}
		if x.Fault != nil && x.Fault.ScimType != "" && x.Response.Body != "" {
			s.Expect.JSON = []traceAssertion{{"$.scimType", "equals", x.Fault.ScimType}}
		}
		s.Capture = vars.capture(x)
		steps = append(steps, s)
	}
	return json.MarshalIndent(steps, "", " ")
}

// variables are the names of variables by the ids that they stand for.
type variables map[string]string

// shortest is the shortest id that is told from other text.
const shortest = 8

// in returns text with ids replaced by their variables. What looks like a
// variable in the text itself is escaped before.
func (v variables) in(text string) string {
	for id, name := range v {
		text = strings.ReplaceAll(text, id, "${"+name+"}")
	}
	return text
}

// capture names the ids that an answer gives first: that of a resource, or of
// those of a list that found one.
func (v variables) capture(x *Exchange) map[string]string {
	tree, err := parse([]byte(x.Response.Body), x.Response.Cut)
	if err != nil || x.Status >= 300 || x.Response.Cut {
		return nil
	}
	o, _ := tree.(scim.Object)
	captured := map[string]string{}
	note := func(o scim.Object, path string) {
		id, _ := o.Get("id").(string)
		if len(id) < shortest || v[id] != "" || strings.ContainsAny(id, ":${}") { // a schema has a URN
			return
		}
		v[id] = fmt.Sprintf("id%d", len(v)+1)
		captured[v[id]] = path
	}
	note(o, "$.id")
	if list, _ := o.Get("Resources").([]any); len(list) == 1 {
		one, _ := list[0].(scim.Object)
		note(one, "$.Resources[0].id")
	}
	if len(captured) == 0 {
		return nil
	}
	return captured
}
