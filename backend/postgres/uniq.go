package postgres

import (
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/internal/sqlfilter"
	"github.com/rollcall-scim/rollcall/internal/stored"
	"github.com/rollcall-scim/rollcall/scim"
)

// claim is a value that a resource wants for itself alone. It may have it if no
// other resource has it, as attrs tells. Of those who want it at the same time,
// the primary key of uniq lets one have it.
//
// So instances may differ in what they hold unique, as they do while a setting
// is changed on one after the other: two that hold an attribute unique agree, and
// nothing need be filled in when it becomes unique.
type claim struct {
	name, path string // as people know it, and as it is stored
	text       string // as uniq has it
	cut, long  string // as attrs has it
}

func claimsOf(r *scim.Resource) []claim {
	var list []claim
	for _, u := range sqlfilter.Uniques(r) {
		c := claim{name: string(u.Path), path: place(string(u.Path)), text: escape(stored.UniqueText(u.Text))}
		cut := scim.SortText(u.Text)
		if c.cut = escape(cut); len(cut) < len(u.Text) {
			c.long = escape(u.Text)
		}
		if !slices.Contains(list, c) {
			list = append(list, c)
		}
	}
	return list
}

// claimArrays are claims as columns, for unnest.
type claimArrays struct{ path, text, cut, long []string }

func (a *claimArrays) add(c claim) {
	a.path, a.text = append(a.path, c.path), append(a.text, c.text)
	a.cut, a.long = append(a.cut, c.cut), append(a.long, c.long)
}

// takenSQL finds the claims, by number, of which another resource than the one
// with the id $7 has the value.
const takenSQL = `SELECT c.k FROM unnest($3::text[], $4::text[], $5::text[], $6::text[]) WITH ORDINALITY AS c (path, text, cut, long, k),
	(SELECT coalesce((SELECT pk FROM resources WHERE tenant = $1 AND id = $7 AND type = $2), 0) AS pk) self
	CROSS JOIN LATERAL (
		(SELECT 1 FROM uniq q WHERE q.tenant = $1 AND q.type = $2 AND q.path = c.path AND q.text = c.text AND q.res <> self.pk ORDER BY q.text LIMIT 1)
		UNION ALL
		(SELECT 1 FROM attrs a WHERE a.tenant = $1 AND a.type = $2 AND a.path = c.path AND a.text = c.cut AND coalesce(a.long, '') = c.long
			AND a.res <> self.pk ORDER BY a.text, a.res LIMIT 1)) x`

// queueTaken queues the search for claims of the resource ref that another one
// has the value of.
func (t *session) queueTaken(ref scim.Ref, claims []claim) (taken *[]claim) {
	taken = new([]claim)
	if len(claims) == 0 {
		return taken
	}
	var a claimArrays
	for _, c := range claims {
		a.add(c)
	}
	t.laterEach(takenSQL, func(rows pgx.Rows) error {
		var k int
		err := rows.Scan(&k)
		if err == nil {
			*taken = append(*taken, claims[k-1])
		}
		return err
	}, t.tenant, ref.Type.Name, a.path, a.text, a.cut, a.long, escape(ref.ID))
	return taken
}

// claim makes the rows of uniq those of a resource that had others, or fails
// because another one has a value that must be unique.
func (t *session) claim(row *entry, claims, taken []claim, rows []sqlfilter.Row, had *held) error {
	var add claimArrays
	keep := map[[2]string]bool{}
	for _, c := range claims {
		key := [2]string{c.path, c.text}
		if keep[key] = true; had.uniq[key] || had.value(c) {
			continue
		}
		if slices.Contains(taken, c) {
			return scim.NotUnique(c.name)
		}
		add.add(c)
	}
	if len(had.uniq) > 0 {
		for _, r := range rows {
			keep[[2]string{place(string(r.Path)), escape(stored.UniqueText(whole(r)))}] = true
		}
		var drop claimArrays
		for key := range had.uniq {
			if !keep[key] {
				drop.path, drop.text = append(drop.path, key[0]), append(drop.text, key[1])
			}
		}
		if len(drop.path) > 0 {
			t.later(`DELETE FROM uniq q USING unnest($3::text[], $4::text[]) AS d (path, text)
				WHERE q.tenant = $1 AND q.type = $2 AND q.path = d.path AND q.text = d.text AND q.res = $5`,
				t.tenant, row.typ, drop.path, drop.text, row.pk)
		}
	}
	if len(add.path) > 0 {
		t.later(`INSERT INTO uniq (tenant, type, path, text, res) SELECT $1, $2, c.path, c.text, $5 FROM unnest($3::text[], $4::text[]) AS c (path, text)`,
			t.tenant, row.typ, add.path, add.text, row.pk)
	}
	return nil
}

func whole(r sqlfilter.Row) string {
	if r.Long != "" {
		return r.Long
	}
	return r.Text
}
