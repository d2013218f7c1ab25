package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// document is a discovery document, made once: its text around the places
// where the base URI stands, which is the request's.
type document struct {
	parts    [][]byte
	etag     string
	location string // relative; "" of a list
}

// documents makes the discovery documents (RFC 7644 §4) from the values that
// the engine obeys. Keys are folded paths without slashes at the ends.
func (e *Engine) documents() map[string]*document {
	docs := map[string]*document{}
	put := func(path string, o scim.Object) string {
		d := newDocument("/"+path, o, !e.c.NoETag)
		docs[strings.ToLower(path)] = d
		return string(bytes.Join(d.parts, []byte(baseMark)))
	}
	put("ServiceProviderConfig", e.serviceProviderConfig())
	var types, schemas []string
	for _, t := range e.published {
		types = append(types, put("ResourceTypes/"+t.Name, describeType(t)))
	}
	for _, s := range allSchemas(e.published) {
		schemas = append(schemas, put("Schemas/"+s.ID, describeSchema(s)))
	}
	for path, list := range map[string][]string{"resourcetypes": types, "schemas": schemas} {
		n := itoa(int64(len(list)))
		text := `{"schemas":["` + scim.ListResponseURN + `"],"totalResults":` + n
		if !e.traits.ShortLists {
			text += `,"itemsPerPage":` + n + `,"startIndex":1`
		}
		text += `,"Resources":[` + strings.Join(list, ",") + `]}`
		docs[path] = &document{parts: splitParts(text), etag: digestTag(text)}
	}
	return docs
}

// baseMark stands for the base URI while a document is made. No schema can
// hold it: names and texts are valid UTF-8 and escaped.
const baseMark = "\xff"

func newDocument(path string, o scim.Object, etags bool) *document {
	meta, _ := o.Get("meta").(scim.Object)
	tag := digestTag(string(o.AppendJSON(nil)))
	if etags {
		meta.Set("version", tag)
	}
	o.Set("meta", meta)
	// AppendString would replace the mark: it goes in afterwards.
	const hole = `"location":"`
	text := string(o.AppendJSON(nil))
	text = strings.Replace(text, hole, hole+baseMark, 1)
	return &document{parts: splitParts(text), etag: tag, location: path}
}

func digestTag(text string) string {
	sum := sha256.Sum256([]byte(text))
	return schema.ETag(base64.RawURLEncoding.EncodeToString(sum[:12]))
}

// pieces is a document with a base URI in its places.
type pieces struct {
	parts [][]byte
	base  string
}

func (p pieces) size() int64 {
	n := len(p.base) * (len(p.parts) - 1)
	for _, part := range p.parts {
		n += len(part)
	}
	return int64(n)
}

func (p pieces) WriteTo(w io.Writer) (n int64, err error) {
	for i, part := range p.parts {
		if i > 0 {
			m, err := io.WriteString(w, p.base)
			if n += int64(m); err != nil {
				return n, err
			}
		}
		m, err := w.Write(part)
		if n += int64(m); err != nil {
			return n, err
		}
	}
	return n, nil
}

func splitParts(text string) (parts [][]byte) {
	for p := range strings.SplitSeq(text, baseMark) {
		parts = append(parts, []byte(p))
	}
	return parts
}

// discover answers a discovery document. Parameters are not looked at, but a
// filter is refused, lest its answer be taken for a filtered one (RFC 7644 §4).
func (c *call) discover() (Response, error) {
	if len(c.values("filter")) > 0 {
		return c.refuseFilter()
	}
	path := strings.ToLower(strings.Join(c.segments, "/"))
	if path == "serviceproviderconfigs" {
		path = "serviceproviderconfig"
	}
	d := c.e.docs[path]
	if d == nil {
		return Response{}, &scim.Error{Status: 404, Detail: "there is no " + quoteShort(strings.Join(c.segments, "/")) + " (RFC 7644 §4)"}
	}
	resp := Response{Status: 200}
	if !c.e.c.NoETag {
		resp.ETag = d.etag
		k, err := c.conditions()
		version := strings.TrimSuffix(strings.TrimPrefix(d.etag, `W/"`), `"`)
		switch {
		case err != nil:
			return Response{}, err
		case k.hasMatch && k.failed(version, time.Time{}):
			return Response{}, scim.ErrVersionMismatch
		case k.hasNone && k.unchanged(version, time.Time{}, true):
			resp.Status = 304
			return resp, nil
		}
	}
	if d.location != "" {
		resp.Location = c.req.Base + d.location
	}
	body := pieces{d.parts, escapedBase(c.req.Base)}
	resp.Body, resp.Size = body, body.size()
	return resp, nil
}

func (c *call) refuseFilter() (Response, error) {
	return Response{}, &scim.Error{Status: 403, Detail: "discovery documents can't be filtered (RFC 7644 §4)"}
}

// escapedBase is the base URI as the inside of a JSON string.
func escapedBase(base string) string {
	b := scim.AppendString(nil, base)
	return string(b[1 : len(b)-1])
}

func meta(typeName, location string) scim.Object {
	return scim.Object{{Name: "resourceType", Value: typeName}, {Name: "location", Value: location}}
}

func supported(on bool, more ...scim.Member) scim.Object {
	return append(scim.Object{{Name: "supported", Value: on}}, more...)
}

// serviceProviderConfig describes the engine (RFC 7643 §5, RFC 9865 §4).
func (e *Engine) serviceProviderConfig() scim.Object {
	l := e.c.Limits
	schemes := []any{}
	for _, s := range e.c.Schemes {
		o := scim.Object{{Name: "type", Value: s.Type}, {Name: "name", Value: s.Name}, {Name: "description", Value: s.Description}}
		if s.SpecURI != "" {
			o.Set("specUri", s.SpecURI)
		}
		if s.DocumentationURI != "" {
			o.Set("documentationUri", s.DocumentationURI)
		}
		if s.Primary {
			o.Set("primary", true)
		}
		schemes = append(schemes, o)
	}
	operations, payload := l.BulkOperations, l.LargeBody
	if e.c.NoBulk {
		operations, payload = 0, 0
	}
	method := "index"
	if e.c.CursorOnly {
		method = "cursor"
	}
	o := scim.Object{
		{Name: "schemas", Value: []string{scim.ServiceProviderConfigURN}},
		{Name: "meta", Value: meta("ServiceProviderConfig", "/ServiceProviderConfig")},
	}
	if e.c.DocumentationURI != "" {
		o.Set("documentationUri", e.c.DocumentationURI)
	}
	return append(o,
		scim.Member{Name: "patch", Value: supported(!e.c.NoPatch)},
		scim.Member{Name: "bulk", Value: supported(!e.c.NoBulk,
			scim.Member{Name: "maxOperations", Value: operations}, scim.Member{Name: "maxPayloadSize", Value: payload})},
		scim.Member{Name: "filter", Value: supported(true, scim.Member{Name: "maxResults", Value: l.MaxPage})},
		scim.Member{Name: "changePassword", Value: supported(e.c.Password != nil)},
		scim.Member{Name: "sort", Value: supported(!e.c.NoSort)},
		scim.Member{Name: "etag", Value: supported(!e.c.NoETag)},
		scim.Member{Name: "pagination", Value: scim.Object{
			{Name: "cursor", Value: true},
			{Name: "index", Value: !e.c.CursorOnly},
			{Name: "defaultPaginationMethod", Value: method},
			{Name: "defaultPageSize", Value: l.DefaultPage},
			{Name: "maxPageSize", Value: l.MaxPage},
			{Name: "cursorTimeout", Value: int64(e.c.CursorTimeout / time.Second)},
		}},
		scim.Member{Name: "authenticationSchemes", Value: schemes},
	)
}

// describeType returns a resource type as /ResourceTypes serves it (RFC 7643
// §6), with meta where the other resources have it.
func describeType(t *scim.ResourceType) scim.Object {
	return withMeta(schema.DescribeType(t), "ResourceType", "/ResourceTypes/"+escapeSegment(t.Name))
}

// describeSchema returns a schema as /Schemas serves it (RFC 7643 §7).
func describeSchema(s *scim.Schema) scim.Object {
	return withMeta(schema.Describe(s), "Schema", "/Schemas/"+escapeSegment(s.ID))
}

// withMeta puts meta after the id.
func withMeta(o scim.Object, typeName, location string) scim.Object {
	at := slices.IndexFunc(o, func(m scim.Member) bool { return m.Name == "id" }) + 1
	return slices.Insert(o, at, scim.Member{Name: "meta", Value: meta(typeName, location)})
}
