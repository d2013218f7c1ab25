package scimhttp

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// held is how many bytes of an answer are held back before its status line
// leaves: until then a failure can still become an honest error, the length of
// a short answer is known, and whether to compress can be decided.
const held = 16 << 10

// compressFrom is the shortest body that is compressed: below it the
// processor's time is worth more than the packet.
const compressFrom = 4 << 10

var (
	buffers = sync.Pool{New: func() any { b := make([]byte, 0, held); return &b }}
	zippers = sync.Pool{New: func() any {
		z, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed) // the level is one there is
		return z
	}}
)

// answer writes one Response.
type answer struct {
	http.ResponseWriter
	control   *http.ResponseController
	mediaType string
	head      bool
	gzip      bool // the client takes gzip
	timeout   time.Duration

	status   int
	length   int64 // of the body, -1: not known
	buf      *[]byte
	out      io.Writer    // nil until the status line is out
	zip      *gzip.Writer // nil: not compressed
	deadline time.Time    // when the write deadline was last set
	sent     int64

	request, response kept
}

func newAnswer(w http.ResponseWriter, r *http.Request, timeout time.Duration) *answer {
	buf := buffers.Get().(*[]byte)
	*buf = (*buf)[:0]
	return &answer{ResponseWriter: w, control: http.NewResponseController(w), mediaType: scimType, buf: buf, length: -1,
		head: r.Method == http.MethodHead, gzip: acceptsGzip(r.Header.Values("Accept-Encoding")), timeout: timeout}
}

// release gives back what the answer borrowed.
func (a *answer) release() {
	buffers.Put(a.buf)
	if a.zip != nil {
		a.zip.Reset(io.Discard)
		zippers.Put(a.zip)
		a.zip = nil
	}
}

// send writes the response. It reports whether the connection must be cut.
func (a *answer) send(r engine.Response) (abort bool) {
	if r.Status == 0 {
		r = failed(errors.New("the engine gave no status"))
	}
	a.describe(r)
	if r.Status == http.StatusUnauthorized && a.Header().Get("WWW-Authenticate") == "" {
		a.Header().Set("WWW-Authenticate", "Bearer") // RFC 9110 §15.5.2, also where it is a backend that says who may not
	}
	body := r.Body
	if body == nil && r.Status >= 400 {
		body = message{scim.AsError(r.Err), r.Status}
	} else if body != nil && r.Size >= 0 {
		a.length = r.Size
	}
	if body == nil {
		a.commit(false)
		return false
	}
	a.Header().Set("Content-Type", a.mediaType+charset)
	if a.head && a.length >= 0 {
		setLength(a.Header(), a.length)
		a.commit(false)
		return false
	}
	if _, err := body.WriteTo(a); err != nil {
		return a.fail(failed(err))
	}
	return a.finish() != nil
}

// typed reports whether the answer to r has a media type: those without a body
// have none.
func typed(r engine.Response) bool { return r.Body != nil || r.Status >= 400 }

// fail replaces what was written so far by an error, if none of it has left.
func (a *answer) fail(r engine.Response) (abort bool) {
	if a.out != nil {
		return true
	}
	for _, name := range []string{"Location", "Content-Location", "ETag", "Last-Modified", "Allow", "Content-Length"} {
		a.Header().Del(name)
	}
	*a.buf, a.length, a.sent = (*a.buf)[:0], -1, 0
	a.response = kept{most: a.response.most}
	a.describe(r)
	a.Header().Set("Content-Type", a.mediaType+charset)
	if _, err := (message{scim.AsError(r.Err), r.Status}).WriteTo(a); err != nil {
		return true
	}
	return a.finish() != nil
}

// describe sets status and headers.
func (a *answer) describe(r engine.Response) {
	a.status = r.Status
	h := a.Header()
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Accept, Accept-Encoding")
	if r.Location != "" {
		h.Set("Location", r.Location)
		if r.Body != nil && r.Status < 300 {
			h.Set("Content-Location", r.Location)
		}
	}
	if r.ETag != "" {
		h.Set("ETag", r.ETag)
	}
	if !r.LastModified.IsZero() {
		h.Set("Last-Modified", r.LastModified.UTC().Format(http.TimeFormat))
	}
	if len(r.Allow) > 0 {
		h.Set("Allow", strings.Join(r.Allow, ", "))
	}
	if r.Status == http.StatusRequestTimeout || r.Status == http.StatusRequestEntityTooLarge {
		// The rest of the body is not worth waiting for.
		h.Set("Connection", "close")
	}
	setRetry(h, r.RetryAfter)
}

// Write takes a part of the body.
func (a *answer) Write(p []byte) (int, error) {
	if a.head {
		a.sent += int64(len(p))
		return len(p), nil
	}
	a.response.take(p)
	if a.out == nil {
		if len(*a.buf)+len(p) <= held {
			*a.buf = append(*a.buf, p...)
			return len(p), nil
		}
		if err := a.flush(a.gzip); err != nil {
			return 0, err
		}
	}
	a.extend()
	return a.out.Write(p)
}

// finish sends what is held back and ends the body.
func (a *answer) finish() error {
	if a.head {
		setLength(a.Header(), a.sent)
		a.sent = 0
		a.commit(false)
		return nil
	}
	if a.out == nil {
		compress := a.gzip && len(*a.buf) >= compressFrom
		if !compress {
			a.length = int64(len(*a.buf))
		}
		if err := a.flush(compress); err != nil {
			return err
		}
	}
	if a.zip != nil {
		return a.zip.Close()
	}
	return nil
}

// flush sends the status line and what is held back.
func (a *answer) flush(compress bool) error {
	a.commit(compress)
	a.extend()
	_, err := a.out.Write(*a.buf)
	*a.buf = (*a.buf)[:0]
	return err
}

// commit sends the status line.
func (a *answer) commit(compress bool) {
	a.out = counter{a}
	h := a.Header()
	switch {
	case compress:
		h.Set("Content-Encoding", "gzip")
		a.zip = zippers.Get().(*gzip.Writer)
		a.zip.Reset(a.out)
		a.out = a.zip
	case a.length >= 0 && !a.head:
		setLength(h, a.length)
	}
	a.WriteHeader(a.status)
}

// extend gives the client time for the next part: a slow reader may take long
// over a long list, but not forever over one part of it.
func (a *answer) extend() {
	if now := time.Now(); now.Sub(a.deadline) > time.Second {
		a.deadline = now
		_ = a.control.SetWriteDeadline(now.Add(a.timeout)) // not every connection has deadlines
	}
}

// counter counts the bytes that leave.
type counter struct{ a *answer }

func (c counter) Write(p []byte) (int, error) {
	n, err := c.a.ResponseWriter.Write(p)
	c.a.sent += int64(n)
	return n, err
}

// message is an error as a body. Its status is the response's.
type message struct {
	err    *scim.Error
	status int
}

func (m message) WriteTo(w io.Writer) (int64, error) {
	e := m.err
	switch {
	case e == nil:
		e = &scim.Error{Status: m.status, Detail: http.StatusText(m.status)}
	case e.Status != m.status:
		e = &scim.Error{Status: m.status, Type: e.Type, Detail: e.Detail}
	}
	body, err := e.MarshalJSON()
	if err != nil {
		return 0, err
	}
	n, err := w.Write(body)
	return int64(n), err
}

func setLength(h http.Header, n int64) { h.Set("Content-Length", strconv.FormatInt(n, 10)) }

// setRetry sets Retry-After in whole seconds, rounded up (RFC 9110 §10.2.3).
func setRetry(h http.Header, d time.Duration) {
	if d > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10))
	}
}
