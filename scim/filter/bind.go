package filter

import (
	"strconv"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// Bind resolves every path of a parsed filter against t and gives the operands
// the Go types of their attributes (RFC 7644 §3.4.2.2, §3.10). It returns a new
// filter, which is evaluated without error by any backend, or an error of type
// invalidFilter: for an unknown attribute (see Options.UnknownAbsent), one that
// is never returned (RFC 7643 §7), one that is derived from the server's
// address or another resource, an operator that the attribute's type does not
// have, or an operand of another type.
//
// What several texts say is brought to one form: a complex attribute in a
// comparison becomes its "value", a "$ref" compared with a resource's URI the
// resource's id (RFC 7643 §2.4), and brackets on meta are opened.
func Bind(t *scim.ResourceType, f scim.Filter, o Options) (scim.Filter, error) {
	if f == nil {
		return nil, nil
	}
	return binder{t, o, nil, scim.AttrPath{}}.bind(f)
}

// binder binds a filter, or the inside of a value path.
type binder struct {
	t      *scim.ResourceType
	o      Options
	attr   *scim.Attribute // inside brackets: the attribute before them
	within scim.AttrPath   // and its path
}

func (b binder) bind(f scim.Filter) (scim.Filter, error) {
	switch f := f.(type) {
	case *scim.AttrExp:
		return b.compare(f)
	case *scim.LogExp:
		left, err := b.bind(f.Left)
		if err != nil {
			return nil, err
		}
		right, err := b.bind(f.Right)
		if err != nil {
			return nil, err
		}
		return &scim.LogExp{Op: strings.ToLower(f.Op), Left: left, Right: right}, nil
	case *scim.NotExp:
		inner, err := b.bind(f.Filter)
		if err != nil {
			return nil, err
		}
		return &scim.NotExp{Filter: inner}, nil
	case *scim.ValuePath:
		return b.valuePath(f)
	}
	return nil, invalid("this kind of expression is not supported")
}

func (b binder) valuePath(f *scim.ValuePath) (scim.Filter, error) {
	if b.attr != nil {
		return nil, invalid("brackets can't stand inside of brackets (RFC 7644 §3.4.2.2)")
	}
	path, known := b.t.Resolve(f.Path)
	if !known {
		if b.o.UnknownAbsent {
			return &scim.ValuePath{Path: f.Path, Filter: f.Filter}, nil
		}
		return nil, b.unknown(f.Path, scim.TypeInvalidFilter)
	}
	if err := bracketable(path, scim.TypeInvalidFilter); err != nil {
		return nil, err
	}
	if err := filterable(path); err != nil {
		return nil, err
	}
	inner, err := binder{b.t, b.o, path.Attr, path}.bind(f.Filter)
	if err != nil {
		return nil, err
	}
	if path.Attr == meta {
		// Every resource has exactly one meta, so the brackets add nothing.
		return inner, nil
	}
	return &scim.ValuePath{Path: path, Filter: inner}, nil
}

// bracketable checks that an attribute has values to choose from.
func bracketable(p scim.AttrPath, typ scim.ErrorType) error {
	switch {
	case p.Attr == nil:
		return scim.Errorf(typ, "%q is an extension; brackets follow an attribute (RFC 7644 §3.4.2.2)", p)
	case p.SubAttr != nil:
		return scim.Errorf(typ, "%q is a sub-attribute; brackets follow an attribute (RFC 7644 §3.4.2.2)", p)
	case p.Attr.Type != scim.TypeComplex && !p.Attr.MultiValued:
		return scim.Errorf(typ, "%q has a single, simple value; brackets follow a multi-valued or complex attribute (RFC 7644 §3.4.2.2)", p)
	}
	return nil
}

// compare binds an attribute expression.
func (b binder) compare(f *scim.AttrExp) (scim.Filter, error) {
	path, known, err := b.resolve(f.Path)
	if err != nil {
		return nil, err
	}
	if !known {
		return &scim.AttrExp{Path: f.Path, Op: f.Op, Value: f.Value}, nil
	}
	if err := filterable(path); err != nil {
		return nil, err
	}
	e := &scim.AttrExp{Path: path, Op: f.Op, Value: f.Value}
	if e.Op == scim.Pr {
		e.Value = nil
		e.Path = viaValue(path)
		return e, nil
	}
	if e.Value == nil {
		if e.Op != scim.Eq && e.Op != scim.Ne {
			return nil, invalid("%q: null can be compared with eq and ne only, not with %s (RFC 7643 §2.5)", path, e.Op)
		}
		e.Path = viaValue(path)
		return e, nil
	}
	if path.SubAttr == nil && path.Attr.Type == scim.TypeComplex {
		value := path.Attr.Sub("value")
		if value == nil {
			return nil, invalid("%q is complex and has no sub-attribute \"value\" to compare; name one of %s (RFC 7644 §3.4.2.2)",
				path, names(path.Attr.SubAttributes))
		}
		e.Path.Sub, e.Path.SubAttr = value.Name, value
		if err := filterable(e.Path); err != nil {
			return nil, err
		}
	}
	if reference(e.Path) {
		return b.byReference(e)
	}
	e.Value, err = operand(e.Path, e.Op, e.Value, b.o)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// resolve binds a path, which inside of brackets is the name of a
// sub-attribute, or "value" for an element that is not complex.
func (b binder) resolve(p scim.AttrPath) (scim.AttrPath, bool, error) {
	if b.attr == nil {
		path, ok := b.t.Resolve(p)
		switch {
		case !ok && b.o.UnknownAbsent:
			return p, false, nil
		case !ok:
			return p, false, b.unknown(p, scim.TypeInvalidFilter)
		case path.Attr == nil:
			return p, false, invalid("%q is an extension, not an attribute: name one of its attributes, as in %s:%s", path, path.URN, firstName(b.t.Extension(path.URN)))
		}
		return path, true, nil
	}
	path := b.within
	if b.attr.Type != scim.TypeComplex {
		if p.URN != "" || p.Sub != "" || !strings.EqualFold(p.Name, "value") {
			return p, false, invalid("%q: the values of %q are not complex; inside of the brackets they are called \"value\"", p, b.within)
		}
		return path, true, nil
	}
	sub := b.attr.Sub(p.Name)
	if sub == nil || p.URN != "" || p.Sub != "" {
		return p, false, invalid("%q has no sub-attribute %q; it has %s", b.within, p, names(b.attr.SubAttributes))
	}
	path.Sub, path.SubAttr = sub.Name, sub
	return path, true, nil
}

// filterable refuses what no filter may look at.
func filterable(p scim.AttrPath) error {
	switch {
	case !p.Attr.Filterable(), p.SubAttr != nil && !p.SubAttr.Filterable():
		return invalid("%q can't be used in a filter: its value is never returned (RFC 7643 §7)", p)
	case p.Attr == meta && p.SubAttr != nil && p.Sub == "location":
		return invalid("\"meta.location\" can't be used in a filter: it is made from the address of the request; filter by \"id\"")
	case p.SubAttr == nil || !linked(p.Attr) || p.Sub == "value" || reference(p):
	case membership(p.Attr):
		if p.Sub != "type" && p.Sub != "display" {
			return invalid("%q can't be used in a filter; of %q, value, type, display and $ref can", p, p.Attr.Name)
		}
	case p.Sub == "display", p.Sub == "displayName":
		return invalid("%q can't be used in a filter: it is derived from another resource; filter by \"%s.value\"", p, scim.AttrPath{URN: p.URN, Name: p.Name})
	}
	return nil
}

// membership reports whether a backend keeps the attribute's values apart.
func membership(a *scim.Attribute) bool { return a.Membership || a.Derived }

// linked reports whether the attribute refers to resources of this server.
func linked(a *scim.Attribute) bool { return len(a.Links) > 0 || membership(a) }

// reference reports whether p is the derived $ref of a reference.
func reference(p scim.AttrPath) bool { return p.Sub == "$ref" && p.SubAttr != nil && linked(p.Attr) }

// viaValue replaces a derived $ref by the value it is made from.
func viaValue(p scim.AttrPath) scim.AttrPath {
	if value := p.Attr.Sub("value"); value != nil && reference(p) {
		p.Sub, p.SubAttr = value.Name, value
	}
	return p
}

// byReference turns a comparison of a $ref into one of the id at the URI's
// end: the URI may be relative, and its version may differ (RFC 7643 §2.4).
func (b binder) byReference(e *scim.AttrExp) (scim.Filter, error) {
	uri, ok := e.Value.(string)
	switch {
	case !ok:
		return nil, invalid("%q is compared with a string, the URI of a resource", e.Path)
	case e.Op != scim.Eq && e.Op != scim.Ne:
		return nil, invalid("%q can be used with eq, ne and pr only, not with %s: it is derived from \"value\"", e.Path, e.Op)
	}
	e.Path = viaValue(e.Path)
	e.Value = uri[strings.LastIndexByte(uri, '/')+1:]
	return e, nil
}

// unknown explains why a path does not resolve.
func (b binder) unknown(p scim.AttrPath, typ scim.ErrorType) error {
	if p.Sub != "" {
		whole := p
		whole.Sub = ""
		if a, ok := b.t.Resolve(whole); ok && a.Attr != nil {
			if len(a.Attr.SubAttributes) == 0 {
				return scim.Errorf(typ, "%q has no sub-attributes", a)
			}
			return scim.Errorf(typ, "%q has no sub-attribute %s; it has %s", a, shown(p.Sub), names(a.Attr.SubAttributes))
		}
	}
	if p.URN != "" {
		if x := b.t.Extension(p.URN); x != nil {
			return scim.Errorf(typ, "the extension %q has no attribute %s; it has %s", x.ID, shown(p.Name), names(x.Attributes))
		}
		if !strings.EqualFold(p.URN, b.t.Schema.ID) {
			return scim.Errorf(typ, "%s: the resource type %q has no schema %s (RFC 7644 §3.10)", shown(p.String()), b.t.Name, shown(p.URN))
		}
	}
	var in []string
	for _, x := range b.t.Extensions {
		if x.Schema.Attribute(p.Name) != nil {
			in = append(in, x.Schema.ID)
		}
	}
	if len(in) > 1 {
		return scim.Errorf(typ, "%s is an attribute of several extensions; write it with the URN of one of %s (RFC 7644 §3.10)", shown(p.Name), strings.Join(in, ", "))
	}
	return scim.Errorf(typ, "the resource type %q has no attribute %s; /Schemas lists those it has (RFC 7644 §3.10)", b.t.Name, shown(p.String()))
}

// names lists attributes for an error message.
func names(list []*scim.Attribute) string {
	var s []string
	for _, a := range list {
		if a.Filterable() {
			s = append(s, strconv.Quote(a.Name))
		}
	}
	return strings.Join(s, ", ")
}

func firstName(s *scim.Schema) string {
	if s == nil || len(s.Attributes) == 0 {
		return "name"
	}
	return s.Attributes[0].Name
}

func invalid(format string, args ...any) *scim.Error {
	return scim.Errorf(scim.TypeInvalidFilter, format, args...)
}
