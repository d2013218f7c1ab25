package postgres_test

import (
	"cmp"
	"strconv"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/postgres"
)

func TestEscape(t *testing.T) {
	t.Parallel()
	var texts []string
	signs := []string{"", "\x00", "\x01", "\x02", "\x03", "a"}
	for _, a := range signs {
		for _, b := range signs {
			for _, c := range signs {
				texts = append(texts, a+b+c)
			}
		}
	}
	for _, a := range texts {
		x := postgres.Escape(a)
		if strings.Contains(x, "\x00") || postgres.Unescape(x) != a {
			t.Errorf("%q becomes %q, and that %q", a, x, postgres.Unescape(x))
		}
		for _, b := range texts {
			y := postgres.Escape(b)
			if cmp.Compare(a, b) != cmp.Compare(x, y) {
				t.Errorf("%q and %q are in another order as %q and %q", a, b, x, y)
			}
			if strings.Contains(a, b) != strings.Contains(x, y) || strings.HasPrefix(a, b) != strings.HasPrefix(x, y) ||
				strings.HasSuffix(a, b) != strings.HasSuffix(x, y) {
				t.Errorf("whether %q is in %q, or at an end of it, changes as %q and %q", b, a, y, x)
			}
		}
	}
	if x := postgres.Escape("a\xff"); strings.ContainsRune(x, '\uFFFD') || postgres.Escape("a\xfe") == x {
		t.Errorf("what is not UTF-8 becomes %q", x)
	}
}

func TestPlace(t *testing.T) {
	t.Parallel()
	const urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	a, b := postgres.Place(urn+":manager.value"), postgres.Place("urn:example:User:manager.value")
	if postgres.Place("emails.value") != "emails.value" || a == b || len(a) > 30 || !strings.HasSuffix(a, ":manager.value") {
		t.Errorf("%q and %q", a, b)
	}
	if want := "xQbdeiMSeys1:manager.value"; a != want {
		t.Errorf("%q, want %q: rows of older versions are no longer found", a, want)
	}
}

func TestDecimal(t *testing.T) {
	t.Parallel()
	for _, v := range []float64{0, 1, -1.5, 0.1, 1e-7, 1.0 / 3, 1e300, 5e-324, 1 << 53, 1<<63 - 1024, 1e22, 123456789.125} {
		if got, err := strconv.ParseFloat(postgres.Decimal(v), 64); err != nil || got != v {
			t.Errorf("%g becomes %s", v, postgres.Decimal(v))
		}
	}
	if got := postgres.Decimal(9223372036854774784); got != "9223372036854774784" {
		t.Errorf("an integer becomes %s", got)
	}
}
