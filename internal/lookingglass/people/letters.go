package people

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// alike are letters of other scripts that look like a Latin one.
var alike = map[rune]rune{
	'а': 'a', 'с': 'c', 'е': 'e', 'һ': 'h', 'і': 'i', 'ј': 'j', 'ӏ': 'l', 'о': 'o', 'р': 'p', 'ԛ': 'q', 'ѕ': 's', 'ԝ': 'w', 'х': 'x', 'у': 'y',
	'А': 'A', 'В': 'B', 'С': 'C', 'Е': 'E', 'Н': 'H', 'І': 'I', 'Ј': 'J', 'К': 'K', 'М': 'M', 'О': 'O', 'Р': 'P', 'Ѕ': 'S', 'Т': 'T', 'Х': 'X', 'У': 'Y',
	'α': 'a', 'ο': 'o', 'ν': 'v', 'ι': 'i', 'ρ': 'p', 'υ': 'u', 'κ': 'k', 'χ': 'x',
	'Α': 'A', 'Β': 'B', 'Ε': 'E', 'Ζ': 'Z', 'Η': 'H', 'Ι': 'I', 'Κ': 'K', 'Μ': 'M', 'Ν': 'N', 'Ο': 'O', 'Ρ': 'P', 'Τ': 'T', 'Υ': 'Y', 'Χ': 'X',
	'ı': 'i', 'ɡ': 'g', 'ⅼ': 'l', '‐': '-', '‑': '-', '–': '-', '—': '-', '−': '-', '’': '\'', '‘': '\'', '․': '.', '＠': '@',
}

// lookers is the reverse: what may stand for an ASCII character. The digits that
// are taken for letters, and the letters for digits, are among it.
var lookers = map[rune]string{
	'a': "аα", 'c': "с", 'e': "е", 'h': "һ", 'i': "іl1", 'j': "ј", 'l': "ӏ1i", 'o': "оο0", 'p': "рρ", 's': "ѕ", 'x': "х", 'y': "у",
	'0': "o", '1': "li", '-': "‑–", '\'': "’",
}

// plain returns s with look-alike letters as the Latin ones they look like, and
// without accents.
func plain(s string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(s) {
		if unicode.Is(unicode.Mn, r) {
			continue
		}
		if l, ok := alike[r]; ok {
			r = l
		}
		b.WriteRune(r)
	}
	return norm.NFC.String(b.String())
}

// disguises returns s with one character, or all of one kind, replaced by what
// looks like it, at most n texts.
func disguises(s string, n int) (list []string) {
	var whole strings.Builder
	for i, r := range s {
		others := []rune(lookers[unicode.ToLower(r)])
		if len(others) == 0 {
			whole.WriteRune(r)
			continue
		}
		if r < 'a' && r > '9' || others[0] < 0x80 {
			whole.WriteRune(r)
		} else {
			whole.WriteRune(others[0])
		}
		for _, o := range others {
			if len(list) < n-1 {
				list = append(list, s[:i]+string(o)+s[i+len(string(r)):])
			}
		}
	}
	if w := whole.String(); w != s {
		list = append(list, w)
	}
	return list
}

// invisible reports whether r is a blank, a control character or one that shows
// nothing.
func invisible(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == 'ㅤ' || r == '⠀'
}

// bare returns s without blanks and invisible characters, also inside.
func bare(s string) string {
	return strings.Map(func(r rune) rune {
		if invisible(r) {
			return -1
		}
		return r
	}, s)
}
