package lookingglass

import (
	"errors"
	"sync"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

var coreNames = sync.OnceValue(func() names { return secretNames(schema.Core()) })

// RedactForTests returns a body as it would be kept, and its hash.
func RedactForTests(body []byte, size int64) (text, hash string, cut bool) {
	r := &redaction{names: coreNames()}
	m, _ := r.message(new(tape), body, size)
	return r.cleanJSON(m.Body), m.Hash, m.Cut
}

// RedactQueryForTests returns a query as it would be kept.
func RedactQueryForTests(raw string) (reading, sent string) {
	r := &redaction{names: coreNames()}
	reading, sent = r.query(raw)
	return r.clean(reading), r.cleanSent(sent)
}

// ParseForTests returns JSON as parse understands it.
func ParseForTests(text string, cut bool) (string, error) {
	v, err := parse([]byte(text), cut)
	return string(scim.AppendValue(nil, v)), err
}

// TapeForTests returns JSON as it is on a tape.
func TapeForTests(text string, cut bool) (string, error) {
	var t tape
	if err := t.read(text, cut, new(redaction).word); err != nil {
		return "", err
	}
	return string(t.append(nil, 0)), nil
}

// PackForTests returns exchanges as a block.
func PackForTests(list []*Exchange) []byte {
	var p packer
	for _, x := range list {
		p.add(x)
	}
	return p.b
}

// UnpackForTests returns the exchanges of a block.
func UnpackForTests(text string) ([]*Exchange, error) {
	starts, err := (&unpacker{s: text}).starts()
	var list []*Exchange
	for _, at := range starts {
		x, u := new(Exchange), unpacker{s: text, at: at}
		if err := errors.Join(u.head(x), u.rest(x)); err != nil {
			return nil, err
		}
		list = append(list, x)
	}
	return list, err
}

// FillForTests fills what waits for a journal, as it is at first, while a batch
// is being written, after that failed, and after it was written, and returns how
// many exchanges it took each time.
func FillForTests(x Exchange) (took [4]int) {
	o := newOutbox(batchMost, false)
	fill := func() (n int) {
		for n < 3*pendingMost {
			if x.Seq++; !o.add(&x) {
				break
			}
			n++
		}
		return n
	}
	took[0] = fill()
	list, _, _ := o.take()
	took[1] = fill()
	o.putBack(list)
	took[2] = fill()
	list, _, upTo := o.take()
	o.settle(list, upTo)
	took[3] = fill()
	return took
}
