package facade

import "time"

// Hasten returns u with other pauses between tries.
func Hasten(u *Upstream, first, longest time.Duration) *Upstream {
	u.retries = newRetries(first, longest)
	return u
}
