package sqlite

import (
	"zombiezen.com/go/sqlite"

	"github.com/rollcall-scim/rollcall/internal/sqlfilter"
	"github.com/rollcall-scim/rollcall/internal/stored"
	"github.com/rollcall-scim/rollcall/scim"
)

// claim makes the rows of uniq those of the resource, or fails because another
// one has a value that must be unique. It is on the only connection that
// writes, so nobody can come in between.
//
// Rows are also kept for attributes that the caller's schema does not hold
// unique but another one did: so the switch can go on and off.
func (t *session) claim(row *entry, uniques []sqlfilter.Unique, rows []sqlfilter.Row) error {
	type value struct {
		path int64
		text string
	}
	// First of all, since the resource may hold what was not unique so far.
	for _, u := range uniques {
		path, err := t.pathPK(string(u.Path))
		if err != nil {
			return err
		}
		if err := t.completeUniq(row.typ, path); err != nil {
			return err
		}
	}
	had := map[value]bool{}
	if row.seen {
		err := t.each(`SELECT path, text FROM uniq WHERE res = ?`, func(st *sqlite.Stmt) error {
			had[value{st.ColumnInt64(0), st.ColumnText(1)}] = true
			return nil
		}, row.pk)
		if err != nil {
			return err
		}
	}
	var add []value
	want := map[value]bool{}
	enforced := map[int64]bool{}
	for _, u := range uniques {
		path := t.names.paths[string(u.Path)]
		enforced[path] = true
		v := value{path, stored.UniqueText(u.Text)}
		if want[v] {
			continue
		}
		want[v] = true
		if had[v] {
			continue
		}
		_, taken, err := t.one(`SELECT 1 FROM uniq WHERE tenant = ? AND type = ? AND path = ? AND text = ? AND res <> ? LIMIT 1`,
			t.tenant, row.typ, path, v.text, row.pk)
		switch {
		case err != nil:
			return err
		case taken:
			return scim.NotUnique(string(u.Path))
		}
		add = append(add, v)
	}
	for _, r := range rows {
		path := t.names.paths[string(r.Path)]
		if v := (value{path, stored.UniqueText(whole(cell{text: r.Text, long: r.Long}))}); !enforced[path] && !want[v] &&
			t.names.uniq[uniqKey{t.tenant, row.typ, path}] {
			want[v] = true
			if !had[v] {
				add = append(add, v)
			}
		}
	}
	for v := range had {
		if !want[v] {
			if err := t.exec(`DELETE FROM uniq WHERE res = ? AND path = ? AND text = ?`, row.pk, v.path, v.text); err != nil {
				return err
			}
		}
	}
	for _, v := range add {
		err := t.exec(`INSERT INTO uniq (tenant, type, path, text, res) VALUES (?, ?, ?, ?, ?)`, t.tenant, row.typ, v.path, v.text, row.pk)
		if err != nil {
			return err
		}
	}
	return nil
}

// completeUniq fills uniq for an attribute that was not unique so far. Values
// that several resources hold stay with each of them.
func (t *session) completeUniq(typ, path int64) error {
	key := uniqKey{t.tenant, typ, path}
	if t.names.uniq[key] {
		return nil
	}
	writes := t.writes
	defer func() { t.writes = writes }() // true whatever becomes of the resource, so no reason to give up a transaction
	err := t.exec(`INSERT OR IGNORE INTO uniq (tenant, type, path, text, res) SELECT tenant, type, path, text, res FROM attrs
		WHERE tenant = ? AND type = ? AND path = ? AND long IS NULL`, t.tenant, typ, path)
	if err != nil {
		return err
	}
	type long struct {
		res  int64
		text string
	}
	var longs []long
	err = t.each(`SELECT res, long FROM attrs WHERE tenant = ? AND type = ? AND path = ? AND long IS NOT NULL`,
		func(st *sqlite.Stmt) error {
			longs = append(longs, long{st.ColumnInt64(0), stored.UniqueText(st.ColumnText(1))})
			return nil
		}, t.tenant, typ, path)
	if err != nil {
		return err
	}
	for _, l := range longs {
		err := t.exec(`INSERT OR IGNORE INTO uniq (tenant, type, path, text, res) VALUES (?, ?, ?, ?, ?)`, t.tenant, typ, path, l.text, l.res)
		if err != nil {
			return err
		}
	}
	if err := t.exec(`INSERT INTO uniqs (tenant, type, path) VALUES (?, ?, ?)`, t.tenant, typ, path); err != nil {
		return err
	}
	t.w.names.uniq[key] = true
	t.w.changed(func() { delete(t.w.names.uniq, key) })
	return nil
}

// uniqKey names an attribute of a type in a tenant.
type uniqKey struct{ tenant, typ, path int64 }
