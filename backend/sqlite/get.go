package sqlite

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/rollcall-scim/rollcall/scim"
)

// entry is a row of resources as it is read.
type entry struct {
	pk, typ        int64
	members, links int64 // how many there are
	seen           bool  // it was there before this session wrote it
	r              *scim.Resource
}

// columns are those that scan reads, in its order.
const columns = `r.pk, r.type, r.id, coalesce(r.external_sent, r.external), r.version, r.created, r.modified, r.members, r.links, r.digest, r.schemas, r.text, r.hidden`

// columnCount is how many they are.
const columnCount = 13

func scan(st *sqlite.Stmt, rt *scim.ResourceType) *entry {
	return &entry{seen: true, pk: st.ColumnInt64(0), typ: st.ColumnInt64(1), members: st.ColumnInt64(7), links: st.ColumnInt64(8),
		r: &scim.Resource{
			Type: rt, ID: st.ColumnText(2), ExternalID: st.ColumnText(3), Digest: st.ColumnText(9),
			Meta: scim.Meta{
				Created: instant(st.ColumnInt64(5)), LastModified: instant(st.ColumnInt64(6)), Version: st.ColumnText(4)},
			Schemas: strings.Fields(st.ColumnText(10)), Text: columnBytes(st, 11), Hidden: columnBytes(st, 12),
		}}
}

// instant is the inverse of scim.Instant.
func instant(us int64) time.Time { return time.UnixMicro(us).UTC() }

// Get implements scim.Backend.
func (s *Store) Get(ctx context.Context, ref scim.Ref, sel scim.Selection) (r *scim.Resource, err error) {
	read := s.read
	if ref.Type.Membership() == nil {
		// One statement, or two that need not be of one moment: a reference may
		// show the name that its target got since. A transaction costs as much.
		read = s.peek
	}
	err = read(ctx, func(t *session) error {
		r, err = t.get(ctx, ref, sel)
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (t *session) get(ctx context.Context, ref scim.Ref, sel scim.Selection) (*scim.Resource, error) {
	if g := ref.Type.Groups(); g != nil && sel.Wants(g.Name) && ref.Type.Membership() == nil && t.names.nested[t.tenant] == 0 {
		return t.getGrouped(ref)
	}
	row, err := t.find(ref)
	if err != nil {
		return nil, err
	}
	return row.r, t.complete(ctx, []*entry{row}, ref.Type, sel, known)
}

// getGrouped returns a resource and the groups that it is in, where no groups
// nest, by one statement.
func (t *session) getGrouped(ref scim.Ref) (*scim.Resource, error) {
	typ, err := t.typePK(ref.Type)
	if err != nil {
		return nil, err
	}
	var row *entry
	groups := ""
	err = t.each(`SELECT `+columns+`, (SELECT json_group_array(json_array(g.pk, g.id, g.display))
			FROM members m CROSS JOIN resources g INDEXED BY resources_groups ON g.pk = m.grp AND g.members > 0 AND g.type > 0
			WHERE m.member = r.pk AND m.tenant = r.tenant)
		FROM resources r WHERE r.tenant = ? AND r.id = ? AND r.type = ?`,
		func(st *sqlite.Stmt) error {
			row, groups = scan(st, ref.Type), st.ColumnText(columnCount)
			return nil
		}, t.tenant, ref.ID, typ)
	switch {
	case err != nil:
		return nil, err
	case row == nil:
		return nil, scim.ErrNotFound
	case groups != "[]":
		if row.r.Groups, err = parseGroups(groups); err != nil {
			return nil, err
		}
	}
	return row.r, t.links([]*entry{row})
}

// parseGroups reads a list of [pk, id, display], and puts it in the order of
// creation, which is that of the index but not promised.
func parseGroups(text string) ([]scim.MemberRef, error) {
	type group struct {
		pk  int64
		ref scim.MemberRef
	}
	var rows [][3]any
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&rows); err != nil {
		return nil, err
	}
	list := make([]group, len(rows))
	for i, r := range rows {
		pk, _ := r[0].(json.Number)
		list[i].pk, _ = pk.Int64()
		list[i].ref.Type = "direct"
		list[i].ref.ID, _ = r[1].(string)
		list[i].ref.Display, _ = r[2].(string)
	}
	slices.SortFunc(list, func(a, b group) int { return cmp.Compare(a.pk, b.pk) })
	refs := make([]scim.MemberRef, min(len(list), scim.MaxGroups))
	for i := range refs {
		refs[i] = list[i].ref
	}
	return refs, nil
}

// find returns a resource without what other tables know of it.
func (t *session) find(ref scim.Ref) (row *entry, err error) {
	typ, err := t.typePK(ref.Type)
	if err != nil {
		return nil, err
	}
	err = t.each(`SELECT `+columns+` FROM resources r WHERE r.tenant = ? AND r.id = ? AND r.type = ?`,
		func(st *sqlite.Stmt) error {
			row = scan(st, ref.Type)
			return nil
		}, t.tenant, ref.ID, typ)
	if err == nil && row == nil {
		err = scim.ErrNotFound
	}
	return row, err
}

// age says whether a resource can be in groups yet.
type age bool

const (
	known age = false
	fresh age = true
)

// complete adds to resources of one type what the selection wants of groups,
// members and references: one query each, however many resources there are.
func (t *session) complete(ctx context.Context, rows []*entry, rt *scim.ResourceType, sel scim.Selection, a age) error {
	if err := t.links(rows); err != nil {
		return err
	}
	if g := rt.Groups(); g != nil && a == known && sel.Wants(g.Name) {
		if err := t.groups(rows); err != nil {
			return err
		}
	}
	if m := rt.Membership(); m != nil && sel.Wants(m.Name) {
		return t.members(ctx, rows)
	}
	return nil
}

// pks are the numbers of resources.
func pks(rows []*entry) []int64 {
	list := make([]int64, len(rows))
	for i, row := range rows {
		list[i] = row.pk
	}
	return list
}

// numbers are a JSON array, for json_each: the way to hand a statement a list
// whose length is not part of its text.
func numbers(list []int64) string {
	b := []byte{'['}
	for i, n := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, n, 10)
	}
	return string(append(b, ']'))
}
