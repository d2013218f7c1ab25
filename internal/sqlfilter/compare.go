package sqlfilter

import (
	"unicode/utf8"

	"github.com/rollcall-scim/rollcall/scim"
)

// column is where the values of an attribute are: SQL expressions that are
// never NULL where the row is there.
type column struct {
	text string // compared as bytes
	long string // the whole text where text is cut, else NULL; "" if text never is
	num  string // for numbers, booleans and instants
}

func attrsColumn(alias string) column {
	return column{alias + ".text", alias + ".long", alias + ".num"}
}

// whole is the text, however long.
func (c column) whole() string {
	if c.long == "" {
		return c.text
	}
	return "coalesce(" + c.long + ", " + c.text + ")"
}

// short is a length at which a text can't be taken for the beginning of one
// that SortText has cut: that has at most three bytes less than SortLength.
const short = scim.SortLength - 4

const (
	always = "TRUE"
	never  = "FALSE"
)

func numeric(a *scim.Attribute) bool {
	switch a.Type {
	case scim.TypeBoolean, scim.TypeInteger, scim.TypeDecimal, scim.TypeDateTime:
		return true
	}
	return false
}

var sqlOperators = map[scim.CompareOp]string{scim.Eq: " = ", scim.Ne: " <> ", scim.Gt: " > ", scim.Ge: " >= ", scim.Lt: " < ", scim.Le: " <= "}

// holds is [scim.Key.Holds] in SQL, of the value in c: pr, or a comparison with
// an operand that is not null.
//
// A value is longer than its text only where that has more than short bytes,
// so a short operand is compared with text alone, which is indexed. For a
// longer one, text narrows the search and the whole value decides.
func (b *builder) holds(c column, leaf *scim.Attribute, op scim.CompareOp, operand any) string {
	if op == scim.Pr {
		return c.text + " <> ''"
	}
	key := scim.KeyOf(leaf, operand)
	if numeric(leaf) {
		return c.num + sqlOperators[op] + b.bind(key.Num)
	}
	v, whole := key.Text, c.whole()
	cut := c.long != "" && len(v) > short
	switch op {
	case scim.Eq:
		if cut {
			return c.text + " = " + b.bind(scim.SortText(v)) + " AND " + whole + " = " + b.bind(v)
		}
	case scim.Ne:
		if cut {
			return whole + " <> " + b.bind(v)
		}
	case scim.Gt, scim.Ge:
		if cut {
			return c.text + " >= " + b.bind(cutAt(v, short)) + " AND " + whole + sqlOperators[op] + b.bind(v)
		}
	case scim.Lt, scim.Le:
		if cut {
			return c.text + sqlOperators[op] + b.bind(v) + " AND " + whole + sqlOperators[op] + b.bind(v)
		}
	case scim.Co:
		if v == "" {
			return always
		}
		return b.o.Dialect.Contains(c.text, c.long, v, b.bind)
	case scim.Ew:
		if v == "" {
			return always
		}
		return b.o.Dialect.HasSuffix(c.text, c.long, v, b.bind)
	case scim.Sw:
		if v == "" {
			return always
		}
		if cut {
			return c.text + " >= " + b.bind(cutAt(v, short)) + " AND " + b.prefix(whole, v)
		}
		return b.prefix(c.text, v)
	}
	return c.text + sqlOperators[op] + b.bind(v)
}

// prefix compiles "text begins with v" to a range, so that an index serves it.
func (b *builder) prefix(text, v string) string {
	s := text + " >= " + b.bind(v)
	if end := successor(v); end != "" {
		s += " AND " + text + " < " + b.bind(end)
	}
	return s
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

// cutAt cuts s to at most n bytes, between characters.
func cutAt(s string, n int) string {
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// meets is holds for a value that is known already, such as the name of a type:
// it evaluates a bound filter about a simple value.
func meets(f scim.Filter, leaf *scim.Attribute, value string) bool {
	switch f := f.(type) {
	case *scim.LogExp:
		if f.Op == scim.Or {
			return meets(f.Left, leaf, value) || meets(f.Right, leaf, value)
		}
		return meets(f.Left, leaf, value) && meets(f.Right, leaf, value)
	case *scim.NotExp:
		return !meets(f.Filter, leaf, value)
	case *scim.AttrExp:
		if presence(f) {
			return f.Op != scim.Eq
		}
		return scim.KeyOf(leaf, value).Holds(f.Op, scim.KeyOf(leaf, f.Value))
	}
	return false
}

// presence reports whether f asks for presence alone: pr, eq null or ne null
// (RFC 7643 §2.5).
func presence(f *scim.AttrExp) bool { return f.Op == scim.Pr || f.Value == nil }
