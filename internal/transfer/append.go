package transfer

import (
	"strconv"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

// appendRecord appends the one JSON form of a record: a line of an export, and
// what digests are made of. Equal records have equal forms.
func appendRecord(b []byte, r Record) []byte {
	w := line{b: append(b, '{')}
	kind := r.Kind
	w.text("kind", string(kind))
	w.text("tenant", r.Tenant)
	switch {
	case r.Resource != nil:
		w.resource(r.Resource, kind == Deleted)
	case r.Tombstone != nil:
		t := r.Tombstone
		w.number("seq", t.Seq)
		w.text("type", t.Type)
		w.text("id", t.ID)
		w.number("change", t.Change)
		w.option("actor", t.Actor)
		w.option("request", t.Request)
	case r.Change != nil:
		c := r.Change
		w.number("seq", c.Seq)
		w.text("time", moment(c.Time))
		w.text("type", c.Type)
		w.text("id", c.ID)
		w.number("res", c.Res)
		w.text("op", c.Op)
		w.option("version", c.Version)
		w.option("actor", c.Actor)
		w.option("request", c.Request)
		w.option("address", c.Address)
		w.raw("log", c.Deltas)
	case r.Edges != nil:
		w.edges(r.Edges)
	}
	return append(w.b, '}')
}

// line is an object in the making.
type line struct{ b []byte }

func (w *line) key(name string) {
	if w.b[len(w.b)-1] != '{' {
		w.b = append(w.b, ',')
	}
	w.b = append(append(append(w.b, '"'), name...), `":`...)
}

func (w *line) text(name, s string) {
	w.key(name)
	w.b = scim.AppendString(w.b, s)
}

func (w *line) option(name, s string) {
	if s != "" {
		w.text(name, s)
	}
}

func (w *line) number(name string, n int64) {
	w.key(name)
	w.b = strconv.AppendInt(w.b, n, 10)
}

func (w *line) raw(name string, json []byte) {
	w.key(name)
	w.b = append(w.b, json...)
}

// object writes members that lack their braces.
func (w *line) object(name string, members []byte) {
	w.key(name)
	w.b = append(append(append(w.b, '{'), members...), '}')
}

func (w *line) resource(r *Resource, deleted bool) {
	w.number("seq", r.Seq)
	w.text("type", r.TypeName)
	w.text("id", r.ID)
	w.option("externalId", r.ExternalID)
	w.text("created", moment(r.Meta.Created))
	w.text("lastModified", moment(r.Meta.LastModified))
	w.text("version", r.Meta.Version)
	if deleted {
		w.text("name", r.Name)
		w.text("deleted", moment(r.Time))
	}
	w.key("schemas")
	w.b = append(w.b, '[')
	for i, urn := range r.Schemas {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = scim.AppendString(w.b, urn)
	}
	w.b = append(w.b, ']')
	w.text("digest", r.Digest)
	if len(r.Links) > 0 {
		w.key("links")
		w.b = append(w.b, '[')
		for i, l := range r.Links {
			if i > 0 {
				w.b = append(w.b, ',')
			}
			w.b = scim.AppendString(append(w.b, '['), l.Path)
			w.b = strconv.AppendInt(append(w.b, ','), int64(l.Pos), 10)
			w.b = strconv.AppendBool(append(w.b, ','), l.Visible)
			w.b = scim.AppendString(append(w.b, ','), l.Ref.ID)
			w.b = append(w.b, ']')
		}
		w.b = append(w.b, ']')
	}
	w.object("document", r.Text)
	if len(r.Hidden) > 0 {
		w.object("hidden", r.Hidden)
	}
}

func (w *line) edges(e *Edges) {
	w.number("from", e.From)
	w.option("id", e.FromID)
	w.key("to")
	w.b = append(w.b, '[')
	for i, n := range e.To {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = strconv.AppendInt(w.b, n, 10)
	}
	w.b = append(w.b, ']')
	if e.IDs == nil {
		return
	}
	w.key("ids")
	w.b = append(w.b, '[')
	for i, id := range e.IDs {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = scim.AppendString(w.b, id)
	}
	w.b = append(w.b, ']')
}

// moment is a time with the fractions that it has.
func moment(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
