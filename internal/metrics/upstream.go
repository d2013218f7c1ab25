package metrics

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Endpoints are the classes of endpoints of the application behind a façade.
// They are the values of a label: a path never is.
var Endpoints = []string{"other", "health", "users", "user", "user_roles", "teams", "team", "team_users", "roles", "role"}

// results are what comes of a call: the class of the status, or why there is
// none.
var results = []string{"other", "1xx", "2xx", "3xx", "4xx", "5xx", "refused", "unreached", "broken", "timed out", "busy", "nonsense"}

// upstream are the calls of an application behind a façade.
type upstream struct {
	took  *prometheus.HistogramVec
	again *prometheus.CounterVec
}

func newUpstream() upstream {
	u := upstream{
		took: histogram("rollcall_upstream_duration_seconds",
			"How long calls of the application behind the facade took, each try by itself.", callBuckets, "endpoint", "result"),
		again: counter("rollcall_upstream_retries_total", "Tries of a call after its first.", "endpoint"),
	}
	for _, name := range Endpoints {
		u.again.WithLabelValues(name)
	}
	return u
}

// Call is one try of a call to the application behind a façade.
type Call struct {
	Endpoint string // of Endpoints
	Status   int    // 0: no answer
	Reason   string // why there is none
	Again    bool   // not the first try
	Took     time.Duration
}

// Called counts a call.
func (m *Metrics) Called(c Call) {
	if m.calls.took == nil {
		return
	}
	endpoint, result := Endpoints[index(Endpoints, c.Endpoint)], results[0]
	switch {
	case c.Status >= 100 && c.Status < 600:
		result = classes[c.Status/100]
	case slices.Contains(results, c.Reason):
		result = c.Reason
	}
	m.calls.took.WithLabelValues(endpoint, result).Observe(c.Took.Seconds())
	if c.Again {
		m.calls.again.WithLabelValues(endpoint).Inc()
	}
}
