package facade

import (
	"context"
	"runtime"
	"time"
)

// Hasten returns u with other pauses between tries.
func Hasten(u *Upstream, first, longest time.Duration) *Upstream {
	u.retries = newRetries(first, longest)
	return u
}

// Waiting returns once n requests wait for indexes of s that are being read.
func Waiting(s *Store, n int) {
	for {
		sum := 0
		s.indexes.mu.Lock()
		for _, i := range s.indexes.list {
			sum += i.waiting
		}
		s.indexes.mu.Unlock()
		if sum == n {
			return
		}
		runtime.Gosched()
	}
}

// Lock waits for the turn of keys.
func Lock(ctx context.Context, s *Store, keys ...string) (func(), error) {
	return s.locks.lock(ctx, keys...)
}
