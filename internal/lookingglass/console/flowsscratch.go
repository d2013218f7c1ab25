package console

import (
	"sync"
	"time"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/flows"
)

const (
	mostScratches = 50 // at once, of all people; then the one that idles longest ends
	scratchIdle   = 15 * time.Minute
)

// scratch is somebody's run of a flow.
type scratch struct {
	*flows.Run
	who  *Who // nil: anybody's, in open mode
	used time.Time
}

// scratches are the runs by their ids.
type scratches struct {
	mu   sync.Mutex
	by   map[string]*scratch
	wake *time.Timer
	now  func() time.Time

	instance string // part of their ids
}

// add keeps a run and returns its id.
func (s *scratches) add(run *flows.Run, who *Who) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep()
	if s.by == nil {
		s.by = map[string]*scratch{}
	}
	if len(s.by) >= mostScratches {
		oldest := ""
		for id, sc := range s.by {
			if oldest == "" || sc.used.Before(s.by[oldest].used) {
				oldest = id
			}
		}
		delete(s.by, oldest)
	}
	id := newID(s.instance)
	s.by[id] = &scratch{run, who, s.now()}
	if s.wake == nil {
		s.wake = time.AfterFunc(scratchIdle, s.expire)
	}
	return id
}

// get returns a run that somebody started, or nil.
func (s *scratches) get(id string, who *Who) *flows.Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep()
	sc := s.by[id]
	if sc == nil || sc.who != who {
		return nil
	}
	sc.used = s.now()
	return sc.Run
}

// drop ends a run that somebody started.
func (s *scratches) drop(id string, who *Who) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sc := s.by[id]; sc != nil && sc.who == who {
		delete(s.by, id)
	}
}

// sweep ends the runs that idle.
func (s *scratches) sweep() {
	for id, sc := range s.by {
		if s.now().Sub(sc.used) >= scratchIdle {
			delete(s.by, id)
		}
	}
}

// expire is sweep when nobody comes by, as long as there are runs.
func (s *scratches) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep()
	if s.wake = nil; len(s.by) > 0 {
		s.wake = time.AfterFunc(time.Minute, s.expire)
	}
}

// stop ends all runs.
func (s *scratches) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.by)
	if s.wake != nil {
		s.wake.Stop()
	}
}
