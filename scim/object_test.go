package scim_test

import (
	"encoding/json"
	"math"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-scim/rollcall/scim"
)

func object(pairs ...any) scim.Object {
	o := scim.Object{}
	for i := 0; i < len(pairs); i += 2 {
		o = append(o, scim.Member{Name: pairs[i].(string), Value: pairs[i+1]})
	}
	return o
}

func TestObjectSet(t *testing.T) {
	t.Parallel()
	o := object("a", 1, "b", 2)
	o.Set("a", 3)
	o.Set("c", 4)
	o.Set("b", nil)
	o.Set("d", nil)
	if diff := cmp.Diff(object("a", 3, "c", 4), o); diff != "" {
		t.Error(diff)
	}
	if o.Get("c") != 4 || o.Get("b") != nil || scim.Object(nil).Get("a") != nil {
		t.Errorf("Get finds %v and %v", o.Get("c"), o.Get("b"))
	}
}

func TestClone(t *testing.T) {
	t.Parallel()
	o := object("s", "x", "o", object("b", []byte{1}), "l", []any{object("x", "y")}, "m", []scim.MemberRef{{ID: "1"}})
	c := scim.Clone(o)
	if !scim.Equal(o, c) {
		t.Fatal("a clone differs")
	}
	c[1].Value.(scim.Object)[0].Value.([]byte)[0] = 2
	c[2].Value.([]any)[0].(scim.Object)[0].Value = "z"
	c[3].Value.([]scim.MemberRef)[0].ID = "2"
	want := object("s", "x", "o", object("b", []byte{1}), "l", []any{object("x", "y")}, "m", []scim.MemberRef{{ID: "1"}})
	if diff := cmp.Diff(want, o); diff != "" {
		t.Errorf("a change of the clone reached the original:\n%s", diff)
	}
	if scim.Clone(scim.Object(nil)) != nil {
		t.Error("a clone of nil is not nil")
	}
}

func TestEqual(t *testing.T) { // SCH-018
	t.Parallel()
	a, _ := scim.ParseDateTime("2026-01-01T00:00:00Z")
	b, _ := scim.ParseDateTime("2026-01-01T00:00:00.0Z")
	refs := func(ids ...string) (list []scim.MemberRef) {
		for _, id := range ids {
			list = append(list, scim.MemberRef{ID: id})
		}
		return list
	}
	tests := []struct {
		x, y any
		want bool
	}{
		{object("a", 1, "b", 2), object("b", 2, "a", 1), true},
		{object("a", 1), object("a", 1, "b", 2), false},
		{object("a", 1), object("b", 1), false},
		{object("a", object("x", []any{"y"})), object("a", object("x", []any{"y"})), true},
		{[]any{"a", "b"}, []any{"b", "a"}, false},
		{[]any{"a"}, []any{"a", "b"}, false},
		{refs("a", "b"), refs("b", "a"), true},
		{refs("a", "b"), refs("a", "c"), false},
		{refs("a"), refs("a", "b"), false},
		{[]byte{1}, []byte{1}, true},
		{[]byte{1}, []byte{2}, false},
		{a, a, true},
		{a, b, false},
		{int64(1), 1.0, false},
		{"a", "a", true},
		{"a", []any{"a"}, false},
		{[]any{"a"}, "a", false},
		{nil, nil, true},
		{nil, object(), false},
		{object(), nil, false},
		{"1", refs("1"), false},
		{"1", []byte("1"), false},
		{a.Text, a, false},
	}
	for _, tt := range tests {
		if got := scim.Equal(tt.x, tt.y); got != tt.want {
			t.Errorf("Equal(%v, %v) = %v", tt.x, tt.y, got)
		}
	}
}

func TestAppendJSON(t *testing.T) { // SCH-011, SCH-012
	t.Parallel()
	dt, _ := scim.ParseDateTime("2026-01-01T00:00:00+01:00")
	o := object("s", "a\"\\\n\x01ä\u2028", "t", true, "i", int64(-7), "n", 7, "d", 3.0, "dt", dt, "b", []byte("hi"), "o", object(),
		"l", []any{"x", nil}, "u", []string{"a", "b"}, "m", []scim.MemberRef{{ID: "1", Type: "User", Display: "never"}, {ID: "2"}},
		"num", json.Number("1e3"), "bad", struct{}{})
	const want = `{"s":"a\"\\\n\u0001ä` + "\u2028" + `","t":true,"i":-7,"n":7,"d":3.0,"dt":"2026-01-01T00:00:00+01:00","b":"aGk=","o":{},` +
		`"l":["x",null],"u":["a","b"],"m":[{"value":"1","type":"User"},{"value":"2"}],"num":1e3,"bad":null}`
	got, err := o.MarshalJSON()
	if err != nil || string(got) != want {
		t.Errorf("MarshalJSON:\n%s\nwant\n%s", got, want)
	}
	if !json.Valid(got) {
		t.Error("that is not JSON")
	}
}

func TestAppendNumber(t *testing.T) {
	t.Parallel()
	for f, want := range map[float64]string{0: "0.0", 1: "1.0", -3.25: "-3.25", 1e20: "100000000000000000000.0", 1e21: "1e+21", 1e-7: "1e-07",
		0.123456789012345: "0.123456789012345", math.Inf(1): "null", math.MaxFloat64: "1.7976931348623157e+308"} {
		got := string(scim.AppendNumber(nil, f))
		if got != want {
			t.Errorf("AppendNumber(%v) = %s, want %s", f, got, want)
		}
		if back, err := strconv.ParseFloat(got, 64); want != "null" && (err != nil || back != f) {
			t.Errorf("%s reads back as %v", got, back)
		}
	}
	if got := string(scim.AppendNumber(nil, math.NaN())); got != "null" {
		t.Errorf("NaN is %s", got)
	}
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "a", "\x00\x1f\"\\/", "ä😀\u2028", "\xff\xc3", "\xed\xa0\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := scim.AppendString([]byte("["), s)
		var got []string
		if err := json.Unmarshal(append(b, ']'), &got); err != nil {
			t.Fatalf("AppendString(%q) = %s: %v", s, b, err)
		}
		text, _ := json.Marshal(s) // replaces invalid UTF-8 as we do
		var want string
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		if got[0] != want {
			t.Errorf("AppendString(%q) reads back as %q", s, got[0])
		}
	})
}
