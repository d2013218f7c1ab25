package postgres

import (
	"math/big"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rollcall-scim/rollcall/internal/sqlfilter"
	"github.com/rollcall-scim/rollcall/scim"
)

// held is what attrs and uniq have of a resource.
type held struct {
	attrs map[spot]cell
	uniq  map[[2]string]bool // path and text
}

type spot struct {
	path string
	elem int32
}

type cell struct {
	text, long string
	num        pgtype.Numeric
}

// value reports whether the resource has the value of a claim.
func (h *held) value(c claim) bool {
	for at, v := range h.attrs {
		if at.path == c.path && v.text == c.cut && v.long == c.long {
			return true
		}
	}
	return false
}

const (
	attrColumns = `SELECT a.res, a.path, a.elem, a.text, coalesce(a.long, ''), a.num FROM attrs a WHERE a.tenant = $1 AND a.res = `
	uniqColumns = `SELECT q.res, q.path, q.text FROM uniq q WHERE q.tenant = $1 AND q.res = `
	named       = `(SELECT pk FROM resources WHERE tenant = $1 AND id = $2 AND type = $3)`
	numbered    = `ANY($2::bigint[])`
)

// queueHeld queues the reading of what the rows of a resource, which was locked
// before, are.
func (t *session) queueHeld(ref scim.Ref) *held {
	h := &held{map[spot]cell{}, map[[2]string]bool{}}
	of := func(int64) *held { return h }
	t.laterEach(attrColumns+named, func(r pgx.Rows) error { return scanAttr(r, of) }, t.tenant, escape(ref.ID), ref.Type.Name)
	t.laterEach(uniqColumns+named, func(r pgx.Rows) error { return scanUniq(r, of) }, t.tenant, escape(ref.ID), ref.Type.Name)
	return h
}

// queueHeldBy is queueHeld for several resources.
func (t *session) queueHeldBy(rows []*entry) map[int64]*held {
	all := make(map[int64]*held, len(rows))
	for _, row := range rows {
		all[row.pk] = &held{map[spot]cell{}, map[[2]string]bool{}}
	}
	of := func(pk int64) *held { return all[pk] }
	t.laterEach(attrColumns+numbered, func(r pgx.Rows) error { return scanAttr(r, of) }, t.tenant, pks(rows))
	t.laterEach(uniqColumns+numbered, func(r pgx.Rows) error { return scanUniq(r, of) }, t.tenant, pks(rows))
	return all
}

func scanAttr(r pgx.Rows, of func(int64) *held) error {
	var res int64
	var at spot
	var c cell
	err := r.Scan(&res, &at.path, &at.elem, &c.text, &c.long, &c.num)
	if h := of(res); err == nil && h != nil {
		h.attrs[at] = c
	}
	return err
}

func scanUniq(r pgx.Rows, of func(int64) *held) error {
	var res int64
	var key [2]string
	err := r.Scan(&res, &key[0], &key[1])
	if h := of(res); err == nil && h != nil {
		h.uniq[key] = true
	}
	return err
}

// mostDropped is how many rows are removed by name. Of a resource whose rows were
// never measured PostgreSQL expects a few, and compares each with each of those to
// remove: with 30,000 that takes longer than any request may.
const mostDropped = 200

const dropAttrs = `DELETE FROM attrs WHERE tenant = $1 AND res = $2`

// index makes the rows of attrs those of a resource that had others. Only what
// differs is written.
func (t *session) index(row *entry, rows []sqlfilter.Row, had *held) {
	var put, drop attrArrays
	stay := make(map[spot]bool, len(rows))
	for _, r := range rows {
		at := spot{place(string(r.Path)), int32(r.Elem)} //nolint:gosec // few
		stay[at] = true
		if was, ok := had.attrs[at]; !ok || was.text != escape(r.Text) || was.long != escape(r.Long) || !sameNumber(was.num, number(r.Num)) {
			put.add(0, r)
		}
	}
	for at := range had.attrs {
		if !stay[at] {
			drop.path, drop.elem = append(drop.path, at.path), append(drop.elem, at.elem)
		}
	}
	if len(drop.path) > mostDropped {
		t.later(dropAttrs, t.tenant, row.pk)
		put, drop = attrArrays{}, attrArrays{}
		for _, r := range rows {
			put.add(0, r)
		}
	}
	if len(drop.path) > 0 {
		t.later(`DELETE FROM attrs a USING unnest($3::text[], $4::integer[]) AS d (path, elem)
			WHERE a.tenant = $1 AND a.res = $2 AND a.path = d.path AND a.elem = d.elem`, t.tenant, row.pk, drop.path, drop.elem)
	}
	if len(put.path) > 0 {
		t.later(`INSERT INTO attrs (tenant, res, path, elem, type, text, num, long)
			SELECT $1, $2, a.path, a.elem, $3, a.text, a.num, a.long
			FROM unnest($4::text[], $5::integer[], $6::text[], $7::numeric[], $8::text[]) AS a (path, elem, text, num, long)
			ON CONFLICT (tenant, res, path, elem) DO UPDATE SET text = excluded.text, num = excluded.num, long = excluded.long`,
			t.tenant, row.pk, row.typ, put.path, put.elem, put.text, put.num, put.long)
	}
}

// sameNumber reports whether two numbers are equal, however they are written.
func sameNumber(a, b pgtype.Numeric) bool {
	if !a.Valid || !b.Valid {
		return a.Valid == b.Valid
	}
	if a.Int == nil || b.Int == nil {
		return false
	}
	x, y := new(big.Int).Set(a.Int), new(big.Int).Set(b.Int)
	if d := int64(a.Exp) - int64(b.Exp); d > 0 {
		x.Mul(x, new(big.Int).Exp(big.NewInt(10), big.NewInt(d), nil))
	} else {
		y.Mul(y, new(big.Int).Exp(big.NewInt(10), big.NewInt(-d), nil))
	}
	return x.Cmp(y) == 0
}
