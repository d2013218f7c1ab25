package sqlfilter

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rollcall-scim/rollcall/scim"
)

var operators = map[scim.CompareOp]string{scim.Eq: " = ", scim.Ne: " <> ", scim.Gt: " > ", scim.Ge: " >= ", scim.Lt: " < ", scim.Le: " <= "}

// holds is [scim.Key.Holds] in SQL, of a value that is there.
func (b *builder) holds(c Column, f *scim.AttrExp) string {
	key := scim.KeyOf(f.Path.Leaf(), f.Value)
	if c.Kind == KindText {
		return b.text(c, f.Op, key.Text)
	}
	if operators[f.Op] == "" {
		return b.refuse(f.Path, "it is no text, and can't be compared with "+string(f.Op))
	}
	op := f.Op
	if n, ok := key.Num.(float64); ok && f.Path.Leaf().Type == scim.TypeInteger {
		// No integer equals it: it lies between two, or beyond all of them.
		var whole bool
		if op, whole = between(op, n); !whole {
			return constant(op == scim.Ne)
		}
		key.Num = int64(math.Floor(n))
	}
	return c.SQL + operators[op] + b.number(c.Kind, key.Num)
}

// between turns a comparison of integers with a number that is none into one
// with the integer below it. If there is no such, or none is needed, it reports
// false, and Ne if all integers satisfy the comparison or Eq if none does.
func between(op scim.CompareOp, n float64) (scim.CompareOp, bool) {
	above := op == scim.Gt || op == scim.Ge
	switch {
	case op == scim.Eq, op == scim.Ne:
		return op, false
	case n >= 1<<63 && above, n < -1<<63 && !above:
		return scim.Eq, false
	case n >= 1<<63, n < -1<<63:
		return scim.Ne, false
	case above:
		return scim.Gt, true
	}
	return scim.Le, true
}

// number binds the Num of a Key and returns its placeholder.
func (b *builder) number(k Kind, num any) string {
	if b.c.t.Dialect != PostgreSQL {
		return b.bind(num)
	}
	n, whole := num.(int64)
	switch {
	case k == KindBool:
		return b.bind(n != 0)
	case k == KindTime:
		return b.bind(time.UnixMicro(n).UTC())
	case whole: // by itself it would take the column's type, which may be smaller
		return b.bind(n) + "::bigint"
	}
	return b.bind(num) + "::double precision"
}

// ordered is a text that compares byte by byte.
func (c *Compiler) ordered(sql string) string {
	if c.t.Dialect == PostgreSQL {
		return sql + ` COLLATE "C"`
	}
	return sql + " COLLATE BINARY"
}

// text compares a text with v, which is folded.
func (b *builder) text(c Column, op scim.CompareOp, v string) string {
	postgres := b.c.t.Dialect == PostgreSQL
	if postgres && strings.Contains(v, "\x00") {
		// No text of PostgreSQL has this character, and no argument may. What
		// comes before it decides: all texts that begin with that are greater
		// than v, but for that itself.
		switch v = v[:strings.IndexByte(v, 0)]; op {
		case scim.Gt, scim.Ge:
			op = scim.Gt
		case scim.Lt, scim.Le:
			op = scim.Le
		default:
			return constant(op == scim.Ne)
		}
	}
	switch {
	case v == "" && (op == scim.Co || op == scim.Sw || op == scim.Ew):
		return always
	case op == scim.Co && postgres:
		return "strpos(" + c.SQL + ", " + b.bind(v) + ") > 0"
	case op == scim.Co:
		return "instr(" + c.SQL + ", " + b.bind(v) + ") > 0"
	case op == scim.Ew && postgres:
		return "right(" + c.SQL + ", " + strconv.Itoa(utf8.RuneCountInString(v)) + ") = " + b.bind(v)
	case op == scim.Ew: // of a text, substr would count characters, and stop at U+0000; of no bytes it is NULL
		return "coalesce(substr(CAST(" + c.SQL + " AS BLOB), " + strconv.Itoa(-len(v)) + ") = " + b.bind([]byte(v)) + ", FALSE)"
	case op == scim.Sw: // as a range, which an index serves
		s := b.c.ordered(c.SQL)
		sql := s + " >= " + b.bind(v)
		if end := successor(v); end != "" {
			sql += " AND " + s + " < " + b.bind(end)
		}
		return sql
	case postgres && (op == scim.Eq || op == scim.Ne): // an index in the column's own collation serves
		return c.SQL + operators[op] + b.bind(v)
	}
	return b.c.ordered(c.SQL) + operators[op] + b.bind(v)
}

// successor returns the least text that is greater than every one that begins
// with s, or "" if there is none. The bytes of UTF-8 sort as its characters do.
func successor(s string) string {
	for len(s) > 0 {
		r, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
		switch {
		case r == 0xD7FF:
			return s + "\uE000" // over the surrogates
		case r < utf8.MaxRune:
			return s + string(r+1)
		}
	}
	return ""
}
