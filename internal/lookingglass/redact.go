package lookingglass

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

// mask stands where a secret was.
const mask = "***"

// names are the attributes that nobody is shown (RFC 7643 §7: returned never,
// mutability writeOnly), by their folded names, wherever in a type they are:
// rather too much is masked than too little.
type names map[string]bool

// secretNames collects the names of what the types keep to themselves.
func secretNames(types []*scim.ResourceType) names {
	n := names{"password": true}
	var walk func([]*scim.Attribute)
	walk = func(list []*scim.Attribute) {
		for _, a := range list {
			if !a.Filterable() {
				n[squeeze(a.Name)] = true
			}
			walk(a.SubAttributes)
		}
	}
	for _, t := range types {
		walk(t.Schema.Attributes)
		for _, x := range t.Extensions {
			walk(x.Schema.Attributes)
		}
	}
	return n
}

// fold is how the engine compares names: by every letter's simple folding, long
// s and Kelvin sign included.
func fold(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return strings.ToLower(strings.ToUpper(s))
		}
	}
	return strings.ToLower(s)
}

// word is what is known of the name of a member.
type word struct {
	folded string
	secret bool // it names an attribute that nobody is shown
	tells  bool
	naming bool // it says what an operation is about
	holds  bool // it has the value
	op     bool
	path   bool
	asks   bool // it has a filter
}

// words remembers them: the same few come again and again.
type words map[string]*word

// mostWordsKept bounds what is remembered.
const mostWordsKept = 4096

func (r *redaction) word(name string) *word {
	if w, ok := r.words[name]; ok {
		return w
	}
	name = strings.Clone(name) // which may be a part of a whole body
	folded := squeeze(name)
	w := &word{folded: folded, secret: r.names.in(name), tells: tells(name),
		naming: slices.Contains(namingMembers, folded), holds: slices.Contains(holdingMembers, folded),
		op: folded == "op" || folded == "operation", path: folded == "path", asks: folded == "filter" || folded == "sortby"}
	if r.words != nil && len(name) <= 100 {
		if len(r.words) >= mostWordsKept {
			clear(r.words)
		}
		r.words[name] = w
	}
	return w
}

// in reports whether a name, path or filter mentions a secret attribute: as a
// word of it, behind a URN, a dot or a bracket, encoded or not.
func (n names) in(text string) bool {
	for range 3 {
		text = plainly(text)
		if n[squeeze(text)] {
			return true
		}
		for word := range strings.FieldsFuncSeq(fold(text), func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '-' && r != '$'
		}) {
			if n[word] || strings.ContainsAny(word, "-_") && n[squeeze(word)] {
				return true
			}
		}
		plain, err := url.QueryUnescape(text)
		if err != nil || plain == text {
			return false
		}
		text = plain
	}
	return false
}

// redaction is the masking of one exchange. It remembers what it masked, so
// that nothing else of the exchange repeats it.
type redaction struct {
	names      names
	words      words      // nil: nothing is remembered
	fieldNames fieldNames // nil: nothing is remembered
	secrets    []string
	heads      []string // their beginnings as JSON has them, so far
	have       map[string]bool
	flooded    bool // there were more than can be looked for
	shorts     []string
	strayed    bool // there may be credentials that are told by their form

	tape    *tape  // of what is masked on the way
	scratch []byte // of it, as JSON
}

// begin makes r ready for the next exchange.
func (r *redaction) begin(n names, w words) *redaction {
	clear(r.secrets)
	clear(r.heads)
	clear(r.shorts)
	clear(r.have)
	*r = redaction{names: n, words: w, fieldNames: r.fieldNames, secrets: r.secrets[:0], heads: r.heads[:0], have: r.have, shorts: r.shorts[:0], tape: r.tape, scratch: r.scratch}
	if cap(r.scratch) > MaxBody {
		r.scratch = nil
	}
	if r.tape == nil {
		r.tape, r.fieldNames = new(tape), fieldNames{}
	}
	return r
}

// mostSecrets is how many secrets an exchange is searched for.
const mostSecrets = 1000

// hide notes that s must not appear anywhere. What is too short to be told from
// ordinary text is looked for in error texts alone, see hideShort.
func (r *redaction) hide(s string) {
	if len(s) < 6 || r.have[s] {
		return
	}
	if len(r.secrets) == mostSecrets {
		r.flooded = true
		return
	}
	if r.have == nil {
		r.have = map[string]bool{}
	}
	r.have[s] = true
	r.secrets = append(r.secrets, s)
}

// hideShort notes a secret of any length: the text of an error that has a short
// one in it is masked as a whole.
func (r *redaction) hideShort(s string) {
	if s != "" && len(s) < 6 && len(r.shorts) < mostSecrets {
		r.shorts = append(r.shorts, s)
	}
	r.hide(s)
}

// hideAll masks the value at i and hides what it holds. That there is no value
// is no secret.
func (r *redaction) hideAll(t *tape, i int) {
	if m := &t.list[i]; m.kind == 'n' || m.kind == '"' && m.text == "" {
		return
	}
	r.hideIn(t, i)
	t.set(i, mask)
}

// hideIn hides what the value at i holds.
func (r *redaction) hideIn(t *tape, i int) {
	for j := i; j < int(t.list[i].after); j++ {
		if m := &t.list[j]; m.word == nil && (m.kind == '"' || m.kind == '0') {
			r.hideShort(m.text)
		}
	}
}

// value masks what is secret in the value at i.
func (r *redaction) value(t *tape, i int) {
	switch m := &t.list[i]; m.kind {
	case '"':
		if r.tellsIn(m.text) {
			r.hide(m.text)
			t.set(i, mask)
		}
	case '{':
		r.object(t, i)
	case '[':
		for j := i + 1; j < int(m.after); j = int(t.list[j].after) {
			r.value(t, j)
		}
	}
}

// tellsIn reports whether a text is secret as a whole: it is JSON that names a
// secret, or sets one.
func (r *redaction) tellsIn(s string) bool {
	return looksJSON(s) && (r.names.in(s) || tells(s)) || r.assigns(s)
}

// looksJSON reports whether a text begins as a JSON object, array or text does.
func looksJSON(s string) bool {
	for s != "" {
		switch c := s[0]; {
		case c == '{' || c == '[' || c == '"':
			return true
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			s = s[1:]
		case strings.HasPrefix(s, "\ufeff"):
			s = s[len("\ufeff"):]
		default:
			return false
		}
	}
	return false
}

// naming members say what an operation is about, and holding ones with what;
// squeezed.
var (
	namingMembers  = []string{"path", "pth", "attribute", "attributename", "attr", "name", "key", "field"}
	holdingMembers = []string{"value", "values", "val", "newvalue", "newval", "newvalues", "data", "content"}
)

// mentions reports whether a name of a secret is anywhere in the value at i.
func (r *redaction) mentions(t *tape, i int) bool {
	for _, m := range t.list[i:t.list[i].after] {
		if m.kind == '"' && (r.names.in(m.text) || tells(m.text)) {
			return true
		}
	}
	return false
}

func (r *redaction) object(t *tape, i int) {
	end := int(t.list[i].after)
	named, secret, whole, op := false, false, true, false
	for j := i + 1; j < end; j = int(t.list[j+1].after) {
		w := t.list[j].word
		op, named = op || w.op, named || w.path
		if t.list[j].text == cutHere {
			whole = false // the path may have been in what is missing
		}
	}
	for j := i + 1; j < end; j = int(t.list[j+1].after) {
		if w := t.list[j].word; w.naming && (t.list[j+1].kind == '"' || op || w.path) {
			secret = secret || r.mentions(t, j+1)
		}
	}
	for j := i + 1; j < end; j = int(t.list[j+1].after) {
		w, m := t.list[j].word, &t.list[j+1]
		isText := m.kind == '"'
		switch {
		case w.secret, w.holds && (secret && (op || w.folded != "data") || !whole && !named),
			w.holds && op && !named && isText && r.mentions(t, j+1),
			secret && op && !w.naming && !w.op:
			r.hideAll(t, j+1)
		case w.tells && literal(t, j+1):
			r.hideAll(t, j+1)
		case secret && w.naming && !isText && (op || w.path):
			t.set(j+1, mask)
		case isText && (w.asks || w.naming && (op || w.path)):
			if plain := r.filter(m.text); plain != m.text {
				t.set(j+1, plain)
			}
		default:
			r.value(t, j+1)
		}
	}
}

// literal reports whether the value at i is or holds a text or number: what a
// secret of a client's own making looks like, unlike changePassword of a
// ServiceProviderConfig.
func literal(t *tape, i int) bool {
	return slices.ContainsFunc(t.list[i:t.list[i].after], func(m mark) bool { return m.word == nil && (m.kind == '"' || m.kind == '0') })
}

// mostWords is how many words of a broken filter are taken for secrets.
const mostWords = 100

// filter returns a filter or path with what it compares a secret with masked.
func (r *redaction) filter(text string) string {
	if !r.names.in(text) && !tells(text) {
		return text
	}
	if !strings.ContainsFunc(text, func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("_-$.:", c)
	}) {
		return text // a name alone
	}
	f, err := filter.Parse(text, filter.Options{UnquotedStrings: true})
	if err != nil {
		words := 0
		for word := range strings.FieldsFuncSeq(text, func(c rune) bool { return unicode.IsSpace(c) || strings.ContainsRune(`"[]()?&=`, c) }) {
			if words++; words > mostWords {
				r.flooded = true
				break
			}
			if !r.names.in(word) {
				r.hideShort(word)
			}
		}
		return mask
	}
	return r.masked(f, false).String()
}

func (r *redaction) masked(f scim.Filter, all bool) scim.Filter {
	secret := func(p scim.AttrPath) bool { return all || r.names.in(p.String()) || tells(p.String()) }
	switch f := f.(type) {
	case *scim.AttrExp:
		if f.Op == scim.Pr || !secret(f.Path) {
			return f
		}
		return &scim.AttrExp{Path: f.Path, Op: f.Op, Value: r.hideOperand(f.Value)}
	case *scim.LogExp:
		return &scim.LogExp{Op: f.Op, Left: r.masked(f.Left, all), Right: r.masked(f.Right, all)}
	case *scim.NotExp:
		return &scim.NotExp{Filter: r.masked(f.Filter, all)}
	case *scim.ValuePath:
		return &scim.ValuePath{Path: f.Path, Filter: r.masked(f.Filter, secret(f.Path))}
	}
	return f
}

// hideOperand hides what a filter compares with, and returns the mask.
func (r *redaction) hideOperand(v any) any {
	switch v := v.(type) {
	case nil:
		return nil
	case string:
		if v == "" {
			return v
		}
		r.hideShort(v)
	case json.Number:
		r.hideShort(v.String())
	}
	return mask
}
