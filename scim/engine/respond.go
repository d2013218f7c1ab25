package engine

import (
	"bufio"
	"bytes"
	"io"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// fixed is a body that is known already.
type fixed []byte

func (b fixed) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(b)
	return int64(n), err
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// rendered is a body in a buffer of the pool.
type rendered struct{ buf *bytes.Buffer }

func (r *rendered) WriteTo(w io.Writer) (int64, error) {
	const keep = 1 << 20 // larger buffers are left to the garbage collector
	if r.buf == nil {
		return 0, nil
	}
	n, err := r.buf.WriteTo(w)
	if r.buf.Cap() <= keep {
		r.buf.Reset()
		buffers.Put(r.buf)
	}
	r.buf = nil
	return n, err
}

var writers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, 32<<10) }}

// stream is a body made while it is written.
type stream struct {
	write func(*bufio.Writer) error
	done  func()
	trace *scim.Trace
}

func (s *stream) WriteTo(w io.Writer) (int64, error) {
	if s.write == nil {
		return 0, nil
	}
	n := &counter{w: w, timed: s.trace != nil}
	if n.timed {
		started := time.Now()
		defer func() { encoded(s.trace, time.Since(started)-n.took) }()
	}
	b := writers.Get().(*bufio.Writer)
	b.Reset(n)
	err := s.write(b)
	if err == nil {
		err = b.Flush()
	}
	b.Reset(nil)
	writers.Put(b)
	s.write = nil
	if s.done != nil {
		s.done()
	}
	return n.n, err
}

type counter struct {
	w     io.Writer
	n     int64
	timed bool
	took  time.Duration // by w, if timed
}

func (c *counter) Write(p []byte) (int, error) {
	if c.timed {
		defer func(started time.Time) { c.took += time.Since(started) }(time.Now())
	}
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// view returns how resources are shown to this client.
func (c *call) view(sel scim.Selection, sent []string) schema.View {
	return schema.View{Base: c.req.Base, Endpoints: c.e.endpoint, Selection: sel, Sent: sent, NoVersion: c.e.c.NoETag,
		WholeSeconds: c.e.traits.WholeSeconds, RelativeRefs: c.e.traits.RelativeRefs}
}

// location returns the permanent URI of a resource (RFC 7644 §3.1).
func (c *call) location(r *scim.Resource) string {
	return schema.Location(c.req.Base, r.Type.Endpoint, r.ID)
}

// headers returns an answer about r without its body.
func (c *call) headers(status int, r *scim.Resource) Response {
	resp := Response{Status: status, Location: c.location(r), LastModified: r.Meta.LastModified, Type: r.Type.Name, ID: r.ID}
	if !c.e.c.NoETag {
		resp.ETag = schema.ETag(r.Meta.Version)
	}
	return resp
}

// resource returns an answer with r as its body. What is at hand is rendered
// at once, so that its size is known; members that are still to be read are
// rendered as they come.
func (c *call) resource(status int, r *scim.Resource, sel scim.Selection, sent []string) (Response, error) {
	resp := c.headers(status, r)
	if c.req.bare {
		return resp, nil
	}
	v := c.view(sel, sent)
	if r.Members != nil {
		resp.Size = -1
		resp.Body = &stream{write: func(w *bufio.Writer) error { return schema.Render(w, r, v) }, trace: c.e.trace}
		return resp, nil
	}
	buf := buffers.Get().(*bytes.Buffer)
	buf.Reset()
	defer c.encoding()()
	if err := schema.Render(buf, r, v); err != nil {
		return Response{}, err
	}
	resp.Body, resp.Size = &rendered{buf}, int64(buf.Len())
	return resp, nil
}

// listing is a ListResponse (RFC 7644 §3.4.2, RFC 9865 §2).
type listing struct {
	total      int
	noTotal    bool
	startIndex int  // 0 with cursors
	asked      bool // the request had startIndex, count or a cursor
	next       string
	resources  []*scim.Resource
	selection  map[*scim.ResourceType]scim.Selection
}

// respond returns the answer that holds l. The numbers stand before the
// resources, since some clients read no further.
func (c *call) respond(l listing) Response {
	v := c.view(scim.Selection{}, nil)
	write := func(w *bufio.Writer) error {
		b := append(w.AvailableBuffer(), `{"schemas":["`+scim.ListResponseURN+`"]`...)
		if !l.noTotal {
			b = append(b, `,"totalResults":`...)
			b = strconv.AppendInt(b, int64(l.total), 10)
		}
		b = c.e.appendNumbers(b, &l)
		if l.next != "" {
			b = append(b, `,"nextCursor":"`...) // base64url: nothing to escape
			b = append(b, l.next...)
			b = append(b, '"')
		}
		b = append(b, `,"Resources":[`...)
		if _, err := w.Write(b); err != nil {
			return err
		}
		for i, r := range l.resources {
			if i > 0 {
				_ = w.WriteByte(',')
			}
			v.Selection = l.selection[r.Type]
			if err := schema.Render(w, r, v); err != nil {
				return err
			}
		}
		_, err := w.WriteString("]}")
		return err
	}
	c.touch(l.resources)
	return Response{Status: 200, Body: &stream{write: write, trace: c.e.trace}, Size: -1}
}

// appendNumbers appends where the page begins and how long it is (RFC 7644
// §3.4.2.4). Traits.ShortLists leaves out what a client did not ask for, and
// has them in the order of the RFC's text.
func (e *Engine) appendNumbers(b []byte, l *listing) []byte {
	short := e.traits.ShortLists
	if short && !l.asked && len(l.resources) >= l.total {
		return b
	}
	number := func(name string, n int) {
		b = append(b, name...)
		b = strconv.AppendInt(b, int64(n), 10)
	}
	if !short {
		number(`,"itemsPerPage":`, len(l.resources))
	}
	if l.startIndex > 0 {
		number(`,"startIndex":`, l.startIndex)
	}
	if short {
		number(`,"itemsPerPage":`, len(l.resources))
	}
	return b
}

// quoteShort quotes what a client sent for an error text.
func quoteShort(s string) string {
	const most = 80
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strconv.Quote(strings.ToValidUTF8(s, "\ufffd"))
}

func joinMethods(list []string) string { return strings.Join(list, ", ") }

// escapeSegment returns s as one segment of a URI path (RFC 3986 §3.3).
func escapeSegment(s string) string { return url.PathEscape(s) }

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
