package scim_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rollcall-scim/rollcall/scim"
)

func TestFold(t *testing.T) { // LOC-002, LOC-003, USR-003, SEC-012, SCH-030
	t.Parallel()
	plain := &scim.Attribute{Type: scim.TypeString}
	exact := &scim.Attribute{Type: scim.TypeString, CaseExact: true}
	uri := &scim.Attribute{Type: scim.TypeReference}
	name := &scim.Attribute{Type: scim.TypeString, Precis: scim.PrecisUsername}
	tests := []struct {
		a    *scim.Attribute
		x, y string
		same bool
	}{
		{plain, "BJensen", "bjENSEN", true},
		{plain, "a", "b", false},
		{plain, "A\u030A", "å", true},      // NFC, then case
		{plain, "straße", "STRASSE", true}, // full folding
		{plain, "ΣΊΣΥΦΟΣ", "σίσυφος", true},
		{plain, "I", "ı", false}, // no Turkish rule
		{plain, "İ", "i", false},
		{plain, "ｂ", "b", false}, // width is for user names
		{name, "ｂjensen", "BJENSEN", true},
		{name, "Å", "a\u030A", true},
		{exact, "a", "A", false},
		{exact, "A\u030A", "\u00C5", true},
		{exact, "å", "Å", false},
		{uri, "http://x/A", "http://x/a", false},
		{uri, "http://x/A", "http://x/A", true},
	}
	for _, tt := range tests {
		if x, y := scim.Fold(tt.a, tt.x), scim.Fold(tt.a, tt.y); (x == y) != tt.same {
			t.Errorf("Fold(%q) = %q, Fold(%q) = %q; same should be %v", tt.x, x, tt.y, y, tt.same)
		}
		if x := scim.Fold(tt.a, tt.x); scim.Fold(tt.a, x) != x {
			t.Errorf("Fold(Fold(%q)) is not Fold(%q)", tt.x, tt.x)
		}
	}
}

func TestKeyCompare(t *testing.T) { // FLT-017, FLT-024, FLT-025, FLT-030
	t.Parallel()
	str := &scim.Attribute{Type: scim.TypeString}
	dec := &scim.Attribute{Type: scim.TypeDecimal}
	at := func(s string) scim.DateTime {
		dt, ok := scim.ParseDateTime(s)
		if !ok {
			t.Fatal(s)
		}
		return dt
	}
	tests := []struct {
		a    *scim.Attribute
		x, y any
		want int
	}{
		{str, "M", "m", 0},
		{str, "a", "B", -1},
		{str, "Z", "ä", -1},
		{str, "", "a", -1},
		{dec, int64(10), int64(9), 1},
		{dec, 1.5, 1.50, 0},
		{dec, 1.5, int64(1), 1},
		{dec, int64(2), 1.5, 1},
		{dec, int64(2), 2.0, 0},
		{dec, int64(9007199254740993), 9007199254740992.0, 1}, // what a conversion would round
		{dec, int64(-9223372036854775808), -9223372036854775808.0, 0},
		{dec, int64(9223372036854775807), 9223372036854775808.0, -1},
		{dec, int64(5), -1e300, 1},
		{dec, -1.5, int64(-1), -1},
		{str, false, true, -1},
		{str, true, true, 0},
		{str, []byte{1}, []byte{1}, 0},
		{str, at("2026-01-01T01:00:00+01:00"), at("2026-01-01T00:00:00Z"), 0},
		{str, at("2026-01-01T00:00:00.000001Z"), at("2026-01-01T00:00:00Z"), 1},
		{str, at("2026-01-01T00:00:00.0000001Z"), at("2026-01-01T00:00:00Z"), 0}, // below a microsecond
		{str, at("0001-01-01T00:00:00Z"), at("1970-01-01T00:00:00Z"), -1},
	}
	for _, tt := range tests {
		x, y := scim.KeyOf(tt.a, tt.x), scim.KeyOf(tt.a, tt.y)
		if got := x.Compare(y); got != tt.want {
			t.Errorf("%v compared with %v: %d, want %d", tt.x, tt.y, got, tt.want)
		}
		if got := y.Compare(x); got != -tt.want {
			t.Errorf("%v compared with %v: %d, want %d", tt.y, tt.x, got, -tt.want)
		}
	}
	for _, v := range []any{false, true, int64(0), 0.0, at("2026-01-01T00:00:00Z"), []byte{0}, "x"} {
		if scim.KeyOf(str, v).Text == "" {
			t.Errorf("the key of %v has no text, and would not be present", v)
		}
	}
	for _, v := range []any{"", []byte{}, nil, scim.Object{}} {
		if k := scim.KeyOf(str, v); k.Text != "" {
			t.Errorf("the key of %v is %v", v, k)
		}
	}
}

func TestSortText(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "a", strings.Repeat("a", 256), strings.Repeat("a", 257), strings.Repeat("ä", 300),
		"a" + strings.Repeat("ä", 300), strings.Repeat("😀", 99)} {
		got := scim.SortText(s)
		if !strings.HasPrefix(s, got) || !utf8.ValidString(got) || len(got) > scim.SortLength ||
			len(got) < min(len(s), scim.SortLength-3) {
			t.Errorf("SortText of %d bytes has %d", len(s), len(got))
		}
	}
}
