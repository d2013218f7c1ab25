package lookingglass

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// seen is what Observe takes of an exchange: enough to explain it later, and
// nothing that the request's end takes away. It has secrets in it and never
// leaves this package.
type seen struct {
	x       scimhttp.Exchange
	actor   string
	tenant  string // "": the program's own
	method  string
	target  string // of the request
	url     *url.URL
	host    string
	headers []Header
	answer  []Header
	trace   *scim.Trace
	size    int64 // bytes, about
}

// Observe takes an exchange; it is what scimhttp.Options.Observe wants, beside
// Bodies. It returns at once: all work is done beside the request,
// and what is too much is dropped and counted. Requests that were refused before
// the handler saw them may be given as well, with HTTP, Response.Status and
// Response.Err alone.
func (r *Recorder) Observe(x scimhttp.Exchange) {
	if !r.takes(&x) {
		return
	}
	s := &seen{x: x, method: x.Request.Method, size: 2048 + int64(len(x.RequestBody)+len(x.ResponseBody))}
	if h := x.HTTP; h != nil {
		ctx := h.Context()
		s.actor, s.trace, s.tenant = scim.OriginOf(ctx).Actor, scim.TraceOf(ctx), tenantOf(ctx)
		s.method, s.target, s.url, s.host, s.headers = h.Method, h.RequestURI, h.URL, h.Host, copyHeader(h.Header)
	}
	s.answer = copyHeader(x.ResponseHeader)
	s.x.HTTP, s.x.ResponseHeader, s.x.Response.Body = nil, nil, nil
	if r.queued.Add(s.size) > queueBytes || !r.send(s) {
		r.queued.Add(-s.size)
		r.dropped.Add(1)
	}
}

// send queues s, unless the queue is full or the Recorder closed.
func (r *Recorder) send(s *seen) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.closed {
		return false
	}
	select {
	case r.queue <- task{seen: s}:
		return true
	default:
		return false
	}
}

// takes reports whether the rate allows to keep x, and counts it if not. A
// search that found nothing is worth as much as an error: it may be the answer
// to why somebody is not here.
func (r *Recorder) takes(x *scimhttp.Exchange) bool {
	now := r.o.Now()
	method := http.MethodGet
	if x.HTTP != nil {
		method = x.HTTP.Method
	}
	read := method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions || x.Response.Operation == "search"
	if read && x.Response.Status < 400 {
		if r.reads.take(now) || x.Request.Query.Has("filter") && nothing(x.ResponseBody) && r.writes.take(now) {
			return true
		}
		r.sampled.Add(1)
		return false
	}
	if !r.writes.take(now) {
		r.dropped.Add(1)
		return false
	}
	return true
}

// nothing reports whether an answer is a list without results. The number
// stands before the resources.
func nothing(answer []byte) bool {
	return bytes.Contains(answer[:min(len(answer), 256)], []byte(`"totalResults":0`))
}

// bucket lets through rate events a second, and as many at once after a quiet
// second.
type bucket struct {
	rate float64

	mu   sync.Mutex
	left float64
	last time.Time
}

// has reports whether take would let one through.
func (b *bucket) has(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill(now)
	return b.left >= 1
}

func (b *bucket) take(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill(now)
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

func (b *bucket) fill(now time.Time) {
	if b.last.IsZero() {
		b.left = b.rate
		b.last = now
	}
	if passed := now.Sub(b.last); passed > 0 {
		b.left = min(b.left+passed.Seconds()*b.rate, b.rate)
		b.last = now
	}
}

// Traced returns a request with a Trace in its context, for the backend and the
// engine to fill and Observe to read, if it is likely to be kept. It is for what
// comes before the handler of package scimhttp. A read above the rate goes
// without, unless it looks for something: if it fails it is kept all the same,
// with less to tell. So do all above the rate of writes.
func (r *Recorder) Traced(req *http.Request) *http.Request {
	if scim.TraceOf(req.Context()) != nil { // somebody else's: one is enough
		return req
	}
	plain := (req.Method == http.MethodGet || req.Method == http.MethodHead) && !strings.Contains(req.URL.RawQuery, "filter")
	now := r.o.Now()
	if (plain || !r.writes.has(now)) && !r.reads.has(now) {
		return req
	}
	return req.WithContext(scim.WithTrace(req.Context(), new(scim.Trace)))
}

// Bodies is how much of its bodies Observe wants of a request: all that is kept,
// or of one that is not likely to be just enough to see what it is. It is what
// scimhttp.Options.Bodies wants.
func Bodies(req *http.Request) int {
	if scim.TraceOf(req.Context()) == nil {
		return 512
	}
	return MaxBody
}
