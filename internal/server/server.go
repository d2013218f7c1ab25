// Package server is the program: configuration, wiring and life cycle.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-scim/rollcall/auth"
	"github.com/rollcall-scim/rollcall/internal/guard"
	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/internal/oidc"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// How long the parts of a request may take. These bound clients that send
// nothing, and bodies that nobody reads, such as those of requests without a
// token; package scimhttp has deadlines of its own for those it reads and for
// answers.
const (
	headerTimeout   = 10 * time.Second
	readTimeout     = 30 * time.Second
	idleTimeout     = 2 * time.Minute
	shutdownTimeout = 30 * time.Second
	maxHeaderBytes  = 64 << 10
)

// Server is the running program: SCIM over HTTP, in one of two modes.
type Server struct {
	s        Settings
	log      *slog.Logger
	mode     mode
	where    layout
	auth     auth.Authenticator
	handler  http.Handler // of the SCIM endpoints
	begun    atomic.Bool  // what is served has been opened
	leaving  atomic.Bool  // not ready any more, but answering
	draining atomic.Bool

	listener net.Listener
	base     string // of the SCIM endpoints
	page     []byte
	started  time.Time
	tls      *certificate
	glass    *glass // nil: off
	verifier *oidc.Verifier
	gate     gate
	watchers []func(*finished)

	telemetry *telemetry
}

// Open prepares everything: it makes sure that no other process serves the same
// data folder, listens, gives up root and opens what is served. It returns an
// error whose every line is for the operator. Nothing is left behind if it fails.
//
// A PostgreSQL that can't be reached is no failure: then Serve says that it is
// not ready, and goes on trying.
func Open(ctx context.Context, s Settings, log *slog.Logger) (srv *Server, err error) {
	told, err := newTelemetry(ctx, &s, log)
	if err != nil {
		return nil, err
	}
	srv = &Server{s: s, log: log, started: time.Now(), mode: newMode(s, log)}
	defer func() {
		if err != nil {
			srv.Close()
			srv = nil
		}
	}()
	srv.telemetry = told
	srv.watch(srv.count)
	if os.Getenv("GOMEMLIMIT") == "" && s.MemoryLimit > 0 {
		debug.SetMemoryLimit(s.MemoryLimit)
	}
	if err := srv.mode.claim(); err != nil {
		return srv, err
	}
	if s.TLSCert != "" { // while it can be read: the key may be root's
		if srv.tls, err = loadCertificate(s.TLSCert, s.TLSKey, log); err != nil {
			return srv, err
		}
	}
	if srv.verifier, err = newVerifier(&srv.s, log); err != nil {
		return srv, err
	}
	srv.gate = srv.newGate()
	if d, ok := srv.mode.(*directory); ok {
		d.verifier = srv.verifier
		d.noticed = func(e guard.Event) { told.guarded(string(e.Kind)) }
	}
	// A port below 1024 needs root; requests are answered only by Serve.
	if srv.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", s.Listen); err != nil {
		return srv, fmt.Errorf("can't listen on %s: %w", s.Listen, bare(err))
	}
	if err := srv.listenMetrics(ctx); err != nil {
		return srv, err
	}
	if err := dropPrivileges(srv.mode.folder(), s.RunAs, log); err != nil {
		return srv, err
	}
	if srv.auth, err = srv.mode.authenticator(srv.listener.Addr().String()); err != nil {
		return srv, err
	}
	srv.where = srv.mode.layout()
	srv.base = s.baseFor(srv.listener.Addr().(*net.TCPAddr).Port)
	if srv.page, err = srv.renderPage(); err != nil {
		return srv, err
	}
	if err = srv.begin(ctx); errors.Is(err, errNotYet) {
		log.Warn("not ready: "+err.Error()+"; trying again until it can, and answering 503 meanwhile", "live", "/health/live", "ready", "/health/ready")
		err = nil
	}
	return srv, err
}

// begin opens what is served. Requests are answered from then on.
func (srv *Server) begin(ctx context.Context) error {
	if err := srv.mode.open(ctx); err != nil {
		return err
	}
	if d, ok := srv.mode.(*directory); ok {
		d.learn = func(types []*scim.ResourceType) {
			if srv.glass != nil {
				srv.glass.recorder.Learn(types)
			}
		}
	}
	if err := srv.mode.reload(); err != nil {
		return err
	}
	if err := srv.openGlass(); err != nil {
		return err
	}
	srv.handler = srv.newHandler()
	srv.describe()
	if d, ok := srv.mode.(*directory); ok {
		d.consult(srv.glass.records())
		d.attend()
	}
	srv.begun.Store(true)
	if d, ok := srv.mode.(*directory); ok {
		d.opened.Store(true) // last: who is told that it is ready sends requests at once
	}
	return nil
}

// begins waits until what is served can be opened.
func (srv *Server) begins(ctx context.Context) error {
	const longest = 3 * time.Second
	for pause := 100 * time.Millisecond; !srv.begun.Load(); pause = min(2*pause, longest) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		switch err := srv.begin(ctx); {
		case errors.Is(err, errNotYet):
			srv.log.Debug("trying again", "error", err)
		case err != nil:
			return err
		default:
			srv.log.Info("ready: the database can be reached")
		}
	}
	return nil
}

// Base returns the base URI of the SCIM endpoints.
func (srv *Server) Base() string { return srv.base }

// Addr returns the address that is listened on.
func (srv *Server) Addr() net.Addr { return srv.listener.Addr() }

// Serve answers requests until ctx ends. Then it says that it is not ready, goes
// on answering for the time that Settings.Drain says, and lets requests under way
// finish, for 30 seconds at most. It returns nil if it was stopped that way.
func (srv *Server) Serve(ctx context.Context) error {
	h := &http.Server{
		Handler:           srv,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(srv.log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	defer srv.runMetrics()()
	failed := make(chan error, 2)
	var start sync.WaitGroup
	leave := func() {}
	if srv.begun.Load() {
		leave = srv.present(ctx)
	} else {
		start.Go(func() {
			if err := srv.begins(ctx); err == nil {
				leave = srv.present(ctx)
			} else if ctx.Err() == nil {
				failed <- err
			}
		})
	}
	defer func() { start.Wait(); leave() }()
	go func() {
		var err error
		if srv.tls != nil {
			h.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: srv.tls.get}
			err = h.ServeTLS(srv.listener, "", "")
		} else {
			err = h.Serve(srv.listener)
		}
		failed <- fmt.Errorf("can't serve on %s: %w", srv.s.Listen, err)
	}()
	select {
	case err := <-failed:
		_ = h.Close()
		return err
	case <-ctx.Done():
	}
	start.Wait()
	srv.leaving.Store(true)
	if srv.s.Drain > 0 && srv.begun.Load() {
		srv.log.Info("stopping: not ready any more, and answering for another " + srv.s.Drain.String())
		select {
		case err := <-failed:
			return err
		case <-time.After(srv.s.Drain):
		}
	}
	srv.log.Info("stopping: finishing what is under way")
	srv.draining.Store(true)
	if srv.begun.Load() && srv.glass != nil {
		srv.glass.console.Close()
	}
	stop, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	if err := h.Shutdown(stop); err != nil {
		_ = h.Close()
		srv.log.Warn("requests were cut off: they took longer than 30 s to finish")
	}
	return nil
}

// present lets subcommands and other instances find this one, and returns what
// ends that.
func (srv *Server) present(ctx context.Context) (stop func()) {
	d, ok := srv.mode.(*directory)
	if !ok {
		return func() {}
	}
	self := status{Version(), os.Getpid(), srv.started.UTC().Truncate(time.Second), srv.Addr().String(), srv.base, srv.isOpen()}
	if d.fleet == nil {
		return d.serveControl(self)
	}
	d.join(ctx, self)
	return d.fleet.leave
}

// Close releases everything.
func (srv *Server) Close() {
	if srv.listener != nil {
		_ = srv.listener.Close() // Serve has closed it, if it ran
	}
	srv.telemetry.close()
	if err := srv.glass.close(); err != nil {
		srv.log.Error("closing the Looking Glass", "error", err)
	}
	if srv.verifier != nil {
		srv.verifier.Close()
	}
	srv.mode.close()
}

// LoadSchemas reads the folder of schemas and serves what it says. If that
// fails, what is served stays as it is.
func (srv *Server) LoadSchemas() error {
	if !srv.begun.Load() {
		return errors.New("the server is still starting, and reads the schemas then")
	}
	return srv.mode.reload()
}

// newHandler returns the endpoints, for the tenant of each request.
func (srv *Server) newHandler() http.Handler {
	o := scimhttp.Options{TrustedProxies: srv.s.Proxies, Observe: observe, Logger: srv.log, MaxBody: tenant.MostBody, Base: func(r *http.Request) string {
		if x, ok := r.Context().Value(exchangeKey{}).(*exchange); ok {
			return x.base
		}
		return ""
	}}
	o.Holder = func(r *http.Request) string {
		if x, ok := r.Context().Value(exchangeKey{}).(*exchange); ok && srv.s.PactFlow == nil {
			return x.tenant
		}
		return ""
	}
	switch {
	case srv.s.PactFlow == nil || srv.s.BaseURL == srv.base: // the latter has the mount in it
		o.BaseURL = srv.base
	default:
		o.Origin = srv.s.BaseURL
	}
	if srv.s.LookingGlass {
		o.Bodies = lookingglass.Bodies
		o.Observe = func(x scimhttp.Exchange) {
			observe(x)
			srv.glass.recorder.Observe(x)
		}
	}
	h := scimhttp.NewResolver(func(r *http.Request) (*engine.Engine, error) {
		x, ok := r.Context().Value(exchangeKey{}).(*exchange)
		if !ok || x.engine == nil {
			return nil, errors.New("server: a request without an engine")
		}
		return x.engine, nil
	}, o)
	if !srv.s.LookingGlass {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, srv.glass.recorder.Traced(r)) })
}

// bare returns the innermost error, for a line that has already named what it
// is about.
func bare(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
