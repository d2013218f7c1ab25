package postgres

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/shared"
)

// Exchanges is where the instances of a database keep what the Looking Glass
// recorded of a tenant. It has two connections of its own, so that requests never
// wait for one that it uses. Safe for concurrent use.
type Exchanges struct {
	store        *Store
	id, instance string
}

var _ shared.Store = (*Exchanges)(nil)

// The bounds of what waits for the database on behalf of the Looking Glass, how
// long an instance that says nothing keeps its number, and how far back Fresh
// looks: a transaction may be committed some time after it has told the time.
const (
	exchangeConns = 2
	numberKept    = 10 * time.Minute
	freshTime     = 30 * time.Second
)

// Exchanges returns the exchanges of a tenant, for the instance of that id and
// name. Close it before the DB.
func (db *DB) Exchanges(tenant, id, instance string) (*Exchanges, error) {
	c := db.pool.Config()
	side := &DB{o: db.o, version: db.version, life: db.life, end: func() {}, note: db.note}
	c.MaxConns, c.MinConns, c.MinIdleConns = exchangeConns, 0, 0
	c.AfterConnect = func(context.Context, *pgx.Conn) error {
		side.tenants.Clear()
		return nil
	}
	var err error
	if side.pool, err = pgxpool.NewWithConfig(db.life, c); err != nil {
		return nil, explain(err)
	}
	return &Exchanges{side.Tenant(tenant), id, instance}, nil
}

// Close closes the connections.
func (e *Exchanges) Close() error {
	return e.store.db.Close()
}

// write runs f in a transaction that the disk is not waited for: what a crash
// of the server takes away of the last moments is no harm.
func (e *Exchanges) write(ctx context.Context, f func(*session) error) error {
	return e.store.write(ctx, func(t *session) error {
		t.later(`SET LOCAL synchronous_commit = off`)
		return f(t)
	})
}

// Join implements shared.Store.
func (e *Exchanges) Join(ctx context.Context, have int) (number int, now time.Time, err error) {
	err = e.write(ctx, func(t *session) error {
		number = -1
		if err := t.each(ctx, `SELECT clock_timestamp()`, func(r pgx.Rows) error { return r.Scan(&now) }); err != nil {
			return err
		}
		n, err := t.exec(ctx, `UPDATE glass_writers SET seen = now() WHERE tenant = $1 AND number = $2 AND writer = $3`, t.tenant, have, escape(e.id))
		if err != nil || n > 0 {
			number = have
			return err
		}
		taken := make([]bool, shared.Numbers)
		err = t.each(ctx, `SELECT number FROM glass_writers WHERE tenant = $1 AND seen > now() - $2::float8 * interval '1 second'`, func(r pgx.Rows) error {
			n := 0
			err := r.Scan(&n)
			if n >= 0 && n < len(taken) {
				taken[n] = true
			}
			return err
		}, t.tenant, numberKept.Seconds())
		for err == nil && number < 0 {
			free := slices.Index(taken, false)
			if free < 0 {
				return nil
			}
			taken[free] = true
			n, err = t.exec(ctx, `INSERT INTO glass_writers AS w (tenant, number, writer, seen) VALUES ($1, $2, $3, now())
				ON CONFLICT (tenant, number) DO UPDATE SET writer = excluded.writer, seen = excluded.seen
				WHERE w.seen <= now() - $4::float8 * interval '1 second'`, t.tenant, free, escape(e.id), numberKept.Seconds())
			if n > 0 {
				number = free
			}
		}
		return err
	})
	return number, now, err
}

// Leave implements shared.Store. The number is free some seconds later, when
// numbers made from it are surely past.
func (e *Exchanges) Leave(ctx context.Context, number int) error {
	return e.write(ctx, func(t *session) error {
		_, err := t.exec(ctx, `UPDATE glass_writers SET seen = now() - $4::float8 * interval '1 second' WHERE tenant = $1 AND number = $2 AND writer = $3`,
			t.tenant, number, escape(e.id), (numberKept - 10*time.Second).Seconds())
		return err
	})
}

// errTaken says that exchanges can't be kept.
var errTaken = errors.New("postgres: another instance has written exchanges under the same numbers")

// Write implements shared.Store.
func (e *Exchanges) Write(ctx context.Context, blocks []shared.Block, lookups []shared.Lookup) error {
	lookups = gathered(lookups)
	return e.write(ctx, func(t *session) error {
		taken := false
		for i := range blocks {
			b := &blocks[i]
			touched := b.Touched
			if touched == nil {
				touched = []int32{}
			}
			t.laterExec(`INSERT INTO glass_blocks AS o (tenant, first, last, oldest, newest, number, stored, writer, instance, touched, deflated, body)
				VALUES ($1, $2, $3, $4, $5, $6, (extract(epoch FROM clock_timestamp()) * 1000)::bigint, $7, $8, $9::integer[], $10, $11)
				ON CONFLICT (tenant, first) DO UPDATE SET newest = excluded.newest WHERE o.writer = excluded.writer AND o.last = excluded.last`,
				func(rows int64) { taken = taken || rows == 0 }, t.tenant, b.First, b.Last, b.Oldest, b.Newest, b.Count, escape(e.id), escape(e.instance), touched, b.Deflated, b.Body)
		}
		if err := t.flush(ctx); err != nil {
			return err
		}
		if taken {
			return errTaken
		}
		if len(lookups) == 0 {
			return nil
		}
		var keys [][]byte
		var attributes, values, kinds, hows []string
		var found, first, last, times []int64
		for i := range lookups {
			l := &lookups[i]
			keys, attributes, values = append(keys, l.Key), append(attributes, escape(attributeIn(l.Tenant, l.Attribute))), append(values, escape(l.Value))
			kinds, hows, found = append(kinds, escape(l.Kind)), append(hows, escape(l.How)), append(found, int64(l.Found))
			first, last, times = append(first, l.First), append(last, l.Last), append(times, int64(l.Times))
		}
		t.later(`INSERT INTO glass_lookups AS o (tenant, key, attribute, value, found, kind, how, first, last, times)
			SELECT $1, u.key, u.attribute, u.value, u.found, u.kind, u.how, u.first, u.last, u.times
			FROM unnest($2::bytea[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::bigint[], $9::bigint[], $10::bigint[])
				AS u (key, attribute, value, found, kind, how, first, last, times) ORDER BY u.key, u.attribute
			ON CONFLICT (tenant, key, attribute) DO UPDATE SET times = o.times + excluded.times,
			first = least(o.first, excluded.first), last = greatest(o.last, excluded.last),
			value = CASE WHEN excluded.last >= o.last THEN excluded.value ELSE o.value END,
			found = CASE WHEN excluded.last >= o.last THEN excluded.found ELSE o.found END,
			kind = CASE WHEN excluded.last >= o.last THEN excluded.kind ELSE o.kind END,
			how = CASE WHEN excluded.last >= o.last THEN excluded.how ELSE o.how END`,
			t.tenant, keys, attributes, values, found, kinds, hows, first, last, times)
		return nil
	})
}

// gathered returns each lookup once, in the order of their keys: all instances
// lock rows in that order.
func gathered(list []shared.Lookup) []shared.Lookup {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b shared.Lookup) int {
		return cmp.Or(slices.Compare(a.Key, b.Key), cmp.Compare(a.Attribute, b.Attribute), cmp.Compare(a.Last, b.Last))
	})
	var out []shared.Lookup
	for _, l := range list {
		if n := len(out); n > 0 && slices.Equal(out[n-1].Key, l.Key) && out[n-1].Attribute == l.Attribute {
			l.First, l.Times = min(l.First, out[n-1].First), l.Times+out[n-1].Times
			out[n-1] = l
		} else {
			out = append(out, l)
		}
	}
	return out
}

const blockColumns = `b.first, b.last, b.oldest, b.newest, b.number, b.instance, b.touched, b.deflated, b.body`

func (e *Exchanges) blocks(ctx context.Context, query string, args func(*session) []any) (list []shared.Block, err error) {
	err = e.store.peek(ctx, func(t *session) error {
		list = nil
		return t.each(ctx, query, func(r pgx.Rows) error {
			var b shared.Block
			err := r.Scan(&b.First, &b.Last, &b.Oldest, &b.Newest, &b.Count, &b.Instance, &b.Touched, &b.Deflated, &b.Body)
			b.Instance = unescape(b.Instance)
			list = append(list, b)
			return err
		}, args(t)...)
	})
	return list, err
}

// Read implements shared.Store.
func (e *Exchanges) Read(ctx context.Context, s shared.Span) ([]shared.Block, error) {
	query := `SELECT ` + blockColumns + ` FROM glass_blocks b WHERE b.tenant = $1 AND b.last > $2 AND b.first < $3
		AND ($4::integer[] IS NULL OR b.touched && $4) AND b.last < $5 ORDER BY b.last DESC LIMIT $6`
	if s.Oldest {
		query = `SELECT ` + blockColumns + ` FROM glass_blocks b WHERE b.tenant = $1 AND b.last > $2 AND b.first < $3
		AND ($4::integer[] IS NULL OR b.touched && $4) AND b.first > $5 ORDER BY b.first LIMIT $6`
	}
	return e.blocks(ctx, query, func(t *session) []any {
		return []any{t.tenant, s.After, s.Before, s.Touching, s.Beyond, s.Limit}
	})
}

// Fresh implements shared.Store.
func (e *Exchanges) Fresh(ctx context.Context, known []int64, limit int) ([]shared.Block, error) {
	if known == nil {
		known = []int64{}
	}
	return e.blocks(ctx, `SELECT `+blockColumns+` FROM glass_blocks b
		WHERE b.tenant = $1 AND b.stored > (extract(epoch FROM clock_timestamp()) * 1000)::bigint - $2 AND b.writer <> $3 AND b.first <> ALL($4::bigint[])
		ORDER BY b.stored DESC LIMIT $5`, func(t *session) []any {
		return []any{t.tenant, freshTime.Milliseconds(), escape(e.id), known, limit}
	})
}

// Measure implements shared.Store.
func (e *Exchanges) Measure(ctx context.Context) (count, oldest int64, err error) {
	err = e.store.peek(ctx, func(t *session) error {
		return t.each(ctx, `SELECT coalesce(sum(number), 0)::bigint, coalesce(min(oldest), 0) FROM glass_blocks WHERE tenant = $1`,
			func(r pgx.Rows) error { return r.Scan(&count, &oldest) }, t.tenant)
	})
	return count, oldest, err
}

// Prune implements shared.Store.
func (e *Exchanges) Prune(ctx context.Context, keep, lookups int, since time.Time) error {
	return e.write(ctx, func(t *session) error {
		if _, err := t.exec(ctx, `INSERT INTO glass_pruning (tenant, pruned) VALUES ($1, now()) ON CONFLICT DO NOTHING`, t.tenant); err != nil {
			return err
		}
		_, mine, err := t.one(ctx, `SELECT 1 FROM glass_pruning WHERE tenant = $1 FOR UPDATE SKIP LOCKED`, t.tenant)
		if err != nil || !mine {
			return err
		}
		floor, _, err := t.one(ctx, `SELECT coalesce(max(x.last), 0) FROM (
				SELECT b.last, sum(b.number) OVER (ORDER BY b.last DESC) - b.number AS newer FROM glass_blocks b WHERE b.tenant = $1
			) x WHERE x.newer >= $2`, t.tenant, keep)
		if err != nil {
			return err
		}
		old, _, err := t.one(ctx, `SELECT last FROM glass_lookups WHERE tenant = $1 ORDER BY last DESC LIMIT 1 OFFSET $2`, t.tenant, lookups)
		if err != nil {
			return err
		}
		t.later(`DELETE FROM glass_blocks WHERE tenant = $1 AND (last <= $2 OR newest < $3)`, t.tenant, floor, since.UnixMilli())
		t.later(`DELETE FROM glass_lookups WHERE tenant = $1 AND last < $2`, t.tenant, max(old, since.UnixMilli()))
		t.later(`DELETE FROM glass_writers WHERE tenant = $1 AND seen < now() - $2::float8 * interval '1 second'`, t.tenant, (2 * numberKept).Seconds())
		t.later(`UPDATE glass_pruning SET pruned = now() WHERE tenant = $1`, t.tenant)
		return nil
	})
}

// Lookups implements shared.Store.
func (e *Exchanges) Lookups(ctx context.Context, tenant string, key []byte, limit int) (list []shared.Lookup, err error) {
	err = e.store.peek(ctx, func(t *session) error {
		list = nil
		row := func(r pgx.Rows) error {
			var l shared.Lookup
			err := r.Scan(&l.Attribute, &l.Value, &l.Found, &l.Kind, &l.How, &l.First, &l.Last, &l.Times)
			l.Tenant, l.Attribute = tenant, unescape(l.Attribute)
			l.Attribute = l.Attribute[strings.IndexByte(l.Attribute, '/')+1:]
			l.Value, l.Kind, l.How = unescape(l.Value), unescape(l.Kind), unescape(l.How)
			list = append(list, l)
			return err
		}
		const query = `SELECT attribute, value, found, kind, how, first, last, times FROM glass_lookups WHERE tenant = $1 AND ` + ofTenant
		if key == nil {
			return t.each(ctx, query+` ORDER BY last DESC LIMIT $3`, row, t.tenant, escape(tenant), limit)
		}
		return t.each(ctx, query+` AND key = $3 ORDER BY last DESC LIMIT $4`, row, t.tenant, escape(tenant), key, limit)
	})
	return list, err
}

// attributeIn is the attribute of a lookup as it is stored: the tenant stands
// before it, and a slash, unless it is the one that the exchanges are kept with.
// No attribute that is looked for has a slash in it.
func attributeIn(tenant, attribute string) string {
	if tenant == "" {
		return attribute
	}
	return tenant + "/" + attribute
}

// ofTenant selects the lookups of the tenant $2.
const ofTenant = `CASE WHEN position('/' in attribute) = 0 THEN '' ELSE split_part(attribute, '/', 1) END = $2`

// Forget implements shared.Store.
func (e *Exchanges) Forget(ctx context.Context, blocks []shared.Block, tenant string) error {
	return e.write(ctx, func(t *session) error {
		t.replaceBlocks(blocks)
		t.later(`DELETE FROM glass_lookups WHERE tenant = $1 AND `+ofTenant, t.tenant, escape(tenant))
		return nil
	})
}

// Erase implements shared.Store.
func (e *Exchanges) Erase(ctx context.Context, blocks []shared.Block, keys [][]byte) error {
	return e.store.write(ctx, func(t *session) error {
		t.replaceBlocks(blocks)
		t.later(`DELETE FROM glass_lookups WHERE tenant = $1 AND key = ANY($2::bytea[])`, t.tenant, keys)
		return nil
	})
}

func (t *session) replaceBlocks(blocks []shared.Block) {
	for i := range blocks {
		b := &blocks[i]
		if b.Count == 0 {
			t.later(`DELETE FROM glass_blocks WHERE tenant = $1 AND first = $2`, t.tenant, b.First)
			continue
		}
		t.later(`UPDATE glass_blocks SET number = $3, touched = $4::integer[], deflated = $5, body = $6 WHERE tenant = $1 AND first = $2`,
			t.tenant, b.First, b.Count, b.Touched, b.Deflated, b.Body)
	}
}
