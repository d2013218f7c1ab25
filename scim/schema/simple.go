package schema

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"golang.org/x/text/secure/precis"

	"github.com/rollcall-scim/rollcall/scim"
)

// simple decodes one value of a simple type (RFC 7643 §2.3), or returns nil
// for none and for a fault, which is then noted.
func (d *decoder) simple(a *scim.Attribute, path string, v any) any {
	if v = d.unwrap(v); v == nil {
		return nil
	}
	if d.absent(a, v) {
		return nil
	}
	if v == "" && (!a.Required || d.OwnRequired) && d.EmptyUnassigns {
		d.report("BODY-02")
		return nil
	}
	var value any
	var want string
	switch a.Type {
	case scim.TypeBoolean:
		value, want = d.boolean(v), "true or false is expected (RFC 7643 §2.3.2)"
	case scim.TypeInteger:
		value, want = integer(v), "an integer of 64 bits without fraction or exponent is expected (RFC 7643 §2.3.4)"
	case scim.TypeDecimal:
		value, want = decimal(v), "a number is expected (RFC 7643 §2.3.3)"
	case scim.TypeDateTime:
		value, want = dateTime(v), "a date and time as \"2008-01-23T04:56:22Z\" is expected (RFC 7643 §2.3.5)"
	case scim.TypeBinary:
		value, want = binary(v), "base64 is expected (RFC 7643 §2.3.6)"
	default:
		value, want = text(a, v)
	}
	if value == nil {
		d.faults.add(scim.TypeInvalidValue, path, "%s", want)
	}
	return value
}

// unwrap takes a simple value out of an array of one, or out of an object.
func (d *decoder) unwrap(v any) any {
	inner := v
	switch v := v.(type) {
	case []any:
		if len(v) == 0 {
			return nil // RFC 7643 §2.5
		}
		if len(v) == 1 {
			inner = v[0]
		}
		if o, ok := inner.(scim.Object); ok {
			value, has := o.Lookup("value")
			if !has {
				return v // it says something else than a value, or than none
			}
			inner = value
		}
	case scim.Object:
		if value, ok := v.Lookup("value"); ok {
			inner = value
		}
	default:
		return v
	}
	switch inner.(type) {
	case []any, scim.Object:
		return v
	}
	if !d.UnwrapSingles {
		return v
	}
	d.report("PATCH-18")
	return inner
}

func (d *decoder) boolean(v any) any {
	switch v := v.(type) {
	case bool:
		return v
	case string:
		if !d.StringBooleans {
			return nil
		}
		for _, b := range []bool{true, false} {
			if strings.EqualFold(v, strconv.FormatBool(b)) {
				d.rule("PATCH-09", "BODY-01")
				return b
			}
		}
	}
	return nil
}

func integer(v any) any {
	n, _ := v.(json.Number)
	i, err := strconv.ParseInt(n.String(), 10, 64)
	if err != nil {
		return nil
	}
	return i
}

func decimal(v any) any {
	n, ok := v.(json.Number)
	if !ok {
		return nil
	}
	f, err := n.Float64()
	if err != nil || math.IsInf(f, 0) {
		return nil
	}
	return f
}

func dateTime(v any) any {
	s, _ := v.(string)
	t, ok := scim.ParseDateTime(s)
	if !ok {
		return nil
	}
	return t
}

// binary accepts base64 with and without padding (RFC 7643 §2.3.6).
func binary(v any) any {
	s, ok := v.(string)
	if !ok || strings.ContainsAny(s, "\r\n") { // which package base64 skips
		return nil
	}
	encoding := base64.StdEncoding
	if len(s)%4 != 0 {
		encoding = base64.RawStdEncoding
	}
	data, err := encoding.DecodeString(s)
	if err != nil {
		return nil
	}
	return data
}

// text decodes a string or reference. A password is kept in its prepared form
// (RFC 8265 §4), since it is never shown again.
func text(a *scim.Attribute, v any) (any, string) {
	s, ok := v.(string)
	switch {
	case !ok:
		return nil, "a string is expected (RFC 7643 §2.3.1)"
	case a.Precis == scim.PrecisOpaque && s != "":
		prepared, err := precis.OpaqueString.String(s)
		if err != nil {
			return nil, "characters are not allowed that nobody can type (RFC 8265 §4.2)"
		}
		return prepared, ""
	}
	return s, ""
}
