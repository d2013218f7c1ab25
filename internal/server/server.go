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
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/rollcall-scim/rollcall/auth"
	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/internal/password"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/schema"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// tenant is the one tenant that is served.
const tenant = "default"

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

// Server is the running program: a directory in a folder, served over HTTP.
type Server struct {
	s          Settings
	log        *slog.Logger
	lock       *folderLock
	db         *sqlite.DB
	store      *sqlite.Store
	auth       auth.Authenticator
	hash       func(string) (string, error) // nil: passwords are discarded
	cursorKeys func() [][]byte
	types      atomic.Pointer[[]*scim.ResourceType]
	engine     atomic.Pointer[engine.Engine]
	handler    atomic.Pointer[http.Handler] // of the SCIM endpoints
	page       []byte
	health     health
	draining   atomic.Bool

	listener net.Listener
	base     string // of the SCIM endpoints
	started  time.Time
	tls      *certificate
}

// Open prepares everything: it locks the data folder, takes over what another
// program left there, opens the database, gives up root, and listens. It
// returns an error whose every line is for the operator. Nothing is left
// behind if it fails.
func Open(ctx context.Context, s Settings, log *slog.Logger) (srv *Server, err error) {
	srv = &Server{s: s, log: log, started: time.Now()}
	defer func() {
		if err != nil {
			srv.Close()
			srv = nil
		}
	}()
	if os.Getenv("GOMEMLIMIT") == "" && s.MemoryLimit > 0 {
		debug.SetMemoryLimit(s.MemoryLimit)
	}
	if err := prepareFolder(s.DataDir); err != nil {
		return srv, err
	}
	if srv.lock, err = lockFolder(s.DataDir); err != nil {
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
	if err := srv.openStore(ctx); err != nil {
		return srv, err
	}
	if err := srv.chooseAuth(); err != nil {
		return srv, err
	}
	if s.HashPasswords {
		h := password.NewHasher()
		srv.hash = func(clear string) (string, error) { return h.Hash(context.Background(), clear) }
	}
	srv.base = s.baseFor(srv.listener.Addr().(*net.TCPAddr).Port)
	if err := srv.LoadSchemas(); err != nil {
		return srv, err
	}
	if srv.page, err = renderPage(srv.base); err != nil {
		return srv, err
	}
	srv.health.parts = map[string]func(context.Context) error{"database": srv.store.Ping}
	return srv, nil
}

// Base returns the base URI of the SCIM endpoints.
func (srv *Server) Base() string { return srv.base }

// Addr returns the address that is listened on.
func (srv *Server) Addr() net.Addr { return srv.listener.Addr() }

// Serve answers requests until ctx ends, and then lets those under way finish,
// for 30 seconds at most. It returns nil if it was stopped that way.
func (srv *Server) Serve(ctx context.Context) error {
	stopControl := srv.serveControl()
	defer stopControl()
	h := &http.Server{
		Handler:           srv,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(srv.log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
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

// Close closes the database and unlocks the folder.
func (srv *Server) Close() {
	if srv.listener != nil {
		_ = srv.listener.Close() // Serve has closed it, if it ran
	}
	if srv.db != nil {
		if err := srv.db.Close(); err != nil {
			srv.log.Error("closing the database", "error", err)
		}
	}
	if srv.lock != nil {
		srv.lock.release()
	}
}

// LoadSchemas reads the folder of schemas and serves what it says. If that
// fails, what is served stays as it is.
func (srv *Server) LoadSchemas() error {
	types := schema.Core()
	if dir := srv.s.Schemas; dir != "" {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			err = errors.New("not a folder")
		}
		if err != nil {
			return fmt.Errorf("ROLLCALL_SCHEMAS=%q: %w", printable(dir), bare(err))
		}
		if types, err = schema.Read(types, os.DirFS(dir)); err != nil {
			return err
		}
	}
	var schemes []scim.AuthenticationScheme
	if scheme := srv.auth.Scheme(); scheme.Type != "" {
		schemes = append(schemes, scheme)
	}
	e, err := engine.New(srv.store, engine.Config{
		Types:    types,
		Profile:  srv.s.Profile,
		Schemes:  schemes,
		Password: srv.hash,
		Tenant:   tenant,

		CursorKeys: srv.cursorKeys,
	})
	if err != nil {
		return err
	}
	h := scimhttp.NewHandler(e, scimhttp.Options{
		BaseURL:        srv.base,
		TrustedProxies: srv.s.Proxies,
		Observe:        observe,
		Logger:         srv.log,
	})
	types = e.Types()
	srv.types.Store(&types)
	srv.engine.Store(e)
	srv.handler.Store(&h)
	return nil
}

// chooseAuth decides how clients are authenticated.
func (srv *Server) chooseAuth() error {
	tokens := srv.s.Tokens
	if srv.s.TokenFile != "" {
		more, err := tokensOf(srv.s.TokenFile, srv.log)
		if err != nil {
			return err
		}
		tokens = append(tokens[:len(tokens):len(tokens)], more...)
	}
	if len(tokens) == 0 {
		srv.auth = auth.Open{Tenant: tenant}
		srv.log.Warn("NO TOKEN IS SET: everybody who can reach this address can read and change the directory; set SCIM_API_TOKEN",
			"listen", srv.listener.Addr().String())
		return nil
	}
	for i, t := range tokens {
		if len(t) < 16 {
			srv.log.Warn("a bearer token is shorter than 16 characters and can be guessed", "token", i+1, "of", len(tokens))
		}
	}
	b, err := auth.NewBearer("rollcall", tenant, tokens...)
	srv.auth = b
	return err
}

// openStore opens the database, after what another program left in the folder
// has been taken over.
func (srv *Server) openStore(ctx context.Context) error {
	path := filepath.Join(srv.s.DataDir, "rollcall.db")
	if err := srv.takeOver(ctx, path); err != nil {
		return err
	}
	db, err := srv.openDB(ctx, path)
	if err != nil {
		return err
	}
	srv.db, srv.store = db, db.Tenant(tenant)
	keys, err := db.CursorKeys(ctx)
	srv.cursorKeys = func() [][]byte { return keys }
	return err
}

func (srv *Server) openDB(ctx context.Context, path string) (*sqlite.DB, error) {
	return sqlite.Open(ctx, path, sqlite.Options{
		Load:                      schema.Load,
		Encode:                    schema.Encode,
		Type:                      srv.typeNamed,
		HistoryDays:               srv.s.HistoryDays,
		UndeleteDays:              srv.s.UndeleteDays,
		Logger:                    srv.log,
		UnsafeSynchronousForTests: srv.s.unsafeSynchronous,
	})
}

// typeNamed returns the resource type of that name that is served, or nil.
func (srv *Server) typeNamed(_, name string) *scim.ResourceType {
	if types := srv.types.Load(); types != nil {
		for _, t := range *types {
			if t.Name == name {
				return t
			}
		}
	}
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
