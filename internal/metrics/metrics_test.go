package metrics_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/metrics"
	"github.com/rollcall-scim/rollcall/scim/compat"
)

// shown returns the series and their values, as a scrape gets them.
func shown(t testing.TB, m *metrics.Metrics) map[string]float64 {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, metrics.Path, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	all := map[string]float64{}
	for line := range strings.Lines(w.Body.String()) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		i := strings.LastIndexByte(line, ' ')
		v, err := strconv.ParseFloat(line[i+1:], 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all[line[:i]] = v
	}
	return all
}

func want(t *testing.T, all map[string]float64, series string, value float64) {
	t.Helper()
	if got, ok := all[series]; !ok || got != value {
		t.Errorf("%s is %v (%v), want %v", series, got, ok, value)
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	m := metrics.New(metrics.Options{Version: "v1.2.3"})
	for range 3 {
		m.Request(metrics.Request{Operation: "patch", Status: 204, Client: "entra", Took: 3 * time.Millisecond, Backend: time.Millisecond})
	}
	m.Request(metrics.Request{Operation: "create", Status: 409, Client: "okta", Took: 2 * time.Second})
	m.Request(metrics.Request{})
	m.Refused(metrics.Breaker)
	m.Refused("something new")
	end := m.Begin()
	all := shown(t, m)
	want(t, all, `rollcall_requests_total{client="entra",operation="patch",status="2xx"}`, 3)
	want(t, all, `rollcall_requests_total{client="okta",operation="create",status="4xx"}`, 1)
	want(t, all, `rollcall_requests_total{client="other",operation="other",status="other"}`, 1)
	want(t, all, `rollcall_request_duration_seconds_bucket{operation="patch",le="0.0025"}`, 0)
	want(t, all, `rollcall_request_duration_seconds_bucket{operation="patch",le="0.005"}`, 3)
	want(t, all, `rollcall_request_duration_seconds_count{operation="create"}`, 1)
	want(t, all, `rollcall_backend_duration_seconds_count{operation="patch"}`, 3)
	want(t, all, `rollcall_backend_duration_seconds_count{operation="create"}`, 0)
	want(t, all, `rollcall_refused_total{limit="breaker"}`, 1)
	want(t, all, `rollcall_refused_total{limit="other"}`, 1)
	want(t, all, `rollcall_refused_total{limit="rate"}`, 0)
	want(t, all, "rollcall_requests_under_way", 1)
	if end(); shown(t, m)["rollcall_requests_under_way"] != 0 {
		t.Error("the request is still under way")
	}
	if all["go_goroutines"] == 0 || all["process_start_time_seconds"] == 0 {
		t.Error("nothing of the runtime or the process")
	}
	for series := range all {
		if strings.HasPrefix(series, "rollcall_build_info{") && strings.Contains(series, `version="v1.2.3"`) {
			return
		}
	}
	t.Error("no rollcall_build_info")
}

// TestCardinality (T24): whatever clients send, the number of series stays what
// it was.
func TestCardinality(t *testing.T) {
	t.Parallel()
	m := metrics.New(metrics.Options{Facade: true})
	m.Glass(func() metrics.Glass { return metrics.Glass{} })
	m.Pool(func() metrics.Pool { return metrics.Pool{} })
	for _, client := range append(compat.Clients(), "unheard of") {
		for _, op := range []string{"", "create", "get", "list", "search", "replace", "patch", "delete", "bulk", "discovery", "options", "preview"} {
			for status := 0; status < 700; status += 100 {
				m.Request(metrics.Request{Operation: op, Status: status, Client: client})
			}
		}
	}
	for _, endpoint := range metrics.Endpoints {
		for status := 0; status < 700; status += 100 {
			m.Called(metrics.Call{Endpoint: endpoint, Status: status})
		}
		for _, reason := range []string{"refused", "unreached", "broken", "timed out", "busy", "nonsense", "what?"} {
			m.Called(metrics.Call{Endpoint: endpoint, Reason: reason})
		}
	}
	before := len(shown(t, m))
	text := func() string { return fmt.Sprintf("%x/%x", rand.Uint64(), rand.Uint64()) } //nolint:gosec // no secret
	for range 10_000 {
		m.Request(metrics.Request{Operation: text(), Status: rand.IntN(2000) - 500, Client: text(), Took: time.Duration(rand.Int64N(1 << 40)), Backend: 1}) //nolint:gosec // no secret
		m.Refused(metrics.Limit(text()))
		m.Called(metrics.Call{Endpoint: text(), Status: rand.IntN(2000) - 500, Reason: text(), Again: true}) //nolint:gosec // no secret
		m.Written(text(), text(), true, text())
	}
	if after := len(shown(t, m)); after != before {
		t.Errorf("%d series have become %d", before, after)
	} else {
		t.Logf("%d series, at most", after)
	}
}

func TestFailing(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var mu sync.Mutex
	m := metrics.New(metrics.Options{Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }})
	count := func(client string) float64 {
		return shown(t, m)[`rollcall_failing_people{client="`+client+`"}`]
	}
	if m.AnyFailing() {
		t.Error("somebody fails before anybody was written")
	}
	m.Written("default", "okta", true, "ada")
	m.Written("default", "okta", true, "ada") // again
	m.Written("default", "entra", true, "bob")
	m.Written("other", "entra", true, "ada") // of another tenant
	if count("okta") != 1 || count("entra") != 2 {
		t.Errorf("okta %v, entra %v", count("okta"), count("entra"))
	}
	m.Written("default", "entra", true, "ada") // now another client fails with her
	if count("okta") != 0 || count("entra") != 3 {
		t.Errorf("okta %v, entra %v", count("okta"), count("entra"))
	}
	m.Written("default", "okta", false, "an id", "ada") // she is known by two names
	if count("entra") != 2 {
		t.Errorf("entra %v", count("entra"))
	}
	mu.Lock()
	now = now.Add(25 * time.Hour)
	mu.Unlock()
	if count("entra") != 0 || m.AnyFailing() {
		t.Errorf("entra %v after a day", count("entra"))
	}
	for i := range 10_500 {
		m.Written("default", "curl", true, strconv.Itoa(i))
	}
	if count("curl") != 10_000 {
		t.Errorf("curl %v", count("curl"))
	}
}

func TestReaders(t *testing.T) {
	t.Parallel()
	m := metrics.New(metrics.Options{SQLite: true})
	m.Committed(3, time.Millisecond)
	m.Pool(func() metrics.Pool {
		return metrics.Pool{InUse: 3, Idle: 1, Most: 16, Waits: 7, Waited: 1500 * time.Millisecond}
	})
	m.Glass(func() metrics.Glass { return metrics.Glass{Kept: 10, Sampled: 4, Dropped: 2, Queued: 99} })
	asked := 0
	m.Tokens(func() (metrics.Tokens, error) {
		asked++
		return metrics.Tokens{Live: 5, OldestAge: time.Hour, ExpireDays: []int{0, 1, 2, 3, 29}}, nil
	})
	m.Lag(func() (time.Duration, error) { return 0, errors.New("not now") })
	m.Ready(func() bool { return true })
	all := shown(t, m)
	want(t, all, "rollcall_commit_writes_sum", 3)
	want(t, all, "rollcall_commit_duration_seconds_count", 1)
	want(t, all, `rollcall_database_connections{state="in_use"}`, 3)
	want(t, all, `rollcall_database_connections{state="idle"}`, 1)
	want(t, all, "rollcall_database_connections_most", 16)
	want(t, all, "rollcall_database_waits_total", 7)
	want(t, all, "rollcall_database_wait_seconds_total", 1.5)
	want(t, all, "rollcall_looking_glass_exchanges", 10)
	want(t, all, `rollcall_looking_glass_left_out_total{why="sampled"}`, 4)
	want(t, all, `rollcall_looking_glass_left_out_total{why="dropped"}`, 2)
	want(t, all, "rollcall_looking_glass_queued_bytes", 99)
	want(t, all, "rollcall_tokens_live", 5)
	want(t, all, "rollcall_token_oldest_age_seconds", 3600)
	want(t, all, `rollcall_tokens_expiring{within="1d"}`, 1)
	want(t, all, `rollcall_tokens_expiring{within="3d"}`, 3)
	want(t, all, `rollcall_tokens_expiring{within="14d"}`, 4)
	want(t, all, `rollcall_tokens_expiring{within="30d"}`, 5)
	want(t, all, "rollcall_ready", 1)
	if _, there := all["rollcall_audit_lag_seconds"]; there {
		t.Error("a lag that is not known is shown")
	}
	if shown(t, m); asked != 1 {
		t.Errorf("the tokens were asked for %d times within a minute", asked)
	}
}

func TestUpstream(t *testing.T) {
	t.Parallel()
	m := metrics.New(metrics.Options{Facade: true})
	m.Called(metrics.Call{Endpoint: "user", Status: 404, Took: 30 * time.Millisecond})
	m.Called(metrics.Call{Endpoint: "user", Reason: "timed out", Took: time.Second})
	m.Called(metrics.Call{Endpoint: "user", Status: 200, Again: true, Took: time.Millisecond})
	m.Called(metrics.Call{Endpoint: "/admin/users/ada", Reason: "ada"})
	all := shown(t, m)
	want(t, all, `rollcall_upstream_duration_seconds_count{endpoint="user",result="4xx"}`, 1)
	want(t, all, `rollcall_upstream_duration_seconds_count{endpoint="user",result="timed out"}`, 1)
	want(t, all, `rollcall_upstream_duration_seconds_count{endpoint="other",result="other"}`, 1)
	want(t, all, `rollcall_upstream_retries_total{endpoint="user"}`, 1)
	// What a server without a façade is told of calls goes nowhere.
	metrics.New(metrics.Options{}).Called(metrics.Call{})
	metrics.New(metrics.Options{}).Committed(1, 1)
}

// BenchmarkRequest is what a request pays for being counted.
func BenchmarkRequest(b *testing.B) {
	m := metrics.New(metrics.Options{})
	b.ReportAllocs()
	for b.Loop() {
		end := m.Begin()
		m.Request(metrics.Request{Operation: "patch", Status: 204, Client: "entra", Took: 3 * time.Millisecond, Backend: time.Millisecond})
		end()
	}
}

func BenchmarkRequestParallel(b *testing.B) {
	m := metrics.New(metrics.Options{})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			end := m.Begin()
			m.Request(metrics.Request{Operation: "list", Status: 200, Client: "okta", Took: 3 * time.Millisecond, Backend: time.Millisecond})
			end()
		}
	})
}
