package filter

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// Parse parses a filter (RFC 7644 §3.4.2.2, Figure 1, with errata 4690, 7319
// and 7322). Blanks may be repeated, and left out beside brackets and before a
// quoted value. A value path may be followed by a sub-attribute and a
// comparison, emails[type eq "work"].value eq "x", which then becomes part of
// the value path.
//
// Errors are of type invalidFilter and give the position. Limits are checked
// before the text is looked into any deeper.
func Parse(s string, o Options) (scim.Filter, error) {
	p, err := newParser(s, o)
	if err != nil {
		return nil, err
	}
	if p.peek().kind == 0 {
		return nil, scim.Errorf(scim.TypeInvalidFilter, "the filter is empty (RFC 7644 §3.4.2.2)")
	}
	f, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != 0 {
		return nil, p.leftover(t)
	}
	return f, nil
}

type parser struct {
	src    string
	tokens []token
	at     int
	nodes  int
	inside bool // between [ and ]
	o      Options
}

func newParser(s string, o Options) (*parser, error) {
	o = o.withDefaults()
	if len(s) > o.MaxLength {
		return nil, scim.Errorf(scim.TypeInvalidFilter, "the filter has %d bytes; at most %d are accepted", len(s), o.MaxLength)
	}
	tokens, err := lex(s)
	if err != nil {
		return nil, err
	}
	return &parser{src: s, tokens: tokens, o: o}, nil
}

func (p *parser) peek() token { return p.tokens[p.at] }

// next takes a token; the one at the end stays.
func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != 0 {
		p.at++
	}
	return t
}

func (p *parser) fault(t token, format string, args ...any) error {
	return fault(p.src, t.pos, format, args...)
}

// keyword reports whether the next token is the given word, in any case.
func (p *parser) keyword(word string) bool {
	t := p.peek()
	return t.kind == 'w' && strings.EqualFold(t.text, word)
}

func (p *parser) or(depth int) (scim.Filter, error)  { return p.chain(scim.Or, depth, p.and) }
func (p *parser) and(depth int) (scim.Filter, error) { return p.chain(scim.And, depth, p.term) }

// chain parses one or more operands joined by op, which groups to the left.
func (p *parser) chain(op string, depth int, operand func(int) (scim.Filter, error)) (scim.Filter, error) {
	f, err := operand(depth)
	for err == nil && p.keyword(op) {
		t := p.next()
		if last := p.tokens[p.at-2]; t.glued && last.kind == 's' {
			return nil, p.fault(t, "a blank is missing before %q", op)
		}
		if p.peek().kind == 0 {
			return nil, p.fault(p.peek(), "the filter ends after %s; another expression is expected", shown(t.text))
		}
		var right scim.Filter
		if right, err = operand(depth); err == nil {
			f = &scim.LogExp{Op: op, Left: f, Right: right}
		}
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// term parses an expression in parentheses, negated or not, an attribute
// expression or a value path.
func (p *parser) term(depth int) (scim.Filter, error) {
	if p.keyword("not") {
		not := p.next()
		if p.peek().kind != '(' {
			return nil, p.fault(not, `"not" must be followed by an expression in parentheses: not (title pr) (RFC 7644 §3.4.2.2)`)
		}
		if err := p.count(not); err != nil {
			return nil, err
		}
		f, err := p.group(depth)
		if err != nil {
			return nil, err
		}
		return &scim.NotExp{Filter: f}, nil
	}
	switch t := p.peek(); t.kind {
	case '(':
		return p.group(depth)
	case 'w':
		return p.expression(depth)
	case 0:
		return nil, p.fault(t, "the filter ends where an expression is expected")
	case 's':
		return nil, p.fault(t, "an attribute is expected, not a string; the attribute stands on the left: userName eq \"bjensen\"")
	default:
		return nil, p.fault(t, "an attribute is expected, not %q", t.text)
	}
}

// group parses "(" filter ")".
func (p *parser) group(depth int) (scim.Filter, error) {
	open := p.next()
	if err := p.deeper(open, depth); err != nil {
		return nil, err
	}
	f, err := p.or(depth + 1)
	if err != nil {
		return nil, err
	}
	return f, p.closing(open, ')')
}

// closing takes the bracket that closes the one at open.
func (p *parser) closing(open token, want byte) error {
	switch t := p.next(); t.kind {
	case want:
		return nil
	case 0:
		return p.fault(open, "the %q that stands here is never closed", open.text)
	default:
		return p.leftover(t)
	}
}

// leftover explains a token that follows a whole expression.
func (p *parser) leftover(t token) error {
	switch {
	case t.kind == 's':
		return p.fault(t, `"and", "or" or the end is expected, not a string`)
	case t.kind == 'w' && (t.text == "&&" || t.text == "||" || t.text == "&" || t.text == ","):
		return p.fault(t, `"and", "or" or the end is expected, not %s; expressions are joined by the words "and" and "or"`, shown(t.text))
	case t.kind == '[':
		return p.fault(t, `"[" must follow the name of an attribute, and not inside of other brackets (RFC 7644 §3.4.2.2)`)
	}
	return p.fault(t, `"and", "or" or the end is expected, not %s`, shown(t.text))
}

// expression parses what begins with an attribute path.
func (p *parser) expression(depth int) (scim.Filter, error) {
	t := p.next()
	if err := p.count(t); err != nil {
		return nil, err
	}
	path, ok := splitPath(t.text)
	if !ok || reserved(t.text) {
		return nil, p.fault(t, "an attribute is expected, not %s", shown(t.text))
	}
	if p.inside && (path.URN != "" || path.Sub != "") {
		return nil, p.fault(t, "%s: between brackets stands the name of a sub-attribute alone (RFC 7644 §3.4.2.2)", shown(t.text))
	}
	if p.peek().kind == '[' {
		return p.valuePath(path, depth)
	}
	return p.comparison(path)
}

// comparison parses the operator and the operand.
func (p *parser) comparison(path scim.AttrPath) (scim.Filter, error) {
	t := p.next()
	if t.kind != 'w' {
		found := "not a string"
		switch t.kind {
		case 0:
			found = "not the end"
		case '(', ')', '[', ']':
			found = "not " + shown(t.text)
		}
		return nil, p.fault(t, "an operator is expected after %s, %s; the operators are %s", shown(path.String()), found, operators)
	}
	op := scim.CompareOp(strings.ToLower(t.text))
	switch op {
	case scim.Pr:
		return &scim.AttrExp{Path: path, Op: op}, nil
	case scim.Eq, scim.Ne, scim.Co, scim.Sw, scim.Ew, scim.Gt, scim.Ge, scim.Lt, scim.Le:
	default:
		hint := ""
		if right, ok := mistaken[t.text]; ok {
			hint = "; write " + right
		}
		return nil, p.fault(t, "unknown operator %s%s; the operators are %s (RFC 7644 §3.4.2.2)", shown(t.text), hint, operators)
	}
	v, err := p.value(op)
	if err != nil {
		return nil, err
	}
	return &scim.AttrExp{Path: path, Op: op, Value: v}, nil
}

const operators = "eq, ne, co, sw, ew, gt, ge, lt, le and pr"

// mistaken are operators of other languages.
var mistaken = map[string]string{"==": "eq", "=": "eq", "===": "eq", "!=": "ne", "<>": "ne", ">": "gt", ">=": "ge",
	"<": "lt", "<=": "le", "~": "co", "like": "co", "contains": "co", "equals": "eq", "is": "eq", "in": "several eq joined by or"}

// value parses a compValue: a JSON string, number, true, false or null. What
// stands there instead is not repeated in the error: it may be a secret.
func (p *parser) value(op scim.CompareOp) (any, error) {
	t := p.next()
	switch {
	case t.kind == 's':
		return t.text, nil
	case t.kind == 0:
		return nil, p.fault(t, "the filter ends after %q; a value is expected", op)
	case t.kind != 'w':
		return nil, p.fault(t, "a value is expected after %q, not %q", op, t.text)
	}
	switch strings.ToLower(t.text) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "null":
		return nil, nil
	}
	if number(t.text) {
		return json.Number(t.text), nil
	}
	if strings.ContainsAny(t.text[:1], "'`") || strings.HasPrefix(t.text, "“") || strings.HasPrefix(t.text, "‘") {
		return nil, p.fault(t, `a value is in the wrong quotes; strings stand in double quotes ("), as in JSON`)
	}
	textual := slices.Contains([]scim.CompareOp{scim.Eq, scim.Ne, scim.Co, scim.Sw, scim.Ew}, op)
	if p.o.UnquotedStrings && textual && !reserved(t.text) && p.peek().kind != 's' {
		p.o.report("QRY-02")
		return t.text, nil
	}
	return nil, p.fault(t, "a value is no JSON literal: strings stand in double quotes, and true, false, null and numbers alone (RFC 7644 §3.4.2.2)")
}

// number reports whether s is a number of RFC 8259 §6.
func number(s string) bool {
	return (s[0] == '-' || s[0] >= '0' && s[0] <= '9') && json.Valid([]byte(s))
}

// valuePath parses "[" valFilter "]" and, if there is one, the tail.
func (p *parser) valuePath(path scim.AttrPath, depth int) (scim.Filter, error) {
	f, err := p.valFilter(depth)
	if err != nil {
		return nil, err
	}
	v := &scim.ValuePath{Path: path, Filter: f}
	if t := p.peek(); t.kind == 'w' && t.glued && t.text[0] == '.' {
		p.next()
		if err := p.count(t); err != nil {
			return nil, err
		}
		name := t.text[1:]
		if !attrName(name) {
			return nil, p.fault(t, "the name of a sub-attribute is expected, not %s", shown(t.text))
		}
		tail, err := p.comparison(scim.AttrPath{Name: name})
		if err != nil {
			return nil, err
		}
		v.Filter = &scim.LogExp{Op: scim.And, Left: f, Right: tail}
	}
	return v, nil
}

// valFilter parses "[" valFilter "]".
func (p *parser) valFilter(depth int) (scim.Filter, error) {
	open := p.next()
	if p.inside {
		return nil, p.leftover(open)
	}
	if err := p.deeper(open, depth); err != nil {
		return nil, err
	}
	p.inside = true
	f, err := p.or(depth + 1)
	p.inside = false
	if err != nil {
		return nil, err
	}
	return f, p.closing(open, ']')
}

// count counts one more expression.
func (p *parser) count(t token) error {
	if p.nodes++; p.nodes > p.o.MaxNodes {
		return p.fault(t, "the filter has more than %d expressions", p.o.MaxNodes)
	}
	return nil
}

// deeper checks that one more level of nesting is allowed.
func (p *parser) deeper(t token, depth int) error {
	if depth >= p.o.MaxDepth {
		return p.fault(t, "the filter is nested deeper than %d levels", p.o.MaxDepth)
	}
	return nil
}
