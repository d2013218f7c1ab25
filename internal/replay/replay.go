// Package replay plays recorded conversations of identity providers against a
// SCIM server and tells where its answers differ from what the client needs.
// A conversation is a JSON array of steps; docs/traces.md describes the format.
package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Step is one exchange of a conversation.
type Step struct {
	Name    string            `json:"name"`
	Rules   []string          `json:"rules"` // compat rules the step leans on
	Repeat  *Repeat           `json:"repeat"`
	Method  string            `json:"method"`
	Path    string            `json:"path"` // relative to the base URL, sent byte for byte
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
	RawBody *string           `json:"rawBody"` // instead of Body, when the bytes matter
	Expect  Expect            `json:"expect"`
	Capture map[string]string `json:"capture"` // variable → path in the answer
}

// Repeat runs a step once for each value of a variable, both ends included.
type Repeat struct {
	Var  string `json:"var"`
	From int    `json:"from"`
	To   int    `json:"to"`
}

// Expect is what a client needs of an answer.
type Expect struct {
	Status       []int             `json:"status"`
	Headers      map[string]string `json:"headers"` // name → regular expression
	BodyOptional bool              `json:"bodyOptional"`
	Raw          []string          `json:"raw"` // regular expressions on the body's text
	JSON         []Assertion       `json:"json"`
}

// Assertion is one demand on the nodes that a path selects.
type Assertion struct {
	Path  string `json:"path"`
	Op    string `json:"op"`
	Value any    `json:"value"`
}

// Result is how one step went; Faults is empty if it went well.
type Result struct {
	Step   *Step
	Status int
	Faults []string
}

// Read reads a conversation. It refuses fields it does not know.
func Read(r io.Reader) ([]Step, error) {
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	dec.UseNumber()
	var steps []Step
	if err := dec.Decode(&steps); err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	return steps, nil
}

// Player plays conversations against one server. Client is used as it is; a
// nil Client means http.DefaultClient.
type Player struct {
	Base   string // SCIM base URL without a trailing slash
	Token  string // the value of ${token}
	Client *http.Client
}

// Play plays the steps in order and reports on each. A step that fails does
// not end the conversation. The error is that of the transport or of a step
// that can't be read.
func (p Player) Play(ctx context.Context, steps []Step) ([]Result, error) {
	vars := map[string]string{"token": p.Token}
	var results []Result
	for i := range steps {
		s := &steps[i]
		values := []string{""}
		if s.Repeat != nil {
			values = nil
			for n := s.Repeat.From; n <= s.Repeat.To; n++ {
				values = append(values, strconv.Itoa(n))
			}
		}
		result := Result{Step: s}
		for _, v := range values {
			if s.Repeat != nil {
				vars[s.Repeat.Var] = v
			}
			status, faults, err := p.step(ctx, s, vars)
			if err != nil {
				return results, fmt.Errorf("replay: step %q: %w", s.Name, err)
			}
			result.Status = status
			result.Faults = append(result.Faults, faults...)
		}
		results = append(results, result)
	}
	return results, nil
}

func (p Player) step(ctx context.Context, s *Step, vars map[string]string) (int, []string, error) {
	req, err := p.request(ctx, s, vars)
	if err != nil {
		return 0, nil, err
	}
	client := p.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, err
	}
	faults, err := s.check(resp, body, vars)
	return resp.StatusCode, faults, err
}

func (p Player) request(ctx context.Context, s *Step, vars map[string]string) (*http.Request, error) {
	var body io.Reader
	switch {
	case s.RawBody != nil:
		body = strings.NewReader(expand(*s.RawBody, vars))
	case len(s.Body) > 0 && string(s.Body) != "null":
		body = strings.NewReader(expand(string(s.Body), vars))
	}
	req, err := http.NewRequestWithContext(ctx, s.Method, p.Base, body)
	if err != nil {
		return nil, err
	}
	// The path goes out as the client wrote it: parsing would tidy it up.
	path, query, _ := strings.Cut(expand(s.Path, vars), "?")
	req.URL = &url.URL{Scheme: req.URL.Scheme, Host: req.URL.Host, Opaque: req.URL.EscapedPath() + path, RawQuery: query,
		ForceQuery: strings.Contains(s.Path, "?")}
	req.Header.Set("User-Agent", "")
	for name, value := range s.Headers {
		req.Header.Set(name, expand(value, vars))
	}
	return req, nil
}

// check compares the answer with what the step expects and captures variables.
func (s *Step) check(resp *http.Response, body []byte, vars map[string]string) ([]string, error) {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if !slices.Contains(s.Expect.Status, resp.StatusCode) {
		fault("status %d, want one of %v: %.300s", resp.StatusCode, s.Expect.Status, body)
	}
	for name, pattern := range s.Expect.Headers {
		re, err := regexp.Compile(expand(pattern, vars))
		if err != nil {
			return nil, err
		}
		if got := resp.Header.Get(name); !re.MatchString(got) {
			fault("header %s is %q, want %s", name, got, pattern)
		}
	}
	if resp.StatusCode == http.StatusNoContent {
		if len(body) > 0 {
			fault("a 204 with a body")
		}
		if s.Expect.BodyOptional {
			return faults, nil
		}
	}
	var doc any
	if len(body) > 0 {
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.UseNumber()
		if err := dec.Decode(&doc); err != nil {
			fault("the body is no JSON: %v", err)
		}
	}
	for _, pattern := range s.Expect.Raw {
		re, err := regexp.Compile(expand(pattern, vars))
		if err != nil {
			return nil, err
		}
		if !re.Match(body) {
			fault("the body does not match %s: %.300s", pattern, body)
		}
	}
	for _, a := range s.Expect.JSON {
		nodes, err := find(doc, expand(a.Path, vars))
		if err != nil {
			return nil, err
		}
		if problem := a.test(nodes, expandValue(a.Value, vars)); problem != "" {
			fault("%s %s: %s", a.Path, a.Op, problem)
		}
	}
	for name, path := range s.Capture {
		nodes, err := find(doc, expand(path, vars))
		if err != nil {
			return nil, err
		}
		if len(nodes) == 0 {
			fault("nothing to capture at %s", path)
			continue
		}
		vars[name] = fmt.Sprint(nodes[0])
	}
	return faults, nil
}

var variable = regexp.MustCompile(`\$\{(\w+)\}`)

func expand(s string, vars map[string]string) string {
	return variable.ReplaceAllStringFunc(s, func(m string) string {
		if v, ok := vars[m[2:len(m)-1]]; ok {
			return v
		}
		return m
	})
}

func expandValue(v any, vars map[string]string) any {
	switch v := v.(type) {
	case string:
		return expand(v, vars)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = expandValue(v[i], vars)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = expandValue(e, vars)
		}
		return out
	}
	return v
}

var errPath = errors.New("a path that can't be read")
