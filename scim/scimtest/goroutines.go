package scimtest

import (
	"bytes"
	"context"
	"runtime/pprof"
	"strconv"
	"strings"
)

// goroutines counts those that came of a test: a goroutine has the labels of
// the one that began it, whatever other tests do meanwhile.
type goroutines string

// label labels the goroutine that calls it, until the returned function is
// called.
func (g goroutines) label(ctx context.Context) (back func()) {
	pprof.SetGoroutineLabels(pprof.WithLabels(ctx, pprof.Labels("scimtest", string(g))))
	return func() { pprof.SetGoroutineLabels(ctx) }
}

// count returns how many goroutines have the label now.
func (g goroutines) count() (n int) {
	var b bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&b, 1) // a buffer takes all
	alike := 0                                   // of the goroutines with one stack and the same labels
	for line := range strings.Lines(b.String()) {
		switch {
		case strings.HasPrefix(line, "# labels: "):
			if strings.Contains(line, `"scimtest":`+strconv.Quote(string(g))) {
				n += alike
			}
		default:
			if head, _, ok := strings.Cut(line, " @ "); ok {
				alike, _ = strconv.Atoi(head)
			}
		}
	}
	return n
}
