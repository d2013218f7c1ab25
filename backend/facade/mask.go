package facade

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText bounds what is told of an application's own words.
const maxText = 512

var (
	bearer   = regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{4,}`)
	userInfo = regexp.MustCompile(`//[^/@\s"]*@`)
	assigned = regexp.MustCompile(`(?i)((?:password|passwd|secret|token|api[_-]?key|authorization|credential)[a-z_]*["']?\s*[=:]\s*["']?)[^\s"'&,;}]+`)
	guessed  = regexp.MustCompile(`(?i)password|passwd|passphrase|secret|credential`)
	drawn    = regexp.MustCompile(`(?i)token|authorization|cookie|api[_-]?key`)
)

// mask stands for a secret that was drawn at random: it tells two apart, and
// none can be recovered. One that a person has chosen could be guessed by it.
func mask(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "Bearer ***(sha256:" + hex.EncodeToString(sum[:4]) + ")"
}

// strip takes the token, and what looks like one, out of a text.
func strip(s, token string) string {
	if token != "" {
		s = strings.ReplaceAll(s, token, "***")
	}
	s = userInfo.ReplaceAllString(s, "//***@")
	return bearer.ReplaceAllString(s, "$1 ***")
}

// redact also takes out what a text says a secret is.
func redact(s, token string) string {
	return assigned.ReplaceAllString(strip(s, token), "${1}***")
}

// clean makes of an application's words what a client and a log may see: one
// line, without control characters and secrets, of at most n characters.
func clean(s, token string, n int) string {
	if len(s) > maxComplaint {
		s = s[:maxComplaint]
	}
	s = redact(strings.ToValidUTF8(s, "\uFFFD"), token)
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) > n {
		s = string([]rune(s)[:n-1]) + "…"
	}
	return s
}

// masked is an error whose text is clean.
type masked struct {
	text string
	err  error
}

func (m masked) Error() string { return m.text }
func (m masked) Unwrap() error { return m.err }

// maskHeader returns a copy of h for the log.
func maskHeader(h http.Header, token string) map[string]string {
	shown := make(map[string]string, len(h))
	for name, values := range h {
		v := strings.Join(values, ", ")
		switch {
		case name == "Authorization":
			v = mask(strings.TrimPrefix(v, "Bearer "))
		case guessed.MatchString(name):
			v = "***"
		case drawn.MatchString(name):
			v = mask(v)
		default:
			v = redact(v, token)
		}
		shown[name] = v
	}
	return shown
}

// maskURL returns the address for the log.
func maskURL(u *url.URL, token string) string { return redact(u.Redacted(), token) }

// maskBody returns a body, or its beginning, for the log: JSON without the
// values of properties that are called a secret, anything else as text.
func maskBody(body []byte, token string) string {
	b := bytes.TrimSpace(body)
	if len(b) > 0 && (b[0] == '{' || b[0] == '[') {
		return maskJSON(b, token)
	}
	return redact(strings.ToValidUTF8(string(body), "\uFFFD"), token)
}

// maskJSON writes JSON again token by token, as far as it goes: the body may be
// cut short. What is below a secret name is masked as a whole.
func maskJSON(b []byte, token string) string {
	m := masker{in: json.NewDecoder(bytes.NewReader(b)), token: token}
	m.in.UseNumber()
	if !m.value(asIs) {
		m.out.WriteString("…")
	}
	return m.out.String()
}

// How a value is shown.
const (
	asIs   = iota
	marked // by its mask
	hidden
)

type masker struct {
	in    *json.Decoder
	token string
	out   strings.Builder
}

// value copies one value; false at the end of what can be read.
func (m *masker) value(how int) bool {
	t, err := m.in.Token()
	if err != nil {
		return false
	}
	open, ok := t.(json.Delim)
	if !ok {
		m.scalar(t, how)
		return true
	}
	m.out.WriteString(open.String())
	for first := true; m.in.More(); first = false {
		if !first {
			m.out.WriteByte(',')
		}
		below := how
		if open == '{' {
			name, err := m.in.Token()
			if err != nil {
				return false
			}
			m.scalar(name, asIs)
			m.out.WriteByte(':')
			s, _ := name.(string)
			switch {
			case guessed.MatchString(s):
				below = hidden
			case drawn.MatchString(s):
				below = max(how, marked)
			}
		}
		if !m.value(below) {
			return false
		}
	}
	end, err := m.in.Token()
	if err != nil {
		return false
	}
	m.out.WriteString(end.(json.Delim).String())
	return true
}

func (m *masker) scalar(t json.Token, how int) {
	s, text := t.(string)
	switch {
	case t == nil || how == asIs && !text:
	case how == asIs:
		t = redact(s, m.token)
	case how == marked && text:
		t = mask(s)
	default:
		t = "***"
	}
	if b, err := encode(t); err == nil {
		m.out.Write(b)
	}
}
