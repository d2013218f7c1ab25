package engine

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

// How much of a Bulk message one commit takes: other writers wait for it.
const (
	batchOperations = 50
	batchTime       = 20 * time.Millisecond
)

// bulkRun is the carrying out of a Bulk message.
type bulkRun struct {
	c            *call
	ops          []*operation
	failOnErrors int  // 0: carry on
	show         bool // results hold the resources
	shown        int64
	targets      map[string]*operation // by bulkId
	order        [][]int
}

// prepare finds out what waits for what.
func (r *bulkRun) prepare() error {
	r.targets = map[string]*operation{}
	index := map[string]int{}
	for i, op := range r.ops {
		if op.method == "POST" && op.bulkID != "" {
			r.targets[op.bulkID], index[op.bulkID] = op, i
		}
	}
	needs := make([][]int, len(r.ops))
	latest := map[string]int{} // operations on one resource stay in their order
	for i, op := range r.ops {
		if op.fault != nil {
			continue
		}
		op.refs = r.c.e.references(op.data)
		if len(op.segments) == 1 {
			if id, ok := strings.CutPrefix(op.segments[0], bulkPrefix); ok && !slices.Contains(op.refs, id) {
				op.refs = append(op.refs, id)
			}
			key := op.typ.Name + "/" + op.segments[0]
			if j, ok := latest[key]; ok {
				needs[i] = append(needs[i], j)
			}
			latest[key] = i
		}
		for _, id := range op.refs {
			if j, ok := index[id]; ok {
				needs[i] = append(needs[i], j)
			}
		}
	}
	r.order = plan(needs)
	return nil
}

// all carries out the operations, several per commit where the backend can,
// until they are done or as many have failed as the client accepts.
func (r *bulkRun) all() {
	e := r.c.e
	if e.dry != nil {
		e = r.c.plain // each operation has a trace of its own
	}
	for i := 0; i < len(r.order) && !r.stopped() && !r.c.e.dry.isOver(i); {
		if e.batcher == nil || r.slow(r.order[i]) || r.c.ctx.Err() != nil {
			r.group(e, r.order[i])
			i++
			continue
		}
		end := i
		err := e.batcher.Batch(r.c.ctx, func(b scim.Backend) error {
			in, start, count := e.inside(b), time.Now(), 0
			for end = i; end < len(r.order) && count < batchOperations && time.Since(start) < batchTime; end++ {
				if r.slow(r.order[end]) || r.stopped() {
					break
				}
				count += len(r.order[end])
				r.group(in, r.order[end])
			}
			return nil
		})
		end = max(end, i+1)
		if err != nil {
			for _, group := range r.order[i:end] {
				for _, k := range group {
					r.ops[k].fail(err)
				}
			}
		}
		i = end
	}
}

// stopped reports whether failOnErrors has been reached.
func (r *bulkRun) stopped() bool {
	if r.failOnErrors == 0 {
		return false
	}
	n := 0
	for _, op := range r.ops {
		if op.failed() {
			n++
		}
	}
	return n >= r.failOnErrors
}

// slow reports whether an operation of the group would hash a password, for
// which nobody else should have to wait.
func (r *bulkRun) slow(group []int) bool {
	return r.c.e.c.Password != nil && slices.ContainsFunc(group, func(i int) bool { return mentions(r.ops[i].data, r.c.e.secrets) })
}

// group carries out one operation, or those of a circle: each resource is
// created without the references that do not exist yet, and these are patched
// in when all are there (RFC 7644 §3.7.1).
func (r *bulkRun) group(e *Engine, group []int) {
	defer func() {
		for _, i := range group {
			r.ops[i].data = nil // of a long message, only what is still to do is kept
		}
	}()
	if op := r.ops[group[0]]; len(group) == 1 && !(op.method == "POST" && slices.Contains(op.refs, op.bulkID)) {
		r.run(e, op, op.data)
		return
	}
	inCircle := map[string]bool{}
	for _, i := range group {
		inCircle[r.ops[i].bulkID] = true
	}
	later := make([][]any, len(group))
	var broken error
	for n, i := range group {
		op := r.ops[i]
		var now scim.Object
		now, later[n] = e.withhold(op.data, func(id string) bool { return inCircle[id] && r.targets[id].id == "" })
		r.run(e, op, now)
		if op.failed() {
			if broken = op.err; later[n] != nil && scim.AsError(op.err).Type == scim.TypeInvalidValue {
				op.err = circular(op.err) // perhaps it is what was left out that it needs
			}
			break
		}
	}
	for n, i := range group {
		op := r.ops[i]
		if broken != nil || later[n] == nil {
			continue
		}
		patch := Request{Method: "PATCH", repair: true}
		message := scim.Object{{Name: "schemas", Value: []any{scim.PatchOpURN}}, {Name: "Operations", Value: later[n]}}
		if broken = r.send(e, op, patch, message, []string{op.id}); broken != nil {
			op.err = circular(broken)
		}
	}
	if broken == nil {
		return
	}
	// All wait for each other: where one fails, none is what was asked for, also
	// when it failed because time is up.
	undo := scim.WithUndo(context.WithoutCancel(r.c.ctx))
	for _, i := range group {
		op := r.ops[i]
		if op.id != "" {
			resp := e.do(undo, Request{Method: "DELETE", Base: r.c.req.Base, Path: resourcePath(op.typ, op.id)})
			if err := resp.Err; err != nil && resp.Status != 404 {
				op.err = &scim.Error{Status: 500, Err: err, Detail: fmt.Sprintf("the circular references of this operation can't be resolved, "+
					"and %s/%s, which was created for it, could not be deleted again (RFC 7644 §3.7.1)", op.typ.Name, op.id)}
			}
		}
		if !op.failed() {
			op.fail(circular(broken))
		}
		op.id, op.location = "", ""
	}
}

// circular returns the error of an operation whose circle is broken by cause. A
// failure of the server stays one: the client may try again.
func circular(cause error) error {
	if scim.AsError(cause).Status >= 500 {
		return cause
	}
	return &scim.Error{Status: 409, Detail: "the circular references of this operation can't be resolved: " +
		scim.AsError(cause).Detail + " (RFC 7644 §3.7.1)", Err: cause}
}

// run carries out one operation with the given data.
func (r *bulkRun) run(e *Engine, op *operation, data scim.Object) {
	op.done = true
	if op.typ != nil && len(op.segments) == 1 && !strings.HasPrefix(op.segments[0], bulkPrefix) {
		op.location = r.c.req.Base + resourcePath(op.typ, op.segments[0])
	}
	if op.err = op.fault; op.err != nil {
		return
	}
	if op.err = r.c.late(); op.err != nil {
		return
	}
	op.err = r.send(e, op, Request{Method: op.method, IfMatch: op.version}, data, op.segments)
}

// send puts ids for the bulkIds in an operation, carries it out through do,
// as if it had come by itself, and keeps the result.
func (r *bulkRun) send(e *Engine, op *operation, req Request, data scim.Object, tail []string) error {
	req.Base, req.bare = r.c.req.Base, !r.show
	req.Path = op.typ.Endpoint
	if len(tail) == 1 {
		id, err := inReference(tail[0], r.resolve)
		if err != nil {
			return err
		}
		op.target = id
		req.Path = resourcePath(op.typ, id)
		op.location = req.Base + req.Path
	}
	if data != nil {
		v, err := e.substitute(data, r.resolve)
		if err != nil {
			return err
		}
		req.parsed = v.(scim.Object)
	}
	if r.show {
		req.Prefer = "return=representation"
	}
	ctx := r.c.ctx
	if e.dry != nil {
		if op.trace == nil {
			op.trace = &scim.Trace{}
		}
		ctx = scim.WithTrace(ctx, op.trace)
	}
	resp := e.do(ctx, req)
	r.c.together(resp)
	for _, rule := range resp.Rules {
		r.c.report(rule)
	}
	if resp.Err != nil {
		return resp.Err
	}
	if resp.Status >= 400 {
		return scim.AsError(fmt.Errorf("engine: %s answered %d without an error", req.Method, resp.Status))
	}
	if op.status == 0 {
		op.status = resp.Status
	}
	if resp.Location != "" {
		op.location = resp.Location
	}
	op.etag = resp.ETag
	if req.Method == "POST" {
		op.id = resp.ID
	}
	return r.keep(op, resp)
}

// keep renders the answer's body if it is to be shown, as long as all bodies
// together stay within what a request may have.
func (r *bulkRun) keep(op *operation, resp Response) error {
	op.body = nil
	if !r.show || resp.Body == nil || r.shown > r.c.e.c.Limits.LargeBody {
		return nil
	}
	var buf bytes.Buffer
	if _, err := resp.Body.WriteTo(&buf); err != nil {
		return err
	}
	r.shown += int64(buf.Len())
	op.body = buf.Bytes()
	return nil
}

// resolve returns the id that a bulkId stands for.
func (r *bulkRun) resolve(bulkID string) (string, error) {
	target := r.targets[bulkID]
	switch {
	case target == nil:
		return "", scim.Errorf(scim.TypeInvalidValue, "no POST of this message has the bulkId %s (RFC 7644 §3.7.2)", quoteShort(bulkID))
	case target.failed() || target.id == "":
		return "", &scim.Error{Status: 409, Detail: "the resource with the bulkId " + quoteShort(bulkID) + " was not created (RFC 7644 §3.7.1)"}
	}
	return target.id, nil
}

// fail makes an operation one that did not happen.
func (o *operation) fail(err error) {
	o.done, o.err, o.body = true, err, nil
	if o.method == "POST" {
		o.id, o.location = "", ""
	}
}

func resourcePath(t *scim.ResourceType, id string) string {
	return t.Endpoint + "/" + escapeSegment(id)
}
