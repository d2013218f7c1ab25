package sqlfilter

import "github.com/rollcall-scim/rollcall/scim"

// Row is one row of attrs. Path and Elem are its place in the resource: no two
// rows of one have both in common.
type Row struct {
	Path Path
	Elem int    // which value of a multi-valued attribute, the primary one first
	Text string // the folded text, cut by scim.SortText
	Long string // the folded text whole, where Text is cut; else "", stored as NULL
	Num  any    // int64, float64 or nil
}

// stride separates the values of a sub-attribute that is itself multi-valued:
// Elem is the element plus a multiple of it.
const stride = 1 << 20

// Rows returns the rows of r, which must have Attrs: one per filterable value
// but for members, groups and what resources has columns for.
//
// An element of a multi-valued attribute without "primary" has a row for it
// with Num 0, as it counts as false, and an empty Text, as it is not present.
// An element of which no filter can name any value has one under the
// attribute's own path, so that it is there for "emails[not (type pr)]".
func Rows(r *scim.Resource) []Row {
	w := &rowWriter{}
	w.attributes("", r.Type.Schema.Attributes, r.Attrs)
	for _, x := range r.Type.Extensions {
		if values, ok := r.Attrs.Get(x.Schema.ID).(scim.Object); ok {
			w.attributes(x.Schema.ID, x.Schema.Attributes, values)
		}
	}
	return w.rows
}

type rowWriter struct{ rows []Row }

func (w *rowWriter) attributes(urn string, attrs []*scim.Attribute, values scim.Object) {
	for _, a := range attrs {
		v := values.Get(a.Name)
		if v == nil || membership(a) || !a.Filterable() {
			continue
		}
		list, many := v.([]any)
		if !many {
			list = []any{v}
		}
		at := scim.AttrPath{URN: urn, Name: a.Name, Attr: a}
		elem := 0
		for _, first := range []bool{true, false} {
			for _, e := range list {
				if primary := many && isPrimary(e); primary == first {
					w.element(at, elem, e)
					elem++
				}
			}
		}
	}
}

func isPrimary(e any) bool {
	o, ok := e.(scim.Object)
	return ok && o.Get("primary") == true
}

func (w *rowWriter) element(p scim.AttrPath, elem int, e any) {
	o, complex := e.(scim.Object)
	if !complex {
		w.add(p, elem, e)
		return
	}
	before := len(w.rows)
	for _, sub := range subs(p.Attr) {
		p := p
		p.Sub, p.SubAttr = sub.Name, sub
		switch v := o.Get(sub.Name).(type) {
		case nil:
			if primary(p) {
				w.rows = append(w.rows, Row{Path: Path(p.String()), Elem: elem, Num: int64(0)})
			}
		case []any:
			for i, v := range v {
				w.add(p, elem+i*stride, v)
			}
		default:
			w.add(p, elem, v)
		}
	}
	if len(w.rows) == before {
		w.rows = append(w.rows, Row{Path: Path(p.String()), Elem: elem})
	}
}

func (w *rowWriter) add(p scim.AttrPath, elem int, v any) {
	k := scim.KeyOf(p.Leaf(), v)
	row := Row{Path: Path(p.String()), Elem: elem, Text: scim.SortText(k.Text), Num: k.Num}
	if len(row.Text) < len(k.Text) {
		row.Long = k.Text
	}
	w.rows = append(w.rows, row)
}

// Unique is a value that one resource of a type may have.
type Unique struct {
	Path Path
	Text string // folded, whole
}

// Uniques returns the values of r's attributes with uniqueness "server" or
// "global" (RFC 7643 §7), but for id. r must have Attrs.
func Uniques(r *scim.Resource) []Unique {
	var list []Unique
	add := func(p scim.AttrPath, v any) {
		if leaf := p.Leaf(); leaf.Uniqueness == scim.UniquenessServer || leaf.Uniqueness == scim.UniquenessGlobal {
			for _, v := range elements(v) {
				list = append(list, Unique{Path(p.String()), scim.KeyOf(leaf, v).Text})
			}
		}
	}
	attributes := func(urn string, attrs []*scim.Attribute, values scim.Object) {
		for _, a := range attrs {
			p := scim.AttrPath{URN: urn, Name: a.Name, Attr: a}
			if a.Type != scim.TypeComplex {
				add(p, values.Get(a.Name))
				continue
			}
			for _, e := range elements(values.Get(a.Name)) {
				o, _ := e.(scim.Object)
				for _, sub := range a.SubAttributes {
					p.Sub, p.SubAttr = sub.Name, sub
					add(p, o.Get(sub.Name))
				}
			}
		}
	}
	attributes("", r.Type.Schema.Attributes, r.Attrs)
	for _, x := range r.Type.Extensions {
		values, _ := r.Attrs.Get(x.Schema.ID).(scim.Object)
		attributes(x.Schema.ID, x.Schema.Attributes, values)
	}
	return list
}

// elements returns the values of an attribute as a list.
func elements(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

// subs lists the sub-attributes that have rows: those that a filter may name
// and that are not derived from other resources.
func subs(a *scim.Attribute) []*scim.Attribute {
	var list []*scim.Attribute
	for _, sub := range a.SubAttributes {
		derived := len(a.Links) > 0 && (sub.Name == "$ref" || sub.Name == "display" || sub.Name == "displayName")
		if sub.Filterable() && !derived {
			list = append(list, sub)
		}
	}
	return list
}

// membership reports whether the attribute is kept in members.
func membership(a *scim.Attribute) bool { return a.Membership || a.Derived }

// primary reports whether p marks one value of many (RFC 7643 §2.4).
func primary(p scim.AttrPath) bool {
	return p.Sub == "primary" && p.Attr.MultiValued && p.SubAttr.Type == scim.TypeBoolean
}
