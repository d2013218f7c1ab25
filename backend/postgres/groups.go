package postgres

import (
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/scim"
)

// groupsOfAll finds the groups that resources are in, and groupsOfOne those of
// one, the nearest first. Where no groups nest the recursion does not begin;
// else it goes $3 deep, and UNION ends circles, so that it visits a group at
// most once per depth.
//
// To plan the recursion takes longer than to carry it out. So what only reads
// asks for the groups that resources are in directly, with those of flatGroup or
// joined, until it hears that groups nest in the tenant.
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

	// What the groups are called is read once each: those of a page are in much the
	// same.
	flatEdges = `SELECT m.member, m.grp ` + flatOfAll + ` ORDER BY m.member, m.grp`
	flatNames = flatGroup + `resources g WHERE g.tenant = $1 AND g.pk = ANY(ARRAY(SELECT DISTINCT m.grp ` + flatOfAll + `)) AND g.type <> ''`
	flatOfAll = `FROM unnest($2::bigint[]) AS p (pk) JOIN members m ON m.tenant = $1 AND m.member = p.pk`

	flatOfThis = flatGroup + `members m` + ascendFrom + ` WHERE m.tenant = $1 AND m.member = $2 ORDER BY m.grp`
	flatGroup  = `SELECT g.pk, g.id, g.display, (SELECT nests FROM tenants WHERE tenant = $1) FROM `
)

// errNests is the error of a read that found groups in groups where it had not
// looked for them. It is tried again.
var errNests = errors.New("postgres: groups nest in the tenant")

// isFlat reports whether the session may ask for direct groups alone.
func (t *session) isFlat() bool {
	_, nests := t.db.nesting.Load(t.tenant)
	return t.readOnly && t.batch == nil && !nests
}

// groups queues what gives resources the groups that they are in.
func (t *session) groups(rows []*entry) {
	for _, row := range rows {
		row.r.Groups = nil
	}
	switch {
	case len(rows) == 0:
	case !t.isFlat():
		byPK := make(map[int64]*scim.Resource, len(rows))
		for _, row := range rows {
			byPK[row.pk] = row.r
		}
		t.laterEach(groupsOfAll, addGroup(func(pk int64) *scim.Resource { return byPK[pk] }), t.tenant, pks(rows), scim.MaxGroupDepth)
	case len(rows) == 1: // PostgreSQL plans for each length of a list anew
		r := rows[0].r
		t.laterEach(flatOfThis, t.eachFlat(func(_ int64, g scim.MemberRef) {
			if len(r.Groups) < scim.MaxGroups {
				r.Groups = append(r.Groups, g)
			}
		}), t.tenant, rows[0].pk)
	default:
		t.flatGroups(rows)
	}
}

// flatGroups is groups for many resources, where groups do not nest.
func (t *session) flatGroups(rows []*entry) {
	of := make(map[int64][]int64, len(rows)) // groups, by their members
	t.laterEach(flatEdges, func(r pgx.Rows) error {
		var member, group int64
		err := r.Scan(&member, &group)
		of[member] = append(of[member], group)
		return err
	}, t.tenant, pks(rows))
	names := map[int64]scim.MemberRef{}
	t.queue = append(t.queue, statement{sql: flatNames, args: []any{t.tenant, pks(rows)},
		row: t.eachFlat(func(pk int64, g scim.MemberRef) { names[pk] = g }),
		done: func(int64) {
			for _, row := range rows {
				for _, pk := range of[row.pk] {
					if g, there := names[pk]; there && len(row.r.Groups) < scim.MaxGroups {
						row.r.Groups = append(row.r.Groups, g)
					}
				}
			}
		}})
}

// eachFlat returns what reads a row that begins with flatGroup.
func (t *session) eachFlat(add func(pk int64, g scim.MemberRef)) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var pk int64
		var nests bool
		g := scim.MemberRef{Type: "direct"}
		if err := rows.Scan(&pk, &g.ID, &g.Display, &nests); err != nil {
			return err
		}
		if nests {
			return t.foundNests()
		}
		g.ID, g.Display = unescape(g.ID), unescape(g.Display)
		add(pk, g)
		return nil
	}
}

// foundNests remembers that groups nest, for all sessions, and ends a read that
// has not reckoned with it.
func (t *session) foundNests() error {
	t.db.nesting.Store(t.tenant, struct{}{})
	return errNests
}

func (t *session) groupsOf(id string, row func() *entry) {
	t.laterEach(groupsOfOne, addGroup(func(int64) *scim.Resource {
		if e := row(); e != nil {
			return e.r
		}
		return nil
	}), t.tenant, escape(id), scim.MaxGroupDepth)
}

// addGroup returns what reads a row of groupsOfAll or groupsOfOne.
func addGroup(of func(pk int64) *scim.Resource) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
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
}
