package sqlite

import (
	"slices"

	"zombiezen.com/go/sqlite"

	"github.com/rollcall-scim/rollcall/scim"
)

// directGroups and nestedGroups find the groups of a page of resources in one
// query. Without nesting it is one indexed read; with it, the recursion goes
// scim.MaxGroupDepth deep and UNION ends circles, so that it visits a group at
// most once per depth. The index, which holds all that is asked of a group, is
// named since SQLite prefers to look a number up in the table. The sums keep
// SQLite from compiling them anew, see dialect.
const (
	directGroups = `SELECT m.member, g.pk, g.id, g.display, 1
		FROM json_each(?) j CROSS JOIN members m ON m.member = j.value AND m.tenant = (?+0)
		CROSS JOIN resources g INDEXED BY resources_groups ON g.pk = m.grp AND g.members > 0 AND g.type > 0`

	nestedGroups = `WITH RECURSIVE up (person, grp, depth) AS (
			SELECT m.member, m.grp, 1 FROM json_each(?1) j CROSS JOIN members m ON m.member = j.value AND m.tenant = (?2+0)
			JOIN resources g INDEXED BY resources_groups ON g.pk = m.grp AND g.members > 0 AND g.type > 0
			UNION
			SELECT up.person, m.grp, up.depth + 1 FROM up CROSS JOIN members m ON m.member = up.grp AND m.tenant = (?2+0)
			JOIN resources g INDEXED BY resources_groups ON g.pk = m.grp AND g.members > 0 AND g.type > 0
			WHERE up.depth < (?3+0)
		), nearest AS (SELECT person, grp, min(depth) AS depth FROM up GROUP BY person, grp)
		SELECT n.person, n.grp, g.id, g.display, n.depth FROM nearest n CROSS JOIN resources g INDEXED BY resources_groups ON g.pk = n.grp AND g.members > 0`
)

// groups gives resources the groups that they are in.
func (t *session) groups(rows []*entry) error {
	type group struct {
		pk     int64
		direct bool
		ref    scim.MemberRef
	}
	byPK := make(map[int64][]group, len(rows))
	query, args := directGroups, []any{list(rows), t.tenant}
	if t.names.nested[t.tenant] > 0 {
		query, args = nestedGroups, append(args, scim.MaxGroupDepth)
	}
	err := t.each(query, func(st *sqlite.Stmt) error {
		pk, direct := st.ColumnInt64(0), st.ColumnInt(4) == 1
		g := group{st.ColumnInt64(1), direct, scim.MemberRef{ID: st.ColumnText(2), Type: "indirect", Display: st.ColumnText(3)}}
		if direct {
			g.ref.Type = "direct"
		}
		byPK[pk] = append(byPK[pk], g)
		return nil
	}, args...)
	if err != nil {
		return err
	}
	for _, row := range rows {
		list := byPK[row.pk]
		slices.SortFunc(list, func(a, b group) int {
			if a.direct != b.direct {
				if a.direct {
					return -1
				}
				return 1
			}
			return int(a.pk - b.pk)
		})
		for _, g := range list[:min(len(list), scim.MaxGroups)] {
			row.r.Groups = append(row.r.Groups, g.ref)
		}
	}
	return nil
}
