package lookingglass

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rollcall-scim/rollcall/scim"
)

// cutHere marks the place where a body was cut: the name of a last member, or a
// last element.
const cutHere = "…"

// deepest is how deeply a body may nest and still be kept.
const deepest = 100

var errDeep = errors.New("nested too deeply")

// parse reads JSON as scim.Object, []any, string, bool, json.Number and nil.
// With cut the text may end anywhere: what it leaves open is closed, and marked
// by cutHere. Names may be there twice.
func parse(data []byte, cut bool) (any, error) {
	p := &parser{dec: jsontext.NewDecoder(bytes.NewReader(data), jsontext.AllowDuplicateNames(true)), cut: cut}
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	if p.ended && v == nil {
		return cutHere, nil
	}
	if !p.ended {
		if _, err := p.dec.ReadToken(); !errors.Is(err, io.EOF) && !(cut && errors.Is(err, io.ErrUnexpectedEOF)) {
			return nil, errors.New("more than one value")
		}
	}
	return v, nil
}

type parser struct {
	dec   *jsontext.Decoder
	cut   bool
	ended bool // at the cut
}

// token reads a token. At the cut it says so in p.ended.
func (p *parser) token() (jsontext.Token, error) {
	tok, err := p.dec.ReadToken()
	if p.cut && (errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)) {
		p.ended = true
		return tok, nil
	}
	return tok, err
}

func (p *parser) value(depth int) (any, error) {
	tok, err := p.token()
	if err != nil || p.ended {
		return nil, err
	}
	switch tok.Kind() {
	case '{', '[':
		if depth >= deepest {
			return nil, errDeep
		}
		if tok.Kind() == '{' {
			return p.object(depth + 1)
		}
		return p.array(depth + 1)
	case '"':
		return tok.String(), nil
	case '0':
		return json.Number(tok.String()), nil
	case 't', 'f':
		return tok.Bool(), nil
	}
	return nil, nil
}

func (p *parser) object(depth int) (any, error) {
	o := scim.Object{}
	for {
		tok, err := p.token()
		switch {
		case err != nil:
			return nil, err
		case p.ended:
			return append(o, scim.Member{Name: cutHere, Value: nil}), nil
		case tok.Kind() == '}':
			return o, nil
		}
		name := tok.String()
		v, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		if v != nil || !p.ended {
			o = append(o, scim.Member{Name: name, Value: v})
		}
		if p.ended {
			return append(o, scim.Member{Name: cutHere, Value: nil}), nil
		}
	}
}

func (p *parser) array(depth int) (any, error) {
	list := []any{}
	for {
		if !p.ended && p.dec.PeekKind() == ']' {
			_, err := p.token()
			return list, err
		}
		v, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		if v != nil || !p.ended {
			list = append(list, v)
		}
		if p.ended {
			return append(list, cutHere), nil
		}
	}
}

// message returns a body as it is kept, and what it says without secrets, or
// none; that is on the tape, which is read anew. size is that of the whole.
func (r *redaction) message(t *tape, body []byte, size int64) (Message, node) {
	m := Message{Size: size, Cut: int64(len(body)) < size && len(body) > 0}
	if len(body) == 0 {
		return m, node{}
	}
	if err := t.read(string(body), m.Cut, r.word); err != nil {
		m.Hash = hash(body)
		return m, node{}
	}
	if text := t.at(0).text(); t.at(0).is('"') && text != cutHere {
		r.hideAll(t, 0) // no message of SCIM's: who knows what it is
	} else {
		r.value(t, 0)
	}
	r.scratch = t.append(r.scratch[:0], 0)
	m.Body = string(r.scratch)
	return m, t.at(0)
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
