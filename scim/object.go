package scim

import (
	"bytes"
	"encoding/base64"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// Object is an ordered set of attribute values (RFC 7643 §2). In a decoded
// resource, names are in the schema's own spelling and order: package schema
// puts them so on the way in, and nothing folds case after it. Values are
// string, bool, int64, float64, DateTime, []byte, Object, []any or, for a
// Membership attribute, []MemberRef; an unassigned attribute is absent (§2.5).
//
// In a parsed but undecoded message the values are those of JSON: string,
// bool, json.Number, nil, Object and []any.
type Object []Member

// Member is one name and its value.
type Member struct {
	Name  string
	Value any
}

// DateTime is an instant and the text the client wrote it in (RFC 7643 §2.3.5).
// Comparisons use the instant, answers the text.
type DateTime struct {
	Time time.Time
	Text string
}

// Get returns the value of name, or nil.
func (o Object) Get(name string) any {
	for i := range o {
		if o[i].Name == name {
			return o[i].Value
		}
	}
	return nil
}

// Set assigns name, in place if it is there, else at the end. A nil value
// removes it.
func (o *Object) Set(name string, value any) {
	i := slices.IndexFunc(*o, func(m Member) bool { return m.Name == name })
	switch {
	case value == nil && i >= 0:
		*o = slices.Delete(*o, i, i+1)
	case value == nil:
	case i >= 0:
		(*o)[i].Value = value
	default:
		*o = append(*o, Member{name, value})
	}
}

// Clone returns a deep copy of a value of an Object, or of an Object.
func Clone[T any](v T) T {
	c, _ := clone(v).(T)
	return c
}

func clone(v any) any {
	switch v := v.(type) {
	case Object:
		if v == nil {
			return v
		}
		c := make(Object, len(v))
		for i, m := range v {
			c[i] = Member{m.Name, clone(m.Value)}
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i := range v {
			c[i] = clone(v[i])
		}
		return c
	case []MemberRef:
		return slices.Clone(v)
	case []byte:
		return bytes.Clone(v)
	}
	return v
}

// Equal reports whether two values of Objects are the same state (RFC 7643
// §2.3.8, §2.4): the order of an Object's members and of a MemberRef list means
// nothing, that of an array is kept. DateTimes are equal if their texts are.
func Equal(a, b any) bool {
	switch a := a.(type) {
	case Object:
		b, ok := b.(Object)
		if !ok || len(a) != len(b) {
			return false
		}
		for i, m := range a {
			if b[i].Name == m.Name && Equal(m.Value, b[i].Value) {
				continue
			}
			if other := b.Get(m.Name); other == nil || !Equal(m.Value, other) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, Equal)
	case []MemberRef:
		b, ok := b.([]MemberRef)
		if !ok || len(a) != len(b) {
			return false
		}
		in := make(map[string]bool, len(a))
		for _, m := range a {
			in[m.ID] = true
		}
		return !slices.ContainsFunc(b, func(m MemberRef) bool { return !in[m.ID] })
	case []byte:
		b, ok := b.([]byte)
		return ok && bytes.Equal(a, b)
	case DateTime:
		b, ok := b.(DateTime)
		return ok && a.Text == b.Text
	}
	switch b.(type) {
	case Object, []any, []MemberRef, []byte, DateTime:
		return false
	}
	return a == b
}

// AppendJSON appends the object as JSON, members in their order.
func (o Object) AppendJSON(b []byte) []byte {
	b = append(b, '{')
	b = o.AppendMembers(b)
	return append(b, '}')
}

// AppendMembers appends the members as JSON without the outer braces.
func (o Object) AppendMembers(b []byte) []byte {
	for i := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendString(b, o[i].Name)
		b = append(b, ':')
		b = AppendValue(b, o[i].Value)
	}
	return b
}

// MarshalJSON returns the object as JSON, members in their order.
func (o Object) MarshalJSON() ([]byte, error) { return o.AppendJSON(nil), nil }

// AppendValue appends a value of an Object as JSON. Values of other types are
// a programming error and become null.
func AppendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return AppendString(b, v)
	case bool:
		return strconv.AppendBool(b, v)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case float64:
		return AppendNumber(b, v)
	case DateTime:
		return AppendString(b, v.Text)
	case []byte:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, v)
		return append(b, '"')
	case Object:
		return v.AppendJSON(b)
	case []any:
		b = append(b, '[')
		for i := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = AppendValue(b, v[i])
		}
		return append(b, ']')
	case []string:
		b = append(b, '[')
		for i := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = AppendString(b, v[i])
		}
		return append(b, ']')
	case []MemberRef:
		b = append(b, '[')
		for i, m := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, `{"value":`...)
			b = AppendString(b, m.ID)
			if m.Type != "" {
				b = append(b, `,"type":`...)
				b = AppendString(b, m.Type)
			}
			b = append(b, '}')
		}
		return append(b, ']')
	case interface{ String() string }: // json.Number
		return append(b, v.String()...)
	}
	return append(b, "null"...)
}

// AppendNumber appends a decimal (RFC 7643 §2.3.3): the shortest text that
// reads back as the same number, always with a fraction or an exponent.
func AppendNumber(b []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(b, "null"...)
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	n := len(b)
	b = strconv.AppendFloat(b, f, format, -1, 64)
	if !bytes.ContainsAny(b[n:], ".e") {
		b = append(b, ".0"...)
	}
	return b
}

// AppendString appends s as a JSON string (RFC 8259 §7). Only what must be
// escaped is; invalid UTF-8 becomes U+FFFD.
func AppendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(b, s[start:i]...)
				b = append(b, "\ufffd"...)
				start = i + 1
			}
			i += n
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}
