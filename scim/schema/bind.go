package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

var endpointForm = regexp.MustCompile(`^/[A-Za-z][A-Za-z0-9_-]*$`)

// reserved are the endpoints of RFC 7644 §3.2 that no resource type can have.
var reserved = []string{"/Schemas", "/ResourceTypes", "/ServiceProviderConfig", "/Bulk", "/Me"}

// bind makes resource types of the declarations, and works out for all of them
// what depends on the set of types.
func (c *catalogue) bind() {
	for _, d := range c.declared {
		c.declare(d)
	}
	for _, t := range c.types {
		c.link(t)
	}
	for _, t := range c.types {
		t.Digest = digest(t)
	}
}

// declare reads a ResourceType object (RFC 7643 §6).
func (c *catalogue) declare(decl declaration) {
	d := definer{c: c, file: decl.file, where: "name"}
	t := new(scim.ResourceType)
	var urn string
	var extensions any
	for _, m := range decl.obj {
		switch strings.ToLower(m.Name) {
		case "schemas", "id", "meta":
		case "name":
			t.Name = d.text(m)
		case "description":
			t.Description = d.text(m)
		case "endpoint":
			t.Endpoint = d.text(m)
		case "schema":
			urn = d.text(m)
		case "schemaextensions":
			extensions = m.Value
		default:
			c.fault(decl.file, m.Name, "a resource type has no such attribute (RFC 7643 §6)")
		}
	}
	d.where = t.Name
	if !attrName.MatchString(t.Name) {
		d.fault("a resource type's name is a letter, then letters, digits, \"-\" and \"_\"")
		return
	}
	i := slices.IndexFunc(c.types, func(o *scim.ResourceType) bool { return strings.EqualFold(o.Name, t.Name) })
	if i < 0 {
		if t.Endpoint == "" {
			t.Endpoint = "/" + t.Name + "s"
		}
		e := c.schema(urn)
		if e == nil {
			d.fault("the schema %q is not known (RFC 7643 §6)", urn)
			return
		}
		c.bound(decl.file, e)
		t.Schema = e.Schema
		c.endpoint(&d, t.Endpoint)
		c.types = append(c.types, t)
		i = len(c.types) - 1
	}
	known := c.types[i]
	if urn != "" && !strings.EqualFold(urn, known.Schema.ID) {
		d.fault("a resource type of this name has the schema %q already (RFC 7643 §6)", known.Schema.ID)
	}
	if t.Endpoint != "" && t.Endpoint != known.Endpoint {
		d.fault("a resource type of this name has the endpoint %q already (RFC 7643 §6)", known.Endpoint)
	}
	c.extend(&d, known, extensions)
}

// endpoint checks the endpoint of a new resource type.
func (c *catalogue) endpoint(d *definer, endpoint string) {
	same := func(e string) bool { return strings.EqualFold(e, endpoint) }
	switch {
	case !endpointForm.MatchString(endpoint):
		d.fault("\"endpoint\" must be \"/\" and one path segment (RFC 7643 §6)")
	case slices.ContainsFunc(reserved, same):
		d.fault("the endpoint %q is taken (RFC 7644 §3.2)", endpoint)
	case slices.ContainsFunc(c.types, func(t *scim.ResourceType) bool { return same(t.Endpoint) }):
		d.fault("another resource type has the endpoint %q", endpoint)
	}
}

// extend adds the schemaExtensions v to t.
func (c *catalogue) extend(d *definer, t *scim.ResourceType, v any) {
	list, ok := v.([]any)
	if !ok && v != nil {
		list = []any{v} // the RFC's own schema calls the attribute singular
	}
	for _, v := range list {
		obj, _ := v.(scim.Object)
		s, _ := obj.Lookup("schema")
		urn, _ := s.(string)
		required, _ := obj.Lookup("required")
		must, ok := required.(bool)
		if !ok && required != nil {
			d.fault("\"required\" must be true or false")
		}
		e := c.schema(urn)
		switch {
		case e == nil:
			d.fault("the extension %q is not known (RFC 7643 §6)", urn)
			continue
		case e.Schema == t.Schema:
			d.fault("a schema can't extend itself (RFC 7643 §6)")
			continue
		}
		c.bound(d.file, e)
		i := slices.IndexFunc(t.Extensions, func(x scim.Extension) bool { return x.Schema == e.Schema })
		if i >= 0 {
			// The slice of types handed in was copied, so that this changes ours alone.
			t.Extensions[i].Required = must
			continue
		}
		t.Extensions = append(t.Extensions, scim.Extension{Schema: e.Schema, Required: must})
	}
}

// bound checks, once, what holds for schemas of resources but not for those of
// RFC 7643 §5–7.
func (c *catalogue) bound(file string, e *entry) {
	if e.used {
		return
	}
	e.used = true
	for _, a := range e.Attributes {
		where := e.ID + ":" + a.Name
		if slices.ContainsFunc(scim.Common, func(o *scim.Attribute) bool { return strings.EqualFold(o.Name, a.Name) }) {
			c.fault(file, where, "every resource has this attribute; a schema can't define it (RFC 7643 §3.1)")
		}
		for _, s := range a.SubAttributes {
			if s.MultiValued {
				c.fault(file, where+"."+s.Name, "a sub-attribute of a resource has one value; make the attribute multi-valued")
			}
		}
	}
}

// link works out the attributes that refer to other resources.
func (c *catalogue) link(t *scim.ResourceType) {
	c.linkSchema(t.Schema)
	for _, x := range t.Extensions {
		c.linkSchema(x.Schema)
	}
	for _, a := range t.Schema.Attributes {
		a.Membership, a.Derived = false, false
		if a.Links == nil || !a.MultiValued {
			continue
		}
		a.Membership = a.Name == "members" && a.Mutability != scim.ReadOnly
		a.Derived = a.Name == "groups" && a.Mutability == scim.ReadOnly
	}
}

func (c *catalogue) linkSchema(s *scim.Schema) {
	for _, a := range s.Attributes {
		a.Links = nil
		ref, value := a.Sub("$ref"), a.Sub("value")
		if ref == nil || value == nil || value.Type != scim.TypeString {
			continue
		}
		for _, t := range c.types {
			if slices.Contains(ref.ReferenceTypes, t.Name) {
				a.Links = append(a.Links, t.Name)
			}
		}
		if a.Links != nil {
			value.CaseExact = true // an id is, RFC 7643 §3.1
		}
	}
}

// digest identifies what the encoded text of a resource depends on. Texts for
// people, required and uniqueness are not part of it: they may change without
// making a stored text wrong.
func digest(t *scim.ResourceType) string {
	h := sha256.New()
	write := func(parts ...string) {
		for _, p := range parts {
			io.WriteString(h, p+"\x00")
		}
	}
	var attributes func(list []*scim.Attribute)
	attributes = func(list []*scim.Attribute) {
		for _, a := range list {
			write(a.Name, string(a.Type), yes(a.MultiValued), string(a.Returned), yes(a.Mutability == scim.WriteOnly),
				yes(a.Membership), yes(a.Derived), strings.Join(a.Links, " "))
			attributes(a.SubAttributes)
			write("")
		}
	}
	write("rollcall 1", t.Schema.ID)
	attributes(t.Schema.Attributes)
	for _, x := range t.Extensions {
		write(x.Schema.ID)
		attributes(x.Schema.Attributes)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}
