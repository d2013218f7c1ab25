package pactflowtest

import (
	"time"
	"unicode/utf8"
)

// output writes JSON with its keys in the order of the calls. A comma goes
// wherever a value follows a value.
type output struct {
	b     []byte
	nulls bool // absent properties are null instead of left out
}

func (o *output) key(name string) {
	if n := len(o.b); n > 0 && o.b[n-1] != '{' && o.b[n-1] != '[' {
		o.b = append(o.b, ',')
	}
	if name != "" {
		o.b = appendString(o.b, name)
		o.b = append(o.b, ':')
	}
}

func (o *output) object(name string, members func()) { o.nest(name, '{', members, '}') }

func (o *output) array(name string, elements func()) { o.nest(name, '[', elements, ']') }

func (o *output) nest(name string, open byte, inner func(), end byte) {
	o.key(name)
	o.b = append(o.b, open)
	inner()
	o.b = append(o.b, end)
}

func (o *output) text(name, value string) {
	o.key(name)
	o.b = appendString(o.b, value)
}

// raw writes a value that is JSON already.
func (o *output) raw(name, value string) {
	o.key(name)
	o.b = append(o.b, value...)
}

// maybe writes a text that may be absent.
func (o *output) maybe(name, value string) {
	switch {
	case value != "":
		o.text(name, value)
	case o.nulls:
		o.raw(name, "null")
	}
}

// time writes an instant in whole seconds.
func (o *output) time(name string, t time.Time) { o.format(name, t, `"2006-01-02T15:04:05+00:00"`) }

func (o *output) format(name string, t time.Time, layout string) {
	o.key(name)
	o.b = t.UTC().AppendFormat(o.b, layout)
}

// link writes a HAL link; an empty title or name is left out.
func (o *output) link(rel, title, name, href string) {
	o.object(rel, func() {
		if title != "" {
			o.text("title", title)
		}
		if name != "" {
			o.text("name", name)
		}
		o.text("href", href)
	})
}

func boolean(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// appendString appends a JSON string, escaping only what must be.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(b, s[start:i]...)
				b = append(b, "\ufffd"...)
				start = i + 1
			}
			i += n - 1
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		if c == '"' || c == '\\' {
			b = append(b, '\\', c)
		} else {
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}
