// Package changelog says what the SQL backends write into their change logs
// ([scim.ChangeFeed]), and in which form.
package changelog

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/rollcall-scim/rollcall/scim"
)

// MostListed bounds the members that one record names. Those beyond are still
// found by person.
const MostListed = 100_000

// Encode returns deltas as the JSON that a row of the log holds.
func Encode(deltas []scim.RecordDelta) []byte {
	b := []byte(`{"deltas":[`)
	for i, d := range deltas {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '[')
		b = scim.AppendString(b, d.Path)
		b = append(b, ',')
		b = scim.AppendValue(b, orEmpty(d.Added))
		b = append(b, ',')
		b = scim.AppendValue(b, orEmpty(d.Removed))
		b = append(b, ']')
	}
	return append(b, "]}"...)
}

func orEmpty(list []any) []any {
	if list == nil {
		return []any{}
	}
	return list
}

// Decode is the inverse of Encode.
func Decode(data []byte) ([]scim.RecordDelta, error) {
	o, err := scim.ParseObject(data, 0, 0)
	if err != nil {
		return nil, fmt.Errorf("change log: %w", err)
	}
	list, _ := o.Get("deltas").([]any)
	var deltas []scim.RecordDelta
	for _, v := range list {
		parts, _ := v.([]any)
		if len(parts) != 3 {
			return nil, fmt.Errorf("change log: a delta of %d parts", len(parts))
		}
		var d scim.RecordDelta
		d.Path, _ = parts[0].(string)
		d.Added, d.Removed = plain(parts[1]), plain(parts[2])
		deltas = append(deltas, d)
	}
	return deltas, nil
}

// plain gives the numbers of a parsed list the types of attribute values.
func plain(v any) []any {
	list, _ := v.([]any)
	for i := range list {
		list[i] = plainValue(list[i])
	}
	if len(list) == 0 {
		return nil
	}
	return list
}

func plainValue(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	case scim.Object:
		for i := range v {
			v[i].Value = plainValue(v[i].Value)
		}
	case []any:
		for i := range v {
			v[i] = plainValue(v[i])
		}
	}
	return v
}
