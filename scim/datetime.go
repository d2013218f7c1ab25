package scim

import (
	"strings"
	"time"
)

// ParseDateTime reads an xsd:dateTime (RFC 7643 §2.3.5): date and time, a
// fraction of a second of any length, and "Z" or an offset, or neither, which
// means UTC. Years are 0001 to 9999. It reports false for any other text. The
// instant is cut to nanoseconds; Text is s.
func ParseDateTime(s string) (DateTime, bool) {
	const layout = "2006-01-02T15:04:05"
	if len(s) < len(layout) || s[:4] == "0000" {
		return DateTime{}, false
	}
	head, rest := s[:len(layout)], s[len(layout):]
	// time.Parse would take "T1:04:05" and a fraction that is not there.
	for i, c := range []byte(head) {
		if digit := layout[i] >= '0' && layout[i] <= '9'; digit != (c >= '0' && c <= '9') {
			return DateTime{}, false
		}
	}
	midnight := head[11:] == "24:00:00" // the end of the day, XML Schema part 2 §3.2.7
	if midnight {
		head = head[:11] + "00:00:00"
	}
	t, err := time.Parse(layout, head)
	if err != nil {
		return DateTime{}, false
	}
	if rest != "" && rest[0] == '.' {
		digits := strings.TrimLeft(rest[1:], "0123456789")
		fraction := rest[1 : len(rest)-len(digits)]
		if fraction == "" || midnight && strings.Trim(fraction, "0") != "" {
			return DateTime{}, false
		}
		t = t.Add(nanoseconds(fraction))
		rest = digits
	}
	offset, ok := zone(rest)
	if !ok {
		return DateTime{}, false
	}
	if midnight {
		t = t.AddDate(0, 0, 1)
	}
	return DateTime{Time: t.Add(-offset), Text: s}, true
}

// nanoseconds returns the value of the digits after a decimal point.
func nanoseconds(digits string) time.Duration {
	var n time.Duration
	for i := range 9 {
		n *= 10
		if i < len(digits) {
			n += time.Duration(digits[i] - '0')
		}
	}
	return n
}

// zone reads what follows the seconds: nothing, "Z" or an offset of at most
// fourteen hours.
func zone(s string) (time.Duration, bool) {
	if s == "" || s == "Z" {
		return 0, true
	}
	if len(s) != len("+hh:mm") || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	t, err := time.Parse("15:04", s[1:])
	if err != nil {
		return 0, false
	}
	offset := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	if offset > 14*time.Hour {
		return 0, false
	}
	if s[0] == '-' {
		offset = -offset
	}
	return offset, true
}
