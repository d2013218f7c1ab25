// Package compat knows what real clients get wrong and how it is met: the
// profiles and rules of the compatibility table.
package compat

import "github.com/rollcall-scim/rollcall/scim"

// Switches are the named behaviours that schema, filter, patch and engine take
// as their own options. No switch names a client. The zero value is strict.
type Switches struct {
	StringBooleans, EmptyUnassigns, AnySchemas, IgnoreUnknown, WrapSingles, UnwrapSingles, BareReferences, FreeFormats bool // schema.Options
	UnquotedStrings                                                                                                    bool // filter.Options
	CreateOnNoMatch, RemoveByValue, EmptyOperations, DottedKeys, IgnoreReadOnly, SkipUnknownPaths                      bool // patch.Options
	UniqueGroupNames                                                                                                   bool // GRP-09: Group.displayName is unique
	KeepActive                                                                                                         bool // LIFE-08: PUT without active keeps it
	UnknownManager                                                                                                     bool // BODY-08: a manager that does not exist is stored
	AllGroups                                                                                                          bool // QRY-12: GET /Groups without count and startIndex gives filter.maxResults
	DecodeTwice                                                                                                        bool // HTTP-05: a doubly encoded filter
	LaxAccept                                                                                                          bool // HTTP-02: never 406
	JSONMediaType                                                                                                      bool // HTTP-02, onelogin: answers are application/json
	GroupPatchBody                                                                                                     bool // RESP-02, onelogin: PATCH of a group answers 200 with its body
}

// Rewrite turns a body of one client into what the RFCs ask for.
type Rewrite struct {
	ID     string // the rule's id in the compatibility table
	Source string // where the deviation is documented
	Body   func(method string, t *scim.ResourceType, body scim.Object) (scim.Object, bool)
}

// Profile is how a tenant's client is met.
type Profile struct {
	Name     string // "auto", "strict", "okta" …
	Rewrites []Rewrite
	Switches Switches
}

// Strict returns the profile without tolerances: the RFC to the letter.
func Strict() Profile { return Profile{Name: "strict"} }

// Auto returns the default profile.
func Auto() Profile { return Profile{Name: "auto"} }

// Lookup returns the profile called name, or false.
func Lookup(name string) (Profile, bool) { return Profile{}, false }

// Names returns the names of all profiles.
func Names() []string { return nil }
