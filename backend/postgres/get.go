package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/scim"
)

// entry is a row of resources as it is read.
type entry struct {
	pk             int64
	typ            string
	members, links int64 // how many there are
	seen           bool  // it was there before this session wrote it
	r              *scim.Resource
}

// columns are those that scan reads, in its order.
const columns = `r.pk, r.type, r.id, coalesce(r.external_sent, r.external, ''), r.version, r.created, r.modified, r.members, r.links,
	r.digest, r.schemas, r.text, coalesce(r.hidden, '')`

// columnCount is how many they are.
const columnCount = 13

// scan reads a row that begins with columns, and what follows them into more.
func scan(rows pgx.Rows, rt *scim.ResourceType, more ...any) (*entry, error) {
	row := &entry{seen: true, r: &scim.Resource{Type: rt}}
	r, schemas := row.r, ""
	var created, modified int64
	into := [columnCount + mostMore]any{&row.pk, &row.typ, &r.ID, &r.ExternalID, &r.Meta.Version, &created, &modified, &row.members, &row.links,
		&r.Digest, &schemas, (*bytes)(&r.Text), (*bytes)(&r.Hidden)}
	if err := rows.Scan(into[:columnCount+copy(into[columnCount:], more)]...); err != nil {
		return nil, err
	}
	r.ID, r.ExternalID, r.Meta.Version = unescape(r.ID), unescape(r.ExternalID), unescape(r.Meta.Version)
	r.Meta.Created, r.Meta.LastModified = instant(created), instant(modified)
	r.Schemas = strings.Fields(schemas)
	return row, nil
}

// bytes reads a text without a detour over a string; nothing becomes nil.
type bytes []byte

// ScanBytes implements pgtype.BytesScanner.
func (b *bytes) ScanBytes(v []byte) error {
	if *b = nil; len(v) > 0 {
		*b = append(make([]byte, 0, len(v)), v...)
	}
	return nil
}

// instant is the inverse of scim.Instant.
func instant(us int64) time.Time { return time.UnixMicro(us).UTC() }

// Get implements scim.Backend. It takes one round trip. A resource that can have
// members is read with them at one moment; to others nothing belongs of which
// their version speaks.
func (s *Store) Get(ctx context.Context, ref scim.Ref, sel scim.Selection) (r *scim.Resource, err error) {
	read := s.peek
	if ref.Type.Membership() != nil {
		read = s.read
	}
	err = read(ctx, func(t *session) error {
		row, err := t.get(ctx, ref, sel)
		if r = nil; row != nil {
			r = row.r
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// get sends all at once what is needed to know a resource.
func (t *session) get(ctx context.Context, ref scim.Ref, sel scim.Selection) (*entry, error) {
	t.db.remember(t.store.tenant, ref.Type)
	var row *entry
	if w := t.joined(ref.Type, sel); w != nil {
		t.laterEach(w.find(), func(rows pgx.Rows) (err error) {
			row, err = w.scan(rows)
			return err
		}, t.tenant, escape(ref.ID), ref.Type.Name)
	} else {
		t.laterEach(find, func(rows pgx.Rows) (err error) {
			row, err = scan(rows, ref.Type)
			return err
		}, t.tenant, escape(ref.ID), ref.Type.Name)
		t.completeNamed(ref, sel, func() *entry { return row })
	}
	if m := ref.Type.Membership(); m != nil && sel.Wants(m.Name) {
		t.membersOf(ref.ID, func() *entry { return row })
	}
	t.finish()
	if err := t.flush(ctx); err != nil {
		return nil, err
	}
	if row == nil {
		return nil, scim.ErrNotFound
	}
	if m := ref.Type.Membership(); m != nil && sel.Wants(m.Name) && row.r.Members == nil {
		row.r.Members = t.stream(ctx, row.pk)
	}
	return row, nil
}

const find = `SELECT ` + columns + ` FROM resources r WHERE r.tenant = $1 AND r.id = $2 AND r.type = $3`

// age says whether a resource can be in groups yet.
type age bool

const (
	known age = false
	fresh age = true
)

// complete queues what adds to resources of one type what the selection wants
// of groups, members and references: one query each, however many resources
// there are. They are complete once the queue has been sent.
func (t *session) complete(ctx context.Context, rows []*entry, rt *scim.ResourceType, sel scim.Selection, a age) {
	t.links(rows)
	if g := rt.Groups(); g != nil && a == known && sel.Wants(g.Name) {
		t.groups(rows)
	}
	if m := rt.Membership(); m != nil && sel.Wants(m.Name) {
		t.members(ctx, rows)
	}
}

// completeNamed is complete, but for members, for one resource of which no more
// is known than its name; row returns it, once it has been read.
func (t *session) completeNamed(ref scim.Ref, sel scim.Selection, row func() *entry) {
	if refers(ref.Type) {
		t.linksOf(ref.ID, row)
	}
	if g := ref.Type.Groups(); g != nil && sel.Wants(g.Name) {
		t.groupsOf(ref.ID, row)
	}
}

// refers reports whether documents of a type can hold references.
func refers(rt *scim.ResourceType) bool {
	any := func(attrs []*scim.Attribute) bool {
		for _, a := range attrs {
			if len(a.Links) > 0 && !a.Membership && !a.Derived {
				return true
			}
		}
		return false
	}
	for _, x := range rt.Extensions {
		if any(x.Schema.Attributes) {
			return true
		}
	}
	return any(rt.Schema.Attributes)
}

// pks are the numbers of resources, for unnest: the way to hand a statement a
// list whose length is not part of its text.
func pks(rows []*entry) []int64 {
	list := make([]int64, len(rows))
	for i, row := range rows {
		list[i] = row.pk
	}
	return list
}
