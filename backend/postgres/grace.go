package postgres

import (
	"context"
	"time"
)

// grace is how long a call whose caller has left still waits for the answer to a
// commit: so it says the truth about what has happened. Only a database that
// takes longer leaves it unknown.
const grace = 4 * time.Second

// graced returns a context that lasts as long as ctx, and grace longer.
func graced(ctx context.Context) (longer context.Context, cancel func()) {
	longer, end := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(grace):
			end(context.Cause(ctx))
		case <-longer.Done():
		}
	})
	return longer, func() {
		stop()
		end(nil)
	}
}
