// Package metrics is what an operator's monitoring reads of a running server, in
// the text format of Prometheus.
//
// Every label has its values from a list that the program itself holds: whatever
// a client sends, the number of series stays the same. There is no label for
// tenants, people or paths.
package metrics

import (
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Path is where metrics are served.
const Path = "/metrics"

// Buckets of histograms, in seconds and in writes.
var (
	requestBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	backendBuckets = []float64{.00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5, 20}
	callBuckets    = []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	batchBuckets   = []float64{1, 2, 4, 8, 16, 32, 64, 128, 256}
)

// Metrics are the figures of one server. Make one with New. Safe for concurrent
// use.
type Metrics struct {
	registry *prometheus.Registry
	requests [len(operations)][len(classes)][]lazy // by client
	counts   *prometheus.CounterVec
	took     [len(operations)]prometheus.Observer
	backend  [len(operations)]prometheus.Observer
	underWay prometheus.Gauge
	refused  [len(limits)]prometheus.Counter
	batch    prometheus.Histogram
	commit   prometheus.Histogram
	calls    upstream
	failing  *failing
}

// Options says what a server is. The zero value works.
type Options struct {
	Version string
	Facade  bool // calls of an application are counted, and no database
	SQLite  bool // one writer, whose commits are counted

	Now func() time.Time // nil: time.Now
}

// New returns the metrics of a server, with those of the Go runtime and of the
// process.
func New(o Options) *Metrics {
	if o.Now == nil {
		o.Now = time.Now
	}
	m := &Metrics{registry: prometheus.NewRegistry(), failing: newFailing(o.Now)}
	build := gauge("rollcall_build_info", "What the program was built from; always 1.", "version", "goversion")
	build.WithLabelValues(o.Version, runtime.Version()).Set(1)
	m.counts = counter("rollcall_requests_total", "Requests that were answered.", "operation", "status", "client")
	took := histogram("rollcall_request_duration_seconds", "How long requests took, from their header to the end of their answer.", requestBuckets, "operation")
	backend := histogram("rollcall_backend_duration_seconds",
		"How much of that was spent in the database or the application behind. Not every request is measured: those that the Looking Glass records are.", backendBuckets, "operation")
	refused := counter("rollcall_refused_total", "Requests that a limit or a guard refused.", "limit")
	m.underWay = prometheus.NewGauge(prometheus.GaugeOpts{Name: "rollcall_requests_under_way", Help: "Requests that are being answered."})
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		build, m.counts, took, backend, refused, m.underWay, m.failing)
	for op, name := range operations {
		m.took[op], m.backend[op] = took.WithLabelValues(name), backend.WithLabelValues(name)
		for class := range classes {
			m.requests[op][class] = make([]lazy, len(clients))
		}
	}
	for i, name := range limits {
		m.refused[i] = refused.WithLabelValues(name)
	}
	if o.SQLite {
		m.batch = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "rollcall_commit_writes", Help: "Writes that one commit of SQLite made durable together.", Buckets: batchBuckets})
		m.commit = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "rollcall_commit_duration_seconds", Help: "How long commits of SQLite took: the disk's time.", Buckets: backendBuckets})
		m.registry.MustRegister(m.batch, m.commit)
	}
	if o.Facade {
		m.calls = newUpstream()
		m.registry.MustRegister(m.calls.took, m.calls.again)
	}
	return m
}

// Handler serves the metrics. Who may read them is for the caller to decide.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}

// Gatherer gives the metrics to whoever wants them in the process.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

// Begin counts a request that is being answered, until the function that it
// returns is called.
func (m *Metrics) Begin() (end func()) {
	m.underWay.Inc()
	return m.underWay.Dec
}

// Committed notes a commit of SQLite with so many writes.
func (m *Metrics) Committed(writes int, took time.Duration) {
	if m.batch != nil {
		m.batch.Observe(float64(writes))
		m.commit.Observe(took.Seconds())
	}
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
}
