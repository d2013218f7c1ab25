// Package console is the Looking Glass in the browser: pages over a Recorder
// and an engine, rendered here, with no build step.
package console

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// Path is where the console is mounted.
const Path = "/looking-glass"

// Options configures a Console. Recorder and Engine are required.
type Options struct {
	Recorder *lookingglass.Recorder
	Engine   func() *engine.Engine      // the directory's, or the façade's
	Base     func(*http.Request) string // base URI of the SCIM endpoints as the browser reaches them
	Changes  scim.ChangeFeed            // nil: there is no change log (façade)
	Deleted  scim.Undeleter             // nil: nothing deleted is kept
	Facade   string                     // name of the application behind, or "" in directory mode

	// Viewer and Admin report whether a token may look, and may write too. An
	// admin's token is also what the console's own SCIM requests carry.
	Viewer, Admin func(token string) bool
	Open          bool // no token is set: loopback clients only, as admin
	LoopbackOnly  bool // with a token too (façade without a console token)

	// WithToken returns the context in which the engine is called for somebody
	// who logged in with this token.
	WithToken func(ctx context.Context, token string) context.Context

	Now    func() time.Time
	Logger *slog.Logger
}

// Console is the web console. Safe for concurrent use.
type Console struct{ o Options }

// New returns a Console.
func New(o Options) *Console { panic("not written yet") }

// ServeHTTP answers everything below Path.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { panic("not written yet") }
