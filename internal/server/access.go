package server

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/auth"
	"github.com/rollcall-scim/rollcall/backend/facade"
	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/internal/oidc"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/internal/tracing"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/compat"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// exchange is what the line of a request says beyond the request: it is filled
// in further down and read at the end.
type exchange struct {
	id        string
	operation string
	typ       string // of the resource concerned
	rules     []string
	err       error

	caller    *caller
	tenant    string         // "": not known
	engine    *engine.Engine // that answers
	base      string         // base URI, if it is the tenant's own
	challenge string         // WWW-Authenticate of a 403

	span     *tracing.Request // nil: none
	steps    *scim.Trace      // nil: none
	resource string           // id of the one concerned
	person   string           // userName of one who could not be created
}

type exchangeKey struct{}

// observe is called by scimhttp after each response.
func observe(x scimhttp.Exchange) {
	if e, ok := x.HTTP.Context().Value(exchangeKey{}).(*exchange); ok {
		e.operation, e.typ, e.rules, e.err = x.Response.Operation, x.Response.Type, x.Response.Rules, x.Response.Err
		e.resource, e.steps = x.Response.ID, scim.TraceOf(x.HTTP.Context())
		if x.Response.Operation == "create" && x.Response.Status >= 400 {
			e.person = userNameIn(x.RequestBody)
		}
	}
}

// logAccess writes the line of a request: no query, since filters hold values,
// no header, since tokens are in one, and no text of a 4xx, which may quote
// the client. A token that somebody has pasted into the path is masked.
func (srv *Server) logAccess(r *http.Request, path string, w *recorder, x *exchange, took time.Duration) {
	level := slog.LevelInfo
	switch {
	case w.status >= 500 && w.status != http.StatusNotImplemented && w.status != http.StatusServiceUnavailable:
		level = slog.LevelError
	case srv.where.isHealth(path):
		level = slog.LevelDebug
	}
	ctx := context.Background()
	if !srv.log.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs,
		slog.String("id", x.id),
		slog.String("method", lookingglass.Conceal(r.Method)),
		slog.String("path", lookingglass.Conceal(path)),
		slog.Int("status", w.status),
		slog.Float64("ms", float64(took.Microseconds())/1000),
		slog.Int64("bytes", w.bytes),
		slog.String("client", compat.ClientOf(r.UserAgent())),
		slog.String("remote", r.RemoteAddr))
	if actor := scim.OriginOf(r.Context()).Actor; actor != "" {
		attrs = append(attrs, slog.String("actor", actor))
	}
	if srv.s.PactFlow != nil {
		attrs = append(attrs, slog.Int64("calls", facade.CallerOf(r.Context()).Calls()))
	}
	if x.tenant != "" && srv.s.PactFlow == nil {
		attrs = append(attrs, slog.String("tenant", x.tenant))
	}
	if trace := x.span.ID(); trace != "" {
		attrs = append(attrs, slog.String("trace", trace))
	}
	if x.operation != "" {
		attrs = append(attrs, slog.String("op", x.operation))
	}
	// By these an administrator finds the call in the other application's log.
	var call *facade.Failure
	if errors.As(x.err, &call) && call.Status != 0 {
		attrs = append(attrs, slog.Int("upstreamStatus", call.Status), slog.String("upstreamId", call.RequestID))
	}
	var refused *tenant.Refusal
	var signed *oidc.Refusal
	var e *scim.Error
	switch {
	case x.err == nil:
	case errors.As(x.err, &refused): // says nothing of what is not a token
		attrs = append(attrs, slog.String("refused", refused.Error()))
	case errors.As(x.err, &signed): // quotes nothing of a token but whom it is from and for
		attrs = append(attrs, slog.String("refused", signed.Error()))
	case errors.As(x.err, &e) && e.Status < 500:
		if e.Type != "" {
			attrs = append(attrs, slog.String("scimType", string(e.Type)))
		}
	case errors.As(x.err, &e) && e.Err != nil:
		attrs = append(attrs, slog.String("error", lookingglass.Conceal(e.Err.Error())))
	default:
		attrs = append(attrs, slog.String("error", lookingglass.Conceal(x.err.Error())))
	}
	if len(x.rules) > 0 && srv.log.Enabled(ctx, slog.LevelDebug) {
		attrs = append(attrs, slog.String("rules", strings.Join(x.rules, " ")))
	}
	srv.log.LogAttrs(ctx, level, "request", attrs...)
}

// requestID returns the id of a request. One that is a credential is no id: it
// would stand in logs and in the records of what was changed.
func requestID(r *http.Request) string {
	id := scimhttp.RequestID(r)
	if lookingglass.Conceal(id) != id {
		return rand.Text()
	}
	return id
}

// recorder notes the status and the length of an answer.
type recorder struct {
	http.ResponseWriter
	exchange *exchange
	status   int
	bytes    int64
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
		if x := w.exchange; x != nil && x.challenge != "" && status == http.StatusForbidden {
			w.Header().Set("WWW-Authenticate", x.challenge)
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (srv *Server) isOpen() bool {
	_, open := srv.auth.(auth.Open)
	return open
}
