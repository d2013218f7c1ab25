package lookingglass

import (
	"net/url"
	"regexp"
	"strings"
)

// Conceal masks the credentials in a text that are told by their form, wherever
// they stand: tokens that this program makes, and JSON Web Tokens (RFC 7519).
// Parts that are percent-encoded are masked whole if they hold one.
func Conceal(s string) string {
	if len(s) < leastLength {
		return s
	}
	s = concealPlain(s)
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	return encodedPart.ReplaceAllStringFunc(s, func(part string) string {
		plain := part
		for range 3 {
			next, err := url.PathUnescape(plain)
			if err != nil || next == plain {
				break
			}
			if plain = next; concealPlain(plain) != plain {
				return mask
			}
		}
		return part
	})
}

// encodedPart is what stands between the delimiters of a URL, with a
// percent-encoded character in it.
var encodedPart = regexp.MustCompile(`[^/?&=;,\s"%]*%[^/?&=;,\s"]*`)

// The beginnings of credentials, and how many characters must follow: fewer are
// ordinary text, or so small a part of a token that it opens nothing.
const (
	managedHead, fileHead, jwtHead = "rc_", "rollcall_", "eyJ"
	leastDigits, leastJWT          = 20, 30

	leastLength = len(managedHead) + leastDigits
)

// concealPlain is Conceal without percent-encoding.
func concealPlain(s string) string {
	if len(s) < leastLength || strings.IndexByte(s, '_') < 0 && strings.IndexByte(s, 'J') < 0 {
		return s // as nearly all texts are
	}
	if strings.Contains(s, managedHead) {
		s = concealAll(s, managedHead, tokenLength)
	}
	if strings.Contains(s, fileHead) {
		s = concealAll(s, fileHead, tokenLength)
	}
	if strings.Contains(s, jwtHead) {
		s = concealAll(s, jwtHead, jwtLength)
	}
	return s
}

// concealAll masks each head with what belongs to it, of which length says how
// long it is: 0 if it is no credential.
func concealAll(s, head string, length func(rest string) int) string {
	var b strings.Builder
	done := 0
	for at := strings.Index(s, head); at >= 0; {
		after := at + len(head)
		if n := length(s[after:]); n > 0 {
			after += n
			b.WriteString(s[done:at])
			b.WriteString(mask)
			done = after
		}
		next := strings.Index(s[after:], head)
		if next < 0 {
			break
		}
		at = after + next
	}
	if done == 0 {
		return s
	}
	b.WriteString(s[done:])
	return b.String()
}

func tokenLength(rest string) int {
	n := 0
	for n < len(rest) && alphanumeric(rest[n]) {
		n++
	}
	if n < leastDigits {
		return 0
	}
	return n
}

// jwtLength is that of one with its signature, or encrypted (RFC 7515 §7.1, RFC
// 7516 §7.1).
func jwtLength(rest string) int {
	n, dots := 0, 0
	for n < len(rest) && (alphanumeric(rest[n]) || strings.IndexByte("-_.", rest[n]) >= 0) {
		if rest[n] == '.' {
			dots++
		}
		n++
	}
	if n < leastJWT || dots < 2 {
		return 0
	}
	return n
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// strays reports whether what is about to be kept of an exchange may hold a
// credential. All that it holds comes from what is looked at here.
func (r *redaction) strays(x *Exchange) bool {
	in := func(s string) bool { return Conceal(s) != s }
	if in(x.ID) || in(x.Method) || in(x.Path) || in(x.Local) || in(x.Query) || in(x.Name) || in(x.Client.How) || x.Fault != nil && in(x.Fault.Detail) {
		return true
	}
	for _, m := range [...]*Message{&x.Request, &x.Response} {
		if m.Cut || concealPlain(m.Body) != m.Body {
			return true
		}
		for i := range m.Headers {
			if in(m.Headers[i].Value) {
				return true
			}
		}
	}
	for i := range x.Changes {
		if c := &x.Changes[i]; concealPlain(c.Before) != c.Before || concealPlain(c.After) != c.After {
			return true
		}
	}
	return false
}
