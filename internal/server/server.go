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
	"sync/atomic"
	"time"

	"github.com/rollcall-scim/rollcall/auth"
	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/scim"
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
	handler  atomic.Pointer[http.Handler] // of the SCIM endpoints
	draining atomic.Bool

	listener net.Listener
	base     string // of the SCIM endpoints
	page     []byte
	started  time.Time
	tls      *certificate
	glass    *glass // nil: off
}

// Open prepares everything: it makes sure that no other process serves the same
// data, listens, gives up root and opens what is served. It returns an error
// whose every line is for the operator. Nothing is left behind if it fails.
func Open(ctx context.Context, s Settings, log *slog.Logger) (srv *Server, err error) {
	srv = &Server{s: s, log: log, started: time.Now(), mode: newMode(s, log)}
	defer func() {
		if err != nil {
			srv.Close()
			srv = nil
		}
	}()
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
	// A port below 1024 needs root; requests are answered only by Serve.
	if srv.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", s.Listen); err != nil {
		return srv, fmt.Errorf("can't listen on %s: %w", s.Listen, bare(err))
	}
	if err := dropPrivileges(s.DataDir, s.RunAs, log); err != nil {
		return srv, err
	}
	if err := srv.mode.open(ctx); err != nil {
		return srv, err
	}
	if srv.auth, err = srv.mode.authenticator(srv.listener.Addr().String()); err != nil {
		return srv, err
	}
	srv.where = srv.mode.layout()
	srv.base = s.baseFor(srv.listener.Addr().(*net.TCPAddr).Port)
	if err := srv.LoadSchemas(); err != nil {
		return srv, err
	}
	if err := srv.openGlass(); err != nil {
		return srv, err
	}
	srv.page, err = srv.renderPage()
	return srv, err
}

// Base returns the base URI of the SCIM endpoints.
func (srv *Server) Base() string { return srv.base }

// Addr returns the address that is listened on.
func (srv *Server) Addr() net.Addr { return srv.listener.Addr() }

// Serve answers requests until ctx ends, and then lets those under way finish,
// for 30 seconds at most. It returns nil if it was stopped that way.
func (srv *Server) Serve(ctx context.Context) error {
	if d, ok := srv.mode.(*directory); ok {
		d.consult(srv.glass.records())
		stop := d.serveControl(status{Version(), os.Getpid(), srv.started.UTC().Truncate(time.Second), srv.Addr().String(), srv.base, srv.isOpen()})
		defer stop()
	}
	h := &http.Server{
		Handler:           srv,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(srv.log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	if srv.glass != nil {
		h.RegisterOnShutdown(srv.glass.console.Close)
	}
	failed := make(chan error, 1)
	go func() {
		if srv.tls != nil {
			h.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: srv.tls.get}
			failed <- h.ServeTLS(srv.listener, "", "")
		} else {
			failed <- h.Serve(srv.listener)
		}
	}()
	select {
	case err := <-failed:
		return fmt.Errorf("can't serve on %s: %w", srv.s.Listen, err)
	case <-ctx.Done():
	}
	srv.log.Info("stopping: finishing what is under way")
	srv.draining.Store(true)
	stop, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	if err := h.Shutdown(stop); err != nil {
		_ = h.Close()
		srv.log.Warn("requests were cut off: they took longer than 30 s to finish")
	}
	return nil
}

// Close releases everything.
func (srv *Server) Close() {
	if srv.listener != nil {
		_ = srv.listener.Close() // Serve has closed it, if it ran
	}
	if err := srv.glass.close(); err != nil {
		srv.log.Error("closing the Looking Glass", "error", err)
	}
	srv.mode.close()
}

// LoadSchemas reads the folder of schemas and serves what it says. If that
// fails, what is served stays as it is.
func (srv *Server) LoadSchemas() error {
	var schemes []scim.AuthenticationScheme
	if scheme := srv.auth.Scheme(); scheme.Type != "" {
		schemes = append(schemes, scheme)
	}
	e, err := srv.mode.engine(schemes)
	if err != nil {
		return err
	}
	o := scimhttp.Options{TrustedProxies: srv.s.Proxies, Observe: observe, Logger: srv.log}
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
	if srv.glass != nil { // schemas are read again
		srv.glass.recorder.Learn(e.Types())
	}
	h := scimhttp.NewHandler(e, o)
	if srv.s.LookingGlass {
		scim := h
		h = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { scim.ServeHTTP(w, srv.glass.recorder.Traced(r)) })
	}
	srv.handler.Store(&h)
	return nil
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
