// Package console is the Looking Glass in the browser: pages over a Recorder
// and an engine, rendered here, with no build step.
package console

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/people"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// Path is where the console is mounted.
const Path = "/looking-glass"

// Options configures a Console. Recorder is required, and Engine and Base if there
// are no Tenants.
type Options struct {
	Recorder *lookingglass.Recorder
	Engine   func() *engine.Engine      // the directory's, or the façade's
	Base     func(*http.Request) string // base URI of the SCIM endpoints as the browser reaches them
	Changes  scim.ChangeFeed            // nil: there is no change log (façade)
	Deleted  scim.Undeleter             // nil: nothing deleted is kept
	Facade   string                     // name of the application behind, or "" in directory mode

	// Tenants are the directories to show, each by itself, in place of the one of
	// Engine, Base, Changes and Deleted. Nil: there is that one.
	Tenants *Tenants

	// Viewer and Admin report whether a token may look, and may write too. An
	// admin's token is also what the console's own SCIM requests carry. Nil
	// accepts none.
	Viewer, Admin func(token string) bool
	Open          bool // no token is set: loopback clients only, as admin
	LoopbackOnly  bool // with a token too (façade without a console token)

	// Guess carries out an attempt to log in with a token: it calls try, which
	// reports whether the token is known. If too many wrong ones came from where the
	// request does it returns how long to wait, and need not call it. Nil: anybody may
	// try as often as they like.
	Guess func(r *http.Request, token string, try func() bool) (known bool, wait time.Duration)

	// WithToken returns the context in which the engine is called for somebody
	// who logged in with this token. Nil: the context as it is.
	WithToken func(ctx context.Context, token string) context.Context

	// Sessions makes a login good at all instances of the program. Viewer and
	// Admin are then asked with each request, and must be quick. Nil: it is good
	// in this process alone.
	Sessions *SharedSessions

	// SignIn lets people in beside those who have a token. Nil: nobody.
	SignIn *SignIn

	// Secure reports whether the browser reaches this server by TLS, so that its
	// cookie may be limited to that. Nil: if the request came by TLS.
	Secure func(*http.Request) bool

	// Instance is the name of this program where several serve one database: what
	// people have open in its memory can't be seen at the others, which say so. "":
	// it serves alone.
	Instance string

	Version string // of the program, for the footer
	Now     func() time.Time
	Logger  *slog.Logger
}

// Console is the web console. Safe for concurrent use.
type Console struct {
	*common
	o       Options
	mux     *http.ServeMux
	records *lookingglass.View
	desk    *people.Desk

	// What a Console of one tenant has. It shows that one and has no way to
	// another.
	realm *Realm // nil: there are no tenants, or it is the one that knows them all
	mount string // what its addresses begin with
}

// common is what the Consoles of all tenants share.
type common struct {
	pages     map[string]*template.Template // by file name
	sessions  sessions
	seals     seals
	scratches scratches     // directories of guided flows
	streams   chan struct{} // one element for each event stream that is open
	closed    chan struct{}
	close     sync.Once
	lists     lists
	halls     halls
	verifying chan struct{} // one element while a chain is verified
}

// New returns a Console.
func New(o Options) *Console {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Logger = cmp.Or(o.Logger, slog.Default())
	if o.Viewer == nil {
		o.Viewer = func(string) bool { return false }
	}
	if o.Admin == nil {
		o.Admin = func(string) bool { return false }
	}
	if o.WithToken == nil {
		o.WithToken = func(ctx context.Context, _ string) context.Context { return ctx }
	}
	if o.Guess == nil {
		o.Guess = func(_ *http.Request, _ string, try func() bool) (bool, time.Duration) { return try(), 0 }
	}
	if o.Secure == nil {
		o.Secure = func(r *http.Request) bool { return r.TLS != nil }
	}
	c := &Console{
		common: &common{
			pages:     parsePages(),
			streams:   make(chan struct{}, maxStreams),
			closed:    make(chan struct{}),
			verifying: make(chan struct{}, 1),
		},
		o:       o,
		mux:     http.NewServeMux(),
		records: o.Recorder.Of(""),
		mount:   Path,
	}
	c.desk = newDesk(o, c.records)
	c.scratches.now = o.Now
	c.scratches.instance, c.lists.instance = o.Instance, o.Instance
	c.sessions.shared, c.sessions.role = o.Sessions, c.roleOf
	c.seals = newSeals(o.Sessions)
	c.routes(c.mux)
	return c
}

// Close ends the event streams, which would otherwise never end. It may be
// called more than once.
func (c *Console) Close() {
	c.close.Do(func() {
		close(c.closed)
		c.scratches.stop()
	})
}

// policy is what the pages may load and do: their own script and style files,
// and nothing inline.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// ServeHTTP answers everything below Path. It must get requests before anything
// that answers other origins.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("Referrer-Policy", "same-origin") // no-referrer would make browsers hide the origin of our own forms
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Robots-Tag", "noindex")
	h.Set("Cache-Control", "no-store")
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler { //nolint:errorlint,err113 // as net/http compares it
				panic(p)
			}
			c.o.Logger.Error("the console failed", "path", r.URL.Path, "error", fmt.Sprint(p))
			http.Error(w, "Something went wrong here; the log says more.", http.StatusInternalServerError)
		}
	}()
	name, inner := locate(r)
	r, ok := c.admit(w, r, name, inner)
	if !ok {
		return
	}
	inner = inner.WithContext(r.Context())
	switch {
	case name == "" && (c.o.Tenants == nil || ofNobody(inner.URL.Path)):
		c.mux.ServeHTTP(w, inner)
	case c.o.Tenants == nil:
		c.noTenant(w, r)
	default:
		c.enter(w, r, name, inner)
	}
}

// public reports whether a path needs no session: what the login page is made of.
func public(path string) bool {
	return path == Path+"/login" || strings.HasPrefix(path, Path+"/login/") || strings.HasPrefix(path, Path+"/static/")
}
