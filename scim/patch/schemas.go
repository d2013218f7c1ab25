package patch

import (
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

// isSchemas reports whether the path is the attribute "schemas" (RFC 7643 §3).
func isSchemas(p scim.Path) bool { return p.URN == "" && p.Name == "schemas" }

// urns decodes a value of "schemas": the type's own URNs in their spelling.
func (d *decoder) urns(raw any) (any, error) {
	list, ok := raw.([]any)
	if !ok {
		list = []any{raw}
	}
	out := make([]any, 0, len(list))
	for _, v := range list {
		urn, _ := v.(string)
		x := d.t.Extension(urn)
		switch {
		case x != nil:
			out = append(out, x.ID)
		case strings.EqualFold(urn, d.t.Schema.ID):
			out = append(out, d.t.Schema.ID)
		case d.o.Values.AnySchemas && urn != "" && !standard(urn):
			d.o.report("BODY-03")
		default:
			return nil, scim.Errorf(scim.TypeInvalidValue, "%q is no schema of %s (RFC 7643 §3)", cut(urn), d.t.Name)
		}
	}
	return out, nil
}

// schemas carries out an operation on "schemas": an extension that is taken
// out loses its attributes, and one put in stays empty until it has some
// (RFC 7644 §3.5.2, "schemas").
func (s *state) schemas(op Op) error {
	if op.Op == Add {
		return nil
	}
	listed, _ := op.Value.([]any)
	gone := func(urn string) bool {
		switch {
		case op.Op == Replace:
			return !slices.Contains(listed, any(urn))
		case op.Path.Filter != nil:
			return filter.MatchValue(op.Path.Filter, urn)
		case op.Value != nil:
			return slices.Contains(listed, any(urn))
		}
		return true
	}
	if gone(s.t.Schema.ID) {
		if op.Op == Replace {
			return scim.Errorf(scim.TypeInvalidValue, "%q must stay (RFC 7643 §3)", s.t.Schema.ID)
		}
		return scim.Errorf(scim.TypeMutability, "%q must stay (RFC 7643 §3)", s.t.Schema.ID)
	}
	for _, x := range s.t.Extensions {
		if gone(x.Schema.ID) {
			if err := s.drop(x.Schema); err != nil {
				return err
			}
		}
	}
	return nil
}

// extension carries out an operation on a whole extension; one that assigns
// attributes was taken apart when it was decoded.
func (s *state) extension(op Op) error {
	if op.Op == Add {
		return nil
	}
	return s.drop(s.t.Extension(op.Path.URN))
}

// drop removes an extension's attributes. Those that are readOnly stay, for
// they were never the client's.
func (s *state) drop(x *scim.Schema) error {
	object, _ := s.attrs.Get(x.ID).(scim.Object)
	var kept scim.Object
	for _, m := range object {
		a := x.Attribute(m.Name)
		if a.Mutability == scim.ReadOnly {
			kept = append(kept, m)
		} else if name := fixed(a, m.Value); name != "" {
			return immutable(name)
		}
	}
	s.attrs = with(s.attrs, x.ID, nil, s.order)
	if kept != nil {
		s.attrs = with(s.attrs, x.ID, kept, s.order)
	}
	return nil
}
