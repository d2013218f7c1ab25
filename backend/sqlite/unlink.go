package sqlite

import (
	"context"
	"slices"

	"github.com/rollcall-scim/rollcall/scim"
)

// unlink takes the references to a resource out of the document in row, which
// has changed then (RFC 7643 §2.3.7).
func (t *session) unlink(ctx context.Context, row *entry, target string) error {
	name, err := t.typeName(row.typ)
	if err != nil {
		return err
	}
	doc := *row.r
	doc.Type, doc.Links = t.resourceType(name), nil
	if doc.Type != nil {
		err = t.db.o.Load(&doc)
	}
	if doc.Type == nil || err != nil {
		t.db.o.Logger.Warn("sqlite: a document keeps a reference to a deleted resource: its schema is not known, or does not fit",
			"type", name, "id", row.r.ID, "err", err)
		return t.exec(`DELETE FROM refs WHERE tenant = ? AND target = ? AND res = ?`, t.tenant, target, row.pk)
	}
	rec := record{op: "update", row: row}
	doc.Attrs = scim.Clone(doc.Attrs)
	for _, d := range dropReferences(&doc, target) {
		rec.deltas = append(rec.deltas, ofDelta(doc.Type, d))
	}
	t.db.o.Encode(&doc)
	if err := t.storeDocument(row, &doc); err != nil {
		return err
	}
	if err := t.touch(row); err != nil {
		return err
	}
	rec.version = row.r.Meta.Version
	return t.record(ctx, rec)
}

// dropReferences removes the values of Links attributes that name the target,
// and extensions that are left empty. It returns what changed.
func dropReferences(r *scim.Resource, target string) (deltas []scim.Delta) {
	drop := func(in *scim.Object, urn string, attrs []*scim.Attribute) {
		for _, a := range attrs {
			v := in.Get(a.Name)
			if v == nil || len(a.Links) == 0 || a.Membership || a.Derived {
				continue
			}
			had, many := v.([]any)
			if !many {
				had = []any{v}
			}
			left := slices.DeleteFunc(slices.Clone(had), func(v any) bool {
				o, _ := v.(scim.Object)
				return o.Get("value") == target
			})
			switch {
			case len(left) == len(had):
				continue
			case len(left) == 0:
				in.Set(a.Name, nil)
			default:
				in.Set(a.Name, left)
			}
			deltas = append(deltas, scim.Delta{Path: scim.AttrPath{URN: urn, Name: a.Name, Attr: a}, Added: left, Removed: had})
		}
	}
	drop(&r.Attrs, "", r.Type.Schema.Attributes)
	for _, x := range r.Type.Extensions {
		values, ok := r.Attrs.Get(x.Schema.ID).(scim.Object)
		if !ok {
			continue
		}
		drop(&values, x.Schema.ID, x.Schema.Attributes)
		if len(values) > 0 {
			r.Attrs.Set(x.Schema.ID, values)
			continue
		}
		r.Attrs.Set(x.Schema.ID, nil)
		r.Schemas = slices.DeleteFunc(slices.Clone(r.Schemas), func(urn string) bool { return urn == x.Schema.ID })
	}
	return deltas
}
