package lookingglass_test

import (
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
)

// What the worker takes apart is what the viewers' parser, that of the library,
// reads; so also of a text that was cut.
func FuzzTape(f *testing.F) {
	for _, s := range []string{`{"a":[1,-0.5e+7,true,false,null,"x"],"b":{"c":{}},"a":[]}`, ` [ ] `, `{"a" : "\u00e9\ud83d\ude00\n\"" , "b":1}`, `"\ud800"`,
		`01`, `-`, `1.`, `1e`, `1.5E-`, `[1,]`, `{"a":1,}`, `{,}`, `{"a"}`, `[1 2]`, `tru`, `trux`, "\"\x01\"", "\"\xff\"", "\"\xe2\x82\"", "\"\xc3", `"\q"`, `{} {}`, "", " ",
		`{"a":tru`, `[[[{"a":"b`, `{"a":12`, `"\u12`, `{"a":nul`, "\ufeff{}", `{"…":null}`, strings.Repeat("[", 101), strings.Repeat("[", 99) + strings.Repeat("]", 99)} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, text string, cut bool) {
		want, err := lookingglass.ParseForTests(text, cut)
		got, err2 := lookingglass.TapeForTests(text, cut)
		if err == nil && err2 == nil && got != want || !cut && (err == nil) != (err2 == nil) {
			t.Errorf("%q: %s %v, want %s %v", text, got, err2, want, err)
		}
		if err != nil || cut || len(text) > 1000 {
			return
		}
		for i := range len(text) { // of what is right every beginning is
			want, err := lookingglass.ParseForTests(text[:i], true)
			if got, err2 := lookingglass.TapeForTests(text[:i], true); got != want || err != nil || err2 != nil {
				t.Errorf("%q: %s %v, want %s %v", text[:i], got, err2, want, err)
			}
		}
	})
}
