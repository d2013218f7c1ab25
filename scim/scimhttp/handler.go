// Package scimhttp serves an engine over HTTP.
package scimhttp

import (
	"net/http"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// Options configures a Handler; the zero value works.
type Options struct {
	BaseURL string         // "": taken from each request's validated host
	Observe func(Exchange) // called after each response; nil: not observed
}

// Exchange is one request and its response, as observers see it.
type Exchange struct {
	Request  engine.Request
	Response engine.Response
	HTTP     *http.Request
	Started  time.Time
	Duration time.Duration
}

// NewHandler returns the endpoints of RFC 7644 §3.2, rooted at "/".
func NewHandler(e *engine.Engine, o Options) http.Handler {
	return http.NotFoundHandler()
}

// Error writes err as a SCIM error message (RFC 7644 §3.12).
func Error(w http.ResponseWriter, err *scim.Error) {}
