package server_test

import (
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	v1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
	"github.com/rollcall-scim/rollcall/internal/server"
)

// series returns what /metrics shows: the series and their values as text.
func (r *running) series(headers ...string) map[string]string {
	r.t.Helper()
	a := r.do(http.MethodGet, "/metrics", "", headers...)
	if a.status != http.StatusOK {
		r.t.Fatalf("/metrics: %d %s", a.status, a.body)
	}
	all := map[string]string{}
	for line := range strings.Lines(string(a.body)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			i := strings.LastIndexByte(line, ' ')
			all[line[:i]] = line[i+1:]
		}
	}
	return all
}

func (r *running) wantSeries(all map[string]string, series, value string) {
	r.t.Helper()
	if got, ok := all[series]; !ok || got != value {
		r.t.Errorf("%s is %q, want %q", series, got, value)
	}
}

func TestMetricsDirectory(t *testing.T) {
	t.Parallel()
	r := start(t)
	id := r.create("ada")
	r.do("GET", "/scim/v2/Users/"+id, "", "User-Agent: Okta SCIM Client 1.0.0")
	if a := r.do("POST", "/scim/v2/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ADA"}`, "User-Agent: Okta SCIM Client 1.0.0"); a.status != 409 {
		t.Fatalf("a second ada: %d", a.status)
	}
	if a := r.do("PATCH", "/scim/v2/Users/"+id, `{"schemas":["x"]}`, "User-Agent: Okta SCIM Client 1.0.0"); a.status != 400 {
		t.Fatalf("a wrong PATCH: %d", a.status)
	}
	r.raw("GET", "/scim/v2/Users", "Authorization: Bearer wrong")
	r.do("POST", "/scim/v2/Users", strings.Repeat("x", 3<<20))
	all := r.series()
	r.wantSeries(all, `rollcall_requests_total{client="okta",operation="get",status="2xx"}`, "1")
	r.wantSeries(all, `rollcall_requests_total{client="okta",operation="create",status="4xx"}`, "1")
	r.wantSeries(all, `rollcall_refused_total{limit="authentication"}`, "1")
	r.wantSeries(all, `rollcall_refused_total{limit="size"}`, "1")
	r.wantSeries(all, `rollcall_failing_people{client="okta"}`, "2")
	r.wantSeries(all, `rollcall_backend_duration_seconds_count{operation="get"}`, "1")
	writes, _ := strconv.Atoi(all["rollcall_commit_writes_sum"])
	commits, err := strconv.Atoi(all["rollcall_commit_writes_count"])
	if err != nil || commits == 0 || writes < commits { // the audit log may have been sealed with one
		t.Errorf("%d commits of %d writes: %v", commits, writes, err)
	}
	if n := all[`rollcall_database_connections{state="in_use"}`]; n != "0" && n != "1" { // the audit log may be about to be sealed
		t.Errorf("%q connections are in use", n)
	}
	r.wantSeries(all, "rollcall_tokens_live", "0")
	if lag, err := strconv.ParseFloat(all["rollcall_audit_lag_seconds"], 64); err != nil || lag < 0 || lag > 60 {
		t.Errorf("the audit log lags by %q", all["rollcall_audit_lag_seconds"])
	}
	r.wantSeries(all, "rollcall_ready", "1")
	r.wantSeries(all, "rollcall_requests_under_way", "1") // this one
	if all["rollcall_looking_glass_exchanges"] == "" || all[`rollcall_upstream_retries_total{endpoint="user"}`] != "" {
		t.Error("not what a directory on SQLite has")
	}
	// She is written at last, known by both her names.
	if a := r.do("PATCH", "/scim/v2/Users/"+id, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"title","value":"Countess"}]}`); a.status != 200 {
		t.Fatalf("PATCH: %d %s", a.status, a.body)
	}
	r.wantSeries(r.series(), `rollcall_failing_people{client="okta"}`, "0")
}

// TestMetricsStaySmall (T24): paths, methods, agents and names that clients make
// up add no series.
func TestMetricsStaySmall(t *testing.T) {
	t.Parallel()
	r := start(t, "ROLLCALL_LOG_LEVEL=ERROR")
	made := func() string { return fmt.Sprintf("zz%d", rand.Uint64()) } //nolint:gosec // no secret
	methods := []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW"}
	paths := []string{"/", "/scim/v2/", "/scim/v2/Users/", "/scim/v2/Groups/", "/t/x/scim/v2/Users/", "/health/", "/scim/v2/Users?filter=", "/metrics/"}
	ask := func(method, path, token string) {
		req := httptest.NewRequest(method, path+made(), strings.NewReader(`{"userName":"`+made()+`"}`))
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("User-Agent", made())
		req.Header.Set("X-Request-Id", made())
		r.srv.ServeHTTP(httptest.NewRecorder(), req)
	}
	for _, method := range methods {
		for _, path := range paths {
			ask(method, path, testToken)
			ask(method, path, made())
		}
	}
	before := r.series()
	for i := range 10_000 {
		token := testToken
		if i%2 == 0 {
			token = made()
		}
		ask(append(methods, strings.ToUpper(made()))[i%9], strings.Replace(paths[i%8], "/t/x", "/t/"+made(), 1), token)
	}
	for series := range r.series() {
		if _, ok := before[series]; !ok {
			t.Errorf("%s is new", series)
		}
	}
}

// TestMetricsAccess: who may read them, and that a proxy on the same machine
// does not make everybody a local client.
func TestMetricsAccess(t *testing.T) {
	t.Parallel()
	plain := start(t)
	for name, headers := range map[string][]string{
		"a proxy that says so":     {"X-Forwarded-For: 192.0.2.1"},
		"one in the other way":     {"Forwarded: for=192.0.2.1"},
		"one that says what it is": {"Via: 1.1 proxy"},
		"another name":             {"Host: id.example.com"},
	} {
		if a := plain.raw("GET", "/metrics", headers...); a.status != http.StatusUnauthorized || !strings.Contains(a.header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	if a := plain.raw("GET", "/metrics"); a.status != http.StatusOK {
		t.Errorf("from here: %d", a.status)
	}
	if a := plain.raw("POST", "/metrics"); a.status != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", a.status)
	}
	req := httptest.NewRequest("GET", "http://127.0.0.1/metrics", nil)
	req.RemoteAddr = "192.0.2.7:1234"
	w := httptest.NewRecorder()
	if plain.srv.ServeHTTP(w, req); w.Code != http.StatusUnauthorized {
		t.Errorf("from elsewhere: %d", w.Code)
	}
	for _, setting := range []string{"ROLLCALL_TRUSTED_PROXIES=127.0.0.1", "ROLLCALL_BASE_URL=https://id.example.com"} {
		if a := start(t, setting).raw("GET", "/metrics"); a.status != http.StatusUnauthorized {
			t.Errorf("with %s, where clients come by another way: %d", setting, a.status)
		}
	}
	const secret = "a-token-for-metrics-alone"
	guarded := start(t, "ROLLCALL_METRICS_TOKEN="+secret, "ROLLCALL_TRUSTED_PROXIES=127.0.0.1")
	for token, want := range map[string]int{secret: 200, testToken: 401, "": 401, secret + "x": 401} {
		if a := guarded.raw("GET", "/metrics", "Authorization: Bearer "+token); a.status != want {
			t.Errorf("token %q: %d, want %d", token, a.status, want)
		}
	}
	if a := guarded.raw("GET", "/scim/v2/Users", "Authorization: Bearer "+secret); a.status != http.StatusUnauthorized {
		t.Errorf("the token for metrics reads people: %d", a.status)
	}
}

func TestMetricsListen(t *testing.T) {
	t.Parallel()
	r := start(t, "ROLLCALL_METRICS_LISTEN=127.0.0.1:0")
	own := &running{t: t, url: "http://" + r.srv.MetricsAddr().String(), log: r.log}
	if a := own.raw("GET", "/metrics"); a.status != 200 || !strings.Contains(string(a.body), "rollcall_build_info") {
		t.Errorf("on its own address: %d", a.status)
	}
	for _, path := range []string{"/", "/scim/v2/Users", "/looking-glass", "/health"} {
		if a := own.raw("GET", path, "Authorization: Bearer "+testToken); a.status != http.StatusNotFound {
			t.Errorf("%s on the address of metrics: %d", path, a.status)
		}
	}
	if a := r.do("GET", "/metrics", ""); a.status != http.StatusNotFound {
		t.Errorf("/metrics on the other address: %d", a.status)
	}
}

func TestTelemetrySettings(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"ROLLCALL_METRICS_LISTEN=nowhere", "ROLLCALL_METRICS_LISTEN=:8080", "ROLLCALL_METRICS_TOKEN=two words", "ROLLCALL_METRICS_TOKEN=" + testToken,
		"OTEL_EXPORTER_OTLP_ENDPOINT=collector:4318", "OTEL_EXPORTER_OTLP_ENDPOINT=http://u:p@collector", "OTEL_EXPORTER_OTLP_ENDPOINT=http://collector?x"} {
		if _, _, err := settings(t, bad, "ROLLCALL_TOKEN="+testToken); err == nil || !strings.Contains(err.Error(), strings.Split(bad, "=")[0]) || strings.Contains(err.Error(), testToken) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, _, err := settings(t, "OTEL_EXPORTER_OTLP_ENDPOINT=http://c", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"); err == nil {
		t.Error("gRPC is taken")
	}
	for want, environ := range map[string][]string{
		"":                          {"OTEL_SERVICE_NAME=x"},
		"http://c:4318/v1/traces":   {"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318/"},
		"http://c:4318/a/v1/traces": {"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318/a"},
		"https://c/all":             {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=https://c/all", "OTEL_EXPORTER_OTLP_ENDPOINT=http://other"},
	} {
		if s, _, err := settings(t, environ...); err != nil || s.TraceTo != want {
			t.Errorf("%v: %q, %v", environ, s.TraceTo, err)
		}
	}
	for _, off := range []string{"OTEL_SDK_DISABLED=true", "OTEL_TRACES_EXPORTER=none"} {
		if s, _, err := settings(t, off, "OTEL_EXPORTER_OTLP_ENDPOINT=http://c"); err != nil || s.TraceTo != "" {
			t.Errorf("%s: %q, %v", off, s.TraceTo, err)
		}
	}
}

// traces is a collector.
type traces struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*v1.Span
	text  strings.Builder // all that came
}

func collect(t *testing.T) *traces {
	t.Helper()
	c := &traces{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var m collector.ExportTraceServiceRequest
		if err != nil || proto.Unmarshal(body, &m) != nil {
			t.Errorf("not a message for a collector: %v", err)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.text.Write(body)
		for _, rs := range m.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				c.spans = append(c.spans, ss.Spans...)
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// of returns the spans of a trace by name.
func (c *traces) of(trace string) map[string][]*v1.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[string][]*v1.Span{}
	for _, s := range c.spans {
		if hex.EncodeToString(s.TraceId) == trace {
			all[s.Name] = append(all[s.Name], s)
		}
	}
	return all
}

// TestTraces (T22): a request's spans arrive, with its statements, and nothing
// of whom it was about.
func TestTraces(t *testing.T) {
	t.Parallel()
	c := collect(t)
	r := start(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL)
	const trace, canary = "4bf92f3577b34da6a3ce929d0e0e4736", "canary-7f3a"
	parent := "00-" + trace + "-00f067aa0ba902b7-01"
	id := r.create(canary)
	for _, call := range [][3]string{
		{"GET", "/scim/v2/Users?filter=userName+eq+%22" + canary + "%22", ""},
		{"GET", "/scim/v2/Users?filter=emails.value+co+%22" + canary + "%22&sortBy=userName", ""},
		{"POST", "/scim/v2/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"` + canary + `","password":"` + canary + `"}`},
		{"PATCH", "/scim/v2/Users/" + id, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"displayName","value":"` + canary + `"}]}`},
		{"GET", "/scim/v2/Users/" + canary, ""},
		{"GET", "/" + canary, ""},
		{"X" + strings.ToUpper(canary), "/scim/v2/Users", ""},
	} {
		r.do(call[0], call[1], call[2], "Traceparent: "+parent, "Tracestate: x="+canary, "User-Agent: "+canary, "Baggage: x="+canary)
	}
	r.raw("GET", "/scim/v2/Users", "Authorization: Bearer "+canary, "Traceparent: "+parent)
	r.srv.FlushTraces(t.Context())
	spans := c.of(trace)
	if len(spans["list User"]) != 2 || len(spans["create User"]) != 1 || len(spans["patch User"]) != 1 {
		t.Errorf("spans: %v", names(spans))
	}
	if len(spans["SELECT"]) == 0 || len(spans["parse"]) == 0 || len(spans["backend"]) == 0 || len(spans["encode"]) == 0 {
		t.Errorf("parts: %v", names(spans))
	}
	c.mu.Lock()
	for _, secret := range []string{canary, strings.ToUpper(canary), testToken, id} {
		if strings.Contains(c.text.String(), secret) {
			t.Errorf("%q is sent to the collector", secret)
		}
	}
	c.mu.Unlock()
	if !strings.Contains(r.log.String(), `"trace":"`+trace+`"`) {
		t.Error("no line of the log names the trace")
	}
	r.do("GET", "/health", "", "Traceparent: "+parent)
	r.srv.FlushTraces(t.Context())
	if n := len(c.of(trace)["health"]); n != 0 {
		t.Errorf("health checks are traced: %d", n)
	}
}

func names(spans map[string][]*v1.Span) (list []string) {
	for name, s := range spans {
		list = append(list, fmt.Sprint(name, "×", len(s)))
	}
	return list
}

// TestFacadeTelemetry: calls of the application are counted and traced by the
// class of their endpoint, and the trace goes on there.
func TestFacadeTelemetry(t *testing.T) {
	t.Parallel()
	c := collect(t)
	emulator, err := pactflowtest.New(pactflowtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var parents []string
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		parents = append(parents, r.Header.Get("Traceparent")+r.Header.Get("Tracestate")+r.Header.Get("Baggage"))
		mu.Unlock()
		emulator.ServeHTTP(w, r)
	}))
	t.Cleanup(upstream.Close)
	r := start(t, "PACTFLOW_URL="+upstream.URL, "ROLLCALL_TOKEN=", "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL)
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	if a := r.raw("GET", "/scim/Users?filter=userName+eq+%22canary-7f3a%22", "Authorization: Bearer "+pactflowtest.SCIMToken, "Traceparent: 00-"+trace+"-00f067aa0ba902b7-01", "Tracestate: a=b", "Baggage: a=b"); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	r.srv.FlushTraces(t.Context())
	calls := c.of(trace)["GET users"]
	if len(calls) == 0 {
		t.Fatalf("spans: %v", names(c.of(trace)))
	}
	mu.Lock()
	if want := "00-" + trace + "-" + hex.EncodeToString(calls[0].SpanId) + "-01"; len(parents) == 0 || parents[0] != want {
		t.Errorf("passed on %q, want %q", parents, want)
	}
	mu.Unlock()
	c.mu.Lock()
	if strings.Contains(c.text.String(), "canary") {
		t.Error("the value of a filter is sent to the collector")
	}
	c.mu.Unlock()
	all := r.series()
	if all[`rollcall_upstream_duration_seconds_count{endpoint="users",result="2xx"}`] == "" || all[`rollcall_upstream_retries_total{endpoint="users"}`] != "0" || all["rollcall_ready"] != "1" {
		t.Errorf("metrics of the calls: %v", all[`rollcall_upstream_duration_seconds_count{endpoint="users",result="2xx"}`])
	}
	for series := range all {
		if strings.HasPrefix(series, "rollcall_database") || strings.HasPrefix(series, "rollcall_commit") || strings.HasPrefix(series, "rollcall_tokens") {
			t.Errorf("a façade has no %s", series)
		}
	}
}

// BenchmarkCount is what a request pays for being counted.
func BenchmarkCount(b *testing.B) {
	s, _, err := settings(&testing.T{}, "ROLLCALL_LISTEN=127.0.0.1:0", "ROLLCALL_TOKEN="+testToken, "ROLLCALL_DATA_DIR="+b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	srv, err := server.Open(b.Context(), s, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer srv.Close()
	r := server.Counted(httptest.NewRequest(http.MethodGet, "/scim/v2/Users/1", nil))
	b.ReportAllocs()
	for b.Loop() {
		srv.Count(r)
	}
}
