package flows

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/compat"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// Base is the base URI of the servers that flows are run against. It leads
// nowhere.
const Base = "https://scim.example/v2"

// The bounds of one run, so that whoever edits its requests can't fill memory.
const (
	MaxBody     = 64 << 10 // bytes of a request's body, and of an answer that is kept
	MaxRequests = 100      // of one run
)

// Run is a flow being run: a directory of its own and the answers so far. Safe
// for concurrent use.
type Run struct {
	Flow *Flow

	mu       sync.Mutex
	store    *memory.Store
	engine   *engine.Engine
	strict   *engine.Engine // the same resources, without tolerances
	results  []*Result
	requests int
}

// Request is what a step asks, its references resolved.
type Request struct{ Method, Path, Filter, Body, IfMatch string }

// Edit is what a person changed of a request before it was run; nil leaves it.
type Edit struct{ Filter, Body *string }

// Result is the answer to a step, and what came of it.
type Result struct {
	Request  Request
	Edited   bool
	Status   int
	Expected bool // Status is that of the step
	Location string
	ETag     string
	Answer   string // JSON; "" if there is none
	Cut      bool   // only its beginning
	Took     time.Duration
	Rules    []compat.Rule // tolerances that bent the request
	Filter   scim.Filter   // parsed; nil: none
	Changes  []scim.Record // of the directory, in order

	answer any // Answer, decoded
	names  map[string]string
}

// Name returns by what name the resource that a record is about is known, or
// its id.
func (r *Result) Name(id string) string {
	if n := r.names[id]; n != "" {
		return n
	}
	return id
}

// Names returns the names of all resources that were there until then, by id.
// It must not be modified.
func (r *Result) Names() map[string]string { return r.names }

// Start returns a Run at its first step.
func Start(ctx context.Context, f *Flow) (*Run, error) {
	r := &Run{Flow: f, store: new(memory.Store)}
	limits := engine.Limits{Body: MaxBody, LargeBody: MaxBody, BulkOperations: 100, MaxPage: 100, JSONValues: 10_000}
	var err error
	if r.engine, err = engine.New(r.store, engine.Config{Limits: limits, Tenant: "flow"}); err != nil {
		return nil, err
	}
	if r.strict, err = engine.New(r.store, engine.Config{Limits: limits, Tenant: "flow", Profile: compat.Strict()}); err != nil {
		return nil, err
	}
	for i := 0; i+1 < len(f.Seed); i += 2 {
		method, path, _ := strings.Cut(f.Seed[i], " ")
		resp := r.engine.Do(ctx, engine.Request{Method: method, Base: Base, Path: path, Body: []byte(f.Seed[i+1])})
		if resp.Status >= 300 {
			return nil, fmt.Errorf("flow %s: its seed is refused with %d: %w", f.ID, resp.Status, resp.Err)
		}
	}
	return r, nil
}

// Results returns the answers so far, one per step.
func (r *Run) Results() []*Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*Result(nil), r.results...)
}

// The errors of Do and Prepare.
var (
	ErrOrder = errors.New("this step is not the next one, nor the last that was run")
	ErrSpent = fmt.Errorf("a run has %d requests at most; start it again", MaxRequests)
)

// MissingError says that a step can't be run since another one's answer lacks
// what it refers to.
type MissingError struct{ Step, What string }

// Error returns the error's text.
func (e *MissingError) Error() string {
	return fmt.Sprintf("this step needs %q of the answer to “%s”, which has none; run that step again as it was", e.What, e.Step)
}

// Prepare returns the request of a step, with what earlier answers say put in,
// or a *MissingError.
func (r *Run) Prepare(step int) (Request, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.prepare(step)
}

func (r *Run) prepare(step int) (Request, error) {
	if step < 0 || step >= len(r.Flow.Steps) || step > len(r.results) {
		return Request{}, ErrOrder
	}
	s := &r.Flow.Steps[step]
	req := Request{Method: s.Method, Path: s.Path, Filter: s.Filter, Body: s.Body, IfMatch: s.IfMatch}
	for _, text := range []*string{&req.Path, &req.Filter, &req.Body, &req.IfMatch} {
		if err := r.resolve(text); err != nil {
			return req, err
		}
	}
	return req, nil
}

// resolve puts what earlier answers say in place of the references in text.
func (r *Run) resolve(text *string) error {
	for {
		before, rest, ok := strings.Cut(*text, "{{")
		if !ok {
			return nil
		}
		ref, after, _ := strings.Cut(rest, "}}")
		name, member, _ := strings.Cut(ref, ".")
		value := ""
		for i, res := range r.results {
			if r.Flow.Steps[i].Name == name {
				value = res.member(member)
			}
		}
		if value == "" {
			return &MissingError{r.title(name), member}
		}
		*text = before + value + after
	}
}

func (r *Run) title(name string) string {
	for _, s := range r.Flow.Steps {
		if s.Name == name {
			return s.Title
		}
	}
	return name
}

// member returns a member of the answer by its path, such as Resources.0.id, or
// "".
func (r *Result) member(path string) string {
	if path == "etag" {
		return r.ETag
	}
	v := r.answer
	for _, name := range strings.Split(path, ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[name]
		case []any:
			if name != "0" || len(in) == 0 {
				return ""
			}
			v = in[0]
		default:
			return ""
		}
	}
	s, _ := v.(string)
	return s
}

// Do runs a step: the next one, or the last that was run once more. It returns
// ErrOrder, ErrSpent or a *MissingError if it can't; a request that is refused
// is a Result.
func (r *Run) Do(ctx context.Context, step int, e Edit) (*Result, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if step != len(r.results) && step != len(r.results)-1 {
		return nil, ErrOrder
	}
	if r.requests >= MaxRequests {
		return nil, ErrSpent
	}
	req, err := r.prepare(step)
	if err != nil {
		return nil, err
	}
	res := &Result{Request: req}
	if s := &r.Flow.Steps[step]; s.Filter != "" && e.Filter != nil {
		res.Request.Filter = *e.Filter
	}
	if s := &r.Flow.Steps[step]; s.Body != "" && e.Body != nil {
		res.Request.Body = *e.Body
	}
	res.Edited = same(res.Request.Body) != same(req.Body) || res.Request.Filter != req.Filter
	r.requests++
	r.send(ctx, &r.Flow.Steps[step], res)
	r.results = append(r.results[:step], res)
	return res, nil
}

// same is text without what a browser changes of it.
func same(text string) string { return strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n")) }

func (r *Run) send(ctx context.Context, s *Step, res *Result) {
	path, rawQuery, _ := strings.Cut(res.Request.Path, "?")
	query, _ := url.ParseQuery(rawQuery) // of ours
	if res.Request.Filter != "" {
		query.Set("filter", res.Request.Filter)
	}
	e := r.engine
	if s.Strict {
		e = r.strict
	}
	seq := r.last(ctx)
	var trace scim.Trace
	began := time.Now()
	resp := e.Do(scim.WithTrace(ctx, &trace), engine.Request{Method: res.Request.Method, Base: Base, Path: path, Query: query,
		IfMatch: res.Request.IfMatch, Body: []byte(res.Request.Body)})
	var body bytes.Buffer
	if resp.Body != nil {
		_, _ = resp.Body.WriteTo(&body) // to memory
	}
	res.Took = time.Since(began)
	res.Status, res.Expected = resp.Status, resp.Status == s.Status
	res.Location, res.ETag = resp.Location, resp.ETag
	_ = json.Unmarshal(body.Bytes(), &res.answer) // what is no JSON has no members
	if body.Len() > MaxBody {
		res.Cut = true
		body.Truncate(MaxBody)
	}
	res.Answer = strings.ToValidUTF8(body.String(), "")
	for _, rule := range compat.Rules() {
		for _, id := range resp.Rules {
			if rule.ID == id {
				res.Rules = append(res.Rules, rule)
			}
		}
	}
	res.Filter = trace.Notes().Filter
	res.Changes, _ = r.store.Changes(ctx, scim.ChangeQuery{After: seq, Limit: 100}) // fails only if ctx has ended
	res.names = r.names(ctx)
}

// last returns where the change log ends.
func (r *Run) last(ctx context.Context) (seq int64) {
	for {
		list, err := r.store.Changes(ctx, scim.ChangeQuery{After: seq, Limit: 1000})
		if err != nil || len(list) == 0 {
			return seq
		}
		seq = list[len(list)-1].Seq
	}
}

// names returns the name of each resource that is or was there, by id.
func (r *Run) names(ctx context.Context) map[string]string {
	names := map[string]string{}
	list, _ := r.store.Changes(ctx, scim.ChangeQuery{Limit: 10_000}) // fails only if ctx has ended
	for _, c := range list {
		for _, d := range c.Changes {
			if d.Path != "userName" && (d.Path != "displayName" || c.Type != "Group") {
				continue
			}
			for _, v := range d.Added {
				if s, ok := v.(string); ok {
					names[c.ID] = s
				}
			}
		}
	}
	return names
}
