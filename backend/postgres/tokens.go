package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/internal/tenant"
)

const tokenColumns = `SELECT k.id, n.name, k.name, k.prefix, k.hash, k.scopes, k.created, k.expires, k.revoked, k.used, k.client, k.replaces
	FROM tenants n JOIN tokens k ON k.tenant = n.tenant WHERE n.removed IS NULL`

func scanToken(r pgx.Rows) (k tenant.Token, err error) {
	var hash []byte
	var scopes string
	var created, expires, revoked, used int64
	err = r.Scan(&k.ID, &k.Tenant, &k.Name, &k.Prefix, &hash, &scopes, &created, &expires, &revoked, &used, &k.LastClient, &k.Replaces)
	if err != nil {
		return k, err
	}
	k.ID, k.Tenant, k.Name, k.LastClient, k.Replaces = unescape(k.ID), unescape(k.Tenant), unescape(k.Name), unescape(k.LastClient), unescape(k.Replaces)
	k.Hash, k.Created, k.Expires, k.Revoked, k.LastUsed = hashOf(hash), fromMillis(created), fromMillis(expires), fromMillis(revoked), fromMillis(used)
	k.Scopes, err = tenant.ParseScopes(scopes)
	return k, err
}

// ListTokens implements tenant.Store.
func (db *DB) ListTokens(ctx context.Context, name string) (list []tenant.Token, err error) {
	there := false
	err = db.whole().read(ctx, func(t *session) (err error) {
		list = nil
		if _, there, err = t.one(ctx, `SELECT 1 FROM tenants WHERE name = $1 AND removed IS NULL`, escape(name)); err == nil && there {
			list, err = t.listTokens(ctx, name)
		}
		return err
	})
	if err == nil && !there {
		err = noTenant(name)
	}
	return list, err
}

func (t *session) listTokens(ctx context.Context, name string) (list []tenant.Token, err error) {
	err = t.each(ctx, tokenColumns+` AND n.name = $1 ORDER BY k.created, k.id`, func(r pgx.Rows) error {
		k, err := scanToken(r)
		list = append(list, k)
		return err
	}, escape(name))
	return list, err
}

// FindToken implements tenant.Store.
func (db *DB) FindToken(ctx context.Context, h tenant.Hash) (k tenant.Token, err error) {
	err = db.whole().peek(ctx, func(t *session) error {
		k = tenant.Token{}
		return t.each(ctx, tokenColumns+` AND k.hash = $1`, func(r pgx.Rows) (err error) {
			k, err = scanToken(r)
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
	return db.decide(ctx, func(t *session) (refused, err error) {
		pk, there, err := t.one(ctx, `SELECT tenant FROM tenants WHERE name = $1 AND removed IS NULL FOR UPDATE`, escape(name))
		if err != nil {
			return nil, err
		}
		if !there {
			return noTenant(name), nil
		}
		have, err := t.listTokens(ctx, name)
		if err != nil {
			return nil, err
		}
		put, drop, refused := f(have)
		if refused != nil {
			return refused, nil
		}
		number := int32(pk) //nolint:gosec // it was one
		for _, id := range drop {
			t.later(`DELETE FROM tokens WHERE tenant = $1 AND id = $2`, number, escape(id))
		}
		for i := range put {
			if err := t.putToken(ctx, number, put[i]); err != nil {
				return nil, fmt.Errorf("token %s: %w", put[i].ID, err)
			}
		}
		_, err = t.revise(ctx)
		return nil, err
	})
}

const putTokenSQL = `INSERT INTO tokens AS k (tenant, id, name, prefix, hash, scopes, created, expires, revoked, used, client, replaces)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (tenant, id) DO UPDATE SET name = $3, prefix = $4, hash = $5, scopes = $6, created = $7, expires = $8, revoked = $9,
			used = greatest(k.used, $10), client = $11, replaces = $12`

func tokenArgs(number int32, k tenant.Token) []any {
	return []any{number, escape(k.ID), escape(k.Name), k.Prefix, k.Hash[:], k.Scopes.String(), toMillis(k.Created), toMillis(k.Expires),
		toMillis(k.Revoked), toMillis(k.LastUsed), escape(k.LastClient), escape(k.Replaces)}
}

func (t *session) putToken(ctx context.Context, number int32, k tenant.Token) error {
	_, err := t.exec(ctx, putTokenSQL, tokenArgs(number, k)...)
	return err
}

// NoteUse implements tenant.Store. Tokens are taken in an order, so that no two
// instances wait for each other.
func (db *DB) NoteUse(ctx context.Context, uses []tenant.Use) error {
	var names, ids, clients []string
	var times []int64
	for _, u := range uses {
		names, ids, clients = append(names, escape(u.Tenant)), append(ids, escape(u.Token)), append(clients, escape(u.Client))
		times = append(times, toMillis(u.At))
	}
	return db.decide(ctx, func(t *session) (refused, err error) {
		_, err = t.exec(ctx, `WITH uses AS MATERIALIZED (
				SELECT k.tenant, k.id, u.at, u.client FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) AS u (name, id, client, at)
				JOIN tenants n ON n.name = u.name JOIN tokens k ON k.tenant = n.tenant AND k.id = u.id
				WHERE k.used < u.at ORDER BY k.tenant, k.id FOR NO KEY UPDATE OF k)
			UPDATE tokens k SET used = u.at, client = CASE u.client WHEN '' THEN k.client ELSE u.client END
			FROM uses u WHERE k.tenant = u.tenant AND k.id = u.id AND k.used < u.at`, names, ids, clients, times)
		return nil, err
	})
}

// ExpiringTokens implements tenant.Store.
func (db *DB) ExpiringTokens(ctx context.Context, after, before time.Time) (list []tenant.Token, err error) {
	err = db.whole().peek(ctx, func(t *session) error {
		list = nil
		return t.each(ctx, tokenColumns+` AND k.expires > 0 AND k.expires > $1 AND k.expires <= $2 AND k.revoked = 0 AND NOT EXISTS (
			SELECT 1 FROM tokens s WHERE s.tenant = k.tenant AND s.replaces = k.id AND s.revoked = 0) ORDER BY k.expires, k.id LIMIT 10000`,
			func(r pgx.Rows) error {
				k, err := scanToken(r)
				list = append(list, k)
				return err
			}, toMillis(after), toMillis(before))
	})
	return list, err
}

// LiveTokens implements tenant.Store.
func (db *DB) LiveTokens(ctx context.Context, now time.Time) (count int, oldest time.Time, err error) {
	err = db.whole().peek(ctx, func(t *session) error {
		return t.each(ctx, `SELECT count(*), coalesce(min(k.created), 0) FROM tokens k, tenants n
			WHERE k.tenant = n.tenant AND k.revoked = 0 AND (k.expires = 0 OR k.expires > $1)`, func(r pgx.Rows) error {
			var made int64
			err := r.Scan(&count, &made)
			oldest = fromMillis(made)
			return err
		}, toMillis(now))
	})
	return count, oldest, err
}

// PruneTokens implements tenant.Store.
func (db *DB) PruneTokens(ctx context.Context, before time.Time) error {
	return db.decide(ctx, func(t *session) (refused, err error) {
		n, err := t.exec(ctx, `DELETE FROM tokens k USING tenants n WHERE k.tenant = n.tenant
			AND (k.revoked > 0 AND k.revoked < $1 OR k.expires > 0 AND k.expires < $1)`, toMillis(before))
		if err == nil && n > 0 {
			_, err = t.revise(ctx)
		}
		return nil, err
	})
}
