package console

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// mostAnswer is how much of an answer the pages read, in bytes.
const mostAnswer = 4 << 20

// answer is what the engine said to a request of the console's.
type answer struct {
	engine.Response
	Text  []byte // of the body
	Cut   bool   // there was more
	Took  time.Duration
	ID    string // of the request
	Trace *scim.Trace
}

// object returns the body as a tree, or nil.
func (a *answer) object() scim.Object {
	o, err := scim.ParseObject(a.Text, 0, 0)
	if err != nil {
		return nil
	}
	return o
}

// refusal returns why the request was refused, or nil.
func (a *answer) refusal() *scim.Error {
	if a.Status < 400 {
		return nil
	}
	if e := scim.AsError(a.Err); e != nil && e.Status == a.Status {
		return e
	}
	return &scim.Error{Status: a.Status}
}

// ask carries out a request for who sent r, in this process, and reads at most
// most bytes of its answer: of one that is made while it is read, no more is.
func (c *Console) ask(r *http.Request, req engine.Request, most int) *answer {
	a, _ := c.askAs(r, req, most)
	return a
}

// tell is ask for a request that the recorder shall see.
func (c *Console) tell(r *http.Request, req engine.Request) *answer {
	began := c.o.Now()
	a, sent := c.askAs(r, req, mostTried)
	kept := req
	kept.Body = nil
	c.o.Recorder.Observe(scimhttp.Exchange{Request: kept, Response: a.Response, HTTP: sent, RequestID: a.ID, Started: began, Duration: a.Took,
		BytesOut: int64(len(a.Text)), RequestBody: req.Body, RequestSize: int64(len(req.Body)), ResponseBody: a.Text, ResponseSize: int64(len(a.Text))})
	return a
}

func (c *Console) askAs(r *http.Request, req engine.Request, most int) (*answer, *http.Request) {
	req.Base = c.o.Base(r)
	a := &answer{ID: rand.Text(), Trace: new(scim.Trace)}
	ctx := c.context(r)
	if c.realm != nil {
		ctx = lookingglass.WithTenant(ctx, c.realm.Tenant.Name)
	}
	origin := scim.OriginOf(ctx)
	origin.RequestID = a.ID
	ctx = scim.WithTrace(scim.WithOrigin(ctx, origin), a.Trace)
	began := time.Now()
	a.Response = c.o.Engine().Do(ctx, req)
	if a.Body != nil {
		w := limited{most: most}
		_, err := a.Body.WriteTo(&w)
		a.Text, a.Cut = w.text, err != nil
	}
	a.Took = time.Since(began)
	return a, asHTTP(r, req, c.o.Version).WithContext(ctx)
}

// asHTTP is the request as it would be, had it come over the network.
func asHTTP(r *http.Request, req engine.Request, version string) *http.Request {
	target, err := url.Parse(req.Base + req.Path)
	if err != nil {
		target = &url.URL{Path: req.Path}
	}
	target.RawQuery = req.Query.Encode()
	h := http.Header{"User-Agent": {"Rollcall-Console/" + version}}
	set := func(name, value string) {
		if value != "" {
			h.Set(name, value)
		}
	}
	set("If-Match", req.IfMatch)
	set("If-None-Match", req.IfNoneMatch)
	set("Prefer", req.Prefer)
	if len(req.Body) > 0 {
		set("Content-Type", "application/scim+json")
	}
	return &http.Request{Method: req.Method, URL: target, Host: target.Host, RequestURI: target.RequestURI(), Header: h,
		RemoteAddr: r.RemoteAddr, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(req.Body))}
}

// limited keeps the first bytes of what is written, and then fails.
type limited struct {
	text []byte
	most int
}

var errEnough = errors.New("enough was read")

func (l *limited) Write(p []byte) (int, error) {
	room := min(len(p), l.most-len(l.text))
	l.text = append(l.text, p[:room]...)
	if room < len(p) {
		return room, errEnough
	}
	return room, nil
}
