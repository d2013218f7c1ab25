package server

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-scim/rollcall/auth"
	"github.com/rollcall-scim/rollcall/backend/facade"
	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/console"
	"github.com/rollcall-scim/rollcall/internal/oidc"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// glass is the Looking Glass: what records the exchanges, and the console that
// shows them. Nil: it is off.
type glass struct {
	recorder *lookingglass.Recorder
	console  *console.Console
	refused  allowance
}

// openGlass starts the Looking Glass, if the settings want one.
func (srv *Server) openGlass() error {
	if !srv.s.LookingGlass {
		return nil
	}
	secret := srv.s.ConsoleToken
	o := console.Options{
		Base:    srv.baseOf,
		Secure:  srv.secure,
		Version: Version(),
		Logger:  srv.log,
		Open:    srv.isOpen() && secret == "" && srv.s.SignIn == nil,
		SignIn:  srv.signIn(),
		Guess:   srv.guess,
		Viewer:  func(token string) bool { return secret != "" && equal(token, secret) },
		Admin: func(token string) bool {
			_, err := srv.principal(token)
			return err == nil && !srv.isOpen()
		},
		WithToken: func(ctx context.Context, token string) context.Context {
			origin := scim.OriginOf(ctx)
			origin.Actor = "console"
			if p, err := srv.principal(token); err == nil && token != "" && token != secret {
				origin.Actor = cmp.Or(p.Subject, "somebody") + " by console"
				if p.Token != "" {
					ctx = facade.WithCaller(ctx, p.Token)
				}
			}
			if d, ok := srv.mode.(*directory); ok {
				if g, ok := d.managed(token); ok {
					origin.Actor = subjectOf(g.Token) + " by console"
				}
			}
			return scim.WithOrigin(ctx, origin)
		},
	}
	if d, ok := srv.mode.(*directory); ok {
		o.Tenants = srv.consoleTenants(d)
	}
	records := lookingglass.Options{
		Tenant: tenant.Default,
		Types:  func() []*scim.ResourceType { return o.Engine().Types() },
		Keep:   srv.s.GlassKeep,
		Days:   srv.s.GlassDays,
		Rate:   srv.s.GlassRate,
		Logger: srv.log,
	}
	if err := srv.mode.look(&o, &records); err != nil {
		return err
	}
	recorder, err := lookingglass.New(records)
	if err != nil {
		return err
	}
	o.Recorder = recorder
	srv.glass = &glass{recorder: recorder, console: console.New(o)}
	return nil
}

// principal returns who has a token.
func (srv *Server) principal(token string) (auth.Principal, error) {
	return srv.auth.Authenticate(&http.Request{Header: http.Header{"Authorization": {"Bearer " + token}}})
}

func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// records returns the recorder, or nil.
func (g *glass) records() *lookingglass.Recorder {
	if g == nil {
		return nil
	}
	return g.recorder
}

// close ends the recorder, once nobody observes any more.
func (g *glass) close() error {
	if g == nil {
		return nil
	}
	g.console.Close()
	return g.recorder.Close()
}

// isConsole reports whether a cleaned path is the console's, spelled as it is.
func isConsole(r *http.Request, path string) bool {
	return path == strings.TrimSuffix(r.URL.Path, "/") && (path == console.Path || strings.HasPrefix(path, console.Path+"/"))
}

// refuse records a request that was refused before it came to an endpoint, such
// as one with a wrong token: that is what people look for first. Anybody can
// send such, so few a second are recorded. base is the address of the mount.
func (g *glass) refuse(r *http.Request, at place, base string, x *exchange, started time.Time) {
	if g == nil || !g.refused.take(time.Now()) {
		return
	}
	err := x.err
	var refused *tenant.Refusal
	var signed *oidc.Refusal
	switch {
	case errors.As(err, &refused):
		err = &scim.Error{Status: scim.AsError(err).Status, Detail: refused.Error()}
	case errors.As(err, &signed):
		err = &scim.Error{Status: scim.AsError(err).Status, Detail: signed.Error()}
	}
	// Whose request it was, the credentials say, and if they are of nobody, the
	// path, which may name a tenant that there is not.
	of := x.tenant
	if refused != nil && refused.Token != nil {
		of = refused.Token.Tenant
	}
	if of == "" && tenant.CheckName(at.tenant) == nil {
		of = at.tenant
	}
	if of != "" {
		r = r.WithContext(lookingglass.WithTenant(r.Context(), of))
	}
	g.recorder.Observe(scimhttp.Exchange{
		Request:     engine.Request{Method: r.Method, Base: base, Path: at.rest, Query: r.URL.Query()},
		Response:    engine.Response{Status: scim.AsError(err).Status, Err: err},
		HTTP:        r,
		RequestID:   x.id,
		Started:     started,
		Duration:    time.Since(started),
		RequestSize: max(r.ContentLength, 0),
	})
}

// allowance lets one thing happen each second, and ten at once after a while.
// The zero value is full. Safe for concurrent use.
type allowance struct {
	mu   sync.Mutex
	full time.Time // when all ten are there again
}

func (a *allowance) take(now time.Time) bool {
	const most, every = 10, time.Second
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.full.Before(now) {
		a.full = now
	}
	if a.full.Sub(now) > (most-1)*every {
		return false
	}
	a.full = a.full.Add(every)
	return true
}

// secure reports whether a browser reaches this server by TLS, by what the
// connection, a trusted proxy or the configured base URL says.
func (srv *Server) secure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	if rest, ok := strings.CutPrefix(srv.s.BaseURL, "https://"); ok {
		host, _, _ := strings.Cut(rest, "/")
		return strings.EqualFold(host, r.Host)
	}
	return trusted(srv.s.Proxies, r.RemoteAddr) && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

func trusted(proxies []netip.Prefix, remote string) bool {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return false
	}
	a, err := netip.ParseAddr(host)
	for _, p := range proxies {
		if err == nil && p.Contains(a.Unmap()) {
			return true
		}
	}
	return false
}

// baseOf returns the base URI of the SCIM endpoints: the configured one, or in
// façade mode without one that of the request.
func (srv *Server) baseOf(r *http.Request) string {
	if srv.s.PactFlow == nil || srv.s.BaseURL != "" {
		return srv.base
	}
	scheme := "http://"
	if srv.secure(r) {
		scheme = "https://"
	}
	return scheme + r.Host + srv.s.Mount
}

// origin returns what stands before the path in the address of a request.
func (srv *Server) origin(r *http.Request) string {
	base, mount := srv.baseOf(r), srv.where.mounts[0]
	if origin, ok := strings.CutSuffix(base, mount+"/v2"); ok && srv.s.PactFlow == nil {
		return origin
	}
	return strings.TrimSuffix(base, mount)
}

// look gives the console the directory, and its records a file. With PostgreSQL
// all instances keep them there together, and a login is good at all of them.
func (d *directory) look(o *console.Options, records *lookingglass.Options) (err error) {
	o.Engine = d.current.Load
	o.Changes, o.Deleted = d.store, d.store
	if d.fleet != nil {
		o.Sessions = d.fleet.sessions(d.cursorKeys)
		o.Instance = d.fleet.name
		records.Instance = d.fleet.name
		records.Shared, err = d.fleet.db.Exchanges(tenant.Default, d.fleet.id, d.fleet.name)
		return err
	}
	records.Journal = filepath.Join(d.s.DataDir, "looking-glass.db")
	return nil
}

// look gives the console what is behind the façade, for those whose token
// PactFlow lets read people. Records are in memory alone.
func (f *front) look(o *console.Options, _ *lookingglass.Options) error {
	o.Engine = f.current.Load
	o.Facade = "PactFlow"
	o.LoopbackOnly = f.s.ConsoleToken == "" && f.s.SignIn == nil
	o.Admin = func(token string) bool {
		if f.s.ConsoleToken != "" && equal(token, f.s.ConsoleToken) {
			return false // and PactFlow does not get to see it
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		answer := f.current.Load().Do(facade.WithCaller(ctx, token), engine.Request{
			Method: http.MethodGet, Path: "/Users", Query: url.Values{"count": {"1"}}})
		return answer.Status == http.StatusOK
	}
	return nil
}
