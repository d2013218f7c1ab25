package server

import (
	"context"
	"log/slog"
	"strings"

	"github.com/rollcall-scim/rollcall/auth"
	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/console"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// mode is what the two modes of the program differ in: a directory keeps people
// and groups itself, a front stands before an application that does.
type mode interface {
	// claim takes what only one process may have. It comes first.
	claim() error
	// folder is the data folder, "" if nothing is kept in one.
	folder() string
	// open opens what is served, once the server listens and has given up root.
	// After errNotYet it may be called again.
	open(ctx context.Context) error
	// authenticator says who may call.
	authenticator(listen string) (auth.Authenticator, error)
	// engine makes the engine, at the start and whenever schemas are read again.
	engine(schemes []scim.AuthenticationScheme) (*engine.Engine, error)
	// health says how what is served is.
	health(of vital, stopping bool) (status int, body any)
	// unfit returns why no request can be answered for now, or nil.
	unfit() error
	// layout says where what is.
	layout() layout
	// look gives the console what it shows, and its records a place: none is memory.
	look(o *console.Options, records *lookingglass.Options) error
	// close releases everything. It may follow a claim or an open that failed.
	close()
}

func newMode(s Settings, log *slog.Logger) mode {
	if s.PactFlow != nil {
		return &front{s: s, log: log}
	}
	return &directory{s: s, log: log}
}

// vital is what a health check asks for.
type vital int

const (
	isLive  vital = iota // does the process answer
	isWell               // the question without a word, as load balancers ask it
	isReady              // can requests be answered
)

// layout is where SCIM and the health checks are, and what needs no token.
type layout struct {
	mounts []string       // "" is the root; the first one that a path is under counts
	public map[string]int // endpoint, in lower case → segments that its open paths may have
	health map[string]vital
}

// split divides a cleaned path into its mount and the rest, which begins with
// "/". It reports false if no SCIM is there.
func (l layout) split(path string) (mount, rest string, ok bool) {
	for _, mount := range l.mounts {
		switch rest, ok := strings.CutPrefix(path, mount); {
		case !ok:
		case rest == "":
			return mount, "/", true
		case rest[0] == '/':
			return mount, rest, true
		}
	}
	return "", "", false
}

// isPublic reports whether a cleaned path is that of a document about the
// service itself, which tells nothing about anybody.
func (l layout) isPublic(path string) bool {
	_, rest, ok := l.split(path)
	if !ok {
		return false
	}
	segments := strings.Split(strings.TrimPrefix(strings.TrimPrefix(rest, "/v2"), "/"), "/")
	return len(segments) <= l.public[strings.ToLower(segments[0])]
}

// isHealth reports whether a cleaned path is one of health checks, or would be
// if there were such a one.
func (l layout) isHealth(path string) bool {
	_, known := l.health[path]
	return known || path == "/health" || strings.HasPrefix(path, "/health/")
}
