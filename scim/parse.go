package scim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// DefaultDepth is how deeply a message may nest objects and arrays.
const DefaultDepth = 64

// ParseObject reads a JSON object (RFC 8259) into an undecoded [Object]. It
// refuses, with an invalidSyntax error that gives the position: what is no
// single object, invalid UTF-8 and lone surrogates, nesting deeper than depth
// (0: [DefaultDepth]), and two names in one object that are equal without
// regard to case (RFC 7643 §2.1), since one of their values would be lost.
//
// More values than values allows (0: any number), objects and arrays counted
// too, are an error with status 413: each takes many times the memory of its
// text.
func ParseObject(data []byte, depth, values int) (Object, error) {
	if depth <= 0 {
		depth = DefaultDepth
	}
	p := &parser{dec: jsontext.NewDecoder(bytes.NewReader(data), jsontext.AllowDuplicateNames(true)), depth: depth, values: values}
	if p.dec.PeekKind() != '{' {
		if _, err := p.dec.ReadToken(); err != nil && !errors.Is(err, io.EOF) {
			return nil, p.fault(err)
		}
		return nil, Errorf(TypeInvalidSyntax, "the body must be a JSON object (RFC 7644 §3.8)")
	}
	v, err := p.value(1)
	if err != nil {
		return nil, p.fault(err)
	}
	if _, err := p.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, Errorf(TypeInvalidSyntax, "the body goes on after its JSON object, at byte %d", p.dec.InputOffset())
	}
	return v.(Object), nil
}

type parser struct {
	dec           *jsontext.Decoder
	depth, values int
	count         int // values so far
}

func (p *parser) value(depth int) (any, error) {
	tok, err := p.dec.ReadToken()
	if err != nil {
		return nil, err
	}
	if p.count++; p.values > 0 && p.count > p.values {
		e := Errorf("", "the body has more than %d JSON values, as many as one request may have (RFC 7644 §3.12)", p.values)
		e.Status = 413
		return nil, e
	}
	switch tok.Kind() {
	case '{', '[':
		if depth > p.depth {
			return nil, Errorf(TypeInvalidSyntax, "the JSON is nested deeper than %d levels", p.depth)
		}
		if tok.Kind() == '{' {
			return p.object(depth)
		}
		return p.array(depth)
	case '"':
		return tok.String(), nil
	case '0':
		return json.Number(tok.String()), nil
	case 't', 'f':
		return tok.Bool(), nil
	}
	return nil, nil
}

func (p *parser) array(depth int) (any, error) {
	list := []any{}
	for p.dec.PeekKind() != ']' {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := p.dec.ReadToken()
	return list, err
}

func (p *parser) object(depth int) (any, error) {
	o := Object{}
	var seen map[string]bool // only for objects too large to compare pairwise
	for p.dec.PeekKind() != '}' {
		tok, err := p.dec.ReadToken()
		if err != nil {
			return nil, err
		}
		name := tok.String()
		if twin := o.twin(name, &seen); twin != "" {
			return nil, Errorf(TypeInvalidSyntax, "%q and %q are the same name in one object, at byte %d (RFC 7643 §2.1)",
				short(twin), short(name), p.dec.InputOffset())
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		o = append(o, Member{name, v})
	}
	_, err := p.dec.ReadToken()
	return o, err
}

// twin returns the name in o that equals name without regard to case, or "".
func (o Object) twin(name string, seen *map[string]bool) string {
	const pairwise = 16
	if len(o) < pairwise {
		for i := range o {
			if strings.EqualFold(o[i].Name, name) {
				return o[i].Name
			}
		}
		return ""
	}
	if *seen == nil {
		*seen = make(map[string]bool, 2*pairwise)
		for i := range o {
			(*seen)[foldName(o[i].Name)] = true
		}
	}
	folded := foldName(name)
	if (*seen)[folded] {
		return name
	}
	(*seen)[folded] = true
	return ""
}

// short cuts a name for an error message: one may be as long as the body.
func short(name string) string {
	const most = 100
	if len(name) <= most {
		return name
	}
	return strings.ToValidUTF8(name[:most], "") + "…"
}

func foldName(s string) string { return strings.ToLower(strings.ToUpper(s)) }

func (p *parser) fault(err error) error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	var syn *jsontext.SyntacticError
	if errors.As(err, &syn) {
		return &Error{Status: 400, Type: TypeInvalidSyntax, Err: err,
			Detail: Errorf("", "the body is not valid JSON: %s, at byte %d", reason(syn), syn.ByteOffset).Detail}
	}
	return &Error{Status: 400, Type: TypeInvalidSyntax, Detail: "the body is not valid JSON: it ends too early", Err: err}
}

// reason returns the bare reason of a syntax error: jsontext's full text also
// holds a pointer made of the client's own names.
func reason(syn *jsontext.SyntacticError) string {
	if syn.Err == nil {
		return "syntax error"
	}
	return strings.TrimPrefix(syn.Err.Error(), "jsontext: ")
}

// Lookup returns the value whose name equals name without regard to case, and
// whether there is one: a parsed message spells its names as its client does
// (RFC 7643 §2.1).
func (o Object) Lookup(name string) (any, bool) {
	for i := range o {
		if strings.EqualFold(o[i].Name, name) {
			return o[i].Value, true
		}
	}
	return nil, false
}
