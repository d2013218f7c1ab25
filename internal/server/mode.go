package server

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/rollcall-scim/rollcall/auth"
	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/console"
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
	// authenticator says who may call by the configuration alone.
	authenticator(listen string) (auth.Authenticator, error)
	// identify returns who sends a request that is for the tenant in its path, or
	// for any if that is "". Its error is a *scim.Error.
	identify(r *http.Request, path string) (*caller, error)
	// reload makes what is served, at the start and to read schemas again.
	reload() error
	// house returns the tenant of a caller as it is served; nil is nobody, who may
	// read what is public.
	house(ctx context.Context, c *caller) (*house, error)
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
	mounts  []string       // "" is the root; the first one that a path is under counts
	tenants bool           // the first mount is also under /t/ and the name of a tenant
	public  map[string]int // endpoint, in lower case → segments that its open paths may have
	health  map[string]vital
}

// place is where a path leads: the mount, the rest, which begins with "/", and
// the tenant that it names, "" if it names none.
type place struct{ mount, rest, tenant string }

// tenantPath is what paths begin with that name a tenant.
const tenantPath = "/t/"

// locate divides a cleaned path. It reports false if no SCIM is there. Nothing is
// decoded: what is not the name of a tenant letter for letter names none that
// there is.
func (l layout) locate(path string) (place, bool) {
	if name, ok := strings.CutPrefix(path, tenantPath); ok && l.tenants {
		name, rest, _ := strings.Cut(name, "/")
		if rest, ok = under("/"+rest, l.mounts[0]); !ok {
			return place{}, false
		}
		return place{tenantPath + name + l.mounts[0], rest, name}, true
	}
	for _, mount := range l.mounts {
		if rest, ok := under(path, mount); ok {
			return place{mount, rest, ""}, true
		}
	}
	return place{}, false
}

// under returns the rest of a cleaned path that is under a mount.
func under(path, mount string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(path, mount)
	switch {
	case !ok:
		return "", false
	case rest == "":
		return "/", true
	}
	return rest, rest[0] == '/'
}

// isPublic reports whether a cleaned path is that of a document about the
// service itself, which tells nothing about anybody.
func (l layout) isPublic(path string) bool {
	at, ok := l.locate(path)
	if !ok || at.tenant != "" { // which there is, or not, is nobody's business
		return false
	}
	segments := strings.Split(strings.TrimPrefix(strings.TrimPrefix(at.rest, "/v2"), "/"), "/")
	return len(segments) <= l.public[strings.ToLower(segments[0])]
}

// isHealth reports whether a cleaned path is one of health checks, or would be
// if there were such a one.
func (l layout) isHealth(path string) bool {
	_, known := l.health[path]
	return known || path == "/health" || strings.HasPrefix(path, "/health/")
}
