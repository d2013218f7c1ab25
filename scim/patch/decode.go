package patch

import (
	"errors"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

// Decode reads a PatchOp message from parsed JSON (RFC 7644 §3.5.2). An
// operation without a path becomes one Op per attribute of its value.
//
// Errors name the operation, as Operations[i], and its path. They are of type
// invalidSyntax for the message itself, invalidPath, invalidFilter,
// invalidValue, noTarget (remove without a path), mutability (a readOnly
// target), or have status 413 for too many operations.
func Decode(t *scim.ResourceType, raw scim.Object, o Options) ([]Op, error) {
	list, has := raw.Lookup("Operations")
	if !has {
		return nil, headless(t, raw)
	}
	if err := schemas(t, raw, &o); err != nil {
		return nil, err
	}
	operations, ok := list.([]any)
	if !ok {
		return nil, scim.Errorf(scim.TypeInvalidSyntax, `"Operations" must be an array (RFC 7644 §3.5.2)`)
	}
	limit := o.MaxOperations
	if limit <= 0 {
		limit = DefaultOperations
	}
	switch {
	case len(operations) > limit:
		e := scim.Errorf("", "the request has %d operations; at most %d are accepted in one", len(operations), limit)
		e.Status = 413
		return nil, e
	case len(operations) == 0 && !o.EmptyOperations:
		return nil, scim.Errorf(scim.TypeInvalidSyntax, `"Operations" must hold at least one operation (RFC 7644 §3.5.2)`)
	case len(operations) == 0:
		o.report("PATCH-02")
	}
	d := decoder{t: t, o: &o, ops: make([]Op, 0, len(operations))}
	for i, v := range operations {
		d.index = i
		if err := d.operation(v); err != nil {
			return nil, err
		}
	}
	return d.ops, nil
}

// headless explains a body without operations: most often a resource, or the
// PATCH of SCIM 1.1, which is one too.
func headless(t *scim.ResourceType, raw scim.Object) error {
	for _, m := range raw {
		if _, ok := t.Resolve(scim.AttrPath{Name: m.Name}); ok && !strings.EqualFold(m.Name, "schemas") {
			return scim.Errorf(scim.TypeInvalidSyntax, `the body has no "Operations" but the attribute %q, as in SCIM 1.1; `+
				`set up the client with a SCIM 2.0 connector (RFC 7644 §3.5.2)`, cut(m.Name))
		}
	}
	return scim.Errorf(scim.TypeInvalidSyntax, `the body has no "Operations" (RFC 7644 §3.5.2)`)
}

// schemas checks the message's own URN.
func schemas(t *scim.ResourceType, raw scim.Object, o *Options) error {
	v, has := raw.Lookup("schemas")
	if !has || v == nil {
		if o.Values.AnySchemas {
			o.report("PATCH-02")
			return nil
		}
		return scim.Errorf(scim.TypeInvalidSyntax, `"schemas" must be [%q] (RFC 7644 §3.5.2)`, scim.PatchOpURN)
	}
	list, ok := v.([]any)
	named := false
	for _, v := range list {
		urn, isString := v.(string)
		switch {
		case !isString:
			ok = false
		case strings.EqualFold(urn, scim.PatchOpURN):
			named = true
		case !o.Values.AnySchemas || standard(urn) || strings.EqualFold(urn, t.Schema.ID):
			return scim.Errorf(scim.TypeInvalidSyntax, `"schemas": %q is not the schema of a PATCH request, %q is (RFC 7644 §3.5.2)`,
				cut(urn), scim.PatchOpURN)
		}
	}
	switch {
	case !ok, len(list) == 0 && !o.Values.AnySchemas:
		return scim.Errorf(scim.TypeInvalidSyntax, `"schemas" must be [%q] (RFC 7644 §3.5.2)`, scim.PatchOpURN)
	case !named && !o.Values.AnySchemas:
		return scim.Errorf(scim.TypeInvalidSyntax, `"schemas" must hold %q (RFC 7644 §3.5.2)`, scim.PatchOpURN)
	case !named || len(list) > 1:
		o.report("PATCH-02")
	}
	return nil
}

// standard reports whether the URN means something else than a PATCH request:
// a message, or a schema of RFC 7643.
func standard(urn string) bool {
	urn = strings.ToLower(urn)
	return strings.HasPrefix(urn, scim.MessageURNPrefix) || strings.HasPrefix(urn, "urn:ietf:params:scim:schemas:core:2.0:")
}

// decoder reads the operations of one message.
type decoder struct {
	t     *scim.ResourceType
	o     *Options
	ops   []Op
	index int    // of the operation being read
	op    string // its op

	failed error // what ended the reading of a path-less value
}

func (d *decoder) operation(raw any) error {
	object, ok := raw.(scim.Object)
	if !ok {
		return fault(d.index, "", scim.Errorf(scim.TypeInvalidSyntax, "an operation must be an object (RFC 7644 §3.5.2)"))
	}
	op, has := object.Lookup("op")
	name, _ := op.(string)
	switch name = strings.ToLower(name); {
	case name == Add, name == Remove, name == Replace:
		d.op = name
	case !has:
		return fault(d.index, "", scim.Errorf(scim.TypeInvalidSyntax, `"op" is missing (RFC 7644 §3.5.2)`))
	default:
		return fault(d.index, "", scim.Errorf(scim.TypeInvalidSyntax, `"op" must be "add", "remove" or "replace" (RFC 7644 §3.5.2)`))
	}
	value, hasValue := object.Lookup("value")
	path, _ := object.Lookup("path")
	switch path := path.(type) {
	case nil:
		return d.pathless(value, hasValue)
	case string:
		p, err := d.path(path)
		switch {
		case errors.Is(err, errUnknown) && d.o.SkipUnknownPaths:
			d.o.report("PATCH-16")
			return nil
		case err == nil:
			err = writable(p)
		}
		if err == nil {
			err = d.emit(p, value, hasValue)
		}
		if err != nil && d.failed == nil {
			return fault(d.index, path, err)
		}
		return err
	}
	return fault(d.index, "", scim.Errorf(scim.TypeInvalidPath, `"path" must be a string (RFC 7644 §3.5.2)`))
}

// errUnknown marks the error for an attribute no schema of the type defines.
var errUnknown = errors.New("patch: unknown attribute")

// path parses and binds a path. The error for an unknown attribute is
// errUnknown too.
func (d *decoder) path(text string) (scim.Path, error) {
	text, err := d.dotted(text)
	if err != nil {
		return scim.Path{}, err
	}
	p, err := filter.ParsePath(text, d.o.Filters)
	if err != nil {
		return scim.Path{}, err
	}
	if _, ok := d.t.Resolve(p.AttrPath); !ok {
		e := scim.Errorf(scim.TypeInvalidPath, "no schema of %s defines this attribute (RFC 7644 §3.5.2)", d.t.Name)
		e.Err = errUnknown
		return scim.Path{}, e
	}
	if p, err = filter.BindPath(d.t, p, d.filters()); err != nil {
		return scim.Path{}, err
	}
	if p.Filter != nil && !p.Attr.MultiValued {
		return scim.Path{}, scim.Errorf(scim.TypeInvalidPath, "%q has one value, which no filter can select (RFC 7644 §3.5.2)", p.Name)
	}
	return p, nil
}

// filters returns the options of a filter in a path: where a value may be
// created for it, a text that is compared with a boolean becomes a boolean of
// that value.
func (d *decoder) filters() filter.Options {
	o := d.o.Filters
	if d.o.CreateOnNoMatch {
		o.Report = func(rule string) {
			if rule == "QRY-09" {
				rule = "PATCH-08"
			}
			d.o.report(rule)
		}
	}
	return o
}

// dotted mends a path that has a "." where ":" must follow a schema's URN.
func (d *decoder) dotted(text string) (string, error) {
	mend := func(urn string) bool {
		return len(text) > len(urn) && text[len(urn)] == '.' && strings.EqualFold(text[:len(urn)], urn)
	}
	urns := make([]string, 0, 4)
	urns = append(urns, d.t.Schema.ID)
	for _, x := range d.t.Extensions {
		urns = append(urns, x.Schema.ID)
	}
	for _, urn := range urns {
		if !mend(urn) || d.t.Extension(text) != nil {
			continue
		}
		if !d.o.DottedKeys {
			return "", scim.Errorf(scim.TypeInvalidPath, `":" must follow the URN of a schema, not "." (RFC 7644 §3.10)`)
		}
		d.o.report("PATCH-05b")
		return urn + ":" + text[len(urn)+1:], nil
	}
	return text, nil
}

// writable refuses a path whose target no client may change.
func writable(p scim.Path) error {
	switch a, sub := p.Attr, p.SubAttr; {
	case a == nil, a.Unstored:
		return nil
	case readOnly(a), sub != nil && readOnly(sub):
		return scim.Errorf(scim.TypeMutability, "the attribute is readOnly (RFC 7644 §3.5.2)")
	case sub != nil && sub.Unstored:
		return nil
	case a.Membership && sub != nil:
		return scim.Errorf(scim.TypeMutability, "a member can only be added or removed as a whole (RFC 7643 §4.2)")
	case sub != nil && derived(a, sub):
		return scim.Errorf(scim.TypeMutability, `the attribute follows from "%s.value" (RFC 7643 §2.4)`, a.Name)
	}
	return nil
}

// unstored reports whether what p names is kept nowhere, so that no operation
// changes anything.
func (d *decoder) unstored(p scim.Path) bool {
	if p.Attr == nil {
		x := d.t.Extension(p.URN)
		return x != nil && x.Unstored()
	}
	return p.Attr.Unstored || p.SubAttr != nil && p.SubAttr.Unstored
}

func readOnly(a *scim.Attribute) bool { return a.Mutability == scim.ReadOnly || a.Derived }

// derived reports whether sub is computed from the reference that a holds.
func derived(a, sub *scim.Attribute) bool {
	return len(a.Links) > 0 && (sub.Name == "$ref" || sub.Name == "display" || sub.Name == "displayName")
}
