package remote

import (
	"errors"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

func equal(a, b string) bool { return strings.EqualFold(a, b) }

// object reads an object, calling member with the decoder before each value,
// which it must read.
func object(d *jsontext.Decoder, member func(name string, d *jsontext.Decoder) error) error {
	t, err := d.ReadToken()
	if err != nil {
		return err
	}
	if t.Kind() != '{' {
		return errors.New("the answer is no JSON object")
	}
	for d.PeekKind() != '}' {
		t, err := d.ReadToken()
		if err != nil {
			return err
		}
		if err := member(t.String(), d); err != nil {
			return err
		}
	}
	_, err = d.ReadToken()
	return err
}

// array reads an array, if the next value is one, and calls f with each element,
// which is good until f returns.
func array(d *jsontext.Decoder, f func(jsontext.Value) error) error {
	if d.PeekKind() != '[' {
		return d.SkipValue()
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != ']' {
		v, err := d.ReadValue()
		if err != nil {
			return err
		}
		if err := f(v); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}
