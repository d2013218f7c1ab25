package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
)

var _ tenant.Store = (*DB)(nil)

// For returns the store of a tenant, as FindTenant returned it. Unlike that of
// [DB.Tenant] it is of this tenant for good: after its removal it takes nothing,
// whoever has the name then, and has nothing once its rows are gone, at once if
// it was removed through this DB.
func (db *DB) For(t tenant.Tenant) *Store {
	return &Store{db: db, tenant: t.Name, pk: int32(t.ID)} //nolint:gosec // it was one
}

// nobody is the number of no tenant, for what is of the whole database.
const nobody int32 = -1

// whole returns the store of what is of no single tenant.
func (db *DB) whole() *Store { return &Store{db: db, pk: nobody} }

// errRemoved is the error of writes to a tenant that is not there any more.
var errRemoved = &scim.Error{Status: 404, Detail: "the tenant was removed"}

// aliveSQL fails, by a division by zero, unless the tenant is there. It begins
// every write, in the write's own round trip. A write that comes before a
// removal and ends after it is waited for by the removal (settledSQL).
const (
	aliveSQL  = `SELECT 1 / count(*) FROM tenants WHERE tenant = $1 AND removed IS NULL`
	aliveCode = "22012"
)

// Revision implements tenant.Store.
func (db *DB) Revision(ctx context.Context) (n int64, err error) {
	err = db.whole().peek(ctx, func(t *session) error {
		n, _, err = t.one(ctx, `SELECT n FROM revisions WHERE tenant = 0 AND what = 'tenants'`)
		return err
	})
	return n, err
}

// revise notes that a tenant or a token has changed. It is a transaction's last
// statement, so that no two wait for each other.
func (t *session) revise(ctx context.Context) (revision int64, err error) {
	revision, _, err = t.one(ctx, `UPDATE revisions SET n = n + 1 WHERE tenant = 0 AND what = 'tenants' RETURNING n`)
	return revision, err
}

// Index implements tenant.Store.
func (db *DB) Index(ctx context.Context) (i tenant.Index, err error) {
	err = db.whole().read(ctx, func(t *session) error {
		i = tenant.Index{}
		if i.Revision, _, err = t.one(ctx, `SELECT n FROM revisions WHERE tenant = 0 AND what = 'tenants'`); err != nil {
			return err
		}
		err := t.each(ctx, `SELECT name FROM tenants WHERE removed IS NULL`, func(r pgx.Rows) error {
			name := ""
			err := r.Scan(&name)
			i.Tenants = append(i.Tenants, unescape(name))
			return err
		})
		if err != nil {
			return err
		}
		return t.each(ctx, `SELECT k.hash FROM tenants n JOIN tokens k ON k.tenant = n.tenant WHERE n.removed IS NULL`, func(r pgx.Rows) error {
			var hash []byte
			err := r.Scan(&hash)
			i.Tokens = append(i.Tokens, hashOf(hash).Short())
			return err
		})
	})
	return i, err
}

const tenantColumns = `SELECT tenant, name, created, revision, settings FROM tenants`

func scanTenant(r pgx.Rows) (t tenant.Tenant, err error) {
	var created int64
	var settings string
	if err = r.Scan(&t.ID, &t.Name, &created, &t.Revision, &settings); err != nil {
		return t, err
	}
	t.Name, t.Created = unescape(t.Name), fromMillis(created)
	var fault error
	if t.Settings, fault = tenant.DecodeSettings([]byte(unescape(settings))); fault != nil {
		t.Fault = fmt.Errorf("tenant %q: %w", t.Name, fault)
	}
	return t, nil
}

// ListTenants implements tenant.Store.
func (db *DB) ListTenants(ctx context.Context) (list []tenant.Tenant, err error) {
	err = db.whole().peek(ctx, func(t *session) error {
		list = nil
		return t.each(ctx, tenantColumns+` WHERE removed IS NULL ORDER BY name`, func(r pgx.Rows) error {
			one, err := scanTenant(r)
			list = append(list, one)
			return err
		})
	})
	return list, err
}

// FindTenant implements tenant.Store.
func (db *DB) FindTenant(ctx context.Context, name string) (found tenant.Tenant, err error) {
	err = db.whole().peek(ctx, func(t *session) error {
		found, err = t.findTenant(ctx, name, "")
		return err
	})
	if err == nil && found.ID == 0 {
		err = noTenant(name)
	}
	return found, err
}

// findTenant returns a tenant, whose ID is 0 if it is not there.
func (t *session) findTenant(ctx context.Context, name, lock string) (found tenant.Tenant, err error) {
	err = t.each(ctx, tenantColumns+` WHERE name = $1 AND removed IS NULL`+lock, func(r pgx.Rows) (err error) {
		found, err = scanTenant(r)
		return err
	}, escape(name))
	return found, err
}

func noTenant(name string) error { return fmt.Errorf("%w: %q", tenant.ErrNoTenant, name) }

// AddTenant implements tenant.Store.
func (db *DB) AddTenant(ctx context.Context, name string, s tenant.Settings) (made tenant.Tenant, err error) {
	settings, err := s.Encode()
	if err != nil {
		return made, err
	}
	err = db.decide(ctx, func(t *session) (refused, err error) {
		err = t.each(ctx, `SELECT name, removed IS NOT NULL FROM tenants WHERE lower(name) = lower($1)`, func(r pgx.Rows) error {
			have, removing := "", false
			err := r.Scan(&have, &removing)
			if refused = fmt.Errorf("%w: there is a tenant called %q", tenant.ErrTaken, unescape(have)); removing {
				refused = tenant.ErrRemoving
			}
			return err
		}, escape(name))
		if err != nil || refused != nil {
			return refused, err
		}
		made = tenant.Tenant{Name: name, Created: db.o.Now().UTC().Truncate(time.Millisecond), Settings: s}
		id, ok, err := t.one(ctx, `INSERT INTO tenants (name, created, settings) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING tenant`,
			escape(name), made.Created.UnixMilli(), escape(string(settings)))
		if err != nil {
			return nil, err
		}
		if made.ID = id; !ok {
			return fmt.Errorf("%w: there is a tenant called %q", tenant.ErrTaken, name), nil
		}
		if made.Revision, err = t.revise(ctx); err != nil {
			return nil, err
		}
		_, err = t.exec(ctx, `UPDATE tenants SET revision = $2 WHERE tenant = $1`, int32(id), made.Revision) //nolint:gosec // it was one
		return nil, err
	})
	return made, err
}

// ChangeTenant implements tenant.Store.
func (db *DB) ChangeTenant(ctx context.Context, name string, f func(tenant.Settings) (tenant.Settings, error)) (found tenant.Tenant, err error) {
	err = db.decide(ctx, func(t *session) (refused, err error) {
		if found, err = t.findTenant(ctx, name, " FOR UPDATE"); err != nil {
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
		if found.Revision, err = t.revise(ctx); err != nil {
			return nil, err
		}
		_, err = t.exec(ctx, `UPDATE tenants SET revision = $2, settings = $3 WHERE tenant = $1`,
			int32(found.ID), found.Revision, escape(string(settings))) //nolint:gosec // it was one
		return nil, err
	})
	return found, err
}

// decide runs f in a transaction that is of no single tenant, all or nothing.
// What refuses is returned as it is, and nothing is changed. f may run again.
func (db *DB) decide(ctx context.Context, f func(*session) (refused, err error)) error {
	var refused error
	s := db.whole()
	err := s.retried(ctx, func() error {
		return s.session(ctx, func(t *session) error {
			return t.transaction(ctx, "BEGIN", func(t *session) (err error) {
				if refused, err = f(t); err == nil {
					err = refused
				}
				return err
			})
		})
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

func hashOf(b []byte) (h tenant.Hash) {
	copy(h[:], b)
	return h
}
