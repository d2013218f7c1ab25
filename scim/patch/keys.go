package patch

import (
	"errors"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// pathless reads an operation without a path: each member of its value is
// treated as an operation of its own (RFC 7644 §3.5.2.1, §3.5.2.3).
func (d *decoder) pathless(value any, has bool) error {
	if d.op == Remove {
		return fault(d.index, "", scim.Errorf(scim.TypeNoTarget, `"remove" needs a "path" (RFC 7644 §3.5.2.2)`))
	}
	object, ok := value.(scim.Object)
	if !ok || !has {
		return fault(d.index, "", scim.Errorf(scim.TypeInvalidValue,
			`without a "path", "value" must be an object of attributes (RFC 7644 §3.5.2)`))
	}
	return d.members(object, d.key)
}

// members calls read for each member of a value.
func (d *decoder) members(object scim.Object, read func(string, any) error) error {
	for _, m := range object {
		err := read(m.Name, m.Value)
		switch {
		case err == nil:
		case errors.Is(err, errUnknown) && d.o.Values.IgnoreUnknown:
			d.o.report("BODY-04")
		case errors.Is(err, errReadOnly) && d.o.IgnoreReadOnly:
			d.o.report("PATCH-12")
		case d.failed == nil: // else an object within this one said where
			d.failed = fault(d.index, m.Name, err)
			return d.failed
		default:
			return d.failed
		}
	}
	return nil
}

// errReadOnly stands for an attribute that is ignored because it is readOnly.
var errReadOnly = errors.New("patch: readOnly attribute")

// key reads one member of a path-less value.
func (d *decoder) key(name string, value any) error {
	if x := d.t.Extension(name); x != nil {
		return d.extension(x, value)
	}
	if strings.EqualFold(name, d.t.Schema.ID) && d.o.DottedKeys {
		d.o.report("PATCH-05")
		object, ok := value.(scim.Object)
		if !ok {
			return scim.Errorf(scim.TypeInvalidValue, "the value of a schema's URN must be an object of its attributes (RFC 7643 §3.3)")
		}
		return d.members(object, d.key)
	}
	if !strings.ContainsAny(name, ".:[") {
		p, ok := d.t.Resolve(scim.AttrPath{Name: name})
		switch {
		case !ok, p.URN != "" && !d.o.DottedKeys:
			return d.unknown(name)
		case p.URN != "":
			d.o.report("PATCH-05")
		}
		return d.assign(scim.Path{AttrPath: p}, value)
	}
	return d.pathKey(name, name, value)
}

// pathKey reads a member whose name is a path.
func (d *decoder) pathKey(name, path string, value any) error {
	if !d.o.DottedKeys {
		return d.unknown(name)
	}
	p, err := d.path(path)
	if err != nil {
		return err
	}
	if strings.Contains(name, ":") {
		d.o.report("PATCH-05")
	} else {
		d.o.report("PATCH-04")
	}
	return d.assign(p, value)
}

// extension reads the object that holds an extension's attributes.
func (d *decoder) extension(x *scim.Schema, value any) error {
	object, ok := value.(scim.Object)
	switch {
	case x.Unstored():
		return nil
	case value == nil:
		d.ops = append(d.ops, Op{d.op, scim.Path{AttrPath: scim.AttrPath{URN: x.ID}}, nil, d.index})
		return nil
	case !ok:
		return scim.Errorf(scim.TypeInvalidValue, "the value of an extension must be an object of its attributes (RFC 7643 §3.3)")
	}
	return d.members(object, func(name string, value any) error {
		if a := x.Attribute(name); a != nil {
			return d.assign(scim.Path{AttrPath: scim.AttrPath{URN: x.ID, Name: a.Name, Attr: a}}, value)
		}
		if strings.ContainsAny(name, ".[") {
			return d.pathKey(name, x.ID+":"+name, value)
		}
		return d.unknown(name)
	})
}

// assign is emit for a member of a path-less value.
func (d *decoder) assign(p scim.Path, value any) error {
	if d.o.IgnoreReadOnly && isSchemas(p) {
		return errReadOnly
	}
	if err := writable(p); err != nil {
		if (readOnly(p.Attr) || p.SubAttr != nil && readOnly(p.SubAttr)) && d.o.IgnoreReadOnly {
			return errReadOnly
		}
		return err
	}
	return d.emit(p, value, true)
}

func (d *decoder) unknown(name string) error {
	e := scim.Errorf(scim.TypeInvalidSyntax, "no schema of %s defines the attribute %q (RFC 7644 §3.5.2)", d.t.Name, cut(name))
	e.Err = errUnknown
	return e
}
