package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

// dryRun is the query parameter that asks what a write would do. It is ours,
// see docs/divergences.md.
const dryRun = "dryRun"

// attempt is what an engine that only tries things out remembers.
type attempt struct {
	ops []*operation // of a Bulk message

	began time.Time // zero: it holds up nobody
	tried int       // operations of a Bulk message when its time was over; 0: it was not
}

// How long a Bulk message is tried out while other writers wait: so many
// operations, or for so long if that is more, but never longer than the third,
// if they are slow ones.
const (
	previewOperations = batchOperations
	previewTime       = 5 * batchTime
	previewLongest    = time.Second
)

// isOver reports whether a Bulk message has been tried out for long enough, with
// so many operations.
func (a *attempt) isOver(operations int) bool {
	if a == nil || a.began.IsZero() || operations == 0 {
		return false
	}
	took := time.Since(a.began)
	if took > previewLongest || operations >= previewOperations && took > previewTime {
		a.tried = operations
	}
	return a.tried > 0
}

// turn lets one attempt at a time hold up other writers, and leaves them time in
// between.
type turn chan time.Time // from when on the next one may begin

func newTurn() turn {
	t := make(turn, 1)
	t <- time.Time{}
	return t
}

// take waits for the turn, as long as ctx lasts.
func (t turn) take(ctx context.Context) error {
	select {
	case from := <-t:
		timer := time.NewTimer(time.Until(from))
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
			t <- from
		}
	case <-ctx.Done():
	}
	return scim.Unavailable(context.Cause(ctx))
}

// give ends the turn. Those who write get nine tenths of the time.
func (t turn) give(took time.Duration) { t <- time.Now().Add(9 * took) }

var (
	errTakenBack = errors.New("engine: only tried out") // ends the batch in which a write is
	errKept      = errors.New("engine: the backend kept what was to be taken back")
)

// wantsPreview reports whether a write is only to be tried out. A spelling of
// true that is none must not become a write.
func (c *call) wantsPreview(operation string) (bool, error) {
	if len(c.req.Query) == 0 {
		return false, nil
	}
	switch operation {
	case "create", "replace", "patch", "delete", "bulk":
	default:
		return false, nil
	}
	var values []string
	for name, list := range c.req.Query {
		if strings.EqualFold(name, dryRun) {
			values = append(values, list...)
		}
	}
	switch {
	case len(values) == 0:
		return false, nil
	case len(values) > 1:
		return false, scim.Errorf(scim.TypeInvalidValue, "%s: one value expected, %d given", dryRun, len(values))
	case values[0] == "true":
		return true, nil
	case values[0] == "false":
		return false, nil
	}
	return false, scim.Errorf(scim.TypeInvalidValue, "%s: true or false expected, not %s", dryRun, quoteShort(values[0]))
}

// preview tries a write out and answers what it would do. A backend that has
// batches really carries it out, in a batch that is then taken back, so that
// the answer knows of every refusal; in front of any other the engine stops
// before the write.
func (c *call) preview() (Response, error) {
	bulk := c.operation == "bulk"
	c.operation = "preview"
	req, err := c.previewed()
	if !bulk {
		if err := c.mayTry(c.typ); err != nil {
			return Response{}, err
		}
	}
	p := previewed{method: req.Method, typ: c.typ, checked: "engine"}
	if c.plain.batcher != nil {
		p.checked = "backend"
	}
	trace := &scim.Trace{}
	ctx := scim.WithTrace(scim.WithPreview(c.ctx), trace)
	var dry *attempt
	var ended time.Time
	try := func(e *Engine) {
		e.dry = &attempt{}
		if c.plain.batcher != nil {
			e.dry.began = time.Now()
		}
		if e.c.Password != nil {
			e.c.Password = func(string) (string, error) { return dryRun, nil } // to hash is slow, and this is never kept
		}
		resp := e.do(ctx, req)
		dry, ended = e.dry, time.Now()
		p.err, p.steps, p.notes = resp.Err, trace.Steps(), trace.Notes()
		if p.id = resp.ID; req.Method == "POST" {
			p.id = "" // not that of a resource that will be
		}
		for _, rule := range resp.Rules {
			c.report(rule)
		}
	}
	switch {
	case err != nil: // of the body: it is not even tried
		p.err = err
	case c.plain.batcher != nil:
		if bulk {
			if err := c.plain.previews.take(c.ctx); err != nil {
				return Response{}, err
			}
			defer func() {
				took := time.Duration(0)
				if dry != nil {
					took = ended.Sub(dry.began)
				}
				c.plain.previews.give(took)
			}()
		}
		err = c.plain.batcher.Batch(ctx, func(b scim.Backend) error {
			try(c.plain.inside(b))
			return errTakenBack
		})
		if err == nil {
			err = errKept
		}
		if !errors.Is(err, errTakenBack) {
			return Response{}, err
		}
	default:
		try(c.plain.inside(&stopped{Backend: c.plain.backend, known: map[string]*scim.Resource{}}))
	}
	c.include(trace)
	if e := scim.AsError(p.err); e != nil && (e.Status >= 500 || e.Status == 401 || e.Status == 429) {
		return Response{}, p.err // this says nothing of the request
	}
	if dry != nil && dry.tried > 0 {
		return Response{}, &scim.Error{Status: 413, Detail: fmt.Sprintf(
			"that is too much to try out at once, since others can't write meanwhile: the time was over after %d of %d operations; try fewer", dry.tried, len(dry.ops))}
	}
	if bulk && dry != nil && dry.ops != nil {
		for _, op := range dry.ops {
			if op.typ == nil {
				continue
			}
			if err := c.mayTry(op.typ.Name); err != nil {
				return Response{}, err
			}
		}
		p.operations(dry.ops)
	}
	c.id = p.id
	defer c.encoding()()
	b := p.append(nil)
	return Response{Status: 200, Body: fixed(b), Size: int64(len(b))}, nil
}

// previewed returns the request that is tried out: with its body parsed and the
// caller's id found, since neither is for the time in which other writers wait.
func (c *call) previewed() (Request, error) {
	req := c.req
	req.bare, req.Prefer = true, ""
	req.Query = maps.Clone(req.Query)
	for name := range req.Query {
		if strings.EqualFold(name, dryRun) {
			delete(req.Query, name)
		}
	}
	if strings.EqualFold(c.segments[0], "me") {
		t := c.e.typeNamed("User")
		id, err := c.e.c.Me(c.ctx)
		if err != nil {
			return req, err
		}
		req.Path = resourcePath(t, id)
		c.typ = t.Name
	}
	if req.Method == "DELETE" {
		return req, nil
	}
	var err error
	req.parsed, err = c.object()
	req.Body = nil
	return req, err
}

// include adds what was noted of an attempt to the trace of the request.
func (c *call) include(of *scim.Trace) {
	t := c.e.trace
	if t == nil {
		return
	}
	notes, offset := of.Notes(), t.Age()-of.Age()
	for _, s := range of.Steps() {
		s.Start += max(offset, 1)
		t.Add(s)
	}
	t.Note(func(n *scim.TraceNotes) {
		n.Backend += notes.Backend
		n.Encode += notes.Encode
	})
}

// remember notes what is about to be deleted, which a backend need not tell.
func (c *call) remember(ref scim.Ref) error {
	quiet := *c
	quiet.ctx = scim.WithTrace(c.ctx, nil) // a real delete would not read it
	r, err := quiet.read(ref, c.e.apart(ref.Type))
	if err != nil {
		return err
	}
	c.e.trace.Note(func(n *scim.TraceNotes) { n.Before = r })
	return nil
}

// stopped is a backend that is read but not written: writes are remembered, so
// that the operations of a Bulk message see what those before them did.
type stopped struct {
	scim.Backend
	known map[string]*scim.Resource // by id; nil: deleted
}

// Create implements scim.Backend. Nobody knows whether the backend would refuse.
func (s *stopped) Create(_ context.Context, r *scim.Resource) (*scim.Resource, error) {
	out := *r
	out.ID = fmt.Sprintf("%s-%d", dryRun, len(s.known)+1)
	out.Meta = scim.Meta{Created: time.Now().UTC(), LastModified: time.Now().UTC(), Version: "1"}
	s.known[out.ID] = &out
	return s.copy(&out), nil
}

// Get implements scim.Backend.
func (s *stopped) Get(ctx context.Context, ref scim.Ref, sel scim.Selection) (*scim.Resource, error) {
	r, ok := s.known[ref.ID]
	switch {
	case !ok:
		return s.Backend.Get(ctx, ref, sel)
	case r == nil || r.Type.Name != ref.Type.Name:
		return nil, scim.ErrNotFound
	}
	return s.copy(r), nil
}

func (s *stopped) copy(r *scim.Resource) *scim.Resource {
	out := *r
	out.Attrs = scim.Clone(r.Attrs)
	return &out
}

// Update implements scim.Backend.
func (s *stopped) Update(_ context.Context, ch scim.Change) (*scim.Resource, error) {
	s.known[ch.After.ID] = s.copy(ch.After)
	return s.copy(ch.After), nil
}

// Delete implements scim.Backend.
func (s *stopped) Delete(ctx context.Context, ref scim.Ref, version string) error {
	r, err := s.Get(ctx, ref, onlyID)
	switch {
	case err != nil:
		return err
	case version != "" && version != r.Meta.Version:
		return scim.ErrVersionMismatch
	}
	s.known[ref.ID] = nil
	return nil
}
