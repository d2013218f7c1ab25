package postgres

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/internal/transfer"
	"github.com/rollcall-scim/rollcall/scim"
)

// Source reads all that a database holds, as of one moment. It implements
// transfer.Source. Instances may serve the database meanwhile.
type Source struct {
	conn    *pgx.Conn
	config  *pgx.ConnConfig
	o       SourceOptions
	h       transfer.Header
	tenants map[string]int32
}

// SourceOptions say what a Source reads. The zero value reads all.
type SourceOptions struct {
	Tenant string // this one alone; "": all
	IDs    bool   // name the members of groups by ids too
}

var _ transfer.Source = (*Source)(nil)

// OpenSource connects to the database at url, which must have this program's
// schema and be no unfinished copy, and fixes the moment that is read.
func OpenSource(ctx context.Context, url string, o SourceOptions) (*Source, error) {
	s := &Source{o: o, tenants: map[string]int32{}}
	err := s.open(ctx, url)
	if err != nil {
		if s.conn != nil {
			_ = s.conn.Close(context.WithoutCancel(ctx))
		}
		return nil, explain(err)
	}
	return s, nil
}

func (s *Source) open(ctx context.Context, url string) (err error) {
	if s.config, err = patient(url); err != nil {
		return err
	}
	db := &DB{o: Options{NoMigrate: true}.defaults()}
	if err := db.prepare(ctx, s.config); err != nil {
		return err
	}
	if s.conn, err = pgx.ConnectConfig(ctx, s.config); err != nil {
		return err
	}
	if _, err := s.conn.Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"); err != nil {
		return err
	}
	return s.readHeader(ctx)
}

// patient is the configuration of a connection on which a statement may take as
// long as it takes.
func patient(url string) (*pgx.ConnConfig, error) {
	c, err := (&DB{o: Options{}.defaults()}).config(url)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"statement_timeout", "idle_in_transaction_session_timeout"} {
		c.ConnConfig.RuntimeParams[name] = "0"
	}
	return c.ConnConfig, nil
}

func (s *Source) readHeader(ctx context.Context) error {
	all := func(sql string, row func(pgx.Rows) error, args ...any) error {
		rows, err := s.conn.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := row(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	}
	half := false
	err := all(`SELECT 1 FROM meta WHERE tenant = 0 AND key = 'transfer'`, func(pgx.Rows) error { half = true; return nil })
	if err != nil || half {
		return cmp.Or(err, transfer.ErrUnfinished)
	}
	at := map[int32]int{}
	err = all(`SELECT tenant, name FROM tenants WHERE removed IS NULL ORDER BY tenant`, func(r pgx.Rows) error {
		var n int32
		name := ""
		if err := r.Scan(&n, &name); err != nil {
			return err
		}
		if name = unescape(name); s.o.Tenant == "" || s.o.Tenant == name {
			at[n] = len(s.h.Tenants)
			s.tenants[name] = n
			s.h.Tenants = append(s.h.Tenants, transfer.Tenant{Name: name})
		}
		return nil
	})
	if err != nil {
		return err
	}
	if s.o.Tenant != "" && len(at) == 0 {
		return fmt.Errorf("there is no tenant %q", s.o.Tenant)
	}
	for i := range s.h.Tenants {
		if s.h.Tenants[i].Access, err = pack(s.h.Tenants[i].Name, all); err != nil {
			return err
		}
	}
	// The paths of extensions are not kept in full; a target finds their values unique by itself.
	err = all(`SELECT DISTINCT tenant, type, path FROM uniq WHERE strpos(path, ':') = 0 ORDER BY tenant, type, path`, func(r pgx.Rows) error {
		var n int32
		var u transfer.Unique
		err := r.Scan(&n, &u.Type, &u.Path)
		if i, ok := at[n]; ok {
			s.h.Tenants[i].Uniques = append(s.h.Tenants[i].Uniques, u)
		}
		return err
	})
	if err != nil {
		return err
	}
	mark := fmt.Sprintf("%q", s.o.Tenant)
	for _, table := range []string{"resources", "members", "changes", "changes_people", "deleted", "doomed"} {
		err := all(`SELECT tenant, count(*) FROM `+table+` GROUP BY tenant ORDER BY tenant`, func(r pgx.Rows) error {
			var n int32
			var count int64
			err := r.Scan(&n, &count)
			if i, ok := at[n]; ok {
				mark += fmt.Sprintf(" %s %d %d", table, n, count)
				s.h.Tenants[i].Records += count
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	err = all(`SELECT CASE WHEN p.is_called THEN p.last_value ELSE 0 END, CASE WHEN c.is_called THEN c.last_value ELSE 0 END,
		(SELECT value FROM meta WHERE tenant = 0 AND key = 'cursor keys') FROM resources_pk p, changes_seq c`, func(r pgx.Rows) error {
		return r.Scan(&s.h.Last, &s.h.Changes, &s.h.Keys)
	})
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %x %d %d", mark, s.h.Keys, s.h.Last, s.h.Changes))
	s.h.ID = "directory " + hex.EncodeToString(sum[:16])
	return err
}

// Header implements transfer.Source.
func (s *Source) Header(context.Context) (transfer.Header, error) { return s.h, nil }

// Since implements transfer.Source.
func (s *Source) Since(ctx context.Context) (n int64, err error) {
	c, err := pgx.ConnectConfig(ctx, s.config)
	if err != nil {
		return 0, explain(err)
	}
	defer func() { err = errors.Join(err, c.Close(context.WithoutCancel(ctx))) }()
	// Not those behind the last: some of them may be of that moment, and some that
	// were under way then may not.
	for _, tenant := range s.tenants {
		var first *int64
		var now, then int64
		if err := c.QueryRow(ctx, `SELECT min(seq), count(*) FROM changes WHERE tenant = $1`, tenant).Scan(&first, &now); err != nil {
			return n, err
		}
		if first == nil {
			continue
		}
		// What came before it has been pruned meanwhile.
		if err := s.conn.QueryRow(ctx, `SELECT count(*) FROM changes WHERE tenant = $1 AND seq >= $2`, tenant, *first).Scan(&then); err != nil {
			return n, err
		}
		n += now - then
	}
	return n, nil
}

// Close implements transfer.Source.
func (s *Source) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	return s.conn.Close(ctx)
}

// Records implements transfer.Source.
func (s *Source) Records(ctx context.Context, from transfer.Position) iter.Seq2[transfer.Record, error] {
	return func(yield func(transfer.Record, error) bool) {
		for _, p := range transfer.Parts(s.h, from) {
			more, err := s.part(ctx, p, func(r transfer.Record) bool {
				r.Tenant = p.Tenant
				r.Next.Tenant, r.Next.Kind = p.Tenant, p.Kind
				return yield(r, nil)
			})
			if err != nil {
				yield(transfer.Record{}, explain(err))
			}
			if err != nil || !more {
				return
			}
		}
	}
}

// part reads what one kind has behind a position, until yield wants no more. Of
// the positions of records it sets After and Then.
func (s *Source) part(ctx context.Context, p transfer.Position, yield func(transfer.Record) bool) (more bool, err error) {
	var scan func(pgx.Rows) (*transfer.Record, error)
	args := []any{s.tenants[p.Tenant], p.After}
	query := ""
	var e edges
	switch p.Kind {
	case transfer.Resources:
		query, scan = readResources, scanResource
	case transfer.Changes:
		query, scan = readChanges, scanChange
	case transfer.Deleted:
		query, scan = readDeleted, scanDeleted
	case transfer.Members, transfer.People, transfer.Left:
		query, args = readEdges[p.Kind], append(args, p.Then)
		e.kind = p.Kind
		if e.ids = s.o.IDs && p.Kind == transfer.Members; e.ids {
			query = readMembers
		}
		scan = e.scan
	default:
		return false, fmt.Errorf("unknown kind %q", p.Kind)
	}
	rows, err := s.conn.Query(ctx, query, args...)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return false, err
		}
		if r != nil && !yield(*r) {
			return false, nil
		}
	}
	if err := rows.Err(); err != nil {
		return false, err
	}
	if r := e.flush(); r != nil {
		return yield(*r), nil
	}
	return true, nil
}

const (
	readResources = `SELECT ` + columns + `, CASE WHEN r.links > 0 THEN (SELECT json_agg(json_build_array(f.path, f.pos, f.visible, f.target) ORDER BY f.ord)::text
			FROM refs f WHERE f.tenant = $1 AND f.res = r.pk) ELSE '' END,
		coalesce((SELECT json_build_array(d.type, d.id, d.change, d.actor, d.request)::text FROM doomed d WHERE d.tenant = $1 AND d.res = r.pk), '')
		FROM resources r WHERE r.tenant = $1 AND r.pk > $2 ORDER BY r.pk`

	readChanges = `SELECT seq, time, type, res, id, op, version, actor, request, deltas, address FROM changes WHERE tenant = $1 AND seq > $2 ORDER BY seq`

	readDeleted = `SELECT pk, type, id, name, time, coalesce(external, ''), version, created, modified, digest, schemas, text, coalesce(hidden, '')
		FROM deleted WHERE tenant = $1 AND pk > $2 ORDER BY pk`

	readMembers = `SELECT m.grp, m.member, g.id, CASE d.type WHEN '' THEN '' ELSE d.id END FROM members m
		JOIN resources g ON g.tenant = $1 AND g.pk = m.grp JOIN resources d ON d.tenant = $1 AND d.pk = m.member
		WHERE m.tenant = $1 AND (m.grp, m.member) > ($2, $3) ORDER BY m.grp, m.member`
)

var readEdges = map[transfer.Kind]string{
	transfer.Members: `SELECT grp, member FROM members WHERE tenant = $1 AND (grp, member) > ($2, $3) ORDER BY grp, member`,
	transfer.People:  `SELECT change, person FROM changes_people WHERE tenant = $1 AND (change, person) > ($2, $3) ORDER BY change, person`,
	transfer.Left:    `SELECT res, grp FROM deleted_groups WHERE tenant = $1 AND (res, grp) > ($2, $3) ORDER BY res, grp`,
}

func scanResource(rows pgx.Rows) (*transfer.Record, error) {
	links, doomed := "", ""
	row, err := scan(rows, nil, &links, &doomed)
	if err != nil {
		return nil, err
	}
	next := transfer.Position{After: row.pk}
	if row.typ == "" {
		if doomed == "" {
			return nil, nil //nolint:nilnil // nothing of it is left
		}
		t := &transfer.Tombstone{Seq: row.pk}
		err := parts(doomed, &t.Type, &t.ID, &t.Change, &t.Actor, &t.Request)
		t.ID, t.Actor, t.Request = unescape(t.ID), unescape(t.Actor), unescape(t.Request)
		return &transfer.Record{Kind: transfer.Tombstones, Tombstone: t, Next: next}, err
	}
	r := &transfer.Resource{Resource: *row.r, TypeName: row.typ, Seq: row.pk}
	var list []json.RawMessage
	if links != "" {
		if err := json.Unmarshal([]byte(links), &list); err != nil {
			return nil, err
		}
	}
	for _, text := range list {
		var l scim.Link
		if err := parts(string(text), &l.Path, &l.Pos, &l.Visible, &l.Ref.ID); err != nil {
			return nil, err
		}
		l.Ref.ID = unescape(l.Ref.ID)
		r.Links = append(r.Links, l)
	}
	return &transfer.Record{Kind: transfer.Resources, Resource: r, Next: next}, nil
}

// parts reads the elements of a JSON array.
func parts(text string, into ...any) error {
	var list []json.RawMessage
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return err
	}
	for i, part := range list[:min(len(list), len(into))] {
		if err := json.Unmarshal(part, into[i]); err != nil {
			return err
		}
	}
	return nil
}

func scanChange(rows pgx.Rows) (*transfer.Record, error) {
	c, at := &transfer.Change{}, int64(0)
	err := rows.Scan(&c.Seq, &at, &c.Type, &c.Res, &c.ID, &c.Op, &c.Version, &c.Actor, &c.Request, (*bytes)(&c.Deltas), &c.Address)
	c.Time = time.UnixMilli(at).UTC()
	c.ID, c.Version, c.Actor, c.Request, c.Address = unescape(c.ID), unescape(c.Version), unescape(c.Actor), unescape(c.Request), unescape(c.Address)
	return &transfer.Record{Kind: transfer.Changes, Change: c, Next: transfer.Position{After: c.Seq}}, err
}

func scanDeleted(rows pgx.Rows) (*transfer.Record, error) {
	r, schemas := &transfer.Resource{}, ""
	var at, created, modified int64
	err := rows.Scan(&r.Seq, &r.TypeName, &r.ID, &r.Name, &at, &r.ExternalID, &r.Meta.Version, &created, &modified,
		&r.Digest, &schemas, (*bytes)(&r.Text), (*bytes)(&r.Hidden))
	r.ID, r.Name, r.ExternalID, r.Meta.Version = unescape(r.ID), unescape(r.Name), unescape(r.ExternalID), unescape(r.Meta.Version)
	r.Time, r.Meta.Created, r.Meta.LastModified = time.UnixMilli(at).UTC(), instant(created), instant(modified)
	r.Schemas = strings.Fields(schemas)
	return &transfer.Record{Kind: transfer.Deleted, Resource: r, Next: transfer.Position{After: r.Seq}}, err
}

// edges gathers rows that lead from one thing to others, in the order of both.
type edges struct {
	kind transfer.Kind
	ids  bool
	open *transfer.Edges
}

func (e *edges) scan(rows pgx.Rows) (done *transfer.Record, err error) {
	var from, to int64
	fromID, id := "", ""
	into := []any{&from, &to}
	if e.ids {
		into = append(into, &fromID, &id)
	}
	if err := rows.Scan(into...); err != nil {
		return nil, err
	}
	if e.open != nil && (e.open.From != from || len(e.open.To) == transfer.MostEdges) {
		done = e.flush()
	}
	if e.open == nil {
		e.open = &transfer.Edges{From: from, FromID: unescape(fromID), To: slices.Grow([]int64(nil), 8)}
	}
	e.open.To = append(e.open.To, to)
	if e.ids {
		e.open.IDs = append(e.open.IDs, unescape(id))
	}
	return done, nil
}

func (e *edges) flush() *transfer.Record {
	if e.open == nil {
		return nil
	}
	done := e.open
	e.open = nil
	return &transfer.Record{Kind: e.kind, Edges: done, Next: transfer.Position{After: done.From, Then: done.To[len(done.To)-1]}}
}
