package bench

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// progress is a line on a terminal that says where the work is. Without a
// terminal it says nothing.
type progress struct {
	out io.Writer // nil: no terminal

	mu    sync.Mutex
	last  time.Time
	shown bool
}

// show replaces the line, at most ten times a second.
func (p *progress) show(format string, args ...any) {
	if p == nil || p.out == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.last) > 100*time.Millisecond {
		p.last, p.shown = now, true
		fmt.Fprintf(p.out, "\r\x1b[K  "+format, args...)
	}
}

// clear takes the line away.
func (p *progress) clear() {
	if p == nil || p.out == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.shown = false
	}
}
