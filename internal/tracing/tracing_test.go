package tracing_test

import (
	"compress/gzip"
	"context"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	v1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/rollcall-scim/rollcall/internal/tracing"
	"github.com/rollcall-scim/rollcall/scim"
)

// receiver is a collector.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	spans  []*v1.Span
	about  map[string]string
	header http.Header
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	c := &receiver{about: map[string]string{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			var err error
			if in, err = gzip.NewReader(r.Body); err != nil {
				t.Error(err)
				return
			}
		}
		text, err := io.ReadAll(in)
		var m collector.ExportTraceServiceRequest
		if err = errorsOf(err, proto.Unmarshal(text, &m)); err != nil {
			t.Error(err)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.header = r.Header
		for _, rs := range m.ResourceSpans {
			for _, kv := range rs.Resource.Attributes {
				c.about[kv.Key] = kv.Value.GetStringValue()
			}
			for _, ss := range rs.ScopeSpans {
				c.spans = append(c.spans, ss.Spans...)
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func errorsOf(list ...error) error {
	for _, err := range list {
		if err != nil {
			return err
		}
	}
	return nil
}

// named returns the one span of that name.
func (c *receiver) named(t *testing.T, name string) *v1.Span {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var found *v1.Span
	for _, s := range c.spans {
		if s.Name == name {
			if found != nil {
				t.Fatalf("%q is there twice", name)
			}
			found = s
		}
	}
	if found == nil {
		t.Fatalf("no span %q among %d", name, len(c.spans))
	}
	return found
}

func attr(s *v1.Span, key string) string {
	for _, kv := range s.Attributes {
		if kv.Key == key {
			return kv.Value.GetStringValue()
		}
	}
	return ""
}

func open(t *testing.T, endpoint string) *tracing.Tracer {
	t.Helper()
	tr, err := tracing.New(t.Context(), tracing.Options{Endpoint: endpoint, Version: "v1", Instance: "one", Database: "sqlite", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = tr.Close(ctx)
	})
	return tr
}

func TestSpans(t *testing.T) {
	t.Parallel()
	c := newReceiver(t)
	tr := open(t, c.URL+"/v1/traces")
	r := httptest.NewRequest(http.MethodPatch, "/scim/v2/Users/1", nil)
	r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	r.Header.Set("Tracestate", "vendor=canary")
	r, s := tr.Start(r)
	if s.ID() != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("the trace is %q", s.ID())
	}
	steps := scim.TraceOf(r.Context())
	steps.Note(func(n *scim.TraceNotes) {
		n.Parse, n.Backend, n.Encode = time.Millisecond, 2*time.Millisecond, time.Millisecond
	})
	steps.Add(scim.Step{Kind: "sql", Text: "SELECT doc FROM users WHERE id = ?", Took: time.Millisecond, Rows: 1})
	steps.Add(scim.Step{Kind: "sql", Text: "INSERT INTO users VALUES (?)", Took: time.Millisecond, Failed: "canary is there already"})
	steps.Add(scim.Step{Kind: "call", Text: "GET /canary", Took: time.Millisecond})
	header := http.Header{}
	end := tr.Call(r.Context(), "GET", "user", 2, header)
	end(503)
	s.End(tracing.Ending{Kind: "scim", Operation: "patch", Type: "User", Client: "okta", Method: "PATCH", Status: 500})
	if err := tr.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	root, backend := c.named(t, "patch User"), c.named(t, "backend")
	if hex.EncodeToString(root.TraceId) != s.ID() || hex.EncodeToString(root.ParentSpanId) != "b7ad6b7169203331" {
		t.Errorf("the parent is %x of %x", root.ParentSpanId, root.TraceId)
	}
	if root.Kind != v1.Span_SPAN_KIND_SERVER || root.Status.Code != v1.Status_STATUS_CODE_ERROR || attr(root, "rollcall.client") != "okta" {
		t.Errorf("the request: %v", root)
	}
	for _, name := range []string{"parse", "backend", "encode", "GET user"} {
		if s := c.named(t, name); string(s.ParentSpanId) != string(root.SpanId) || s.EndTimeUnixNano < s.StartTimeUnixNano {
			t.Errorf("%s: %v", name, s)
		}
	}
	read, write, call := c.named(t, "SELECT"), c.named(t, "INSERT"), c.named(t, "GET user")
	if string(read.ParentSpanId) != string(backend.SpanId) || attr(read, "db.query.text") != "SELECT doc FROM users WHERE id = ?" || attr(read, "db.system.name") != "sqlite" {
		t.Errorf("the read: %v", read)
	}
	if write.Status.Code != v1.Status_STATUS_CODE_ERROR || write.Status.Message != "" {
		t.Errorf("the write: %v", write)
	}
	if want := "00-" + s.ID() + "-" + hex.EncodeToString(call.SpanId) + "-01"; header.Get("Traceparent") != want || header.Get("Tracestate") != "" {
		t.Errorf("passed on %v, want %s", header, want)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if strings.Contains(s.String(), "canary") {
			t.Errorf("what is nobody's business is sent: %v", s)
		}
	}
	if c.about["service.name"] != "rollcall" || c.about["service.version"] != "v1" || c.about["service.instance.id"] != "one" {
		t.Errorf("about: %v", c.about)
	}
}

// TestNotSampled: a client that says that its trace is not recorded costs no
// record here, but its trace goes on.
func TestNotSampled(t *testing.T) {
	t.Parallel()
	c := newReceiver(t)
	tr := open(t, c.URL+"/v1/traces")
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")
	r, s := tr.Start(r)
	if scim.TraceOf(r.Context()) != nil || s.ID() != "0af7651916cd43dd8448eb211c80319c" {
		t.Error("what nobody sees is recorded, or has lost its trace")
	}
	header := http.Header{}
	tr.Call(r.Context(), "GET", "user", 1, header)(200)
	if h := header.Get("Traceparent"); !strings.HasPrefix(h, "00-0af7651916cd43dd8448eb211c80319c-") || !strings.HasSuffix(h, "-00") {
		t.Errorf("passed on %q", h)
	}
	s.End(tracing.Ending{})
	if err := tr.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c.mu.Lock(); len(c.spans) > 0 {
		t.Errorf("%d spans were sent", len(c.spans))
	}
	c.mu.Unlock()
}

// TestOnlyWhereConfigured: a collector that redirects elsewhere gets nothing sent
// there.
func TestOnlyWhereConfigured(t *testing.T) {
	t.Parallel()
	other := newReceiver(t)
	first := httptest.NewServer(http.RedirectHandler(other.URL+"/v1/traces", http.StatusTemporaryRedirect))
	t.Cleanup(first.Close)
	tr := open(t, first.URL+"/v1/traces")
	_, s := tr.Start(httptest.NewRequest(http.MethodGet, "/", nil))
	s.End(tracing.Ending{Kind: "other", Method: "BREW"})
	if err := tr.Flush(t.Context()); err == nil || !strings.Contains(err.Error(), "another host") {
		t.Errorf("flushing: %v", err)
	}
	other.mu.Lock()
	defer other.mu.Unlock()
	if len(other.spans) > 0 {
		t.Error("the redirect was followed")
	}
}

func TestOff(t *testing.T) {
	t.Parallel()
	var tr *tracing.Tracer
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	same, s := tr.Start(r)
	if same != r || s.ID() != "" {
		t.Error("a tracer that is off does something")
	}
	s.End(tracing.Ending{})
	tr.Call(r.Context(), "GET", "user", 1, http.Header{})(200)
	if err := errorsOf(tr.Flush(t.Context()), tr.Close(t.Context())); err != nil {
		t.Error(err)
	}
}

func BenchmarkOff(b *testing.B) {
	var tr *tracing.Tracer
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	b.ReportAllocs()
	for b.Loop() {
		_, s := tr.Start(r)
		s.End(tracing.Ending{Kind: "scim", Operation: "get", Type: "User", Client: "okta", Method: "GET", Status: 200})
	}
}

func BenchmarkOn(b *testing.B) {
	tr, err := tracing.New(b.Context(), tracing.Options{Endpoint: "http://127.0.0.1:1/v1/traces", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	b.ReportAllocs()
	for b.Loop() {
		r, s := tr.Start(r)
		steps := scim.TraceOf(r.Context())
		steps.Note(func(n *scim.TraceNotes) { n.Parse, n.Backend, n.Encode = 1, 1, 1 })
		steps.Add(scim.Step{Kind: "sql", Text: "SELECT 1", Took: 1})
		s.End(tracing.Ending{Kind: "scim", Operation: "get", Type: "User", Client: "okta", Method: "GET", Status: 200})
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = tr.Close(ctx)
}
