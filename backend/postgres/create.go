package postgres

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rollcall-scim/rollcall/internal/changelog"
	"github.com/rollcall-scim/rollcall/internal/sqlfilter"
	"github.com/rollcall-scim/rollcall/internal/stored"
	"github.com/rollcall-scim/rollcall/scim"
)

// Create implements scim.Backend. It takes one round trip, which creates that
// come at the same time share.
func (s *Store) Create(ctx context.Context, r *scim.Resource) (*scim.Resource, error) {
	return present(s.add(ctx, s.db.fresh(ctx, r)))
}

// mostID bounds the bytes of an id that is imported: it stands in indexes.
const mostID = 1_000

// Import implements scim.Importer. Imports share round trips as creates do.
func (s *Store) Import(ctx context.Context, r *scim.Resource) error {
	c, err := s.db.imported(ctx, r)
	if err == nil {
		_, err = s.add(ctx, c)
	}
	return err
}

// creation is a resource that is about to be stored, and what became of it.
type creation struct {
	row     *entry
	again   int64 // the number that it had before; 0: it gets a new one
	columns stored.Columns
	claims  []claim
	rows    []sqlfilter.Row
	links   []scim.Link
	members []scim.MemberRef
	given   *scim.Resource // as it came, with its Attrs; nil without members
	origin  scim.Origin
	deltas  []scim.RecordDelta
	time    time.Time

	refused error // why it can't be stored
}

func (db *DB) fresh(ctx context.Context, r *scim.Resource) *creation {
	now := db.now()
	return db.creation(ctx, r, 0, db.o.NewID(), scim.Meta{Created: now, LastModified: now, Version: "1"})
}

func (db *DB) imported(ctx context.Context, r *scim.Resource) (*creation, error) {
	if len(r.ID) > mostID {
		return nil, scim.Errorf(scim.TypeInvalidValue, "id: has %d bytes; this server takes ids of at most %d", len(r.ID), mostID)
	}
	return db.creation(ctx, r, 0, r.ID, r.Meta), nil
}

// creation works out all that is stored of r, before a connection is taken.
func (db *DB) creation(ctx context.Context, r *scim.Resource, pk int64, id string, meta scim.Meta) *creation {
	c := &creation{again: pk, columns: stored.ColumnsOf(r), claims: claimsOf(r), rows: sqlfilter.Rows(r), links: slices.Clone(r.Links),
		origin: scim.OriginOf(ctx), deltas: changelog.Values(r, true), time: db.now()}
	c.row = &entry{typ: r.Type.Name, links: int64(len(r.Links)), r: &scim.Resource{
		Type: r.Type, ID: id, ExternalID: r.ExternalID, Meta: meta, Schemas: slices.Clone(r.Schemas),
		Text: slices.Clone(r.Text), Hidden: slices.Clone(r.Hidden), Digest: r.Digest,
	}}
	if a := r.Type.Membership(); a != nil {
		if c.members, _ = r.Attrs.Get(a.Name).([]scim.MemberRef); len(c.members) > 0 {
			c.given = r
		}
	}
	return c
}

// now returns the time, as precise as meta shows it.
func (db *DB) now() time.Time { return db.o.Now().UTC().Truncate(time.Millisecond) }

// add stores c in a transaction, and returns it as Get would.
func (s *Store) add(ctx context.Context, c *creation) (*scim.Resource, error) {
	s.db.remember(s.tenant, c.row.r.Type)
	if len(c.members) == 0 {
		return c.row.r, s.together(ctx, c)
	}
	err := s.write(ctx, func(t *session) error { return t.create(ctx, c) })
	return c.row.r, err
}

// create stores c and its members.
func (t *session) create(ctx context.Context, c *creation) error {
	t.db.remember(t.store.tenant, c.row.r.Type)
	if err := t.insert(ctx, c); err != nil {
		return err
	}
	t.complete(ctx, []*entry{c.row}, c.row.r.Type, scim.Selection{}, fresh)
	t.finish()
	return t.flush(ctx)
}

// insert stores c and its members, if nothing speaks against it.
func (t *session) insert(ctx context.Context, c *creation) error {
	t.queueInsert([]*creation{c}, nil)
	if err := t.flush(ctx); err != nil {
		return err
	}
	if c.refused != nil {
		return c.refused
	}
	t.count(c.row.typ, 1)
	t.db.grew(1)
	if len(c.members) == 0 {
		return nil
	}
	return t.insertMembers(ctx, c, c.row.r.Type.Membership())
}

// insertSQL stores resources with all their rows but members. i is the number of
// a resource among them, from 1, and k that of a claim. The LATERAL sub-selects
// and their ORDER BY leave the planner no choice but the index, even for a table
// that was empty when the statement was planned.
const insertSQL = `WITH u AS MATERIALIZED (
		SELECT * FROM unnest($3::integer[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bigint[], $11::bigint[],
			$12::integer[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[], $19::bigint[], $20::text[], $21::text[], $22::text[], $41::text[])
			AS u (i, pk, id, external, external_sort, external_sent, version, created, modified, links, display, display_fold, digest, schemas,
			text, hidden, time, actor, request, deltas, address)
	), c AS MATERIALIZED (
		SELECT * FROM unnest($23::integer[], $24::text[], $25::text[], $26::text[], $27::text[]) WITH ORDINALITY AS c (i, path, text, cut, long, k)
	), refused AS MATERIALIZED (
		SELECT u.i, 0::bigint AS k FROM u CROSS JOIN LATERAL (SELECT 1 FROM resources r WHERE r.tenant = $1 AND r.id = u.id ORDER BY r.id LIMIT 1) x
		UNION ALL
		SELECT c.i, c.k FROM c CROSS JOIN LATERAL (
			(SELECT 1 FROM uniq q WHERE q.tenant = $1 AND q.type = $2 AND q.path = c.path AND q.text = c.text ORDER BY q.text LIMIT 1)
			UNION ALL
			(SELECT 1 FROM attrs a WHERE a.tenant = $1 AND a.type = $2 AND a.path = c.path AND a.text = c.cut AND coalesce(a.long, '') = c.long
				ORDER BY a.text, a.res LIMIT 1)) x
	), new AS MATERIALIZED (
		SELECT u.*, coalesce(u.pk, nextval('resources_pk')) AS res FROM u WHERE NOT EXISTS (SELECT 1 FROM refused f WHERE f.i = u.i)
	), p AS MATERIALIZED (
		SELECT array_agg(new.res ORDER BY u.i) AS res FROM u LEFT JOIN new ON new.i = u.i
	), resources_in AS (
		INSERT INTO resources (tenant, pk, type, id, external, external_sort, external_sent, seq, version, created, modified, links, display,
			display_fold, digest, schemas, text, hidden)
		SELECT $1, res, $2, id, external, external_sort, external_sent, res, version, created, modified, links, display,
			display_fold, digest, schemas, text, hidden FROM new
	), attrs_in AS (
		INSERT INTO attrs (tenant, res, path, elem, type, text, num, long)
		SELECT $1, p.res[a.i], a.path, a.elem, $2, a.text, a.num, a.long
		FROM p, unnest($28::integer[], $29::text[], $30::integer[], $31::text[], $32::numeric[], $33::text[]) AS a (i, path, elem, text, num, long)
		WHERE p.res[a.i] IS NOT NULL
	), uniq_in AS (
		INSERT INTO uniq (tenant, type, path, text, res) SELECT $1, $2, c.path, c.text, p.res[c.i] FROM p, c WHERE p.res[c.i] IS NOT NULL
	), refs_in AS (
		INSERT INTO refs (tenant, res, ord, path, pos, visible, target)
		SELECT $1, p.res[f.i], f.ord, f.path, f.pos, f.visible, f.target
		FROM p, unnest($34::integer[], $35::integer[], $36::text[], $37::integer[], $38::boolean[], $39::text[]) AS f (i, ord, path, pos, visible, target)
		WHERE p.res[f.i] IS NOT NULL
	), changes_in AS (
		INSERT INTO changes (tenant, time, type, res, id, op, version, actor, request, address, deltas)
		SELECT $1, time, $2, res, id, 'create', version, actor, request, address, deltas FROM new WHERE deltas IS NOT NULL
	), counts_in AS (
		INSERT INTO counts (tenant, type, slot, n) SELECT $1, $2, $40::smallint, count(*) FROM new WHERE $40::smallint IS NOT NULL HAVING count(*) > 0
		ON CONFLICT (tenant, type, slot) DO UPDATE SET n = counts.n + excluded.n
	)
	SELECT i, res, 0::bigint FROM new UNION ALL SELECT i, 0, k FROM refused`

// queueInsert queues what stores resources of one type, those that nothing speaks
// against: of the others it notes why not. No two may claim the same. They are
// counted in a slot of counts or, if slot is nil, by the caller. The record of a
// resource with members follows when these are known.
func (t *session) queueInsert(list []*creation, slot any) {
	typ := list[0].row.typ
	var u struct {
		i, links                                                                              []int32
		pk                                                                                    []*int64
		created, modified, time                                                               []int64
		external, externalSort, externalSent, hidden, deltas                                  []*string
		id, version, display, displayFold, digest, schemas, text, actor, requestedBy, address []string
	}
	type claimed struct {
		i int
		claim
	}
	var claims []claimed
	var a attrArrays
	var f refArrays
	for n, c := range list {
		c.refused = nil
		i, r := int32(n+1), c.row.r                                        //nolint:gosec // few
		u.i, u.links = append(u.i, i), append(u.links, int32(c.row.links)) //nolint:gosec // few
		u.pk = append(u.pk, nil)
		if c.again != 0 {
			u.pk[n] = &c.again
		}
		u.created, u.modified = append(u.created, scim.Instant(r.Meta.Created)), append(u.modified, scim.Instant(r.Meta.LastModified))
		u.external, u.externalSort = append(u.external, maybe(c.columns.External)), append(u.externalSort, maybe(c.columns.ExternalSort))
		u.externalSent, u.hidden = append(u.externalSent, maybe(c.columns.ExternalSent)), append(u.hidden, maybe(string(r.Hidden)))
		u.id, u.version = append(u.id, escape(r.ID)), append(u.version, escape(r.Meta.Version))
		u.display, u.displayFold = append(u.display, escape(c.columns.Display)), append(u.displayFold, escape(c.columns.DisplayFold))
		u.digest, u.schemas, u.text = append(u.digest, r.Digest), append(u.schemas, c.columns.Schemas), append(u.text, string(r.Text))
		u.time = append(u.time, c.time.UnixMilli())
		u.actor, u.requestedBy = append(u.actor, escape(c.origin.Actor)), append(u.requestedBy, escape(c.origin.RequestID))
		u.address = append(u.address, escape(c.origin.Address))
		var deltas *string
		if len(c.members) == 0 {
			deltas = maybe(string(changelog.Encode(c.deltas)))
		}
		u.deltas = append(u.deltas, deltas)
		for _, l := range c.claims {
			claims = append(claims, claimed{n, l})
		}
		for _, row := range c.rows {
			a.add(i, row)
		}
		for ord, l := range c.links {
			f.add(i, ord, l)
		}
	}
	// In one order for all, so that two who claim the same don't wait for each other.
	slices.SortStableFunc(claims, func(a, b claimed) int { return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.text, b.text)) })
	var q claimArrays
	var of []int32
	for _, l := range claims {
		of = append(of, int32(l.i+1)) //nolint:gosec // few
		q.add(l.claim)
	}
	t.laterEach(insertSQL, func(rows pgx.Rows) error {
		var i int
		var pk, k int64
		if err := rows.Scan(&i, &pk, &k); err != nil {
			return err
		}
		switch c := list[i-1]; {
		case pk != 0:
			c.row.pk = pk
		case k == 0:
			c.refused = scim.NotUnique("id")
		case c.refused == nil:
			c.refused = scim.NotUnique(claims[k-1].name)
		}
		return nil
	}, t.tenant, typ, u.i, u.pk, u.id, u.external, u.externalSort, u.externalSent, u.version, u.created, u.modified, u.links, u.display,
		u.displayFold, u.digest, u.schemas, u.text, u.hidden, u.time, u.actor, u.requestedBy, u.deltas,
		of, q.path, q.text, q.cut, q.long, a.of, a.path, a.elem, a.text, a.num, a.long, f.of, f.ord, f.path, f.pos, f.visible, f.target, slot, u.address)
}

// maybe is s escaped, or nil where there is none, for arrays.
func maybe(s string) *string {
	if s == "" {
		return nil
	}
	s = escape(s)
	return &s
}

// attrArrays are rows of attrs as columns, for unnest.
type attrArrays struct {
	of, elem   []int32
	path, text []string
	num        []pgtype.Numeric
	long       []*string
}

func (a *attrArrays) add(of int32, r sqlfilter.Row) {
	a.of, a.path, a.elem = append(a.of, of), append(a.path, place(string(r.Path))), append(a.elem, int32(r.Elem)) //nolint:gosec // few
	a.text, a.num, a.long = append(a.text, escape(r.Text)), append(a.num, number(r.Num)), append(a.long, maybe(r.Long))
}

// refArrays are rows of refs as columns, for unnest.
type refArrays struct {
	of, ord, pos []int32
	path, target []string
	visible      []bool
}

func (f *refArrays) add(of int32, ord int, l scim.Link) {
	f.of, f.ord, f.pos = append(f.of, of), append(f.ord, int32(ord)), append(f.pos, int32(l.Pos)) //nolint:gosec // few
	f.path, f.target, f.visible = append(f.path, l.Path), append(f.target, escape(l.Ref.ID)), append(f.visible, l.Visible)
}

// present is v, or nil with the error.
func present[T any](v *T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}
