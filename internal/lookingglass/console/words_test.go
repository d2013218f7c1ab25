package console_test

import (
	"testing"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/console"
)

func TestPlural(t *testing.T) {
	one, many := int64(1), int64(12)
	for want, n := range map[string]any{"1 row": &one, "12 rows": &many, "0 rows": 0} {
		if got := console.Plural(n, "row"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
