package postgres

import (
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/scim"
)

// joined is how a statement reads resources of one type together with what other
// tables know of them: their references that lead somewhere, and the groups that
// they are in, where groups do not nest. That is for one resource, or a few that a
// look-up finds, by statements that are planned once. For a page it would cost
// more than it saves: its statement is planned each time.
type joined struct {
	t             *session
	rt            *scim.ResourceType
	groups, links bool
}

// joined returns how to read resources so, without their members; nil where
// groups nest.
func (t *session) joined(rt *scim.ResourceType, sel scim.Selection) *joined {
	w := &joined{t: t, rt: rt, links: refers(rt)}
	if g := rt.Groups(); g != nil && sel.Wants(g.Name) {
		w.groups = true
		if !t.isFlat() {
			return nil
		}
	}
	return w
}

// What is selected besides columns. The arrays are NULL where there is nothing.
const (
	groupArrays = `, gr.ids, gr.names, (SELECT nests FROM tenants WHERE tenant = $`
	linkArrays  = `, li.paths, li.positions, li.shown, li.targets, li.types, li.names`
	mostMore    = 1 + 3 + 6 // the key of a list, and these
)

// columns are those that scan reads, in its order, for rows of r; place is the
// number of the tenant's placeholder.
func (w *joined) columns(place string) string {
	s := columns
	if w.groups {
		s += groupArrays + place + `)`
	}
	if w.links {
		s += linkArrays
	}
	return s
}

// joins follows "resources r" in a FROM.
func (w *joined) joins(place string) string {
	s := ""
	if w.groups {
		s += ` CROSS JOIN LATERAL (SELECT array_agg(x.id) AS ids, array_agg(x.display) AS names
			FROM (SELECT g.id, g.display FROM members m JOIN resources g ON g.tenant = $` + place + ` AND g.pk = m.grp AND g.type <> ''
				WHERE m.tenant = $` + place + ` AND m.member = r.pk ORDER BY m.grp LIMIT ` + strconv.Itoa(scim.MaxGroups) + `) x) gr`
	}
	if w.links {
		s += ` CROSS JOIN LATERAL (SELECT array_agg(x.path) AS paths, array_agg(x.pos) AS positions, array_agg(x.visible) AS shown,
				array_agg(x.target) AS targets, array_agg(x.type) AS types, array_agg(x.display) AS names
			FROM (SELECT f.path, f.pos, f.visible, f.target, d.type, d.display
				FROM refs f JOIN resources d ON d.tenant = $` + place + ` AND d.id = f.target AND d.type <> ''
				WHERE r.links > 0 AND f.tenant = $` + place + ` AND f.res = r.pk ORDER BY f.ord) x) li`
	}
	return s
}

// find is the statement that reads one resource.
func (w *joined) find() string {
	return `SELECT ` + w.columns("1") + ` FROM resources r` + w.joins("1") + ` WHERE r.tenant = $1 AND r.id = $2 AND r.type = $3`
}

// scan reads a row of columns, and what follows them into more.
func (w *joined) scan(rows pgx.Rows, more ...any) (*entry, error) {
	var ids, names, paths, targets, types, shownAs []string
	var positions []int
	var shown []bool
	var nests bool
	var into []any
	if w.groups {
		into = append(into, &ids, &names, &nests)
	}
	if w.links {
		into = append(into, &paths, &positions, &shown, &targets, &types, &shownAs)
	}
	row, err := scan(rows, w.rt, append(into, more...)...)
	switch {
	case err != nil:
		return nil, err
	case nests:
		return nil, w.t.foundNests()
	}
	for i, id := range ids {
		row.r.Groups = append(row.r.Groups, scim.MemberRef{ID: unescape(id), Type: "direct", Display: unescape(names[i])})
	}
	for i, path := range paths {
		l := scim.Link{Path: path, Pos: positions[i], Visible: shown[i]}
		l.Ref.ID, l.Ref.Type, l.Ref.Display = unescape(targets[i]), types[i], unescape(shownAs[i])
		row.r.Links = append(row.r.Links, l)
	}
	return row, nil
}
