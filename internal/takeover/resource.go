package takeover

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// resource makes a Resource of a row of id, external_id, data, version,
// created_at and updated_at. A row that is none is noted, and nil returned.
func (r *run) resource(t *scim.ResourceType, table string, s *sqlite.Stmt) *scim.Resource {
	id := s.ColumnText(0)
	res, err := r.decode(t, id, s)
	if err != nil {
		r.note(table, id, err)
		return nil
	}
	return res
}

func (r *run) decode(t *scim.ResourceType, id string, s *sqlite.Stmt) (*scim.Resource, error) {
	if id == "" {
		return nil, errors.New("the id is empty")
	}
	raw, err := scim.ParseObject([]byte(s.ColumnText(2)), 0, 0)
	if err != nil {
		return nil, err
	}
	// What is derived or kept in columns is not read from the document. There
	// should be no password in it; if there is, it is not ours to keep.
	var doc scim.Object
	for _, m := range raw {
		switch strings.ToLower(m.Name) {
		case "id", "meta", "groups", "members", "password":
		default:
			doc = append(doc, m)
		}
	}
	trimmed := false
	o := schema.Options{
		StringBooleans: true, EmptyUnassigns: true, AnySchemas: true, IgnoreUnknown: true, WrapSingles: true,
		UnwrapSingles: true, BareReferences: true, FreeFormats: true,
		Report: func(rule string) { trimmed = trimmed || rule == "BODY-04" },
	}
	res, named, err := schema.Decode(t, doc, o)
	if err != nil {
		return nil, err
	}
	onePrimary(res.Attrs)
	schema.Defaults(res, named)
	if err := schema.Check(nil, res, o); err != nil {
		return nil, err
	}
	if trimmed {
		r.Trimmed++
	}
	res.ID = id
	res.ExternalID = cmp.Or(s.ColumnText(1), res.ExternalID)
	if res.Meta.Created, err = instant(s.ColumnText(4)); err != nil {
		return nil, fmt.Errorf("created_at: %w", err)
	}
	if res.Meta.LastModified, err = instant(s.ColumnText(5)); err != nil {
		return nil, fmt.Errorf("updated_at: %w", err)
	}
	res.Meta.Version = version(s.ColumnText(3))
	schema.Encode(res)
	return res, nil
}

// onePrimary leaves primary with the first value of each attribute that has it:
// the other program did not take it from the earlier one when another came.
func onePrimary(attrs scim.Object) {
	for _, m := range attrs {
		if o, ok := m.Value.(scim.Object); ok { // an extension
			onePrimary(o)
		}
		list, _ := m.Value.([]any)
		seen := false
		for i, v := range list {
			o, ok := v.(scim.Object)
			if !ok || o.Get("primary") != true {
				continue
			}
			if seen {
				o.Set("primary", nil)
				list[i] = o
			}
			seen = true
		}
	}
}

// version takes the wrapping of an entity-tag off a version.
func version(s string) string {
	s = strings.Trim(strings.TrimPrefix(strings.TrimSpace(s), "W/"), `"`)
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == '"' || s[i] >= 0x7f {
			return "1" // can't stand in a header
		}
	}
	return cmp.Or(s, "1")
}

// instant reads a time in the forms that SQLite's users write.
func instant(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC().Truncate(time.Millisecond), nil
		}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n > 0 {
		return time.Unix(n, 0).UTC(), nil
	}
	return time.Time{}, errors.New("not a time")
}
