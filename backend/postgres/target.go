package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/internal/sqlfilter"
	"github.com/rollcall-scim/rollcall/internal/stored"
	"github.com/rollcall-scim/rollcall/internal/transfer"
	"github.com/rollcall-scim/rollcall/scim"
)

// Target is a database that another directory is copied into. It implements
// transfer.Target.
type Target struct {
	conn    *pgx.Conn
	watch   *pgx.Conn // holds the lock that keeps another copy out
	h       transfer.Header
	state   []byte // as it is in meta
	tenants map[string]int32
	holds   []string // types whose resources can have members, as far as any came by
}

var _ transfer.Target = (*Target)(nil)

// OpenTarget connects to the database at url as the target of a copy, and
// brings it to this program's schema unless Options.NoMigrate.
func OpenTarget(ctx context.Context, url string, o Options) (*Target, error) {
	t := &Target{tenants: map[string]int32{}}
	err := t.open(ctx, url, o)
	if err != nil {
		return nil, errors.Join(explain(err), t.Close())
	}
	return t, nil
}

func (t *Target) open(ctx context.Context, url string, o Options) error {
	config, err := patient(url)
	if err != nil {
		return err
	}
	config.RuntimeParams["lock_timeout"] = milliseconds(lockTimeout)
	db := &DB{o: o.defaults()}
	if err := db.prepare(ctx, config); err != nil {
		return err
	}
	if t.conn, err = pgx.ConnectConfig(ctx, config); err != nil {
		return err
	}
	t.watch, err = pgx.ConnectConfig(ctx, config)
	return err
}

// servingLately is how long after an instance was heard of it is held to serve
// the database still.
const servingLately = 30 * time.Second

// Begin implements transfer.Target.
func (t *Target) Begin(ctx context.Context, h transfer.Header) (next transfer.Position, err error) {
	t.h = h
	if err := t.keepOut(ctx); err != nil {
		return next, err
	}
	err = pgx.BeginFunc(ctx, t.conn, func(tx pgx.Tx) error {
		var full bool
		var serving int64
		var done []byte
		err := tx.QueryRow(ctx, `SELECT coalesce((SELECT value FROM meta WHERE tenant = 0 AND key = 'transfer'), ''),
			EXISTS (SELECT 1 FROM resources) OR EXISTS (SELECT 1 FROM changes) OR EXISTS (SELECT 1 FROM deleted),
			(SELECT count(*) FROM instances WHERE tenant = 0 AND seen > now() - $1::float8 * interval '1 second'),
			coalesce((SELECT value FROM meta WHERE tenant = 0 AND key = 'copied'), '')`,
			servingLately.Seconds()).Scan(&t.state, &full, &serving, &done)
		if err != nil {
			return err
		}
		if full && len(t.state) == 0 && string(done) == h.ID {
			return transfer.ErrDone
		}
		if serving > 0 {
			return fmt.Errorf("the database is served by %d rollcall: stop them before anything is copied into it, and wait %s", serving, servingLately)
		}
		if len(t.state) > 0 {
			var have transfer.State
			if err := json.Unmarshal(t.state, &have); err != nil {
				return fmt.Errorf("the state of the copy can't be read: %w", err)
			}
			if have.Source != h.ID {
				return transfer.ErrOtherSource
			}
			next, t.holds = have.Next, have.Holds
		} else if full {
			return transfer.ErrNotEmpty
		}
		for _, tenant := range h.Tenants {
			var n int32
			if _, err := tx.Exec(ctx, `INSERT INTO tenants (name) VALUES ($1) ON CONFLICT DO NOTHING`, escape(tenant.Name)); err != nil {
				return err
			}
			if err := tx.QueryRow(ctx, `SELECT tenant FROM tenants WHERE name = $1`, escape(tenant.Name)).Scan(&n); err != nil {
				return err
			}
			t.tenants[tenant.Name] = n
			if err := unpack(ctx, tx, n, tenant); err != nil {
				return err
			}
		}
		if len(t.state) > 0 {
			return nil
		}
		return t.keep(ctx, tx, transfer.Position{})
	})
	return next, err
}

// keepOut takes the lock that another copy into the same database would take,
// for as long as the connection lives.
func (t *Target) keepOut(ctx context.Context) error {
	_, err := t.watch.Exec(ctx, `INSERT INTO meta (tenant, key, value) VALUES (0, 'transfer lock', '') ON CONFLICT DO NOTHING`)
	if err == nil {
		_, err = t.watch.Exec(ctx, `BEGIN; SELECT 1 FROM meta WHERE tenant = 0 AND key = 'transfer lock' FOR UPDATE NOWAIT`)
	}
	if code(err) == "55P03" {
		return transfer.ErrBusy
	}
	return err
}

// keep stores how far the copy is, if nobody else has moved it on.
func (t *Target) keep(ctx context.Context, tx pgx.Tx, next transfer.Position) error {
	b, err := json.Marshal(transfer.State{Source: t.h.ID, Next: next, Holds: t.holds})
	if err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, `INSERT INTO meta (tenant, key, value) VALUES (0, 'transfer', $1)
		ON CONFLICT (tenant, key) DO UPDATE SET value = excluded.value WHERE meta.value = $2`, b, t.state)
	if err == nil && tag.RowsAffected() == 0 {
		err = transfer.ErrBusy
	}
	if err == nil {
		t.state = b
	}
	return err
}

// tables gathers the rows of a batch, by the table they go to.
type tables struct {
	resources, attrs, refs, members, changes, people, doomed, deleted, left [][]any

	uniq   [5][]any // tenant, type, path, text, res
	counts map[countKey]int64
	grown  map[[2]int64]int64 // tenant and group → members that it gains
}

type countKey struct {
	tenant int32
	typ    string
}

// Put implements transfer.Target.
func (t *Target) Put(ctx context.Context, records []transfer.Record, next transfer.Position) error {
	w := &tables{counts: map[countKey]int64{}, grown: map[[2]int64]int64{}}
	for _, r := range records {
		tenant, ok := t.tenants[r.Tenant]
		if !ok {
			return fmt.Errorf("a record of the tenant %q, which the source did not name", r.Tenant)
		}
		if err := w.add(tenant, r); err != nil {
			return err
		}
		if r.Kind == transfer.Resources && r.Resource.Type.Membership() != nil && !slices.Contains(t.holds, r.Resource.TypeName) {
			t.holds = append(t.holds, r.Resource.TypeName)
		}
	}
	before := t.state
	err := pgx.BeginFunc(ctx, t.conn, func(tx pgx.Tx) error {
		if err := t.keep(ctx, tx, next); err != nil {
			return err
		}
		return w.store(ctx, tx)
	})
	if err != nil {
		t.state = before
	}
	return err
}

func (w *tables) add(tenant int32, r transfer.Record) error {
	switch {
	case r.Kind == transfer.Deleted:
		d := r.Resource
		w.deleted = append(w.deleted, []any{tenant, d.Seq, d.TypeName, escape(d.ID), escape(d.Name), escape(stored.FoldName(d.Name)), d.Time.UnixMilli(),
			orNull(d.ExternalID), escape(d.Meta.Version), scim.Instant(d.Meta.Created), scim.Instant(d.Meta.LastModified), d.Digest,
			strings.Join(d.Schemas, " "), string(d.Text), textOrNull(d.Hidden)})
	case r.Resource != nil:
		w.resource(tenant, r.Resource)
	case r.Tombstone != nil:
		d := r.Tombstone
		w.resources = append(w.resources, []any{tenant, d.Seq, "", fmt.Sprint("deleted ", d.Seq), nil, nil, nil, d.Seq, "0", int64(0), int64(0), int32(0),
			"", "", "", "", "", nil})
		w.doomed = append(w.doomed, []any{tenant, d.Seq, d.Type, escape(d.ID), d.Change, escape(d.Actor), escape(d.Request)})
	case r.Change != nil:
		c := r.Change
		w.changes = append(w.changes, []any{tenant, c.Seq, c.Time.UnixMilli(), c.Type, c.Res, escape(c.ID), c.Op, escape(c.Version),
			escape(c.Actor), escape(c.Request), string(c.Deltas), escape(c.Address)})
	case r.Kind == transfer.Members:
		w.members = edgeRows(w.members, tenant, r.Edges)
		w.grown[[2]int64{int64(tenant), r.Edges.From}] += int64(len(r.Edges.To))
	case r.Kind == transfer.People:
		w.people = edgeRows(w.people, tenant, r.Edges)
	case r.Kind == transfer.Left:
		w.left = edgeRows(w.left, tenant, r.Edges)
	default:
		return fmt.Errorf("postgres: records of kind %q are not known", r.Kind)
	}
	return nil
}

func edgeRows(rows [][]any, tenant int32, e *transfer.Edges) [][]any {
	for _, to := range e.To {
		rows = append(rows, []any{tenant, e.From, to})
	}
	return rows
}

func textOrNull(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return string(b)
}

func (w *tables) resource(tenant int32, r *transfer.Resource) {
	c := stored.ColumnsOf(&r.Resource)
	w.resources = append(w.resources, []any{tenant, r.Seq, r.TypeName, escape(r.ID), orNull(c.External), orNull(c.ExternalSort), orNull(c.ExternalSent),
		r.Seq, escape(r.Meta.Version), scim.Instant(r.Meta.Created), scim.Instant(r.Meta.LastModified), int32(len(r.Links)), //nolint:gosec // few
		escape(c.Display), escape(c.DisplayFold), r.Digest, c.Schemas, string(r.Text), textOrNull(r.Hidden)})
	for _, a := range sqlfilter.Rows(&r.Resource) {
		w.attrs = append(w.attrs, []any{tenant, r.Seq, place(string(a.Path)), int32(a.Elem), r.TypeName, escape(a.Text), number(a.Num), orNull(a.Long)}) //nolint:gosec // few
	}
	for i, l := range r.Links {
		w.refs = append(w.refs, []any{tenant, r.Seq, int32(i), l.Path, int32(l.Pos), l.Visible, escape(l.Ref.ID)}) //nolint:gosec // few
	}
	for _, u := range sqlfilter.Uniques(&r.Resource) {
		for i, v := range []any{tenant, r.TypeName, place(string(u.Path)), escape(stored.UniqueText(u.Text)), r.Seq} {
			w.uniq[i] = append(w.uniq[i], v)
		}
	}
	w.counts[countKey{tenant, r.TypeName}]++
}

var copied = []struct {
	table   string
	columns string
	rows    func(*tables) [][]any
}{
	{"resources", "tenant pk type id external external_sort external_sent seq version created modified links display display_fold digest schemas text hidden",
		func(w *tables) [][]any { return w.resources }},
	{"attrs", "tenant res path elem type text num long", func(w *tables) [][]any { return w.attrs }},
	{"refs", "tenant res ord path pos visible target", func(w *tables) [][]any { return w.refs }},
	{"doomed", "tenant res type id change actor request", func(w *tables) [][]any { return w.doomed }},
	{"members", "tenant grp member", func(w *tables) [][]any { return w.members }},
	{"changes", "tenant seq time type res id op version actor request deltas address", func(w *tables) [][]any { return w.changes }},
	{"changes_people", "tenant change person", func(w *tables) [][]any { return w.people }},
	{"deleted", "tenant pk type id name name_fold time external version created modified digest schemas text hidden",
		func(w *tables) [][]any { return w.deleted }},
	{"deleted_groups", "tenant res grp", func(w *tables) [][]any { return w.left }},
}

// store writes the rows, each table's in one stream.
func (w *tables) store(ctx context.Context, tx pgx.Tx) error {
	for _, c := range copied {
		rows := c.rows(w)
		if len(rows) == 0 {
			continue
		}
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{c.table}, strings.Fields(c.columns), pgx.CopyFromRows(rows)); err != nil {
			return fmt.Errorf("%s: %w", c.table, err)
		}
	}
	if len(w.uniq[0]) > 0 {
		_, err := tx.Exec(ctx, `INSERT INTO uniq (tenant, type, path, text, res)
			SELECT * FROM unnest($1::integer[], $2::text[], $3::text[], $4::text[], $5::bigint[]) ON CONFLICT DO NOTHING`,
			w.uniq[0], w.uniq[1], w.uniq[2], w.uniq[3], w.uniq[4])
		if err != nil {
			return err
		}
	}
	for k, n := range w.counts {
		_, err := tx.Exec(ctx, `INSERT INTO counts (tenant, type, slot, n) VALUES ($1, $2, 0, $3)
			ON CONFLICT (tenant, type, slot) DO UPDATE SET n = counts.n + excluded.n`, k.tenant, k.typ, n)
		if err != nil {
			return err
		}
	}
	for k, n := range w.grown {
		if _, err := tx.Exec(ctx, `UPDATE resources SET members = members + $3 WHERE tenant = $1 AND pk = $2`, int32(k[0]), k[1], n); err != nil { //nolint:gosec // it was one
			return err
		}
	}
	return nil
}

// Finish implements transfer.Target.
func (t *Target) Finish(ctx context.Context) error {
	err := pgx.BeginFunc(ctx, t.conn, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `DELETE FROM meta WHERE tenant = 0 AND key = 'transfer' AND value = $1`, t.state)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return transfer.ErrBusy
		}
		for _, tenant := range t.tenants {
			_, err := tx.Exec(ctx, `UPDATE tenants SET nests = true WHERE tenant = $1 AND (EXISTS (
				SELECT 1 FROM resources r JOIN members m ON m.tenant = $1 AND m.member = r.pk WHERE r.tenant = $1 AND r.type = ANY($2)) OR EXISTS (
				SELECT 1 FROM doomed r JOIN members m ON m.tenant = $1 AND m.member = r.res WHERE r.tenant = $1 AND r.type = ANY($2)))`, tenant, t.holds)
			if err != nil {
				return err
			}
		}
		for sequence, last := range map[string]int64{"resources_pk": t.h.Last, "changes_seq": t.h.Changes} {
			if last == 0 {
				continue
			}
			if _, err := tx.Exec(ctx, `SELECT setval($1::regclass, greatest($2::bigint, last_value)) FROM `+sequence, sequence, last); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, `INSERT INTO meta (tenant, key, value) VALUES (0, 'copied', $1)
			ON CONFLICT (tenant, key) DO UPDATE SET value = excluded.value`, []byte(t.h.ID))
		if err != nil || t.h.Keys == nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO meta (tenant, key, value) VALUES (0, 'cursor keys', $1)
			ON CONFLICT (tenant, key) DO UPDATE SET value = excluded.value`, t.h.Keys)
		return err
	})
	if err != nil {
		return err
	}
	// So that the first queries are planned by what is there.
	_, err = t.conn.Exec(ctx, `ANALYZE resources, attrs, members, refs, uniq, changes, changes_people, deleted`)
	return err
}

// Close implements transfer.Target.
func (t *Target) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	var err error
	for _, c := range []*pgx.Conn{t.conn, t.watch} {
		if c != nil {
			err = errors.Join(err, c.Close(ctx))
		}
	}
	return err
}
