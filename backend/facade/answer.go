package facade

import (
	"compress/flate"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
)

// Enough is what a func given to [Upstream.Do] returns if it needs no more of
// the answer: the rest is not read, and the call has succeeded.
//
//lint:ignore ST1012 it is no failure, as io.EOF is none
var Enough = errors.New("enough of the answer was read")

var (
	errTooLarge = errors.New("the answer is too large")
	errTrailing = errors.New("something follows the answer's JSON")
)

// answerReader reads an answer, unpacked, up to a limit, and remembers why it
// ended: a connection that broke is no fault of the JSON.
type answerReader struct {
	in   io.Reader
	left int64
	over bool  // more than the limit
	err  error // of the connection
	seen *head // for the wire log; may be nil
}

// Read reads up to the limit, and reports more than that as an error.
func (a *answerReader) Read(p []byte) (int, error) {
	if a.left <= 0 {
		// One byte more would show whether the answer ends just here.
		var one [1]byte
		n, err := a.in.Read(one[:])
		if n > 0 {
			a.over = true
			return 0, errTooLarge
		}
		return 0, a.note(err)
	}
	if int64(len(p)) > a.left {
		p = p[:a.left]
	}
	n, err := a.in.Read(p)
	a.left -= int64(n)
	a.seen.add(p[:n])
	return n, a.note(err)
}

// note keeps an error that is the connection's: not one of the packing.
func (a *answerReader) note(err error) error {
	var corrupt flate.CorruptInputError
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, gzip.ErrHeader) && !errors.Is(err, gzip.ErrChecksum) && !errors.As(err, &corrupt) {
		a.err = err
	}
	return err
}

// decode reads one JSON value, and nothing after it.
func decode(in io.Reader, into any) error {
	d := json.NewDecoder(in)
	if f, ok := into.(func(*json.Decoder) error); ok {
		if err := f(d); err != nil {
			if errors.Is(err, Enough) {
				return nil
			}
			return err
		}
	} else if err := d.Decode(into); err != nil {
		return err
	}
	return end(d)
}

// end makes sure that nothing follows.
func end(d *json.Decoder) error {
	switch _, err := d.Token(); {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil:
		return errTrailing
	default:
		return err
	}
}

// skip reads a body from which nothing is wanted: none, or JSON. Anything else,
// such as a page that asks to sign in, is not the application's answer. The type
// that it is said to be of does not matter, as where the JSON is wanted.
func skip(in io.Reader) error {
	d := json.NewDecoder(in)
	for depth, first := 0, true; first || depth > 0; first = false {
		t, err := d.Token()
		switch {
		case errors.Is(err, io.EOF) && first:
			return nil
		case err != nil:
			return err
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
	}
	return end(d)
}
