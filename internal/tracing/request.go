package tracing

import (
	"context"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/rollcall-scim/rollcall/scim"
)

// Request is the span of a request. Nil is none.
type Request struct {
	t     *Tracer
	span  trace.Span
	began time.Time
	steps *scim.Trace // nil: the span is not one that is sent
}

// Start begins the span of a request, under that of the client if the request
// names one in traceparent (W3C Trace Context), and returns the request with it
// in its context.
func (t *Tracer) Start(r *http.Request) (*http.Request, *Request) {
	if t == nil {
		return r, nil
	}
	ctx := t.context.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	if from := trace.SpanContextFromContext(ctx); from.IsRemote() {
		// What vendors put beside it is the client's own: it is not passed on.
		ctx = trace.ContextWithRemoteSpanContext(ctx, from.WithTraceState(trace.TraceState{}))
	}
	s := &Request{t: t, began: time.Now()}
	ctx, s.span = t.tracer.Start(ctx, "request", trace.WithSpanKind(trace.SpanKindServer), at(s.began))
	if s.span.IsRecording() {
		s.steps = new(scim.Trace)
		ctx = scim.WithTrace(ctx, s.steps)
	}
	return r.WithContext(ctx), s
}

// ID returns the id of the trace, as logs show it; "" for none.
func (s *Request) ID() string {
	if s == nil {
		return ""
	}
	return s.span.SpanContext().TraceID().String()
}

// Ending is what is said of a request when it is over. Each text is one of a
// list: none is the client's.
type Ending struct {
	Kind      string // "scim", "console", "health" …
	Operation string // of the engine; "": none
	Type      string // name of a resource type
	Client    string // kind
	Method    string
	Status    int
}

// End ends the span and its parts.
func (s *Request) End(e Ending) {
	if s == nil {
		return
	}
	if s.steps == nil {
		s.span.End()
		return
	}
	name := strings.TrimSpace(e.Operation + " " + e.Type)
	if name == "" {
		name = e.Kind
	}
	s.span.SetName(name)
	s.span.SetAttributes(
		attribute.String("http.request.method", known(e.Method)),
		attribute.Int("http.response.status_code", e.Status),
		attribute.String("rollcall.kind", e.Kind),
		attribute.String("rollcall.operation", e.Operation),
		attribute.String("rollcall.resource_type", e.Type),
		attribute.String("rollcall.client", e.Client))
	if e.Status >= 500 {
		s.span.SetStatus(codes.Error, "")
	}
	s.parts()
	s.span.End()
}

// known returns a method of SCIM, or "_OTHER" (the name that OpenTelemetry has
// for it).
func known(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "_OTHER"
}

// parts makes spans of what the engine and the database have noted. The three
// parts are sums, which are drawn one after the other; statements are where they
// were.
func (s *Request) parts() {
	n := s.steps.Notes()
	if n.Parse+n.Backend+n.Encode == 0 {
		return
	}
	ctx := trace.ContextWithSpan(context.Background(), s.span)
	part := func(name string, from time.Time, took time.Duration) time.Time {
		_, span := s.t.tracer.Start(ctx, name, at(from))
		to := from.Add(took)
		span.End(trace.WithTimestamp(to))
		return to
	}
	began := s.began
	parsed := part("parse", began, n.Parse)
	end := parsed.Add(n.Backend)
	steps := s.steps.Steps()
	for _, step := range steps {
		if to := began.Add(step.Start + step.Took); to.After(end) {
			end = to
		}
	}
	inside, backend := s.t.tracer.Start(ctx, "backend", at(parsed))
	for _, step := range steps {
		if step.Kind != "sql" { // calls have spans of their own
			continue
		}
		from := began.Add(step.Start)
		_, span := s.t.tracer.Start(inside, verb(step.Text), at(from), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
			attribute.String("db.system.name", s.t.database),
			attribute.String("db.query.text", step.Text),
			attribute.Int64("db.response.returned_rows", max(step.Rows, 0)),
			attribute.Int("rollcall.times", max(step.Times, 1)),
			attribute.Int("rollcall.skipped", step.Skipped)))
		if step.Failed != "" { // whose words may hold values
			span.SetStatus(codes.Error, "")
		}
		span.End(trace.WithTimestamp(from.Add(step.Took)))
	}
	backend.End(trace.WithTimestamp(end))
	part("encode", end, n.Encode)
}

// verb returns the first word of a statement.
func verb(statement string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(statement), " ")
	if first == "" {
		return "sql"
	}
	return strings.ToUpper(first)
}
