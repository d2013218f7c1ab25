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
// asks for the groups that resources are in directly, with those of flat, until
// it hears that groups nest in the tenant.
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

	flatOfAll  = flat + `unnest($2::bigint[]) AS p (pk) JOIN members m ON m.tenant = $1 AND m.member = p.pk` + ascendFrom + ` ORDER BY m.member, m.grp`
	flatOfThis = flat + `members m` + ascendFrom + ` WHERE m.tenant = $1 AND m.member = $2 ORDER BY m.grp`
	flat       = `SELECT m.member, true, g.id, g.display, (SELECT nests FROM tenants WHERE tenant = $1) FROM `
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
	if len(rows) == 0 {
		return
	}
	byPK := make(map[int64]*scim.Resource, len(rows))
	for _, row := range rows {
		row.r.Groups = nil
		byPK[row.pk] = row.r
	}
	isFlat := t.isFlat()
	add := t.addGroup(isFlat, func(pk int64) *scim.Resource { return byPK[pk] })
	switch {
	case !isFlat:
		t.laterEach(groupsOfAll, add, t.tenant, pks(rows), scim.MaxGroupDepth)
	case len(rows) == 1: // PostgreSQL plans for each length of a list anew
		t.laterEach(flatOfThis, add, t.tenant, rows[0].pk)
	default:
		t.laterEach(flatOfAll, add, t.tenant, pks(rows))
	}
}

func (t *session) groupsOf(id string, row func() *entry) {
	t.laterEach(groupsOfOne, t.addGroup(false, func(int64) *scim.Resource {
		if e := row(); e != nil {
			return e.r
		}
		return nil
	}), t.tenant, escape(id), scim.MaxGroupDepth)
}

// addGroup returns what reads a row of any of these statements.
func (t *session) addGroup(flat bool, of func(pk int64) *scim.Resource) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var pk int64
		var direct, nests bool
		g := scim.MemberRef{Type: "indirect"}
		into := []any{&pk, &direct, &g.ID, &g.Display, &nests}
		if !flat {
			into = into[:4]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if nests {
			t.db.nesting.Store(t.tenant, struct{}{})
			return errNests
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
