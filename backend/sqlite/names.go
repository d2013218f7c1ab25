package sqlite

import (
	"maps"
	"strings"

	"zombiezen.com/go/sqlite"

	"github.com/rollcall-scim/rollcall/scim"
)

// names are the numbers that stand for names in rows, and the few facts kept
// with them. A published value is never modified.
type names struct {
	tenants map[string]int64
	types   map[string]int64
	paths   map[string]int64
	typeOf  map[int64]string
	pathOf  map[int64]string
	holds   map[int64]bool   // types whose resources can have members
	nested  map[int64]int64  // tenant → memberships whose member can have members
	uniq    map[uniqKey]bool // of which table uniq is complete
}

func (n *names) clone() *names {
	return &names{maps.Clone(n.tenants), maps.Clone(n.types), maps.Clone(n.paths), maps.Clone(n.typeOf),
		maps.Clone(n.pathOf), maps.Clone(n.holds), maps.Clone(n.nested), maps.Clone(n.uniq)}
}

func loadNames(c *conn) (*names, error) {
	n := &names{map[string]int64{}, map[string]int64{}, map[string]int64{}, map[int64]string{},
		map[int64]string{}, map[int64]bool{}, map[int64]int64{}, map[uniqKey]bool{}}
	err := c.each(`SELECT pk, name, nested FROM tenants WHERE removed IS NULL`, func(st *sqlite.Stmt) error {
		n.tenants[st.ColumnText(1)] = st.ColumnInt64(0)
		n.nested[st.ColumnInt64(0)] = st.ColumnInt64(2)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = c.each(`SELECT pk, name, holds FROM types`, func(st *sqlite.Stmt) error {
		n.types[st.ColumnText(1)] = st.ColumnInt64(0)
		n.typeOf[st.ColumnInt64(0)] = st.ColumnText(1)
		n.holds[st.ColumnInt64(0)] = st.ColumnBool(2)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = c.each(`SELECT pk, path FROM paths`, func(st *sqlite.Stmt) error {
		n.paths[st.ColumnText(1)] = st.ColumnInt64(0)
		n.pathOf[st.ColumnInt64(0)] = st.ColumnText(1)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = c.each(`SELECT tenant, type, path FROM uniqs`, func(st *sqlite.Stmt) error {
		n.uniq[uniqKey{st.ColumnInt64(0), st.ColumnInt64(1), st.ColumnInt64(2)}] = true
		return nil
	})
	return n, err
}

// typeName returns the name that a number stands for.
func (t *session) typeName(pk int64) (string, error) {
	if name, ok := t.names.typeOf[pk]; ok {
		return name, nil
	}
	// Committed, but not yet published when the session began.
	name := ""
	err := t.each(`SELECT name FROM types WHERE pk = ?`, func(st *sqlite.Stmt) error {
		name = st.ColumnText(0)
		return nil
	}, pk)
	return name, err
}

func (t *session) pathName(pk int64) (string, error) {
	if name, ok := t.names.pathOf[pk]; ok {
		return name, nil
	}
	name := ""
	err := t.each(`SELECT path FROM paths WHERE pk = ?`, func(st *sqlite.Stmt) error {
		name = st.ColumnText(0)
		return nil
	}, pk)
	return name, err
}

// typePK returns the number of a resource type, which a session that writes
// gives it if it has none; 0 in one that reads means there are no resources.
func (t *session) typePK(rt *scim.ResourceType) (int64, error) {
	t.db.remember(t.store.tenant, rt)
	pk := t.names.types[rt.Name]
	if t.w == nil {
		return pk, nil
	}
	w := t.w
	if pk == 0 {
		var err error
		if pk, err = w.intern(`INSERT INTO types (name) VALUES (?)`, w.names.types, rt.Name); err != nil {
			return 0, err
		}
		w.names.typeOf[pk] = rt.Name
		w.undo = append(w.undo, func() { delete(w.names.typeOf, pk) })
	}
	if rt.Membership() != nil && !w.names.holds[pk] {
		if err := t.exec(`UPDATE types SET holds = 1 WHERE pk = ?`, pk); err != nil {
			return 0, err
		}
		w.conn.writes-- // true whatever becomes of the resource, as is a name
		w.names.holds[pk] = true
		w.changed(func() { delete(w.names.holds, pk) })
	}
	return pk, nil
}

// pathPK returns the number of a path, which it gives it if it has none.
func (t *session) pathPK(path string) (int64, error) {
	pk := t.names.paths[path]
	if pk != 0 || t.w == nil {
		return pk, nil
	}
	w := t.w
	pk, err := w.intern(`INSERT INTO paths (path) VALUES (?)`, w.names.paths, path)
	if err == nil {
		w.names.pathOf[pk] = path
		w.undo = append(w.undo, func() { delete(w.names.pathOf, pk) })
	}
	return pk, err
}

// intern returns the number of name, inserting it where it has none.
func (w *writer) intern(insert string, in map[string]int64, name string) (int64, error) {
	if pk := in[name]; pk != 0 {
		return pk, nil
	}
	name = strings.Clone(name)
	if err := w.conn.exec(insert, name); err != nil {
		return 0, err
	}
	w.conn.writes-- // a name does no harm, even if nothing comes to use it
	pk := w.conn.LastInsertRowID()
	in[name] = pk
	w.changed(func() { delete(in, name) })
	return pk, nil
}

// nest counts memberships whose member can have members itself.
func (t *session) nest(by int64) error {
	if by == 0 {
		return nil
	}
	w, tenant := t.w, t.tenant
	if err := t.exec(`UPDATE tenants SET nested = nested + ? WHERE pk = ?`, by, tenant); err != nil {
		return err
	}
	w.names.nested[tenant] += by
	w.changed(func() { w.names.nested[tenant] -= by })
	return nil
}

// changed notes that names differ from what is published, and how to take the
// difference back.
func (w *writer) changed(undo func()) {
	w.dirty = true
	w.undo = append(w.undo, undo)
}

// publish lets readers see the names of the committed transaction.
func (w *writer) publish() {
	if w.dirty {
		w.db.names.Store(w.names.clone())
		w.dirty = false
	}
}
