package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// duration says microseconds as people read them.
func duration(micros int64) string {
	switch {
	case micros < 1000:
		return strconv.FormatInt(micros, 10) + " µs"
	case micros < 10_000:
		return fmt.Sprintf("%.1f ms", float64(micros)/1000)
	case micros < 1_000_000:
		return fmt.Sprintf("%.0f ms", float64(micros)/1000)
	}
	return fmt.Sprintf("%.1f s", float64(micros)/1e6)
}

// byteSize says a number of bytes as people read it.
func byteSize(n int64) string {
	switch {
	case n < 1024:
		return plural(n, "byte")
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/1024)
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

// plural says how many there are of something.
func plural(n any, noun string) string {
	if p, ok := n.(*int64); ok {
		n = *p
	}
	text := fmt.Sprint(n)
	if text == "1" {
		return "1 " + noun
	}
	return text + " " + noun + "s"
}

// pretty indents JSON; anything else stays as it is, such as a body of which
// only the beginning was kept.
func pretty(text string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(text), "", "  ") == nil {
		return strings.TrimSpace(b.String())
	}
	return text
}
