package metrics

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rollcall-scim/rollcall/scim/compat"
)

// operations are those of package engine, and other for what came to no
// endpoint.
var operations = [...]string{"other", "create", "get", "list", "search", "replace", "patch", "delete", "bulk", "discovery", "options", "preview"}

// classes are those of HTTP's statuses; other is none at all.
var classes = [...]string{"other", "1xx", "2xx", "3xx", "4xx", "5xx"}

// clients are the kinds that a User-Agent may tell.
var clients = compat.Clients()

// Request is a request that was answered. What a label does not know is its
// "other".
type Request struct {
	Operation string // of engine.Response; "": none
	Status    int
	Client    string // of compat.ClientOf
	Took      time.Duration
	Backend   time.Duration // 0: not measured
}

// lazy is a counter that is made when there is something to count.
type lazy struct {
	atomic.Pointer[prometheus.Counter]
}

// Request counts a request.
func (m *Metrics) Request(r Request) {
	op, class, client := index(operations[:], r.Operation), 0, max(slices.Index(clients, r.Client), 0)
	if r.Status >= 100 && r.Status < 600 {
		class = r.Status / 100
	}
	slot := &m.requests[op][class][client]
	c := slot.Load()
	if c == nil {
		made := m.counts.WithLabelValues(operations[op], classes[class], clients[client])
		c = &made
		slot.Store(c)
	}
	(*c).Inc()
	m.took[op].Observe(r.Took.Seconds())
	if r.Backend > 0 {
		m.backend[op].Observe(r.Backend.Seconds())
	}
}

// Limit is what refused a request.
type Limit string

// The limits.
const (
	OtherLimit     Limit = "other"
	Authentication Limit = "authentication" // no token, or one that is not good
	Guessing       Limit = "guessing"       // too many wrong tokens from one address
	WrongTenant    Limit = "tenant"         // the token is another tenant's
	OutOfScope     Limit = "scope"
	Rate           Limit = "rate"
	Breaker        Limit = "breaker"
	Protected      Limit = "protected"
	Promotion      Limit = "promotion"
	Size           Limit = "size" // of the body, or too many operations
	TooMany        Limit = "many" // a filter or a page that asks for too much
	Unavailable    Limit = "unavailable"
)

var limits = [...]string{string(OtherLimit), string(Authentication), string(Guessing), string(WrongTenant), string(OutOfScope), string(Rate),
	string(Breaker), string(Protected), string(Promotion), string(Size), string(TooMany), string(Unavailable)}

// Refused counts a request that a limit refused.
func (m *Metrics) Refused(by Limit) { m.refused[index(limits[:], string(by))].Inc() }

// index returns where name is in a list, or 0, which is "other".
func index(list []string, name string) int { return max(slices.Index(list, name), 0) }
