package sqlite

import (
	"context"
	"errors"
	"maps"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/rollcall-scim/rollcall/internal/tenant"
)

// RemoveTenant implements tenant.Store. The first transaction takes the tenant
// out of sight; its rows are removed a slice at a time, so that other writers
// get their turn, and after the next Open if the program ends before.
func (db *DB) RemoveTenant(ctx context.Context, name string) error {
	err := db.bury(ctx, name)
	if err == nil {
		db.spawn(db.finishRemovals)
	}
	return err
}

func (db *DB) bury(ctx context.Context, name string) error {
	return db.decide(ctx, func(w *writer) (refused, err error) {
		pk := w.names.tenants[name]
		if pk == 0 {
			_, removing, err := w.conn.one(`SELECT 1 FROM tenants WHERE name = ? AND removed > 0`, name)
			if removing {
				return tenant.ErrRemoving, err
			}
			return noTenant(name), err
		}
		err = w.conn.exec(`UPDATE tenants SET removed = ?, settings = '{"version":1}' WHERE pk = ?`, max(1, toMillis(db.o.Now())), pk)
		if err != nil {
			return nil, err
		}
		if err := w.conn.exec(`DELETE FROM tokens WHERE tenant = ?`, pk); err != nil {
			return nil, err
		}
		delete(w.names.tenants, name)
		w.changed(func() { w.names.tenants[name] = pk })
		_, err = w.revise()
		return nil, err
	})
}

// removalPause is how long a removal that failed waits until it goes on.
const removalPause = time.Minute

// finishRemovals removes what removed tenants have left, a slice at a time.
func (db *DB) finishRemovals() {
	for more := true; more; {
		err := db.writer.do(db.life, func() (err error) {
			more, err = db.writer.removeSlice(min(db.o.SliceRows, pruneStep))
			return err
		})
		if errors.Is(err, context.Canceled) || errors.Is(err, errOver) {
			return
		}
		if err != nil {
			db.o.Logger.Error("sqlite: a tenant's rows are not all removed; it is tried again", "err", err)
			select {
			case <-time.After(removalPause):
			case <-db.life.Done():
				return
			}
		}
	}
}

// removals are the rows of a tenant that are found by it, table by table. Each
// statement takes the tenant and how many rows it may remove. Tombstones are
// first: after them nothing writes rows of the tenant any more.
var removals = []string{
	`DELETE FROM doomed WHERE res IN (SELECT res FROM doomed WHERE tenant = ? LIMIT ?)`,
	`DELETE FROM tokens WHERE id IN (SELECT id FROM tokens WHERE tenant = ? LIMIT ?)`,
	`DELETE FROM guards WHERE tenant IN (SELECT tenant FROM guards WHERE tenant = ? LIMIT ?)`,
	`DELETE FROM guard_people WHERE (tenant, person, cause) IN (SELECT tenant, person, cause FROM guard_people WHERE tenant = ? LIMIT ?)`,
	`DELETE FROM refs WHERE (tenant, res, ord) IN (SELECT tenant, res, ord FROM refs WHERE tenant = ? LIMIT ?)`,
	`DELETE FROM audit WHERE (tenant, n) IN (SELECT tenant, n FROM audit WHERE tenant = ? LIMIT ?)`,
	`DELETE FROM audit_heads WHERE tenant IN (SELECT tenant FROM audit_heads WHERE tenant = ? LIMIT ?)`,
	`DELETE FROM changes WHERE seq IN (SELECT seq FROM changes WHERE tenant = ? ORDER BY seq LIMIT ?)`,
	`DELETE FROM changes_people WHERE (tenant, person, change) IN (SELECT tenant, person, change FROM changes_people WHERE tenant = ? LIMIT ?)`,
	`DELETE FROM uniqs WHERE (tenant, type, path) IN (SELECT tenant, type, path FROM uniqs WHERE tenant = ? LIMIT ?)`,
	`DELETE FROM counts WHERE (tenant, type) IN (SELECT tenant, type FROM counts WHERE tenant = ? LIMIT ?)`,
}

// removeSlice removes about limit rows of one tenant, and reports whether there
// may be more.
func (w *writer) removeSlice(limit int) (more bool, err error) {
	pk, ok, err := w.conn.one(`SELECT pk FROM tenants WHERE removed > 0 ORDER BY pk LIMIT 1`)
	if err != nil || !ok {
		return false, err
	}
	n := 0
	for _, q := range removals {
		if err := w.conn.exec(q, pk, limit-n); err != nil {
			return true, err
		}
		if n += w.conn.Changes(); n >= limit {
			return true, nil
		}
	}
	for _, of := range rowsOf {
		m, err := w.removeEach(of, pk, limit-n)
		if n += m; err != nil || n >= limit {
			return true, err
		}
	}
	maps.DeleteFunc(w.names.uniq, func(k uniqKey, _ bool) bool { return k.tenant == pk })
	delete(w.names.nested, pk)
	delete(w.settled, pk)
	w.dirty = true
	return true, w.conn.exec(`UPDATE tenants SET name = 'removed ' || pk, created = 0, revision = 0, nested = 0, removed = 0 WHERE pk = ?`, pk)
}

// family is rows that are found by one of them, their head.
type family struct {
	list string   // the heads
	many []string // removes what may be many rows of one head, up to a bound
	rest []string // removes the others, and the head
}

// rowsOf are the rows of a tenant that no statement finds by it, in the order in
// which they go.
var rowsOf = []family{
	{`SELECT pk FROM deleted WHERE tenant = ? ORDER BY id LIMIT ?`,
		[]string{`DELETE FROM deleted_groups WHERE res = ?1 AND grp IN (SELECT grp FROM deleted_groups WHERE res = ?1 LIMIT ?2)`},
		[]string{`DELETE FROM deleted WHERE pk = ?`}},
	{`SELECT pk FROM resources WHERE tenant = ? ORDER BY pk LIMIT ?`,
		[]string{`DELETE FROM members WHERE grp = ?1 AND member IN (SELECT member FROM members WHERE grp = ?1 LIMIT ?2)`,
			`DELETE FROM members WHERE member = ?1 AND grp IN (SELECT grp FROM members WHERE member = ?1 LIMIT ?2)`},
		[]string{`DELETE FROM attrs WHERE res = ?`, `DELETE FROM uniq WHERE res = ?`, `DELETE FROM grams WHERE rowid = ?`,
			`DELETE FROM resources WHERE pk = ?`}},
}

// removeEach removes rows of one kind, and returns how many: limit or more if
// some may be left.
func (w *writer) removeEach(of family, pk int64, limit int) (n int, err error) {
	var list []int64
	err = w.conn.each(of.list, func(st *sqlite.Stmt) error {
		list = append(list, st.ColumnInt64(0))
		return nil
	}, pk, limit)
	if err != nil {
		return 0, err
	}
	for _, row := range list {
		for _, q := range of.many {
			if err := w.conn.exec(q, row, limit-n); err != nil {
				return n, err
			}
			if n += w.conn.Changes(); n >= limit {
				return n, nil
			}
		}
		for _, q := range of.rest {
			if err := w.conn.exec(q, row); err != nil {
				return n, err
			}
			n += w.conn.Changes()
		}
		if n >= limit {
			return n, nil
		}
	}
	return n, nil
}
