package sqlfilter

import "github.com/rollcall-scim/rollcall/scim"

// The common attributes (RFC 7643 §3), which are columns of resources.
var schemas, id, externalID = commonAttribute("schemas"), commonAttribute("id"), commonAttribute("externalId")

func commonAttribute(name string) *scim.Attribute {
	for _, a := range scim.Common {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// commonColumn returns the column of a common attribute that has one, and
// whether it may be NULL.
func commonColumn(p scim.AttrPath) (c column, nullable, ok bool) {
	switch p.Name + "." + p.Sub {
	case "id.":
		return column{text: "r.id"}, false, true
	case "externalId.":
		return column{text: "r.external"}, true, true
	case "meta.created":
		return column{num: "r.created"}, false, true
	case "meta.lastModified":
		return column{num: "r.modified"}, false, true
	case "meta.version":
		return column{text: "CAST(r.version AS TEXT)"}, false, true
	}
	return column{}, false, false
}

// column is commonColumn for a comparison. A long externalId is in no index of
// PostgreSQL, whose entries are short: its beginning is.
func (b *builder) column(p scim.AttrPath) (c column, nullable, ok bool) {
	if b.o.TenantInKeys && p.Attr == externalID {
		return column{text: "r.external_sort", long: "r.external"}, true, true
	}
	return commonColumn(p)
}

// common compiles an expression about a common attribute. All but externalId
// are always present.
func (b *builder) common(f *scim.AttrExp) string {
	c, nullable, ok := b.column(f.Path)
	switch {
	case f.Path.Attr == schemas && !presence(f):
		return b.schemas(func(urn string) bool { return meets(f, schemas, urn) })
	case f.Path.Sub == "resourceType" && !presence(f):
		return constant(meets(f, f.Path.SubAttr, b.t.Name))
	case presence(f) && nullable && f.Op == scim.Eq:
		return c.text + " IS NULL"
	case presence(f) && nullable:
		return c.text + " IS NOT NULL"
	case presence(f):
		return constant(f.Op != scim.Eq)
	case !ok:
		return never
	case !nullable:
		return "(" + b.holds(c, f.Path.Leaf(), f.Op, f.Value) + ")"
	case f.Op == scim.Ne:
		return "(" + c.text + " IS NULL OR " + b.holds(c, f.Path.Leaf(), f.Op, f.Value) + ")"
	}
	return "(" + c.text + " IS NOT NULL AND " + b.holds(c, f.Path.Leaf(), f.Op, f.Value) + ")"
}

func constant(v bool) string {
	if v {
		return always
	}
	return never
}

// schemas says that r has a schema of which want is true. Every resource has
// its type's own, and some of the extensions.
func (b *builder) schemas(want func(urn string) bool) string {
	if want(b.t.Schema.ID) {
		return always
	}
	s := ""
	for _, x := range b.t.Extensions {
		if !want(x.Schema.ID) {
			continue
		}
		if s != "" {
			s += " OR "
		}
		s += b.o.Dialect.Contains("' ' || r.schemas || ' '", "", " "+x.Schema.ID+" ", b.bind)
	}
	if s == "" {
		return never
	}
	return "(" + s + ")"
}
