package sqlite

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/rollcall-scim/rollcall/internal/transfer"
	"github.com/rollcall-scim/rollcall/scim"
)

// Source reads all that a database file holds, as of one moment. It implements
// transfer.Source. Another process may serve the file meanwhile: its readers
// and its writer are not held up.
type Source struct {
	conn *conn
	path string
	o    SourceOptions
	h    transfer.Header
	pks  map[string]int64 // of tenants
	n    *names
}

// SourceOptions say what a Source reads. The zero value reads all.
type SourceOptions struct {
	Tenant string // this one alone; "": all
	IDs    bool   // name the members of groups by ids too
}

var _ transfer.Source = (*Source)(nil)

// OpenSource opens the database file at path, which must have this program's
// schema and be no unfinished copy, and fixes the moment that is read.
func OpenSource(ctx context.Context, path string, o SourceOptions) (*Source, error) {
	s := &Source{path: path, o: o, pks: map[string]int64{}}
	if err := s.open(ctx); err != nil {
		return nil, fmt.Errorf("sqlite: %s: %w", path, explain(err))
	}
	return s, nil
}

func (s *Source) open(ctx context.Context) (err error) {
	if err := Inspect(ctx, s.path); err != nil {
		return err
	}
	if s.conn, err = openReader(s.path); err != nil {
		return err
	}
	s.conn.SetInterrupt(ctx.Done())
	if err = s.conn.exec("BEGIN"); err == nil {
		err = s.readHeader()
	}
	s.conn.SetInterrupt(nil)
	if err != nil {
		err = errors.Join(err, s.conn.Close())
	}
	return err
}

// openReader opens a connection that can't write. That it could is what SQLite
// wants of all who read a file that somebody may be writing.
func openReader(path string) (*conn, error) {
	c, err := openConn(path, sqlite.OpenReadWrite, "query_only = ON", "cache_size = -8192")
	if err == nil {
		c.SetBusyTimeout(busyTimeout)
	}
	return c, err
}

// Inspect returns an error if the file at path is no database of this program,
// or is one of another schema than this program's.
func Inspect(ctx context.Context, path string) (err error) {
	if _, err := os.Stat(path); err != nil {
		return err // else SQLite would make it
	}
	c, err := openReader(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	c.SetInterrupt(ctx.Done())
	_, ours, err := c.one(`SELECT 1 FROM sqlite_schema WHERE name = 'resources' AND EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'goose_db_version')`)
	if err != nil {
		return err
	}
	if !ours {
		return errors.New("this is no database of rollcall")
	}
	have, _, err := c.one(`SELECT max(version_id) FROM goose_db_version WHERE is_applied`)
	if err != nil {
		return err
	}
	switch want := schemaVersion(); {
	case have > want:
		return fmt.Errorf("schema %d, this program knows %d: %w", have, want, ErrNewer)
	case have < want:
		return fmt.Errorf("the database has schema %d, and this program wants %d: start \"rollcall serve\" on it once, which brings it there", have, want)
	}
	return nil
}

// schemaVersion is the version of the newest migration.
func schemaVersion() (newest int64) {
	list, _ := migrations.ReadDir("migrations")
	for _, e := range list {
		var n int64
		if _, err := fmt.Sscanf(e.Name(), "%d_", &n); err == nil {
			newest = max(newest, n)
		}
	}
	return newest
}

func (s *Source) readHeader() error {
	c := s.conn
	half, err := c.text(readState)
	if err != nil {
		return err
	}
	if half != "" {
		return transfer.ErrUnfinished
	}
	if s.n, err = loadNames(c); err != nil {
		return err
	}
	at := map[int64]int{}
	err = c.each(`SELECT pk, name FROM tenants WHERE removed IS NULL ORDER BY pk`, func(st *sqlite.Stmt) error {
		if name := st.ColumnText(1); s.o.Tenant == "" || s.o.Tenant == name {
			at[st.ColumnInt64(0)] = len(s.h.Tenants)
			s.pks[name] = st.ColumnInt64(0)
			s.h.Tenants = append(s.h.Tenants, transfer.Tenant{Name: name})
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range s.h.Tenants {
		if s.h.Tenants[i].Access, err = c.pack(s.h.Tenants[i].Name); err != nil {
			return err
		}
	}
	if s.o.Tenant != "" && len(s.h.Tenants) == 0 {
		return fmt.Errorf("there is no tenant %q", s.o.Tenant)
	}
	for k := range s.n.uniq {
		if i, ok := at[k.tenant]; ok {
			s.h.Tenants[i].Uniques = append(s.h.Tenants[i].Uniques, transfer.Unique{Type: s.n.typeOf[k.typ], Path: s.n.pathOf[k.path]})
		}
	}
	for _, t := range s.h.Tenants {
		slices.SortFunc(t.Uniques, func(a, b transfer.Unique) int { return strings.Compare(a.Type+" "+a.Path, b.Type+" "+b.Path) })
	}
	for _, q := range []string{
		`SELECT tenant, sum(n) FROM counts GROUP BY tenant`, `SELECT tenant, count(*) FROM members GROUP BY tenant`,
		`SELECT tenant, count(*) FROM changes GROUP BY tenant`, `SELECT tenant, count(*) FROM changes_people GROUP BY tenant`,
		`SELECT tenant, count(*) FROM deleted GROUP BY tenant`,
	} {
		err := c.each(q, func(st *sqlite.Stmt) error {
			if i, ok := at[st.ColumnInt64(0)]; ok {
				s.h.Tenants[i].Records += st.ColumnInt64(1)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	mark := ""
	err = c.each(`SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'resources'), 0),
		coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'changes'), 0), (SELECT value FROM meta WHERE key = 'cursor keys'),
		coalesce((SELECT min(seq) FROM changes), 0) || ' ' || (SELECT count(*) FROM doomed) || ' ' || (SELECT count(*) FROM deleted)`,
		func(st *sqlite.Stmt) error {
			s.h.Last, s.h.Changes, s.h.Keys, mark = st.ColumnInt64(0), st.ColumnInt64(1), columnBytes(st, 2), st.ColumnText(3)
			return nil
		})
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %x %d %d %s", s.o.Tenant, s.h.Keys, s.h.Last, s.h.Changes, mark))
	s.h.ID = "directory " + hex.EncodeToString(sum[:16])
	return err
}

// Header implements transfer.Source.
func (s *Source) Header(context.Context) (transfer.Header, error) { return s.h, nil }

// Since implements transfer.Source.
func (s *Source) Since(ctx context.Context) (n int64, err error) {
	c, err := openReader(s.path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	c.SetInterrupt(ctx.Done())
	now, _, err := c.one(`SELECT seq FROM sqlite_sequence WHERE name = 'changes'`)
	return max(now-s.h.Changes, 0), err
}

// Close implements transfer.Source.
func (s *Source) Close() error { return s.conn.Close() }

// errEnough ends a statement whose rows nobody wants any more.
var errEnough = errors.New("enough")

// Records implements transfer.Source.
func (s *Source) Records(ctx context.Context, from transfer.Position) iter.Seq2[transfer.Record, error] {
	return func(yield func(transfer.Record, error) bool) {
		s.conn.SetInterrupt(ctx.Done())
		defer s.conn.SetInterrupt(nil)
		for _, part := range transfer.Parts(s.h, from) {
			err := s.part(part, func(r transfer.Record) error {
				r.Next = transfer.Position{Tenant: part.Tenant, Kind: part.Kind, After: r.Next.After, Then: r.Next.Then}
				if !yield(r, nil) {
					return errEnough
				}
				return nil
			})
			switch {
			case errors.Is(err, errEnough):
				return
			case err != nil && ctx.Err() != nil:
				yield(transfer.Record{}, ctx.Err())
				return
			case err != nil:
				yield(transfer.Record{}, fmt.Errorf("sqlite: %s: %w", s.path, explain(err)))
				return
			}
		}
	}
}

// part reads what one kind has behind a position. Of the positions of records
// it sets After and Then.
func (s *Source) part(p transfer.Position, yield func(transfer.Record) error) error {
	pk := s.pks[p.Tenant]
	switch p.Kind {
	case transfer.Resources:
		return s.resources(p, pk, yield)
	case transfer.Changes:
		return s.changes(p, pk, yield)
	case transfer.Deleted:
		return s.deleted(p, pk, yield)
	}
	return s.edges(p, pk, yield)
}

func (s *Source) resources(p transfer.Position, tenant int64, yield func(transfer.Record) error) error {
	return s.conn.each(`SELECT `+columns+` FROM resources r WHERE r.tenant = ? AND r.pk > ? ORDER BY r.pk`, func(st *sqlite.Stmt) error {
		e := scan(st, nil)
		next := transfer.Position{After: e.pk}
		if e.typ == 0 {
			t, err := s.tombstone(e.pk)
			if t == nil {
				return err
			}
			return yield(transfer.Record{Tenant: p.Tenant, Kind: transfer.Tombstones, Tombstone: t, Next: next})
		}
		r := &transfer.Resource{Resource: *e.r, TypeName: s.n.typeOf[e.typ], Seq: e.pk}
		if e.links > 0 {
			var err error
			if r.Links, err = s.links(tenant, e.pk); err != nil {
				return err
			}
		}
		return yield(transfer.Record{Tenant: p.Tenant, Kind: transfer.Resources, Resource: r, Next: next})
	}, tenant, p.After)
}

func (s *Source) links(tenant, pk int64) (list []scim.Link, err error) {
	err = s.conn.each(`SELECT path, pos, visible, target FROM refs WHERE tenant = ? AND res = ? ORDER BY ord`, func(st *sqlite.Stmt) error {
		list = append(list, scim.Link{Path: s.n.pathOf[st.ColumnInt64(0)], Pos: st.ColumnInt(1), Visible: st.ColumnBool(2),
			Ref: scim.MemberRef{ID: st.ColumnText(3)}})
		return nil
	}, tenant, pk)
	return list, err
}

func (s *Source) tombstone(pk int64) (t *transfer.Tombstone, err error) {
	err = s.conn.each(`SELECT type, id, change, actor, request FROM doomed WHERE res = ?`, func(st *sqlite.Stmt) error {
		t = &transfer.Tombstone{Seq: pk, Type: s.n.typeOf[st.ColumnInt64(0)], ID: st.ColumnText(1), Change: st.ColumnInt64(2),
			Actor: st.ColumnText(3), Request: st.ColumnText(4)}
		return nil
	}, pk)
	return t, err
}

func (s *Source) changes(p transfer.Position, tenant int64, yield func(transfer.Record) error) error {
	return s.conn.each(`SELECT seq, time, type, res, id, op, version, actor, request, deltas, address FROM changes WHERE tenant = ? AND seq > ? ORDER BY seq`,
		func(st *sqlite.Stmt) error {
			c := &transfer.Change{Seq: st.ColumnInt64(0), Time: time.UnixMilli(st.ColumnInt64(1)).UTC(), Type: s.n.typeOf[st.ColumnInt64(2)],
				Res: st.ColumnInt64(3), ID: st.ColumnText(4), Op: st.ColumnText(5), Version: st.ColumnText(6), Actor: st.ColumnText(7),
				Request: st.ColumnText(8), Deltas: columnBytes(st, 9), Address: st.ColumnText(10)}
			return yield(transfer.Record{Tenant: p.Tenant, Kind: transfer.Changes, Change: c, Next: transfer.Position{After: c.Seq}})
		}, tenant, p.After)
}

func (s *Source) deleted(p transfer.Position, tenant int64, yield func(transfer.Record) error) error {
	return s.conn.each(`SELECT pk, type, id, name, time, external, version, created, modified, digest, schemas, text, hidden
		FROM deleted WHERE +tenant = ? AND pk > ? ORDER BY pk`, func(st *sqlite.Stmt) error {
		r := &transfer.Resource{Seq: st.ColumnInt64(0), TypeName: s.n.typeOf[st.ColumnInt64(1)], Name: st.ColumnText(3),
			Time: time.UnixMilli(st.ColumnInt64(4)).UTC()}
		r.ID, r.ExternalID, r.Digest, r.Schemas = st.ColumnText(2), st.ColumnText(5), st.ColumnText(9), strings.Fields(st.ColumnText(10))
		r.Meta = scim.Meta{Version: st.ColumnText(6), Created: instant(st.ColumnInt64(7)), LastModified: instant(st.ColumnInt64(8))}
		r.Text, r.Hidden = columnBytes(st, 11), columnBytes(st, 12)
		return yield(transfer.Record{Tenant: p.Tenant, Kind: transfer.Deleted, Resource: r, Next: transfer.Position{After: r.Seq}})
	}, tenant, p.After)
}

// edges reads rows that lead from one thing to others, in the order of both.
func (s *Source) edges(p transfer.Position, tenant int64, yield func(transfer.Record) error) error {
	query, ids := "", s.o.IDs && p.Kind == transfer.Members
	switch p.Kind {
	case transfer.Members:
		query = `SELECT r.pk, m.member FROM resources r CROSS JOIN members m ON m.grp = r.pk AND m.tenant = r.tenant
			WHERE r.tenant = ?1 AND r.pk >= ?2 AND (r.pk > ?2 OR m.member > ?3) ORDER BY r.pk, m.member`
		if ids {
			query = `SELECT r.pk, m.member, r.id, d.id, d.type FROM resources r CROSS JOIN members m ON m.grp = r.pk AND m.tenant = r.tenant
				CROSS JOIN resources d ON d.pk = m.member
				WHERE r.tenant = ?1 AND r.pk >= ?2 AND (r.pk > ?2 OR m.member > ?3) ORDER BY r.pk, m.member`
		}
	case transfer.People:
		query = `SELECT c.seq, p.person FROM changes c CROSS JOIN changes_people p INDEXED BY changes_people_change ON p.change = c.seq AND p.tenant = c.tenant
			WHERE c.tenant = ?1 AND c.seq >= ?2 AND (c.seq > ?2 OR p.person > ?3) ORDER BY c.seq, p.person`
	case transfer.Left:
		query = `SELECT d.pk, g.grp FROM deleted d CROSS JOIN deleted_groups g ON g.res = d.pk
			WHERE +d.tenant = ?1 AND d.pk >= ?2 AND (d.pk > ?2 OR g.grp > ?3) ORDER BY d.pk, g.grp`
	default:
		return fmt.Errorf("unknown kind %q", p.Kind)
	}
	var e *transfer.Edges
	flush := func() error {
		if e == nil {
			return nil
		}
		done := e
		e = nil
		return yield(transfer.Record{Tenant: p.Tenant, Kind: p.Kind, Edges: done,
			Next: transfer.Position{After: done.From, Then: done.To[len(done.To)-1]}})
	}
	err := s.conn.each(query, func(st *sqlite.Stmt) error {
		from := st.ColumnInt64(0)
		if e != nil && (e.From != from || len(e.To) == transfer.MostEdges) {
			if err := flush(); err != nil {
				return err
			}
		}
		if e == nil {
			e = &transfer.Edges{From: from}
			if ids {
				e.FromID = st.ColumnText(2)
			}
		}
		e.To = append(e.To, st.ColumnInt64(1))
		if ids {
			id := ""
			if st.ColumnInt64(4) != 0 {
				id = st.ColumnText(3)
			}
			e.IDs = append(e.IDs, id)
		}
		return nil
	}, tenant, p.After, p.Then)
	if err != nil {
		return err
	}
	return flush()
}
