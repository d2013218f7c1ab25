package postgres

import (
	"context"

	"github.com/rollcall-scim/rollcall/internal/changelog"
	"github.com/rollcall-scim/rollcall/internal/stored"
	"github.com/rollcall-scim/rollcall/scim"
)

// unlink queues what takes the references to a resource out of the document in
// row, which has changed then (RFC 7643 §2.3.7).
func (t *session) unlink(ctx context.Context, row *entry, target string, had *held) error {
	doc := *row.r
	doc.Type, doc.Links = t.resourceType(row.typ), nil
	var err error
	if doc.Type != nil {
		err = t.db.o.Load(&doc)
	}
	if doc.Type == nil || err != nil {
		if row.typ != "" { // a tombstone has no document
			t.db.o.Logger.Warn("postgres: a document keeps a reference to a deleted resource: its schema is not known, or does not fit",
				"type", row.typ, "id", row.r.ID, "err", err)
		}
		t.later(`DELETE FROM refs WHERE tenant = $1 AND res = $2 AND target = $3`, t.tenant, row.pk, escape(target))
		return nil
	}
	rec := record{op: "update", row: row}
	doc.Attrs = scim.Clone(doc.Attrs)
	for _, d := range stored.DropReferences(&doc, target) {
		rec.deltas = append(rec.deltas, changelog.Of(doc.Type, d))
	}
	if len(rec.deltas) == 0 { // somebody else has, before row was locked
		t.later(`DELETE FROM refs WHERE tenant = $1 AND res = $2 AND target = $3`, t.tenant, row.pk, escape(target))
		return nil
	}
	t.db.o.Encode(&doc)
	d := draftOf(&doc)
	d.held, d.taken = had, new([]claim) // it claims nothing that it did not hold
	if err := t.save(row, d); err != nil {
		return err
	}
	rec.version = row.r.Meta.Version
	t.record(ctx, rec)
	return nil
}
