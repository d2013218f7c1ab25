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
}

// words remembers them: the same few come again and again.
type words map[string]word

// mostWordsKept bounds what is remembered.
const mostWordsKept = 4096

func (r *redaction) word(name string) word {
	if w, ok := r.words[name]; ok {
		return w
	}
	w := word{squeeze(name), r.names.in(name), tells(name)}
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
	names   names
	words   words // nil: nothing is remembered
	secrets []string
	have    map[string]bool
	flooded bool // there were more than can be looked for
	shorts  []string
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

// hideAll hides what a masked value holds and returns the mask. That there is
// no value is no secret.
func (r *redaction) hideAll(v any) any {
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
	case scim.Object:
		for _, m := range v {
			r.hideAll(m.Value)
		}
	case []any:
		for _, e := range v {
			r.hideAll(e)
		}
	}
	return mask
}

// value returns v without secrets. It does not modify v.
func (r *redaction) value(v any) any {
	switch v := v.(type) {
	case string:
		return r.text(v)
	case scim.Object:
		return r.object(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = r.value(v[i])
		}
		return out
	}
	return v
}

// text is value for a text: JSON within that names a secret goes as a whole.
func (r *redaction) text(s string) string {
	if t := strings.TrimLeft(s, " \t\r\n\ufeff"); t != "" && strings.ContainsRune(`{["`, rune(t[0])) && (r.names.in(s) || tells(s)) || r.assigns(s) {
		r.hide(s)
		return mask
	}
	return s
}

// naming members say what an operation is about, and holding ones with what;
// squeezed.
var (
	namingMembers  = []string{"path", "pth", "attribute", "attributename", "attr", "name", "key", "field"}
	holdingMembers = []string{"value", "values", "val", "newvalue", "newval", "newvalues", "data", "content"}
)

// mentions reports whether a name of a secret is anywhere in v.
func (r *redaction) mentions(v any) bool {
	switch v := v.(type) {
	case string:
		return r.names.in(v) || tells(v)
	case scim.Object:
		return slices.ContainsFunc(v, func(m scim.Member) bool { return r.mentions(m.Name) || r.mentions(m.Value) })
	case []any:
		return slices.ContainsFunc(v, r.mentions)
	}
	return false
}

func (r *redaction) object(o scim.Object) scim.Object {
	named, secret, whole, op := false, false, true, false
	for _, m := range o {
		switch r.word(m.Name).folded {
		case "op", "operation":
			op = true
		case "path":
			named = true
		}
		if m.Name == cutHere {
			whole = false // the path may have been in what is missing
		}
	}
	for _, m := range o {
		name := r.word(m.Name).folded
		if _, text := m.Value.(string); (text || op || name == "path") && slices.Contains(namingMembers, name) {
			secret = secret || r.mentions(m.Value)
		}
	}
	out := make(scim.Object, len(o))
	for i, m := range o {
		out[i].Name = m.Name
		s, isText := m.Value.(string)
		w := r.word(m.Name)
		name := w.folded
		holds := slices.Contains(holdingMembers, name)
		naming := slices.Contains(namingMembers, name)
		switch {
		case w.secret, holds && (secret && (op || name != "data") || !whole && !named),
			holds && op && !named && isText && r.mentions(s),
			secret && op && !naming && name != "op" && name != "operation":
			out[i].Value = r.hideAll(m.Value)
		case w.tells && literal(m.Value):
			out[i].Value = r.hideAll(m.Value)
		case secret && naming && !isText && (op || name == "path"):
			out[i].Value = mask
		case isText && (name == "filter" || name == "sortby" || naming && (op || name == "path")):
			out[i].Value = r.filter(s)
		default:
			out[i].Value = r.value(m.Value)
		}
	}
	return out
}

// literal reports whether v is or holds a text or number: what a
// secret of a client's own making looks like, unlike changePassword of a
// ServiceProviderConfig.
func literal(v any) bool {
	switch v := v.(type) {
	case string, json.Number:
		return true
	case []any:
		return slices.ContainsFunc(v, literal)
	case scim.Object:
		return slices.ContainsFunc(v, func(m scim.Member) bool { return literal(m.Value) })
	}
	return false
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
		return &scim.AttrExp{Path: f.Path, Op: f.Op, Value: r.hideAll(f.Value)}
	case *scim.LogExp:
		return &scim.LogExp{Op: f.Op, Left: r.masked(f.Left, all), Right: r.masked(f.Right, all)}
	case *scim.NotExp:
		return &scim.NotExp{Filter: r.masked(f.Filter, all)}
	case *scim.ValuePath:
		return &scim.ValuePath{Path: f.Path, Filter: r.masked(f.Filter, secret(f.Path))}
	}
	return f
}
