package pactflowtest

import (
	"net/http"
	"slices"
	"sync"
	"time"
)

// Entry is a request that the emulator received. It holds the names of tokens,
// never their values.
type Entry struct {
	N      int         `json:"n"` // from 1, never reused
	Time   time.Time   `json:"time"`
	Method string      `json:"method"`
	Path   string      `json:"path"`
	Query  string      `json:"query,omitempty"`
	Header http.Header `json:"headers"`
	Body   string      `json:"body,omitempty"` // the first 64 KiB
	Token  string      `json:"token,omitempty"`
	Status int         `json:"status"` // 0: no answer, or none yet
	Faults []string    `json:"faults,omitempty"`
}

// keptEntries is how many entries the log holds before the older half goes.
const keptEntries = 50_000

// journal is the log of requests.
type journal struct {
	mu      sync.Mutex
	n       int // of the last one
	cleared int // n when it was last cleared
	entries []Entry
}

func (j *journal) add(x Entry) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.entries) == keptEntries {
		j.entries = slices.Clone(j.entries[keptEntries/2:])
	}
	j.n++
	x.N = j.n
	j.entries = append(j.entries, x)
	return x.N
}

// change changes the entry n, if it is still kept.
func (j *journal) change(n int, change func(*Entry)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.entries) > 0 {
		if i := n - j.entries[0].N; i >= 0 && i < len(j.entries) {
			change(&j.entries[i])
		}
	}
}

// Log returns the requests received since the last [Emulator.ClearLog], in
// order: the latest 50,000 or at least 25,000 of them. Requests under /__emu/
// are not among them.
func (e *Emulator) Log() []Entry {
	e.lines.mu.Lock()
	defer e.lines.mu.Unlock()
	out := slices.Clone(e.lines.entries)
	for i := range out {
		out[i].Header, out[i].Faults = out[i].Header.Clone(), slices.Clone(out[i].Faults)
	}
	return out
}

// Calls counts the requests since the last [Emulator.ClearLog], kept or not.
func (e *Emulator) Calls() int {
	e.lines.mu.Lock()
	defer e.lines.mu.Unlock()
	return e.lines.n - e.lines.cleared
}

// ClearLog empties the log.
func (e *Emulator) ClearLog() {
	e.lines.mu.Lock()
	defer e.lines.mu.Unlock()
	e.lines.entries, e.lines.cleared = nil, e.lines.n
}

// BeforeHandle has f called for every request once it was read and logged,
// before faults and before it is handled. f may use the emulator, and may block;
// a request that f itself makes calls f again. nil removes it.
func (e *Emulator) BeforeHandle(f func(*http.Request)) {
	if f == nil {
		e.hook.Store(nil)
		return
	}
	e.hook.Store(&f)
}
