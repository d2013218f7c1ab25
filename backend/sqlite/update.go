package sqlite

import (
	"bytes"
	"context"
	"slices"

	"github.com/rollcall-scim/rollcall/internal/changelog"
	"github.com/rollcall-scim/rollcall/internal/sqlfilter"
	"github.com/rollcall-scim/rollcall/internal/stored"
	"github.com/rollcall-scim/rollcall/scim"
)

// Update implements scim.Backend.
func (s *Store) Update(ctx context.Context, c scim.Change) (out *scim.Resource, err error) {
	err = s.write(ctx, func(t *session) error {
		out, err = t.update(ctx, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (t *session) update(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	row, err := t.find(c.After.Ref())
	if err != nil {
		return nil, err
	}
	if v := row.r.Meta.Version; c.Before.Meta.Version != v || (c.IfVersion != "" && c.IfVersion != v) {
		return nil, scim.ErrVersionMismatch
	}
	rec := record{op: "update", row: row}
	a := c.After.Type.Membership()
	var in, out []member
	for _, d := range c.Deltas {
		if !stored.IsMembership(d, a) {
			rec.deltas = append(rec.deltas, changelog.Of(c.After.Type, d))
			continue
		}
		refs, _ := c.After.Attrs.Get(a.Name).([]scim.MemberRef)
		added, removed, err := t.setMembers(row, a, refs)
		if err != nil {
			return nil, err
		}
		row.members += int64(len(added) - len(removed))
		rec.members(a, added, removed)
		t.came(added, removed)
		in, out = append(in, added...), append(out, removed...)
	}
	if err := t.judge(ctx, effectOf(c, row), in, out); err != nil {
		return nil, err
	}
	if err := t.storeDocument(row, c.After); err != nil {
		return nil, err
	}
	if err := t.touch(row); err != nil {
		return nil, err
	}
	rec.version = row.r.Meta.Version
	if err := t.record(ctx, rec); err != nil {
		return nil, err
	}
	return row.r, t.complete(ctx, []*entry{row}, c.After.Type, scim.Selection{}, known)
}

// storeDocument stores the document of after, and the rows made of it, in place
// of what row holds. The row itself is written by touch.
func (t *session) storeDocument(row *entry, after *scim.Resource) error {
	rows := sqlfilter.Rows(after)
	if err := t.claim(row, sqlfilter.Uniques(after), rows); err != nil {
		return err
	}
	if err := t.index(row, rows); err != nil {
		return err
	}
	if err := t.storeLinks(row, after.Links); err != nil {
		return err
	}
	cols := stored.ColumnsOf(after)
	row.r.ExternalID, row.r.Schemas = after.ExternalID, slices.Clone(after.Schemas)
	row.r.Text, row.r.Hidden, row.r.Digest = bytes.Clone(after.Text), bytes.Clone(after.Hidden), after.Digest
	return t.exec(`UPDATE resources SET external = ?, external_sort = ?, external_sent = ?, links = ?, display = ?, display_fold = ?, digest = ?, schemas = ?,
		text = ?, hidden = ? WHERE pk = ?`, orNull(cols.External), orNull(cols.ExternalSort), orNull(cols.ExternalSent), row.links,
		cols.Display, cols.DisplayFold, after.Digest, cols.Schemas, string(after.Text), orNull(string(after.Hidden)), row.pk)
}

// touch gives a resource that has changed its next version and a later
// lastModified, and stores its number of members.
func (t *session) touch(row *entry) error {
	m := &row.r.Meta
	m.Version = stored.NextVersion(m.Version)
	m.LastModified = stored.Later(m.LastModified, t.now())
	return t.exec(`UPDATE resources SET version = ?, modified = ?, members = ? WHERE pk = ?`,
		versionValue(m.Version), scim.Instant(m.LastModified), row.members, row.pk)
}
