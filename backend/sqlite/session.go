package sqlite

import (
	"context"

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
	c, err := s.db.readers.take(ctx, s.db.life)
	if err != nil {
		return err
	}
	defer s.db.readers.put(c)
	if snapshot {
		if err := c.exec("BEGIN"); err != nil {
			return outward(ctx, err)
		}
		release := c.guard(ctx)
		defer func() {
			release()
			if e := c.exec("ROLLBACK"); e != nil && err == nil {
				err = outward(ctx, e)
			}
		}()
	}
	defer c.following(ctx)() // without what opens and ends the snapshot
	n := s.db.names.Load()
	t := &session{conn: c, db: s.db, store: s, tenant: s.numberIn(n), names: n}
	return outward(ctx, f(t))
}

// write runs f on the writer, all or nothing, and returns once it is durable.
func (s *Store) write(ctx context.Context, f func(*session) error) error {
	return s.db.writer.do(ctx, s.work(f))
}

// writeBare is write for an f that refuses before it writes anything.
func (s *Store) writeBare(ctx context.Context, f func(*session) error) error {
	return s.db.writer.doBare(ctx, s.work(f))
}

func (s *Store) work(f func(*session) error) func() error {
	w := s.db.writer
	return func() error {
		t, err := w.session(s)
		if err != nil {
			return err
		}
		return f(t)
	}
}

// session returns the writer's own view of a tenant, which comes into being if
// it does not exist.
func (w *writer) session(s *Store) (*session, error) {
	t := &session{conn: w.conn, db: w.db, store: s, names: w.names, w: w}
	var err error
	t.tenant, err = w.tenant(s)
	return t, err
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
