package sqlfilter

import (
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

// List is a compiled list request. Each Clause is what follows a WHERE that is
// yours and the AND after it:
//
//	"SELECT count(*) FROM users u WHERE u.org = ? AND " + l.Total.SQL
//	"SELECT u.id, u.seq, " + l.Key + " FROM users u WHERE u.org = ? AND " + l.Page.SQL
type List struct {
	// Total is the condition of the filter alone.
	Total Clause

	// Page is also the position, the order, and a LIMIT of one more than the
	// query's Count: if that one comes, it is not of the page, and the page's
	// Last is the Keyset of the resource before it.
	Page Clause

	// Key is an expression to select for Keyset: the value that the list is
	// sorted by, NULL if the resource has none.
	Key string

	leaf *scim.Attribute // what is sorted by; nil: the order of creation
}

// List compiles the filter, order and position of q (RFC 7644 §3.4.2, RFC 9865
// §2); before is as for [Compiler.Where]. The order is that of [scim.Query]. An
// error is as that of Where, or of type invalidPath if the attribute to sort by
// has no column, or many values.
func (c *Compiler) List(q scim.Query, before ...any) (List, error) {
	if c.t.Seq == "" {
		return List{}, errors.New("sqlfilter: a list needs the Seq of its Table")
	}
	where, err := c.Where(q.Filter, before...)
	if err != nil {
		return List{}, err
	}
	l := List{Total: where, Key: "NULL"}
	b := builder{c: c, args: where.Args[:len(where.Args):len(where.Args)]}
	seq, greater, direction := whole(c.t.Seq), " > ", ""
	if q.Descending && q.SortBy != nil {
		greater, direction = " < ", " DESC"
	}
	sql, order := where.SQL, seq+direction
	if q.SortBy == nil {
		if q.After != nil {
			sql += " AND " + seq + greater + b.bind(q.After.Seq)
		}
	} else {
		col, ok := c.columns[q.SortBy.String()]
		if !ok || q.SortBy.Attr.MultiValued {
			return List{}, scim.Errorf(scim.TypeInvalidPath, "sortBy %q: this service does not sort by it (RFC 7644 §3.4.2.3)", q.SortBy)
		}
		key := col.SQL
		if col.Sort != "" {
			key = col.Sort
		}
		l.leaf, l.Key = q.SortBy.Leaf(), key
		if col.Kind == KindText {
			key = c.ordered(key)
		}
		order = key + " IS NULL" + direction + ", " + key + direction + ", " + order
		if q.After != nil {
			sql += " AND " + b.after(q, col.Kind, key, seq+greater, greater)
		}
	}
	skip := 0
	if q.After == nil {
		skip = max(q.StartIndex-1, 0)
	}
	count := min(max(q.Count, 0), math.MaxInt-1)
	sql += " ORDER BY " + order + " LIMIT " + strconv.Itoa(count+1) + " OFFSET " + strconv.Itoa(skip)
	l.Page = Clause{sql, b.args}
	return l, nil
}

// after says that a row comes after q's position. Rows without a key are the
// last of all ascending and the first descending.
func (b *builder) after(q scim.Query, k Kind, key, later, greater string) string {
	at := q.After
	switch {
	case at.Absent && q.Descending:
		return "(" + key + " IS NOT NULL OR " + later + b.bind(at.Seq) + ")"
	case at.Absent:
		return "(" + key + " IS NULL AND " + later + b.bind(at.Seq) + ")"
	}
	value := func() string {
		switch {
		case k == KindText:
			return b.bind(at.Text)
		case q.SortBy.Leaf().Type == scim.TypeDecimal:
			return b.number(k, at.Float)
		}
		return b.number(k, at.Int)
	}
	s := "(" + key + greater + value() + " OR (" + key + " = " + value() + " AND " + later + b.bind(at.Seq) + ")"
	if q.Descending {
		return s + ")"
	}
	return s + " OR " + key + " IS NULL)"
}

// Keyset returns the position of a resource, from the values that the database
// gave for Key and Seq (RFC 9865 §2).
func (l List) Keyset(key any, seq int64) *scim.Keyset {
	k := &scim.Keyset{Seq: seq, Absent: l.leaf != nil && key == nil}
	decimal := l.leaf != nil && l.leaf.Type == scim.TypeDecimal
	switch v := key.(type) {
	case string:
		k.Text = v
	case []byte:
		k.Text = string(v)
	case bool:
		if v {
			k.Int = 1
		}
	case int64:
		if k.Int = v; decimal {
			k.Int, k.Float = 0, float64(v)
		}
	case float64:
		k.Float = v
	case time.Time:
		k.Int = scim.Instant(v)
	}
	return k
}
