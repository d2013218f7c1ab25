package oidc_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/rollcall-scim/rollcall/internal/oidc"
)

// TestNobodyWaits: while the issuer says nothing, a token that names a key nobody
// knows is refused as fast as one of another issuer, once the keys are known.
func TestNobodyWaits(t *testing.T) {
	t.Parallel()
	p, c := newProvider(t), newClock()
	v := p.verifier(c)
	v.Prepare([]string{p.URL}) // no token was needed
	poll(t, "the keys are known", func() bool { _, err := v.Verify(t.Context(), p.good(c), p.trust()); return err == nil })
	if n := p.calls.Load(); n != 1 {
		t.Errorf("%d calls", n)
	}
	stalled := make(chan struct{})
	t.Cleanup(func() { close(stalled) })
	p.set(func() { p.answer = func(http.ResponseWriter) bool { <-stalled; return false } })
	c.advance(time.Minute)
	junk := sign(t, jose.ES256, "made-up", ecKey(), nil, p.claims(c, nil))
	for range 3 {
		// Who waits is told in the end that the issuer does not answer.
		if _, err := v.Verify(t.Context(), junk, p.trust()); reason(err) != oidc.BadKey {
			t.Errorf("%v", err)
		}
	}
	c.advance(9 * time.Minute)
	v.Prepare([]string{p.URL})
	if _, err := v.Verify(t.Context(), p.good(c), p.trust()); err != nil {
		t.Errorf("a good token meanwhile: %v", err)
	}
}

// TestFewWait: keys that were never known are waited for by a few; a token that
// is for somebody else, or expired, is refused before anybody is asked.
func TestFewWait(t *testing.T) {
	t.Parallel()
	p, c := newProvider(t), newClock()
	stalled := make(chan struct{})
	goOn := sync.OnceFunc(func() { close(stalled) })
	t.Cleanup(goOn)
	p.set(func() { p.answer = func(http.ResponseWriter) bool { <-stalled; return false } })
	v := p.verifier(c)
	for want, change := range map[oidc.Reason]map[string]any{oidc.BadAudience: {"aud": "other"}, oidc.Expired: {"exp": c.now().Add(-time.Hour).Unix()}} {
		if _, err := v.Verify(t.Context(), sign(t, jose.RS256, "r1", rsaKey(), nil, p.claims(c, change)), p.trust()); reason(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if n := p.calls.Load(); n != 0 {
		t.Errorf("the issuer was asked %d times", n)
	}
	const many, few = 200, 32
	var junk []string
	for n := range many {
		junk = append(junk, sign(t, jose.ES256, fmt.Sprint("made-up-", n), ecKey(), nil, p.claims(c, nil)))
	}
	var all sync.WaitGroup
	var away atomic.Int32
	for _, text := range junk {
		all.Go(func() {
			_, err := v.Verify(t.Context(), text, p.trust())
			if down := (*oidc.Unavailable)(nil); !errors.As(err, &down) {
				t.Errorf("%v", err)
			} else if strings.Contains(down.Cause.Error(), "too many requests wait") {
				away.Add(1)
			}
		})
	}
	poll(t, "all but a few are sent away while the issuer says nothing", func() bool { return away.Load() == many-few })
	goOn()
	all.Wait()
}
