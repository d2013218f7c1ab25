package sqlite

import (
	"zombiezen.com/go/sqlite"

	"github.com/rollcall-scim/rollcall/internal/sqlfilter"
)

type place struct {
	path int64
	elem int
}

type cell struct {
	text, long string
	num        any
}

// index makes the rows of attrs, and the substring index, those of the
// resource. Only what differs is written.
func (t *session) index(row *entry, rows []sqlfilter.Row) error {
	had := map[place]cell{}
	if row.seen {
		err := t.each(`SELECT path, elem, text, long, num FROM attrs WHERE res = ?`, func(st *sqlite.Stmt) error {
			c := cell{text: st.ColumnText(2), long: st.ColumnText(3)}
			switch st.ColumnType(4) {
			case sqlite.TypeInteger:
				c.num = st.ColumnInt64(4)
			case sqlite.TypeFloat:
				c.num = st.ColumnFloat(4)
			}
			had[place{st.ColumnInt64(0), st.ColumnInt(1)}] = c
			return nil
		}, row.pk)
		if err != nil {
			return err
		}
	}
	var grams [len(gramPaths)]string
	regram := false
	for _, r := range rows {
		path, err := t.pathPK(string(r.Path))
		if err != nil {
			return err
		}
		at, now := place{path, r.Elem}, cell{r.Text, r.Long, r.Num}
		old, ok := had[at]
		delete(had, at)
		g := gramColumn(r.Path)
		if g >= 0 {
			grams[g] += whole(now) + "\n"
		}
		if ok && old == now {
			continue
		}
		regram = regram || g >= 0
		err = t.exec(`INSERT OR REPLACE INTO attrs (tenant, type, path, text, num, res, elem, long) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			t.tenant, row.typ, path, r.Text, r.Num, row.pk, r.Elem, orNull(r.Long))
		if err != nil {
			return err
		}
	}
	for at := range had {
		name, err := t.pathName(at.path)
		if err != nil {
			return err
		}
		regram = regram || gramColumn(sqlfilter.Path(name)) >= 0
		if err := t.exec(`DELETE FROM attrs WHERE res = ? AND path = ? AND elem = ?`, row.pk, at.path, at.elem); err != nil {
			return err
		}
	}
	if !regram {
		return nil
	}
	if row.seen {
		if err := t.exec(`DELETE FROM grams WHERE rowid = ?`, row.pk); err != nil {
			return err
		}
	}
	args := []any{row.pk, scope(t.tenant)}
	for _, g := range grams {
		args = append(args, g)
	}
	return t.exec(`INSERT INTO grams (rowid, scope, userName, displayName, emails, familyName, givenName)
		VALUES (?, ?, ?, ?, ?, ?, ?)`, args...)
}

func whole(c cell) string {
	if c.long != "" {
		return c.long
	}
	return c.text
}
