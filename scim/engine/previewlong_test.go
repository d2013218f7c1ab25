package engine_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// slowly is a store in which each creation takes time, and which counts those
// that are in a batch.
type slowly struct {
	*memory.Store
	each    time.Duration
	batches *atomic.Int32
}

type slowBatch struct {
	scim.Backend
	each time.Duration
}

func (s slowly) Batch(ctx context.Context, f func(scim.Backend) error) error {
	if s.batches.Add(1) > 1 {
		return fmt.Errorf("two at a time")
	}
	defer s.batches.Add(-1)
	return s.Store.Batch(ctx, func(b scim.Backend) error { return f(slowBatch{b, s.each}) })
}

func (s slowBatch) Create(ctx context.Context, r *scim.Resource) (*scim.Resource, error) {
	time.Sleep(s.each) // of the clock of the test
	return s.Backend.Create(ctx, r)
}

// A preview of a Bulk message keeps others from writing for a bounded time, and
// leaves them time before the next one.
func TestPreviewOfLongBulk(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		operations int
		each       time.Duration
		status     int
		took       time.Duration
	}{
		{50, 10 * time.Millisecond, 200, 500 * time.Millisecond},
		{1000, 10 * time.Microsecond, 200, 10 * time.Millisecond},
		{51, 10 * time.Millisecond, 413, 500 * time.Millisecond},
		{1000, time.Millisecond, 413, 101 * time.Millisecond},
		{10, 300 * time.Millisecond, 413, 1200 * time.Millisecond},
	} {
		t.Run(fmt.Sprintf("%d of %v", c.operations, c.each), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e, err := engine.New(slowly{new(memory.Store), c.each, new(atomic.Int32)}, engine.Config{})
				if err != nil {
					t.Fatal(err)
				}
				var ops []string
				for i := range c.operations {
					ops = append(ops, fmt.Sprintf(`{"method":"POST","bulkId":"b%d","path":"/Users","data":{"userName":"u%d"}}`, i, i))
				}
				body := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[` + strings.Join(ops, ",") + `]}`
				try := func() engine.Response {
					return e.Do(t.Context(), engine.Request{Method: "POST", Path: "/Bulk", Query: url.Values{"dryRun": {"true"}}, Body: []byte(body)})
				}
				start := time.Now()
				if resp := try(); resp.Status != c.status {
					t.Errorf("%d %v", resp.Status, resp.Err)
				}
				if took := time.Since(start); took != c.took {
					t.Errorf("it took %v, want %v", took, c.took)
				}
				done := make(chan engine.Response)
				for range 2 {
					go func() { done <- try() }()
				}
				for range 2 {
					if resp := <-done; resp.Status != c.status {
						t.Errorf("of two together: %d %v", resp.Status, resp.Err)
					}
				}
				if took := time.Since(start); took != 21*c.took {
					t.Errorf("three took %v, want %v", took, 21*c.took)
				}
			})
		})
	}
}
