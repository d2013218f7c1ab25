package facade

import (
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// weaken returns a filter that holds for every resource for which f does and
// that names nothing that lists lack, and whether it is f itself. nil holds for
// all. negated: it is "not f" that is to be weakened.
func weaken(f scim.Filter, lacks func(scim.AttrPath) bool, negated bool) (scim.Filter, bool) {
	switch e := f.(type) {
	case *scim.AttrExp:
		return leaf(f, e.Path, lacks, negated)
	case *scim.ValuePath:
		return leaf(f, e.Path, lacks, negated)
	case *scim.NotExp:
		return weaken(e.Filter, lacks, !negated)
	case *scim.LogExp:
		l, exactL := weaken(e.Left, lacks, negated)
		r, exactR := weaken(e.Right, lacks, negated)
		op := strings.ToLower(e.Op)
		if negated {
			op = map[string]string{scim.And: scim.Or, scim.Or: scim.And}[op]
		}
		exact := exactL && exactR
		switch {
		case l != nil && r != nil:
			return &scim.LogExp{Op: op, Left: l, Right: r}, exact
		case op == scim.Or:
			return nil, exact
		case l == nil:
			return r, exact
		}
		return l, exact
	}
	return nil, true
}

func leaf(f scim.Filter, p scim.AttrPath, lacks func(scim.AttrPath) bool, negated bool) (scim.Filter, bool) {
	switch {
	case p.Attr != nil && lacks(p):
		return nil, false
	case negated:
		return &scim.NotExp{Filter: f}, true
	}
	return f, true
}
