package pactflowtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
)

// Rule makes matching requests fail. The first rule that matches a request and
// is neither still skipping nor used up applies, with all its faults.
type Rule struct {
	Match Match `json:"match"`
	Skip  int   `json:"skip,omitempty"`  // let so many through first
	Times int   `json:"times,omitempty"` // apply so often; 0 is once, -1 for ever
	// Probability of applying to a matching request; 0 is always. The dice are
	// the same in every run.
	Probability float64 `json:"probability,omitempty"`
	Fault       Fault   `json:"fault"`
}

// Match says which requests; what is empty matches everything.
type Match struct {
	Method string `json:"method,omitempty"`
	// Path is as in path.Match: * is anything within a segment. A last segment **
	// is any number of segments.
	Path         string `json:"path,omitempty"`
	Query        string `json:"query,omitempty"` // contained in the raw query
	Token        string `json:"token,omitempty"` // name or value
	BodyContains string `json:"bodyContains,omitempty"`
}

// Fault is what goes wrong; several may go wrong at once. They come in the order
// of the fields, and what replaces the answer (Status, Redirect, BadBody) leaves
// the state alone.
type Fault struct {
	Latency  *Latency  `json:"latency,omitempty"`
	Conflict *Conflict `json:"conflict,omitempty"`
	Hang     *Hang     `json:"hang,omitempty"`
	Drop     *Drop     `json:"drop,omitempty"`
	Status   *Status   `json:"status,omitempty"`
	Redirect *Redirect `json:"redirect,omitempty"`
	BadBody  *BadBody  `json:"badBody,omitempty"`
	Partial  *Partial  `json:"partial,omitempty"`
	Stale    *Stale    `json:"stale,omitempty"`
	// ForeignLinks answers normally with another link base.
	ForeignLinks      *ForeignLinks `json:"foreignLinks,omitempty"`
	StatusAfterCommit *Status       `json:"statusAfterCommit,omitempty"`
	SlowStream        *SlowStream   `json:"slowStream,omitempty"`
}

// Latency delays the handling.
type Latency struct {
	Ms       int `json:"ms"`
	JitterMs int `json:"jitterMs,omitempty"` // up to so much more
}

// Conflict changes the target before the request is handled, as another client would.
type Conflict struct {
	// Action is rename, deactivate, addMember, removeMember or delete. "" is what
	// fits the path: addMember below a team's users, rename for a team,
	// deactivate for a user.
	Action string `json:"action,omitempty"`
	// Value is the new name, or the uuid of the member; "" is a made-up name, the
	// first user that is no member, the first member.
	Value string `json:"value,omitempty"`
}

// Hang stays silent and then closes the connection. It ends early when the
// client goes away or the emulator is closed.
type Hang struct {
	Ms          int  `json:"ms"`
	AfterCommit bool `json:"afterCommit,omitempty"` // the request is handled first
}

// Drop closes the connection. Over an [http.ResponseWriter] that has none to
// close, ServeHTTP panics with [http.ErrAbortHandler].
type Drop struct {
	// When is accept (reset, as if unread), headers (closed after reading),
	// midBody (after half of the answer's body) or afterCommit (handled, no answer).
	When string `json:"when"`
}

// Status is an error.
type Status struct {
	Code        int               `json:"code"`
	Body        string            `json:"body,omitempty"`        // "": one as the product would send
	ProblemType string            `json:"problemType,omitempty"` // the last segment; "": what fits Code
	Header      map[string]string `json:"headers,omitempty"`
}

// Redirect answers 302.
type Redirect struct {
	To string `json:"to"`
}

// BadBody answers 200 with nonsense.
type BadBody struct {
	// Kind is html, truncated, emptyJSON, wrongTypes, hugeArray (64 MiB of users
	// and teams, streamed) or notGzip.
	Kind string `json:"kind"`
}

// Partial lets a change of members happen for the first of the list only, and
// then answers 500. PactFlow rolls back; this is the worst case.
type Partial struct {
	First int `json:"first"`
}

// Stale has reads answer with the state before the last write, whatever that wrote.
type Stale struct {
	Reads int `json:"reads,omitempty"` // how often, if Rule.Times is 0
}

// ForeignLinks is another base for links.
type ForeignLinks struct {
	Base string `json:"base"`
}

// SlowStream trickles the answer's body.
type SlowStream struct {
	BytesPerSec int `json:"bytesPerSec"`
}

// rules are the faults waiting for their requests.
type rules struct {
	mu   sync.Mutex
	list []*Rule
	dice *rand.Rand
}

// Inject adds rules after those that are there. A rule that could never do what
// it says is an error, and none is added.
func (e *Emulator) Inject(add ...Rule) error {
	var fresh []*Rule
	for i, r := range add {
		if err := r.check(); err != nil {
			return fmt.Errorf("rule %d: %w", i, err)
		}
		if r.Times == 0 {
			r.Times = 1
			if r.Fault.Stale != nil && r.Fault.Stale.Reads > 0 {
				r.Times = r.Fault.Stale.Reads
			}
		}
		fresh = append(fresh, &r)
	}
	e.rules.mu.Lock()
	defer e.rules.mu.Unlock()
	e.rules.list = append(e.rules.list, fresh...)
	return nil
}

// ClearFaults removes all rules.
func (e *Emulator) ClearFaults() {
	e.rules.mu.Lock()
	defer e.rules.mu.Unlock()
	e.rules.list, e.rules.dice = nil, rand.New(rand.NewPCG(1, 2))
}

// Faults returns the rules that are not used up, Skip and Times being what is
// left of them.
func (e *Emulator) Faults() []Rule {
	e.rules.mu.Lock()
	defer e.rules.mu.Unlock()
	out := make([]Rule, 0, len(e.rules.list))
	for _, r := range e.rules.list {
		if r.Times != 0 {
			out = append(out, *r)
		}
	}
	return out
}

func (r *Rule) check() error {
	f := r.Fault
	if _, err := path.Match(r.Match.Path, ""); err != nil {
		return fmt.Errorf("path %q: %w", r.Match.Path, err)
	}
	switch {
	case len(f.names()) == 0:
		return errors.New("it has no fault")
	case r.Times < -1 || r.Skip < 0 || r.Probability < 0 || r.Probability > 1:
		return errors.New("times, skip or probability is out of range")
	case f.Drop != nil && !slices.Contains([]string{"accept", "headers", "midBody", "afterCommit"}, f.Drop.When):
		return fmt.Errorf("drop: no such moment %q", f.Drop.When)
	case f.BadBody != nil && !slices.Contains([]string{"html", "truncated", "emptyJSON", "wrongTypes", "hugeArray", "notGzip"}, f.BadBody.Kind):
		return fmt.Errorf("badBody: no such kind %q", f.BadBody.Kind)
	case f.Conflict != nil && !slices.Contains([]string{"", "rename", "deactivate", "addMember", "removeMember", "delete"}, f.Conflict.Action):
		return fmt.Errorf("conflict: no such action %q", f.Conflict.Action)
	case f.SlowStream != nil && f.SlowStream.BytesPerSec <= 0:
		return errors.New("slowStream: bytesPerSec must be positive")
	}
	for _, s := range []*Status{f.Status, f.StatusAfterCommit} {
		if s != nil && (s.Code < 200 || s.Code > 599) {
			return fmt.Errorf("status: %d is none", s.Code)
		}
	}
	return nil
}

// names are what the log calls the faults.
func (f *Fault) names() []string {
	var out []string
	add := func(is bool, name string) {
		if is {
			out = append(out, name)
		}
	}
	add(f.Latency != nil, "latency")
	add(f.Conflict != nil, "conflict")
	add(f.Hang != nil, "hang")
	add(f.Drop != nil, "drop")
	add(f.Status != nil, "status")
	add(f.Redirect != nil, "redirect")
	add(f.BadBody != nil, "badBody")
	add(f.Partial != nil, "partial")
	add(f.Stale != nil, "stale")
	add(f.ForeignLinks != nil, "foreignLinks")
	add(f.StatusAfterCommit != nil, "statusAfterCommit")
	add(f.SlowStream != nil, "slowStream")
	return out
}

// pick returns the faults of a request; most have none.
func (s *rules) pick(r *http.Request, at, token, name string, body []byte) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rule := range s.list {
		m := rule.Match
		switch {
		case rule.Times == 0,
			m.Method != "" && m.Method != r.Method,
			m.Path != "" && !matchPath(m.Path, at),
			m.Query != "" && !strings.Contains(r.URL.RawQuery, m.Query),
			m.Token != "" && m.Token != token && m.Token != name,
			m.BodyContains != "" && !strings.Contains(string(body), m.BodyContains),
			rule.Fault.Stale != nil && r.Method != http.MethodGet,
			rule.Probability > 0 && s.dice.Float64() >= rule.Probability:
			continue
		case rule.Skip > 0:
			rule.Skip--
			continue
		}
		if rule.Times > 0 {
			rule.Times--
		}
		f := rule.Fault
		return &f
	}
	return nil
}

func matchPath(pattern, at string) bool {
	if head, ok := strings.CutSuffix(pattern, "/**"); ok {
		n := strings.Count(head, "/") + 1
		if parts := strings.SplitN(at, "/", n+1); len(parts) > n {
			at = strings.Join(parts[:n], "/")
		}
		pattern = head
	}
	ok, _ := path.Match(pattern, at)
	return ok
}
