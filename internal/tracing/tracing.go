// Package tracing sends what requests do to a collector of OpenTelemetry, if one
// is configured.
//
// What is sent says what happened and how long it took, not to whom: there is no
// name, no value of a filter and no credential in it, and statements have
// placeholders where their arguments were.
package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Options says where traces go. What is not said here the SDK takes from the
// variables of the environment that it defines: OTEL_EXPORTER_OTLP_HEADERS and
// _CERTIFICATE, OTEL_TRACES_SAMPLER, OTEL_RESOURCE_ATTRIBUTES, OTEL_BSP_… .
type Options struct {
	Endpoint string // URL of the collector, its path included
	Version  string // of this program
	Instance string // name of this instance; "": none
	Database string // "sqlite", "postgresql" or ""
	Logger   *slog.Logger
}

// Tracer makes spans and sends them. Nil is one that is off: it costs nothing,
// and its methods do nothing. Safe for concurrent use.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	context  propagation.TraceContext
	database string
}

var errElsewhere = errors.New("the collector leads to another host, where nothing is sent")

// New returns a Tracer. It makes no connection: while the collector can't be
// reached, what is to be sent waits for a while and is then dropped.
func New(ctx context.Context, o Options) (*Tracer, error) {
	to, err := url.Parse(o.Endpoint)
	if err != nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(o.Endpoint),
		otlptracehttp.WithProxy(func(r *http.Request) (*url.URL, error) { // asked before each request, redirected ones too
			if r.URL.Host != to.Host || r.URL.Scheme != to.Scheme {
				return nil, errElsewhere
			}
			return http.ProxyFromEnvironment(r)
		}))
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	own := []attribute.KeyValue{attribute.String("service.name", "rollcall"), attribute.String("service.version", o.Version)}
	if o.Instance != "" {
		own = append(own, attribute.String("service.instance.id", o.Instance))
	}
	// What the environment says wins over what is said here.
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(own...), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { o.Logger.Warn("traces were not sent", "error", err) }))
	return &Tracer{provider: provider, tracer: provider.Tracer("github.com/rollcall-scim/rollcall", trace.WithInstrumentationVersion(o.Version)), database: o.Database}, nil
}

// Close sends what is left, for as long as ctx lasts.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// Flush sends what is there.
func (t *Tracer) Flush(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.ForceFlush(ctx)
}

// at returns options that say when a span began.
func at(when time.Time) trace.SpanStartOption { return trace.WithTimestamp(when) }
