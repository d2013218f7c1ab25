package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// The times of sealing: how often committed rows are sealed, how long an instance
// seals for all without saying so again, and how often it looks behind itself for
// rows that were committed very late.
const (
	sealEvery = time.Second
	leaseTime = 6 * time.Second
	lookBack  = 10 * time.Minute
)

// sealer seals rows of the change log for all instances, while it has the lease.
type sealer struct {
	db     *DB
	holder string
	until  time.Time // when the lease must be renewed, by this machine's clock

	last   int64 // of the sequence when everything was sealed
	mark   int64 // everything up to it is sealed, and nothing can come any more
	noted  int64 // becomes mark once no transaction from before is under way
	behind int64 // the first transaction that is not from before
	old    int64 // mark at the time of looked
	looked time.Time
}

// sealForever seals what is committed, once a second, until the DB is closed.
func (db *DB) sealForever() {
	s := &sealer{db: db, holder: rand.Text()}
	tick := time.NewTicker(sealEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-tick.C:
		case <-db.life.Done():
			s.giveUp()
			return
		}
		started := time.Now()
		err := s.pass(db.life)
		if err != nil && !failing && db.life.Err() == nil && !errors.Is(err, errClosed) {
			db.o.Logger.Warn("postgres: changes are not sealed in the audit log; it is tried again every second", "err", err)
		}
		if failing = err != nil; failing {
			s.until, s.last, s.mark, s.behind = time.Time{}, -1, 0, 0
		}
		// However much there is to do, most of the time is others'.
		if took := time.Since(started); took > sealEvery/2 {
			select {
			case <-time.After(min(4*took, leaseTime/2)):
			case <-db.life.Done():
			}
		}
	}
}

// pass does what is to be done in a second.
func (s *sealer) pass(ctx context.Context) error {
	held, err := s.lease(ctx)
	if err != nil || !held {
		return err
	}
	after, settled := s.mark, int64(0) // rows up to the mark that is set now are sealed in this pass at the latest
	last, err := s.settle(ctx)
	if err != nil {
		return err
	}
	query := someUnsealedSQL
	if back := time.Since(s.looked) > lookBack; back {
		after, settled, query = 0, s.old, unsettledSQL
	} else if last == s.last {
		return nil
	}
	tenants, err := s.db.behind(ctx, query, after)
	if err != nil {
		return err
	}
	for _, t := range tenants {
		if _, err := (AuditLog{t}).seal(ctx, after, settled); err != nil && !errors.Is(err, errRemoved) {
			return err
		}
		if held, err := s.lease(ctx); err != nil || !held {
			return err
		}
	}
	if after == 0 {
		s.old, s.looked = s.mark, time.Now()
	}
	if s.mark == last {
		s.last = last
	}
	return nil
}

// settle moves mark, and returns the last number of a row that was ever given.
func (s *sealer) settle(ctx context.Context) (last int64, err error) {
	var oldest, next int64
	err = s.db.whole().peek(ctx, func(t *session) error {
		if last, _, err = t.one(ctx, `SELECT last_value FROM changes_seq`); err != nil {
			return err
		}
		return t.each(ctx, `SELECT pg_snapshot_xmin(x)::text::bigint, pg_snapshot_xmax(x)::text::bigint FROM pg_current_snapshot() AS x`, func(r pgx.Rows) error {
			return r.Scan(&oldest, &next)
		})
	})
	if err != nil {
		return 0, err
	}
	if s.behind != 0 && oldest >= s.behind {
		s.mark, s.behind = s.noted, 0
	}
	if s.behind == 0 && s.mark != last {
		s.noted, s.behind = last, next
	}
	return last, nil
}

// lease reports whether this instance seals for all, for some seconds more.
func (s *sealer) lease(ctx context.Context) (held bool, err error) {
	if time.Until(s.until) > leaseTime/2 {
		return true, nil
	}
	started := time.Now()
	err = s.db.decide(ctx, func(t *session) (refused, err error) {
		_, held, err = t.one(ctx, `INSERT INTO audit_lease AS l (tenant, holder, until) VALUES (0, $1, now() + $2::float8 * interval '1 second')
			ON CONFLICT (tenant) DO UPDATE SET holder = excluded.holder, until = excluded.until
			WHERE l.tenant = 0 AND (l.holder = excluded.holder OR l.until < now()) RETURNING 1`, s.holder, leaseTime.Seconds())
		return nil, err
	})
	if err != nil || !held {
		s.until, s.last, s.mark, s.behind, s.looked = time.Time{}, -1, 0, 0, time.Time{}
		return false, err
	}
	s.until = started.Add(leaseTime)
	return true, nil
}

// giveUp lets another instance seal at once.
func (s *sealer) giveUp() {
	if time.Until(s.until) <= 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.db.life), time.Second)
	defer cancel()
	_ = s.db.decide(ctx, func(t *session) (refused, err error) { // it ends by itself
		_, err = t.exec(ctx, `DELETE FROM audit_lease WHERE tenant = 0 AND holder = $1`, s.holder)
		return nil, err
	})
}

// someUnsealedSQL finds tenants that have rows without an entry, unsettledSQL those
// that have rows of which this is not noted.
const (
	unsettledSQL = `SELECT n.tenant, n.name FROM tenants n LEFT JOIN audit_heads h ON h.tenant = n.tenant
		WHERE n.removed IS NULL AND EXISTS (SELECT 1 FROM changes c WHERE c.tenant = n.tenant AND c.seq > greatest($1::bigint, coalesce(h.sealed, 0)))`
	someUnsealedSQL = `SELECT n.tenant, n.name FROM tenants n LEFT JOIN audit_heads h ON h.tenant = n.tenant
		WHERE n.removed IS NULL AND EXISTS (SELECT 1 FROM changes c WHERE c.tenant = n.tenant AND c.seq > greatest($1::bigint, coalesce(h.sealed, 0))
			AND NOT EXISTS (SELECT 1 FROM audit a WHERE a.tenant = n.tenant AND a.kind = 0 AND a.change = c.seq))`
)

// behind returns the tenants that a query finds of rows behind a number.
func (db *DB) behind(ctx context.Context, query string, after int64) (list []*Store, err error) {
	err = db.whole().peek(ctx, func(t *session) error {
		list = nil
		return t.each(ctx, query, func(r pgx.Rows) error {
			s := &Store{db: db}
			err := r.Scan(&s.pk, &s.tenant)
			s.tenant = unescape(s.tenant)
			list = append(list, s)
			return err
		}, after)
	})
	return list, err
}
