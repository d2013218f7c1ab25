package guard_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/guard"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
)

// slow is a Leaser that answers when it is let.
type slow struct{ asked, answer chan int }

func (s *slow) Lease(_ context.Context, _ string, _ guard.Rate, want int) (guard.Lease, error) {
	s.asked <- want
	return guard.Lease{Granted: <-s.answer, Left: 100}, nil
}

// TestLimiterSlow sends requests while the store takes its time: they don't wait,
// and are asked for next.
func TestLimiterSlow(t *testing.T) {
	t.Parallel()
	c := newClock()
	l, r := guard.NewLimiter(c.Now), guard.Rate{PerSecond: 100, Burst: 80}
	s := &slow{make(chan int, 1), make(chan int)}
	allow := func() <-chan guard.Verdict {
		out := make(chan guard.Verdict, 1)
		go func() { out <- l.Allow(ctx, "tk", r, s) }()
		return out
	}
	await := func(out <-chan guard.Verdict) {
		t.Helper()
		select {
		case v := <-out:
			if v.Wait != 0 || v.Remaining < 0 {
				t.Errorf("%+v", v)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("a request waits for what another asks the store")
		}
	}
	first := allow()
	if want := <-s.asked; want != 10 {
		t.Errorf("%d were asked for", want)
	}
	for range 12 {
		await(allow())
	}
	s.answer <- 10
	await(first)
	next := allow() // thirteen were let through of ten
	if want := <-s.asked; want != 13 {
		t.Errorf("%d were asked for, not 10 and the 3 that are missing", want)
	}
	s.answer <- 13
	await(next)
	for range 9 {
		await(allow())
	}
	if len(s.asked) != 0 {
		t.Error("the store was asked though there is some left")
	}
}

// busy is a directory whose deletes are mass changes, and which can't always write
// down that one was held.
type busy struct {
	guard.Directory
	fails int
	with  error // nil: that it is busy
	noted []guard.Hold
}

func (b *busy) Delete(ctx context.Context, ref scim.Ref, _ string) error {
	user := &scim.ResourceType{Name: guard.People, Schema: &scim.Schema{}}
	return guard.From(ctx).Judge(ctx, mass{}, guard.Effect{Type: user, PK: 1, Before: &scim.Resource{Type: user}, Name: "DELETE " + ref.String()})
}

func (b *busy) NoteHeld(_ context.Context, h guard.Hold) error {
	if b.fails > 0 {
		b.fails--
		return cmp.Or(b.with, errors.New("busy"))
	}
	b.noted = append(b.noted, h)
	return nil
}

// mass is a transaction in which far too many people are counted.
type mass struct{ guard.Tx }

func (mass) Now() time.Time { return time.Now() }

func (mass) Tally(context.Context, guard.Tally) (guard.Count, error) {
	return guard.Count{New: 1, State: guard.State{People: 600, Total: 1000}}, nil
}

// TestHoldKept holds changes while the store is busy: all are written down once it
// is not.
func TestHoldKept(t *testing.T) {
	t.Parallel()
	c := newClock()
	b := &busy{fails: 2}
	g := guard.New(guard.Options{Logger: slog.New(slog.DiscardHandler), Now: c.Now})
	d := g.Wrap(&tenant.Tenant{Name: "acme", Settings: tenant.Settings{Breaker: tenant.Breaker{Mode: "hold"}}}, b, nil)
	first := c.Now()
	for _, id := range []string{"1", "2", "3"} {
		if err := d.Delete(ctx, scim.Ref{Type: &scim.ResourceType{Name: guard.People}, ID: id}, ""); scim.AsError(err).Status != 429 {
			t.Errorf("%v", err)
		}
		c.pass(2 * time.Second)
	}
	if len(b.noted) != 1 || b.noted[0].Requests != 3 || !b.noted[0].First.Equal(first) || b.noted[0].What != "DELETE User/3" ||
		b.noted[0].Last.Sub(first) != 4*time.Second {
		t.Errorf("written down: %+v", b.noted)
	}
}

// TestHoldRemoved holds a change of a tenant that is removed before it is written
// down: nobody tries that again, and a new tenant of that name has none of it.
func TestHoldRemoved(t *testing.T) {
	t.Parallel()
	c := newClock()
	var log bytes.Buffer
	g := guard.New(guard.Options{Logger: slog.New(slog.NewTextHandler(&log, nil)), Now: c.Now})
	home := &tenant.Tenant{Name: "acme", Settings: tenant.Settings{Breaker: tenant.Breaker{Mode: "hold"}}}
	gone, next := &busy{fails: 1, with: &scim.Error{Status: 404, Detail: "the tenant was removed"}}, &busy{}
	for _, b := range []*busy{gone, next} {
		if err := g.Wrap(home, b, nil).Delete(ctx, scim.Ref{Type: &scim.ResourceType{Name: guard.People}, ID: "1"}, ""); scim.AsError(err).Status != 429 {
			t.Errorf("%v", err)
		}
		c.pass(2 * time.Second)
	}
	if gone.fails != 0 || len(gone.noted) != 0 || len(next.noted) != 1 || next.noted[0].Requests != 1 {
		t.Errorf("written down: %+v of the old, %+v of the new", gone.noted, next.noted)
	}
	if strings.Contains(log.String(), "tried again") {
		t.Error(log.String())
	}
}
