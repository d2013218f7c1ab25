package postgres

import (
	"context"
	"slices"

	"github.com/rollcall-scim/rollcall/internal/changelog"
	"github.com/rollcall-scim/rollcall/internal/sqlfilter"
	"github.com/rollcall-scim/rollcall/internal/stored"
	"github.com/rollcall-scim/rollcall/scim"
)

// Update implements scim.Backend. It takes two round trips.
func (s *Store) Update(ctx context.Context, c scim.Change) (out *scim.Resource, err error) {
	err = s.write(ctx, func(t *session) error {
		out, err = t.update(ctx, c)
		return err
	})
	return present(out, err)
}

func (t *session) update(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	t.alone(ctx, &c)
	locked := t.queueLock(c.After.Ref())
	doc := t.queueDraft(c.After)
	if err := t.flush(ctx); err != nil {
		return nil, err
	}
	row := *locked
	if row == nil {
		return nil, scim.ErrNotFound
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
		added, removed, err := t.setMembers(ctx, row, a, refs)
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
	if err := t.save(row, doc); err != nil {
		return nil, err
	}
	rec.version = row.r.Meta.Version
	t.record(ctx, rec)
	t.complete(ctx, []*entry{row}, c.After.Type, scim.Selection{}, known)
	t.finish()
	return row.r, t.flush(ctx)
}

// draft is a document that is to take the place of what a resource holds.
type draft struct {
	after   *scim.Resource
	columns stored.Columns
	claims  []claim
	rows    []sqlfilter.Row
	held    *held
	taken   *[]claim
}

func draftOf(after *scim.Resource) *draft {
	return &draft{after: after, columns: stored.ColumnsOf(after), claims: claimsOf(after), rows: sqlfilter.Rows(after)}
}

// queueDraft queues what must be known to store after, whose row was locked
// before.
func (t *session) queueDraft(after *scim.Resource) *draft {
	d := draftOf(after)
	d.held = t.queueHeld(after.Ref())
	d.taken = t.queueTaken(after.Ref(), d.claims)
	return d
}

// save queues what gives a resource that has changed its next version, a later
// lastModified, its number of members and, where d is not nil, its document and
// the rows made of it.
func (t *session) save(row *entry, d *draft) error {
	m := &row.r.Meta
	m.Version, m.LastModified = stored.NextVersion(m.Version), stored.Later(m.LastModified, t.db.now())
	if d == nil {
		t.later(`UPDATE resources SET version = $3, modified = $4, members = $5 WHERE tenant = $1 AND pk = $2`,
			t.tenant, row.pk, escape(m.Version), scim.Instant(m.LastModified), row.members)
		return nil
	}
	if err := t.claim(row, d.claims, *d.taken, d.rows, d.held); err != nil {
		return err
	}
	t.index(row, d.rows, d.held)
	t.storeLinks(row, d.after.Links)
	r, after, c := row.r, d.after, d.columns
	r.ExternalID, r.Schemas, r.Digest = after.ExternalID, slices.Clone(after.Schemas), after.Digest
	r.Text, r.Hidden = slices.Clone(after.Text), slices.Clone(after.Hidden)
	t.later(`UPDATE resources SET version = $3, modified = $4, members = $5, external = $6, external_sort = $7, external_sent = $8, links = $9,
		display = $10, display_fold = $11, digest = $12, schemas = $13, text = $14, hidden = $15 WHERE tenant = $1 AND pk = $2`,
		t.tenant, row.pk, escape(m.Version), scim.Instant(m.LastModified), row.members,
		orNull(c.External), orNull(c.ExternalSort), orNull(c.ExternalSent), row.links, escape(c.Display), escape(c.DisplayFold),
		r.Digest, c.Schemas, string(r.Text), orNull(string(r.Hidden)))
	return nil
}
