package tenant

import (
	"slices"
	"strings"
)

// Verb is what a request does, as far as scopes are concerned.
type Verb uint8

// The verbs. Discover needs a valid token and no scope.
const (
	Discover Verb = iota + 1 // ServiceProviderConfig, Schemas, ResourceTypes
	Read                     // GET, HEAD, .search
	Write                    // POST, PUT, PATCH, DELETE
	Bulk                     // a Bulk message; each operation in it is a Write besides
)

var verbs = map[Verb]string{Read: "read", Write: "write", Bulk: "bulk"}

// String returns the verb as scopes write it, "" for Discover.
func (v Verb) String() string { return verbs[v] }

// VerbOf returns what a request does by its method and the segments of its path
// below the base: "Users", ".search" (RFC 7644 §3.2). What it does not know is a
// Write.
func VerbOf(method string, path []string) Verb {
	first, last := "", ""
	if len(path) > 0 {
		first, last = strings.ToLower(path[0]), strings.ToLower(path[len(path)-1])
	}
	looks := method == "GET" || method == "HEAD"
	switch first {
	case "serviceproviderconfig", "serviceproviderconfigs", "schemas", "resourcetypes":
		if looks {
			return Discover
		}
		return Write
	case "bulk":
		return Bulk
	}
	if looks || method == "POST" && last == ".search" {
		return Read
	}
	return Write
}

// Scope is one permission: a verb, for resources of one type or, if Type is "",
// of all. The zero value permits nothing.
type Scope struct {
	Verb Verb
	Type string
}

// String returns the scope as it is written: "read", "write:Group".
func (s Scope) String() string {
	if s.Type == "" {
		return s.Verb.String()
	}
	return s.Verb.String() + ":" + s.Type
}

// Scopes are what a token permits. The zero value permits discovery alone.
type Scopes []Scope

// DefaultScopes are those of a token for which none are given: all.
func DefaultScopes() Scopes { return Scopes{{Verb: Read}, {Verb: Write}, {Verb: Bulk}} }

// mostScopes bounds the scopes of a token.
const mostScopes = 50

// ParseScopes reads scopes separated by blanks or commas: "read write:User". The
// result is sorted, and each scope in it once. No text is no scope.
func ParseScopes(text string) (Scopes, error) {
	var list Scopes
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ' ' || r == ',' }) {
		name, of, typed := strings.Cut(word, ":")
		var s Scope
		for v, n := range verbs {
			if n == name {
				s = Scope{v, of}
			}
		}
		switch {
		case s.Verb == 0:
			return nil, invalidf("%q is no scope: there are read, write and bulk, and by resource type read:User and the like", shown(word))
		case typed && s.Verb == Bulk:
			return nil, invalidf("%q is no scope: bulk has no resource type; what a Bulk message does needs its own scope for each type", shown(word))
		case typed && !typeName(of):
			return nil, invalidf("%q is no scope: %q is not the name of a resource type", shown(word), shown(of))
		}
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
		if len(list) > mostScopes {
			return nil, invalidf("a token has %d scopes at most", mostScopes)
		}
	}
	slices.SortFunc(list, func(a, b Scope) int {
		if a.Verb != b.Verb {
			return int(a.Verb) - int(b.Verb)
		}
		return strings.Compare(a.Type, b.Type)
	})
	return list, nil
}

func typeName(s string) bool {
	return s != "" && len(s) <= 100 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}

// String returns the scopes as ParseScopes reads them, and as the scope
// parameter of a challenge has them (RFC 6750 §3).
func (s Scopes) String() string {
	words := make([]string, len(s))
	for i := range s {
		words[i] = s[i].String()
	}
	return strings.Join(words, " ")
}

// Allows reports whether a request may do this to resources of the type of that
// name, without regard to case. typ "" stands for resources of every type, which
// only a scope without a type permits.
func (s Scopes) Allows(do Verb, typ string) bool {
	if do == Discover {
		return true
	}
	return slices.ContainsFunc(s, func(have Scope) bool {
		return have.Verb == do && do != 0 && (have.Type == "" || typ != "" && do != Bulk && strings.EqualFold(have.Type, typ))
	})
}
