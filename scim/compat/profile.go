package compat

import "slices"

// Strict returns the profile without tolerances: RFC 7643 and RFC 7644 to the
// letter, as conformance suites want to see them.
func Strict() Profile { return Profile{Name: "strict"} }

// Auto returns the default profile: every tolerance whose wrong guess can't
// lose data or grant access.
func Auto() Profile {
	return Profile{Name: "auto", Switches: Switches{
		StringBooleans:   true,
		EmptyUnassigns:   true,
		AnySchemas:       true,
		IgnoreUnknown:    true,
		WrapSingles:      true,
		UnwrapSingles:    true,
		BareReferences:   true,
		FreeFormats:      true,
		UnquotedStrings:  true,
		CreateOnNoMatch:  true,
		RemoveByValue:    true,
		EmptyOperations:  true,
		DottedKeys:       true,
		IgnoreReadOnly:   true,
		SkipUnknownPaths: true,
		UniqueGroupNames: true,
		KeepActive:       true,
		UnknownManager:   true,
		AllGroups:        true,
		DecodeTwice:      true,
		LaxAccept:        true,
		MediaByAccept:    true,
	}}
}

// named are the profiles of clients: each is Auto, bent.
var named = []struct {
	name string
	bend func(*Switches)
}{
	{"okta", func(s *Switches) { s.UnquotedStrings, s.EmptyOperations, s.MediaByAccept = false, false, false }},
	{"entra", func(s *Switches) { s.UnquotedStrings, s.MediaByAccept = false, false }},
	{"sailpoint", func(s *Switches) { s.UnquotedStrings = false }},
	{"onelogin", func(s *Switches) { s.UnquotedStrings, s.JSONMediaType, s.GroupPatchBody = false, true, true }},
	{"ping", func(s *Switches) { s.UnquotedStrings = false }},
	{"jumpcloud", func(s *Switches) { s.UnquotedStrings = false }},
	{"google", func(s *Switches) { s.UnquotedStrings = false }},
	{"authentik", func(*Switches) {}},
}

// Lookup returns the profile called name, in lower case, or false.
func Lookup(name string) (Profile, bool) {
	switch name {
	case "auto":
		return Auto(), true
	case "strict":
		return Strict(), true
	}
	for _, n := range named {
		if n.name == name {
			p := Auto()
			p.Name = name
			n.bend(&p.Switches)
			return p, true
		}
	}
	return Profile{}, false
}

// Names returns the names of all profiles: auto, strict, then those of clients
// in alphabetical order.
func Names() []string {
	names := make([]string, 0, len(named))
	for _, n := range named {
		names = append(names, n.name)
	}
	slices.Sort(names)
	return append([]string{"auto", "strict"}, names...)
}
