package postgres

import "github.com/rollcall-scim/rollcall/scim"

// storeLinks makes the rows of refs those of a resource that had others.
func (t *session) storeLinks(row *entry, links []scim.Link) {
	if row.links > 0 {
		t.later(`DELETE FROM refs WHERE tenant = $1 AND res = $2`, t.tenant, row.pk)
	}
	if len(links) > 0 {
		var f refArrays
		for ord, l := range links {
			f.add(0, ord, l)
		}
		t.later(`INSERT INTO refs (tenant, res, ord, path, pos, visible, target)
			SELECT $1, $2, f.* FROM unnest($3::integer[], $4::text[], $5::integer[], $6::boolean[], $7::text[]) AS f (ord, path, pos, visible, target)`,
			t.tenant, row.pk, f.ord, f.path, f.pos, f.visible, f.target)
	}
	row.links = int64(len(links))
}
