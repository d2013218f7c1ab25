package scim

import (
	"cmp"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// Fold returns the form in which two strings of the attribute are compared:
// the one case rule of this module, used by filters, sorting, uniqueness and
// index rows alike. It is NFC; without caseExact also Unicode full case
// folding, independent of any locale (RFC 7643 §2.2, RFC 7644 §7.8); and for
// userName also width mapping, as in RFC 8265 §3.3.
func Fold(a *Attribute, s string) string {
	exact := a.CaseExact || a.Type == TypeReference
	if ascii(s) {
		if exact {
			return s
		}
		return strings.ToLower(s)
	}
	if a.Precis == PrecisUsername {
		s = width.Fold.String(s)
	}
	s = norm.NFC.String(s)
	if exact {
		return s
	}
	return norm.NFC.String(cases.Fold().String(s))
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// Key is the comparable form of one value, the same for every backend: values
// of type string, reference and binary compare by Text, byte by byte; those of
// type boolean (0 and 1), integer, decimal and dateTime (microseconds since
// 1970, UTC) by Num, which is an int64 or a float64 and else nil. Text is
// empty only for an empty string, so that "pr" is Text != "" for every type.
type Key struct {
	Text string
	Num  any
}

// KeyOf returns the Key of v, a value of the attribute (or an operand that a
// filter compares with it): string, bool, int64, float64, DateTime or []byte.
func KeyOf(a *Attribute, v any) Key {
	switch v := v.(type) {
	case string:
		return Key{Text: Fold(a, v)}
	case bool:
		if v {
			return Key{"true", int64(1)}
		}
		return Key{"false", int64(0)}
	case int64:
		return Key{strconv.FormatInt(v, 10), v}
	case float64:
		return Key{string(AppendNumber(nil, v)), v}
	case DateTime:
		return Key{v.Text, Instant(v.Time)}
	case []byte:
		return Key{Text: base64.StdEncoding.EncodeToString(v)}
	}
	return Key{}
}

// Instant returns t as the number by which dateTimes compare: microseconds
// since 1970, UTC.
func Instant(t time.Time) int64 { return t.UnixMicro() }

// Compare compares two keys of values of one attribute: -1, 0 or +1.
func (k Key) Compare(other Key) int {
	switch a := k.Num.(type) {
	case int64:
		switch b := other.Num.(type) {
		case int64:
			return cmp.Compare(a, b)
		case float64:
			return -compareMixed(b, a)
		}
	case float64:
		switch b := other.Num.(type) {
		case int64:
			return compareMixed(a, b)
		case float64:
			return cmp.Compare(a, b)
		}
	}
	return strings.Compare(k.Text, other.Text)
}

// Holds reports whether "value op operand" is true of two keys of one attribute
// (RFC 7644 §3.4.2.2, Table 3): the one rule of comparison of this module, for
// values that are present. Pr looks at k alone.
func (k Key) Holds(op CompareOp, operand Key) bool {
	switch op {
	case Eq:
		return k.Compare(operand) == 0
	case Ne:
		return k.Compare(operand) != 0
	case Gt:
		return k.Compare(operand) > 0
	case Ge:
		return k.Compare(operand) >= 0
	case Lt:
		return k.Compare(operand) < 0
	case Le:
		return k.Compare(operand) <= 0
	case Co:
		return strings.Contains(k.Text, operand.Text)
	case Sw:
		return strings.HasPrefix(k.Text, operand.Text)
	case Ew:
		return strings.HasSuffix(k.Text, operand.Text)
	case Pr:
		return k.Text != ""
	}
	return false
}

// compareMixed compares a float64 with an int64 exactly, as SQLite does: a
// conversion of the int64 would round above 2^53.
func compareMixed(f float64, i int64) int {
	const two63 = 9223372036854775808.0
	switch {
	case f >= two63:
		return 1
	case f < -two63:
		return -1
	}
	whole := int64(f)
	if c := cmp.Compare(whole, i); c != 0 {
		return c
	}
	return cmp.Compare(f-float64(whole), 0)
}

// SortLength is how many bytes of a text take part in sorting. Longer texts
// that agree so far are ordered by the tie-breaker.
const SortLength = 256

// SortText cuts a folded text to at most SortLength bytes, between characters.
func SortText(text string) string {
	if len(text) <= SortLength {
		return text
	}
	n := SortLength
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
