package filter

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// operand checks that the type of the path's leaf has the operator, and gives
// the literal that type (RFC 7644 §3.4.2.2, Table 3; RFC 7643 §2.3). Errors
// do not repeat the literal.
func operand(p scim.AttrPath, op scim.CompareOp, literal any, o Options) (any, error) {
	leaf := p.Leaf()
	if allowed := operatorsOf(leaf.Type); !strings.Contains(allowed, string(op)) {
		return nil, invalid("%q is of type %s, which can be compared with %s only, not with %s (RFC 7644 §3.4.2.2)", p, leaf.Type, allowed, op)
	}
	wrong := func(expected string) (any, error) {
		return nil, invalid("%q is of type %s: the value after %s must be %s (RFC 7643 §2.3)", p, leaf.Type, op, expected)
	}
	text, isText := literal.(string)
	switch leaf.Type {
	case scim.TypeBoolean:
		if b, ok := literal.(bool); ok {
			return b, nil
		}
		if strings.EqualFold(text, "true") || strings.EqualFold(text, "false") {
			o.report("QRY-09")
			return strings.EqualFold(text, "true"), nil
		}
		return wrong("true or false")
	case scim.TypeInteger, scim.TypeDecimal:
		n, ok := literal.(json.Number)
		if !ok {
			return wrong("a number without quotes")
		}
		v, ok := numeral(n.String(), leaf.Type)
		if !ok {
			return wrong("a number that fits 64 bits")
		}
		return v, nil
	case scim.TypeDateTime:
		if v, ok := scim.ParseDateTime(text); ok {
			return v, nil
		}
		return wrong(`a dateTime in double quotes, as in "2026-01-31T12:00:00Z"`)
	case scim.TypeBinary:
		if v, ok := binary(text); ok && isText {
			return v, nil
		}
		return wrong("base64 in double quotes (RFC 4648 §4)")
	}
	if !isText {
		return wrong("a string in double quotes")
	}
	if p.Attr == meta && p.Sub == "version" {
		// The version is shown as a weak entity tag (RFC 7644 §3.14).
		if tag, ok := strings.CutPrefix(text, `W/"`); ok && strings.HasSuffix(tag, `"`) {
			text = tag[:len(tag)-1]
		}
	}
	return text, nil
}

// operatorsOf lists the operators of a data type, but for pr.
func operatorsOf(t scim.AttributeType) string {
	switch t {
	case scim.TypeBoolean, scim.TypeBinary:
		return "eq and ne"
	case scim.TypeInteger, scim.TypeDecimal, scim.TypeDateTime:
		return "eq, ne, gt, ge, lt and le"
	}
	return "eq, ne, co, sw, ew, gt, ge, lt and le"
}

// numeral reads a JSON number: for a decimal a float64; for an integer an
// int64 where it is whole, so that 5, 5.0 and 5e0 are equal.
func numeral(s string, t scim.AttributeType) (any, bool) {
	if t == scim.TypeInteger {
		whole := s
		if i := strings.IndexByte(s, '.'); i >= 0 && strings.Trim(s[i+1:], "0") == "" {
			whole = s[:i]
		}
		if n, err := strconv.ParseInt(whole, 10, 64); err == nil {
			return n, true
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil, false
	}
	if t == scim.TypeInteger && f == math.Trunc(f) && math.Abs(f) < 1<<63 {
		return int64(f), true
	}
	return f, true
}

// binary decodes base64 in either alphabet, padded or not.
func binary(s string) ([]byte, bool) {
	s = strings.TrimRight(s, "=")
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(s, "-_") {
		encoding = base64.RawURLEncoding
	}
	b, err := encoding.DecodeString(s)
	return b, err == nil
}
