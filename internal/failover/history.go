package failover

import (
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// step is one request concerning one user: what was asked.
type step struct {
	kind    string // create, read, update, delete
	version string // that update and delete depend on
	held    string // the mark that was read with it
	mark    string // what create and update write; never the same twice
}

// result is what was answered: for a read, also what was read.
type result struct {
	outcome Outcome
	status  int
	version string
	mark    string
}

// state is a user in between. Whoever wrote in doubt does not know the version
// that came of it: it is empty then, until someone reads it.
type state struct {
	exists  bool
	version string
	mark    string
}

// History is what clients asked and were answered of users whose every update
// depended on the version they had read, user by user. It may be used by many
// at once.
type History struct {
	mu    sync.Mutex
	began time.Time
	users map[string][]porcupine.Operation
}

// NewHistory returns an empty one.
func NewHistory() *History {
	return &History{began: time.Now(), users: map[string][]porcupine.Operation{}}
}

func (h *History) now() int64 { return int64(time.Since(h.began)) }

// add notes a request that began at called, and whose answer has just come. A
// write in doubt never ends: it may yet be carried out.
func (h *History) add(client int, user string, called int64, s step, r result) {
	if r.outcome == Unknown && s.kind == "read" || r.outcome == Refused && r.status == 0 {
		return // says nothing
	}
	returned := h.now()
	if r.outcome == Unknown {
		returned = math.MaxInt64
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.users[user] = append(h.users[user], porcupine.Operation{ClientId: client, Input: s, Call: called, Output: r, Return: returned})
}

// Len is how many requests the history has, of how many users, and how many of
// them are in doubt.
func (h *History) Len() (requests, users, doubts int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, ops := range h.users {
		requests += len(ops)
		for _, op := range ops {
			if op.Return == math.MaxInt64 {
				doubts++
			}
		}
	}
	return requests, len(h.users), doubts
}

// Check returns a line for each user whose history no order of its requests
// explains in which each takes effect at one moment between its being sent and
// answered; or for which none was found or ruled out in the time given for
// each.
func (h *History) Check(each time.Duration) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	model := porcupine.Model{
		Init: func() any { return state{} },
		Step: func(st, in, out any) (bool, any) { return next(st.(state), in.(step), out.(result)) },
	}
	var faults []string
	for user, ops := range h.users {
		if v := porcupine.CheckOperationsTimeout(model, relevant(ops), each); v != porcupine.Ok {
			faults = append(faults, fmt.Sprintf("user %s: no order of its %d requests explains their answers (%s)", user, len(ops), v))
		}
	}
	return faults
}

// relevant leaves out writes in doubt that were certainly not carried out: those
// from a state that another write is known to have changed, and whose own mark
// nobody ever saw. A state comes once, as marks do. Each write in doubt that
// stays may have happened at any later time, so many of them would make the
// search hopeless.
func relevant(ops []porcupine.Operation) []porcupine.Operation {
	seen, changed := map[string]bool{}, map[string]bool{}
	for _, op := range ops {
		s, r := op.Input.(step), op.Output.(result)
		seen[s.held] = true
		if s.kind == "read" {
			seen[r.mark] = true
		}
	}
	for _, op := range ops {
		s, r := op.Input.(step), op.Output.(result)
		if s.held != "" && (r.outcome == Applied || s.kind == "update" && seen[s.mark]) {
			changed[s.held] = true
		}
	}
	var rest []porcupine.Operation
	for _, op := range ops {
		s, r := op.Input.(step), op.Output.(result)
		if r.outcome == Unknown && changed[s.held] && !(s.kind == "update" && seen[s.mark]) {
			continue
		}
		rest = append(rest, op)
	}
	return rest
}

// next is the rule for one user: whether the answer can come of the state, and
// the state after it.
func next(was state, s step, r result) (bool, state) {
	// The version is compared where it is known; marks stand for it where not.
	match := was.exists && was.mark == s.held && (was.version == "" || was.version == s.version)
	switch s.kind {
	case "create":
		return !was.exists, state{true, r.version, s.mark}
	case "read":
		if r.outcome == Refused {
			return !was.exists, was
		}
		if !was.exists || r.mark != was.mark || was.version != "" && r.version != was.version {
			return false, was
		}
		return true, state{true, r.version, r.mark}
	}
	after := state{true, r.version, s.mark}
	if s.kind == "delete" {
		after = state{}
	}
	switch {
	case r.outcome == Applied:
		return match && (s.kind == "delete" || r.version != s.version), after
	case r.outcome == Refused && r.status == 404:
		return !was.exists, was
	case r.outcome == Refused: // 412
		return was.exists && !match, was
	case match: // in doubt, and it was carried out; that it was not is the case of its coming last
		return true, after
	default:
		return true, was
	}
}
