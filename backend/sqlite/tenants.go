package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
)

var _ tenant.Store = (*DB)(nil)

// For returns the store of a tenant, as FindTenant returned it. Unlike that of
// [DB.Tenant] it is of this tenant for good: after its removal it has nothing
// and takes nothing, whoever has the name then.
func (db *DB) For(t tenant.Tenant) *Store { return &Store{db: db, tenant: t.Name, pk: t.ID} }

// errRemoved is the error of writes to a tenant that is not there any more.
var errRemoved = &scim.Error{Status: 404, Detail: "the tenant was removed"}

// numberIn returns the number of the store's tenant, 0 if it is not there.
func (s *Store) numberIn(n *names) int64 {
	pk := n.tenants[s.tenant]
	if s.pk != 0 && s.pk != pk {
		return 0
	}
	return pk
}

// tenant returns the number of a store's tenant for a write, which makes it if
// the store is not that of one that was found.
func (w *writer) tenant(s *Store) (int64, error) {
	pk := s.numberIn(w.names)
	if pk != 0 {
		return pk, nil
	}
	if s.pk != 0 {
		return 0, errRemoved
	}
	if _, taken, err := w.conn.one(`SELECT 1 FROM tenants WHERE name = ?`, s.tenant); err != nil || taken {
		return 0, errors.Join(err, errRemoved)
	}
	pk, err := w.intern(`INSERT INTO tenants (name) VALUES (?)`, w.names.tenants, s.tenant)
	if err != nil {
		return 0, err
	}
	_, err = w.revise()
	w.conn.writes-- // it does no harm either
	return pk, err
}

// revise notes that a tenant or a token has changed.
func (w *writer) revise() (revision int64, err error) {
	w.conn.writes++
	revision, _, err = w.conn.one(`UPDATE revisions SET n = n + 1 WHERE what = 'tenants' RETURNING n`)
	return revision, err
}

// Revision implements tenant.Store.
func (db *DB) Revision(ctx context.Context) (n int64, err error) {
	err = db.peek(ctx, func(t *session) error {
		n, _, err = t.one(`SELECT n FROM revisions WHERE what = 'tenants'`)
		return err
	})
	return n, err
}

// peek runs f, which executes one statement that is of no single tenant.
func (db *DB) peek(ctx context.Context, f func(*session) error) error {
	return db.Tenant("").peek(ctx, f)
}

// Index implements tenant.Store.
func (db *DB) Index(ctx context.Context) (i tenant.Index, err error) {
	err = db.Tenant("").read(ctx, func(t *session) error {
		if i.Revision, _, err = t.one(`SELECT n FROM revisions WHERE what = 'tenants'`); err != nil {
			return err
		}
		err := t.each(`SELECT name FROM tenants WHERE removed IS NULL`, func(st *sqlite.Stmt) error {
			i.Tenants = append(i.Tenants, st.ColumnText(0))
			return nil
		})
		if err != nil {
			return err
		}
		return t.each(`SELECT hash FROM tokens`, func(st *sqlite.Stmt) error {
			var h tenant.Hash
			st.ColumnBytes(0, h[:])
			i.Tokens = append(i.Tokens, h.Short())
			return nil
		})
	})
	return i, err
}

const tenantColumns = `pk, name, created, revision, settings`

func scanTenant(st *sqlite.Stmt) tenant.Tenant {
	t := tenant.Tenant{ID: st.ColumnInt64(0), Name: st.ColumnText(1), Created: fromMillis(st.ColumnInt64(2)), Revision: st.ColumnInt64(3)}
	var err error
	if t.Settings, err = tenant.DecodeSettings(columnBytes(st, 4)); err != nil {
		t.Fault = fmt.Errorf("tenant %q: %w", t.Name, err)
	}
	return t
}

// ListTenants implements tenant.Store.
func (db *DB) ListTenants(ctx context.Context) (list []tenant.Tenant, err error) {
	err = db.peek(ctx, func(t *session) error {
		return t.each(`SELECT `+tenantColumns+` FROM tenants WHERE removed IS NULL ORDER BY name`, func(st *sqlite.Stmt) error {
			list = append(list, scanTenant(st))
			return nil
		})
	})
	return list, err
}

// FindTenant implements tenant.Store.
func (db *DB) FindTenant(ctx context.Context, name string) (found tenant.Tenant, err error) {
	err = db.peek(ctx, func(t *session) (err error) {
		found, err = t.findTenant(name)
		return err
	})
	if err == nil && found.ID == 0 {
		err = noTenant(name)
	}
	return found, err
}

// findTenant returns a tenant, whose ID is 0 if it is not there.
func (c *conn) findTenant(name string) (found tenant.Tenant, err error) {
	err = c.each(`SELECT `+tenantColumns+` FROM tenants WHERE name = ? AND removed IS NULL`, func(st *sqlite.Stmt) error {
		found = scanTenant(st)
		return nil
	}, name)
	return found, err
}

func noTenant(name string) error { return fmt.Errorf("%w: %q", tenant.ErrNoTenant, name) }

// AddTenant implements tenant.Store.
func (db *DB) AddTenant(ctx context.Context, name string, s tenant.Settings) (made tenant.Tenant, err error) {
	settings, err := s.Encode()
	if err != nil {
		return made, err
	}
	err = db.decide(ctx, func(w *writer) (refused, err error) {
		err = w.conn.each(`SELECT name, removed FROM tenants WHERE lower(name) = lower(?)`, func(st *sqlite.Stmt) error {
			refused = fmt.Errorf("%w: there is a tenant called %q", tenant.ErrTaken, st.ColumnText(0))
			if st.ColumnInt64(1) > 0 {
				refused = tenant.ErrRemoving
			}
			return nil
		}, name)
		if err != nil || refused != nil {
			return refused, err
		}
		revision, err := w.revise()
		if err != nil {
			return nil, err
		}
		made = tenant.Tenant{Name: name, Created: db.o.Now().UTC().Truncate(time.Millisecond), Revision: revision, Settings: s}
		if made.ID, err = w.intern(`INSERT INTO tenants (name) VALUES (?)`, w.names.tenants, name); err != nil {
			return nil, err
		}
		return nil, w.conn.exec(`UPDATE tenants SET created = ?, revision = ?, settings = ? WHERE pk = ?`,
			made.Created.UnixMilli(), revision, string(settings), made.ID)
	})
	return made, err
}

// ChangeTenant implements tenant.Store.
func (db *DB) ChangeTenant(ctx context.Context, name string, f func(tenant.Settings) (tenant.Settings, error)) (found tenant.Tenant, err error) {
	err = db.decide(ctx, func(w *writer) (refused, err error) {
		if found, err = w.conn.findTenant(name); err != nil {
			return nil, err
		}
		if found.ID == 0 {
			return noTenant(name), nil
		}
		if found.Fault != nil {
			return found.Fault, nil
		}
		var settings []byte
		if found.Settings, refused = f(found.Settings); refused == nil {
			settings, refused = found.Settings.Encode()
		}
		if refused != nil {
			return refused, nil
		}
		if found.Revision, err = w.revise(); err != nil {
			return nil, err
		}
		return nil, w.conn.exec(`UPDATE tenants SET revision = ?, settings = ? WHERE pk = ?`, found.Revision, string(settings), found.ID)
	})
	return found, err
}

// pack is what a tenant is, but for its resources, for another database.
func (c *conn) pack(name string) ([]byte, error) {
	t, err := c.findTenant(name)
	if err != nil {
		return nil, err
	}
	tokens, err := c.listTokens(name)
	if err != nil {
		return nil, err
	}
	return tenant.Pack(t, tokens)
}

// unpack makes a tenant what another database has packed.
func (w *writer) unpack(pk int64, name string, access []byte) error {
	t, tokens, err := tenant.Unpack(name, access)
	if err != nil || access == nil {
		return err
	}
	settings, err := t.Settings.Encode()
	if err != nil {
		return err
	}
	revision, err := w.revise()
	if err != nil {
		return err
	}
	err = w.conn.exec(`UPDATE tenants SET created = ?, revision = ?, settings = ? WHERE pk = ?`, toMillis(t.Created), revision, string(settings), pk)
	for i := 0; i < len(tokens) && err == nil; i++ {
		err = w.conn.putToken(pk, tokens[i])
	}
	return err
}

// decide runs f on the writer, all or nothing. What refuses is returned as it
// is, and nothing is changed.
func (db *DB) decide(ctx context.Context, f func(*writer) (refused, err error)) error {
	var refused error
	err := db.writer.do(ctx, func() (err error) {
		if refused, err = f(db.writer); err == nil {
			err = refused
		}
		return err
	})
	if refused != nil {
		return refused
	}
	return err
}

func fromMillis(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}

func toMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
