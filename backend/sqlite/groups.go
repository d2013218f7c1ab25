package sqlite

import (
	"cmp"
	"slices"

	"zombiezen.com/go/sqlite"

	"github.com/rollcall-scim/rollcall/scim"
)

// directEdges and nestedEdges find the groups that a page of resources are in,
// and namesOfGroups what they are called, once each: those of a page are in much
// the same. Without nesting the first is one indexed read; with it, the recursion
// goes scim.MaxGroupDepth deep and UNION ends circles, so that it visits a group
// at most once per depth. The index, which holds all that is asked of a group, is
// named since SQLite prefers to look a number up in the table. The sums keep
// SQLite from compiling them anew, see dialect.
const (
	directEdges = `SELECT m.member, m.grp, 1 FROM json_each(?) j CROSS JOIN members m ON m.member = j.value AND m.tenant = (?+0)`

	nestedEdges = `WITH RECURSIVE up (person, grp, depth) AS (
			SELECT m.member, m.grp, 1 FROM json_each(?1) j CROSS JOIN members m ON m.member = j.value AND m.tenant = (?2+0)
			JOIN resources g INDEXED BY resources_groups ON g.pk = m.grp AND g.members > 0 AND g.type > 0
			UNION
			SELECT up.person, m.grp, up.depth + 1 FROM up CROSS JOIN members m ON m.member = up.grp AND m.tenant = (?2+0)
			JOIN resources g INDEXED BY resources_groups ON g.pk = m.grp AND g.members > 0 AND g.type > 0
			WHERE up.depth < (?3+0)
		) SELECT person, grp, min(depth) FROM up GROUP BY person, grp`

	namesOfGroups = `SELECT g.pk, g.id, g.display FROM json_each(?) j
		CROSS JOIN resources g INDEXED BY resources_groups ON g.pk = j.value AND g.members > 0 AND g.type > 0`
)

// groups gives resources the groups that they are in.
func (t *session) groups(rows []*entry) error {
	type edge struct {
		group int64
		far   bool // over other groups
	}
	of := make(map[int64][]edge, len(rows))
	query, args := directEdges, []any{numbers(pks(rows)), t.tenant}
	if t.names.nested[t.tenant] > 0 {
		query, args = nestedEdges, append(args, scim.MaxGroupDepth)
	}
	var all []int64
	names := map[int64]scim.MemberRef{} // of all
	err := t.each(query, func(st *sqlite.Stmt) error {
		person, e := st.ColumnInt64(0), edge{st.ColumnInt64(1), st.ColumnInt(2) > 1}
		of[person] = append(of[person], e)
		if _, known := names[e.group]; !known {
			names[e.group] = scim.MemberRef{}
			all = append(all, e.group)
		}
		return nil
	}, args...)
	if err != nil || len(all) == 0 {
		return err
	}
	err = t.each(namesOfGroups, func(st *sqlite.Stmt) error {
		names[st.ColumnInt64(0)] = scim.MemberRef{ID: st.ColumnText(1), Display: st.ColumnText(2)}
		return nil
	}, numbers(all))
	if err != nil {
		return err
	}
	for _, row := range rows {
		edges := of[row.pk]
		slices.SortFunc(edges, func(a, b edge) int {
			if a.far != b.far {
				if b.far {
					return -1
				}
				return 1
			}
			return cmp.Compare(a.group, b.group)
		})
		for _, e := range edges {
			g := names[e.group]
			if g.ID == "" { // it is being deleted
				continue
			}
			if len(row.r.Groups) == scim.MaxGroups {
				break
			}
			g.Type = "direct"
			if e.far {
				g.Type = "indirect"
			}
			row.r.Groups = append(row.r.Groups, g)
		}
	}
	return nil
}
