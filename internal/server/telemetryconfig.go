package server

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// tracesPath is what a collector's base URL lacks (OpenTelemetry, OTLP exporter).
const tracesPath = "/v1/traces"

// observability checks the settings of metrics and traces. fault takes what is
// wrong.
func (c *Config) observability(s *Settings, fault func(*problem)) {
	bad := func(name, value, allowed string) {
		fault(&problem{c.source(name), `="` + printable(value) + `": ` + allowed})
	}
	switch s.MetricsToken = c.MetricsToken; {
	case s.MetricsToken == "":
	case !sendable([]string{s.MetricsToken}):
		fault(&problem{c.source("MetricsToken"), " (value not shown): a token must be printable ASCII without blanks, of at most 8192 bytes"})
	case slices.Contains(commaList(c.Token), s.MetricsToken):
		fault(&problem{c.source("MetricsToken"), " (value not shown): must not be one of the tokens that may change the directory"})
	}
	if s.MetricsListen = c.MetricsListen; s.MetricsListen != "" && !validAddress(s.MetricsListen) {
		bad("MetricsListen", s.MetricsListen, `must be an address to listen on, such as "127.0.0.1:9090"`)
	} else if s.MetricsListen != "" && s.MetricsListen == s.Listen && !strings.HasSuffix(s.Listen, ":0") {
		bad("MetricsListen", s.MetricsListen, "must be another address than that of SCIM")
	}
	if c.TraceTo == "" || strings.EqualFold(c.TraceOff, "true") || strings.EqualFold(c.TraceExporter, "none") {
		return
	}
	u, err := url.Parse(c.TraceTo)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		bad("TraceTo", redactURL(c.TraceTo), `must be an http or https URL of an OTLP collector without user and query, such as "http://127.0.0.1:4318"; OTEL_EXPORTER_OTLP_HEADERS has room for credentials`)
		return
	}
	switch strings.ToLower(c.TraceProtocol) {
	case "", "http/protobuf", "http/json":
	default:
		bad("TraceProtocol", c.TraceProtocol, "must be http/protobuf or http/json: OTLP by gRPC is not spoken")
	}
	switch strings.ToLower(c.TraceExporter) {
	case "", "otlp":
	default:
		bad("TraceExporter", c.TraceExporter, "must be otlp or none")
	}
	if c.sources["TraceTo"] != "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" { // that one is the whole URL
		u.Path = strings.TrimRight(u.Path, "/") + tracesPath
	}
	s.TraceTo = u.String()
}

// isLocalURL reports whether a URL names this machine.
func isLocalURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return false
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil {
		return a.Unmap().IsLoopback()
	}
	return strings.EqualFold(u.Hostname(), "localhost")
}
