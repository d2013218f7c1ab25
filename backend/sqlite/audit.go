package sqlite

import (
	"context"
	"errors"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/rollcall-scim/rollcall/internal/audit"
)

// The bounds of what one transaction seals, and of what is read of a chain at
// once: a row of the change log can name a hundred thousand members.
const (
	sealRows  = 1_000
	sealBytes = 8 << 20
)

// sealEvery is how often committed rows of the change log are sealed.
const sealEvery = time.Second

// AuditLog is the audit log of a tenant. Safe for concurrent use.
type AuditLog struct{ s *Store }

var _ audit.Log = AuditLog{}

// Audit returns the tenant's audit log.
func (s *Store) Audit() AuditLog { return AuditLog{s} }

// sealForever seals what is committed, once a second, until the DB is closed.
func (db *DB) sealForever() {
	tick := time.NewTicker(sealEvery)
	defer tick.Stop()
	sealed, failing := int64(-1), false
	for {
		select {
		case <-tick.C:
		case <-db.life.Done():
			return
		}
		last, err := db.lastChange(db.life)
		if err == nil && last != sealed {
			if err = db.sealAll(db.life); err == nil {
				sealed = last
			}
		}
		if err != nil && !failing && !errors.Is(err, context.Canceled) && !errors.Is(err, errClosed) {
			db.o.Logger.Warn("sqlite: changes are not sealed in the audit log; it is tried again every second", "err", err)
		}
		failing = err != nil
	}
}

// lastChange returns the number of the newest row of the change log.
func (db *DB) lastChange(ctx context.Context) (last int64, err error) {
	err = db.Tenant("").peek(ctx, func(t *session) error {
		last, _, err = t.one(`SELECT seq FROM sqlite_sequence WHERE name = 'changes'`)
		return err
	})
	return last, err
}

// sealAll seals what is committed in all tenants.
func (db *DB) sealAll(ctx context.Context) error {
	for name, pk := range db.names.Load().tenants {
		if _, err := (AuditLog{&Store{db: db, tenant: name, pk: pk}}).Seal(ctx); err != nil && !errors.Is(err, errRemoved) {
			return err
		}
	}
	return nil
}

// Seal implements audit.Log.
func (a AuditLog) Seal(ctx context.Context) (head audit.Head, err error) {
	for more := true; more; {
		there := false
		err := a.s.read(ctx, func(t *session) error {
			if there = t.tenant != 0; !there {
				head, more = audit.Start(a.s.tenant), false
				return nil
			}
			var sealed int64
			if head, sealed, err = t.head(); err != nil {
				return err
			}
			_, more, err = t.one(`SELECT 1 FROM changes WHERE tenant = ? AND seq > ? LIMIT 1`, t.tenant, sealed)
			return err
		})
		if err != nil || !more {
			return head, err
		}
		err = a.s.write(ctx, func(t *session) error {
			head, more, err = t.seal()
			return err
		})
		if err != nil {
			return head, err
		}
	}
	return head, nil
}

// head returns the end of the tenant's chain, and up to which row of the change
// log it goes.
func (t *session) head() (h audit.Head, sealed int64, err error) {
	h = audit.Start(t.store.tenant)
	err = t.each(`SELECT n, link, sealed FROM audit_heads WHERE tenant = ?`, func(st *sqlite.Stmt) error {
		h.N, sealed = st.ColumnInt64(0), st.ColumnInt64(2)
		copy(h.Link[:], columnBytes(st, 1))
		return nil
	}, t.tenant)
	return h, sealed, err
}

func (t *session) setHead(h audit.Head, sealed int64) error {
	return t.exec(`INSERT INTO audit_heads (tenant, n, link, sealed) VALUES (?1, ?2, ?3, ?4)
		ON CONFLICT (tenant) DO UPDATE SET n = ?2, link = ?3, sealed = ?4`, t.tenant, h.N, h.Link[:], sealed)
}

const changeColumns = `c.seq, c.time, c.type, c.id, c.op, c.version, c.actor, c.request, c.address, c.deltas`

func (t *session) scanChange(st *sqlite.Stmt, from int) (c audit.Change, err error) {
	c = audit.Change{Seq: st.ColumnInt64(from), Time: time.UnixMilli(st.ColumnInt64(from + 1)).UTC(), ID: st.ColumnText(from + 3),
		Op: st.ColumnText(from + 4), Version: st.ColumnText(from + 5), Actor: st.ColumnText(from + 6), Request: st.ColumnText(from + 7),
		Address: st.ColumnText(from + 8), Deltas: columnBytes(st, from+9)}
	c.Type, err = t.typeName(st.ColumnInt64(from + 2))
	return c, err
}

// seal makes entries of rows of the change log that have none, the oldest first,
// and reports whether there may be more. The writer commits rows in their order.
func (t *session) seal() (h audit.Head, more bool, err error) {
	h, sealed, err := t.head()
	if err != nil {
		return h, false, err
	}
	var rows []audit.Change
	bytes := 0
	err = t.each(`SELECT `+changeColumns+` FROM changes c WHERE c.tenant = ?1 AND c.seq > ?2
		AND NOT EXISTS (SELECT 1 FROM audit a WHERE a.tenant = ?1 AND a.kind = 0 AND a.change = c.seq) ORDER BY c.seq LIMIT ?3`, func(st *sqlite.Stmt) error {
		if bytes > sealBytes {
			return errEnough
		}
		c, err := t.scanChange(st, 0)
		rows = append(rows, c)
		bytes += len(c.Deltas)
		return err
	}, t.tenant, sealed, sealRows)
	if more = len(rows) == sealRows || errors.Is(err, errEnough); more {
		err = nil
	}
	if err != nil {
		return h, false, err
	}
	for _, e := range audit.Seal(&h, rows) {
		if err := t.addEntry(&e, e.Seq); err != nil {
			return h, false, err
		}
		sealed = e.Seq
	}
	if !more { // the rest has entries already, as in a copy
		last, _, err := t.one(`SELECT seq FROM changes WHERE tenant = ? ORDER BY seq DESC LIMIT 1`, t.tenant)
		if sealed = max(sealed, last); err != nil {
			return h, false, err
		}
	}
	return h, more, t.setHead(h, sealed)
}

func (t *session) addEntry(e *audit.Entry, change int64) error {
	var salt any
	if e.Salt != nil {
		salt = e.Salt
	}
	if e.Sum == nil {
		e.Sum = []byte{}
	}
	return t.exec(`INSERT INTO audit (tenant, n, kind, change, time, salt, sum, note, link) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		t.tenant, e.N, int(e.Kind), change, e.Time.UnixMilli(), salt, e.Sum, string(e.Note), e.Link[:])
}

// Head implements audit.Log.
func (a AuditLog) Head(ctx context.Context) (h audit.Head, err error) {
	err = a.s.peek(ctx, func(t *session) error {
		h, _, err = t.head()
		return err
	})
	return h, err
}

const entryColumns = `a.n, a.kind, a.change, a.time, a.salt, a.sum, a.note, a.link`

func scanEntry(st *sqlite.Stmt) audit.Entry {
	e := audit.Entry{N: st.ColumnInt64(0), Kind: audit.Kind(st.ColumnInt(1)), Seq: st.ColumnInt64(2), Time: time.UnixMilli(st.ColumnInt64(3)).UTC(),
		Salt: columnBytes(st, 4), Sum: columnBytes(st, 5), Note: columnBytes(st, 6)}
	if e.Kind != audit.Changed {
		e.Seq = 0
	}
	if len(e.Link) == st.ColumnLen(7) {
		st.ColumnBytes(7, e.Link[:])
	}
	return e
}

// Entries implements audit.Log.
func (a AuditLog) Entries(ctx context.Context, after int64, limit int) (list []audit.Entry, err error) {
	bytes := 0
	err = a.s.peek(ctx, func(t *session) error {
		return t.each(`SELECT `+entryColumns+`, `+changeColumns+` FROM audit a LEFT JOIN changes c ON a.kind = 0 AND c.seq = a.change AND c.tenant = a.tenant
			WHERE a.tenant = ? AND a.n > ? ORDER BY a.n LIMIT ?`, func(st *sqlite.Stmt) error {
			if bytes > sealBytes {
				return nil
			}
			e := scanEntry(st)
			if st.ColumnType(8) != sqlite.TypeNull {
				c, err := t.scanChange(st, 8)
				if err != nil {
					return err
				}
				e.Change = &c
				bytes += len(c.Deltas)
			}
			list = append(list, e)
			return nil
		}, t.tenant, after, limit)
	})
	return list, err
}

// Expiry implements audit.Log.
func (a AuditLog) Expiry(ctx context.Context) (found *audit.Entry, err error) {
	err = a.s.peek(ctx, func(t *session) error {
		found, err = t.expiry()
		return err
	})
	return found, err
}

func (t *session) expiry() (found *audit.Entry, err error) {
	err = t.each(`SELECT `+entryColumns+` FROM audit a WHERE a.tenant = ? AND a.kind = 2 ORDER BY a.n DESC LIMIT 1`, func(st *sqlite.Stmt) error {
		e := scanEntry(st)
		found = &e
		return nil
	}, t.tenant)
	return found, err
}

// Strays implements audit.Log.
func (a AuditLog) Strays(ctx context.Context, limit int) (list []int64, err error) {
	err = a.s.peek(ctx, func(t *session) error {
		return t.each(`SELECT c.seq FROM changes c WHERE c.tenant = ?1 AND c.seq <= (SELECT sealed FROM audit_heads WHERE tenant = ?1)
			AND NOT EXISTS (SELECT 1 FROM audit a WHERE a.tenant = ?1 AND a.kind = 0 AND a.change = c.seq) ORDER BY c.seq LIMIT ?2`,
			func(st *sqlite.Stmt) error {
				list = append(list, st.ColumnInt64(0))
				return nil
			}, t.tenant, limit)
	})
	return list, err
}
