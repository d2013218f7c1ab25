package server

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// meter shows how far a long command is: a bar on a terminal, a line now and
// then elsewhere.
type meter struct {
	out   io.Writer
	label string
	bar   bool
	every time.Duration
	start time.Time
	told  time.Time
	from  int64 // done before this run
	begun bool
	wrote bool
}

func newMeter(out io.Writer, label string) *meter {
	m := &meter{out: out, label: label, every: 10 * time.Second, start: time.Now()}
	m.told = m.start
	if f, ok := out.(*os.File); ok && isTerminal(f) {
		m.bar, m.every = true, 100*time.Millisecond
	}
	return m
}

// progress implements transfer.Progress.
func (m *meter) progress(done, total int64) {
	if !m.begun {
		m.begun, m.from = true, done
	}
	now := time.Now()
	if now.Sub(m.told) < m.every {
		return
	}
	m.told, m.wrote = now, true
	total = max(total, done, 1)
	text := fmt.Sprintf("%3d%%  %s of about %s", done*100/total, grouped(done), grouped(total))
	if took := now.Sub(m.start).Seconds(); done > m.from {
		rate := float64(done-m.from) / took
		left := time.Duration(float64(total-done) / rate * float64(time.Second)).Round(time.Second)
		text += fmt.Sprintf("  %s/s  %s left", grouped(int64(rate)), left)
	}
	if !m.bar {
		fmt.Fprintf(m.out, "rollcall: %s: %s\n", m.label, strings.TrimSpace(text))
		return
	}
	const width = 30
	full := int(done * width / total)
	fmt.Fprintf(m.out, "\r%s [%s%s] %s\x1b[K", m.label, strings.Repeat("#", full), strings.Repeat(".", width-full), text)
}

// end takes the bar away.
func (m *meter) end() {
	if m.bar && m.wrote {
		fmt.Fprint(m.out, "\r\x1b[K")
	}
}

// grouped is a number with its thousands apart.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
