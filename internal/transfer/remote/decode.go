package remote

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// reader makes resources of the documents of another server, and notes what is
// lost on the way.
type reader struct {
	now     time.Time
	unknown map[string]int // attributes that no schema here defines, by resources
	missing map[string]int // metadata that the server did not give, by resources
}

// tolerant is how documents of others are read: whatever can be understood.
var tolerant = schema.Options{StringBooleans: true, EmptyUnassigns: true, AnySchemas: true, IgnoreUnknown: true, WrapSingles: true,
	UnwrapSingles: true, BareReferences: true, FreeFormats: true}

// resource makes a Resource of a document, without members.
func (r *reader) resource(t *scim.ResourceType, raw scim.Object) (*scim.Resource, error) {
	id := textOf(raw, "id")
	if !fine(id) {
		return nil, errors.New("its id is missing, or can't be one")
	}
	meta := objectOf(raw, "meta")
	var doc scim.Object
	for _, m := range raw {
		switch strings.ToLower(m.Name) {
		case "id", "meta", "password": // of a password there would be a hash of somebody else's making
			continue
		}
		if !derived(t, m.Name) {
			doc = append(doc, m)
		}
	}
	r.unknownIn(t, doc)
	res, named, err := schema.Decode(t, doc, tolerant)
	if err != nil {
		return nil, err
	}
	schema.Defaults(res, named)
	if err := schema.Check(nil, res, tolerant); err != nil {
		return nil, err
	}
	res.ID = id
	res.Meta = scim.Meta{Created: r.instant(meta, "created"), LastModified: r.instant(meta, "lastModified"), Version: version(textOf(meta, "version"))}
	if res.Meta.Created.IsZero() {
		res.Meta.Created = cmp.Or(res.Meta.LastModified, r.now)
	}
	if res.Meta.LastModified.IsZero() {
		res.Meta.LastModified = res.Meta.Created
	}
	if res.Meta.Version == "" {
		r.missing["meta.version"]++
		res.Meta.Version = "1"
	}
	schema.Encode(res)
	return res, nil
}

// derived reports whether a top-level attribute is kept elsewhere, or made of
// other resources.
func derived(t *scim.ResourceType, name string) bool {
	a := t.Schema.Attribute(name)
	return a != nil && (a.Membership || a.Derived)
}

func (r *reader) instant(meta scim.Object, name string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, textOf(meta, name))
	if err != nil {
		r.missing["meta."+name]++
		return time.Time{}
	}
	return at.UTC().Truncate(time.Millisecond)
}

// version takes the wrapping of an entity-tag off a version.
func version(s string) string {
	s = strings.Trim(strings.TrimPrefix(strings.TrimSpace(s), "W/"), `"`)
	if !fine(s) {
		return ""
	}
	return s
}

// fine reports whether s can stand in a path and in a header.
func fine(s string) bool {
	return s != "" && len(s) <= 1_000 && !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c == '"' || c == 0x7f })
}

// unknownIn notes the attributes of a document that no schema here defines.
func (r *reader) unknownIn(t *scim.ResourceType, doc scim.Object) {
	for _, m := range doc {
		switch {
		case equal(m.Name, "schemas"), equal(m.Name, "externalId"):
		case equal(m.Name, t.Schema.ID):
			inner, _ := m.Value.(scim.Object)
			r.unknownAmong(t.Name, "", t.Schema.Attributes, inner)
		case t.Extension(m.Name) != nil:
			inner, _ := m.Value.(scim.Object)
			r.unknownAmong(t.Name, m.Name+":", t.Extension(m.Name).Attributes, inner)
		default:
			r.unknownAmong(t.Name, "", t.Schema.Attributes, scim.Object{m})
		}
	}
}

func (r *reader) unknownAmong(typ, prefix string, attrs []*scim.Attribute, o scim.Object) {
	for _, m := range o {
		i := slices.IndexFunc(attrs, func(a *scim.Attribute) bool { return equal(a.Name, m.Name) })
		if i < 0 {
			r.unknown[typ+" "+prefix+m.Name]++
			continue
		}
		if attrs[i].Type != scim.TypeComplex {
			continue
		}
		list, many := m.Value.([]any)
		if !many {
			list = []any{m.Value}
		}
		noted := map[string]bool{}
		for _, v := range list {
			inner, _ := v.(scim.Object)
			for _, sub := range inner {
				name := typ + " " + prefix + attrs[i].Name + "." + sub.Name
				if attrs[i].Sub(sub.Name) == nil && !noted[name] {
					noted[name] = true
					r.unknown[name]++
				}
			}
		}
	}
}
