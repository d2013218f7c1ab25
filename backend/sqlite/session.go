package sqlite

import (
	"context"
	"strings"

	"zombiezen.com/go/sqlite"

	"github.com/rollcall-scim/rollcall/scim"
)

// session is one tenant seen through one connection in one transaction.
type session struct {
	*conn
	db     *DB
	store  *Store
	tenant int64 // 0: not there yet
	names  *names
	w      *writer // nil in a session that reads
	batch  *batch  // of which the session is, if any
	left   bool    // a delete has left rows for later
}

// read runs f in a transaction of a reading connection: all its statements see
// the same moment.
func (s *Store) read(ctx context.Context, f func(*session) error) error {
	return s.reading(ctx, true, f)
}

// peek runs f, which executes one statement, on a reading connection.
func (s *Store) peek(ctx context.Context, f func(*session) error) error {
	return s.reading(ctx, false, f)
}

func (s *Store) reading(ctx context.Context, snapshot bool, f func(*session) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	var c *conn
	select {
	case c = <-s.db.readers:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.db.life.Done():
		return errClosed
	}
	defer func() { s.db.readers <- c }()
	if snapshot {
		if err := c.exec("BEGIN"); err != nil {
			return outward(ctx, err)
		}
		defer func() {
			c.SetInterrupt(nil)
			if e := c.exec("ROLLBACK"); e != nil && err == nil {
				err = outward(ctx, e)
			}
		}()
		c.SetInterrupt(ctx.Done())
	}
	n := s.db.names.Load()
	t := &session{conn: c, db: s.db, store: s, tenant: n.tenants[s.tenant], names: n}
	return outward(ctx, f(t))
}

// write runs f on the writer, all or nothing, and returns once it is durable.
func (s *Store) write(ctx context.Context, f func(*session) error) error {
	w := s.db.writer
	return w.do(ctx, func() error {
		t, err := w.session(s)
		if err != nil {
			return err
		}
		return f(t)
	})
}

// session returns the writer's own view of a tenant, which comes into being if
// it does not exist.
func (w *writer) session(s *Store) (*session, error) {
	t := &session{conn: w.conn, db: w.db, store: s, names: w.names, w: w}
	var err error
	t.tenant, err = w.intern(`INSERT INTO tenants (name) VALUES (?)`, w.names.tenants, s.tenant)
	return t, err
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

// remember keeps a resource type for deletes that reach documents of a type
// which the call does not name.
func (db *DB) remember(tenant string, rt *scim.ResourceType) {
	key := typeKey{tenant, rt.Name}
	if have, ok := db.types.Load(key); !ok || have.(*scim.ResourceType) != rt {
		db.types.Store(key, rt)
	}
}

type typeKey struct{ tenant, name string }

// resourceType finds the schema of a type by its name, or nil.
func (t *session) resourceType(name string) *scim.ResourceType {
	if t.db.o.Type != nil {
		if rt := t.db.o.Type(t.store.tenant, name); rt != nil {
			return rt
		}
	}
	rt, _ := t.db.types.Load(typeKey{t.store.tenant, name})
	found, _ := rt.(*scim.ResourceType)
	return found
}
