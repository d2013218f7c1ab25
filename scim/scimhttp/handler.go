// Package scimhttp serves an engine over HTTP: it turns a request into an
// engine.Request and a Response into headers and a body. What a request means
// is the engine's business.
//
// [NewHandler] serves one engine, [NewResolver] one that it chooses for each
// request. Both give an [http.Handler] to mount where the application likes:
//
//	http.Handle("/scim/v2/", http.StripPrefix("/scim/v2", scimhttp.NewHandler(e, scimhttp.Options{})))
//
// It does not ask who calls. Authentication belongs before it, or into the
// function given to NewResolver; [Error] writes the refusal as SCIM wants it.
// Rate limits and CORS are likewise the application's. [Options].Observe sees
// each exchange when it is over.
package scimhttp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// Options configures a Handler; the zero value works.
type Options struct {
	// BaseURL is the URI under which clients reach the endpoints, such as
	// "https://id.example.com/scim/v2", for meta.location and Location. Empty:
	// taken from each request's Host and path, which is safe only where
	// something in front decides which hosts arrive here.
	BaseURL string

	// Origin is the part of the BaseURL before the path where the handler is
	// mounted, such as "https://id.example.com", for one that is mounted in more
	// than one place: the rest is that of each request. A BaseURL wins.
	Origin string

	// Base returns the BaseURL of one request, for a handler whose customers have
	// their own; "", or nil: that of the fields above.
	Base func(*http.Request) string

	// TrustedProxies are the addresses whose X-Forwarded-Proto, -Host and
	// -Prefix and Forwarded headers count; nil: none. With a BaseURL or an
	// Origin only the prefix does: it is put before their path.
	TrustedProxies []netip.Prefix

	// MaxBody bounds the bodies of requests in bytes, over the limits of the
	// engines; 0: no bound beside the limits of the one engine of NewHandler,
	// and 32 MiB for NewResolver, whose engines are not known beforehand.
	MaxBody int64

	// BodyTimeout is how long the body of a request may take to arrive;
	// 0: 30 seconds. WriteTimeout is how long the client may take to accept
	// one part of the answer; 0: 60 seconds.
	BodyTimeout, WriteTimeout time.Duration

	// Holder names whom the body of a request counts for: none is given more than
	// half of the memory that there is for large bodies, so that one customer does
	// not keep out those of the others. "", or nil: nobody, who may have all of it.
	Holder func(*http.Request) string

	Observe func(Exchange) // called after each response; nil: not observed

	// Bodies says how many bytes of each of its two bodies Observe is given of a
	// request; nil: none.
	Bodies func(*http.Request) int

	Logger *slog.Logger // for panics; nil: slog.Default()
}

// Exchange is one request and its response, as observers see it.
type Exchange struct {
	Request   engine.Request  // without its body
	Response  engine.Response // Body is used up
	HTTP      *http.Request
	RequestID string
	Started   time.Time
	Duration  time.Duration
	BytesOut  int64 // of the answer's body, as sent

	// RequestBody and ResponseBody are the bodies, or as much of their beginning
	// as Options.Bodies says, without content encoding, and with what is secret in
	// them. A body that was not read, since the request was refused before, is
	// nil, and so is one that was not written, as with HEAD.
	RequestBody, ResponseBody []byte

	// RequestSize and ResponseSize are the sizes of the whole bodies in bytes,
	// without content encoding. That of a body that was not read, or not to its
	// end, is the Content-Length, if there was one, or what was read.
	RequestSize, ResponseSize int64

	// ResponseHeader is the answer's header. It is read while Observe is called,
	// and not kept.
	ResponseHeader http.Header
}

// Handler serves one engine or many. It is made by NewHandler or NewResolver.
type Handler struct {
	engine  *engine.Engine // the only one, or nil
	resolve func(*http.Request) (*engine.Engine, error)
	o       Options
	large   *large
}

// NewHandler returns the endpoints of RFC 7644 §3.2, rooted at "/". The
// version segment of RFC 7644 §3.13 is understood where it comes first, so that
// the handler can be mounted under "/scim" as well as under "/scim/v2", with
// http.StripPrefix. It answers by itself whatever it is given, never with a
// redirect, and every failure as a SCIM error. The handler carries each
// request's id to the backend by scim.WithOrigin: that of the context, or the
// header X-Request-Id, or a new one.
func NewHandler(e *engine.Engine, o Options) http.Handler {
	most := max(e.BodyLimit(http.MethodPost, "/"), e.BodyLimit(http.MethodPost, "/Bulk"))
	if o.MaxBody <= 0 {
		o.MaxBody = most
	}
	h := newHandler(o)
	h.engine = e
	return h
}

// NewResolver is NewHandler for an application with many customers: resolve
// chooses the engine, by the request's token, host or whatever else, once for
// each request and before anything else of the request is judged.
// [engine.Engine.For] makes an engine cheaply enough to do so every time; the
// handler keeps none, so a customer who is gone is gone with the next request.
//
// An error that is or wraps a [*scim.Error] is sent as it is: one of status 401
// should tell nobody whether the customer exists. It gets the challenge
// "Bearer" unless resolve's middleware has set another WWW-Authenticate (RFC
// 9110 §15.5.2). Any other error is a 500 whose text the client does not see,
// or a 503 if the request's context has ended, and no engine without an error a
// 404.
//
// The request that resolve is given has the path that the handler has, and its
// context carries the request's id. What the engine's backend or hooks shall
// find in the context, such as the actor of [scim.Origin], a middleware must
// put there. resolve is called by many goroutines at once.
func NewResolver(resolve func(*http.Request) (*engine.Engine, error), o Options) http.Handler {
	if o.MaxBody <= 0 {
		o.MaxBody = 32 << 20
	}
	h := newHandler(o)
	h.resolve = resolve
	return h
}

func newHandler(o Options) *Handler {
	if o.BodyTimeout == 0 {
		o.BodyTimeout = 30 * time.Second
	}
	if o.WriteTimeout == 0 {
		o.WriteTimeout = 60 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.BaseURL, o.Origin = strings.TrimRight(o.BaseURL, "/"), strings.TrimRight(o.Origin, "/")
	return &Handler{o: o, large: newLarge(o.MaxBody, min(largeWait, o.BodyTimeout))}
}

// serves returns the engine that the request is for.
func (h *Handler) serves(ctx context.Context, r *http.Request) (*engine.Engine, error) {
	if h.engine != nil {
		return h.engine, nil
	}
	e, err := h.resolve(r.WithContext(ctx))
	switch {
	case err == nil && e == nil:
		return nil, &scim.Error{Status: http.StatusNotFound, Detail: "there is no SCIM service here"}
	case err == nil:
		return e, nil
	}
	return nil, err
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	ctx, id := identify(r)
	w.Header().Set("X-Request-Id", id)
	x := Exchange{HTTP: r, RequestID: id, Started: started}
	a := newAnswer(w, r, h.o.WriteTimeout)
	defer a.release()
	a.request.size = max(r.ContentLength, 0)
	if h.o.Observe != nil {
		most := 0
		if h.o.Bodies != nil {
			most = max(h.o.Bodies(r), 0)
		}
		a.request.most, a.response.most = most, most
	}
	aborted := false
	func() {
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler { //nolint:errorlint // a panic value, compared as net/http does
					aborted = true
					return
				}
				h.o.Logger.LogAttrs(ctx, slog.LevelError, "panic", slog.String("id", id), slog.Any("panic", p),
					slog.String("stack", string(debug.Stack())))
				x.Response = failed(fmt.Errorf("panic: %v", p))
				aborted = a.fail(x.Response)
			}
		}()
		x.Request, x.Response = h.do(ctx, r, a)
		aborted = a.send(x.Response)
	}()
	x.BytesOut = a.sent
	x.RequestBody, x.RequestSize = a.request.body, a.request.size
	x.ResponseBody, x.ResponseSize = a.response.body, a.response.size
	x.ResponseHeader = w.Header()
	x.Duration = time.Since(started)
	if h.o.Observe != nil {
		h.o.Observe(x)
	}
	if aborted {
		// The status line is out and the body can't be completed: only a cut
		// connection tells the client so.
		panic(http.ErrAbortHandler)
	}
}

// do reads the request and runs it.
func (h *Handler) do(ctx context.Context, r *http.Request, a *answer) (engine.Request, engine.Response) {
	req := engine.Request{
		Method:            r.Method,
		IfMatch:           list(r, "If-Match"),
		IfNoneMatch:       list(r, "If-None-Match"),
		IfModifiedSince:   r.Header.Get("If-Modified-Since"),
		IfUnmodifiedSince: r.Header.Get("If-Unmodified-Since"),
		Prefer:            list(r, "Prefer"),
	}
	path, version, badPath := route(r.URL.EscapedPath())
	req.Path = path
	e, err := h.serves(ctx, r)
	if err == nil {
		err = badPath // which is for those to know who may ask
	}
	if err != nil {
		return req, failed(err)
	}
	if req.Base, err = h.base(r, version); err != nil {
		return req, failed(err)
	}
	switches := e.Profile().Switches
	mediaType, ok := negotiate(r.Header.Values("Accept"))
	switch {
	case switches.JSONMediaType:
		a.mediaType = plainType
	case switches.MediaByAccept:
		a.mediaType = mediaType
	}
	if !ok && !switches.LaxAccept {
		return req, failed(&scim.Error{Status: http.StatusNotAcceptable,
			Detail: "answers are " + scimType + " or " + plainType + ", and the Accept header allows neither (RFC 7644 §3.8)"})
	}
	resp := h.run(ctx, r, a, e, &req)
	if !ok || a.mediaType == plainType && typed(resp) {
		resp.Rules = append(resp.Rules, "HTTP-02")
	}
	return req, resp
}

// run reads what is left of the request and has e answer it. req stays without
// the body.
func (h *Handler) run(ctx context.Context, r *http.Request, a *answer, e *engine.Engine, req *engine.Request) engine.Response {
	var err error
	if req.Query, err = query(r.URL.RawQuery); err != nil {
		return failed(err)
	}
	if hasBody(r) {
		if resp, refused := e.Refuses(ctx, *req); refused {
			_ = h.skip(r, a)
			return resp
		}
	}
	l := &hold{of: h.large}
	if h.o.Holder != nil {
		l.name = h.o.Holder(r)
	}
	defer l.release()
	body, err := h.body(r, a, min(e.BodyLimit(r.Method, req.Path), h.o.MaxBody), l)
	if err != nil {
		return failed(err)
	}
	whole := *req
	whole.Body = body
	return e.Do(ctx, whole)
}

// failed is the Response for a request that does not reach the engine.
func failed(err error) engine.Response {
	var e *scim.Error
	if !errors.As(err, &e) {
		e = scim.AsError(err)
	}
	return engine.Response{Status: e.Status, RetryAfter: e.RetryAfter, Err: err}
}

// list joins the values of a header that is a list (RFC 9110 §5.3).
func list(r *http.Request, name string) string {
	return strings.Join(r.Header.Values(name), ", ")
}
