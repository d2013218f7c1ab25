package sqlite

import (
	"context"

	"github.com/rollcall-scim/rollcall/internal/changelog"
	"github.com/rollcall-scim/rollcall/internal/stored"
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
	for _, d := range stored.DropReferences(&doc, target) {
		rec.deltas = append(rec.deltas, changelog.Of(doc.Type, d))
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
