package server

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/internal/guard"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// wrap puts what guards the resources of a tenant before them, whenever an engine
// for them is made, with the types that it serves.
func (d *directory) wrap(t *tenant.Tenant, b store, types []*scim.ResourceType) scim.Backend {
	return d.guard.Wrap(t, b, types)
}

// breakers are the stores of all tenants.
func (d *directory) breakers(ctx context.Context) ([]guard.Store, error) {
	tenants, err := d.registry.Tenants(ctx)
	list := make([]guard.Store, 0, len(tenants))
	for _, t := range tenants {
		list = append(list, d.db.bound(t))
	}
	return list, err
}

// newGate returns what holds up the requests of callers who send too many.
func (srv *Server) newGate() gate {
	limiter, failures := guard.NewLimiter(nil), guard.NewFailures(srv.s.refusals, nil)
	g := gate{
		refused: func(r *http.Request) time.Duration { return failures.Failed(clientAddress(srv.s.Proxies, r)) },
		admit:   func(h http.Header, r *http.Request, c *caller) error { return srv.admit(limiter, h, r, c) },
	}
	g.failed = func(_ http.Header, r *http.Request, why error) error {
		if wait := g.refused(r); wait > 0 {
			return guessing(wait, why)
		}
		return nil
	}
	if srv.s.PactFlow == nil {
		return g
	}
	// Whose token is good the application knows: what it says is learnt.
	strange := newStrangers(failures)
	srv.watch(func(f *finished) { strange.answered(srv, f) })
	g.admit = func(h http.Header, r *http.Request, c *caller) error {
		from := clientAddress(srv.s.Proxies, r)
		if wait := strange.wait(from, c.Passed, time.Now()); wait > 0 {
			return guessing(wait, errRefused)
		}
		if rate := srv.s.RateLimit; rate != nil { // junk from elsewhere is no reason to refuse anybody
			if v := limiter.Allow(r.Context(), "address/"+neighbourhood(from).String(), *rate, nil); v.Wait > 0 {
				return tooFast(h, v, *rate)
			}
		}
		return srv.admit(limiter, h, r, c)
	}
	return g
}

var errRefused = &scim.Error{Status: http.StatusUnauthorized, Detail: "PactFlow refused the tokens before this one"}

// guessing is the refusal of an address from which too many refused credentials
// came.
func guessing(wait time.Duration, why error) error {
	return &scim.Error{Status: http.StatusTooManyRequests, RetryAfter: wait, Err: why,
		Detail: "too many requests without a valid bearer token came from this address; with a valid one it is answered. The last: " + scim.AsError(why).Detail}
}

// guess carries out an attempt to log in with a token, of which try says whether
// it is known. Wrong ones count as refused credentials. A token that another
// application has to judge is passed on only as often as wrong ones may be sent.
func (srv *Server) guess(r *http.Request, token string, try func() bool) (known bool, wait time.Duration) {
	if srv.s.PactFlow != nil && !(srv.s.ConsoleToken != "" && equal(token, srv.s.ConsoleToken)) {
		if wait = srv.gate.refused(r); wait > 0 {
			return false, wait
		}
		return try(), 0
	}
	if try() {
		return true, 0
	}
	return false, srv.gate.refused(r)
}

// admit bounds how many requests a credential sends, and tells it how many are
// left, as Okta and SailPoint read it.
func (srv *Server) admit(limiter *guard.Limiter, h http.Header, r *http.Request, c *caller) error {
	rate, name, limited := srv.rateOf(c)
	if !limited {
		return nil
	}
	v := limiter.Allow(r.Context(), name, rate, srv.leaser(r.Context(), c))
	h.Set("X-Rate-Limit-Limit", strconv.Itoa(v.Limit))
	h.Set("X-Rate-Limit-Remaining", strconv.Itoa(v.Remaining))
	h.Set("X-Rate-Limit-Reset", strconv.FormatInt(time.Now().Add(v.Full).Unix()+1, 10))
	if v.Wait == 0 {
		return nil
	}
	return tooFast(h, v, rate)
}

// tooFast is the refusal of a request beyond a rate.
func tooFast(h http.Header, v guard.Verdict, rate guard.Rate) error {
	wait := int(math.Ceil(v.Wait.Seconds()))
	h.Set("X-Rate-Limit-Retry-After-Seconds", strconv.Itoa(wait))
	return &scim.Error{Status: http.StatusTooManyRequests, RetryAfter: time.Duration(wait) * time.Second,
		Detail: fmt.Sprintf("too many requests: this credential may send %s a second, and %d at once; try again in %d s", decimal(rate.PerSecond), v.Limit, wait)}
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// rateOf returns the bound of a caller's requests, and by which name they are
// counted: that of a managed or an access token by the settings of its tenant, that
// of others by the server's own.
func (srv *Server) rateOf(c *caller) (r guard.Rate, name string, limited bool) {
	if c.Tenant == nil {
		if srv.s.RateLimit == nil {
			return r, "", false
		}
		return *srv.s.RateLimit, "configured/" + c.Subject, true
	}
	r, limited = guard.RateOf(c.Tenant.Rate)
	name = c.Subject
	if c.Token != nil {
		name = c.Token.ID
	}
	return r, strconv.FormatInt(c.Tenant.ID, 10) + "/" + name, limited
}

// leaser is the store that other instances count in too, or nil.
func (srv *Server) leaser(ctx context.Context, c *caller) guard.Leaser {
	d, ok := srv.mode.(*directory)
	if !ok {
		return nil
	}
	if _, ok := d.db.(postgresDB); !ok {
		return nil
	}
	t := c.Tenant
	if t == nil {
		var err error
		if t, err = d.registry.Tenant(ctx, tenant.Default); err != nil {
			return nil
		}
	}
	l, _ := d.db.bound(*t).(guard.Leaser)
	return l
}

// clientAddress is that of whoever sends a request: of the last in a chain of
// trusted proxies, the one it says it has the request from.
func clientAddress(proxies []netip.Prefix, r *http.Request) netip.Addr {
	at := r.RemoteAddr
	if host, _, err := net.SplitHostPort(at); err == nil {
		at = host
	}
	addr, _ := netip.ParseAddr(at)
	if !scimhttp.Trusted(proxies, r.RemoteAddr) {
		return addr
	}
	var chain []string
	for _, line := range r.Header.Values("X-Forwarded-For") {
		chain = append(chain, strings.Split(line, ",")...)
	}
	for _, hop := range slices.Backward(chain) {
		next, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return addr
		}
		addr = next
		if !slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(addr.Unmap()) }) {
			return addr
		}
	}
	return addr
}

// rateLimit reads "50" or "50:200"; "" is no bound.
func rateLimit(text string) (*guard.Rate, bool) {
	if text == "" {
		return nil, true
	}
	per, burst, both := strings.Cut(text, ":")
	n, ok := wholeNumber(per, 1_000_000)
	t := tenant.Rate{PerSecond: n}
	if both && ok {
		t.Burst, ok = wholeNumber(burst, 1_000_000)
		ok = ok && t.Burst > 0
	}
	r, _ := guard.RateOf(t)
	return &r, ok && n > 0
}
