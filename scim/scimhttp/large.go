package scimhttp

import (
	"context"
	"errors"
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
// done with it. Nothing is held while the answer is sent.
type large struct {
	chunks, places chan struct{}
	wait           time.Duration
}

// newLarge returns the bounds where no body has more than most bytes.
func newLarge(most int64, wait time.Duration) *large {
	chunks := largePlaces * ((most + largeFrom - 1) / largeFrom)
	return &large{make(chan struct{}, chunks), make(chan struct{}, largePlaces), wait}
}

// hold is what one body holds of it.
type hold struct {
	of     *large
	chunks int
	place  bool
}

// grow waits for another chunk.
func (h *hold) grow(ctx context.Context) error {
	err := h.of.take(ctx, h.of.chunks)
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
	err := h.of.take(ctx, h.of.places)
	h.place = err == nil
	return err
}

// release gives all of it back.
func (h *hold) release() {
	for range h.chunks {
		<-h.of.chunks
	}
	if h.place {
		<-h.of.places
	}
	h.chunks, h.place = 0, false
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
