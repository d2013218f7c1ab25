package lookingglass

import (
	"errors"
	"iter"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rollcall-scim/rollcall/scim"
)

// tape is a JSON text taken apart: its values and names in the order in which
// they begin, each with the place of what follows it. To read one into a tape
// that was used before takes no memory of its own. The zero value is ready.
type tape struct{ list []mark }

// mark is a value, or the name of a member, which stands before its value.
type mark struct {
	kind  byte   // as jsontext.Kind: { [ " 0 t f n
	after int32  // index of what follows the value and all that is in it
	text  string // of a text, decoded; of a number, as it is written
	raw   string // as it is written to JSON; not of { and [
	word  *word  // of a name
}

// mostMarks is how long a tape may get and still be kept for the next text.
const mostMarks = 8192

// reset empties the tape.
func (t *tape) reset() {
	if cap(t.list) > mostMarks {
		t.list = nil
	}
	clear(t.list)
	t.list = t.list[:0]
}

// append appends the value at i as JSON.
func (t *tape) append(b []byte, i int) []byte {
	m := &t.list[i]
	switch m.kind {
	case '{':
		b = append(b, '{')
		for j := i + 1; j < int(m.after); j = int(t.list[j+1].after) {
			if j > i+1 {
				b = append(b, ',')
			}
			b = append(append(b, t.list[j].raw...), ':')
			b = t.append(b, j+1)
		}
		return append(b, '}')
	case '[':
		b = append(b, '[')
		for j := i + 1; j < int(m.after); j = int(t.list[j].after) {
			if j > i+1 {
				b = append(b, ',')
			}
			b = t.append(b, j)
		}
		return append(b, ']')
	}
	return append(b, m.raw...)
}

// set makes the value at i a text.
func (t *tape) set(i int, text string) {
	t.list[i] = mark{kind: '"', after: t.list[i].after, text: text, raw: string(scim.AppendString(nil, text))}
}

// at is the value with that index.
func (t *tape) at(i int) node { return node{t, i} }

// node is a value on a tape, as long as that is not read anew; the zero value is
// none. Texts of it are parts of the whole JSON text, which they keep in memory.
type node struct {
	t *tape
	i int
}

func (n node) is(kind byte) bool { return n.t != nil && n.t.list[n.i].kind == kind }

// text returns a text, or "".
func (n node) text() string {
	if !n.is('"') {
		return ""
	}
	return n.t.list[n.i].text
}

// members goes through those of an object.
func (n node) members() iter.Seq2[string, node] {
	return func(yield func(string, node) bool) {
		if !n.is('{') {
			return
		}
		for j := n.i + 1; j < int(n.t.list[n.i].after); j = int(n.t.list[j+1].after) {
			if !yield(n.t.list[j].text, node{n.t, j + 1}) {
				return
			}
		}
	}
}

// elements goes through those of an array.
func (n node) elements() iter.Seq[node] {
	return func(yield func(node) bool) {
		if !n.is('[') {
			return
		}
		for j := n.i + 1; j < int(n.t.list[n.i].after); j = int(n.t.list[j].after) {
			if !yield(node{n.t, j}) {
				return
			}
		}
	}
}

// get returns the first member of exactly that name.
func (n node) get(name string) node {
	for m, v := range n.members() {
		if m == name {
			return v
		}
	}
	return node{}
}

// has reports whether there is a member of exactly that name that is not null.
func (n node) has(name string) bool {
	v := n.get(name)
	return v.t != nil && !v.is('n')
}

// lookup returns the first member of that name in any case.
func (n node) lookup(name string) node {
	for m, v := range n.members() {
		if strings.EqualFold(m, name) {
			return v
		}
	}
	return node{}
}

// The faults of a JSON text.
var (
	errSyntax = errors.New("no JSON")
	errEnds   = errors.New("it ends too soon")
)

// scanner reads a JSON text into a tape.
type scanner struct {
	*tape
	s     string
	at    int
	cut   bool
	ended bool // at the cut
	word  func(string) *word
}

// read takes s apart as parse does: with cut it may end anywhere, and what it
// leaves open is closed and marked by cutHere. word tells what is known of a
// name.
func (t *tape) read(s string, cut bool, word func(string) *word) error {
	t.reset()
	c := scanner{tape: t, s: s, cut: cut, word: word}
	kept, err := c.value(0)
	if err != nil {
		return err
	}
	if c.ended {
		if !kept {
			c.scalar('"', cutHere, `"`+cutHere+`"`)
		}
		return nil
	}
	if c.space(); c.at < len(s) {
		return errSyntax
	}
	return nil
}

func (c *scanner) space() {
	for c.at < len(c.s) && (c.s[c.at] == ' ' || c.s[c.at] == '\n' || c.s[c.at] == '\r' || c.s[c.at] == '\t') {
		c.at++
	}
}

// more skips blanks, and reports whether the text goes on.
func (c *scanner) more() (bool, error) {
	c.space()
	if c.at < len(c.s) {
		return true, nil
	}
	return false, c.end()
}

// end is what becomes of a text that ends too soon.
func (c *scanner) end() error {
	if !c.cut {
		return errEnds
	}
	c.ended = true
	return nil
}

func (c *scanner) scalar(kind byte, text, raw string) {
	c.list = append(c.list, mark{kind: kind, after: int32(len(c.list) + 1), text: text, raw: raw})
}

// value reads a value; kept is false if it is not there, or only a part of it.
func (c *scanner) value(depth int) (kept bool, err error) {
	if more, err := c.more(); !more {
		return false, err
	}
	switch b := c.s[c.at]; b {
	case '{', '[':
		if depth >= deepest {
			return false, errDeep
		}
		c.at++
		i := len(c.list)
		c.list = append(c.list, mark{kind: b})
		if b == '{' {
			err = c.object(depth + 1)
		} else {
			err = c.array(depth + 1)
		}
		c.list[i].after = int32(len(c.list))
		return true, err
	case '"':
		return c.text()
	case 't':
		return c.literal("true")
	case 'f':
		return c.literal("false")
	case 'n':
		return c.literal("null")
	}
	return c.number()
}

func (c *scanner) object(depth int) error {
	for first := true; ; first = false {
		if more, err := c.more(); !more {
			c.cutMember()
			return err
		}
		switch b := c.s[c.at]; {
		case b == '}':
			c.at++
			return nil
		case first:
		case b != ',':
			return errSyntax
		default:
			c.at++
			if more, err := c.more(); !more {
				c.cutMember()
				return err
			}
		}
		if c.s[c.at] != '"' {
			return errSyntax
		}
		i := len(c.list)
		kept, err := c.text()
		if err == nil && kept {
			c.list[i].word = c.word(c.list[i].text)
			if kept, err = c.more(); kept {
				if c.s[c.at] != ':' {
					return errSyntax
				}
				c.at++
				kept, err = c.value(depth)
			}
		}
		if err != nil {
			return err
		}
		if !kept {
			c.list = c.list[:i]
		}
		if c.ended {
			c.cutMember()
			return nil
		}
	}
}

// cutMember marks the place where an object was cut.
func (c *scanner) cutMember() {
	c.scalar('"', cutHere, `"`+cutHere+`"`)
	c.list[len(c.list)-1].word = c.word(cutHere)
	c.scalar('n', "", "null")
}

func (c *scanner) array(depth int) error {
	for first := true; ; first = false {
		more, err := c.more()
		if err != nil {
			return err
		}
		if more {
			switch b := c.s[c.at]; {
			case b == ']':
				c.at++
				return nil
			case first:
			case b != ',':
				return errSyntax
			default:
				c.at++
			}
			if _, err := c.value(depth); err != nil {
				return err
			}
		}
		if c.ended {
			c.scalar('"', cutHere, `"`+cutHere+`"`)
			return nil
		}
	}
}

func (c *scanner) literal(word string) (kept bool, err error) {
	for i := range len(word) {
		if c.at+i == len(c.s) {
			return false, c.end()
		}
		if c.s[c.at+i] != word[i] {
			return false, errSyntax
		}
	}
	c.at += len(word)
	c.scalar(word[0], "", word)
	return true, nil
}

// number reads a number (RFC 8259 §6).
func (c *scanner) number() (kept bool, err error) {
	start := c.at
	if c.s[c.at] == '-' {
		c.at++
	}
	zero := c.at < len(c.s) && c.s[c.at] == '0'
	n := c.digits()
	if n == 0 || zero && n > 1 {
		return c.broken(n == 0)
	}
	if c.at < len(c.s) && c.s[c.at] == '.' {
		c.at++
		if c.digits() == 0 {
			return c.broken(true)
		}
	}
	if c.at < len(c.s) && c.s[c.at]|0x20 == 'e' {
		c.at++
		if c.at < len(c.s) && (c.s[c.at] == '+' || c.s[c.at] == '-') {
			c.at++
		}
		if c.digits() == 0 {
			return c.broken(true)
		}
	}
	raw := c.s[start:c.at]
	c.scalar('0', raw, raw)
	return true, nil
}

func (c *scanner) digits() (n int) {
	for ; c.at < len(c.s) && '0' <= c.s[c.at] && c.s[c.at] <= '9'; c.at++ {
		n++
	}
	return n
}

// broken is a number that lacks a digit here, or is none.
func (c *scanner) broken(lacking bool) (kept bool, err error) {
	if lacking && c.at == len(c.s) {
		return false, c.end()
	}
	return false, errSyntax
}

func (c *scanner) text() (kept bool, err error) {
	start, escaped := c.at, false
	for c.at++; c.at < len(c.s); {
		switch b := c.s[c.at]; {
		case b == '"':
			c.at++
			return true, c.whole(c.s[start:c.at], escaped)
		case b == '\\':
			escaped = true
			c.at += 2
		case b < ' ':
			return false, errSyntax
		case b < utf8.RuneSelf:
			c.at++
		default:
			r, n := utf8.DecodeRuneInString(c.s[c.at:])
			if r == utf8.RuneError && n == 1 {
				if utf8.FullRuneInString(c.s[c.at:]) {
					return false, errSyntax
				}
				c.at = len(c.s)
				return false, c.end()
			}
			c.at += n
		}
	}
	c.at = len(c.s)
	return false, c.end()
}

// whole adds a text that was read to its end.
func (c *scanner) whole(raw string, escaped bool) error {
	if !escaped {
		c.scalar('"', raw[1:len(raw)-1], raw)
		return nil
	}
	b, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return errSyntax
	}
	text := string(b)
	c.scalar('"', text, string(scim.AppendString(b[:0], text)))
	return nil
}
