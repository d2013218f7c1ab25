package filter

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/rollcall-scim/rollcall/scim"
)

// token is one lexical element. Words hold all that is neither a bracket nor a
// string: names, operators, numbers.
type token struct {
	kind  byte   // 'w' word, 's' string, one of ( ) [ ], or 0 at the end
	text  string // a string's is unescaped
	pos   int    // byte offset
	glued bool   // no blank stands before it
}

const blanks = " \t\r\n"

// lex cuts s into tokens, the last of kind 0.
func lex(s string) ([]token, error) {
	if !utf8.ValidString(s) {
		return nil, fault(s, 0, "the text is not valid UTF-8 (RFC 3629)")
	}
	tokens := make([]token, 0, 16)
	for pos := 0; ; {
		start := pos
		for pos < len(s) && strings.IndexByte(blanks, s[pos]) >= 0 {
			pos++
		}
		t := token{pos: pos, glued: pos == start && pos > 0}
		if pos == len(s) {
			return append(tokens, t), nil
		}
		switch c := s[pos]; c {
		case '(', ')', '[', ']':
			t.kind, t.text = c, s[pos:pos+1]
			pos++
		case '"':
			text, n, err := unquote(s, pos)
			if err != nil {
				return nil, err
			}
			t.kind, t.text = 's', text
			pos += n
		default:
			n := strings.IndexAny(s[pos:], blanks+`()[]"`)
			if n < 0 {
				n = len(s) - pos
			}
			t.kind, t.text = 'w', s[pos:pos+n]
			pos += n
		}
		tokens = append(tokens, t)
	}
}

// unquote reads the JSON string (RFC 8259 §7) that begins at start, and
// returns how many bytes it takes. Its faults give no part of the text, which
// may be a secret.
func unquote(s string, start int) (string, int, error) {
	i := start + 1
	for i < len(s) && s[i] != '"' && s[i] != '\\' && s[i] >= ' ' {
		i++
	}
	if i < len(s) && s[i] == '"' {
		return s[start+1 : i], i + 1 - start, nil
	}
	b := []byte(s[start+1 : i])
	for i < len(s) {
		switch c := s[i]; {
		case c == '"':
			return string(b), i + 1 - start, nil
		case c < ' ':
			return "", 0, fault(s, i, "a control character stands in a string; write it as \\u%04x (RFC 8259 §7)", c)
		case c != '\\':
			b = append(b, c)
			i++
			continue
		}
		r, n := escape(s[i:])
		if n == 0 {
			return "", 0, fault(s, i, `a backslash in a string begins no escape of JSON; a backslash itself is written \\ (RFC 8259 §7)`)
		}
		b = utf8.AppendRune(b, r)
		i += n
	}
	return "", 0, fault(s, start, "the string that begins here has no closing quote")
}

// escape reads one escape sequence and returns its length, 0 if it is none or
// half a surrogate pair.
func escape(s string) (rune, int) {
	if len(s) < 2 {
		return 0, 0
	}
	if s[1] == 'u' {
		r := hex4(s)
		if !utf16.IsSurrogate(r) {
			if r < 0 {
				return 0, 0
			}
			return r, 6
		}
		if r = utf16.DecodeRune(r, hex4(s[6:])); r != utf8.RuneError {
			return r, 12
		}
		return 0, 0
	}
	if i := strings.IndexByte(`"\/bfnrt`, s[1]); i >= 0 {
		return rune("\"\\/\b\f\n\r\t"[i]), 2
	}
	return 0, 0
}

// hex4 reads \uXXXX, or returns -1.
func hex4(s string) rune {
	if len(s) < 6 || s[:2] != `\u` {
		return -1
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}

// fault returns an invalidFilter error that ends in a position: a character of
// s, counted from 1.
func fault(s string, pos int, format string, args ...any) *scim.Error {
	e := scim.Errorf(scim.TypeInvalidFilter, format, args...)
	e.Detail += ", at character " + strconv.Itoa(utf8.RuneCountInString(s[:pos])+1)
	return e
}

// shown quotes a piece of the client's text for an error message.
func shown(s string) string {
	const most = 60
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return strconv.Quote(s)
}
