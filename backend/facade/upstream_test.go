package facade_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/facade"
)

const token = "canary-5up3r-s3cr3t-token-0123456789"

func parse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// upstream returns an Upstream that does not wait long before it tries again.
func upstream(t *testing.T, base string, set func(*facade.Options)) *facade.Upstream {
	t.Helper()
	o := facade.Options{Name: "App", Base: parse(t, base), Logger: slog.New(slog.DiscardHandler)}
	if set != nil {
		set(&o)
	}
	return facade.Hasten(facade.NewUpstream(o), time.Millisecond, 2*time.Millisecond)
}

func failure(t *testing.T, err error) *facade.Failure {
	t.Helper()
	var f *facade.Failure
	if !errors.As(err, &f) {
		t.Fatalf("no Failure: %v", err)
	}
	return f
}

// hostile is a server that treats each try as its script says, and the last
// entry for ever.
type hostile struct {
	*httptest.Server
	tries atomic.Int64
}

func newHostile(t *testing.T, script ...func(w http.ResponseWriter, r *http.Request)) *hostile {
	h := &hostile{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		n := int(h.tries.Add(1))
		script[min(n, len(script))-1](w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

func ok(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("X-Seen", "ok")
	_, _ = io.WriteString(w, `{"name":"n"}`)
}

func status(code int, header ...string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

func body(s string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, s) }
}

// drop closes the connection after it has written s, raw.
func drop(s string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(conn, s)
		_ = conn.Close()
	}
}

// silent answers nothing until the client has gone.
func silent(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// slow begins an answer and does not end it.
func slow(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, `{"name":"`)
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// flood answers with JSON of this size.
func flood(mib int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		chunk := []byte(strings.Repeat("x", 1<<20))
		_, _ = io.WriteString(w, `{"name":"`)
		for range mib {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
		_, _ = io.WriteString(w, `"}`)
	}
}

type named struct{ Name string }

// TestTries: what is tried again, how often, and what is said if it was in vain.
func TestTries(t *testing.T) {
	t.Parallel()
	type fault = func(http.ResponseWriter, *http.Request)
	midHeader, midBody := drop("HTTP/1.1 200 OK\r\nContent-"), drop("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"name\":")
	for _, c := range []struct {
		name    string
		fault   fault
		get     int // tries
		put     int
		post    int
		reason  facade.Reason
		status  int // a client's
		unknown bool
	}{
		{"400", status(400), 1, 1, 1, facade.Refused, 400, false},
		{"401", status(401), 1, 1, 1, facade.Refused, 401, false},
		{"403", status(403), 1, 1, 1, facade.Refused, 403, false},
		{"404", status(404), 1, 1, 1, facade.Refused, 404, false},
		{"405", status(405), 1, 1, 1, facade.Refused, 502, false},
		{"406", status(406), 1, 1, 1, facade.Refused, 502, false},
		{"409", status(409), 1, 1, 1, facade.Refused, 409, false},
		{"410", status(410), 1, 1, 1, facade.Refused, 404, false},
		{"415", status(415), 1, 1, 1, facade.Refused, 502, false},
		{"422", status(422), 1, 1, 1, facade.Refused, 400, false},
		{"429", status(429), 3, 1, 1, facade.Refused, 429, false},
		{"429 for long", status(429, "Retry-After", "60"), 1, 1, 1, facade.Refused, 429, false},
		{"500", status(500), 1, 1, 1, facade.Refused, 502, true},
		{"502", status(502), 3, 2, 1, facade.Refused, 503, true},
		{"503", status(503), 3, 2, 1, facade.Refused, 503, true},
		{"503 for long", status(503, "Retry-After", "6"), 1, 1, 1, facade.Refused, 503, true},
		{"504", status(504), 3, 2, 1, facade.Refused, 503, true},
		{"dropped", drop(""), 3, 2, 1, facade.Broken, 502, true},
		{"dropped in the header", midHeader, 3, 2, 1, facade.Broken, 502, true},
		{"dropped in the body", midBody, 3, 2, 1, facade.Broken, 502, true},
		{"redirect", status(302, "Location", "/again"), 1, 1, 1, facade.Nonsense, 502, true},
		{"HTML", body("<html>Sign in</html>"), 1, 1, 1, facade.Nonsense, 502, true},
		{"nothing", status(200), 1, 1, 1, facade.Nonsense, 502, true},
		{"cut short", body(`{"name":"n`), 1, 1, 1, facade.Nonsense, 502, true},
		{"another shape", body(`{"name":["n"]}`), 1, 1, 1, facade.Nonsense, 502, true},
		{"two values", body(`{"name":"n"}{}`), 1, 1, 1, facade.Nonsense, 502, true},
		{"bad gzip", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, "no gzip at all, but a text")
		}, 1, 1, 1, facade.Nonsense, 502, true},
		{"silent", silent, 1, 1, 1, facade.TimedOut, 504, true},
		{"slow", slow, 1, 1, 1, facade.TimedOut, 504, true},
	} {
		for method, want := range map[string]int{"GET": c.get, "PUT": c.put, "DELETE": c.put, "POST": c.post, "PATCH": c.post} {
			t.Run(c.name+" "+method, func(t *testing.T) {
				t.Parallel()
				var s *hostile
				var ctx context.Context
				var f *facade.Failure
				try := func(timeout time.Duration) {
					s, ctx = newHostile(t, c.fault), facade.WithCaller(t.Context(), token)
					u := upstream(t, s.URL, func(o *facade.Options) { o.CallTimeout = timeout })
					var got named
					_, err := u.Do(ctx, facade.Call{Method: method, Path: "/a/b", Body: map[string]string{"x": "y"}}, &got)
					f = failure(t, err)
				}
				// Where a machine is so busy that the time is up before the server has the
				// call, that is no answer that takes too long: it is given more.
				timeout := time.Duration(0)
				if c.reason == facade.TimedOut {
					timeout = 30 * time.Millisecond
				}
				for try(timeout); c.reason == facade.TimedOut && s.tries.Load() == 0 && timeout < 30*time.Second; try(timeout) {
					timeout *= 4
				}
				// net/http's own further try on a kept connection can't be: each was dropped.
				if n := int(s.tries.Load()); n != want {
					t.Errorf("%d tries, want %d", n, want)
				}
				if n := int(facade.CallerOf(ctx).Calls()); n != want {
					t.Errorf("%d calls counted, want %d", n, want)
				}
				if f.Reason != c.reason || f.Call != method+" /a/b" || f.Name != "App" {
					t.Errorf("failure %+v, want %s", f, c.reason)
				}
				wantStatus, unknown := c.status, c.unknown
				if method == "DELETE" && c.name == "422" {
					wantStatus = 409
				}
				e := f.SCIM()
				if e.Status != wantStatus {
					t.Errorf("a client gets %v, want %d", e, wantStatus)
				}
				if said := strings.Contains(e.Detail, "outcome is unknown"); said != (unknown && method != "GET") || f.Sent != unknown {
					t.Errorf("outcome unknown: %v, Sent %v, want %v: %v", said, f.Sent, unknown, e)
				}
				if wait := e.RetryAfter; (wait > 0) != (e.Status == 429 || e.Status == 503) {
					t.Errorf("Retry-After %v with %d", wait, e.Status)
				}
			})
		}
	}
}

// TestTriesAgain: a fault that passes is not seen.
func TestTriesAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method string
		script []func(http.ResponseWriter, *http.Request)
	}{
		{"GET", []func(http.ResponseWriter, *http.Request){status(503), drop(""), ok}},
		{"GET", []func(http.ResponseWriter, *http.Request){status(429), drop("HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n{\"name\":\"other\""), ok}},
		{"PUT", []func(http.ResponseWriter, *http.Request){drop(""), ok}},
		{"DELETE", []func(http.ResponseWriter, *http.Request){status(502), ok}},
	} {
		s := newHostile(t, c.script...)
		var got named
		a, err := upstream(t, s.URL, nil).Do(t.Context(), facade.Call{Method: c.method, Path: "/a", Body: 1}, &got)
		if err != nil || got.Name != "n" || a.Status != 200 || a.Header.Get("X-Seen") != "ok" {
			t.Errorf("%s: %+v, %+v, %v", c.method, a, got, err)
		}
	}
	s := newHostile(t, drop(""), status(404))
	if a, err := upstream(t, s.URL, nil).Do(t.Context(), facade.Call{Method: "DELETE", Path: "/a"}, nil); err != nil || a.Status != 404 {
		t.Errorf("a DELETE whose answer was lost: %v, %v", a, err)
	}
	s = newHostile(t, drop(""), status(409))
	if _, err := upstream(t, s.URL, nil).Do(t.Context(), facade.Call{Method: "PUT", Path: "/a"}, nil); failure(t, err).Status != 409 || !failure(t, err).Sent {
		t.Errorf("a PUT whose answer was lost may have been carried out, whatever came then: %v", err)
	}
	s = newHostile(t, status(429, "Retry-After", "0"), status(404))
	if _, err := upstream(t, s.URL, nil).Do(t.Context(), facade.Call{Method: "GET", Path: "/a"}, nil); failure(t, err).Status != 404 {
		t.Errorf("a GET of nothing: %v", err)
	}
}

// TestUnreached: what can't have been sent is sent again, a POST too.
func TestUnreached(t *testing.T) {
	t.Parallel()
	const base = "http://127.0.0.1:1" // where nobody listens
	for method, want := range map[string]int64{"GET": 3, "PUT": 2, "DELETE": 2, "POST": 2, "PATCH": 2} {
		ctx := facade.WithCaller(t.Context(), token)
		_, err := upstream(t, base, nil).Do(ctx, facade.Call{Method: method, Path: "/a", Body: 1}, nil)
		f := failure(t, err)
		if f.Reason != facade.Unreached || f.Sent || f.SCIM().Status != 502 || facade.CallerOf(ctx).Calls() != want {
			t.Errorf("%s: %+v after %d calls, want %d", method, f, facade.CallerOf(ctx).Calls(), want)
		}
		if d := f.SCIM().Detail; strings.Contains(d, "127.0.0.1") || strings.Contains(d, "refused") {
			t.Errorf("a client learns %s", d)
		}
	}
}

// TestDeadConnection: the server closes a connection that was kept just as it is
// used again. A GET goes through; a POST is not sent twice.
func TestDeadConnection(t *testing.T) {
	t.Parallel()
	var received atomic.Int64
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				in := bufio.NewReader(conn)
				for n := 0; ; n++ {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					received.Add(1)
					if n > 0 {
						return // the second on this connection: no answer
					}
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
				}
			}()
		}
	}()
	u := upstream(t, "http://"+l.Addr().String(), nil)
	for _, c := range []struct {
		method string
		calls  int64
		works  bool
	}{{"GET", 2, true}, {"POST", 1, false}} {
		if _, err := u.Do(t.Context(), facade.Call{Method: "GET", Path: "/first"}, nil); err != nil {
			t.Fatal(err)
		}
		received.Store(0)
		ctx := facade.WithCaller(t.Context(), token)
		_, err := u.Do(ctx, facade.Call{Method: c.method, Path: "/second"}, nil)
		if c.works != (err == nil) || received.Load() != c.calls || facade.CallerOf(ctx).Calls() != c.calls {
			t.Errorf("%s: %v, received %d, counted %d, want %d", c.method, err, received.Load(), facade.CallerOf(ctx).Calls(), c.calls)
		}
		if err != nil && (!failure(t, err).Sent || failure(t, err).Reason != facade.Broken) {
			t.Errorf("%s: %+v", c.method, failure(t, err))
		}
		if c.works { // the connection of the further try has had one call: use it up
			_, _ = u.Do(t.Context(), facade.Call{Method: "POST", Path: "/third"}, nil)
		}
	}
}

// TestMaxAnswer: an answer that is too large is none, and is not held.
func TestMaxAnswer(t *testing.T) {
	packed := func(mib int) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			flood(mib)(zipped{w, z}, r)
			_ = z.Close()
		}
	}
	for name, h := range map[string]func(http.ResponseWriter, *http.Request){"plain": flood(64), "packed": packed(64)} {
		s := newHostile(t, h)
		u := upstream(t, s.URL, func(o *facade.Options) { o.MaxAnswer = 4 << 20 })
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var got named
		_, err := u.Do(t.Context(), facade.Call{Method: "GET", Path: "/a"}, &got)
		runtime.ReadMemStats(&after)
		if f := failure(t, err); f.Reason != facade.Nonsense || !strings.Contains(f.SCIM().Detail, "more than 4194304 bytes") {
			t.Errorf("%s: %v", name, err)
		}
		if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 40 {
			t.Errorf("%s: %d MiB for an answer of which 4 are allowed", name, used)
		}
		// A refusal of that size is read as far as it may have something to say.
		s = newHostile(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(400); flood(64)(w, r) })
		_, err = upstream(t, s.URL, nil).Do(t.Context(), facade.Call{Method: "GET", Path: "/a"}, &got)
		if f := failure(t, err); f.Status != 400 || f.Text != "" {
			t.Errorf("%v", err)
		}
	}
	exact := newHostile(t, body(`{"name":"n"}`))
	for limit, works := range map[int64]bool{11: false, 12: true, 13: true} {
		var got named
		_, err := upstream(t, exact.URL, func(o *facade.Options) { o.MaxAnswer = limit }).Do(t.Context(), facade.Call{Method: "GET", Path: "/a"}, &got)
		if works != (err == nil) {
			t.Errorf("12 bytes of %d: %v", limit, err)
		}
	}
}

// zipped is a ResponseWriter that packs what it writes.
type zipped struct {
	http.ResponseWriter
	z *gzip.Writer
}

func (w zipped) Write(p []byte) (int, error) { return w.z.Write(p) }

// TestStream: a func reads the answer piece by piece, may have enough, and gets
// it again if the call is repeated.
func TestStream(t *testing.T) {
	t.Parallel()
	s := newHostile(t, drop("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1,2,"), body(`[1,2,3]`))
	u := upstream(t, s.URL, nil)
	var got []int
	read := func(most int) func(*json.Decoder) error {
		return func(d *json.Decoder) error {
			got = nil
			if _, err := d.Token(); err != nil {
				return err
			}
			for d.More() {
				var n int
				if err := d.Decode(&n); err != nil {
					return err
				}
				if got = append(got, n); len(got) == most {
					return facade.Enough
				}
			}
			_, err := d.Token()
			return err
		}
	}
	for most, want := range map[int]string{0: "[1 2 3]", 2: "[1 2]"} {
		if _, err := u.Do(t.Context(), facade.Call{Method: "GET", Path: "/a"}, read(most)); err != nil || fmt.Sprint(got) != want {
			t.Errorf("%v, %v, want %s", got, err, want)
		}
	}
	no := errors.New("no user")
	_, err := u.Do(t.Context(), facade.Call{Method: "GET", Path: "/a"}, func(*json.Decoder) error { return no })
	if f := failure(t, err); f.Reason != facade.Nonsense || !errors.Is(err, no) {
		t.Errorf("%v", err)
	}
}

// TestConcurrent: no more calls than that are under way, and who waits too long
// is told so, as is who goes away.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	const most = 3
	var now, peak atomic.Int64
	gate := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := now.Add(1)
		for p := peak.Load(); n > p && !peak.CompareAndSwap(p, n); p = peak.Load() {
		}
		<-gate
		now.Add(-1)
		_, _ = io.WriteString(w, "{}")
	}))
	defer s.Close()
	u := upstream(t, s.URL, func(o *facade.Options) { o.Concurrent = most })
	var clients sync.WaitGroup
	for range 50 {
		clients.Go(func() {
			if _, err := u.Do(t.Context(), facade.Call{Method: "GET", Path: "/a"}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	for now.Load() < most {
		runtime.Gosched()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := u.Do(ctx, facade.Call{Method: "POST", Path: "/a"}, nil)
	if f := failure(t, err); f.Sent || !errors.Is(err, context.Canceled) {
		t.Errorf("who has gone: %v", err)
	}
	for range 50 {
		gate <- struct{}{}
	}
	clients.Wait()
	if peak.Load() != most {
		t.Errorf("%d calls at once, want %d", peak.Load(), most)
	}

	u = upstream(t, s.URL, func(o *facade.Options) { o.Concurrent, o.QueueTimeout = 1, time.Millisecond })
	clients.Go(func() {
		if _, err := u.Do(t.Context(), facade.Call{Method: "GET", Path: "/a"}, nil); err != nil {
			t.Error(err)
		}
	})
	for now.Load() < 1 {
		runtime.Gosched()
	}
	_, err = u.Do(t.Context(), facade.Call{Method: "POST", Path: "/a"}, nil)
	if f := failure(t, err); f.Reason != facade.Busy || f.Sent || f.SCIM().Status != 503 || f.SCIM().RetryAfter == 0 {
		t.Errorf("no turn: %+v", f)
	}
	go func() { gate <- struct{}{}; gate <- struct{}{} }() // whoever comes first
	if _, err := u.Do(t.Context(), facade.Call{Method: "GET", Path: "/a", Public: true}, nil); err != nil {
		t.Errorf("a health check waits for nobody: %v", err)
	}
	clients.Wait()
}

// TestGone: a client that goes away takes its call with it.
func TestGone(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	s := newHostile(t, func(w http.ResponseWriter, r *http.Request) { close(begun); silent(w, r) })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	_, err := upstream(t, s.URL, nil).Do(ctx, facade.Call{Method: "POST", Path: "/a"}, nil)
	if f := failure(t, err); !f.Sent || !errors.Is(err, context.Canceled) || s.tries.Load() != 1 {
		t.Errorf("%+v", f)
	}
}

// TestRequest: what the application sees of a client is its token.
func TestRequest(t *testing.T) {
	t.Parallel()
	var seen *http.Request
	var sent []byte
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r
		sent, _ = io.ReadAll(r.Body)
		_, _ = io.WriteString(w, "{}")
	}))
	defer s.Close()
	u := upstream(t, s.URL+"/ctx/", func(o *facade.Options) { o.Accept = "application/hal+json" })
	ctx := facade.WithCaller(t.Context(), token)
	call := facade.Call{Method: "PUT", Path: "/a/b%2Fc", Query: url.Values{"q": {"a&b"}}, Body: map[string]string{"name": "<é>"}}
	if _, err := u.Do(ctx, call, nil); err != nil {
		t.Fatal(err)
	}
	if seen.RequestURI != "/ctx/a/b%2Fc?q=a%26b" || string(sent) != `{"name":"<é>"}` {
		t.Errorf("%s %s", seen.RequestURI, sent)
	}
	want := http.Header{"Accept": {"application/hal+json"}, "Accept-Encoding": {"gzip"}, "Authorization": {"Bearer " + token},
		"Content-Length": {"15"}, "Content-Type": {"application/json"}, "User-Agent": {"Rollcall"}}
	if fmt.Sprint(seen.Header) != fmt.Sprint(want) {
		t.Errorf("header %v, want %v", seen.Header, want)
	}
	call.Public, call.Body, call.Method = true, nil, "GET"
	if _, err := u.Do(ctx, call, nil); err != nil || seen.Header.Get("Authorization") != "" || seen.Header.Get("Content-Type") != "" {
		t.Errorf("a public call: %v %v", seen.Header, err)
	}
	u = upstream(t, s.URL, nil)
	for _, path := range []string{"@evil.example/a", ".evil.example/a", ":1/a"} {
		before := seen
		if _, err := u.Do(ctx, facade.Call{Method: "GET", Path: path}, nil); err == nil || seen != before {
			t.Errorf("path %q: %v", path, err)
		}
	}
}
