package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/internal/guard"
)

// leaseSQL takes requests out of a bucket, as many as it has up to $5, by the
// database's clock, which all instances share. A bucket that is not there is full.
const leaseSQL = `WITH clock AS (SELECT (extract(epoch FROM clock_timestamp()) * 1e6)::bigint AS now),
	had AS (
		INSERT INTO rates AS r (tenant, what, tokens, at) SELECT $1, $2, $4::float8, now FROM clock
		ON CONFLICT (tenant, what) DO UPDATE SET
			tokens = least($4::float8, r.tokens + greatest(0, excluded.at - r.at) / 1e6 * $3::float8), at = greatest(r.at, excluded.at)
		RETURNING r.tokens)
	SELECT tokens FROM had`

// Lease implements guard.Leaser.
func (s *Store) Lease(ctx context.Context, what string, r guard.Rate, want int) (l guard.Lease, err error) {
	err = s.write(ctx, func(t *session) error {
		// What a crash loses of it is a few requests too many.
		t.later(`SELECT set_config('synchronous_commit', 'off', true)`)
		var tokens float64
		if err := t.each(ctx, leaseSQL, func(rows pgx.Rows) error { return rows.Scan(&tokens) }, t.tenant, escape(what), r.PerSecond, r.Burst); err != nil {
			return err
		}
		l = guard.Lease{Granted: min(want, int(tokens))}
		if l.Granted == 0 {
			l.Wait = time.Duration((1 - tokens) / r.PerSecond * float64(time.Second))
		}
		l.Left = int(tokens) - l.Granted
		t.later(`UPDATE rates SET tokens = tokens - $3::float8 WHERE tenant = $1 AND what = $2`, t.tenant, escape(what), float64(l.Granted))
		return nil
	})
	return l, err
}
