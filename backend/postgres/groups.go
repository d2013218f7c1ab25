package postgres

import (
	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/scim"
)

// groupsOfAll finds the groups that resources are in, and groupsOfOne those of
// one, the nearest first. Where no groups nest the recursion does not begin;
// else it goes $3 deep, and UNION ends circles, so that it visits a group at
// most once per depth.
const (
	groupsOfAll = `WITH RECURSIVE up (person, grp, depth) AS (
		SELECT m.member, m.grp, 1 FROM unnest($2::bigint[]) AS p (pk) JOIN members m ON m.tenant = $1 AND m.member = p.pk` + ascend
	groupsOfOne = `WITH RECURSIVE up (person, grp, depth) AS (
		SELECT m.member, m.grp, 1 FROM resources p JOIN members m ON m.tenant = $1 AND m.member = p.pk` + ascendFrom +
		` WHERE p.tenant = $1 AND p.id = $2` + ascendOn

	ascend     = ascendFrom + ascendOn
	ascendFrom = `
		JOIN resources g ON g.tenant = $1 AND g.pk = m.grp AND g.type <> ''`
	ascendOn = `
		UNION
		SELECT up.person, m.grp, up.depth + 1 FROM up JOIN members m ON m.tenant = $1 AND m.member = up.grp
		JOIN resources g ON g.tenant = $1 AND g.pk = m.grp AND g.type <> ''
		WHERE up.depth < $3 AND (SELECT nests FROM tenants WHERE tenant = $1)
	), nearest AS (SELECT person, grp, min(depth) AS depth FROM up GROUP BY person, grp)
	SELECT n.person, n.depth = 1, g.id, g.display FROM nearest n JOIN resources g ON g.tenant = $1 AND g.pk = n.grp
	ORDER BY n.person, n.depth > 1, n.grp`
)

// groups queues what gives resources the groups that they are in.
func (t *session) groups(rows []*entry) {
	if len(rows) == 0 {
		return
	}
	byPK := make(map[int64]*scim.Resource, len(rows))
	for _, row := range rows {
		row.r.Groups = nil
		byPK[row.pk] = row.r
	}
	t.laterEach(groupsOfAll, func(r pgx.Rows) error { return addGroup(r, func(pk int64) *scim.Resource { return byPK[pk] }) },
		t.tenant, pks(rows), scim.MaxGroupDepth)
}

func (t *session) groupsOf(id string, row func() *entry) {
	t.laterEach(groupsOfOne, func(r pgx.Rows) error {
		return addGroup(r, func(int64) *scim.Resource {
			if e := row(); e != nil {
				return e.r
			}
			return nil
		})
	}, t.tenant, escape(id), scim.MaxGroupDepth)
}

func addGroup(rows pgx.Rows, of func(pk int64) *scim.Resource) error {
	var pk int64
	var direct bool
	g := scim.MemberRef{Type: "indirect"}
	if err := rows.Scan(&pk, &direct, &g.ID, &g.Display); err != nil {
		return err
	}
	if r := of(pk); r != nil && len(r.Groups) < scim.MaxGroups {
		if direct {
			g.Type = "direct"
		}
		g.ID, g.Display = unescape(g.ID), unescape(g.Display)
		r.Groups = append(r.Groups, g)
	}
	return nil
}
