package guardtest

import (
	"context"
	"sync"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/guard"
)

// testLease takes requests out of one bucket through two instances at once: as many
// as it holds, and no more.
func testLease(t *testing.T, open Open) {
	w := begin(t, open, "auto", hold(1))
	if _, ok := w.stores[0].(guard.Leaser); !ok {
		return // one program alone uses the store: it counts by itself
	}
	ctx := context.Background()
	rate := guard.Rate{PerSecond: 0.001, Burst: 50} // so slow that nothing comes in during the test
	var wait sync.WaitGroup
	var mu sync.Mutex
	granted := 0
	for i := range 12 {
		wait.Go(func() {
			l, err := w.stores[i%2].(guard.Leaser).Lease(ctx, "tk_1", rate, 7)
			mu.Lock()
			defer mu.Unlock()
			if granted += l.Granted; err != nil || l.Granted == 0 && l.Wait <= 0 {
				t.Errorf("%+v, %v", l, err)
			}
		})
	}
	wait.Wait()
	if granted != 50 {
		t.Errorf("%d were granted of 50", granted)
	}
	l, err := w.stores[0].(guard.Leaser).Lease(ctx, "tk_2", rate, 7)
	if err != nil || l.Granted != 7 || l.Left != 43 {
		t.Errorf("another bucket: %+v, %v", l, err)
	}
}
