package sqlfilter

import (
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// Plan is a list request as SQL.
type Plan struct {
	// Total is a whole SELECT of the number of matching resources.
	Total Clause

	// Parts are one or two: the list is the rows of the first, then those of
	// the second. With Query.After, they begin after that position.
	Parts []Part
}

// Part is one stretch of a list, in its order.
type Part struct {
	// Clause is all from FROM to ORDER BY. The backend puts its SELECT list
	// before it, naming columns of resources as r.column, and LIMIT and OFFSET
	// after it.
	Clause

	// Count is a whole SELECT of the number of the part's rows, for the OFFSET
	// into the part after it; empty in the last part.
	Count Clause

	// Key is the SQL expression of the value that the list is sorted by, to
	// select for [scim.Keyset]: a number if Numeric, else a text. It is empty
	// without SortBy, and where Absent says that the resources have no value.
	Key             string
	Numeric, Absent bool
}

// List compiles q: its filter whole, its order and its keyset, but not
// StartIndex and Count, which are the LIMIT and OFFSET the backend adds. A
// database may find a statement too complex, with more than a hundred groups
// joined by "and" for one: that is an error of type invalidFilter.
func List(q scim.Query, o Options) Plan {
	if q.Filter != nil {
		q.Filter = merge(q.Filter)
	}
	l := lister{q, o}
	plan := Plan{Total: l.count("")}
	key, leaf := l.key()
	if key == "" {
		p := Part{Clause: l.part("", l.order("", nil))}
		if q.SortBy != nil {
			p.Key = "''" // the same for all
		}
		plan.Parts = []Part{p}
		return plan
	}
	present := Part{Clause: l.part(key, l.order(key, leaf)), Key: key, Numeric: numeric(leaf)}
	absent := Part{Clause: l.part(none, l.order("", nil)), Absent: true}
	_, nullable, common := commonColumn(*q.SortBy)
	after := q.After
	switch {
	case common && !nullable:
		plan.Parts = []Part{present}
	case q.Descending:
		plan.Parts = []Part{absent, present}
		if after != nil && !after.Absent {
			plan.Parts = plan.Parts[1:]
		} else {
			plan.Parts[0].Count = l.count(none)
		}
	default:
		plan.Parts = []Part{present, absent}
		if after != nil && after.Absent {
			plan.Parts = plan.Parts[1:]
		} else {
			plan.Parts[0].Count = l.count(key)
		}
	}
	return plan
}

// none stands for the key of resources that have no value to sort by.
const none = "none"

// lister compiles the statements of one query.
type lister struct {
	q scim.Query
	o Options
}

// key returns the SQL expression to sort by, and the attribute it is of; "" if
// it is the same for all.
func (l lister) key() (string, *scim.Attribute) {
	p := l.q.SortBy
	if p == nil {
		return "", nil
	}
	leaf := p.Leaf()
	if p.Attr == externalID {
		return "r.external_sort", leaf // the only text column that may be long
	}
	if c, _, ok := commonColumn(*p); ok {
		return c.text + c.num, leaf
	}
	if commonAttribute(p.Name) == p.Attr {
		return "", nil
	}
	if numeric(leaf) {
		return "a.num", leaf
	}
	return "a.text", leaf
}

// count compiles a count of the matching resources: all, those that have a
// value for key, or those that have none.
func (l lister) count(key string) Clause {
	b := &builder{t: l.q.Type, o: l.o}
	return Clause{"SELECT count(*) " + b.from(l.q.Filter, l.q.SortBy, key, true), b.args}
}

// part compiles one stretch of the list.
func (l lister) part(key string, order func(*builder, string) string) Clause {
	b := &builder{t: l.q.Type, o: l.o}
	s := b.from(l.q.Filter, l.q.SortBy, key, false)
	return Clause{order(b, s), b.args}
}

// order adds the position after which the list begins, and its order. Ties are
// in order of creation, also descending where that is asked for.
func (l lister) order(key string, leaf *scim.Attribute) func(*builder, string) string {
	greater, direction := " > ", ""
	if l.q.Descending && l.q.SortBy != nil {
		greater, direction = " < ", " DESC"
	}
	return func(b *builder, s string) string {
		after := l.q.After
		switch {
		case after == nil:
		case key == "":
			// In the other part's stretch, all of this one is still to come.
			if l.q.SortBy == nil || after.Absent || l.constant() {
				s += " AND " + b.seq + greater + b.bind(after.Seq)
			}
		case !after.Absent:
			v := keyOf(after, leaf)
			s += " AND " + key + strings.TrimRight(greater, " ") + "= " + b.bind(v) +
				" AND (" + key + greater + b.bind(v) + " OR " + b.seq + greater + b.bind(after.Seq) + ")"
		}
		if key != "" {
			return s + " ORDER BY " + key + direction + ", " + b.seq + direction
		}
		return s + " ORDER BY " + b.seq + direction
	}
}

// constant reports whether the list is sorted by what all resources share.
func (l lister) constant() bool {
	key, _ := l.key()
	return key == ""
}

func keyOf(k *scim.Keyset, leaf *scim.Attribute) any {
	switch {
	case leaf.Type == scim.TypeDecimal:
		return k.Float
	case numeric(leaf):
		return k.Int
	}
	return k.Text
}

// from compiles FROM and WHERE. key is what the list is sorted by: an
// expression of a row a of attrs, of r, none, or "".
func (b *builder) from(f scim.Filter, by *scim.AttrPath, key string, count bool) string {
	var all []scim.Filter
	if f != nil {
		all = conjunction(f)
	}
	var d driver
	at := -1
	for i, g := range all {
		if c := b.drive(g); c.rank > d.rank {
			d, at = c, i
		}
	}
	least := substring
	if count {
		least = broad
	}
	sorted := strings.HasPrefix(key, "a.")
	b.driven = d.rank >= least
	b.seq = "r.seq"
	if b.o.SeqIsPK && sorted {
		b.seq = "a.res"
	} else if b.o.SeqIsPK && b.driven {
		b.seq = "d.res"
	}
	s := "FROM "
	switch {
	case b.driven:
		s += "(" + d.sql(b) + ") d "
		if d.exact {
			all = slices.Delete(slices.Clone(all), at, at+1)
		}
		if count && d.rows && len(all) == 0 && key == "" {
			return strings.TrimRight(s, " ")
		}
		s += "CROSS JOIN resources r "
		if sorted {
			s += "CROSS JOIN attrs a "
		}
		s += "WHERE r.pk = d.res AND " + b.scope("r")
		if sorted {
			s += " AND " + b.own("a") + "a.res = r.pk AND a.path = " + b.bind(Path(by.String()))
		}
	case sorted:
		s += "attrs a CROSS JOIN resources r WHERE " + b.scope("a") + " AND a.path = " + b.bind(Path(by.String())) + " AND " + b.own("r") + "r.pk = a.res"
	default:
		s += "resources r WHERE " + b.scope("r")
	}
	if key == "a.num" {
		s += " AND a.num IS NOT NULL" // as the index by num says
	}
	if sorted && by.Attr.MultiValued {
		// The primary value's row, else the first one's, has the least elem.
		s += " AND (a.elem = 0 OR NOT " + b.exists("SELECT 1 FROM attrs o WHERE "+b.own("o")+"o.res = a.res AND o.path = a.path AND o.elem < a.elem") + ")"
	}
	if column, nullable, _ := commonColumn(pathOrZero(by)); nullable && key != "" {
		if key == none {
			s += " AND " + column.text + " IS NULL"
		} else {
			s += " AND " + column.text + " IS NOT NULL"
		}
	} else if key == none {
		value := "SELECT 1 FROM attrs a WHERE " + b.own("a") + "a.res = r.pk AND a.path = " + b.bind(Path(by.String()))
		if numeric(by.Leaf()) {
			value += " AND a.num IS NOT NULL"
		}
		s += " AND NOT " + b.exists(value)
	}
	for _, g := range all {
		s += " AND " + b.condition(g)
	}
	return s
}

func pathOrZero(p *scim.AttrPath) scim.AttrPath {
	if p == nil {
		return scim.AttrPath{}
	}
	return *p
}
