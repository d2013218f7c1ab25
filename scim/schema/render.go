package schema

import (
	"bytes"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

// View says how a resource is shown to a client (RFC 7644 §3.9).
type View struct {
	Base      string                       // base URI for meta.location and $ref, no trailing slash
	Endpoints func(typeName string) string // "/Users" for "User", for $ref; "" if not served
	Selection scim.Selection
	Sent      []string // canonical paths the client sent in this write: returned "request" ones are shown
	NoVersion bool     // ETags are off (ETG-018)

	WholeSeconds bool // times have no fraction
	RelativeRefs bool // $ref is relative to Base: "Users/{id}"
}

// Render writes r as JSON, members as they are read (RFC 7643 §3, RFC 7644
// §3.9). The order of the names is always the same: schemas, id, externalId,
// meta, the attributes of the base schema in its order, members and groups
// among them with their values in the order of their sub-attributes, then the
// extensions. What the selection does not touch in the document is copied from
// Text without being decoded, unless attributes of it follow members or groups.
//
// An error of w or of r.Members ends it, with part of the answer written if
// that is long; an answer of up to 16 KiB is written in one piece or not at all.
func Render(w io.Writer, r *scim.Resource, v View) error {
	var s show
	s.decide(r, &v)
	o := output{w: w, r: r, v: &v}
	o.room(len(r.Text) + 768 + 160*len(r.Groups))
	o.head(&s)
	switch {
	case s.document == none:
		o.associates(&s)
	case s.document == whole && r.Text != nil && r.Digest == r.Type.Digest && associatesLast(r.Type):
		o.splice(&s)
	default:
		o.project(&s)
	}
	o.b = append(o.b, '}')
	o.flush()
	return o.err
}

// output collects what is written.
type output struct {
	w   io.Writer
	r   *scim.Resource
	v   *View
	b   []byte
	err error // the first; nothing is written after it

	links map[linkPlace]scim.Link // r.Links, once project needs them
}

// room makes b an empty buffer of at least n bytes: the writer's own where it
// has one, which is good until the next Write.
func (o *output) room(n int) {
	if w, ok := o.w.(interface{ AvailableBuffer() []byte }); ok {
		o.b = w.AvailableBuffer()
	}
	if cap(o.b) < n {
		o.b = make([]byte, 0, n)
	}
	o.b = o.b[:0]
}

// flush hands on what has been collected.
func (o *output) flush() {
	if o.err == nil {
		_, o.err = o.w.Write(o.b)
	}
}

// head appends the attributes that every resource has (RFC 7643 §3, §3.1).
func (o *output) head(s *show) {
	r, b := o.r, o.b
	b = append(b, `{"schemas":[`...)
	for i, urn := range schemasOf(r) {
		if i > 0 {
			b = append(b, ',')
		}
		b = scim.AppendString(b, urn)
	}
	b = append(b, `],"id":`...)
	b = scim.AppendString(b, r.ID)
	if s.externalID && r.ExternalID != "" {
		b = append(b, `,"externalId":`...)
		b = scim.AppendString(b, r.ExternalID)
	}
	o.b = b
	if s.meta.any() {
		o.meta(s.meta)
	}
}

// schemasOf returns the resource's schemas, of a backend that does not keep them
// too.
func schemasOf(r *scim.Resource) []string {
	if r.Schemas != nil {
		return r.Schemas
	}
	urns := []string{r.Type.Schema.ID}
	for _, x := range r.Type.Extensions {
		if o, _ := r.Attrs.Get(x.Schema.ID).(scim.Object); assigned(o) {
			urns = append(urns, x.Schema.ID)
		}
	}
	return urns
}

// meta appends RFC 7643 §3.1's meta, or what is asked for of it.
func (o *output) meta(m metaShow) {
	r := o.r
	b := append(o.b, `,"meta":{`...)
	start := len(b)
	name := func(name string) {
		if len(b) > start {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), name...), `":`...)
	}
	if m.created {
		name("created")
		b = o.time(b, r.Meta.Created)
	}
	if m.lastModified {
		name("lastModified")
		b = o.time(b, r.Meta.LastModified)
	}
	if m.resourceType {
		name("resourceType")
		b = scim.AppendString(b, r.Type.Name)
	}
	if m.location {
		name("location")
		b = append(b, '"')
		b = uri(appendEscaped(b, o.v.Base), r.Type.Endpoint, r.ID)
		b = append(b, '"')
	}
	if m.version && !o.v.NoVersion && r.Meta.Version != "" {
		name("version")
		b = scim.AppendString(b, ETag(r.Meta.Version))
	}
	if len(b) == start {
		b = b[:start-len(`,"meta":{`)]
	} else {
		b = append(b, '}')
	}
	o.b = b
}

// ETag returns the entity tag of a version: weak, since one resource has many
// representations (RFC 7644 §3.14). It is the header and meta.version alike.
func ETag(version string) string { return `W/"` + version + `"` }

// Location returns the absolute URI of a resource (RFC 7643 §3.1), the header
// and meta.location alike.
func Location(base, endpoint, id string) string {
	return base + endpoint + "/" + url.PathEscape(id)
}

// uri appends the path of a resource below the base URI, ready to stand in JSON.
func uri(b []byte, endpoint, id string) []byte {
	b = append(b, endpoint...)
	b = append(b, '/')
	for i := range len(id) {
		if c := id[i]; c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return append(b, url.PathEscape(id)...)
		}
	}
	return append(b, id...)
}

// appendEscaped appends s as the inside of a JSON string.
func appendEscaped(b []byte, s string) []byte {
	start := len(b)
	b = scim.AppendString(b, s)
	copy(b[start:], b[start+1:len(b)-1])
	return b[:len(b)-2]
}

// time appends a time as COM-017 wants it: UTC, "Z", milliseconds unless the
// view has none.
func (o *output) time(b []byte, t time.Time) []byte {
	layout := "2006-01-02T15:04:05.000Z"
	if o.v.WholeSeconds {
		layout = "2006-01-02T15:04:05Z"
	}
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, layout)
	return append(b, '"')
}

// splice appends Text with what is derived put in its places.
func (o *output) splice(s *show) {
	r := o.r
	end := len(r.Text)
	for _, x := range r.Type.Extensions {
		if i := extensionAt(r.Text, x.Schema.ID); i >= 0 {
			end = i
			break
		}
	}
	if end > 0 {
		o.b = append(o.b, ',')
	}
	from := 0
	copyTo := func(to int) {
		for _, l := range r.Links {
			if l.Visible && l.Pos > from && l.Pos <= to {
				o.b = append(o.b, r.Text[from:l.Pos]...)
				o.link(l, linkShow{ref: true, display: true})
				from = l.Pos
			}
		}
		o.b = append(o.b, r.Text[from:to]...)
		from = to
	}
	copyTo(end)
	o.associates(s)
	if end < len(r.Text) {
		if end == 0 {
			o.b = append(o.b, ',')
		}
		copyTo(len(r.Text))
	}
}

// extensionAt returns where in text the extension begins, comma included, or
// -1. In a JSON string the quotation mark would be escaped, so that what is
// found is a name, and only an extension has this one.
func extensionAt(text []byte, urn string) int {
	var pattern [160]byte
	p := append(pattern[:0], '"')
	p = append(p, urn...)
	p = append(p, `":{`...)
	i := bytes.Index(text, p)
	if i > 0 {
		i--
	}
	return i
}

// linkShow says which derived sub-attributes of a reference are shown.
type linkShow struct{ ref, display bool }

// link appends the derived sub-attributes of a reference (RFC 7643 §2.4).
func (o *output) link(l scim.Link, s linkShow) {
	a := o.attributeAt(l.Path)
	if a == nil {
		return
	}
	if s.ref {
		o.ref(a, l.Ref.Type, l.Ref.ID)
	}
	if !s.display || l.Ref.Display == "" {
		return
	}
	if d := displayOf(a); d != "" {
		o.b = append(key(o.b, d), '"')
		o.b = append(appendEscaped(o.b, l.Ref.Display), '"')
	}
}

// displayOf returns the name of a link's derived display name, or "".
func displayOf(a *scim.Attribute) string {
	for _, s := range a.SubAttributes {
		if s.Name == "displayName" || s.Name == "display" {
			return s.Name
		}
	}
	return ""
}

// ref appends the $ref of a resource whose type is served.
func (o *output) ref(a *scim.Attribute, typeName, id string) {
	if typeName == "" && len(a.Links) == 1 {
		typeName = a.Links[0]
	}
	if typeName == "" || o.v.Endpoints == nil {
		return
	}
	endpoint := o.v.Endpoints(typeName)
	if endpoint == "" {
		return
	}
	o.b = append(key(o.b, "$ref"), '"')
	if o.v.RelativeRefs {
		endpoint = strings.TrimPrefix(endpoint, "/")
	} else {
		o.b = appendEscaped(o.b, o.v.Base)
	}
	o.b = append(uri(o.b, endpoint, id), '"')
}

// attributeAt returns the attribute with the canonical path, or nil.
func (o *output) attributeAt(path string) *scim.Attribute {
	t := o.r.Type
	for _, x := range t.Extensions {
		if name, ok := strings.CutPrefix(path, x.Schema.ID); ok && name != "" && name[0] == ':' {
			return x.Schema.Attribute(name[1:])
		}
	}
	return t.Schema.Attribute(path)
}
