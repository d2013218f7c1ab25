package sqlite

import (
	"context"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/rollcall-scim/rollcall/internal/tenant"
)

const tokenColumns = `k.id, n.name, k.name, k.prefix, k.hash, k.scopes, k.created, k.expires, k.revoked, k.used, k.client, k.replaces
	FROM tokens k JOIN tenants n ON n.pk = k.tenant AND n.removed IS NULL`

func scanToken(st *sqlite.Stmt) (k tenant.Token, err error) {
	k = tenant.Token{ID: st.ColumnText(0), Tenant: st.ColumnText(1), Name: st.ColumnText(2), Prefix: st.ColumnText(3),
		Created: fromMillis(st.ColumnInt64(6)), Expires: fromMillis(st.ColumnInt64(7)), Revoked: fromMillis(st.ColumnInt64(8)),
		LastUsed: fromMillis(st.ColumnInt64(9)), LastClient: st.ColumnText(10), Replaces: st.ColumnText(11)}
	st.ColumnBytes(4, k.Hash[:])
	k.Scopes, err = tenant.ParseScopes(st.ColumnText(5))
	return k, err
}

// ListTokens implements tenant.Store.
func (db *DB) ListTokens(ctx context.Context, name string) (list []tenant.Token, err error) {
	there := false
	err = db.Tenant("").read(ctx, func(t *session) (err error) {
		if _, there, err = t.one(`SELECT 1 FROM tenants WHERE name = ? AND removed IS NULL`, name); err == nil && there {
			list, err = t.listTokens(name)
		}
		return err
	})
	if err == nil && !there {
		err = noTenant(name)
	}
	return list, err
}

func (c *conn) listTokens(name string) (list []tenant.Token, err error) {
	err = c.each(`SELECT `+tokenColumns+` WHERE n.name = ? ORDER BY k.created, k.id`, func(st *sqlite.Stmt) error {
		k, err := scanToken(st)
		list = append(list, k)
		return err
	}, name)
	return list, err
}

// FindToken implements tenant.Store.
func (db *DB) FindToken(ctx context.Context, h tenant.Hash) (k tenant.Token, err error) {
	err = db.peek(ctx, func(t *session) error {
		return t.each(`SELECT `+tokenColumns+` WHERE k.hash = ?`, func(st *sqlite.Stmt) (err error) {
			k, err = scanToken(st)
			return err
		}, h[:])
	})
	if err == nil && k.ID == "" {
		err = tenant.ErrNoToken
	}
	return k, err
}

// ChangeTokens implements tenant.Store.
func (db *DB) ChangeTokens(ctx context.Context, name string, f func([]tenant.Token) (put []tenant.Token, drop []string, err error)) error {
	return db.decide(ctx, func(w *writer) (refused, err error) {
		pk := w.names.tenants[name]
		if pk == 0 {
			return noTenant(name), nil
		}
		have, err := w.conn.listTokens(name)
		if err != nil {
			return nil, err
		}
		put, drop, refused := f(have)
		if refused != nil {
			return refused, nil
		}
		for _, id := range drop {
			if err := w.conn.exec(`DELETE FROM tokens WHERE id = ? AND tenant = ?`, id, pk); err != nil {
				return nil, err
			}
		}
		for i := range put {
			if err := w.conn.putToken(pk, put[i]); err != nil {
				return nil, fmt.Errorf("token %s: %w", put[i].ID, err)
			}
		}
		_, err = w.revise()
		return nil, err
	})
}

// putToken stores a token of a tenant. One of that ID that is another tenant's
// stays as it is.
func (c *conn) putToken(pk int64, k tenant.Token) error {
	return c.exec(`INSERT INTO tokens (id, tenant, name, prefix, hash, scopes, created, expires, revoked, used, client, replaces)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
		ON CONFLICT (id) DO UPDATE SET name = ?3, prefix = ?4, hash = ?5, scopes = ?6, created = ?7, expires = ?8, revoked = ?9,
			used = max(used, ?10), client = ?11, replaces = ?12 WHERE tenant = ?2`,
		k.ID, pk, k.Name, k.Prefix, k.Hash[:], k.Scopes.String(), toMillis(k.Created), toMillis(k.Expires), toMillis(k.Revoked),
		toMillis(k.LastUsed), k.LastClient, k.Replaces)
}

// NoteUse implements tenant.Store.
func (db *DB) NoteUse(ctx context.Context, uses []tenant.Use) error {
	return db.writer.do(ctx, func() error {
		for _, u := range uses {
			err := db.writer.conn.exec(`UPDATE tokens SET used = ?1, client = CASE ?2 WHEN '' THEN client ELSE ?2 END WHERE id = ?3 AND used < ?1
				AND tenant = (SELECT pk FROM tenants WHERE name = ?4)`, toMillis(u.At), u.Client, u.Token, u.Tenant)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// ExpiringTokens implements tenant.Store.
func (db *DB) ExpiringTokens(ctx context.Context, after, before time.Time) (list []tenant.Token, err error) {
	err = db.peek(ctx, func(t *session) error {
		return t.each(`SELECT `+tokenColumns+` WHERE k.expires > 0 AND k.expires > ? AND k.expires <= ? AND k.revoked = 0 AND NOT EXISTS (
			SELECT 1 FROM tokens s WHERE s.tenant = k.tenant AND s.replaces = k.id AND s.revoked = 0) ORDER BY k.expires, k.id LIMIT 10000`,
			func(st *sqlite.Stmt) error {
				k, err := scanToken(st)
				list = append(list, k)
				return err
			}, toMillis(after), toMillis(before))
	})
	return list, err
}

// LiveTokens implements tenant.Store.
func (db *DB) LiveTokens(ctx context.Context, now time.Time) (count int, oldest time.Time, err error) {
	err = db.peek(ctx, func(t *session) error {
		return t.each(`SELECT count(*), coalesce(min(created), 0) FROM tokens k WHERE k.revoked = 0 AND (k.expires = 0 OR k.expires > ?)`,
			func(st *sqlite.Stmt) error {
				count, oldest = st.ColumnInt(0), fromMillis(st.ColumnInt64(1))
				return nil
			}, toMillis(now))
	})
	return count, oldest, err
}

// PruneTokens implements tenant.Store.
func (db *DB) PruneTokens(ctx context.Context, before time.Time) error {
	const old = ` FROM tokens WHERE revoked > 0 AND revoked < ?1 OR expires > 0 AND expires < ?1`
	some := false
	err := db.peek(ctx, func(t *session) (err error) {
		_, some, err = t.one(`SELECT 1`+old+` LIMIT 1`, toMillis(before))
		return err
	})
	if err != nil || !some { // most of the time: other writers need not wait
		return err
	}
	return db.writer.do(ctx, func() error {
		if err := db.writer.conn.exec(`DELETE`+old, toMillis(before)); err != nil {
			return err
		}
		_, err := db.writer.revise()
		return err
	})
}
