package schema

import (
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// Decode reads a resource from parsed JSON (RFC 7643 §3, RFC 7644 §3.3).
// Names are matched without regard to case, values get the Go types of
// [scim.AttributeType], null and empty arrays unassign, read-only attributes
// are ignored, and equal values of one attribute are kept once. Whether the
// result may be stored, [Check] says.
//
// named lists, in schema order, the canonical paths of the writable top-level
// and extension attributes that the client named, null ones included and those
// that are [Absent] not; an extension set to null is listed by its URN.
//
// What is Unstored is dropped without being looked at.
//
// The error tells all faults, in one order for one content, and has the type
// of the gravest: invalidSyntax for schemas and unknown attributes, else
// invalidValue.
func Decode(t *scim.ResourceType, raw scim.Object, o Options) (r *scim.Resource, named []string, err error) {
	d := decoder{Options: o}
	r = &scim.Resource{Type: t, Attrs: make(scim.Object, 0, len(raw))}
	core := make([]slot, len(t.Schema.Attributes))
	extensions := make([]slot, len(t.Extensions))
	var schemas slot
	for _, m := range d.opened(t, raw) {
		switch {
		case strings.EqualFold(m.Name, "schemas"):
			schemas = slot{m.Value, true}
		case strings.EqualFold(m.Name, "id"), strings.EqualFold(m.Name, "meta"):
			// The server's own, RFC 7643 §3.1.
		case strings.EqualFold(m.Name, "externalId"):
			named = append(named, "externalId")
			r.ExternalID, _ = d.simple(externalID, "externalId", m.Value).(string)
		case fill(core, t.Schema.Attributes, m), d.extension(t, extensions, m):
		default:
			d.unknown(m.Name)
		}
	}
	d.schemas(t, schemas)
	d.object("", &r.Attrs, t.Schema.Attributes, core, func(name string) { named = append(named, name) })
	for i, s := range extensions {
		if !s.given {
			continue
		}
		urn := t.Extensions[i].Schema.ID
		if t.Extensions[i].Schema.Unstored() {
			continue
		}
		if s.value == nil {
			named = append(named, urn)
			continue
		}
		obj, ok := s.value.(scim.Object)
		if !ok {
			d.faults.add(scim.TypeInvalidValue, urn, "an object with the extension's attributes is expected (RFC 7643 §3.3)")
			continue
		}
		if x := d.whole(t.Extensions[i].Schema, obj, func(name string) { named = append(named, name) }); len(x) > 0 {
			r.Attrs = append(r.Attrs, scim.Member{Name: urn, Value: x})
		}
	}
	return r, named, d.faults.err()
}

// opened returns a body with what stands under the URN of the base schema, as
// if it were an extension's, put beside the rest: where both name an attribute,
// that of the body itself counts.
func (d *decoder) opened(t *scim.ResourceType, raw scim.Object) scim.Object {
	i := slices.IndexFunc(raw, func(m scim.Member) bool { return strings.EqualFold(m.Name, t.Schema.ID) })
	if i < 0 || !d.IgnoreUnknown {
		return raw
	}
	inner, ok := raw[i].Value.(scim.Object)
	if !ok {
		return raw
	}
	d.report("BODY-04")
	out := slices.Delete(slices.Clone(raw), i, i+1)
	for _, m := range inner {
		if _, has := out.Lookup(m.Name); !has {
			out = append(out, m)
		}
	}
	return out
}

// externalID is the one common attribute a client may write.
var externalID = commonAttribute("externalId")

func commonAttribute(name string) *scim.Attribute {
	for _, a := range scim.Common {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// decoder is the state of one Decode or Value.
type decoder struct {
	Options
	faults faults
	patch  bool // the value is that of a PATCH operation
	silent int  // complex values so far of which none of the schema's names says anything
}

// slot is the raw value of one attribute, put in the schema's order.
type slot struct {
	value any
	given bool
}

// fill puts a member into the slot of its attribute, or reports false.
func fill(slots []slot, attrs []*scim.Attribute, m scim.Member) bool {
	for i, a := range attrs {
		if a.Name == m.Name || len(a.Name) == len(m.Name) && strings.EqualFold(a.Name, m.Name) {
			slots[i] = slot{m.Value, true}
			return true
		}
	}
	return false
}

func (d *decoder) extension(t *scim.ResourceType, slots []slot, m scim.Member) bool {
	for i, x := range t.Extensions {
		if strings.EqualFold(x.Schema.ID, m.Name) {
			slots[i] = slot{m.Value, true}
			return true
		}
	}
	return false
}

// whole decodes the value of an extension's URN.
func (d *decoder) whole(x *scim.Schema, raw scim.Object, named func(string)) scim.Object {
	slots := make([]slot, len(x.Attributes))
	for _, m := range raw {
		if !fill(slots, x.Attributes, m) {
			d.unknown(x.ID + ":" + m.Name)
		}
	}
	o := make(scim.Object, 0, len(raw))
	d.object(x.ID+":", &o, x.Attributes, slots, named)
	return o
}

// object decodes the slots of a resource or an extension, in their order.
func (d *decoder) object(prefix string, o *scim.Object, attrs []*scim.Attribute, slots []slot, named func(string)) {
	for i, a := range attrs {
		if !slots[i].given || a.Mutability == scim.ReadOnly || d.absent(a, slots[i].value) {
			continue // RFC 7644 §3.3: read-only values are ignored
		}
		path := prefix + a.Name
		named(path)
		if v := d.attribute(a, path, slots[i].value); v != nil {
			*o = append(*o, scim.Member{Name: a.Name, Value: v})
		}
	}
}

// unknown handles an attribute that no schema defines.
func (d *decoder) unknown(path string) {
	if d.IgnoreUnknown {
		d.report("BODY-04")
		return
	}
	const most = 100
	if len(path) > most {
		path = strings.ToValidUTF8(path[:most], "") + "…"
	}
	d.faults.add(scim.TypeInvalidSyntax, path, "no schema of this resource type defines this attribute (RFC 7643 §3)")
}

func (o *Options) report(rule string) {
	if o.Report != nil {
		o.Report(rule)
	}
}

// rule reports the tolerance under the id it has in a PATCH, or in a body.
func (d *decoder) rule(patch, body string) {
	if d.patch {
		body = patch
	}
	d.report(body)
}
