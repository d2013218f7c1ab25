package metrics

import (
	"container/list"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// How many people are remembered whose last write was refused, and how long: a
// client that has given up on somebody does not tell.
const (
	mostFailing = 10_000
	failingTime = 24 * time.Hour
)

// failing are the people whose last write was refused. They are known by a
// number that cannot be turned back into a person.
type failing struct {
	now  func() time.Time
	seed maphash.Seed
	desc *prometheus.Desc

	mu    sync.Mutex
	known map[uint64]*list.Element
	order *list.List // of failed, the one that failed longest ago first
}

type failed struct {
	key    uint64
	client int
	at     time.Time
}

func newFailing(now func() time.Time) *failing {
	return &failing{now: now, seed: maphash.MakeSeed(), known: map[uint64]*list.Element{}, order: list.New(),
		desc: prometheus.NewDesc("rollcall_failing_people",
			"People whose last write was refused, and who were not written since, within 24 hours; 10,000 at most.", []string{"client"}, nil)}
}

// Written notes what became of a write of a person, who is known by any number of
// names: an id, a userName. They are not kept.
func (m *Metrics) Written(tenant, client string, refused bool, names ...string) {
	f := m.failing
	f.mu.Lock()
	defer f.mu.Unlock()
	if !refused && len(f.known) == 0 {
		return
	}
	f.expire()
	for _, name := range names {
		if name == "" {
			continue
		}
		key := maphash.String(f.seed, tenant+"\x00"+name)
		if e := f.known[key]; e != nil {
			f.order.Remove(e)
			delete(f.known, key)
		}
		if refused {
			if len(f.known) == mostFailing {
				f.forget(f.order.Front())
			}
			f.known[key] = f.order.PushBack(failed{key, max(slices.Index(clients, client), 0), f.now()})
			return // one name is enough
		}
	}
}

// AnyFailing reports whether somebody is to be forgotten once written.
func (m *Metrics) AnyFailing() bool {
	m.failing.mu.Lock()
	defer m.failing.mu.Unlock()
	return len(m.failing.known) > 0
}

// expire forgets who failed too long ago. The caller holds mu.
func (f *failing) expire() {
	before := f.now().Add(-failingTime)
	for e := f.order.Front(); e != nil && e.Value.(failed).at.Before(before); e = f.order.Front() {
		f.forget(e)
	}
}

func (f *failing) forget(e *list.Element) {
	delete(f.known, e.Value.(failed).key)
	f.order.Remove(e)
}

// Describe implements prometheus.Collector.
func (f *failing) Describe(to chan<- *prometheus.Desc) { to <- f.desc }

// Collect implements prometheus.Collector. Every kind of client has a series,
// also while it is zero.
func (f *failing) Collect(to chan<- prometheus.Metric) {
	count := make([]float64, len(clients))
	f.mu.Lock()
	f.expire()
	for e := f.order.Front(); e != nil; e = e.Next() {
		count[e.Value.(failed).client]++
	}
	f.mu.Unlock()
	for i, n := range count {
		to <- prometheus.MustNewConstMetric(f.desc, prometheus.GaugeValue, n, clients[i])
	}
}
