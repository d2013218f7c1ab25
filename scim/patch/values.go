package patch

import (
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// emit decodes the value of the operation being read and appends an Op for the
// bound path; several where the value is taken apart.
func (d *decoder) emit(p scim.Path, raw any, has bool) error {
	whole := p.Attr != nil && p.Attr.MultiValued && p.Filter == nil && p.Sub == ""
	switch {
	case d.unstored(p):
		return nil
	case d.op == Remove && has && raw != nil && whole:
		return d.removal(p, raw)
	case d.op == Remove:
		d.append(p, nil)
		return nil
	case !has:
		return scim.Errorf(scim.TypeInvalidValue, "%q needs a \"value\" (RFC 7644 §3.5.2)", d.op)
	case raw == nil:
		d.append(p, nil)
		return nil
	case p.Attr != nil && schema.Absent(p.Leaf(), raw, d.o.Values):
		d.ops = append(d.ops, Op{Add, p, nil, d.index})
		return nil
	case isSchemas(p) && p.Filter != nil:
		return scim.Errorf(scim.TypeInvalidPath, "schemas can be added, removed or replaced, not edited (RFC 7644 §3.5.2)")
	case p.Attr == nil:
		return d.extension(d.t.Extension(p.URN), raw)
	case whole:
		list, err := d.list(p, raw)
		if err == nil {
			d.append(p, list)
		}
		return err
	case p.Filter != nil && p.Sub == "":
		v, err := d.element(p, raw)
		if err == nil {
			d.append(p, v)
		}
		return err
	}
	return d.single(p, raw)
}

func (d *decoder) append(p scim.Path, v any) { d.ops = append(d.ops, Op{d.op, p, v, d.index}) }

// removal reads the value of a remove that names a whole attribute. The RFC
// gives it no meaning, and to ignore it would remove far more than was meant.
func (d *decoder) removal(p scim.Path, raw any) error {
	if !d.o.RemoveByValue {
		return scim.Errorf(scim.TypeInvalidValue, `"remove" takes no "value": select what to remove in the path, `+
			`as in %s[value eq "…"] (RFC 7644 §3.5.2.2)`, p.Name)
	}
	d.o.report("GRP-01")
	if list, ok := raw.([]any); ok && len(list) == 0 {
		d.o.report("GRP-13")
	}
	list, err := d.list(p, raw)
	if err == nil {
		d.append(p, list)
	}
	return err
}

// list decodes the value of a whole multi-valued attribute; it is never nil.
func (d *decoder) list(p scim.Path, raw any) (any, error) {
	if isSchemas(p) {
		return d.urns(raw)
	}
	v, err := schema.Value(d.t, p.AttrPath, raw, d.o.Values)
	if err != nil {
		return nil, err
	}
	switch list := v.(type) {
	case []scim.MemberRef:
		return list, nil
	case []any:
		return list, onePrimary(list)
	}
	if p.Attr.Membership {
		if list, ok := raw.([]any); d.op == Replace && (!ok || len(list) > 0) {
			// What clients leave empty by mistake must not empty a group.
			return nil, scim.Errorf(scim.TypeInvalidValue, "no value has the id of a resource; no members are [] (RFC 7643 §4.2)")
		}
		return []scim.MemberRef{}, nil
	}
	return []any{}, nil
}

// onePrimary refuses a list with two primary values (RFC 7643 §2.4).
func onePrimary(list []any) error {
	found := false
	for _, v := range list {
		if !isPrimary(v) {
			continue
		}
		if found {
			return scim.Errorf(scim.TypeInvalidValue, "only one value may be primary (RFC 7643 §2.4)")
		}
		found = true
	}
	return nil
}

func isPrimary(v any) bool {
	o, _ := v.(scim.Object)
	primary, _ := o.Get("primary").(bool)
	return primary
}

// element decodes the value for the elements that a filter selects.
func (d *decoder) element(p scim.Path, raw any) (any, error) {
	if list, ok := raw.([]any); ok {
		if len(list) != 1 || !d.o.Values.UnwrapSingles {
			return nil, scim.Errorf(scim.TypeInvalidValue, "the value for what a filter selects must be one value, not an array (RFC 7644 §3.5.2.3)")
		}
		d.o.report("PATCH-18")
		raw = list[0]
	}
	if object, ok := raw.(scim.Object); ok && len(object) == 0 && d.op == Add {
		return nil, nil
	}
	v, err := schema.Value(d.t, scim.AttrPath{URN: p.URN, Name: p.Name, Attr: p.Attr}, []any{raw}, d.o.Values)
	if err != nil {
		return nil, err
	}
	switch list := v.(type) {
	case []any:
		if len(list) > 0 {
			return list[0], nil
		}
	case []scim.MemberRef:
		if len(list) > 0 {
			return list[0], nil
		}
	}
	return nil, scim.Errorf(scim.TypeInvalidValue, "the value assigns nothing; to remove values use \"remove\" (RFC 7644 §3.5.2.3)")
}

// single decodes the value of a single-valued attribute or a sub-attribute.
func (d *decoder) single(p scim.Path, raw any) error {
	v, err := schema.Value(d.t, p.AttrPath, raw, d.o.Values)
	if err != nil {
		return err
	}
	leaf := p.Leaf()
	if list, ok := raw.([]any); ok && len(list) == 1 {
		raw = list[0]
	}
	object, isObject := raw.(scim.Object)
	if leaf.Type != scim.TypeComplex || !isObject {
		if unassigned(v) {
			d.unassign(p)
		} else {
			d.append(p, v)
		}
		return nil
	}
	given, _ := v.(scim.Object)
	if len(given) > 0 {
		d.append(p, given)
	}
	// What the client named but gave no value is unassigned (RFC 7643 §2.5);
	// the rest of a complex attribute stays as it is (RFC 7644 §3.5.2.3).
	named := len(given) > 0
	for _, m := range object {
		sub := leaf.Sub(m.Name)
		if sub == nil || readOnly(sub) || derived(leaf, sub) || given.Get(sub.Name) != nil ||
			m.Value == nil && d.op == Add || schema.Absent(sub, m.Value, d.o.Values) {
			continue
		}
		at := p
		at.Sub, at.SubAttr = sub.Name, sub
		d.unassign(at)
		named = true
	}
	if !named {
		d.ops = append(d.ops, Op{Add, p, nil, d.index})
	}
	return nil
}

// unassign appends the Op for a value that means none, such as "" where that
// is a tolerance.
func (d *decoder) unassign(p scim.Path) {
	d.ops = append(d.ops, Op{Replace, p, nil, d.index})
}

// unassigned reports whether v is no value (RFC 7643 §2.5).
func unassigned(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case scim.Object:
		return len(v) == 0
	case []any:
		return len(v) == 0
	case []scim.MemberRef:
		return len(v) == 0
	}
	return false
}
