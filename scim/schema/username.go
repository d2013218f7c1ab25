package schema

import (
	"unicode"

	"golang.org/x/text/secure/precis"

	"github.com/rollcall-scim/rollcall/scim"
)

// username checks a user name by the UsernameCaseMapped profile (RFC 8265
// §3.3, RFC 7644 §5). Blanks and symbols, which the profile refuses and real
// directories hold, FreeFormats lets pass; characters that can't be seen or are
// no characters never do.
func (c *checker) username(path, name string) {
	if plain(name) {
		return
	}
	if _, err := precis.UsernameCaseMapped.String(name); err == nil {
		return
	}
	for _, r := range name {
		if !visible(r) {
			c.faults.add(scim.TypeInvalidValue, path, "control, format and unassigned characters are not allowed (RFC 8264 §9)")
			return
		}
	}
	c.lax(path, "a user name without blanks and symbols is expected (RFC 8265 §3.3)")
}

// plain reports whether name is printable ASCII, all of which is allowed.
func plain(name string) bool {
	for i := range len(name) {
		if name[i] <= ' ' || name[i] >= 0x7f {
			return false
		}
	}
	return true
}

func visible(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Zs)
}
