package pactflowtest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ServeHTTP answers as PactFlow does, as far as the rules let it.
func (e *Emulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	cfg := e.cfg.Load()
	path := cfg.strip(r.URL.Path)
	if strings.HasPrefix(path, "/__emu/") {
		e.control(w, r, path)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	if err != nil && !errors.As(err, &tooLarge) {
		return // the client is gone
	}
	c := &call{e: e, cfg: cfg, r: r, path: path, body: body, base: cfg.linkBase(r),
		problem: strings.Contains(strings.Join(r.Header.Values("Accept"), ","), "application/problem+json")}
	defer c.end()
	value := bearer(r)
	name := e.nameOf(value)
	fault := e.rules.pick(r, path, value, name, body)
	c.n = e.record(c, name, fault)
	if hook := e.hook.Load(); hook != nil {
		(*hook)(r)
	}
	if tooLarge != nil {
		e.send(w, c, c.refused(refuse(413, "payload-too-large", "The request body is too large")), nil)
		return
	}
	if fault == nil {
		e.send(w, c, c.handle(false), nil)
		return
	}
	e.serveFaulty(w, c, fault)
}

// serveFaulty answers a call with its faults, in the order that [Fault] tells.
func (e *Emulator) serveFaulty(w http.ResponseWriter, c *call, f *Fault) {
	if l := f.Latency; l != nil {
		d := time.Duration(l.Ms) * time.Millisecond
		if l.JitterMs > 0 {
			d += rand.N(time.Duration(l.JitterMs) * time.Millisecond)
		}
		if !e.wait(c.r, d) {
			return
		}
	}
	if f.Conflict != nil {
		e.conflict(c, f.Conflict)
	}
	switch {
	case f.Hang != nil && !f.Hang.AfterCommit:
		e.wait(c.r, time.Duration(f.Hang.Ms)*time.Millisecond)
		abort(w, false)
		return
	case f.Drop != nil && (f.Drop.When == "accept" || f.Drop.When == "headers"):
		abort(w, f.Drop.When == "accept")
		return
	case f.Status != nil:
		e.send(w, c, c.injected(f.Status), f)
		return
	case f.Redirect != nil:
		e.send(w, c, answer{code: 302, location: f.Redirect.To}, f)
		return
	case f.BadBody != nil:
		e.sendNonsense(w, c, f.BadBody.Kind)
		return
	}
	if f.ForeignLinks != nil {
		c.base = strings.TrimRight(f.ForeignLinks.Base, "/")
	}
	c.partial = f.Partial
	a := c.handle(f.Stale != nil)
	switch {
	case f.Hang != nil:
		e.wait(c.r, time.Duration(f.Hang.Ms)*time.Millisecond)
		abort(w, false)
	case f.Drop != nil && f.Drop.When == "afterCommit":
		abort(w, false)
	case f.StatusAfterCommit != nil:
		e.send(w, c, c.injected(f.StatusAfterCommit), f)
	default:
		e.send(w, c, a, f)
	}
}

// wait reports whether it waited to the end: not when the client went away or
// the emulator was closed.
func (e *Emulator) wait(r *http.Request, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
	case <-e.closed:
	}
	return false
}

// abort closes the connection without an answer; reset: so that the client sees
// a reset instead of an end.
func abort(w http.ResponseWriter, reset bool) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil { // HTTP/2 or a recorder: net/http ends the stream
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// injected makes the answer of a status fault.
func (c *call) injected(s *Status) answer {
	a := answer{code: s.Code, header: http.Header{}}
	if s.Code >= 400 {
		kind := s.ProblemType
		if kind == "" {
			kind = kinds[s.Code]
		}
		if kind == "" {
			kind = "server-error"
		}
		a = c.refused(refuse(s.Code, kind, "Injected: "+http.StatusText(s.Code)))
	}
	if s.Body != "" {
		a.body = []byte(s.Body)
	}
	for k, v := range s.Header {
		a.header.Set(k, v)
	}
	return a
}

// send writes an answer, and the log's last word on the call.
func (e *Emulator) send(w http.ResponseWriter, c *call, a answer, f *Fault) {
	e.done(c, a.code)
	h := c.head(w)
	for k, v := range a.header {
		h[k] = v
	}
	if a.location != "" {
		h.Set("Location", a.location)
	}
	half := f != nil && f.Drop != nil && f.Drop.When == "midBody"
	if a.code == 204 || len(a.body) == 0 {
		h.Del("Content-Type")
		if half {
			abort(w, false)
			return
		}
		w.WriteHeader(a.code)
		return
	}
	body := a.body
	if len(body) > 1024 && acceptsGzip(c.r) && h.Get("Content-Encoding") == "" {
		h.Set("Content-Encoding", "gzip")
		body = zip(body)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(a.code)
	switch {
	case half:
		w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler) // closes the connection, sends nothing more
	case f != nil && f.SlowStream != nil:
		e.trickle(w, c.r, body, f.SlowStream.BytesPerSec)
	default:
		w.Write(body)
	}
}

// head sets the headers that every answer has.
func (c *call) head(w http.ResponseWriter) http.Header {
	h := w.Header()
	h.Set("Content-Type", "application/hal+json;charset=utf-8")
	h.Set("Vary", "Accept")
	h.Set("X-Request-Id", fmt.Sprintf("%032x", c.n))
	h.Set("X-Pact-Broker-Version", "2.106.0")
	h.Set("Cache-Control", "no-cache")
	return h
}

func acceptsGzip(r *http.Request) bool {
	for v := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, q, _ := strings.Cut(strings.ToLower(v), ";")
		if strings.TrimSpace(name) == "gzip" {
			return strings.TrimSpace(q) != "q=0"
		}
	}
	return false
}

func zip(body []byte) []byte {
	var b bytes.Buffer
	b.Grow(len(body) / 8)
	z := zippers.Get().(*gzip.Writer)
	defer zippers.Put(z)
	z.Reset(&b)
	_, _ = z.Write(body) // to memory: cannot fail
	_ = z.Close()
	return b.Bytes()
}

// trickle writes ten times a second.
func (e *Emulator) trickle(w http.ResponseWriter, r *http.Request, body []byte, perSecond int) {
	rc := http.NewResponseController(w)
	step := max(1, perSecond/10)
	for len(body) > 0 {
		n := min(step, len(body))
		if _, err := w.Write(body[:n]); err != nil || rc.Flush() != nil {
			return
		}
		body = body[n:]
		if len(body) > 0 && !e.wait(r, time.Second*time.Duration(n)/time.Duration(perSecond)) {
			panic(http.ErrAbortHandler)
		}
	}
}

// sendNonsense answers 200 with what is no answer.
func (e *Emulator) sendNonsense(w http.ResponseWriter, c *call, kind string) {
	e.done(c, 200)
	h := c.head(w)
	switch kind {
	case "html":
		h.Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, "<!DOCTYPE html><html><head><title>Sign in</title></head><body><form>Please sign in</form></body></html>")
	case "truncated":
		io.WriteString(w, `{"users":[{"uuid":"00000005-0000-4000-8000-000000000001","name":"Us`)
	case "emptyJSON":
		io.WriteString(w, "{}")
	case "wrongTypes":
		io.WriteString(w, `{"uuid":7,"name":["x"],"active":"maybe","type":{},"users":{"a":1},"teams":"none","_embedded":[],"_links":3,"createdAt":false}`)
	case "notGzip":
		h.Set("Content-Encoding", "gzip")
		io.WriteString(w, `{"users":[],"teams":[],"_links":{}}`)
	case "hugeArray":
		huge(w)
	}
}

// huge streams 64 MiB of users that are teams as well, unless the client goes away.
func huge(w io.Writer) {
	const size = 64 << 20
	element := []byte(`{"uuid":"00000005-0000-4000-8000-000000000001","name":"Too much","active":true,"type":0,"createdAt":"2022-12-06T00:20:00+00:00"},`)
	block := bytes.Repeat(element, 512)
	for i, key := range []string{`{"users":[`, `],"teams":[`} {
		if _, err := io.WriteString(w, key); err != nil {
			return
		}
		for sent := 0; sent < size/2; sent += len(block) {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
		w.Write(element[:len(element)-1]) // the last one, without its comma
		if i == 1 {
			io.WriteString(w, `],"_links":{}}`)
		}
	}
}

// nameOf is what the log calls a token.
func (e *Emulator) nameOf(value string) string {
	if value == "" {
		return ""
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	if t := e.store.tokens[value]; t != nil {
		return t.Name
	}
	return "unknown"
}

// record logs a request, with the token's name for its value.
func (e *Emulator) record(c *call, token string, f *Fault) int {
	h := c.r.Header.Clone()
	if h.Get("Authorization") != "" {
		scheme, _, _ := strings.Cut(h.Get("Authorization"), " ")
		if token == "" {
			scheme, token = "", "unknown"
		}
		h.Set("Authorization", strings.TrimSpace(scheme+" "+token))
	}
	x := Entry{Time: time.Now().UTC(), Method: c.r.Method, Path: c.path, Query: c.r.URL.RawQuery, Header: h,
		Body: string(c.body[:min(len(c.body), 64<<10)]), Token: token}
	if f != nil {
		x.Faults = f.names()
	}
	return e.lines.add(x)
}

func (e *Emulator) done(c *call, status int) {
	e.lines.change(c.n, func(x *Entry) { x.Status = status })
}
