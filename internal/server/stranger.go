package server

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/rollcall-scim/rollcall/backend/facade"
	"github.com/rollcall-scim/rollcall/internal/guard"
)

// strangers are the addresses from which too many tokens came that the application
// behind a façade has refused. It is not asked about another one from there, but
// for those that it has taken before. Safe for concurrent use.
type strangers struct {
	failures *guard.Failures

	mu    sync.Mutex
	taken map[[sha256.Size]byte]struct{}
	until map[netip.Addr]time.Time
}

// mostStrangers bounds what is remembered of addresses, and of tokens.
const mostStrangers = 4096

func newStrangers(f *guard.Failures) *strangers {
	return &strangers{failures: f, taken: map[[sha256.Size]byte]struct{}{}, until: map[netip.Addr]time.Time{}}
}

// wait returns how long a token from an address is not passed on; 0: it is.
func (s *strangers) wait(from netip.Addr, token string, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	until, ok := s.until[neighbourhood(from)]
	if !ok {
		return 0
	}
	if _, ok := s.taken[sha256.Sum256([]byte(token))]; ok {
		return 0
	}
	return max(0, until.Sub(now))
}

// learn notes what the application has said to a token: that it is good, or not.
func (s *strangers) learn(from netip.Addr, token string, good bool, now time.Time) {
	of := sha256.Sum256([]byte(token))
	s.mu.Lock()
	defer s.mu.Unlock()
	if good {
		if _, ok := s.taken[of]; !ok && len(s.taken) >= mostStrangers {
			clear(s.taken)
		}
		s.taken[of] = struct{}{}
		return
	}
	delete(s.taken, of)
	wait := s.failures.Failed(from)
	if wait == 0 {
		return
	}
	if len(s.until) >= mostStrangers {
		clear(s.until)
	}
	s.until[neighbourhood(from)] = now.Add(wait)
}

// neighbourhood is what one subscriber has: of IPv6 a /64.
func neighbourhood(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is4() || !a.IsValid() {
		return a
	}
	p, _ := a.Prefix(64) // of an IPv6 address there is one
	return p.Addr()
}

// answered learns from the answer to a request.
func (s *strangers) answered(srv *Server, f *finished) {
	if f.Caller == nil || f.Caller.Passed == "" || facade.CallerOf(f.Request.Context()).Calls() == 0 {
		return
	}
	var call *facade.Failure
	refused := f.Status == http.StatusUnauthorized && errors.As(f.Err, &call) && call.Status == http.StatusUnauthorized
	if refused || f.Status < 400 {
		s.learn(clientAddress(srv.s.Proxies, f.Request), f.Caller.Passed, !refused, time.Now())
	}
}
