package facade

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

// maxWire bounds the bodies in the wire log.
const maxWire = 16 << 10

// head keeps the beginning of an answer.
type head struct {
	b    []byte
	more bool
}

func (h *head) add(p []byte) {
	if h == nil {
		return
	}
	n := min(len(p), maxWire-len(h.b))
	h.b = append(h.b, p[:n]...)
	h.more = h.more || n < len(p)
}

// exchange is a call in the wire log: one entry for it and one for its answer.
// nil: it is not logged.
type exchange struct {
	u     *Upstream
	req   *http.Request
	token string
	seen  head
}

// logCall logs a call, if calls are logged.
func (u *Upstream) logCall(req *http.Request, caller *Caller, body []byte) *exchange {
	if !u.o.Wire {
		return nil
	}
	e := &exchange{u: u, req: req, token: caller.token}
	var h head
	h.add(body)
	e.log("call", slog.Any("headers", maskHeader(req.Header, e.token)), slog.String("body", h.shown(e.token)))
	return e
}

func (h *head) shown(token string) string {
	s := maskBody(h.b, token)
	if h.more {
		s += "…"
	}
	return s
}

func (e *exchange) log(what string, more ...slog.Attr) {
	e.u.o.Logger.LogAttrs(e.req.Context(), slog.LevelDebug, e.u.o.Name+" "+what, append([]slog.Attr{
		slog.String("method", e.req.Method),
		slog.String("url", maskURL(e.req.URL, e.token)),
		slog.String("request_id", scim.OriginOf(e.req.Context()).RequestID),
	}, more...)...)
}

// watch keeps the beginning of the answer as it is read.
func (e *exchange) watch(in *answerReader) {
	if e != nil {
		in.seen = &e.seen
	}
}

// answered logs the answer.
func (e *exchange) answered(resp *http.Response, err error, took time.Duration) {
	if e == nil {
		return
	}
	attrs := []slog.Attr{slog.Int("status", resp.StatusCode), slog.Duration("duration", took),
		slog.Any("headers", maskHeader(resp.Header, e.token)), slog.String("body", e.seen.shown(e.token))}
	if err != nil {
		attrs = append(attrs, slog.String("error", redact(err.Error(), e.token)))
	}
	e.log("answer", attrs...)
}

// failed logs that there was no answer.
func (e *exchange) failed(err error, took time.Duration) {
	if e == nil {
		return
	}
	e.log("answer", slog.String("error", redact(err.Error(), e.token)), slog.Duration("duration", took))
}
