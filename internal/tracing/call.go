package tracing

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Call begins the span of a call to the application behind a façade, and writes
// its traceparent into the header. endpoint is a class, not a path. What is
// returned ends it; status 0 is no answer.
func (t *Tracer) Call(ctx context.Context, method, endpoint string, try int, h http.Header) (end func(status int)) {
	if t == nil || !trace.SpanContextFromContext(ctx).IsValid() {
		return func(int) {}
	}
	ctx, span := t.tracer.Start(ctx, known(method)+" "+endpoint, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("http.request.method", known(method)),
		attribute.String("rollcall.endpoint", endpoint),
		attribute.Int("http.request.resend_count", max(try-1, 0))))
	t.context.Inject(ctx, propagation.HeaderCarrier(h))
	return func(status int) {
		if status != 0 {
			span.SetAttributes(attribute.Int("http.response.status_code", status))
		}
		if status == 0 || status >= 400 {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}
