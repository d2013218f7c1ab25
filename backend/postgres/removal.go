package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/internal/tenant"
)

// RemoveTenant implements tenant.Store. The first transaction takes the tenant
// out of sight; its rows are removed a slice at a time, so that other writers
// get their turn, by this instance or another one.
func (db *DB) RemoveTenant(ctx context.Context, name string) error {
	err := db.bury(ctx, name)
	if err == nil {
		db.spawn(db.finishRemovals)
	}
	return err
}

func (db *DB) bury(ctx context.Context, name string) error {
	var pk int32
	err := db.decide(ctx, func(t *session) (refused, err error) {
		found, removed := false, false
		err = t.each(ctx, `SELECT tenant, removed IS NOT NULL FROM tenants WHERE name = $1 FOR UPDATE`, func(r pgx.Rows) error {
			found = true
			return r.Scan(&pk, &removed)
		}, escape(name))
		switch {
		case err != nil:
			return nil, err
		case removed:
			return tenant.ErrRemoving, nil
		case !found:
			return noTenant(name), nil
		}
		t.later(`UPDATE tenants SET removed = pg_current_xact_id(), settings = '{"version":1}' WHERE tenant = $1`, pk)
		t.later(`DELETE FROM tokens WHERE tenant = $1`, pk)
		_, err = t.revise(ctx)
		return nil, err
	})
	if err == nil {
		db.gone.Store(pk, true)
		db.tenants.CompareAndDelete(name, pk)
	}
	return err
}

// How long a removal waits for transactions that began before it, and then for
// another instance to go on.
const (
	settlePause = 50 * time.Millisecond
	mostSettles = 200
)

// finishRemovals removes what removed tenants have left, a slice at a time. What
// it leaves, the next call or another instance goes on with.
func (db *DB) finishRemovals() {
	for pauses := 0; pauses < mostSettles; {
		n, err := db.removeSlice(db.life, min(db.o.SliceRows, pruneStep))
		switch {
		case db.life.Err() != nil || errors.Is(err, errOver):
			return
		case err != nil:
			db.o.Logger.Error("postgres: a tenant's rows are not all removed; it is tried again later", "err", err)
			return
		case n == nothingLeft:
			return
		case n > 0:
			continue
		}
		pauses++
		select {
		case <-time.After(settlePause):
		case <-db.life.Done():
			return
		}
	}
}

// nothingLeft is what removeSlice returns if no tenant is being removed, but by
// another instance.
const nothingLeft = -1

// settledSQL finds a tenant to go on with. settled is whether no transaction is
// under way that began before its removal, and could still write. A number that
// the server has not come to yet is of the one that the database was copied from.
const settledSQL = `SELECT tenant, removed < pg_snapshot_xmin(pg_current_snapshot()) OR removed >= pg_snapshot_xmax(pg_current_snapshot())
	FROM tenants WHERE removed IS NOT NULL ORDER BY tenant LIMIT 1 FOR UPDATE SKIP LOCKED`

// removals are the rows of a tenant, table by table, in an order in which none
// refers to one that is gone. Each statement takes the tenant and how many rows
// it may remove. Tombstones are first: after them nothing writes rows of the
// tenant any more.
var removals = []string{
	removal("doomed"), removal("tokens"), removal("members"), removal("refs"), removal("attrs"), removal("uniq"), removal("resources"),
	removal("deleted_groups"), removal("deleted"), removal("audit"), removal("audit_heads"), removal("audit_lease"),
	removal("changes_people"), removal("changes"), removal("counts"), removal("meta"),
	removal("instances"), removal("ended"), removal("revisions"), removal("guard_people"), removal("guards"), removal("rates"),
	removal("glass_blocks"), removal("glass_lookups"), removal("glass_writers"), removal("glass_pruning"),
}

func removal(table string) string {
	return `DELETE FROM ` + table + ` WHERE tenant = $1 AND ctid = ANY(ARRAY(SELECT x.ctid FROM ` + table + ` x WHERE x.tenant = $1 LIMIT $2))`
}

// removeSlice removes rows of one tenant, limit of them at most, and returns how
// many. The tenant goes with the last.
func (db *DB) removeSlice(ctx context.Context, limit int) (n int64, err error) {
	err = db.decide(ctx, func(t *session) (refused, err error) {
		var pk int32
		settled := false
		n = nothingLeft
		err = t.each(ctx, settledSQL, func(r pgx.Rows) error { return r.Scan(&pk, &settled) })
		if err != nil || pk == 0 {
			return nil, err
		}
		n = 0
		for _, q := range removals {
			m, err := t.exec(ctx, q, pk, int64(limit)-n)
			if err != nil {
				return nil, err
			}
			if n += m; n >= int64(limit) {
				return nil, nil
			}
		}
		if n == 0 && settled {
			n = 1
			_, err = t.exec(ctx, `DELETE FROM tenants WHERE tenant = $1`, pk)
		}
		return nil, err
	})
	return n, err
}
