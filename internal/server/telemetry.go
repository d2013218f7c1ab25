package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rollcall-scim/rollcall/backend/facade"
	"github.com/rollcall-scim/rollcall/backend/pactflow"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/console"
	"github.com/rollcall-scim/rollcall/internal/metrics"
	"github.com/rollcall-scim/rollcall/internal/tracing"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// telemetry is what a server tells of itself to monitoring: metrics, and traces
// if a collector is configured.
type telemetry struct {
	metrics   *metrics.Metrics
	handler   http.Handler
	tracer    *tracing.Tracer // nil: off
	listener  net.Listener    // for metrics alone; nil: none
	described sync.Once
}

// newTelemetry returns the telemetry of a server with these settings, and makes
// the parts of it that they describe tell what they do.
func newTelemetry(ctx context.Context, s *Settings, log *slog.Logger) (*telemetry, error) {
	t := &telemetry{metrics: metrics.New(metrics.Options{Version: Version(), Facade: s.PactFlow != nil, SQLite: s.PactFlow == nil && s.Database == nil})}
	t.handler = t.metrics.Handler()
	database := "sqlite"
	switch {
	case s.PactFlow != nil:
		o := *s.PactFlow
		o.Watch = t.call
		s.PactFlow, database = &o, ""
	case s.Database != nil:
		database = "postgresql"
	default:
		s.committed = t.metrics.Committed
	}
	if s.TraceTo == "" {
		return t, nil
	}
	name, _ := os.Hostname() // one of several is told apart by it, if there is one
	var err error
	t.tracer, err = tracing.New(ctx, tracing.Options{Endpoint: s.TraceTo, Version: Version(), Instance: name, Database: database, Logger: log})
	return t, err
}

// start begins to tell of a request. What it returns ends that.
func (t *telemetry) start(r *http.Request, path string) (*http.Request, *tracing.Request) {
	if t.tracer == nil || path == metrics.Path || strings.HasPrefix(path, "/health") || strings.HasPrefix(path, console.Path) {
		return r, nil
	}
	return t.tracer.Start(r)
}

// describe adds what can be told only once it is open.
func (srv *Server) describe() {
	t := srv.telemetry
	t.described.Do(func() {
		t.metrics.Ready(srv.isReady)
		if srv.glass != nil {
			t.metrics.Glass(func() metrics.Glass {
				s := srv.glass.recorder.Stats()
				return metrics.Glass{Kept: s.Kept, Sampled: s.Sampled, Dropped: s.Dropped, Queued: s.Queued}
			})
		}
		if d, ok := srv.mode.(*directory); ok {
			t.metrics.Pool(d.pool)
			t.metrics.Tokens(d.liveTokens)
			t.metrics.Lag(d.unsealed)
		}
	})
}

// isReady reports what /health/ready says, but that it does not call the
// application behind a façade.
func (srv *Server) isReady() bool {
	if d, ok := srv.mode.(*directory); ok {
		status, _ := d.health(isReady, srv.leaving.Load())
		return status == http.StatusOK
	}
	return !srv.leaving.Load()
}

// pool is how much the connections to the database are used.
func (d *directory) pool() metrics.Pool {
	switch db := d.db.(type) {
	case sqliteDB:
		return metrics.Pool(db.Load())
	case postgresDB:
		return metrics.Pool(db.Load())
	}
	return metrics.Pool{}
}

// liveTokens are the managed tokens of all tenants.
func (d *directory) liveTokens() (metrics.Tokens, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	count, oldest, err := d.registry.Live(ctx)
	if err != nil {
		return metrics.Tokens{}, err
	}
	soon, err := d.registry.Expiring(ctx)
	t := metrics.Tokens{Live: count}
	if count > 0 {
		t.OldestAge = time.Since(oldest)
	}
	for _, r := range soon {
		t.ExpireDays = append(t.ExpireDays, int(r.Left/(24*time.Hour)))
	}
	return t, err
}

// unsealed is how long the oldest change waits for its place in the audit log.
func (d *directory) unsealed() (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	log, ok := d.db.(interface {
		Unsealed(context.Context) (time.Time, error)
	})
	if !ok {
		return 0, errors.ErrUnsupported
	}
	oldest, err := log.Unsealed(ctx)
	if oldest.IsZero() {
		return 0, err
	}
	return max(time.Since(oldest), 0), err
}

// count tells of a request that was answered.
func (srv *Server) count(f *finished) {
	t := srv.telemetry
	x, _ := f.Request.Context().Value(exchangeKey{}).(*exchange)
	if x == nil {
		return
	}
	x.span.End(tracing.Ending{Kind: f.Kind, Operation: f.Operation, Type: f.Type, Client: f.Client, Method: f.Request.Method, Status: f.Status})
	if f.Kind == "console" || f.Kind == "health" || f.Path == metrics.Path {
		return
	}
	m := metrics.Request{Operation: f.Operation, Status: f.Status, Client: f.Client, Took: f.Took}
	x.steps.Note(func(n *scim.TraceNotes) { m.Backend = n.Backend })
	t.metrics.Request(m)
	if limit := limitOf(f, x); limit != "" {
		t.metrics.Refused(limit)
	}
	if f.Type == "User" && (f.Operation == "create" || f.Operation == "replace" || f.Operation == "patch" || f.Operation == "delete") {
		t.written(f, x)
	}
}

// written tells what became of a write of a person. Who could not be created has
// a name only.
func (t *telemetry) written(f *finished, x *exchange) {
	switch {
	case f.Status < 400:
		if t.metrics.AnyFailing() {
			name := ""
			x.steps.Note(func(n *scim.TraceNotes) {
				if n.After != nil {
					name, _ = n.After.Attrs.Get("userName").(string)
				}
			})
			t.metrics.Written(f.Tenant, f.Client, false, x.resource, strings.ToLower(name))
		}
	case f.Status == http.StatusUnauthorized, f.Status == http.StatusTooManyRequests, f.Status == http.StatusServiceUnavailable:
		// Not because of the person.
	default:
		t.metrics.Written(f.Tenant, f.Client, true, x.resource, strings.ToLower(x.person))
	}
}

// limitOf returns which limit refused a request, "" if none did. What the guard
// of a tenant refuses is counted by guarded.
func limitOf(f *finished, x *exchange) metrics.Limit {
	var e *scim.Error
	errors.As(f.Err, &e)
	switch {
	case f.Status == http.StatusUnauthorized:
		return metrics.Authentication
	case f.Err == errElsewhere: //nolint:errorlint // that very one
		return metrics.WrongTenant
	case x.challenge != "":
		return metrics.OutOfScope
	case f.Status == http.StatusTooManyRequests && (x.caller == nil || errors.Is(f.Err, errRefused)):
		return metrics.Guessing
	case f.Status == http.StatusTooManyRequests && e != nil && e.Err == nil:
		return metrics.Rate
	case f.Status == http.StatusRequestEntityTooLarge:
		return metrics.Size
	case e != nil && e.Type == scim.TypeTooMany:
		return metrics.TooMany
	case f.Status == http.StatusServiceUnavailable:
		return metrics.Unavailable
	}
	return ""
}

// guarded tells that the guard of a tenant has refused a change: for package
// guard's Observe, whose kinds these are.
func (t *telemetry) guarded(kind string) {
	switch kind {
	case "held":
		t.metrics.Refused(metrics.Breaker)
	case "protected", "promotion":
		t.metrics.Refused(metrics.Limit(kind))
	}
}

// call tells of a call of the application behind a façade: pactflow.Options.Watch.
func (t *telemetry) call(ctx context.Context, c facade.Call, try int, h http.Header) (end func(*facade.Answer, *facade.Failure)) {
	endpoint, started := pactflow.Endpoint(c.Path), time.Now()
	ended := t.tracer.Call(ctx, c.Method, endpoint, try, h)
	return func(a *facade.Answer, f *facade.Failure) {
		m := metrics.Call{Endpoint: endpoint, Again: try > 1, Took: time.Since(started)}
		switch {
		case a != nil:
			m.Status = a.Status
		case f != nil:
			m.Status, m.Reason = f.Status, string(f.Reason)
		}
		ended(m.Status)
		t.metrics.Called(m)
	}
}

// serveMetrics answers who may read the metrics: with the token for it, or from
// this machine where there is none. A token that may change the directory is no
// token for it.
func (srv *Server) serveMetrics(w http.ResponseWriter, r *http.Request) {
	switch token := srv.s.MetricsToken; {
	case token == "" && srv.isHere(r):
	case token != "" && equal(bearerOf(r), token):
	default:
		detail := "metrics are for this machine alone, unless ROLLCALL_METRICS_TOKEN or ROLLCALL_METRICS_LISTEN is set"
		if token != "" {
			detail = "metrics need the token of ROLLCALL_METRICS_TOKEN"
		}
		err := &scim.Error{Status: http.StatusUnauthorized, Type: scim.TypeInvalidValue, Detail: detail}
		if token != "" {
			if wait := srv.gate.refused(r); wait > 0 {
				scimhttp.Error(w, scim.AsError(guessing(wait, err)))
				return
			}
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="`+realm+` metrics"`)
		scimhttp.Error(w, err)
		return
	}
	if readOnly(w, r) && r.Method != http.MethodOptions {
		w.Header().Set("Cache-Control", "no-store")
		srv.telemetry.handler.ServeHTTP(w, r)
	}
}

// bearerOf returns the one bearer token of a request, or "".
func bearerOf(r *http.Request) string {
	list := r.Header.Values("Authorization")
	if len(list) != 1 || len(list[0]) < 7 || !strings.EqualFold(list[0][:7], "Bearer ") {
		return ""
	}
	return strings.TrimSpace(list[0][7:])
}

// isHere reports whether a request comes from this machine. A proxy on it that
// does not say that it is one looks so, too: so nothing is taken for local once
// the settings tell that clients come by a proxy or by another name.
func (srv *Server) isHere(r *http.Request) bool {
	return len(srv.s.Proxies) == 0 && (srv.s.BaseURL == "" || isLocalURL(srv.s.BaseURL)) && console.FromHere(r)
}

// listenMetrics opens the address of metrics alone, if there is one.
func (srv *Server) listenMetrics(ctx context.Context) (err error) {
	if srv.s.MetricsListen == "" {
		return nil
	}
	t := srv.telemetry
	if t.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", srv.s.MetricsListen); err != nil {
		return fmt.Errorf("can't listen on %s for metrics: %w", srv.s.MetricsListen, bare(err))
	}
	if srv.s.MetricsToken == "" && !loopback(t.listener.Addr()) {
		srv.log.Warn("everybody who reaches the address of metrics can read them: let only the monitoring reach it, or set ROLLCALL_METRICS_TOKEN", "listen", t.listener.Addr().String())
	}
	return nil
}

// runMetrics serves metrics on the address of their own. What it returns ends
// that.
func (srv *Server) runMetrics() (stop func()) {
	t := srv.telemetry
	if t.listener == nil {
		return func() {}
	}
	h := &http.Server{ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: readTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(srv.log.Handler(), slog.LevelDebug),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Content-Type-Options", "nosniff")
			switch {
			case r.URL.Path != metrics.Path:
				scimhttp.Error(w, &scim.Error{Status: http.StatusNotFound, Detail: "there is nothing at this path; metrics are at " + metrics.Path})
			case srv.s.MetricsToken != "":
				srv.serveMetrics(w, r)
			case readOnly(w, r) && r.Method != http.MethodOptions:
				t.handler.ServeHTTP(w, r)
			}
		})}
	go func() {
		if err := h.Serve(t.listener); !errors.Is(err, http.ErrServerClosed) {
			srv.log.Error("metrics are not served any more", "error", err)
		}
	}()
	return func() { _ = h.Close() }
}

// close sends the traces that are left, for two seconds at most.
func (t *telemetry) close() {
	if t == nil {
		return
	}
	if t.listener != nil {
		_ = t.listener.Close() // runMetrics has closed it, if it ran
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = t.tracer.Close(ctx) // its error handler has said what there is to say
}

// MetricsAddr returns the address of metrics alone, or nil.
func (srv *Server) MetricsAddr() net.Addr {
	if srv.telemetry.listener == nil {
		return nil
	}
	return srv.telemetry.listener.Addr()
}

// userNameIn returns the userName in the body of a request, or in as much of it
// as there is.
func userNameIn(body []byte) string {
	d := jsontext.NewDecoder(bytes.NewReader(body))
	if _, err := d.ReadToken(); err != nil {
		return ""
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return ""
		}
		if !strings.EqualFold(name.String(), "userName") {
			if d.SkipValue() != nil {
				return ""
			}
			continue
		}
		if value, err := d.ReadToken(); err == nil && value.Kind() == '"' {
			return value.String()
		}
		return ""
	}
	return ""
}
