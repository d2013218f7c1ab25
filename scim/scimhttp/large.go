package scimhttp

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

// What a body may use of memory before it counts as large, how many large ones
// are worked on at a time, since one is parsed into a tree several times its
// size, and how long one waits before its client is told to come back.
const (
	largeFrom   = 1 << 20
	largePlaces = 4
	largeWait   = 5 * time.Second
)

// large bounds the memory of large bodies. While one arrives it holds a chunk
// for each largeFrom bytes beyond the first, so that a slow client holds what it
// has sent and no more; once it is complete, also a place, until the engine is
// done with it. Nothing is held while the answer is sent. What is counted for
// somebody is at most half of it.
type large struct {
	room
	wait time.Duration

	mu     sync.Mutex
	shares map[string]*share // of those who have requests now
}

// room has as many of each as there may be at a time.
type room struct{ chunks, places chan struct{} }

func newRoom(chunks, places int) room {
	return room{make(chan struct{}, chunks), make(chan struct{}, places)}
}

// share is the room of one of many.
type share struct {
	room
	requests int
}

// newLarge returns the bounds where no body has more than most bytes.
func newLarge(most int64, wait time.Duration) *large {
	chunks := largePlaces * ((most + largeFrom - 1) / largeFrom)
	return &large{room: newRoom(int(chunks), largePlaces), wait: wait, shares: map[string]*share{}}
}

// hold is what the body of a request holds of it.
type hold struct {
	of     *large
	name   string // whom it counts for; "": nobody
	share  *share // of that one, once it holds anything
	chunks int
	place  bool
}

// shareOf returns the share of somebody for another request.
func (l *large) shareOf(name string) *share {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.shares[name]
	if s == nil {
		s = &share{room: newRoom(cap(l.chunks)/2, cap(l.places)/2)}
		l.shares[name] = s
	}
	s.requests++
	return s
}

// grow waits for another chunk.
func (h *hold) grow(ctx context.Context) error {
	err := h.take(ctx, func(r *room) chan struct{} { return r.chunks })
	if err == nil {
		h.chunks++
	}
	return err
}

// complete waits for a place, if the body is large.
func (h *hold) complete(ctx context.Context) error {
	if h.chunks == 0 {
		return nil
	}
	err := h.take(ctx, func(r *room) chan struct{} { return r.places })
	h.place = err == nil
	return err
}

// take waits for one of what there is, first within the share, lest those who
// wait there keep it from others.
func (h *hold) take(ctx context.Context, of func(*room) chan struct{}) error {
	if h.name == "" {
		return h.of.take(ctx, of(&h.of.room))
	}
	if h.share == nil {
		h.share = h.of.shareOf(h.name)
	}
	own := of(&h.share.room)
	if err := h.of.take(ctx, own); err != nil {
		return err
	}
	err := h.of.take(ctx, of(&h.of.room))
	if err != nil {
		<-own
	}
	return err
}

// release gives all of it back.
func (h *hold) release() {
	h.leave(&h.of.room)
	if h.share == nil {
		return
	}
	h.leave(&h.share.room)
	h.of.mu.Lock()
	defer h.of.mu.Unlock()
	if h.share.requests--; h.share.requests == 0 {
		delete(h.of.shares, h.name)
	}
}

func (h *hold) leave(r *room) {
	for range h.chunks {
		<-r.chunks
	}
	if h.place {
		<-r.places
	}
}

func (l *large) take(ctx context.Context, from chan<- struct{}) error {
	select {
	case from <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(l.wait)
	defer timer.Stop()
	select {
	case from <- struct{}{}:
		return nil
	case <-timer.C:
		return scim.Unavailable(errors.New("too many large bodies at once"))
	case <-ctx.Done():
		return ctx.Err()
	}
}
