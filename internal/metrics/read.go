package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Pool is the connections to a database.
type Pool struct {
	InUse, Idle, Most int
	Waits             int64         // requests that had to wait for one
	Waited            time.Duration // by all together
}

// Pool shows what f says whenever the metrics are read.
func (m *Metrics) Pool(f func() Pool) {
	state := prometheus.NewDesc("rollcall_database_connections", "Connections to the database.", []string{"state"}, nil)
	most := prometheus.NewDesc("rollcall_database_connections_most", "How many connections there may be.", nil, nil)
	waits := prometheus.NewDesc("rollcall_database_waits_total", "How often a connection had to be waited for.", nil, nil)
	waited := prometheus.NewDesc("rollcall_database_wait_seconds_total", "How long connections were waited for, together.", nil, nil)
	m.registry.MustRegister(reader{[]*prometheus.Desc{state, most, waits, waited}, func(to chan<- prometheus.Metric) {
		p := f()
		to <- prometheus.MustNewConstMetric(state, prometheus.GaugeValue, float64(p.InUse), "in_use")
		to <- prometheus.MustNewConstMetric(state, prometheus.GaugeValue, float64(p.Idle), "idle")
		to <- prometheus.MustNewConstMetric(most, prometheus.GaugeValue, float64(p.Most))
		to <- prometheus.MustNewConstMetric(waits, prometheus.CounterValue, float64(p.Waits))
		to <- prometheus.MustNewConstMetric(waited, prometheus.CounterValue, p.Waited.Seconds())
	}})
}

// Tokens are those that tenants have in the database.
type Tokens struct {
	Live       int
	OldestAge  time.Duration // since the oldest live one was made; 0: there is none
	ExpireDays []int         // days left of each that expires within 30 days and has no successor
}

// within are the days of rollcall_tokens_expiring.
var within = []struct {
	days int
	name string
}{{1, "1d"}, {3, "3d"}, {14, "14d"}, {30, "30d"}}

// Tokens shows what f says when the metrics are read, and asks it once a minute
// at most. While f fails there is nothing to show.
func (m *Metrics) Tokens(f func() (Tokens, error)) {
	live := prometheus.NewDesc("rollcall_tokens_live", "Tokens of all tenants that can be used.", nil, nil)
	oldest := prometheus.NewDesc("rollcall_token_oldest_age_seconds", "How long ago the oldest token that can be used was made.", nil, nil)
	expiring := prometheus.NewDesc("rollcall_tokens_expiring", "Tokens that expire within so many days and have no successor.", []string{"within"}, nil)
	ask := rarely(time.Minute, f)
	m.registry.MustRegister(reader{[]*prometheus.Desc{live, oldest, expiring}, func(to chan<- prometheus.Metric) {
		t, err := ask()
		if err != nil {
			return
		}
		to <- prometheus.MustNewConstMetric(live, prometheus.GaugeValue, float64(t.Live))
		to <- prometheus.MustNewConstMetric(oldest, prometheus.GaugeValue, t.OldestAge.Seconds())
		for _, w := range within {
			n := 0
			for _, days := range t.ExpireDays {
				if days < w.days {
					n++
				}
			}
			to <- prometheus.MustNewConstMetric(expiring, prometheus.GaugeValue, float64(n), w.name)
		}
	}})
}

// Glass is what the Looking Glass has, and what it left out.
type Glass struct {
	Kept, Sampled, Dropped, Queued int64
}

// Glass shows what f says whenever the metrics are read.
func (m *Metrics) Glass(f func() Glass) {
	kept := prometheus.NewDesc("rollcall_looking_glass_exchanges", "Exchanges that the Looking Glass has.", nil, nil)
	left := prometheus.NewDesc("rollcall_looking_glass_left_out_total",
		"Exchanges that were not recorded: reads above the rate are sampled, others dropped where there was more than could be kept.", []string{"why"}, nil)
	queued := prometheus.NewDesc("rollcall_looking_glass_queued_bytes", "What the Looking Glass has observed and not yet explained: how far its journal lags behind.", nil, nil)
	m.registry.MustRegister(reader{[]*prometheus.Desc{kept, left, queued}, func(to chan<- prometheus.Metric) {
		g := f()
		to <- prometheus.MustNewConstMetric(kept, prometheus.GaugeValue, float64(g.Kept))
		to <- prometheus.MustNewConstMetric(left, prometheus.CounterValue, float64(g.Sampled), "sampled")
		to <- prometheus.MustNewConstMetric(left, prometheus.CounterValue, float64(g.Dropped), "dropped")
		to <- prometheus.MustNewConstMetric(queued, prometheus.GaugeValue, float64(g.Queued))
	}})
}

// Lag shows how long the oldest change waits for its seal, as f says, which is
// asked every 5 seconds at most. While f fails there is nothing to show.
func (m *Metrics) Lag(f func() (time.Duration, error)) {
	lag := prometheus.NewDesc("rollcall_audit_lag_seconds", "How long the oldest change that is not yet in the chain of the audit log has waited.", nil, nil)
	ask := rarely(5*time.Second, f)
	m.registry.MustRegister(reader{[]*prometheus.Desc{lag}, func(to chan<- prometheus.Metric) {
		if d, err := ask(); err == nil {
			to <- prometheus.MustNewConstMetric(lag, prometheus.GaugeValue, d.Seconds())
		}
	}})
}

// Ready shows whether requests can be answered.
func (m *Metrics) Ready(f func() bool) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "rollcall_ready",
		Help: "Whether the server is ready: 1, or 0 while its database does not answer, and before it stops."}, func() float64 {
		if f() {
			return 1
		}
		return 0
	}))
}

// reader is a collector that asks when it is read.
type reader struct {
	of   []*prometheus.Desc
	read func(chan<- prometheus.Metric)
}

// Describe implements prometheus.Collector.
func (r reader) Describe(to chan<- *prometheus.Desc) {
	for _, d := range r.of {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (r reader) Collect(to chan<- prometheus.Metric) { r.read(to) }

// rarely returns f, asked again only after a while.
func rarely[T any](every time.Duration, f func() (T, error)) func() (T, error) {
	var mu sync.Mutex
	var at time.Time
	var last T
	var err error
	return func() (T, error) {
		mu.Lock()
		defer mu.Unlock()
		if at.IsZero() || time.Since(at) >= every {
			last, err = f()
			at = time.Now()
		}
		return last, err
	}
}
