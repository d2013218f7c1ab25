package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/auth"
	"github.com/rollcall-scim/rollcall/backend/facade"
	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/internal/metrics"
	"github.com/rollcall-scim/rollcall/internal/oidc"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/compat"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// ServeHTTP authenticates a request and sends it to its part of the program.
// Authentication comes before routing and what is public is listed, so a path
// that the two could read differently needs a token. Both look at the same
// cleaned path, of which nothing is decoded.
func (srv *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	out := &recorder{ResponseWriter: w}
	id := requestID(r)
	path := scimhttp.Clean(r.URL.EscapedPath())
	r, span := srv.telemetry.start(r, path)
	defer srv.telemetry.metrics.Begin()()
	access := &exchange{id: id, span: span, steps: scim.TraceOf(r.Context())}
	out.exchange = access
	ctx := scim.WithOrigin(context.WithValue(r.Context(), exchangeKey{}, access), scim.Origin{RequestID: id, Address: addressOf(srv.s.Proxies, r)})
	r = r.WithContext(ctx)
	h := w.Header()
	h.Set("X-Request-Id", id)
	h.Set("X-Content-Type-Options", "nosniff")
	defer func() { // also when the handler cuts the connection
		srv.finish(r, path, out, access, started)
	}()

	if isConsole(r, path) { // before the origins that may call: none may call this
		srv.serveConsole(out, r)
		return
	}
	if !srv.cors(out, r) {
		return
	}
	if srv.leaving.Load() { // the next request of this connection is for another instance
		out.Header().Set("Connection", "close")
	}
	switch {
	case srv.where.isHealth(path):
		srv.serveHealth(out, r, path)
		return
	case path == metrics.Path && srv.s.MetricsListen == "":
		srv.serveMetrics(out, r)
		return
	case srv.draining.Load():
		scimhttp.Error(out, &scim.Error{Status: http.StatusServiceUnavailable, Detail: "the server is stopping", RetryAfter: time.Second})
		return
	case !srv.begun.Load():
		scimhttp.Error(out, &scim.Error{Status: http.StatusServiceUnavailable, RetryAfter: 2 * time.Second,
			Detail: "the server is starting: it can't reach its database yet; try again"})
		return
	}
	read := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
	gateway := path == "/api/protocols" && srv.s.PactFlow == nil
	// A page for people, a fixed list for gateways and what the mode has open.
	public := read && (srv.isPage(r, path) || gateway ||
		srv.where.isPublic(path) && len(r.Header.Values("Authorization")) == 0)
	at, mounted := srv.where.locate(path)
	if !public {
		if err := srv.enter(out, r, at, access); err != nil {
			access.err = err
			if mounted {
				srv.glass.refuse(r, at, srv.origin(r)+at.mount, access, started)
			}
			scimhttp.Error(out, scim.AsError(err))
			return
		}
		origin := scim.OriginOf(ctx)
		origin.Actor = access.caller.Subject
		ctx = scim.WithOrigin(ctx, origin)
		if access.caller.Passed != "" {
			ctx = facade.WithCaller(ctx, access.caller.Passed)
		}
		r = r.WithContext(ctx)
	}
	switch {
	case srv.isPage(r, path):
		srv.servePage(out, r)
	case gateway:
		serveProtocols(out, r, srv.s.Mount)
	case mounted:
		srv.serveSCIM(out, r, at, access)
	default:
		scimhttp.Error(out, &scim.Error{Status: http.StatusNotFound, Detail: "there is nothing at this path; SCIM is under " + srv.s.Mount + "/v2"})
	}
}

// enter finds out who sends a request and whether that may call what the path
// names, and notes it in x. The error is the answer.
func (srv *Server) enter(w http.ResponseWriter, r *http.Request, at place, x *exchange) error {
	if srv.gate.knock != nil {
		if err := srv.gate.knock(w.Header(), r); err != nil {
			return err
		}
	}
	c, err := srv.mode.identify(r, at.tenant)
	if err != nil {
		refused, down := scim.AsError(err).Status == http.StatusUnauthorized, (*oidc.Unavailable)(nil)
		if !refused && !errors.As(err, &down) { // who waits for keys counts as well: anybody can name an issuer
			return err
		}
		if srv.gate.failed != nil {
			if instead := srv.gate.failed(w.Header(), r, err); instead != nil {
				return instead
			}
		}
		if refused {
			w.Header().Set("WWW-Authenticate", auth.Challenge(realm, err))
		}
		return err
	}
	x.caller, x.tenant = c, c.home()
	if srv.gate.admit != nil {
		if err := srv.gate.admit(w.Header(), r, c); err != nil {
			return err
		}
	}
	if at.tenant != "" && at.tenant != x.tenant {
		return errElsewhere
	}
	if d, ok := srv.mode.(*directory); ok && c.Token != nil {
		d.registry.Used(c.Token, compat.ClientOf(r.UserAgent()))
	}
	return nil
}

// serveSCIM hands a request to the endpoints, with the path cleaned: they find
// out by what the path lacks of the request line where they are mounted.
func (srv *Server) serveSCIM(w http.ResponseWriter, r *http.Request, at place, x *exchange) {
	if err := srv.mode.unfit(); err != nil {
		x.err = err
		scimhttp.Error(w, scim.AsError(err))
		return
	}
	decoded, err := url.PathUnescape(at.rest)
	if err != nil { // net/http has parsed it: it can't be
		scimhttp.Error(w, scim.Errorf(scim.TypeInvalidSyntax, "the path is not well-formed (RFC 3986 §2.1)"))
		return
	}
	if x.caller == nil { // what is public
		x.caller, x.tenant = new(caller), tenant.Default
	}
	h, err := srv.mode.house(r.Context(), x.caller)
	if err != nil {
		x.err = err
		scimhttp.Error(w, scim.AsError(err))
		return
	}
	x.engine, x.base = h.engine, srv.baseIn(h.tenant, at.tenant)
	inner := *r.WithContext(lookingglass.WithTenant(r.Context(), x.tenant))
	u := *r.URL
	u.Path, u.RawPath = decoded, at.rest
	inner.URL, inner.RequestURI = &u, at.mount+at.rest
	srv.handler.ServeHTTP(w, &inner)
}

// baseIn returns the base URI of the endpoints of a tenant in the form that the
// client uses, whose path names the tenant or not: "". It is "" where that is as
// for everybody.
func (srv *Server) baseIn(t *tenant.Tenant, path string) string {
	if t == nil || t.BaseURL == "" && path == "" {
		return ""
	}
	s, base := srv.s, srv.base
	if t.BaseURL != "" {
		s.BaseURL = strings.TrimRight(t.BaseURL, "/")
		base = s.baseFor(0)
	}
	if path == "" {
		return base
	}
	return strings.TrimSuffix(base, s.Mount+"/v2") + tenantPath + path + s.Mount + "/v2"
}

// serveConsole hands a request to the console, which has a login of its own.
func (srv *Server) serveConsole(w http.ResponseWriter, r *http.Request) {
	if srv.begun.Load() {
		if err := srv.mode.unfit(); err != nil {
			http.Error(w, scim.AsError(err).Detail, http.StatusServiceUnavailable)
			return
		}
	}
	switch {
	case !srv.begun.Load():
		w.Header().Set("Retry-After", "2")
		http.Error(w, "The server is starting: it can't reach its database yet.", http.StatusServiceUnavailable)
	case srv.glass == nil:
		scimhttp.Error(w, &scim.Error{Status: http.StatusNotFound, Detail: "the Looking Glass is off (SCIM_LOOKING_GLASS=false)"})
	case srv.draining.Load():
		w.Header().Set("Connection", "close")
		http.Error(w, "The server is stopping.", http.StatusServiceUnavailable)
	case strings.HasSuffix(r.URL.Path, "/") && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		to := url.URL{Path: strings.TrimSuffix(r.URL.Path, "/"), RawQuery: r.URL.RawQuery} // a path of the console: no other host
		http.Redirect(w, r, to.String(), http.StatusPermanentRedirect)
	default:
		srv.glass.console.ServeHTTP(w, r)
	}
}

// cors answers what a browser asks on behalf of pages of other origins. Only
// listed origins may read answers, and a page of another origin can't make an
// open directory do anything: it sends no token, but there it needs none. It
// reports whether the request is to go on.
func (srv *Server) cors(w http.ResponseWriter, r *http.Request) bool {
	h := w.Header()
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	allowed := false
	for _, o := range srv.s.Origins {
		allowed = allowed || o == strings.ToLower(origin)
	}
	if allowed {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", "ETag, Location, Retry-After, X-Request-Id")
	}
	if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" && allowed {
		h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-Match, If-None-Match, Prefer, X-Request-Id")
		h.Set("Access-Control-Max-Age", "600")
		w.WriteHeader(http.StatusNoContent)
		return false
	}
	if !allowed && srv.isOpen() && !sameOrigin(r, origin) {
		scimhttp.Error(w, &scim.Error{Status: http.StatusForbidden,
			Detail: "without a token, pages of other origins are refused; ROLLCALL_CORS_ORIGINS lists those that may call"})
		return false
	}
	return true
}

// sameOrigin reports whether a page asks for its own server.
func sameOrigin(r *http.Request, origin string) bool {
	_, host, ok := strings.Cut(origin, "://")
	return ok && strings.EqualFold(host, r.Host)
}

// loopback reports whether an address is reached from this machine alone.
func loopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
