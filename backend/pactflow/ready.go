package pactflow

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rollcall-scim/rollcall/backend/facade"
	"github.com/rollcall-scim/rollcall/scim"
)

const (
	healthTime = 2 * time.Second  // how long the heartbeat may take
	healthKept = 10 * time.Second // how long its answer counts
)

// Ready is the state of a PactFlow as its heartbeat shows it, which needs no token.
type Ready struct {
	Up       bool
	Detail   string   // why not
	Warnings []string // a base URL that is another than PactFlow's
}

// health keeps the last answer of the heartbeat.
type health struct {
	mu    sync.Mutex
	at    time.Time
	known Ready
}

// Ready asks for the heartbeat, for 2 s at most. What it says counts for 10 s.
func (b *Backend) Ready(ctx context.Context) Ready {
	b.health.mu.Lock()
	defer b.health.mu.Unlock()
	now := b.client.now()
	if b.health.at.IsZero() || now.Sub(b.health.at) >= healthKept || now.Before(b.health.at) {
		// Who asked may go away; the answer is for all that ask.
		b.health.known = b.heartbeat(context.WithoutCancel(ctx))
		b.health.at = now
	}
	r := b.health.known
	if w := b.client.guard.warning(); w != "" {
		r.Warnings = []string{w}
	}
	return r
}

// heartbeat asks PactFlow whether it is there. Its own address in the answer
// tells, without a token, whether its links will lead to us.
func (b *Backend) heartbeat(ctx context.Context) Ready {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	var beat struct {
		OK    *bool `json:"ok"`
		Links links `json:"_links"`
	}
	call := facade.Call{Method: "GET", Path: "/diagnostic/status/heartbeat", Public: true}
	if _, err := b.client.up.Do(ctx, call, &beat); err != nil {
		return Ready{Detail: known(err).Detail}
	}
	b.client.guard.look(ctx, beat.Links.Self.Href)
	if beat.OK == nil || !*beat.OK {
		return Ready{Detail: "PactFlow's heartbeat does not say that it is well"}
	}
	return Ready{Up: true}
}

// Ping returns nil if PactFlow answers (scim.Pinger).
func (b *Backend) Ping(ctx context.Context) error {
	r := b.Ready(ctx)
	if r.Up {
		return nil
	}
	return scim.Unavailable(errors.New(r.Detail))
}
