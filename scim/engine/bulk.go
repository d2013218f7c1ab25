package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// operation is one operation of a BulkRequest (RFC 7644 §3.7).
type operation struct {
	method, bulkID, version string
	segments                []string // of the path, decoded; the last one may refer to a bulkId
	typ                     *scim.ResourceType
	data                    scim.Object
	refs                    []string // the bulkIds it refers to
	fault                   error    // why it can't be carried out at all

	done     bool
	err      error
	status   int
	location string
	id       string
	etag     string
	body     []byte // of the answer, if it is to be shown

	target string      // the id in its path
	trace  *scim.Trace // of the operation alone, if it is only tried out
}

func (o *operation) failed() bool { return o.done && o.err != nil }

// bulk answers POST /Bulk (RFC 7644 §3.7). The answer is 200 whatever becomes
// of the operations, and has their results in the order of the request.
func (c *call) bulk() (Response, error) {
	body, err := c.object()
	if err != nil {
		return Response{}, err
	}
	ops, failOnErrors, err := c.bulkRequest(body)
	if err != nil {
		return Response{}, err
	}
	run := &bulkRun{c: c, ops: ops, failOnErrors: failOnErrors, show: prefersRepresentation(c.req.Prefer)}
	if err := run.prepare(); err != nil {
		return Response{}, err
	}
	run.all()
	if c.e.dry != nil {
		c.e.dry.ops = ops
	}
	return c.bulkResponse(ops), nil
}

// bulkRequest reads a BulkRequest. What is wrong with the message refuses it
// whole; what is wrong with an operation is that operation's error.
func (c *call) bulkRequest(body scim.Object) (ops []*operation, failOnErrors int, err error) {
	if err := wantMessage(body, scim.BulkRequestURN); err != nil {
		return nil, 0, err
	}
	if v, given := body.Lookup("failOnErrors"); given && v != nil {
		n, _ := v.(json.Number)
		var ok bool
		if failOnErrors, ok = integer(n.String()); !ok || failOnErrors < 1 {
			return nil, 0, scim.Errorf(scim.TypeInvalidValue, "failOnErrors: an integer of at least 1 expected (RFC 7644 §3.7)")
		}
	}
	v, _ := body.Lookup("Operations")
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return nil, 0, scim.Errorf(scim.TypeInvalidSyntax, "Operations: an array of at least one operation expected (RFC 7644 §3.7)")
	}
	if most := c.e.c.Limits.BulkOperations; len(list) > most {
		return nil, 0, &scim.Error{Status: 413, Detail: itoa(int64(len(list))) + " operations are more than maxOperations, here " +
			itoa(int64(most)) + " (RFC 7644 §3.7.4)"}
	}
	seen := map[string]bool{}
	for i, v := range list {
		o, ok := v.(scim.Object)
		if !ok {
			return nil, 0, scim.Errorf(scim.TypeInvalidSyntax, "Operations[%d]: an object expected (RFC 7644 §3.7)", i)
		}
		op := &operation{}
		op.fault = c.bulkOperation(op, o)
		if op.method == "POST" && op.bulkID != "" {
			if seen[op.bulkID] {
				return nil, 0, scim.Errorf(scim.TypeInvalidSyntax, "Operations[%d]: the bulkId %s is there twice (RFC 7644 §3.7)", i, quoteShort(op.bulkID))
			}
			seen[op.bulkID] = true
		}
		ops = append(ops, op)
	}
	return ops, failOnErrors, nil
}

// bulkOperation reads one operation, as far as it can be read.
func (c *call) bulkOperation(op *operation, o scim.Object) error {
	text := func(name string) (string, error) {
		v, _ := o.Lookup(name)
		s, ok := v.(string)
		if v != nil && !ok {
			return "", scim.Errorf(scim.TypeInvalidSyntax, "%s: a string expected (RFC 7644 §3.7)", name)
		}
		return s, nil
	}
	method, err := text("method")
	if err != nil {
		return err
	}
	op.method = strings.ToUpper(method)
	if op.bulkID, err = text("bulkId"); err != nil {
		return err
	}
	switch op.method {
	case "POST", "PUT", "PATCH", "DELETE":
	default:
		op.method = method
		return scim.Errorf(scim.TypeInvalidSyntax, "method: POST, PUT, PATCH or DELETE expected, not %s (RFC 7644 §3.7)", quoteShort(method))
	}
	if op.version, err = text("version"); err != nil {
		return err
	}
	if op.version != "" && !strings.Contains(op.version, `"`) && op.version != "*" {
		op.version = schema.ETag(op.version)
	}
	path, err := text("path")
	if err != nil {
		return err
	}
	if err := c.bulkPath(op, path); err != nil {
		return err
	}
	if op.method == "POST" && op.bulkID == "" {
		return scim.Errorf(scim.TypeInvalidSyntax, "bulkId: required with POST (RFC 7644 §3.7)")
	}
	data, _ := o.Lookup("data")
	if op.method == "DELETE" {
		return nil
	}
	if list, ok := data.([]any); ok && op.method == "PATCH" {
		data = scim.Object{{Name: "Operations", Value: list}} // as printed in RFC 7644 §3.7.2, erratum 5050
	}
	var ok bool
	if op.data, ok = data.(scim.Object); !ok {
		return scim.Errorf(scim.TypeInvalidSyntax, "data: the body of the %s expected, as an object (RFC 7644 §3.7)", op.method)
	}
	if _, given := op.data.Lookup("schemas"); !given && op.method == "PATCH" {
		op.data = append(scim.Object{{Name: "schemas", Value: []any{scim.PatchOpURN}}}, op.data...)
	}
	return nil
}

// bulkPath reads the path of an operation: an endpoint for POST, else a
// resource; relative, or absolute below our base.
func (c *call) bulkPath(op *operation, path string) error {
	bad := func(why string) error {
		return scim.Errorf(scim.TypeInvalidSyntax, "path: %s, not %s (RFC 7644 §3.7)", why, quoteShort(path))
	}
	rest := path
	if c.req.Base != "" {
		if r, ok := strings.CutPrefix(path, c.req.Base); ok && strings.HasPrefix(r, "/") {
			rest = r
		}
	}
	if strings.ContainsAny(rest, "?#") || strings.Contains(rest, "://") {
		return bad("the path of an endpoint or resource of this server expected, without a query")
	}
	list, ok := segments(rest)
	if !ok || len(list) == 0 {
		return bad("the path of an endpoint or resource expected")
	}
	t, tail := c.e.typeAt(list)
	switch {
	case t == nil:
		return bad("the endpoint of a resource type expected")
	case len(tail) == 1 && strings.EqualFold(tail[0], ".search"):
		return bad("a write expected")
	case op.method == "POST" && len(tail) != 0:
		return bad("the endpoint of a resource type expected for POST")
	case op.method != "POST" && len(tail) > 1 && strings.HasPrefix(tail[0], bulkPrefix):
		return bad("the path of one resource expected, with %2F for a slash in a bulkId")
	case op.method != "POST" && len(tail) != 1:
		return bad("the path of one resource expected for " + op.method)
	}
	op.typ, op.segments = t, tail
	return nil
}

// bulkResponse returns the results of what was carried out (RFC 7644 §3.7.3).
func (c *call) bulkResponse(ops []*operation) Response {
	defer c.encoding()()
	buf := buffers.Get().(*bytes.Buffer)
	buf.Reset()
	b := append(buf.AvailableBuffer(), `{"schemas":["`+scim.BulkResponseURN+`"],"Operations":[`...)
	var internal []error
	first := true
	for _, op := range ops {
		if !op.done {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		if e := scim.AsError(op.err); e != nil && e.Status >= 500 {
			internal = append(internal, op.err)
		}
		b = op.appendResult(b)
	}
	b = append(b, "]}"...)
	buf.Write(b)
	return Response{Status: 200, Body: &rendered{buf}, Size: int64(buf.Len()), Err: errors.Join(internal...)}
}

func (o *operation) appendResult(b []byte) []byte {
	status := o.status
	body := o.body
	if o.err != nil {
		e := scim.AsError(o.err)
		status = e.Status
		body, _ = e.MarshalJSON()
	}
	b = append(b, `{"method":`...)
	b = scim.AppendString(b, o.method)
	put := func(name, value string) {
		if value != "" {
			b = append(b, `,"`+name+`":`...)
			b = scim.AppendString(b, value)
		}
	}
	put("bulkId", o.bulkID)
	if o.err == nil {
		put("version", o.etag)
	}
	put("location", o.location)
	put("status", itoa(int64(status)))
	if body != nil {
		b = append(b, `,"response":`...)
		b = append(b, body...)
	}
	return append(b, '}')
}
