package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"
)

func signalContext() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
}

var client = &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}

// request is one call a scenario makes.
type request struct {
	method, url string
	body        []byte
	want        int // status; 0: any success
}

// tokenKey is the context's key of another token than the bench's own.
type tokenKey struct{}

// do sends the request and returns the body of its answer.
func (r request) do(ctx context.Context) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	bearer, ok := ctx.Value(tokenKey{}).(string)
	if !ok {
		bearer = token
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	if r.body != nil {
		req.Header.Set("Content-Type", "application/scim+json")
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != r.want && (r.want != 0 || resp.StatusCode/100 != 2) {
		return nil, fmt.Errorf("%s %s: status %d, want %d: %.300s", r.method, r.url, resp.StatusCode, r.want, body)
	}
	return body, nil
}

// send is do with the answer decoded into v.
func (r request) send(ctx context.Context, v any) error {
	body, err := r.do(ctx)
	if err != nil || v == nil || len(body) == 0 {
		return err
	}
	return json.Unmarshal(body, v)
}

// sample is what one round measured.
type sample struct {
	rate      float64 // requests per second
	latencies []time.Duration
}

// percentile returns the latency that p (0 to 1) of the requests kept.
func (s sample) percentile(p float64) time.Duration {
	if len(s.latencies) == 0 {
		return 0
	}
	return s.latencies[min(len(s.latencies)-1, int(p*float64(len(s.latencies))))]
}

// load runs workers that each send next's requests one after the other, until
// the time is over or, where times is set, that many were sent.
func load(ctx context.Context, workers int, length time.Duration, times int, next func(worker, n int) request) (sample, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		all   []time.Duration
		first error
	)
	begin := time.Now()
	for w := range workers {
		wg.Go(func() {
			var mine []time.Duration
			for n := 0; time.Since(begin) < length && (times == 0 || n < times); n++ {
				t := time.Now()
				if _, err := next(w, n).do(ctx); err != nil {
					mu.Lock()
					if first == nil {
						first = err
					}
					mu.Unlock()
					cancel()
					return
				}
				mine = append(mine, time.Since(t))
			}
			mu.Lock()
			all = append(all, mine...)
			mu.Unlock()
		})
	}
	wg.Wait()
	took := time.Since(begin)
	slices.Sort(all)
	return sample{float64(len(all)) / took.Seconds(), all}, first
}

// median returns the middle of the values.
func median[T float64 | time.Duration](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}
