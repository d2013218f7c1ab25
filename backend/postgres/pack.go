package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/internal/transfer"
)

// pack is what a tenant is, but for its resources, for another database. all runs
// a query.
func pack(name string, all func(sql string, row func(pgx.Rows) error, args ...any) error) ([]byte, error) {
	var t tenant.Tenant
	var tokens []tenant.Token
	err := all(tenantColumns+` WHERE name = $1`, func(r pgx.Rows) (err error) {
		t, err = scanTenant(r)
		return err
	}, escape(name))
	if err != nil {
		return nil, err
	}
	err = all(tokenColumns+` AND n.name = $1 ORDER BY k.created, k.id`, func(r pgx.Rows) error {
		k, err := scanToken(r)
		tokens = append(tokens, k)
		return err
	}, escape(name))
	if err != nil {
		return nil, err
	}
	return tenant.Pack(t, tokens)
}

// unpack makes a tenant what another database has packed.
func unpack(ctx context.Context, tx pgx.Tx, number int32, from transfer.Tenant) error {
	t, tokens, err := tenant.Unpack(from.Name, from.Access)
	if err != nil || from.Access == nil {
		return err
	}
	settings, err := t.Settings.Encode()
	if err != nil {
		return err
	}
	for i := range tokens {
		if _, err := tx.Exec(ctx, putTokenSQL, tokenArgs(number, tokens[i])...); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, `WITH r AS (UPDATE revisions SET n = n + 1 WHERE tenant = 0 AND what = 'tenants' RETURNING n)
		UPDATE tenants SET created = $2, settings = $3, revision = (SELECT n FROM r) WHERE tenant = $1`,
		number, toMillis(t.Created), escape(string(settings)))
	return err
}
