package schema

import (
	"regexp"
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

var (
	attrName = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9$_-]*|\$ref)$`) // RFC 7643 §2.1
	urnForm  = regexp.MustCompile(`^[Uu][Rr][Nn]:[A-Za-z0-9][A-Za-z0-9-]{0,31}:[A-Za-z0-9._:~+%=@-]*[A-Za-z0-9]$`)
)

// define reads a Schema object (RFC 7643 §7).
func (c *catalogue) define(file string, obj scim.Object) {
	s := new(scim.Schema)
	d := definer{c: c, file: file, where: "id"}
	for _, m := range obj {
		switch strings.ToLower(m.Name) {
		case "schemas", "meta", "attributes":
		case "id":
			s.ID = d.text(m)
		case "name":
			s.Name = d.text(m)
		case "description":
			s.Description = d.text(m)
		default:
			c.fault(file, m.Name, "a schema has no such attribute (RFC 7643 §7)")
		}
	}
	switch {
	case !urnForm.MatchString(s.ID):
		c.fault(file, "id", "must be a URN (RFC 7643 §7)")
		return
	case strings.HasPrefix(strings.ToLower(s.ID), scim.MessageURNPrefix):
		c.fault(file, s.ID, "this URN belongs to the messages of RFC 7644 §8.2")
		return
	case c.schema(s.ID) != nil:
		c.fault(file, s.ID, "a schema with this id exists already; add attributes in an extension (RFC 7643 §3.3)")
		return
	}
	if s.Name == "" {
		s.Name = s.ID
	}
	v, _ := obj.Lookup("attributes")
	d.nesting = strings.EqualFold(s.ID, scim.SchemaURN)
	s.Attributes = d.attributes(s.ID+":", v, 0)
	c.schemas = append(c.schemas, &entry{Schema: s, file: file})
}

// definer reads the attributes of one schema.
type definer struct {
	c       *catalogue
	file    string
	where   string // of the attribute being read
	nesting bool   // complex sub-attributes are allowed: the Schema resource's own
}

func (d *definer) fault(format string, args ...any) { d.c.fault(d.file, d.where, format, args...) }

// attributes reads the list under "attributes" or "subAttributes"; prefix is
// the path before each name.
func (d *definer) attributes(prefix string, v any, depth int) []*scim.Attribute {
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		d.c.fault(d.file, strings.TrimRight(prefix, ":."), "needs a list of attributes (RFC 7643 §7)")
		return nil
	}
	var attrs []*scim.Attribute
	for _, v := range list {
		obj, _ := v.(scim.Object)
		name, _ := obj.Lookup("name")
		s, _ := name.(string)
		d.where = prefix + s
		if !attrName.MatchString(s) {
			d.fault("an attribute's name is a letter, then letters, digits, \"$\", \"-\" and \"_\" (RFC 7643 §2.1)")
			continue
		}
		if slices.ContainsFunc(attrs, func(a *scim.Attribute) bool { return strings.EqualFold(a.Name, s) }) {
			d.fault("there are two attributes of this name (RFC 7643 §2.1)")
			continue
		}
		attrs = append(attrs, d.attribute(s, obj, depth))
	}
	return attrs
}

// attribute reads one attribute and gives it the defaults of RFC 7643 §2.2.
func (d *definer) attribute(name string, obj scim.Object, depth int) *scim.Attribute {
	a := &scim.Attribute{Name: name, Type: scim.TypeString, Mutability: scim.ReadWrite,
		Returned: scim.ReturnedDefault, Uniqueness: scim.UniquenessNone}
	var subs any
	returned := false
	for _, m := range obj {
		switch strings.ToLower(m.Name) {
		case "name":
		case "type":
			a.Type = keyword(d, m, scim.TypeString, scim.TypeBoolean, scim.TypeDecimal, scim.TypeInteger,
				scim.TypeDateTime, scim.TypeBinary, scim.TypeReference, scim.TypeComplex)
		case "multivalued":
			a.MultiValued = d.flag(m)
		case "description":
			a.Description = d.text(m)
		case "required":
			a.Required = d.flag(m)
		case "canonicalvalues":
			a.CanonicalValues = d.texts(m)
		case "caseexact":
			a.CaseExact = d.flag(m)
		case "mutability":
			a.Mutability = keyword(d, m, scim.ReadWrite, scim.ReadOnly, scim.Immutable, scim.WriteOnly)
		case "returned":
			returned = true
			a.Returned = keyword(d, m, scim.ReturnedDefault, scim.ReturnedAlways, scim.ReturnedNever, scim.ReturnedRequest)
		case "uniqueness":
			a.Uniqueness = keyword(d, m, scim.UniquenessNone, scim.UniquenessServer, scim.UniquenessGlobal)
		case "referencetypes":
			a.ReferenceTypes = d.texts(m)
		case "subattributes":
			subs = m.Value
		case "precis":
			a.Precis = keyword(d, m, scim.PrecisUsername, scim.PrecisOpaque)
		default:
			d.fault("an attribute has no characteristic %q (RFC 7643 §7)", m.Name)
		}
	}
	if a.Mutability == scim.WriteOnly {
		if returned && a.Returned != scim.ReturnedNever {
			d.fault("what is writeOnly can't be returned: \"returned\" must be \"never\" (RFC 7643 §7)")
		}
		a.Returned = scim.ReturnedNever
	}
	if a.Type == scim.TypeReference && a.ReferenceTypes == nil {
		a.ReferenceTypes = []string{"uri"}
	}
	if a.Type == scim.TypeReference || a.Type == scim.TypeBinary {
		a.CaseExact = true // RFC 7643 §2.3.6, §2.3.7
	}
	d.lint(a, depth, subs != nil)
	if a.Type == scim.TypeComplex && (depth == 0 || d.nesting) {
		where := d.where
		a.SubAttributes = d.attributes(where+".", subs, depth+1)
		d.where = where
	}
	return a
}

// lint checks what the characteristics of an attribute say together.
func (d *definer) lint(a *scim.Attribute, depth int, subs bool) {
	switch {
	case a.Type != scim.TypeComplex && subs:
		d.fault("only a complex attribute has sub-attributes (RFC 7643 §7)")
	case depth > 0 && a.Type == scim.TypeComplex && !d.nesting:
		d.fault("a sub-attribute can't be complex (RFC 7643 §2.3.8)")
	case a.Type != scim.TypeReference && a.ReferenceTypes != nil:
		d.fault("\"referenceTypes\" is for attributes of type reference (RFC 7643 §7)")
	case a.Precis != scim.PrecisNone && a.Type != scim.TypeString:
		d.fault("\"precis\" is for attributes of type string")
	case a.Precis == scim.PrecisOpaque && (depth > 0 || a.MultiValued || a.Mutability != scim.WriteOnly):
		d.fault("a password, \"precis\": \"opaque\", is one writeOnly value and no sub-attribute: only so it is hashed and never shown")
	case a.Uniqueness != scim.UniquenessNone && a.Type == scim.TypeComplex:
		d.fault("a complex attribute can't be unique, its sub-attributes can")
	}
	if depth == 0 {
		return
	}
	want := map[string]scim.AttributeType{"type": scim.TypeString, "primary": scim.TypeBoolean,
		"display": scim.TypeString, "$ref": scim.TypeReference}[strings.ToLower(a.Name)]
	switch {
	case want != "" && a.Type != want && !d.nesting:
		d.fault("the sub-attribute %q is of type %s wherever it occurs (RFC 7643 §2.4)", a.Name, want)
	case strings.EqualFold(a.Name, "value") && a.Type == scim.TypeComplex:
		d.fault("the sub-attribute \"value\" is simple wherever it occurs (RFC 7643 §2.4)")
	}
}

func (d *definer) text(m scim.Member) string {
	s, ok := m.Value.(string)
	if !ok && m.Value != nil {
		d.fault("%q must be a string", m.Name)
	}
	return s
}

func (d *definer) flag(m scim.Member) bool {
	b, ok := m.Value.(bool)
	if !ok {
		d.fault("%q must be true or false", m.Name)
	}
	return b
}

func (d *definer) texts(m scim.Member) []string {
	list, ok := m.Value.([]any)
	texts := make([]string, 0, len(list))
	for _, v := range list {
		s, isText := v.(string)
		ok = ok && isText
		texts = append(texts, s)
	}
	if !ok {
		d.fault("%q must be a list of strings", m.Name)
	}
	if len(texts) == 0 {
		return nil
	}
	return texts
}

func keyword[T ~string](d *definer, m scim.Member, allowed ...T) T {
	s, _ := m.Value.(string)
	if i := slices.Index(allowed, T(s)); i >= 0 {
		return allowed[i]
	}
	words := make([]string, len(allowed))
	for i, w := range allowed {
		words[i] = string(w)
	}
	d.fault("%q must be one of %s", m.Name, strings.Join(words, ", "))
	return allowed[0]
}
