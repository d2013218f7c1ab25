package sqlite

import (
	"context"
	"strings"

	"zombiezen.com/go/sqlite"

	"github.com/rollcall-scim/rollcall/internal/sqlfilter"
	"github.com/rollcall-scim/rollcall/scim"
)

// List implements scim.Backend.
func (s *Store) List(ctx context.Context, q scim.Query) (p *scim.Page, err error) {
	err = s.read(ctx, func(t *session) error {
		p, err = t.list(ctx, q)
		return err
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (t *session) list(ctx context.Context, q scim.Query) (*scim.Page, error) {
	p := &scim.Page{}
	typ, err := t.typePK(q.Type)
	if err != nil || typ == 0 || t.tenant == 0 {
		return p, err
	}
	compile := func(q scim.Query) sqlfilter.Plan {
		return sqlfilter.List(q, sqlfilter.Options{Dialect: dialect{tenant: t.tenant}, Tenant: t.tenant,
			Nested: t.names.nested[t.tenant] > 0, SeqIsPK: true})
	}
	plan := compile(q)
	var rows []*entry
	if q.Count > 0 {
		near, err := t.fromEnd(q, typ)
		if err != nil {
			return nil, err
		}
		from := plan
		if near.After != q.After {
			from = compile(near)
		}
		if rows, p.Last, err = t.page(near, from); err != nil {
			return nil, tooComplex(err)
		}
	}
	if skip := max(q.StartIndex-1, 0); !q.NoTotal {
		if q.Count > 0 && q.After == nil && p.Last == nil && (skip == 0 || len(rows) > 0) {
			p.Total = skip + len(rows) // the page is the last one: no need to count
		} else if p.Total, err = t.total(q, plan, typ); err != nil {
			return nil, tooComplex(err)
		}
	}
	for _, row := range rows {
		p.Resources = append(p.Resources, row.r)
	}
	return p, t.complete(ctx, rows, q.Type, q.Selection, known)
}

// fromEnd turns a page by index that is nearer to the end of all resources than
// to their beginning into one after a position, which is found from the end: to
// skip a resource costs the same in both directions.
func (t *session) fromEnd(q scim.Query, typ int64) (scim.Query, error) {
	skip := q.StartIndex - 1
	if q.Filter != nil || q.SortBy != nil || q.After != nil || skip < leastSkip {
		return q, nil
	}
	all, err := t.total(q, sqlfilter.Plan{}, typ)
	behind := all - 1 - skip
	if err != nil || behind < 0 || behind >= skip {
		return q, err
	}
	seq, ok, err := t.one(`SELECT r.seq FROM resources r WHERE r.tenant = ? AND r.type = ? ORDER BY r.seq DESC LIMIT 1 OFFSET ?`,
		t.tenant, typ, behind)
	if ok {
		q.After = &scim.Keyset{Seq: seq - 1}
	}
	return q, err
}

// leastSkip is how many resources are skipped from the beginning without a
// thought.
const leastSkip = 100

// tooComplex turns the complaint of SQLite's compiler about a statement that is
// too deep or too large into an error that the client can act on. Few filters
// within the bounds of package filter get there: a hundred groups joined by
// "and", in a tenant where groups nest.
func tooComplex(err error) error {
	if sqlite.ErrCode(err).ToPrimary() == sqlite.ResultError && strings.Contains(err.Error(), " too ") {
		return &scim.Error{Status: 400, Type: scim.TypeInvalidFilter, Err: err,
			Detail: "the filter is too complex for this server: ask for less at once (RFC 7644 §3.4.2.2)"}
	}
	return err
}

// total is the number of resources that match: kept where that is all of them.
func (t *session) total(q scim.Query, plan sqlfilter.Plan, typ int64) (int, error) {
	if q.Filter == nil {
		n, _, err := t.one(`SELECT n FROM counts WHERE tenant = ? AND type = ?`, t.tenant, typ)
		return int(n), err
	}
	return t.countOf(plan.Total)
}

func (t *session) countOf(c sqlfilter.Clause) (n int, err error) {
	err = t.eachFiltered(c.SQL, t.arguments(c.Args), func(st *sqlite.Stmt) error {
		n = st.ColumnInt(0)
		return nil
	})
	return n, err
}

// page reads the rows of a page, and the position of its last one if others
// follow.
func (t *session) page(q scim.Query, plan sqlfilter.Plan) (rows []*entry, last *scim.Keyset, err error) {
	skip := 0
	if q.After == nil {
		skip = max(q.StartIndex-1, 0)
	}
	more := false // than Count
	for i, part := range plan.Parts {
		before := len(rows)
		err := t.eachFiltered(statement(part), append(t.arguments(part.Args), q.Count+1-len(rows), skip),
			func(st *sqlite.Stmt) error {
				if len(rows) == q.Count {
					more = true
					return nil
				}
				row := scan(st, q.Type)
				last = keyset(st, part, row)
				rows = append(rows, row)
				return nil
			})
		if err != nil {
			return nil, nil, err
		}
		if more || i == len(plan.Parts)-1 {
			break
		}
		if got := len(rows) - before; got > 0 || skip == 0 {
			skip = 0
			continue
		}
		n, err := t.countOf(part.Count)
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

// statement is a part of a list as SQL. The inner SELECT reads indexes alone,
// so that skipping to a distant page touches no document; the documents of the
// page are then read by their numbers, in its order. The sums keep SQLite from
// compiling it anew for each value, see dialect.
func statement(part sqlfilter.Part) string {
	key := "NULL"
	if part.Key != "" {
		key = part.Key
	}
	return `SELECT ` + columns + `, p.key FROM (SELECT r.pk AS pk, ` + key + ` AS key ` + part.SQL +
		` LIMIT (?+0) OFFSET (?+0)) p CROSS JOIN resources r ON r.pk = p.pk`
}

func keyset(st *sqlite.Stmt, part sqlfilter.Part, row *entry) *scim.Keyset {
	k := &scim.Keyset{Absent: part.Absent, Seq: row.pk, ID: row.r.ID}
	switch {
	case part.Key == "":
	case !part.Numeric:
		k.Text = st.ColumnText(columnCount)
	case st.ColumnType(columnCount) == sqlite.TypeFloat:
		k.Float = st.ColumnFloat(columnCount)
	default:
		k.Int = st.ColumnInt64(columnCount)
	}
	return k
}

// arguments puts numbers in the place of paths and types.
func (t *session) arguments(args []any) []any {
	out := make([]any, len(args), len(args)+2)
	for i, a := range args {
		switch a := a.(type) {
		case sqlfilter.Path:
			out[i] = number(t.names.paths, string(a))
		case sqlfilter.Type:
			out[i] = number(t.names.types, string(a))
		default:
			out[i] = a
		}
	}
	return out
}

// number is that of a name, or one that no row has.
func number(in map[string]int64, name string) int64 {
	if pk, ok := in[name]; ok {
		return pk
	}
	return -1
}
