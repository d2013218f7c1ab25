package schema

import (
	"embed"
	"io/fs"

	"github.com/rollcall-scim/rollcall/scim"
)

//go:embed core/*.json
var embedded embed.FS

// Core returns fresh resource types of RFC 7643 §4: User with the Enterprise
// extension, and Group. Their schemas are those of §8.7.1 with the errata that
// docs/divergences.md lists.
func Core() []*scim.ResourceType { return standard().types }

// Service returns the schemas of RFC 7643 §5–7 (ServiceProviderConfig,
// ResourceType, Schema), which /Schemas lists too.
func Service() []*scim.Schema {
	c := standard()
	list := make([]*scim.Schema, 0, 3)
	for _, urn := range []string{scim.ServiceProviderConfigURN, scim.ResourceTypeURN, scim.SchemaURN} {
		list = append(list, c.schema(urn).Schema)
	}
	return list
}

// standard reads the embedded files, by the code that reads an operator's.
func standard() *catalogue {
	files, err := fs.Sub(embedded, "core")
	if err != nil {
		panic(err) // the name is a constant
	}
	c := new(catalogue)
	c.read(files)
	c.bind()
	if len(c.faults) > 0 {
		panic(c.faults[0]) // the files are part of the program, and tested
	}
	return c
}
