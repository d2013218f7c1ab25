package facade_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-scim/rollcall/backend/facade"
)

// trip is a RoundTripper that is a func: it makes no connection, so that time in
// a bubble goes as fast as nothing happens.
type trip func(n int, r *http.Request) (*http.Response, error)

type tripper struct {
	f trip
	n int
}

func (t *tripper) RoundTrip(r *http.Request) (*http.Response, error) {
	t.n++
	return t.f(t.n, r)
}

func answered(code int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: code, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

func over(t *testing.T, f trip) *facade.Upstream {
	return facade.NewUpstream(facade.Options{Name: "App", Base: parse(t, "http://app.example"), Transport: &tripper{f: f}, Logger: slog.New(slog.DiscardHandler)})
}

// TestPauses: how long is waited before another try.
func TestPauses(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for _, c := range []struct {
		name        string
		header      []string
		min, max    time.Duration
		second, end time.Duration // bounds of the second pause
	}{
		{"backoff", nil, 150 * ms, 250 * ms, 300 * ms, 500 * ms},
		{"Retry-After", []string{"Retry-After", "3"}, 3 * time.Second, 5 * time.Second, 3 * time.Second, 5 * time.Second},
		{"Retry-After 0", []string{"Retry-After", "0"}, 150 * ms, 250 * ms, 300 * ms, 500 * ms},
		{"Retry-After nonsense", []string{"Retry-After", "soon"}, 150 * ms, 250 * ms, 300 * ms, 500 * ms},
		{"Retry-After past", []string{"Retry-After", "Fri, 02 Jan 1998 15:04:05 GMT"}, 150 * ms, 250 * ms, 300 * ms, 500 * ms},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var at []time.Time
				u := over(t, func(int, *http.Request) (*http.Response, error) {
					at = append(at, time.Now())
					return answered(503, "", c.header...), nil
				})
				_, err := u.Do(t.Context(), facade.Call{Method: "GET", Path: "/a"}, nil)
				if f := failure(t, err); f.Status != 503 || len(at) != 3 {
					t.Fatalf("%v after %d tries", err, len(at))
				}
				if d := at[1].Sub(at[0]); d < c.min || d > c.max {
					t.Errorf("first pause %v, want %v to %v", d, c.min, c.max)
				}
				if d := at[2].Sub(at[1]); d < c.second || d > c.end {
					t.Errorf("second pause %v, want %v to %v", d, c.second, c.end)
				}
			})
		})
	}
}

// TestLeftWaiting: who goes away between two tries does not wait for the next,
// and is told what the last one may have done.
func TestLeftWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		tries := 0
		u := over(t, func(int, *http.Request) (*http.Response, error) {
			tries++
			return answered(502, ""), nil
		})
		_, err := u.Do(ctx, facade.Call{Method: "PUT", Path: "/a"}, nil)
		if f := failure(t, err); !f.Sent || tries != 1 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%+v after %d tries", f, tries)
		}
	})
}

// TestDoneAndGone: a write that was carried out is not told as cancelled because
// its client went away just then.
func TestDoneAndGone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(facade.WithCaller(t.Context(), token))
	u := over(t, func(_ int, r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 201, Header: http.Header{}, Body: last{strings.NewReader("{}"), cancel}}, nil
	})
	if a, err := u.Do(ctx, facade.Call{Method: "POST", Path: "/a"}, nil); err != nil || a.Status != 201 || ctx.Err() == nil {
		t.Errorf("%v, %v", a, err)
	}
	// The next call is not made.
	if _, err := u.Do(ctx, facade.Call{Method: "POST", Path: "/a"}, nil); failure(t, err).Sent || facade.CallerOf(ctx).Calls() != 1 {
		t.Errorf("%v after %d calls", err, facade.CallerOf(ctx).Calls())
	}
}

// last is a body that is closed when its client has gone.
type last struct {
	io.Reader
	gone func()
}

func (l last) Close() error { l.gone(); return nil }

// TestTimes: a call may take its time for the whole of its answer, each try its own.
func TestTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		u := over(t, func(_ int, r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(drip{r.Context()})}, nil
		})
		var got any
		_, err := u.Do(t.Context(), facade.Call{Method: "GET", Path: "/a"}, &got)
		if f := failure(t, err); f.Reason != facade.TimedOut || f.Status != 200 || f.SCIM().Status != 504 || time.Since(start) != 30*time.Second {
			t.Errorf("%+v after %v", f, time.Since(start))
		}
	})
}

// drip is a body of one byte a second, for ever.
type drip struct{ ctx context.Context }

func (d drip) Read(p []byte) (int, error) {
	select {
	case <-time.After(time.Second):
		p[0] = ' '
		return 1, nil
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	}
}

// TestUntraced: of a RoundTripper that tells nothing of its way, and of one that
// fails before it has any, the worst is assumed: a POST is not repeated.
func TestUntraced(t *testing.T) {
	t.Parallel()
	tries := 0
	u := over(t, func(int, *http.Request) (*http.Response, error) {
		tries++
		return nil, errors.New("somewhere")
	})
	_, err := u.Do(t.Context(), facade.Call{Method: "POST", Path: "/a"}, nil)
	if f := failure(t, err); f.Reason != facade.Broken || !f.Sent || tries != 1 {
		t.Errorf("%+v after %d tries", f, tries)
	}
}

// TestWay: net/http itself goes on to another connection if nothing was written
// to the first; what counts is the last.
func TestWay(t *testing.T) {
	t.Parallel()
	get := func(h *httptrace.ClientTrace) { h.GetConn("app.example:80") }
	got := func(h *httptrace.ClientTrace) { h.GotConn(httptrace.GotConnInfo{}) }
	wrote := func(h *httptrace.ClientTrace) { h.WroteHeaders() }
	for _, c := range []struct {
		name   string
		way    []func(*httptrace.ClientTrace)
		reason facade.Reason
		sent   bool
		calls  int64 // of a POST
	}{
		{"no connection", []func(*httptrace.ClientTrace){get}, facade.Unreached, false, 2},
		{"a connection", []func(*httptrace.ClientTrace){get, got}, facade.Broken, false, 2},
		{"a header", []func(*httptrace.ClientTrace){get, got, wrote}, facade.Broken, true, 1},
		{"another, which is none", []func(*httptrace.ClientTrace){get, got, wrote, get}, facade.Unreached, false, 4},
		{"another", []func(*httptrace.ClientTrace){get, got, wrote, get, got, wrote}, facade.Broken, true, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx := facade.WithCaller(t.Context(), token)
			u := over(t, func(_ int, r *http.Request) (*http.Response, error) {
				for _, step := range c.way {
					step(httptrace.ContextClientTrace(r.Context()))
				}
				return nil, errors.New("somewhere")
			})
			_, err := u.Do(ctx, facade.Call{Method: "POST", Path: "/a"}, nil)
			if f := failure(t, err); f.Reason != c.reason || f.Sent != c.sent || facade.CallerOf(ctx).Calls() != c.calls {
				t.Errorf("%s: %+v after %d calls, want %s, sent %v, %d calls", c.name, f, facade.CallerOf(ctx).Calls(), c.reason, c.sent, c.calls)
			}
		})
	}
}
