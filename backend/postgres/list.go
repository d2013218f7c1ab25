package postgres

import (
	"context"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/internal/sqlfilter"
	"github.com/rollcall-scim/rollcall/scim"
)

// List implements scim.Backend. A page takes two round trips: one finds it, the
// other what belongs to it, and the total. A look-up takes one if it finds few
// resources, else one more.
func (s *Store) List(ctx context.Context, q scim.Query) (p *scim.Page, err error) {
	if looksUp(q) {
		if p, err := s.listFew(ctx, q); p != nil || err != nil {
			return p, err
		}
	}
	err = s.read(ctx, func(t *session) error {
		p, err = t.list(ctx, q)
		return err
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// list returns a page that is whole once the queue has been sent.
func (t *session) list(ctx context.Context, q scim.Query) (*scim.Page, error) {
	t.db.remember(t.store.tenant, q.Type)
	p := &scim.Page{}
	if t.tenant == 0 {
		return p, nil
	}
	plan := t.plan(q)
	var rows []*entry
	if q.Count > 0 {
		var err error
		if rows, p.Last, err = t.page(ctx, q, plan); err != nil {
			return nil, tooComplex(err)
		}
	}
	if skip := max(q.StartIndex-1, 0); !q.NoTotal {
		if q.Count > 0 && q.After == nil && p.Last == nil && (skip == 0 || len(rows) > 0) {
			p.Total = skip + len(rows) // the page is the last one: no need to count
		} else {
			t.total(q, plan, &p.Total)
		}
	}
	for _, row := range rows {
		p.Resources = append(p.Resources, row.r)
	}
	t.complete(ctx, rows, q.Type, q.Selection, known)
	return p, nil
}

func (t *session) plan(q scim.Query) sqlfilter.Plan {
	return sqlfilter.List(q, sqlfilter.Options{Dialect: sqlfilter.PostgreSQL{}, Tenant: int64(t.tenant),
		Nested: true, SeqIsPK: true, TenantInKeys: true})
}

// few is how many resources a look-up may find in one round trip, at most.
const few = 8

// listFew is List for a look-up: one statement reads what it finds, with all that
// belongs to it. There is no page if that is more than a few, or more than that
// statement can read.
func (s *Store) listFew(ctx context.Context, q scim.Query) (p *scim.Page, err error) {
	if m := q.Type.Membership(); m != nil && q.Selection.Wants(m.Name) || q.Count == 0 || q.After != nil || q.StartIndex > 1 {
		return nil, nil
	}
	most := min(q.Count, few)
	err = s.peek(ctx, func(t *session) error {
		t.db.remember(t.store.tenant, q.Type)
		p = &scim.Page{}
		w := t.joined(q.Type, q.Selection)
		switch {
		case t.tenant == 0:
			return nil
		case w == nil:
			p = nil
			return nil
		}
		part := t.plan(q).Parts[0]
		found := 0
		t.laterEach(statementOf(part, q, len(part.Args), w), func(r pgx.Rows) error {
			var key *string
			row, err := w.scan(r, &key)
			if found++; err == nil {
				p.Resources = append(p.Resources, row.r)
			}
			return err
		}, append(arguments(part.Args), most+1, 0, t.tenant)...)
		if err := t.flush(ctx); err != nil {
			return err
		}
		if p.Total = found; found > most {
			p = nil
		}
		return nil
	})
	if err != nil {
		return nil, tooComplex(err)
	}
	return p, nil
}

// tooComplex turns the complaint of PostgreSQL about a statement that is too
// deep or too large into an error that the client can act on.
func tooComplex(err error) error {
	switch code(err) {
	case "54000", "54001", "54011", "54023":
		return &scim.Error{Status: 400, Type: scim.TypeInvalidFilter, Err: err,
			Detail: "the filter is too complex for this server: ask for less at once (RFC 7644 §3.4.2.2)"}
	}
	return err
}

// total queues the count of the resources that match: kept where that is all of
// them.
func (t *session) total(q scim.Query, plan sqlfilter.Plan, n *int) {
	read := func(r pgx.Rows) error { return r.Scan(n) }
	if q.Filter == nil {
		t.laterEach(`SELECT coalesce(sum(n), 0)::bigint FROM counts WHERE tenant = $1 AND type = $2`, read, t.tenant, q.Type.Name)
		return
	}
	t.queue = append(t.queue, statement{sql: plan.Total.SQL, args: arguments(plan.Total.Args), row: read, once: true})
}

// looksUp reports whether q asks for one text, as clients do before they create
// somebody. One plan is good for that in all tenants, and there are few such
// statements: they are prepared, since to plan one takes longer than to run it.
func looksUp(q scim.Query) bool {
	f, ok := q.Filter.(*scim.AttrExp)
	if !ok || f.Op != scim.Eq || f.Path.Attr == nil || q.SortBy != nil {
		return false
	}
	_, text := f.Value.(string)
	leaf := f.Path.Leaf()
	return text && leaf.Type == scim.TypeString && len(leaf.CanonicalValues) == 0 && !f.Path.Attr.Membership && !f.Path.Attr.Derived &&
		f.Path.Name != "schemas" && f.Path.Name != "meta"
}

// page reads the rows of a page, and the position of its last one if others
// follow.
func (t *session) page(ctx context.Context, q scim.Query, plan sqlfilter.Plan) (rows []*entry, last *scim.Keyset, err error) {
	skip := 0
	if q.After == nil {
		skip = max(q.StartIndex-1, 0)
	}
	more := false // than Count
	for i, part := range plan.Parts {
		before := len(rows)
		args := append(arguments(part.Args), q.Count+1-len(rows), skip, t.tenant)
		t.queue = append(t.queue, statement{sql: statementOf(part, q, len(part.Args), nil), args: args, once: !looksUp(q), row: func(r pgx.Rows) error {
			if len(rows) == q.Count {
				more = true
				return nil
			}
			var key *string
			row, err := scan(r, q.Type, &key)
			if err != nil {
				return err
			}
			last = keyset(key, part, row)
			rows = append(rows, row)
			return nil
		}})
		if err := t.flush(ctx); err != nil {
			return nil, nil, err
		}
		if more || i == len(plan.Parts)-1 {
			break
		}
		if got := len(rows) - before; got > 0 || skip == 0 {
			skip = 0
			continue
		}
		n := 0
		err := t.eachFiltered(ctx, part.Count.SQL, arguments(part.Count.Args), func(r pgx.Rows) error { return r.Scan(&n) })
		if err != nil {
			return nil, nil, err
		}
		skip = max(skip-n, 0)
	}
	if !more {
		last = nil
	}
	return rows, last, nil
}

// statementOf is a part of a list as SQL. The inner SELECT reads indexes alone,
// so that skipping to a distant page touches no document; the documents of the
// page are then read by their numbers, whole if w says how, and put in its order.
func statementOf(part sqlfilter.Part, q scim.Query, args int, w *joined) string {
	key, order, direction := "NULL", "p.pk", ""
	if q.Descending && q.SortBy != nil {
		direction = " DESC"
	}
	if part.Key != "" {
		key, order = part.Key, "p.key"+direction+", p.pk"
	}
	tenant, selected, joins := strconv.Itoa(args+3), columns, ""
	if w != nil {
		selected, joins = w.columns(tenant), w.joins(tenant)
	}
	return `SELECT ` + selected + `, p.key FROM (SELECT r.pk AS pk, ` + key + ` AS key ` + part.SQL +
		` LIMIT $` + strconv.Itoa(args+1) + ` OFFSET $` + strconv.Itoa(args+2) + `) p JOIN resources r ON r.tenant = $` + tenant +
		` AND r.pk = p.pk` + joins + ` ORDER BY ` + order + direction
}

func keyset(key *string, part sqlfilter.Part, row *entry) *scim.Keyset {
	k := &scim.Keyset{Absent: part.Absent, Seq: row.pk, ID: row.r.ID}
	switch {
	case key == nil:
	case !part.Numeric:
		k.Text = unescape(*key)
	default:
		k.Int, _ = strconv.ParseInt(*key, 10, 64)
		k.Float, _ = strconv.ParseFloat(*key, 64)
	}
	return k
}

// arguments are those of a clause in the form in which rows hold them. Types
// are the database's to find out.
func arguments(args []any) []any {
	out := make([]any, len(args), len(args)+3)
	for i, a := range args {
		switch a := a.(type) {
		case sqlfilter.Path:
			out[i] = place(string(a))
		case sqlfilter.Type:
			out[i] = string(a)
		case string:
			out[i] = escape(a)
		case float64:
			out[i] = decimal(a)
		default:
			out[i] = a
		}
	}
	return out
}

// decimal is number as text.
func decimal(v float64) string {
	text, err := number(v).Value()
	s, ok := text.(string)
	if err != nil || !ok {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strings.TrimSpace(s)
}
