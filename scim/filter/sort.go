package filter

import (
	"cmp"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// SortKey returns the value by which r is ordered under the bound sortBy p, its
// text cut by [scim.SortText], or false if r has none (RFC 7644 §3.4.2.3). Of
// several values it is that of the primary one, or else the first.
func SortKey(r *scim.Resource, p *scim.AttrPath) (scim.Key, bool) {
	var first any
	for e := range elements(valueOf(r, *p)) {
		for v := range elements(leaf(e, *p, true)) {
			if isPrimary(e) {
				return sortKey(p, v), true
			}
			if first == nil {
				first = v
			}
		}
	}
	if first == nil {
		return scim.Key{}, false
	}
	return sortKey(p, first), true
}

func sortKey(p *scim.AttrPath, v any) scim.Key {
	k := scim.KeyOf(p.Leaf(), v)
	k.Text = scim.SortText(k.Text)
	return k
}

func isPrimary(e any) bool {
	o, ok := e.(scim.Object)
	return ok && o.Get("primary") == true
}

// Position returns the place of a resource in a list sorted by p, nil for the
// order of creation, in which seq is its number (RFC 9865 §2).
func Position(r *scim.Resource, seq int64, p *scim.AttrPath) scim.Keyset {
	k := scim.Keyset{Seq: seq, ID: r.ID}
	if p == nil {
		return k
	}
	key, ok := SortKey(r, p)
	k.Absent = !ok
	switch n := key.Num.(type) {
	case int64:
		k.Int = n
	case float64:
		k.Float = n
	default:
		k.Text = key.Text
	}
	return k
}

// Compare compares two positions in a list sorted by p, ascending (RFC 7644
// §3.4.2.3): -1, 0 or +1. A list in descending order is exactly the reverse.
func Compare(a, b scim.Keyset, p *scim.AttrPath) int {
	if p == nil {
		return cmp.Compare(a.Seq, b.Seq)
	}
	return cmp.Or(
		compareBool(a.Absent, b.Absent),
		strings.Compare(a.Text, b.Text),
		cmp.Compare(a.Int, b.Int),
		cmp.Compare(a.Float, b.Float),
		cmp.Compare(a.Seq, b.Seq),
	)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
