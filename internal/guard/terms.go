package guard

import (
	"time"

	"github.com/rollcall-scim/rollcall/internal/tenant"
)

// Terms are what a breaker does, for those who tell of it.
type Terms struct {
	Mode    string // "off", "warn" or "hold"
	People  int
	Percent float64
	Window  time.Duration
}

// TermsOf returns what the settings of a tenant amount to.
func TermsOf(b tenant.Breaker) Terms {
	t := breakerOf(b)
	return Terms{map[mode]string{off: "off", warn: "warn", hold: "hold"}[t.mode], t.people, t.percent, t.window}
}

// Limit is how many people may be changed within the window in a tenant that had so
// many before it.
func (t Terms) Limit(settled int) int {
	return breaker{people: t.People, percent: t.Percent}.limit(settled)
}
