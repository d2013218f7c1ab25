package console

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

// filterCheck is what there is to say of a filter's text.
type filterCheck struct {
	Text  string
	Fault string // why it is none; "" if it is one, or empty
	// Before, At and After are Text around the place of the fault; At is empty
	// if that is the end.
	Before, At, After string
	Marked            bool // the place is known
	Tree              *lookingglass.Node
	Rules             []string // tolerances that it needs
}

// checkFilter answers with what there is to say of a filter while it is typed.
func (c *Console) checkFilter(w http.ResponseWriter, r *http.Request) {
	t := c.typeNamed(r.FormValue("type"))
	if t == nil {
		http.Error(w, "There is no such type.", http.StatusNotFound)
		return
	}
	c.fragment(w, r, http.StatusOK, "directory.html", "check", c.check(t, strings.TrimSpace(r.FormValue("filter"))))
}

// check parses a filter and binds it to the type, as the engine would.
func (c *Console) check(t *scim.ResourceType, s string) filterCheck {
	ch := filterCheck{Text: s}
	if s == "" {
		return ch
	}
	o := filter.Options{
		UnquotedStrings: c.o.Engine().Profile().Switches.UnquotedStrings,
		Report:          func(rule string) { ch.Rules = append(ch.Rules, rule) },
	}
	f, err := filter.Parse(s, o)
	if err == nil {
		f, err = filter.Bind(t, f, o)
	}
	if err != nil {
		ch.Fault = scim.AsError(err).Detail
		ch.mark()
		return ch
	}
	ch.Tree = lookingglass.Tree(f)
	return ch
}

var (
	position = regexp.MustCompile(`, at character (\d+)$`)
	lacking  = regexp.MustCompile(`no (?:sub-)?attribute ("[^"]+")`)
	quoted   = regexp.MustCompile(`"[^"]+"`)
)

// mark finds the place that the fault speaks of: a position, or else the name
// that it quotes.
func (ch *filterCheck) mark() {
	if m := position.FindStringSubmatch(ch.Fault); m != nil {
		n, _ := strconv.Atoi(m[1]) // digits
		at := 0
		for range n - 1 {
			_, size := utf8.DecodeRuneInString(ch.Text[at:])
			at += size
		}
		ch.cut(at, len(word(ch.Text[at:])))
		return
	}
	named := quoted.FindAllString(ch.Fault, -1)
	if m := lacking.FindStringSubmatch(ch.Fault); m != nil {
		named = m[1:]
	}
	for _, name := range named {
		name = name[1 : len(name)-1]
		if i := indexFold(ch.Text, name); i >= 0 {
			ch.cut(i, len(name))
			return
		}
	}
}

func (ch *filterCheck) cut(from, n int) {
	ch.Marked = true
	ch.Before, ch.At, ch.After = ch.Text[:from], ch.Text[from:from+n], ch.Text[from+n:]
}

// word is what a text begins with that one would mark: a word, or one character.
func word(s string) string {
	if n := strings.IndexAny(s, " \t\r\n()[]"); n > 0 {
		return s[:n]
	} else if n < 0 {
		return s
	}
	_, size := utf8.DecodeRuneInString(s)
	return s[:size]
}

// indexFold returns where part stands in s as a word, without regard to case, or
// -1.
func indexFold(s, part string) int {
	inWord := func(i int) bool {
		return i >= 0 && i < len(s) && !strings.ContainsRune(" \t\r\n()[].:\"", rune(s[i]))
	}
	for i := 0; i+len(part) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(part)], part) && !inWord(i-1) && !inWord(i+len(part)) {
			return i
		}
	}
	return -1
}
