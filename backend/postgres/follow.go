package postgres

import (
	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/scim"
)

const (
	linkColumns = `SELECT f.res, f.path, f.pos, f.visible, f.target, d.type, d.display FROM `
	linkTargets = ` JOIN resources d ON d.tenant = $1 AND d.id = f.target AND d.type <> ''`

	linksOfAll = linkColumns + `unnest($2::bigint[]) AS p (pk) JOIN refs f ON f.tenant = $1 AND f.res = p.pk` + linkTargets +
		` ORDER BY f.res, f.ord`
	linksOfOne = linkColumns + `resources p JOIN refs f ON f.tenant = $1 AND f.res = p.pk` + linkTargets +
		` WHERE p.tenant = $1 AND p.id = $2 ORDER BY f.ord`
)

// links queues what gives resources those of their references that lead
// somewhere.
func (t *session) links(rows []*entry) {
	byPK := map[int64]*scim.Resource{}
	var with []*entry
	for _, row := range rows {
		if row.r.Links = nil; row.links > 0 {
			byPK[row.pk] = row.r
			with = append(with, row)
		}
	}
	if len(with) > 0 {
		t.laterEach(linksOfAll, func(r pgx.Rows) error {
			pk, l, err := scanLink(r)
			if at := byPK[pk]; at != nil {
				at.Links = append(at.Links, l)
			}
			return err
		}, t.tenant, pks(with))
	}
}

func (t *session) linksOf(id string, row func() *entry) {
	t.laterEach(linksOfOne, func(r pgx.Rows) error {
		_, l, err := scanLink(r)
		if e := row(); e != nil {
			e.r.Links = append(e.r.Links, l)
		}
		return err
	}, t.tenant, escape(id))
}

// scanLink reads a reference. Its path is stored as the document has it.
func scanLink(rows pgx.Rows) (pk int64, l scim.Link, err error) {
	err = rows.Scan(&pk, &l.Path, &l.Pos, &l.Visible, &l.Ref.ID, &l.Ref.Type, &l.Ref.Display)
	l.Ref.ID, l.Ref.Display = unescape(l.Ref.ID), unescape(l.Ref.Display)
	return pk, l, err
}
