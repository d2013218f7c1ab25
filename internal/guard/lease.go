package guard

import (
	"context"
	"time"
)

// Rate is how many requests a credential may send: so many a second in the long
// run, and so many at once.
type Rate struct{ PerSecond, Burst float64 }

// Lease is a number of requests that an instance may let through.
type Lease struct {
	Granted int
	Left    int           // that others may still take
	Wait    time.Duration // until there is one again, if none was granted
}

// Leaser is a store that instances share: it keeps one bucket for each credential
// of a tenant.
type Leaser interface {
	// Lease takes up to want requests out of the bucket of that name, which fills
	// at a rate and is full at first.
	Lease(ctx context.Context, what string, r Rate, want int) (Lease, error)
}
