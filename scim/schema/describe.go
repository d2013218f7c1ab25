package schema

import "github.com/rollcall-scim/rollcall/scim"

// Describe returns a Schema as /Schemas serves it (RFC 7643 §7), without meta.
// Every characteristic is spelled out, and nothing is null.
func Describe(s *scim.Schema) scim.Object {
	return scim.Object{
		{Name: "schemas", Value: []any{scim.SchemaURN}},
		{Name: "id", Value: s.ID},
		{Name: "name", Value: s.Name},
		{Name: "description", Value: s.Description},
		{Name: "attributes", Value: describeAttributes(s.Attributes)},
	}
}

func describeAttributes(attrs []*scim.Attribute) []any {
	list := make([]any, len(attrs))
	for i, a := range attrs {
		o := scim.Object{
			{Name: "name", Value: a.Name},
			{Name: "type", Value: string(a.Type)},
			{Name: "multiValued", Value: a.MultiValued},
			{Name: "description", Value: a.Description},
			{Name: "required", Value: a.Required},
		}
		if a.CanonicalValues != nil {
			o = append(o, scim.Member{Name: "canonicalValues", Value: texts(a.CanonicalValues)})
		}
		o = append(o, scim.Object{
			{Name: "caseExact", Value: a.CaseExact},
			{Name: "mutability", Value: string(a.Mutability)},
			{Name: "returned", Value: string(a.Returned)},
			{Name: "uniqueness", Value: string(a.Uniqueness)},
		}...)
		if a.ReferenceTypes != nil {
			o = append(o, scim.Member{Name: "referenceTypes", Value: texts(a.ReferenceTypes)})
		}
		if a.SubAttributes != nil {
			o = append(o, scim.Member{Name: "subAttributes", Value: describeAttributes(a.SubAttributes)})
		}
		list[i] = o
	}
	return list
}

// DescribeType returns a ResourceType as /ResourceTypes serves it (RFC 7643
// §6), without meta. Its id is its name.
func DescribeType(t *scim.ResourceType) scim.Object {
	extensions := make([]any, len(t.Extensions))
	for i, x := range t.Extensions {
		extensions[i] = scim.Object{{Name: "schema", Value: x.Schema.ID}, {Name: "required", Value: x.Required}}
	}
	return scim.Object{
		{Name: "schemas", Value: []any{scim.ResourceTypeURN}},
		{Name: "id", Value: t.Name},
		{Name: "name", Value: t.Name},
		{Name: "description", Value: t.Description},
		{Name: "endpoint", Value: t.Endpoint},
		{Name: "schema", Value: t.Schema.ID},
		{Name: "schemaExtensions", Value: extensions},
	}
}

func texts(list []string) []any {
	values := make([]any, len(list))
	for i, s := range list {
		values[i] = s
	}
	return values
}
