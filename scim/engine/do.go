package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

// call is the carrying out of one request.
type call struct {
	e         *Engine
	plain     *Engine // e without the trace
	ctx       context.Context
	req       Request
	segments  []string // of the path, decoded
	operation string
	typ, id   string
	rules     []string
	hashed    map[string]string // clear passwords of this request and their hashes
}

// Do carries out req (RFC 7644 §3). It never panics and never returns a zero
// Status. When ctx ends or the deadline of [Limits] passes, the answer is 503.
func (e *Engine) Do(ctx context.Context, req Request) Response {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(e.c.Limits.Deadline, func() { cancel(context.DeadlineExceeded) })
	resp := e.do(ctx, req)
	timer.Stop()
	// A body that is still to be read from the backend needs the context; how
	// long its reader may take is the transport's business.
	if s, ok := resp.Body.(*stream); ok {
		s.done = func() { cancel(nil) }
	} else {
		cancel(nil)
	}
	return resp
}

// do is Do under the deadline of whoever called.
func (e *Engine) do(ctx context.Context, req Request) (resp Response) {
	trace := scim.TraceOf(ctx)
	c := &call{e: e.watched(trace), plain: e, ctx: ctx, req: req}
	if trace != nil {
		defer c.own(time.Now(), spent(trace))
	}
	defer func() {
		if p := recover(); p != nil {
			resp = c.fail(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
		resp.Rules, resp.Operation = c.rules, c.operation
		if resp.Type == "" {
			resp.Type, resp.ID = c.typ, c.id
		}
	}()
	resp, err := c.route()
	if err == nil && resp.Status == 0 {
		err = errors.New("engine: an answer without a status")
	}
	if err != nil {
		return c.fail(err)
	}
	return resp
}

// report notes that a compat rule bent the request.
func (c *call) report(rule string) {
	if !slices.Contains(c.rules, rule) {
		c.rules = append(c.rules, rule)
	}
}

// fail returns the error message of RFC 7644 §3.12 for err.
func (c *call) fail(err error) Response {
	if cause := context.Cause(c.ctx); cause != nil && errors.Is(err, context.Canceled) {
		err = cause
	}
	e := scim.AsError(err)
	if e.Status < 400 || e.Status > 599 {
		e = scim.AsError(fmt.Errorf("engine: an error of status %d: %w", e.Status, errors.New(e.Error())))
	}
	b, _ := e.MarshalJSON()
	return Response{Status: e.Status, RetryAfter: e.RetryAfter, Body: fixed(b), Size: int64(len(b)), Err: err}
}

// late returns a 503 if the request's time is up, else nil: what takes long and
// knows no context is not begun then.
func (c *call) late() error {
	if c.ctx.Err() != nil {
		return scim.Unavailable(context.Cause(c.ctx))
	}
	return nil
}

// methodError is the 405 of RFC 9110 §15.5.6.
func (c *call) methodError(allow []string) Response {
	resp := c.fail(&scim.Error{Status: 405, Detail: fmt.Sprintf("%s is not possible here; allowed: %s",
		quoteShort(c.req.Method), joinMethods(allow))})
	resp.Allow = allow
	return resp
}
