package people

import (
	"context"
	"fmt"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// The ways in which a value can be near one that the directory has.
const (
	NearCase      = "case"      // upper and lower case
	NearBlanks    = "blanks"    // blanks or invisible characters
	NearDomain    = "domain"    // another domain, or none
	NearAttribute = "attribute" // the value is another attribute's
	NearLetters   = "letters"   // letters that look alike, accents
)

// Near is somebody who may be meant.
type Near struct {
	Kind   string  `json:"kind"`
	Words  string  `json:"words"`
	Person *Person `json:"person"`
}

// mostNear bounds the people that are named as near.
const mostNear = 5

// remark says how a person who was found by a value differs from it, or nil.
func remark(raw string, h hit) *Near {
	asked := clean(raw)
	say := func(kind, words string) *Near { return &Near{kind, words, h.Person} }
	switch {
	case h.by == byEmail && !strings.EqualFold(h.Name, asked):
		return say(NearAttribute, quote(asked)+" is the e-mail address; the userName here is "+quote(h.Name)+
			". A client that looks for the address as a userName finds nobody")
	case h.by == byName && h.Name != asked && strings.EqualFold(h.Name, asked):
		return say(NearCase, "the userName is spelled "+quote(h.Name)+" here; case makes no difference to SCIM, but it may to the application")
	case h.by == byName && h.Name != asked:
		return say(NearLetters, "the userName is written "+quote(h.Name)+" here, with other characters that count as the same")
	case raw != asked:
		return say(NearBlanks, "there are blanks around "+quote(asked)+" in what was asked for; they were left out")
	}
	return nil
}

// guess is a value that may have been meant.
type guess struct {
	path  string
	op    scim.CompareOp
	value string
	kind  string
}

// near returns people who may be meant by a value that nobody has.
func (d *Desk) near(ctx context.Context, raw string) ([]Near, error) {
	t := d.typeNamed("User")
	asked := clean(raw)
	if t == nil || asked == "" || len(asked) > maxValue {
		return nil, nil
	}
	var filter terms
	var guesses []guess
	for _, g := range guessesOf(asked) {
		if leaf := leafOf(t, g.path); leaf == nil || !leaf.Filterable() || filter.len() > batchBytes {
			continue
		}
		filter.add(g.path, g.op, g.value)
		guesses = append(guesses, g)
	}
	if len(guesses) == 0 {
		return nil, nil
	}
	people, err := d.list(ctx, t, filter.String(), 4*mostNear)
	if unsearchable(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []Near
	for _, g := range guesses { // the likelier come first
		for i, p := range people {
			if p == nil || len(list) == mostNear || !g.holds(t, p) {
				continue
			}
			list = append(list, Near{g.kind, g.words(asked, p), p})
			people[i] = nil
		}
	}
	return list, nil
}

func (g guess) holds(t *scim.ResourceType, p *Person) bool {
	vs, shown := p.at(g.path)
	if !shown {
		return true // it is the last guess
	}
	leaf := leafOf(t, g.path)
	operand := scim.KeyOf(leaf, g.value)
	for _, v := range vs {
		if scim.KeyOf(leaf, v).Holds(g.op, operand) {
			return true
		}
	}
	return false
}

func (g guess) words(asked string, p *Person) string {
	name := quote(p.Name)
	switch g.kind {
	case NearCase:
		return name + " has this value in another case as its " + label(g.path)
	case NearBlanks:
		if g.path != byName {
			return name + " has this value, without the blanks or invisible characters, as its " + label(g.path)
		}
		return name + " differs only in blanks or invisible characters"
	case NearDomain:
		if strings.Contains(asked, "@") {
			return name + " has the same name before the @, at another domain or without one"
		}
		return name + " has the same name, followed by a domain"
	case NearLetters:
		return name + " differs only in letters that look alike, or in accents"
	}
	return name + " has this value as its " + label(g.path)
}

// label names an attribute to people.
func label(path string) string {
	if i := strings.LastIndexByte(path, ':'); i >= 0 {
		path = path[i+1:]
	}
	if path == byEmail || path == "emails" {
		return "e-mail address"
	}
	return path
}

// guessesOf returns what may have been meant by a value, the likelier first.
func guessesOf(asked string) (list []guess) {
	seen := map[string]bool{asked: true}
	name := func(kind string, values ...string) {
		for _, v := range values {
			if v != "" && !seen[v] {
				seen[v] = true
				list = append(list, guess{byName, scim.Eq, v, kind})
			}
		}
	}
	if b := bare(asked); b != asked {
		list = append(list, guess{byEmail, scim.Eq, b, NearBlanks})
	}
	name(NearBlanks, bare(asked), " "+asked, asked+" ", "\u00a0"+asked, asked+"\u00a0", asked+"\u200b")
	for _, v := range []string{strings.ToLower(asked), strings.ToUpper(asked)} {
		if v != asked {
			list = append(list, guess{byExt, scim.Eq, v, NearCase}, guess{byID, scim.Eq, v, NearCase})
		}
	}
	name(NearLetters, plain(asked), plain(bare(asked)))
	name(NearLetters, disguises(asked, 24)...)
	local, _, address := strings.Cut(asked, "@")
	if len(local) > 1 {
		if stem, _, tagged := strings.Cut(local, "+"); address && tagged {
			name(NearDomain, stem+asked[len(local):])
		}
		if address {
			name(NearDomain, local)
		}
		list = append(list, guess{byName, scim.Sw, local + "@", NearDomain}, guess{byEmail, scim.Sw, local + "@", NearDomain})
	}
	return append(list, guess{"displayName", scim.Eq, asked, NearAttribute},
		guess{scim.EnterpriseUserURN + ":employeeNumber", scim.Eq, asked, NearAttribute})
}

// quote puts a value between quotation marks, invisible characters made visible
// and long ones cut.
func quote(s string) string {
	const most = 80
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > most {
			b.WriteRune('…')
			break
		}
		switch {
		case r == ' ':
			b.WriteRune(r)
		case invisible(r):
			fmt.Fprintf(&b, "\\u%04x", r)
		default:
			b.WriteRune(r)
		}
	}
	return "“" + b.String() + "”"
}
