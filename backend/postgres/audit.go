package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/internal/audit"
)

// The bounds of what one transaction seals, and of what is read of a chain at
// once: a row of the change log can name a hundred thousand members.
const (
	sealRows  = 1_000
	sealBytes = 8 << 20
)

// AuditLog is the audit log of a tenant. Safe for concurrent use.
type AuditLog struct{ s *Store }

var _ audit.Log = AuditLog{}

// Audit returns the tenant's audit log.
func (s *Store) Audit() AuditLog { return AuditLog{s} }

// Seal implements audit.Log.
func (a AuditLog) Seal(ctx context.Context) (audit.Head, error) { return a.seal(ctx, 0, 0) }

// seal seals rows with a number greater than after, of which those up to settled
// are all there is.
func (a AuditLog) seal(ctx context.Context, after, settled int64) (head audit.Head, err error) {
	for more := true; more; {
		there := false
		err := a.s.peek(ctx, func(t *session) error {
			more = false
			if there = t.tenant != 0; !there {
				head = audit.Start(a.s.tenant)
				return nil
			}
			c, err := t.chain(ctx, "")
			if err != nil {
				return err
			}
			head = c.Head
			more = settled > c.sealed
			return t.each(ctx, unsealedSQL, func(pgx.Rows) error {
				more = true
				return nil
			}, t.tenant, max(after, c.sealed), 1)
		})
		if err != nil || !more {
			return head, err
		}
		err = a.s.write(ctx, func(t *session) error {
			c, err := t.locked(ctx)
			if err != nil {
				return err
			}
			more, err = t.seal(ctx, &c, after, settled)
			head = c.Head
			return err
		})
		if err != nil {
			return head, err
		}
	}
	return head, nil
}

// chain is the end of a tenant's chain as audit_heads has it.
type chain struct {
	audit.Head
	newest, sealed int64
	there          bool
}

// chain reads the end of the tenant's chain, with a lock or without.
func (t *session) chain(ctx context.Context, lock string) (c chain, err error) {
	c.Head = audit.Start(t.store.tenant)
	err = t.each(ctx, `SELECT n, link, newest, sealed FROM audit_heads WHERE tenant = $1`+lock, func(r pgx.Rows) error {
		var link []byte
		c.there = true
		err := r.Scan(&c.N, &link, &c.newest, &c.sealed)
		copy(c.Link[:], link)
		return err
	}, t.tenant)
	return c, err
}

// locked returns the end of the tenant's chain, to which nobody else writes until
// the transaction ends.
func (t *session) locked(ctx context.Context) (chain, error) {
	c, err := t.chain(ctx, ` FOR UPDATE`)
	if err != nil || c.there {
		return c, err
	}
	t.later(`INSERT INTO audit_heads (tenant, n, link, newest, sealed) VALUES ($1, 0, $2, 0, 0) ON CONFLICT DO NOTHING`, t.tenant, c.Link[:])
	return t.chain(ctx, ` FOR UPDATE`)
}

func (t *session) setChain(c *chain) {
	t.later(`UPDATE audit_heads SET n = $2, link = $3, newest = $4, sealed = $5 WHERE tenant = $1`, t.tenant, c.N, c.Link[:], c.newest, c.sealed)
}

// unsealedSQL finds rows of the change log that have no entry. Rows are committed
// in any order, so one may turn up behind others that have theirs.
const unsealedSQL = `SELECT c.seq, octet_length(c.deltas) FROM changes c WHERE c.tenant = $1 AND c.seq > $2
	AND NOT EXISTS (SELECT 1 FROM audit a WHERE a.tenant = $1 AND a.kind = 0 AND a.change = c.seq) ORDER BY c.seq LIMIT $3`

const changeColumns = `c.seq, c.time, c.type, c.id, c.op, c.version, c.actor, c.request, c.address, c.deltas`

// rowScan takes a row of the change log, which may be missing.
type rowScan struct {
	seq, time                                     *int64
	typ, id, op, version, actor, request, address *string
	deltas                                        []byte
}

func (s *rowScan) into() []any {
	return []any{&s.seq, &s.time, &s.typ, &s.id, &s.op, &s.version, &s.actor, &s.request, &s.address, (*bytes)(&s.deltas)}
}

func (s *rowScan) change() *audit.Change {
	if s.seq == nil {
		return nil
	}
	return &audit.Change{Seq: *s.seq, Time: time.UnixMilli(*s.time).UTC(), Type: *s.typ, ID: unescape(*s.id), Op: *s.op, Version: unescape(*s.version),
		Actor: unescape(*s.actor), Request: unescape(*s.request), Address: unescape(*s.address), Deltas: s.deltas}
}

// seal makes entries of rows of the change log that have none, and reports whether
// there may be more. The chain must be locked.
func (t *session) seal(ctx context.Context, c *chain, after, settled int64) (more bool, err error) {
	var list []int64
	size := int64(0)
	err = t.each(ctx, unsealedSQL, func(r pgx.Rows) error {
		var seq, n int64
		err := r.Scan(&seq, &n)
		if size <= sealBytes {
			list = append(list, seq)
		} else {
			more = true
		}
		size += n
		return err
	}, t.tenant, max(after, c.sealed), sealRows)
	if err != nil {
		return false, err
	}
	more = more || len(list) == sealRows
	var rows []audit.Change
	if len(list) > 0 {
		err = t.each(ctx, `SELECT `+changeColumns+` FROM changes c WHERE c.tenant = $1 AND c.seq = ANY($2::bigint[]) ORDER BY c.seq`, func(r pgx.Rows) error {
			var s rowScan
			err := r.Scan(s.into()...)
			if err == nil {
				rows = append(rows, *s.change())
				c.newest = max(c.newest, *s.seq)
			}
			return err
		}, t.tenant, list)
		if err != nil {
			return false, err
		}
	}
	entries := audit.Seal(&c.Head, rows)
	t.addEntries(entries, 0)
	if !more {
		c.sealed = max(c.sealed, settled)
	}
	t.setChain(c)
	return more, nil
}

// addEntries queues what stores entries. change is the place of those that are
// notes.
func (t *session) addEntries(list []audit.Entry, change int64) {
	if len(list) == 0 {
		return
	}
	var n, changes, times []int64
	var kinds []int16
	var salts, sums, links [][]byte
	var notes []string
	for i := range list {
		e := &list[i]
		seq := e.Seq
		if e.Kind != audit.Changed {
			seq = change
		}
		if e.Sum == nil {
			e.Sum = []byte{}
		}
		n, changes, times = append(n, e.N), append(changes, seq), append(times, e.Time.UnixMilli())
		kinds, notes = append(kinds, int16(e.Kind)), append(notes, escape(string(e.Note))) //nolint:gosec // a few
		salts, sums, links = append(salts, e.Salt), append(sums, e.Sum), append(links, e.Link[:])
	}
	t.later(`INSERT INTO audit (tenant, n, kind, change, time, salt, sum, note, link)
		SELECT $1, u.* FROM unnest($2::bigint[], $3::smallint[], $4::bigint[], $5::bigint[], $6::bytea[], $7::bytea[], $8::text[], $9::bytea[]) AS u`,
		t.tenant, n, kinds, changes, times, salts, sums, notes, links)
}

// Head implements audit.Log.
func (a AuditLog) Head(ctx context.Context) (h audit.Head, err error) {
	err = a.s.peek(ctx, func(t *session) error {
		c, err := t.chain(ctx, "")
		h = c.Head
		return err
	})
	return h, err
}

const entryColumns = `a.n, a.kind, a.change, a.time, a.salt, a.sum, a.note, a.link`

// entryScan takes an entry.
type entryScan struct {
	n, change, time int64
	kind            int16
	salt, sum, link []byte
	note            string
}

func (s *entryScan) into() []any {
	return []any{&s.n, &s.kind, &s.change, &s.time, &s.salt, &s.sum, &s.note, &s.link}
}

// entry returns the entry. Seq is set for notes as well.
func (s *entryScan) entry() audit.Entry {
	e := audit.Entry{N: s.n, Kind: audit.Kind(s.kind), Seq: s.change, Time: time.UnixMilli(s.time).UTC(), Salt: s.salt, Sum: s.sum}
	if s.note != "" {
		e.Note = []byte(unescape(s.note))
	}
	if len(s.link) == len(e.Link) {
		copy(e.Link[:], s.link)
	}
	return e
}

// Entries implements audit.Log.
func (a AuditLog) Entries(ctx context.Context, after int64, limit int) (list []audit.Entry, err error) {
	err = a.s.peek(ctx, func(t *session) error {
		list = nil
		size, last := int64(0), after
		err := t.each(ctx, `SELECT a.n, octet_length(coalesce(c.deltas, '')) FROM audit a
			LEFT JOIN changes c ON c.tenant = $1 AND c.seq = a.change AND a.kind = 0 WHERE a.tenant = $1 AND a.n > $2 ORDER BY a.n LIMIT $3`, func(r pgx.Rows) error {
			var n, m int64
			err := r.Scan(&n, &m)
			if size <= sealBytes {
				last = n
			}
			size += m
			return err
		}, t.tenant, after, limit)
		if err != nil || last == after {
			return err
		}
		return t.each(ctx, `SELECT `+entryColumns+`, `+changeColumns+` FROM audit a LEFT JOIN changes c ON c.tenant = $1 AND c.seq = a.change AND a.kind = 0
			WHERE a.tenant = $1 AND a.n > $2 AND a.n <= $3 ORDER BY a.n`, func(r pgx.Rows) error {
			var s entryScan
			var c rowScan
			if err := r.Scan(append(s.into(), c.into()...)...); err != nil {
				return err
			}
			e := s.entry()
			if e.Kind != audit.Changed {
				e.Seq = 0
			}
			e.Change = c.change()
			list = append(list, e)
			return nil
		}, t.tenant, after, last)
	})
	return list, err
}

// Expiry implements audit.Log.
func (a AuditLog) Expiry(ctx context.Context) (found *audit.Entry, err error) {
	err = a.s.peek(ctx, func(t *session) error {
		found, err = t.expiry(ctx)
		return err
	})
	return found, err
}

func (t *session) expiry(ctx context.Context) (found *audit.Entry, err error) {
	err = t.each(ctx, `SELECT `+entryColumns+` FROM audit a WHERE a.tenant = $1 AND a.kind = 2 ORDER BY a.n DESC LIMIT 1`, func(r pgx.Rows) error {
		var s entryScan
		err := r.Scan(s.into()...)
		e := s.entry()
		found = &e
		return err
	}, t.tenant)
	return found, err
}

// Strays implements audit.Log. Rows that are not known to be settled are none.
func (a AuditLog) Strays(ctx context.Context, limit int) (list []int64, err error) {
	err = a.s.peek(ctx, func(t *session) error {
		list = nil
		return t.each(ctx, `SELECT c.seq FROM changes c WHERE c.tenant = $1 AND c.seq <= (SELECT h.sealed FROM audit_heads h WHERE h.tenant = $1)
			AND NOT EXISTS (SELECT 1 FROM audit a WHERE a.tenant = $1 AND a.kind = 0 AND a.change = c.seq) ORDER BY c.seq LIMIT $2`, func(r pgx.Rows) error {
			var seq int64
			err := r.Scan(&seq)
			list = append(list, seq)
			return err
		}, t.tenant, limit)
	})
	return list, err
}
