package lookingglass_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
)

// TestOutboxBound: what is being written counts as waiting, so that a slow
// database makes nobody's memory grow.
func TestOutboxBound(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]lookingglass.Exchange{
		"many":  {Time: time.Unix(1, 0), Path: "/Users"},
		"large": {Time: time.Unix(1, 0), Path: "/Users/" + strings.Repeat("x", 8<<10)},
	} {
		took := lookingglass.FillForTests(x)
		if took[0] < 100 || took[0] > 4096 || took[1] != 0 || took[2] != 0 || took[3] != took[0] {
			t.Errorf("%s: took %v exchanges at first, in flight, after a failure and after success", name, took)
		}
	}
}
