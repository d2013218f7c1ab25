package sqlite

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/rollcall-scim/rollcall/internal/changelog"
	"github.com/rollcall-scim/rollcall/internal/sqlfilter"
	"github.com/rollcall-scim/rollcall/internal/stored"
	"github.com/rollcall-scim/rollcall/scim"
)

// Create implements scim.Backend.
func (s *Store) Create(ctx context.Context, r *scim.Resource) (out *scim.Resource, err error) {
	err = s.writeBare(ctx, func(t *session) error {
		out, err = t.create(ctx, r)
		return err
	})
	return present(out, err)
}

// Import implements scim.Importer.
func (s *Store) Import(ctx context.Context, r *scim.Resource) error {
	return s.write(ctx, func(t *session) error { return t.importAs(ctx, r) })
}

func (t *session) create(ctx context.Context, r *scim.Resource) (*scim.Resource, error) {
	now := t.now()
	if err := t.judgeNew(ctx, r); err != nil {
		return nil, err
	}
	row, err := t.insert(ctx, r, t.w.seq+1, t.db.o.NewID(), scim.Meta{Created: now, LastModified: now, Version: "1"})
	if err != nil {
		return nil, err
	}
	return row.r, t.complete(ctx, []*entry{row}, r.Type, scim.Selection{}, fresh)
}

func (t *session) importAs(ctx context.Context, r *scim.Resource) error {
	_, taken, err := t.one(`SELECT pk FROM resources WHERE tenant = ? AND id = ?`, t.tenant, r.ID)
	switch {
	case err != nil:
		return err
	case taken:
		return scim.NotUnique("id")
	}
	_, err = t.insert(ctx, r, t.w.seq+1, r.ID, r.Meta)
	return err
}

// insert stores a resource. All that could refuse it is looked at before the
// first row is written, so that it needs no savepoint ([writer.bare]).
func (t *session) insert(ctx context.Context, r *scim.Resource, pk int64, id string, meta scim.Meta) (*entry, error) {
	typ, err := t.typePK(r.Type)
	if err != nil {
		return nil, err
	}
	row := &entry{pk: pk, typ: typ, links: int64(len(r.Links)), r: &scim.Resource{
		Type: r.Type, ID: id, ExternalID: r.ExternalID, Meta: meta, Schemas: slices.Clone(r.Schemas),
		Text: bytes.Clone(r.Text), Hidden: bytes.Clone(r.Hidden), Digest: r.Digest,
	}}
	a := r.Type.Membership()
	var members []member
	if a != nil {
		refs, _ := r.Attrs.Get(a.Name).([]scim.MemberRef)
		if members, err = t.resolveAll(a, refs); err != nil {
			return nil, err
		}
	}
	rows := sqlfilter.Rows(r)
	if err := t.claim(row, sqlfilter.Uniques(r), rows); err != nil {
		return nil, err
	}
	c := stored.ColumnsOf(r)
	err = t.exec(`INSERT INTO resources (pk, tenant, type, id, external, seq, version, created, modified, links, display,
		display_fold, digest, schemas, text, hidden, external_sort, external_sent)
		VALUES (?1, ?2, ?3, ?4, ?5, ?1, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)`,
		row.pk, t.tenant, typ, id, orNull(c.External), versionValue(meta.Version), scim.Instant(meta.Created),
		scim.Instant(meta.LastModified), row.links, c.Display, c.DisplayFold, r.Digest, c.Schemas,
		string(r.Text), orNull(string(r.Hidden)), orNull(c.ExternalSort), orNull(c.ExternalSent))
	if err != nil {
		return nil, err
	}
	if before := t.w.seq; row.pk > before {
		t.w.seq = row.pk
		t.w.undo = append(t.w.undo, func() { t.w.seq = before })
	}
	rec := record{op: "create", row: row, version: meta.Version, deltas: changelog.Values(r, true)}
	if len(members) > 0 {
		added, err := t.insertMembers(row, members)
		if err != nil {
			return nil, err
		}
		row.members = int64(len(added))
		if err := t.exec(`UPDATE resources SET members = ? WHERE pk = ?`, row.members, row.pk); err != nil {
			return nil, err
		}
		rec.members(a, added, nil)
		t.came(added, nil)
	}
	if err := t.index(row, rows); err != nil {
		return nil, err
	}
	if err := t.storeLinks(row, r.Links); err != nil {
		return nil, err
	}
	if err := t.count(typ, 1); err != nil {
		return nil, err
	}
	return row, t.record(ctx, rec)
}

// count keeps the number of resources of a type.
func (t *session) count(typ, by int64) error {
	if known, ok := t.w.settled[t.tenant]; ok && by < 0 {
		known.left -= by
		t.w.settled[t.tenant] = known
	}
	return t.exec(`INSERT INTO counts (tenant, type, n) VALUES (?, ?, ?)
		ON CONFLICT (tenant, type) DO UPDATE SET n = n + excluded.n`, t.tenant, typ, by)
}

// now returns the time, as precise as meta shows it.
func (t *session) now() time.Time { return t.db.o.Now().UTC().Truncate(time.Millisecond) }

// versionValue is a version as it is stored: a number where it is one, since
// that is what versions are but for those imported.
func versionValue(v string) any {
	if n, ok := stored.Number(v); ok {
		return n
	}
	return v
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
