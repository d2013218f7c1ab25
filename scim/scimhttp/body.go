package scimhttp

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

// body reads the request's body, decoded, of at most limit bytes, for which it
// takes what it needs of l.
func (h *Handler) body(r *http.Request, a *answer, limit int64, l *hold) ([]byte, error) {
	if !hasBody(r) {
		_ = a.control.SetReadDeadline(time.Time{})
		return nil, nil
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions: // where it means nothing (RFC 9110 §9.3.1)
		return nil, h.skip(r, a)
	}
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	var compressed bool
	switch encoding := strings.ToLower(strings.TrimSpace(list(r, "Content-Encoding"))); encoding {
	case "", "identity":
	case "gzip", "x-gzip":
		compressed = true
	default:
		a.Header().Set("Accept-Encoding", "gzip")
		return nil, &scim.Error{Status: http.StatusUnsupportedMediaType,
			Detail: "the body's Content-Encoding is not supported: gzip or none is (RFC 9110 §15.5.16)"}
	}

	data, err := h.read(r, a, compressed, limit, l)
	if err != nil {
		return nil, err // what else is sent is still under the deadline
	}
	// Left in place, a deadline, ours or the server's, would end the request's
	// context while the engine works.
	_ = a.control.SetReadDeadline(time.Time{})
	if len(data) == 0 {
		return nil, nil
	}
	if t := r.Header.Get("Content-Type"); !readable(t) {
		return nil, &scim.Error{Status: http.StatusUnsupportedMediaType,
			Detail: "the body must be " + scimType + " or " + plainType + " (RFC 7644 §3.8)"}
	}
	return data, l.complete(r.Context())
}

func hasBody(r *http.Request) bool {
	return r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0
}

// skip passes over a body that nobody wants, of which it keeps nothing. After a
// long one the connection is of no more use.
func (h *Handler) skip(r *http.Request, a *answer) error {
	const short = 64 << 10
	_ = a.control.SetReadDeadline(time.Now().Add(h.o.BodyTimeout))
	if r.ContentLength <= short {
		switch n, err := io.CopyN(io.Discard, r.Body, short+1); {
		case errors.Is(err, io.EOF):
			_ = a.control.SetReadDeadline(time.Time{})
			return nil
		case n <= short:
			return broken(err)
		}
	}
	a.Header().Set("Connection", "close")
	return nil
}

func (h *Handler) read(r *http.Request, a *answer, compressed bool, limit int64, l *hold) ([]byte, error) {
	// A connection without deadlines (HTTP/2 streams of some servers, test
	// recorders) is bounded by the server's own timeouts.
	deadline := time.Now().Add(h.o.BodyTimeout)
	_ = a.control.SetReadDeadline(deadline)
	// What a client announces is not yet sent: memory grows with what arrives.
	const atOnce = 64 << 10
	var in io.Reader = io.LimitReader(r.Body, limit+1)
	hint := min(max(r.ContentLength, 0), atOnce)
	if compressed {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, broken(err)
		}
		in, hint = io.LimitReader(z, limit+1), 4*hint
	}
	var b bytes.Buffer
	if compressed {
		a.request.size = 0 // what was announced is another size
	}
	defer func() { a.request.whole(b.Bytes()) }()
	b.Grow(int(hint) + bytes.MinRead)
	n, err := b.ReadFrom(io.LimitReader(in, largeFrom))
	for err == nil && n == largeFrom {
		waiting := time.Now()
		if err := l.grow(r.Context()); err != nil {
			return nil, err
		}
		deadline = deadline.Add(time.Since(waiting)) // which is not the client's fault
		_ = a.control.SetReadDeadline(deadline)
		n, err = b.ReadFrom(io.LimitReader(in, largeFrom))
	}
	switch {
	case int64(b.Len()) > limit:
		return nil, tooLarge(limit)
	case err != nil:
		return nil, broken(err)
	}
	return b.Bytes(), nil
}

func broken(err error) error {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return tooLarge(large.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &scim.Error{Status: http.StatusRequestTimeout, Detail: "the body did not arrive in time", Err: err}
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		return &scim.Error{Status: 400, Type: scim.TypeInvalidSyntax, Detail: "the body is not the gzip that its Content-Encoding says", Err: err}
	}
	return &scim.Error{Status: 400, Type: scim.TypeInvalidSyntax, Detail: "the body could not be read to its end", Err: err}
}

func tooLarge(limit int64) error {
	e := scim.Errorf("", "the body is larger than maxPayloadSize, which is %d bytes here (RFC 7644 §3.7.4)", limit)
	e.Status = http.StatusRequestEntityTooLarge
	return e
}
