package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// Access is what a request wants to do, as the engine has understood it: of a
// Bulk message first the message, then each of its operations.
type Access struct {
	Operation string // as Response.Operation has it
	Type      string // name of the resource type concerned; "": all types, or none

	// Answer says that it is asked, of a read, only to know whether the answer to a
	// write may hold what the client has not sent. If not it is left out; the write
	// is done and succeeds.
	Answer bool
}

// Guarded returns an Engine that shares everything with e, and asks allow before
// it does what a request wants (RFC 7644 §2, §7.4). It asks once the endpoint is
// found, so there is one reading of the path, and before it looks at the rest.
// Who may write and not read is not shown what else there is: a PATCH is answered
// by 204, a PUT with what it sent, and nothing is tried out.
// An error of allow, which should be a *scim.Error of status 403, is the answer
// to the request or to the operation of a Bulk message. The context is that of
// the request. allow is called by many goroutines at once.
func (e *Engine) Guarded(allow func(ctx context.Context, a Access) error) *Engine {
	other := *e
	other.allow = allow
	return &other
}

// allowed asks whether the operation that was found may be done.
func (c *call) allowed() error {
	if c.e.allow == nil {
		return nil
	}
	return c.e.allow(c.ctx, Access{Operation: c.operation, Type: c.typ})
}

// Refuses returns the answer to a request that is not allowed (see Guarded), and
// true. It looks at method and path alone, so that a transport need not read the
// body of a request that is refused whatever the body says. [Engine.Do] asks
// again.
func (e *Engine) Refuses(ctx context.Context, req Request) (Response, bool) {
	if e.allow == nil {
		return Response{}, false
	}
	c := &call{e: e, plain: e, ctx: ctx, req: req}
	if v, _, err := c.find(); v == nil || err != nil {
		return Response{}, false
	}
	err := c.allowed()
	if err == nil {
		return Response{}, false
	}
	resp := c.fail(err)
	resp.Operation, resp.Type = c.operation, c.typ
	return resp, true
}

// shows reports whether the answer to a write may hold what the client has not
// sent.
func (c *call) shows(typ string) bool {
	return c.e.allow == nil || c.e.allow(c.ctx, Access{Operation: "get", Type: typ, Answer: true}) == nil
}

// mayTry asks whether a write of a type may be tried out: what that tells is what
// there is.
func (c *call) mayTry(typ string) error {
	if c.e.allow == nil {
		return nil
	}
	return c.e.allow(c.ctx, Access{Operation: "get", Type: typ})
}

// onlySent returns what of sel the client has sent, by canonical paths.
func onlySent(t *scim.ResourceType, sel scim.Selection, sent []string) scim.Selection {
	names := []string{"meta"}
	for _, path := range sent {
		path, _, _ = strings.Cut(path, "[")
		names = append(names, path)
	}
	paths, _ := attrPaths(names)
	out := projection{attributes: paths, asked: true}.bind(t)
	if len(sel.Attributes) > 0 {
		out.Attributes = slices.DeleteFunc(slices.Clone(out.Attributes), func(p scim.AttrPath) bool {
			return !slices.ContainsFunc(sel.Attributes, func(want scim.AttrPath) bool { return p.URN == want.URN && p.Name == want.Name })
		})
	}
	if len(out.Attributes) == 0 {
		out.Attributes = onlyID.Attributes
	}
	out.Excluded = sel.Excluded
	return out
}
