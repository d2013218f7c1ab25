package server_test

import (
	"strconv"
	"sync"
	"testing"
	"time"

	v1 "go.opentelemetry.io/proto/otlp/trace/v1"
)

// TestNeighbour lets one tenant send far more than it may beside another: what is
// refused of it reaches neither its engine nor the database, and nothing of the
// other is refused. What that costs the other in time, "rollcall bench neighbour"
// measures.
func TestNeighbour(t *testing.T) {
	t.Parallel()
	c := collect(t)
	r := start(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL)
	s := &served{r, []string{"ROLLCALL_DATA_DIR=" + r.data}}
	s.must("tenant", "add", "loud", "rate.perSecond=1", "rate.burst=5")
	s.must("tenant", "add", "quiet")
	loud, quiet := s.must("token", "add", "idp", "--tenant", "loud"), s.must("token", "add", "idp", "--tenant", "quiet")

	for _, token := range []string{loud, quiet} {
		s.made(token, "/scim/v2/Users", `{"userName":"ada"}`)
	}

	const path = "/scim/v2/Users?filter=userName+eq+%22ada%22"
	var wg sync.WaitGroup
	began := time.Now()
	got := map[string]map[int]int{}
	for token, n := range map[string]int{loud: 100, quiet: 50} {
		statuses := map[int]int{}
		got[token] = statuses
		wg.Go(func() {
			for range n {
				statuses[s.with(token, "GET", path, "").status]++
			}
		})
	}
	wg.Wait()
	if got[quiet][200] != 50 {
		t.Errorf("the quiet tenant: %v", got[quiet])
	}
	let, stopped := got[loud][200], got[loud][429]
	if let < 4 || let > atMost(5, began) || stopped == 0 || let+stopped != 100 {
		t.Errorf("the loud tenant: %v", got[loud])
	}

	r.srv.FlushTraces(t.Context())
	c.mu.Lock()
	defer c.mu.Unlock()
	answered, within := map[string]int64{}, map[string]map[string]bool{} // by trace
	for _, span := range c.spans {
		trace := string(span.TraceId)
		if within[trace] == nil {
			within[trace] = map[string]bool{}
		}
		if span.Kind == v1.Span_SPAN_KIND_SERVER {
			answered[trace] = status(span)
		} else {
			within[trace][span.Name] = true
			within[trace]["a statement"] = within[trace]["a statement"] || span.Kind == v1.Span_SPAN_KIND_CLIENT
		}
	}
	count := map[int64]int{}
	for trace, status := range answered {
		count[status]++
		switch parts := within[trace]; {
		case status == 429 && len(parts) > 0:
			t.Errorf("a request that was refused: %v", parts)
		case status == 200 && (!parts["parse"] || !parts["a statement"]):
			t.Errorf("a request that was not: %v", parts)
		}
	}
	if count[200] != 50+let || count[429] != stopped {
		t.Errorf("traces of %v, sent were %d and %d", count, 50+let, stopped)
	}
	r.wantSeries(r.series(), `rollcall_refused_total{limit="rate"}`, strconv.Itoa(stopped))
}

// status is that of the answer to the request of a span.
func status(span *v1.Span) int64 {
	for _, a := range span.Attributes {
		if a.Key == "http.response.status_code" {
			return a.Value.GetIntValue()
		}
	}
	return 0
}
