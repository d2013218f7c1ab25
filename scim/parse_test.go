package scim_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-scim/rollcall/scim"
)

func TestParseObject(t *testing.T) {
	t.Parallel()
	o, err := scim.ParseObject([]byte(` {"b":[1,2.50,{"x":null}],"a":"\u00e9\n","t":true,"f":false,"e":{},"l":[]} `), 0, 0)
	want := object("b", []any{json.Number("1"), json.Number("2.50"), object("x", nil)}, "a", "é\n", "t", true, "f", false,
		"e", scim.Object{}, "l", []any{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, o); diff != "" {
		t.Error(diff)
	}
	if v, ok := o.Lookup("A"); !ok || v != "é\n" {
		t.Errorf("Lookup finds %v", v)
	}
	if _, ok := o.Lookup("zz"); ok {
		t.Error("Lookup finds what is not there")
	}
}

func TestParseObjectFaults(t *testing.T) { // HTTP-008, HTTP-009, SCH-006, LOC-005
	t.Parallel()
	wide := ""
	for i := range 40 {
		wide += `"k` + strconv.Itoa(i) + `":1,`
	}
	long := strings.Repeat("é", 5000)
	tests := []struct{ name, in, want string }{
		{"empty", ``, "JSON object"},
		{"blank", "  \n", "JSON object"},
		{"truncated", `{`, "valid JSON"},
		{"truncated value", `{"a":`, "valid JSON"},
		{"truncated string", `{"a":"b`, "valid JSON"},
		{"array", `[]`, "JSON object"},
		{"text", `"x"`, "JSON object"},
		{"null", `null`, "JSON object"},
		{"nonsense", `nonsense`, "at byte"},
		{"goes on", `{}x`, "goes on"},
		{"two objects", `{}{}`, "goes on"},
		{"trailing comma", `{"a":1,}`, "valid JSON"},
		{"comment", `{"a":1/**/}`, "valid JSON"},
		{"invalid UTF-8", "{\"a\":\"\xff\"}", "valid JSON"},
		{"lone surrogate", `{"a":"\ud800"}`, "valid JSON"},
		{"control character", "{\"a\":\"\x01\"}", "valid JSON"},
		{"leading zero", `{"a":01}`, "valid JSON"},
		{"NaN", `{"a":NaN}`, "valid JSON"},
		{"twins", `{"userName":"a","username":"b"}`, `"userName" and "username" are the same name`},
		{"twins below", `{"a":[{"x":1,"x":2}]}`, `"x" and "x"`},
		{"long twins", `{"` + long + `":1,"` + long + `":2}`, "…\" are the same name"},
		{"twins among many", `{` + wide + `"K7":2}`, "are the same name"},
		{"deep", strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), "deeper than 64"},
		{"deep arrays", `{"a":` + strings.Repeat("[", 10_000), "deeper than 64"},
		{"BOM", "\ufeff{}", "valid JSON"},
	}
	for _, tt := range tests {
		o, err := scim.ParseObject([]byte(tt.in), 0, 0)
		var e *scim.Error
		if !errors.As(err, &e) || e.Status != 400 || e.Type != scim.TypeInvalidSyntax || !strings.Contains(e.Detail, tt.want) {
			t.Errorf("%s: %v, %v; want %q", tt.name, o, err, tt.want)
		} else if len(e.Detail) > 600 {
			t.Errorf("%s: the detail has %d bytes", tt.name, len(e.Detail))
		}
	}
	if _, err := scim.ParseObject([]byte(strings.Repeat(`{"a":`, 64)+"1"+strings.Repeat("}", 64)), 64, 0); err != nil {
		t.Errorf("64 levels: %v", err)
	}
	if _, err := scim.ParseObject([]byte(`{"a":{}}`), 1, 0); err == nil {
		t.Error("two levels where one is allowed")
	}
	const six = `{"a":[1,{}],"b":{"c":null}}`
	if _, err := scim.ParseObject([]byte(six), 0, 6); err != nil {
		t.Errorf("six values: %v", err)
	}
	_, err := scim.ParseObject([]byte(six), 0, 5)
	var e *scim.Error
	if !errors.As(err, &e) || e.Status != 413 || !strings.Contains(e.Detail, " 5 ") {
		t.Errorf("six values where five are allowed: %v", err)
	}
}

// FuzzParseObject: what is taken is what encoding/json reads too, and writes
// back to an equal object.
func FuzzParseObject(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":[1,"x",null,{"b":1e5}]}`, `{"a":"\ud83d\ude00","A":1}`, `{"é":1,"É":2}`, "{\"a\":\"\xff\"}", `{"a":-0}`,
		`{"K":1,"K":2}`, ` {"a" : 1 } `} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := scim.ParseObject(data, 0, 0)
		if err != nil {
			var e *scim.Error
			if !errors.As(err, &e) || e.Status != 400 {
				t.Fatalf("error is %v", err)
			}
			return
		}
		if !json.Valid(data) {
			t.Fatalf("taken, but not JSON: %q", data)
		}
		text := o.AppendJSON(nil)
		again, err := scim.ParseObject(text, 0, 0)
		if err != nil {
			t.Fatalf("%q was written as %q: %v", data, text, err)
		}
		if !scim.Equal(o, again) {
			t.Fatalf("%q came back as %q", data, text)
		}
		var ours, theirs any
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.UseNumber()
		if err := dec.Decode(&theirs); err != nil {
			t.Fatal(err)
		}
		dec = json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		if err := dec.Decode(&ours); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(theirs, ours); diff != "" {
			t.Fatalf("encoding/json reads something else (-theirs +ours):\n%s", diff)
		}
	})
}
