// Package tracing sends what requests do to a collector of OpenTelemetry, if one
// is configured.
package tracing
