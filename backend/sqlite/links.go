package sqlite

import (
	"zombiezen.com/go/sqlite"

	"github.com/rollcall-scim/rollcall/scim"
)

// storeLinks makes the rows of refs those of the resource.
func (t *session) storeLinks(row *entry, links []scim.Link) error {
	if row.seen && row.links > 0 {
		if err := t.exec(`DELETE FROM refs WHERE tenant = ? AND res = ?`, t.tenant, row.pk); err != nil {
			return err
		}
	}
	for i, l := range links {
		path, err := t.pathPK(l.Path)
		if err != nil {
			return err
		}
		err = t.exec(`INSERT INTO refs (tenant, res, ord, path, pos, visible, target) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			t.tenant, row.pk, i, path, l.Pos, l.Visible, l.Ref.ID)
		if err != nil {
			return err
		}
	}
	row.links = int64(len(links))
	return nil
}

// links gives resources those of their references that lead somewhere.
func (t *session) links(rows []*entry) error {
	byPK := map[int64]*scim.Resource{}
	var with []*entry
	for _, row := range rows {
		if row.links > 0 {
			byPK[row.pk] = row.r
			with = append(with, row)
		}
	}
	if len(with) == 0 {
		return nil
	}
	return t.each(`SELECT f.res, f.path, f.pos, f.visible, f.target, d.type, d.display
		FROM json_each(?) j CROSS JOIN refs f ON f.tenant = (?+0) AND f.res = j.value
		CROSS JOIN resources d ON d.tenant = f.tenant AND d.id = f.target AND d.type > 0`,
		func(st *sqlite.Stmt) error {
			path, err := t.pathName(st.ColumnInt64(1))
			if err != nil {
				return err
			}
			typ, err := t.typeName(st.ColumnInt64(5))
			if err != nil {
				return err
			}
			r := byPK[st.ColumnInt64(0)]
			r.Links = append(r.Links, scim.Link{Path: path, Pos: st.ColumnInt(2), Visible: st.ColumnBool(3),
				Ref: scim.MemberRef{ID: st.ColumnText(4), Type: typ, Display: st.ColumnText(6)}})
			return nil
		}, numbers(pks(with)), t.tenant)
}
