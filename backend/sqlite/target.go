package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"zombiezen.com/go/sqlite"

	"github.com/rollcall-scim/rollcall/internal/sqlfilter"
	"github.com/rollcall-scim/rollcall/internal/stored"
	"github.com/rollcall-scim/rollcall/internal/transfer"
	"github.com/rollcall-scim/rollcall/scim"
)

// Target is a database that another directory is copied into. It implements
// transfer.Target.
type Target struct {
	db      *DB
	h       transfer.Header
	state   string // as it is in meta
	uniques map[typeKey]map[string]bool
}

var _ transfer.Target = (*Target)(nil)

// OpenTarget opens or creates the database file at path as the target of a
// copy. Nothing goes on in it by itself. The caller sees to it that no other
// process has it open.
func OpenTarget(ctx context.Context, path string, o Options) (*Target, error) {
	o.still = true
	db, err := Open(ctx, path, o)
	if err != nil {
		return nil, err
	}
	return &Target{db: db, uniques: map[typeKey]map[string]bool{}}, nil
}

const readState = `SELECT value FROM meta WHERE key = 'transfer'`

// Begin implements transfer.Target.
func (t *Target) Begin(ctx context.Context, h transfer.Header) (next transfer.Position, err error) {
	t.h = h
	w := t.db.writer
	err = w.doBare(ctx, func() error {
		t.state, err = w.conn.text(readState)
		if err != nil {
			return err
		}
		if t.state != "" {
			var have transfer.State
			if err := json.Unmarshal([]byte(t.state), &have); err != nil {
				return fmt.Errorf("the state of the copy can't be read: %w", err)
			}
			if have.Source != h.ID {
				return transfer.ErrOtherSource
			}
			next = have.Next
		} else {
			_, full, err := w.conn.one(`SELECT 1 FROM (SELECT pk FROM resources UNION ALL SELECT seq FROM changes UNION ALL SELECT pk FROM deleted) LIMIT 1`)
			if err != nil {
				return err
			}
			if full {
				done, err := w.conn.text(`SELECT value FROM meta WHERE key = 'copied'`)
				switch {
				case err != nil:
					return err
				case done == h.ID:
					return transfer.ErrDone
				}
				return transfer.ErrNotEmpty
			}
		}
		for _, tenant := range h.Tenants {
			s, err := w.session(t.db.Tenant(tenant.Name))
			if err != nil {
				return err
			}
			if err := w.unpack(s.tenant, tenant.Name, tenant.Access); err != nil {
				return err
			}
			for _, u := range tenant.Uniques {
				if err := t.unique(s, u); err != nil {
					return err
				}
			}
		}
		if t.state != "" {
			return nil
		}
		t.state, err = w.conn.keepState(transfer.State{Source: h.ID})
		return err
	})
	return next, t.refused(err)
}

// refused is err without what an address of the database would add.
func (*Target) refused(err error) error {
	for _, known := range []error{transfer.ErrBusy, transfer.ErrNotEmpty, transfer.ErrDone, transfer.ErrOtherSource} {
		if errors.Is(err, known) {
			return known
		}
	}
	return err
}

// unique notes that uniq will have all values of an attribute.
func (t *Target) unique(s *session, u transfer.Unique) error {
	typ, err := s.typeByName(u.Type)
	if err != nil {
		return err
	}
	path, err := s.pathPK(u.Path)
	if err != nil {
		return err
	}
	key := typeKey{s.store.tenant, u.Type}
	if t.uniques[key] == nil {
		t.uniques[key] = map[string]bool{}
	}
	t.uniques[key][u.Path] = true
	return s.exec(`INSERT OR IGNORE INTO uniqs (tenant, type, path) VALUES (?, ?, ?)`, s.tenant, typ, path)
}

// typeByName is typePK for a type whose schema need not be known.
func (t *session) typeByName(name string) (int64, error) {
	pk, err := t.w.intern(`INSERT INTO types (name) VALUES (?)`, t.w.names.types, name)
	if err == nil && t.w.names.typeOf[pk] == "" {
		t.w.names.typeOf[pk] = name
		t.w.undo = append(t.w.undo, func() { delete(t.w.names.typeOf, pk) })
	}
	return pk, err
}

// text runs a statement that gives at most one row of one text.
func (c *conn) text(query string) (s string, err error) {
	err = c.each(query, func(st *sqlite.Stmt) error {
		s = st.ColumnText(0)
		return nil
	})
	return s, err
}

func (c *conn) keepState(s transfer.State) (string, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	return string(b), c.exec(`INSERT OR REPLACE INTO meta (key, value) VALUES ('transfer', ?)`, b)
}

// Put implements transfer.Target.
func (t *Target) Put(ctx context.Context, records []transfer.Record, next transfer.Position) error {
	w, state := t.db.writer, ""
	err := w.doBare(ctx, func() error {
		have, err := w.conn.text(readState)
		if err != nil {
			return err
		}
		if have != t.state {
			return transfer.ErrBusy
		}
		var s *session
		counts := map[[2]int64]int64{} // tenant, type
		for _, r := range records {
			if s == nil || s.store.tenant != r.Tenant {
				if s, err = w.session(t.db.Tenant(r.Tenant)); err != nil {
					return err
				}
			}
			if err := t.put(s, r, counts); err != nil {
				return err
			}
		}
		for k, n := range counts {
			s.tenant = k[0]
			if err := s.count(k[1], n); err != nil {
				return err
			}
		}
		state, err = w.conn.keepState(transfer.State{Source: t.h.ID, Next: next})
		return err
	})
	if err == nil {
		t.state = state
	}
	return t.refused(err)
}

func (t *Target) put(s *session, r transfer.Record, counts map[[2]int64]int64) error {
	switch {
	case r.Kind == transfer.Deleted:
		return s.putDeleted(r.Resource)
	case r.Resource != nil:
		return t.putResource(s, r.Resource, counts)
	case r.Tombstone != nil:
		return s.putTombstone(r.Tombstone)
	case r.Change != nil:
		c := r.Change
		typ, err := s.typeByName(c.Type)
		if err != nil {
			return err
		}
		return s.exec(`INSERT INTO changes (seq, tenant, time, type, res, id, op, version, actor, request, deltas, address)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, c.Seq, s.tenant, c.Time.UnixMilli(), typ, c.Res, c.ID, c.Op, c.Version,
			c.Actor, c.Request, string(c.Deltas), c.Address)
	}
	return s.putEdges(r.Kind, r.Edges)
}

func (t *Target) putResource(s *session, r *transfer.Resource, counts map[[2]int64]int64) error {
	typ, err := s.typePK(r.Type)
	if err != nil {
		return err
	}
	c := stored.ColumnsOf(&r.Resource)
	err = s.exec(`INSERT INTO resources (pk, tenant, type, id, external, seq, version, created, modified, links, display,
		display_fold, digest, schemas, text, hidden, external_sort, external_sent)
		VALUES (?1, ?2, ?3, ?4, ?5, ?1, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)`,
		r.Seq, s.tenant, typ, r.ID, orNull(c.External), versionValue(r.Meta.Version), scim.Instant(r.Meta.Created),
		scim.Instant(r.Meta.LastModified), len(r.Links), c.Display, c.DisplayFold, r.Digest, c.Schemas,
		string(r.Text), orNull(string(r.Hidden)), orNull(c.ExternalSort), orNull(c.ExternalSent))
	if err != nil {
		return err
	}
	rows := sqlfilter.Rows(&r.Resource)
	row := &entry{pk: r.Seq, typ: typ, r: &r.Resource}
	if err := s.index(row, rows); err != nil {
		return err
	}
	unique := t.uniques[typeKey{s.store.tenant, r.TypeName}]
	for _, a := range rows {
		if !unique[string(a.Path)] {
			continue
		}
		path, err := s.pathPK(string(a.Path))
		if err != nil {
			return err
		}
		err = s.exec(`INSERT OR IGNORE INTO uniq (tenant, type, path, text, res) VALUES (?, ?, ?, ?, ?)`, s.tenant, typ, path,
			stored.UniqueText(whole(cell{text: a.Text, long: a.Long})), r.Seq)
		if err != nil {
			return err
		}
	}
	counts[[2]int64{s.tenant, typ}]++
	return s.storeLinks(row, r.Links)
}

func (t *session) putTombstone(d *transfer.Tombstone) error {
	typ, err := t.typeByName(d.Type)
	if err != nil {
		return err
	}
	err = t.exec(`INSERT INTO resources (pk, tenant, type, id, seq, version, created, modified, text)
		VALUES (?1, ?2, 0, 'deleted ' || ?1, ?1, 0, 0, 0, '')`, d.Seq, t.tenant)
	if err != nil {
		return err
	}
	return t.exec(`INSERT INTO doomed (res, tenant, type, id, change, actor, request) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		d.Seq, t.tenant, typ, d.ID, d.Change, d.Actor, d.Request)
}

func (t *session) putDeleted(r *transfer.Resource) error {
	typ, err := t.typeByName(r.TypeName)
	if err != nil {
		return err
	}
	return t.exec(`INSERT INTO deleted (pk, tenant, type, id, name, name_fold, time, external, version, created, modified, digest, schemas, text, hidden)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, r.Seq, t.tenant, typ, r.ID, r.Name, stored.FoldName(r.Name), r.Time.UnixMilli(),
		orNull(r.ExternalID), versionValue(r.Meta.Version), scim.Instant(r.Meta.Created), scim.Instant(r.Meta.LastModified),
		r.Digest, strings.Join(r.Schemas, " "), string(r.Text), orNull(string(r.Hidden)))
}

func (t *session) putEdges(kind transfer.Kind, e *transfer.Edges) error {
	switch kind {
	case transfer.Members:
		for _, m := range e.To {
			if err := t.exec(`INSERT INTO members (tenant, grp, member) VALUES (?, ?, ?)`, t.tenant, e.From, m); err != nil {
				return err
			}
		}
		return t.exec(`UPDATE resources SET members = members + ? WHERE pk = ?`, len(e.To), e.From)
	case transfer.People:
		for _, p := range e.To {
			if err := t.exec(`INSERT INTO changes_people (tenant, person, change) VALUES (?, ?, ?)`, t.tenant, p, e.From); err != nil {
				return err
			}
		}
	case transfer.Left:
		for _, g := range e.To {
			if err := t.exec(`INSERT INTO deleted_groups (res, grp) VALUES (?, ?)`, e.From, g); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("sqlite: records of kind %q are not known", kind)
	}
	return nil
}

// Finish implements transfer.Target.
func (t *Target) Finish(ctx context.Context) error {
	w := t.db.writer
	err := w.doBare(ctx, func() error {
		have, err := w.conn.text(readState)
		if err != nil {
			return err
		}
		if have != t.state {
			return transfer.ErrBusy
		}
		err = w.conn.exec(`UPDATE tenants SET nested = (SELECT count(*) FROM resources r CROSS JOIN members m ON m.member = r.pk
			WHERE r.tenant = tenants.pk AND coalesce((SELECT d.type FROM doomed d WHERE d.res = r.pk), r.type) IN (SELECT pk FROM types WHERE holds = 1))`)
		if err != nil {
			return err
		}
		for table, last := range map[string]int64{"resources": t.h.Last, "changes": t.h.Changes} {
			had, _, err := w.conn.one(`SELECT max(seq) FROM sqlite_sequence WHERE name = ?`, table)
			if err != nil {
				return err
			}
			if err := w.conn.exec(`DELETE FROM sqlite_sequence WHERE name = ?`, table); err != nil {
				return err
			}
			if err := w.conn.exec(`INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)`, table, max(had, last)); err != nil {
				return err
			}
		}
		if t.h.Keys != nil {
			if err := w.conn.exec(`UPDATE meta SET value = ? WHERE key = 'cursor keys'`, t.h.Keys); err != nil {
				return err
			}
		}
		if err := w.conn.exec(`INSERT OR REPLACE INTO meta (key, value) VALUES ('copied', ?)`, []byte(t.h.ID)); err != nil {
			return err
		}
		return w.conn.exec(`DELETE FROM meta WHERE key = 'transfer'`)
	})
	return t.refused(err)
}

// Close implements transfer.Target.
func (t *Target) Close() error { return t.db.Close() }
