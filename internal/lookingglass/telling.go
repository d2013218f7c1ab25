package lookingglass

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// telling are parts of names that no schema here may know and that yet say
// that the value is a secret, squeezed.
var telling = []string{"password", "passwd", "pwd", "passphrase", "passcode", "privatekey", "apikey", "secret", "token", "credential"}

// tellingWords say so only as whole words.
var tellingWords = []string{"pin", "otp", "pass"}

// plainly undoes what makes one name look like another: compatibility forms,
// and characters that nobody sees.
func plainly(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return strings.Map(func(c rune) rune {
				if unicode.In(c, unicode.Cf, unicode.Cc) {
					return -1
				}
				return c
			}, norm.NFKC.String(s))
		}
	}
	return s
}

// squeeze is fold without what people write between the words of a name.
func squeeze(s string) string {
	s = fold(plainly(s))
	if !strings.ContainsAny(s, "-_. \t") {
		return s
	}
	return strings.Map(func(c rune) rune {
		if strings.ContainsRune("-_. \t", c) {
			return -1
		}
		return c
	}, s)
}

// tells reports whether the name alone says that its text is a secret.
func tells(name string) bool {
	s := squeeze(name)
	if slices.ContainsFunc(telling, func(part string) bool { return strings.Contains(s, part) }) {
		return true
	}
	if !slices.ContainsFunc(tellingWords, func(w string) bool { return strings.Contains(s, w) }) {
		return false
	}
	name = plainly(name)
	start, before := 0, ' '
	word := func(end int) bool { return slices.Contains(tellingWords, fold(name[start:end])) }
	for i, c := range name {
		if !unicode.IsLetter(c) || unicode.IsUpper(c) && unicode.IsLower(before) {
			if word(i) {
				return true
			}
			start = i
			if !unicode.IsLetter(c) {
				start += utf8.RuneLen(c)
			}
		}
		before = c
	}
	return word(len(name))
}

// assigns reports whether a text that is no JSON sets something whose name is a
// secret's.
func (r *redaction) assigns(s string) bool {
	at := assignment(s, 0)
	if at < 0 {
		return false
	}
	if p := plainly(s); p != s {
		s, at = p, assignment(p, 0)
	}
	for ; at >= 0; at = assignment(s, at+1) {
		name := assigned(s[max(at-80, 0):at])
		if name == "" || s[at] == ':' && '0' <= name[0] && name[0] <= '9' { // a time
			continue
		}
		if w := r.word(name); w.secret || w.tells {
			return true
		}
	}
	return false
}

// assignment is where from there on what follows a name that something is
// assigned to stands next, or -1.
func assignment(s string, from int) int {
	for ; from < len(s); from++ {
		if c := s[from]; c == '=' || c == ':' || c == '>' {
			return from
		}
	}
	return -1
}

// assigned returns the name that s ends with, if something is assigned to it.
func assigned(s string) string {
	s = strings.TrimRight(s, " \t\"']")
	start := len(s)
	for start > 0 {
		if c := s[start-1]; c >= utf8.RuneSelf {
			return s[1+strings.LastIndexFunc(s, func(c rune) bool {
				return !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("_.%-", c)
			}):]
		} else if !('0' <= c && c <= '9') && !('a' <= c|0x20 && c|0x20 <= 'z') && c != '_' && c != '.' && c != '%' && c != '-' {
			break
		}
		start--
	}
	return s[start:]
}

// pair is a parameter in a header field or in a segment of a path.
var pair = regexp.MustCompile(`([\w.%-]+)(\s*=\s*)("[^"]*"?|[^;,&/?\s"]+)`)

// pairs masks the parameters of s whose names tell.
func (r *redaction) pairs(s string) string {
	if !strings.Contains(s, "=") || !r.assigns(s) {
		return s
	}
	return pair.ReplaceAllStringFunc(s, func(m string) string {
		p := pair.FindStringSubmatch(m)
		if !r.names.in(p[1]) && !tells(p[1]) {
			return m
		}
		r.hide(strings.Trim(p[3], `"`))
		return p[1] + p[2] + mask
	})
}

// link is a URL, or a path with a query, within a header field.
var link = regexp.MustCompile(`[^\s"'<>(),]*(?:://|\?)[^\s"'<>()]*`)

// line masks what may be secret in the URLs of a header field, and its telling
// parameters; the rest stays as it is written.
func (r *redaction) line(value string) string {
	if strings.Contains(value, "?") || strings.Contains(value, "://") && strings.ContainsAny(value, "@#") {
		value = link.ReplaceAllStringFunc(value, r.link)
	}
	return r.pairs(value)
}

func (r *redaction) link(s string) string {
	s, fragment, _ := strings.Cut(s, "#")
	r.hide(fragment)
	s, query, asked := strings.Cut(s, "?")
	if scheme, rest, ok := strings.Cut(s, "://"); ok {
		host, path, below := strings.Cut(rest, "/")
		if at := strings.LastIndexByte(host, '@'); at >= 0 {
			r.hide(host[:at])
			_, password, _ := strings.Cut(host[:at], ":")
			r.hide(password)
			host = host[at+1:]
		}
		s = scheme + "://" + host
		if below {
			s += "/" + path
		}
	}
	if asked {
		_, sent := r.query(query)
		s += "?" + sent
	}
	return s
}
