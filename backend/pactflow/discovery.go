package pactflow

import (
	"embed"
	"io/fs"
	"slices"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

//go:embed schemas/*.json
var schemas embed.FS

// Types returns the resource types that PactFlow can keep, User and Group, with
// the attributes that it stores.
func Types() []*scim.ResourceType {
	files, err := fs.Sub(schemas, "schemas")
	if err != nil {
		panic(err) // the name is a constant
	}
	types, err := schema.Read(nil, files)
	if err != nil {
		panic(err) // the files are part of the program, and tested
	}
	return types
}

// unstored are the attributes of RFC 7643 §4 that PactFlow has no place for.
var unstored = []string{
	"name.middleName", "name.honorificPrefix", "name.honorificSuffix",
	"nickName", "profileUrl", "title", "preferredLanguage", "locale", "timezone", "password",
	"emails.display", "emails.type",
	"phoneNumbers", "ims", "photos", "addresses", "entitlements", "x509Certificates",
	"roles.primary",
	scim.EnterpriseUserURN,
}

// Traits says what PactFlow can't do (scim.Capable).
func (b *Backend) Traits() scim.Traits {
	return scim.Traits{
		PutMerges:    true,
		OwnRequired:  true,
		NoVersions:   true,
		NoBulk:       true,
		WholeSeconds: true,
		RelativeRefs: true,
		ShortLists:   true,
		Unstored:     slices.Clone(unstored),
	}
}
